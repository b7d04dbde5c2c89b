//! Answering: ports are opened for a leg, and what it offers, or says to our offer, becomes its media
//! (RFC 3264).

use std::net::IpAddr;

use super::core::Core;
use super::hands::Hands;
use super::keys::Keys;
use super::leg::{Leg, Progress};
use super::negotiate;
use crate::base::LegId;
use crate::media::Command;
use crate::sdp::{self, Description, LocalCrypto, LocalMedia};
use crate::sip::ua::Body;
use crate::trunk::profile::MediaTerms;

impl Core {
    /// Opens the media of a leg that has none yet. The status to refuse with when no port is left.
    pub(crate) fn open_media(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<(), u16> {
        let other = self.leg_with_media();
        let wanted = self.codecs_beside(id);
        let generation = hands.generations.get(&self.generation).cloned();
        let Some(leg) = self.leg_mut(id) else {
            return Err(500);
        };
        if leg.local.is_some() {
            return Ok(());
        }
        // Where their sound comes from may be of another family than their signalling.
        let offer = leg.remote_offer.as_ref();
        let offered = offer.and_then(|offer| offer.audio().next()?.address);
        let remote = offered.unwrap_or(leg.flow.remote.ip());
        let terms = generation
            .as_ref()
            .and_then(|generation| generation.media_of(leg.trunk.as_deref(), &leg.party));
        leg.keys = Keys::by(terms.map(|terms| terms.dtmf));
        let mut local = open_local(hands, id, other, terms, remote)?;
        local.prefer(&wanted);
        local.crypto = LocalCrypto::new(leg.srtp, hands.entropy);
        leg.local = Some(local);
        Ok(())
    }

    /// Answers the offer of a leg that called us, opening its media: the body for a 183 or 200.
    /// Without an offer (delayed offer, RFC 3264 §5) the body is our own.
    pub(crate) fn answer_body(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<Body, u16> {
        self.open_media(hands, id)?;
        let preferred = self.codec_beside(id);
        let Some(leg) = self.leg_mut(id) else {
            return Err(500);
        };
        let Some(local) = leg.local.clone() else {
            return Err(500);
        };
        let Some(offer) = leg.remote_offer.as_ref() else {
            leg.offer_pending = true;
            return Ok(sdp_body(&sdp::offer(&local)));
        };
        let (answer, agreed) = sdp::answer(&local, offer, preferred).map_err(|refusal| {
            tracing::info!(%refusal, "offer refused");
            488_u16
        })?;
        let flow = leg.flow_of(&agreed);
        leg.negotiated = Some(agreed);
        hands.tell(Command::SetLeg { leg: id, flow });
        Ok(sdp_body(&answer))
    }

    /// Answers the caller (200), unless that was done before.
    pub(crate) fn answer_caller(&mut self, hands: &mut Hands<'_>) -> Result<(), u16> {
        let caller = self.caller().id;
        self.answer_leg(hands, caller)
    }

    /// Answers a leg that called us (200), unless that was done before.
    pub(crate) fn answer_leg(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<(), u16> {
        let arrives = |leg: &&Leg| leg.progress == Progress::Arriving;
        let Some(session) = self.leg(id).filter(arrives).map(|leg| leg.session) else {
            return Ok(());
        };
        let body = self.answer_body(hands, id)?;
        hands.ua.accept(hands.now, session, &[], Some(body));
        let mut codec = "";
        if let Some(leg) = self.leg_mut(id) {
            leg.progress = Progress::Answered;
            codec = leg.negotiated.as_ref().map_or("", negotiate::codec_name);
        }
        let codec = codec.to_owned();
        self.answered(hands, id, codec);
        Ok(())
    }

    /// Takes the far end's answer to our offer. False when there is nothing to agree on.
    pub(crate) fn take_answer(&mut self, hands: &mut Hands<'_>, id: LegId, body: &[u8]) -> bool {
        let Some(leg) = self.leg_mut(id) else {
            return false;
        };
        let Some(local) = leg.local.as_ref() else {
            return false;
        };
        let agreed = Description::parse(body)
            .ok()
            .and_then(|answer| sdp::accept_answer(local, &answer).ok());
        let Some(agreed) = agreed else {
            return leg.negotiated.is_some();
        };
        leg.offer_pending = false;
        let flow = leg.flow_of(&agreed);
        leg.negotiated = Some(agreed);
        hands.tell(Command::SetLeg { leg: id, flow });
        true
    }
}

/// Opens ports for a leg and describes our side of it.
/// Legs of one call are on one media worker, as far as it keeps up: `other` is one of them.
/// `terms` are those of the trunk it goes through, or of the phone.
pub(super) fn open_local(
    hands: &mut Hands<'_>,
    id: LegId,
    other: Option<LegId>,
    terms: Option<&MediaTerms>,
    remote: IpAddr,
) -> Result<LocalMedia, u16> {
    let band = terms.and_then(|terms| terms.ports.as_ref());
    let ports = hands
        .media
        .open_leg_beside(id, hands.ids.origin().shard, other, band, Some(remote))
        .map_err(|error| {
            tracing::warn!(%error, "no media port for a leg");
            503_u16
        })?;
    // RFC 8866 §5.2: the session id is a number; 31 bits keep it readable for every peer.
    let session_id = u64::from(hands.entropy.u32() >> 1);
    Ok(match terms {
        Some(terms) => negotiate::media_on(ports, session_id, terms),
        None => negotiate::local_media(ports, session_id),
    })
}

/// A session description as a message body.
pub(super) fn sdp_body(description: &Description) -> Body {
    Body::sdp(description.to_bytes())
}
