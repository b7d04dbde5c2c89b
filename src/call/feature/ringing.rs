//! The agents being rung for one caller: one, or as many as the queue reserves at a time. The
//! first to answer is told to the router; who is joined, the router says.

use serde::{Deserialize, Serialize};

use super::LegEvent;
use crate::base::{Cause, LegId, Party, ReservationId};
use crate::call::claims::{Claim, Claimed, Open, Side};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::refusal::is_do_not_disturb;
use crate::events::{AgentStretch, Fact, Role};
use crate::router::{self, Rejection};

/// All offers of a call that are out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ringing {
    offers: Vec<Offer>,
}

/// One agent being rung.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offer {
    reservation: ReservationId,
    agent: String,
    /// Legs that ring, one a registered contact.
    legs: Vec<LegId>,
    /// The leg that answered first; the router was told.
    answered: Option<LegId>,
    /// Another call claimed the caller by this offer, as if the agent had answered; the router was
    /// told.
    #[serde(default)]
    claim: Option<Claim>,
}

impl Ringing {
    /// One more leg that may answer, in the place of one that rings.
    pub(super) fn add(&mut self, (old, new): (LegId, LegId)) {
        let mut offers = self.offers.iter_mut();
        if let Some(offer) = offers.find(|offer| offer.legs.contains(&old)) {
            offer.legs.push(new);
        }
    }

    /// Rings an agent's phone.
    pub(super) fn begin(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (reservation, agent, phone): (&ReservationId, &str, &str),
    ) {
        core.agent_enters(hands, agent, None, Some(AgentStretch::Offer));
        // The offer is of the router's newest plan, whatever generation the call began with.
        let seat = hands.newest().and_then(|now| {
            let known = now.desk.agents.contains_key(agent);
            known.then(|| hands.desks.phone_of(&now.desk, agent))
        });
        // He may work at another phone than his own.
        let rung = match seat {
            Some(seat) => seat.map_or(Err(480), |phone| {
                core.ring_phone(hands, &phone, Role::Agent, Some(agent))
            }),
            None => core.ring_phone(hands, phone, Role::Agent, Some(agent)),
        };
        let (legs, failed) = match rung {
            Ok(legs) => (legs, None),
            Err(status) => (Vec::new(), Some(status)),
        };
        self.offers.push(Offer {
            reservation: reservation.clone(),
            agent: agent.to_owned(),
            legs,
            answered: None,
            claim: None,
        });
        if let Some(status) = failed {
            self.refuse(core, hands, reservation, (status, None));
        }
        // Whoever claims the caller may have been quicker.
        self.look(core, hands);
    }

