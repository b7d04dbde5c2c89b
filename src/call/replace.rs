//! An INVITE with Replaces (RFC 3891): a phone takes the place of a leg, its own on another device,
//! or one that rings elsewhere and that it may pick up.

use std::sync::Arc;

use super::arrival::{Caller, Refusal};
use super::exchange::Exchange;
use super::feature::{LegEvent, Stage};
use super::hands::Hands;
use super::leg::Leg;
use super::machine::Call;
use super::{CallKey, Generation, Replace};
use crate::base::{Cause, LegId, Party, Pii, Timestamp};
use crate::events::{Fact, Role, TransferKind};
use crate::sdp::Description;
use crate::sip::ua::{Replaced, SessionId, State};
use crate::sip::{Flow, HeaderName, Message, Replaces};

/// What is to be put in whose place.
struct Replacement {
    call: CallKey,
    old: LegId,
    by: String,
    trunk: Option<String>,
    offer: Option<Description>,
}

impl Exchange {
    /// Takes an INVITE that carries Replaces.
    pub(super) fn on_replacement(
        &mut self,
        now: Timestamp,
        session: SessionId,
        flow: Flow,
        request: &Message,
    ) {
        match self.find_replacement(now, session, &flow, request) {
            Ok(found) => {
                let generation = self.generation();
                let trunk = found.trunk.as_ref();
                let trunk = trunk.and_then(|name| generation.trunks.get(name));
                let terms = trunk.map_or(generation.terms, |trunk| trunk.profile.terms);
                if let Some(trunk) = trunk.cloned() {
                    let manners = trunk.profile.manners.clone();
                    self.ua.set_manners(session, manners);
                }
                if let Err(status) = self.ua.set_terms(now, session, terms) {
                    return tracing::info!(status, from = %Pii(flow.remote), "terms refused");
                }
                let id = self.ids.leg();
                let key = found.call;
                self.with_call(now, key, |call, hands| {
                    if let Err(status) = call.put_in_place(hands, (id, session, flow), found) {
                        hands.ua.reject(hands.now, session, status, &[]);
                    }
                });
            }
            Err(Refusal { status, headers }) => {
                if status != 401 {
                    tracing::info!(status, from = %Pii(flow.remote), "replacement refused");
                }
                self.ua.reject(now, session, status, &headers);
            }
        }
    }

    fn find_replacement(
        &mut self,
        now: Timestamp,
        session: SessionId,
        flow: &Flow,
        request: &Message,
    ) -> Result<Replacement, Refusal> {
        let generation: Arc<Generation> = self.generation().clone();
        let caller = self.identify(now, &generation, flow, request)?;
        // RFC 3891 §3: one header, of one value.
        let mut values = request.headers(HeaderName::Replaces);
        let value = values.next().ok_or(400_u16)?;
        if values.next().is_some() {
            return Err(Refusal::from(400));
        }
        let replaces = std::str::from_utf8(&value).map_err(|_| 400_u16)?;
        let replaces = Replaces::parse(replaces).map_err(|_| 400_u16)?;
        let target = match self.ua.find_replaced(&replaces) {
            Replaced::Found(target) if target != session => target,
            Replaced::Over => return Err(Refusal::from(603)),
            _ => return Err(Refusal::from(481)),
        };
        let state = self.ua.state(target).ok_or(481_u16)?;
        match state {
            // RFC 3891 §3: an early dialog that is not ours to cancel.
            State::Ringing => return Err(Refusal::from(481)),
            State::AwaitingAck | State::Confirmed if replaces.early_only => {
                return Err(Refusal::from(486));
            }
            State::Ending => return Err(Refusal::from(603)),
            State::AwaitingAck | State::Calling | State::Confirmed => {}
        }
        let (call, old) = self.index.sessions.get(&target).copied().ok_or(603_u16)?;
        let (by, trunk) = match caller {
            Caller::Phone(number) => (number, None),
            Caller::Trunk(name) => (name.clone(), Some(name)),
        };
        let found = self.calls.get(&call).ok_or(481_u16)?;
        let leg = found.core.leg(old).ok_or(481_u16)?;
        if !may_replace(&generation, (&by, trunk.as_deref()), leg, state) {
            return Err(Refusal::from(403));
        }
        let offer = match request.body() {
            [] => None,
            body => Some(Description::parse(body).map_err(|_| 400_u16)?),
        };
        Ok(Replacement {
            call,
            old,
            by,
            trunk,
            offer,
        })
    }
}

