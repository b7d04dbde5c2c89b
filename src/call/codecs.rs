//! Which codecs the legs of one call speak: the same wherever both can, so that nothing is
//! transcoded that need not be.

use super::core::Core;
use super::generation::Generation;
use super::leg::Leg;
use crate::base::LegId;
use crate::sdp::AudioCodec;
use crate::trunk::profile::MediaTerms;

impl Core {
    /// The codec a leg is best answered with: that of whom it talks with, or will.
    pub(super) fn codec_beside(&self, id: LegId) -> Option<AudioCodec> {
        let others = || self.beside(id);
        let answered = others().filter(|leg| leg.is_answered()).find_map(codec_of);
        answered.or_else(|| others().find_map(codec_of))
    }

    /// The codecs a leg had better list first: the one that whom it will talk with speaks already, or
    /// those that he offered and nobody has answered yet.
    pub(super) fn codecs_beside(&self, id: LegId) -> Vec<AudioCodec> {
        let settled = |leg: &&Leg| leg.is_answered() || self.is_lead(leg.id);
        let spoken = self.beside(id).filter(settled).find_map(codec_of);
        if let Some(codec) = spoken {
            return vec![codec];
        }
        let mut offers = self.beside(id).filter_map(|leg| leg.remote_offer.as_ref());
        let offered = offers.next().and_then(|offer| {
            let mut streams = offer.audio();
            streams.find(|audio| audio.port != 0)
        });
        let is_offered = |codec: &AudioCodec| {
            let format = offered.and_then(|audio| audio.format_of(*codec));
            format.is_some()
        };
        AudioCodec::ALL.into_iter().filter(is_offered).collect()
    }

    fn beside(&self, id: LegId) -> impl Iterator<Item = &Leg> {
        let live = self.legs.iter().filter(|leg| leg.is_live());
        live.filter(move |leg| leg.id != id)
    }
}

impl Generation {
    /// What we offer and take of a leg's media: the trunk's it goes through, or the phone's.
    pub(super) fn media_of(&self, trunk: Option<&str>, party: &str) -> Option<&MediaTerms> {
        match trunk {
            Some(trunk) => Some(&self.trunks.get(trunk)?.profile.media),
            None => Some(&self.phones.get(party)?.media),
        }
    }
}

fn codec_of(leg: &Leg) -> Option<AudioCodec> {
    leg.negotiated.as_ref().map(|agreed| agreed.codec)
}
