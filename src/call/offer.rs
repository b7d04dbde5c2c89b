//! Offers and answers within a call (RFC 3264): delayed offers, hold in all its forms, a stream that is
//! taken away and comes back, another codec or address. Media is anchored here, so each side is
//! answered here and the other hears only the effect: music while it is held.

use super::answering::sdp_body;
use super::feature::LegEvent;
use super::hands::Hands;
use super::leg::Leg;
use super::machine::Call;
use super::negotiate;
use crate::base::{Cause, Entropy, LegId, Party};
use crate::events::Fact;
use crate::media::Command;
use crate::sdp::{self, Description, Direction, Negotiated};
use crate::sip::Message;

impl Call {
    /// The answer to an offer of ours that went out in a response (RFC 3261 §13.2.1): in the ACK or
    /// the PRACK.
    pub(super) fn on_ack(&mut self, hands: &mut Hands<'_>, leg: LegId, ack: &Message) {
        let is_caller = self.core.is_lead(leg);
        let Some(state) = self.core.leg_mut(leg).filter(|leg| leg.offer_pending) else {
            return;
        };
        state.offer_pending = false;
        let before = codec_of(state);
        if self.core.take_answer(hands, leg, ack.body()) {
            return self.on_renegotiated(hands, leg, before);
        }
        let cause = Cause::from_status(488);
        self.core.hang_up(hands, leg, Party::Switch, cause.clone());
        if is_caller {
            self.end(hands, Party::Switch, &cause);
        } else {
            self.on_leg(hands, leg, LegEvent::Ended);
        }
    }

    /// The answer to a re-INVITE or UPDATE of ours.
    pub(super) fn on_reanswered(&mut self, hands: &mut Hands<'_>, leg: LegId, response: &Message) {
        let before = self.core.leg(leg).and_then(codec_of);
        if self.core.take_answer(hands, leg, response.body()) {
            self.on_renegotiated(hands, leg, before);
        }
    }

    /// A re-INVITE or UPDATE.
    pub(super) fn on_reoffer(&mut self, hands: &mut Hands<'_>, leg: LegId, request: &Message) {
        let Some(state) = self.core.leg_mut(leg) else {
            return;
        };
        let session = state.session;
        let Some(local) = state.local.as_mut() else {
            hands.ua.refuse_reoffer(hands.now, session, 488);
            return;
        };
        local.session_version += 1;
        if request.body().is_empty() {
            state.offer_pending = true;
            let body = sdp_body(&sdp::reoffer(local, state.negotiated.as_ref()));
            hands.ua.answer_reoffer(hands.now, session, Some(body));
            return;
        }
        let (answer, agreed) = match answer(state, request.body(), hands.entropy) {
            Ok(done) => done,
            Err(status) => {
                if let Some(local) = state.local.as_mut() {
                    local.session_version -= 1;
                }
                hands.ua.refuse_reoffer(hands.now, session, status);
                return;
            }
        };
        let before = codec_of(state);
        let flow = state.flow_of(&agreed);
        state.fork_agreed(request, &agreed);
        state.negotiated = Some(agreed);
        hands.tell(Command::SetLeg { leg, flow });
        let body = sdp_body(&answer);
        hands.ua.answer_reoffer(hands.now, session, Some(body));
        self.on_renegotiated(hands, leg, before);
    }

    /// What a leg may send and hear was agreed anew.
    fn on_renegotiated(&mut self, hands: &mut Hands<'_>, leg: LegId, before: Option<&'static str>) {
        let answered = self.core.leg(leg).filter(|leg| leg.is_answered());
        let now = answered.and_then(codec_of);
        if let Some(codec) = now.filter(|_| now != before) {
            let codec = codec.to_owned();
            self.core.emit(hands, Fact::LegAnswered { leg, codec });
        }
        if let Some(talk) = self.stage.talk_mut() {
            talk.refresh(&mut self.core, hands);
        }
    }
}

fn codec_of(leg: &Leg) -> Option<&'static str> {
    leg.negotiated.as_ref().map(negotiate::codec_name)
}

/// Our answer to an offer made within the dialog, or the status to refuse it with. A key that the
/// far end may not follow is renewed.
fn answer(
    leg: &mut Leg,
    body: &[u8],
    entropy: &mut Entropy,
) -> Result<(Description, Negotiated), u16> {
    let local = leg.local.as_mut().ok_or(488_u16)?;
    let offer = Description::parse(body).map_err(|_| 400_u16)?;
    if let (Some(answer), Some(before)) = (sdp::answer_removed(local, &offer), &leg.negotiated) {
        return Ok((answer, removed(before)));
    }
    // What both still have stays: another codec would have to be transcoded for the other side.
    let spoken = leg.negotiated.as_ref().map(|agreed| agreed.codec);
    let answer = |local: &_| sdp::answer(local, &offer, spoken).map_err(|refusal| refusal.status());
    let answered = answer(local)?;
    match &leg.negotiated {
        Some(before) if answered.1.wants_new_key(before) => {
            local.crypto.renew(entropy);
            answer(local)
        }
        _ => Ok(answered),
    }
}

/// Their stream is gone until they offer one again (RFC 3264 §8.2): for the call that is a hold.
fn removed(before: &Negotiated) -> Negotiated {
    Negotiated {
        remote: None,
        remote_rtcp: None,
        direction: Direction::Inactive,
        held_by_remote: true,
        ..before.clone()
    }
}
