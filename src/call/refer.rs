//! REFER in a call: who may transfer whom, and where to (RFC 3515, RFC 5589, RFC 3891).
//!
//! What is refused is refused with a status that leaves the dialog alive: 404, 416 and 481 would
//! end it (RFC 5057 §5.1).

use super::CallKey;
use super::exchange::Exchange;
use super::feature::{Stage, Target, Transfer, Wish};
use super::leg::Leg;
use super::machine::Call;
use super::outward::dialled;
use crate::base::{LegId, Pii, Timestamp};
use crate::events::TransferKind;
use crate::sip::ua::{ReferId, Replaced, SessionId};
use crate::sip::{HeaderName, Message, ReferTo, Replaces};
use crate::trunk::{Destination, Origin};

/// What a REFER leads to.
enum Decision {
    /// The party that stays is sent to a number.
    Blind {
        destination: Destination,
        number: String,
    },
    /// The carrier of the party that stays carries it out.
    Pass { number: String, party: SessionId },
    /// The party that stays gets whom the one that leaves has consulted.
    Attended { call: CallKey, leg: LegId },
    /// An application says what becomes of the party that stays.
    Told { to: String },
    /// There is no such consultation (any more): told by NOTIFY, for the dialog lives.
    Gone(u16),
}

impl Exchange {
    pub(super) fn on_refer(
        &mut self,
        now: Timestamp,
        session: SessionId,
        refer: ReferId,
        request: &Message,
    ) {
        let Some((key, leg)) = self.index.sessions.get(&session).copied() else {
            return self.ua.refuse_refer(now, session, refer, 403);
        };
        let decision = match self.decide(key, leg, request) {
            Ok(decision) => decision,
            Err(status) => {
                tracing::info!(status, %leg, "transfer refused");
                return self.ua.refuse_refer(now, session, refer, status);
            }
        };
        let wish = |kind, target| Wish {
            kind,
            leaver: leg,
            refer: Some(refer),
            target,
            consultation: None,
        };
        match decision {
            Decision::Attended {
                call,
                leg: consulting,
            } => {
                self.ua.accept_refer(now, session, refer);
                self.join_calls(now, (key, leg, refer), (call, consulting));
            }
            Decision::Blind {
                destination,
                number,
            } => {
                self.ua.accept_refer(now, session, refer);
                let target = Target::Number {
                    destination,
                    number,
                };
                self.with_call(now, key, |call, hands| {
                    call.transfer(hands, wish(TransferKind::Blind, target));
                });
            }
            Decision::Told { to } => {
                self.ua.accept_refer(now, session, refer);
                self.ua.notify(now, session, refer, 200);
                self.with_call(now, key, |call, hands| call.on_referral(hands, leg, to));
            }
            Decision::Gone(status) => {
                self.ua.accept_refer(now, session, refer);
                self.ua.notify(now, session, refer, status);
            }
            Decision::Pass { number, party } => {
                let to = self.carrier_address(key, party, &number);
                let Some(ours) = to.and_then(|to| self.ua.refer(now, party, &to, &[])) else {
                    return self.ua.refuse_refer(now, session, refer, 491);
                };
                self.ua.accept_refer(now, session, refer);
                let target = Target::Passed {
                    refer: ours,
                    number,
                };
                self.with_call(now, key, |call, hands| {
                    call.transfer(hands, wish(TransferKind::Passed, target));
                });
            }
        }
    }

    fn decide(&self, key: CallKey, leaver: LegId, request: &Message) -> Result<Decision, u16> {
        let call = self.calls.get(&key).ok_or(403_u16)?;
        if let Stage::Application(application) = &call.stage
            && application.hears_referral(leaver)
        {
            let asked = ReferTo::of(request).map_err(|why| why.status())?;
            let to = asked.uri.to_string();
            return Ok(Decision::Told { to });
        }
        let (leaver, stays) = call.transferable(leaver)?;
        let generation = self.generations.get(&call.core.generation).ok_or(500_u16)?;
        let may = match &leaver.trunk {
            Some(trunk) => {
                let trunk = generation.trunks.get(trunk);
                trunk.is_some_and(|trunk| trunk.transfer.accept_refer)
            }
            None => {
                // An agent may be at a phone that a later configuration brought.
                let mut known = [generation, self.generation()].into_iter();
                let phone = known.find_map(|one| one.phones.get(&leaver.party));
                phone.is_some_and(|phone| phone.may_transfer)
            }
        };
        if !may {
            return Err(403);
        }
        let asked = ReferTo::of(request).map_err(|why| {
            tracing::info!(%why, "Refer-To refused");
            why.status()
        })?;
        if let Some(replaces) = &asked.replaces {
            return self.consultation(key, leaver, replaces);
        }
        let number = asked.uri.user_decoded();
        let pii = Pii(number.clone());
        tracing::debug!(to = %pii, "transfer asked for");
        let found = generation.numbers.dialled(origin(leaver), &number);
        let destination = match found {
            // RFC 3515 §2.4.2; an activity belongs to whoever dials it himself.
            None | Some(Destination::Agent(..) | Destination::Mailbox(..)) => return Err(403),
            Some(destination) => destination,
        };
        if let Destination::Trunk { trunks, number } = &destination
            && let Some(trunk) = stays.trunk.as_ref().filter(|own| trunks.contains(own))
            && let Some(carrier) = generation.trunks.get(trunk)
            && carrier.transfer.pass_refer
        {
            let (number, party) = (number.clone(), stays.session);
            return Ok(Decision::Pass { number, party });
        }
        let number = match &destination {
            Destination::Application { number, .. }
            | Destination::Flow { number, .. }
            | Destination::Phone(number)
            | Destination::Trunk { number, .. } => number.clone(),
            _ => number.into_owned(),
        };
        Ok(Decision::Blind {
            destination,
            number,
        })
    }