    /// Another call claims the caller by an offer, or has given that up.
    pub(super) fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let given_up = self.offers.iter().filter(|offer| {
            let claim = offer.claim.as_ref();
            claim.is_some_and(|claim| !holds(hands, claim))
        });
        let given_up: Vec<ReservationId> =
            given_up.map(|offer| offer.reservation.clone()).collect();
        for reservation in given_up {
            self.give_back(core, hands, &reservation);
        }
        let claim = hands.lines().claims.on_caller(&core.id).cloned();
        let Some(claim) = claim else { return };
        let is_free = |offer: &&mut Offer| {
            offer.reservation == claim.reservation
                && offer.answered.is_none()
                && offer.claim.is_none()
        };
        let Some(offer) = self.offers.iter_mut().find(is_free) else {
            // The router may have said of an offer what has not come here yet.
            let named = claim.reservation.as_str();
            let is_coming = self.place(&claim.reservation).is_none()
                && Open::find(&hands.desks.view(), named, "").is_ok();
            if !is_coming {
                drop_claim(hands, &claim);
            }
            return;
        };
        for leg in std::mem::take(&mut offer.legs) {
            core.hang_up(hands, leg, Party::Switch, Cause::answered_elsewhere());
        }
        hands.lines().claims.goes_on(&claim, Claimed::Granted);
        let reservation = claim.reservation.clone();
        offer.claim = Some(claim);
        hands.route(router::Command::Accept { reservation });
    }

    /// The router gave the call to the agent by whose offer another call claimed the caller, and
    /// that call is still there.
    pub(super) fn claimed(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
    ) -> Option<Claim> {
        let at = self.place(reservation)?;
        let claim = self.offers[at].claim.clone()?;
        if !holds(hands, &claim) {
            self.give_back(core, hands, reservation);
            return None;
        }
        let offer = self.offers.remove(at);
        accept(core, hands, offer);
        Some(claim)
    }

    pub(super) fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) {
        let mut offers = self.offers.iter_mut();
        let Some(offer) = offers.find(|offer| offer.legs.contains(&leg)) else {
            return;
        };
        let reservation = offer.reservation.clone();
        match event {
            LegEvent::Answered if offer.answered.is_none() => {
                offer.answered = Some(leg);
                for other in offer.legs.clone().into_iter().filter(|other| *other != leg) {
                    let cause = Cause::answered_elsewhere();
                    core.hang_up(hands, other, Party::Switch, cause);
                }
                hands.route(router::Command::Accept { reservation });
            }
            LegEvent::Answered => {
                let cause = Cause::normal().with_words("answered elsewhere");
                core.hang_up(hands, leg, Party::Switch, cause);
            }
            LegEvent::Failed(status) => {
                // RFC 3261 §16.7 step 5: a 6xx speaks for the agent, wherever else it rings.
                let is_last = status >= 600 || all_over(core, &offer.legs);
                if offer.answered.is_none() && is_last {
                    let said = core.leg(leg).and_then(|leg| leg.refusal.clone());
                    self.refuse(core, hands, &reservation, (status, said));
                }
            }
            LegEvent::Ended if offer.answered == Some(leg) => {
                // Hung up between the answer and the router's word: as if declined.
                self.give_back(core, hands, &reservation);
            }
            LegEvent::Ended => {}
            LegEvent::Progress(_) => {
                let agent = offer.agent.clone();
                core.agent_enters(hands, &agent, Some(leg), Some(AgentStretch::Ring));
            }
        }
    }

    /// The router gave the call to the agent of this offer: the leg that answered, while it is
    /// still there.
    pub(super) fn accepted(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
    ) -> Option<LegId> {
        let at = self.place(reservation)?;
        let leg = self.offers[at].answered?;
        let offer = self.offers.remove(at);
        accept(core, hands, offer);
        Some(leg)
    }

    /// Stops ringing one agent, and says how the offer ended.
    pub(super) fn drop_one(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
        outcome: &str,
    ) {
        self.drop_refused(core, hands, reservation, (outcome, None));
    }

    /// The same, with what the agent's phone said.
    fn drop_refused(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
        (outcome, said): (&str, Option<String>),
    ) {
        let Some(at) = self.place(reservation) else {
            return;
        };
        let offer = self.offers.remove(at);
        if let Some(claim) = &offer.claim {
            drop_claim(hands, claim);
        }
        for leg in &offer.legs {
            let cause = match outcome {
                "no_answer" => Cause::no_answer(),
                "taken_elsewhere" => Cause::answered_elsewhere(),
                outcome => Cause::from_status(487).with_words(outcome.replace('_', " ")),
            };
            core.hang_up(hands, *leg, Party::Switch, cause);
        }
        core.emit(
            hands,
            Fact::OfferEnded {
                reservation: offer.reservation,
                agent: offer.agent.clone(),
                outcome: outcome.to_owned(),
                said,
            },
        );
        core.agent_enters(hands, &offer.agent, None, None);
    }

    /// Stops ringing everybody.
    pub(super) fn drop_all(&mut self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        while let Some(offer) = self.offers.first() {
            let reservation = offer.reservation.clone();
            self.drop_one(core, hands, &reservation, outcome);
        }
    }

    /// A phone that was ringing heard nothing of the restore: its offer is given back.
    pub(super) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        for offer in self.offers.clone() {
            if offer.answered.is_some() || offer.claim.is_some() {
                // The router's word may have died with the process.
                self.give_back(core, hands, &offer.reservation);
            } else if all_over(core, &offer.legs) {
                self.refuse(core, hands, &offer.reservation, (503, None));
            }
        }
    }

    fn place(&self, reservation: &ReservationId) -> Option<usize> {
        let mut offers = self.offers.iter();
        offers.position(|offer| offer.reservation == *reservation)
    }

    /// No leg of an offer is left: tells the router why, and forgets the offer.
    fn refuse(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
        (status, said): (u16, Option<String>),
    ) {
        let is_wished = said.as_deref().is_some_and(is_do_not_disturb);
        let (why, outcome) = match status {
            480 | 486 | 600 if is_wished => (Rejection::Declined, "declined"),
            486 | 600 => (Rejection::Busy, "busy"),
            603 => (Rejection::Declined, "declined"),
            // RFC 3261 §8.1.3.1: no reply at all counts as 408, a dead transport as 503.
            404 | 408 | 410 | 480 | 503 => (Rejection::Unreachable, "unreachable"),
            status => (Rejection::Failed(status), "failed"),
        };
        hands.route(router::Command::Reject {
            reservation: reservation.clone(),
            why,
            activity: None,
        });
        self.drop_refused(core, hands, reservation, (outcome, said));
    }

    /// Whoever answered is gone before the router's word came: the task goes back into its place
    /// in the line. A refusal means that the router had withdrawn the offer itself.
    fn give_back(&mut self, core: &mut Core, hands: &mut Hands<'_>, reservation: &ReservationId) {
        hands.route(router::Command::GiveBack {
            reservation: reservation.clone(),
            why: Rejection::Declined,
        });
        self.drop_one(core, hands, reservation, "declined");
    }
}

/// Whether whoever claims the caller still does.
fn holds(hands: &Hands<'_>, claim: &Claim) -> bool {
    let claims = &hands.lines().claims;
    claims.course(claim, Side::Caller).is_some()
}

/// Whoever claims the caller does not get him.
fn drop_claim(hands: &mut Hands<'_>, claim: &Claim) {
    hands.lines().claims.end(claim);
    hands.rouse(&claim.by);
}

fn accept(core: &mut Core, hands: &mut Hands<'_>, offer: Offer) {
    core.emit(
        hands,
        Fact::OfferEnded {
            reservation: offer.reservation,
            agent: offer.agent,
            outcome: "accepted".to_owned(),
            said: None,
        },
    );
}

fn all_over(core: &Core, legs: &[LegId]) -> bool {
    legs.iter()
        .all(|leg| core.leg(*leg).is_none_or(|leg| !leg.is_live()))
}