/// Knowing tags and Call-ID is no right by itself (RFC 3891 §5).
fn may_replace(
    generation: &Generation,
    (by, trunk): (&str, Option<&str>),
    leg: &Leg,
    state: State,
) -> bool {
    if let Some(trunk) = trunk {
        let accepts = |name| generation.trunks.get(name).map(|trunk| trunk.transfer);
        return leg.trunk.as_deref() == Some(trunk)
            && accepts(trunk).is_some_and(|policy| policy.accept_refer);
    }
    if leg.trunk.is_none() && leg.party == by {
        return true;
    }
    match generation.phones.get(by).map(|phone| phone.replaces) {
        Some(Replace::Any) => true,
        Some(Replace::Ringing) => state == State::Calling,
        Some(Replace::Own) | None => false,
    }
}

impl Call {
    /// Puts a new leg in an old one's place. The status to refuse it with when that cannot be.
    fn put_in_place(
        &mut self,
        hands: &mut Hands<'_>,
        (id, session, flow): (LegId, SessionId, Flow),
        found: Replacement,
    ) -> Result<(), u16> {
        let old = self.core.leg(found.old).ok_or(481_u16)?;
        let is_same = old.party == found.by;
        let may_be = match &self.stage {
            Stage::Talk(_) => true,
            Stage::Dial(_) | Stage::Transfer(_) => !old.is_answered(),
            // An agent's other phone may answer an offer; nobody else may take it.
            Stage::Waiting(_) => !old.is_answered() && is_same,
            _ => false,
        };
        if !may_be || self.core.ended.is_some() {
            return Err(603);
        }
        let role = match old.role {
            Role::Agent if !is_same => Role::Callee,
            role => role,
        };
        let party = match &found.trunk {
            Some(_) => old.party.clone(),
            None => found.by.clone(),
        };
        let mut leg = Leg::arriving((id, session), flow, role, party);
        leg.agent = old.agent.clone().filter(|_| is_same);
        leg.is_beside_task = old.is_beside_task;
        leg.trunk.clone_from(&found.trunk);
        leg.remote_offer = found.offer;
        let (was_lead, replaced) = (self.core.is_lead(found.old), old.name());
        self.core.add_leg(hands, leg);
        let requested = Fact::TransferRequested {
            kind: TransferKind::Replaced,
            leg: found.old,
            by: found.by.clone(),
            party: replaced,
            target: found.by,
            consultation: None,
        };
        self.core.emit(hands, requested);
        if let Err(status) = self.core.answer_leg(hands, id) {
            let leg = found.old;
            self.core.emit(hands, Fact::TransferFailed { leg, status });
            let cause = Cause::from_status(status);
            self.core.hang_up(hands, id, Party::Switch, cause);
            return Ok(());
        }
        let (leg, to) = (found.old, Some(id));
        self.core.emit(hands, Fact::TransferDone { leg, to });
        if was_lead {
            self.core.lead(id);
            if !is_same && found.trunk.is_none() {
                // The call is from whoever took it over.
                self.core.from = self.core.caller().party.clone();
            }
        }
        self.replaced(hands, (found.old, id));
        Ok(())
    }

    fn replaced(&mut self, hands: &mut Hands<'_>, (old, new): (LegId, LegId)) {
        let cause = Cause::normal().with_words("replaced");
        match &mut self.stage {
            Stage::Talk(talk) => {
                self.core.hang_up(hands, old, Party::Switch, cause);
                talk.replace(&mut self.core, hands, (old, new));
            }
            Stage::Dial(dial) => {
                dial.add(new);
                self.on_leg(hands, new, LegEvent::Answered);
            }
            Stage::Transfer(transfer) => {
                transfer.add(new);
                self.on_leg(hands, new, LegEvent::Answered);
            }
            Stage::Waiting(waiting) => {
                waiting.add((old, new));
                self.on_leg(hands, new, LegEvent::Answered);
            }
            _ => {}
        }
    }
}