    /// The dialog that Replaces names: another one of the same transferor.
    fn consultation(
        &self,
        own: CallKey,
        leaver: &Leg,
        replaces: &Replaces,
    ) -> Result<Decision, u16> {
        let session = match self.ua.find_replaced(replaces) {
            Replaced::Found(session) => session,
            Replaced::Over => return Ok(Decision::Gone(603)),
            Replaced::Unknown => return Ok(Decision::Gone(481)),
        };
        let Some((key, id)) = self.index.sessions.get(&session).copied() else {
            return Ok(Decision::Gone(603));
        };
        let call = self.calls.get(&key).ok_or(403_u16)?;
        let leg = call.core.leg(id).ok_or(403_u16)?;
        // Tags and Call-ID prove nothing (RFC 3891 §5): both legs must be the same party's.
        if key == own || leg.party != leaver.party || leg.trunk != leaver.trunk {
            return Err(403);
        }
        if replaces.early_only && leg.is_answered() && matches!(call.stage, Stage::Talk(_)) {
            return Ok(Decision::Gone(486));
        }
        Ok(Decision::Attended { call: key, leg: id })
    }

    /// The Refer-To a carrier gets: its own number form at its own address, and nothing else of
    /// what the transferor wrote.
    fn carrier_address(&self, key: CallKey, party: SessionId, number: &str) -> Option<String> {
        let call = self.calls.get(&key)?;
        let leg = call.core.legs.iter().find(|leg| leg.session == party)?;
        let generation = self.generations.get(&call.core.generation)?;
        let trunk = generation.trunks.get(leg.trunk.as_deref()?)?;
        let number = dialled(generation.numbers.site(), trunk, number);
        // Where its requests go now: a carrier that was located later, or moved, is elsewhere.
        let remote = self.ua.flow(party)?.remote;
        let uri = crate::sip::Uri::sip(&number, remote.ip().into(), Some(remote.port()));
        Some(format!("<{uri}>"))
    }
}

/// Who dials when a leg transfers.
pub(super) fn origin(leg: &Leg) -> Origin<'_> {
    match &leg.trunk {
        Some(trunk) => Origin::Trunk(trunk),
        None => Origin::Phone(&leg.party),
    }
}

impl Call {
    /// The leg that leaves and the party that stays, when the call can be transferred now.
    pub(super) fn transferable(&self, leaver: LegId) -> Result<(&Leg, &Leg), u16> {
        if self.core.ended.is_some() {
            return Err(403);
        }
        match &self.stage {
            Stage::Talk(talk) if !talk.is_inviting() => {}
            // RFC 3261 §21.4.27: later, perhaps.
            Stage::Talk(_) | Stage::Transfer(_) => return Err(491),
            // An agent who refers in the moment after his answer, before the router has confirmed it.
            Stage::Waiting(_) if self.core.leg(leaver).is_some_and(Leg::is_answered) => {
                return Err(491);
            }
            _ => return Err(403),
        }
        let leg = self.core.leg(leaver).filter(|leg| leg.is_answered());
        let leg = leg.ok_or(403_u16)?;
        let mut others = self.core.talking().filter(|other| other.id != leaver);
        match (others.next(), others.next()) {
            (Some(stays), None) => Ok((leg, stays)),
            // A conference has no other party to be sent away.
            _ => Err(403),
        }
    }

    /// Begins a transfer that was found possible.
    pub(super) fn transfer(&mut self, hands: &mut super::hands::Hands<'_>, wish: Wish) {
        let Stage::Talk(talk) = &self.stage else {
            return;
        };
        let transfer = Transfer::new(wish, (**talk).clone());
        self.start(hands, Stage::Transfer(Box::new(transfer)));
    }
}

/// Our word for who transferred a call (RFC 3892 §3); ours, not the transferor's.
pub(super) fn referred_by(number: &str, here: std::net::SocketAddr) -> (HeaderName, String) {
    let uri = crate::sip::Uri::sip(number, here.ip().into(), Some(here.port()));
    (HeaderName::ReferredBy, format!("<{uri}>"))
}
