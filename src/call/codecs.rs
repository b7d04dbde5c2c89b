//! Which codecs the legs of one call speak: the same wherever both can, so that nothing is
//! transcoded that need not be.

use super::answering::sdp_body;
use super::core::Core;
use super::generation::Generation;
use super::hands::Hands;
use super::leg::Leg;
use crate::base::LegId;
use crate::sdp::{self, AudioCodec};
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

    /// Two who talk alone in two codecs, one of them a phone that knows the other's: the phone is asked
    /// over to it, once. That costs a re-INVITE in the house; a call that is transcoded costs more in
    /// each second, and a wide codec gains nothing beside a narrow one.
    pub(super) fn share_codec(&mut self, hands: &mut Hands<'_>) {
        let Some((id, wanted)) = self.strays() else {
            return;
        };
        let Some(leg) = self.leg_mut(id) else { return };
        let Some(local) = leg.local.as_mut() else {
            return;
        };
        leg.asked_for = Some(wanted);
        local.prefer(&[wanted]);
        local.session_version += 1;
        let mut offered = local.clone();
        if leg.remote_offer.is_some() {
            // It named the codec itself, and with others beside it some phones keep what they have.
            offered.codecs.truncate(1);
        }
        let body = sdp_body(&sdp::reoffer(&offered, leg.negotiated.as_ref()));
        hands.ua.reinvite(hands.now, leg.session, Some(body));
    }

    /// The phone that could speak what the other of two speaks but does not, and that codec.
    fn strays(&self) -> Option<(LegId, AudioCodec)> {
        let mut parties = self
            .legs
            .iter()
            .filter(|leg| leg.is_answered() && !leg.supervises());
        let (one, two) = (parties.next()?, parties.next()?);
        let is_settled = |leg: &Leg| !leg.offer_pending && !leg.holds_us();
        if parties.next().is_some() || !is_settled(one) || !is_settled(two) {
            return None;
        }
        let (first, second) = (codec_of(one)?, codec_of(two)?);
        let could = |leg: &Leg, codec| {
            let ours = leg.local.as_ref()?;
            let offer = leg.remote_offer.as_ref();
            let knows = offer.is_none_or(|offer| {
                let mut streams = offer.audio();
                streams.any(|audio| audio.format_of(codec).is_some())
            });
            let asks = leg.trunk.is_none() && leg.asked_for != Some(codec);
            (asks && knows && ours.codecs.contains(&codec)).then_some((leg.id, codec))
        };
        // The two of G.711 are a table apart, which is no reason to disturb anybody.
        let is_g711 = |codec| matches!(codec, AudioCodec::Pcma | AudioCodec::Pcmu);
        if first == second || is_g711(first) && is_g711(second) {
            return None;
        }
        could(one, second).or_else(|| could(two, first))
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
