//! Somebody rung does not answer: who is rung instead, what a flow is told, where the caller goes.

use super::{Dial, Target};
use crate::base::{Cause, LegId, Party};
use crate::call::aside::Aside;
use crate::call::core::Core;
use crate::call::feature::{Message, Next, Stage, Treatment};
use crate::call::hands::Hands;
use crate::call::leg::Progress;
use crate::flow::{DialOutcome, Input};
use crate::sip::HeaderName;
use crate::trunk::Redirects;
use crate::voicemail::Unanswered;

impl Dial {
    /// What a status means to a flow.
    pub(super) fn note_outcome(&mut self, status: u16) {
        let outcome = match status {
            486 | 600 => DialOutcome::Busy,
            403 | 433 | 603 | 607 | 608 if self.has_rung || status >= 600 => DialOutcome::Rejected,
            480 | 487 if self.has_rung => DialOutcome::NoAnswer,
            _ => DialOutcome::Failed,
        };
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
    }

    /// Nobody answered: the flow goes on, or the caller is told why.
    pub(super) fn give_up(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        by: Party,
        status: u16,
    ) -> Next {
        for leg in self.legs.drain(..) {
            core.hang_up(hands, leg, Party::Switch, Cause::from_status(487));
        }
        self.whispers.clear();
        core.shows = None;
        core.close_room(hands);
        if self.tone {
            core.stop_play(hands, core.caller().id);
        }
        match self.run.take() {
            Some(run) => {
                let outcome = self.outcome.unwrap_or(DialOutcome::Failed);
                let input = Input::DialEnded(outcome);
                Next::Become(Stage::Treatment(Box::new(Treatment::resume(run, input))))
            }
            None => match self.mailbox(core, hands, status) {
                Some(message) => Next::Become(Stage::Message(Box::new(message))),
                None => Next::End(by, core.identity.cause(status)),
            },
        }
    }

    /// The mailbox of the phone that was rung, when callers it does not answer for this reason are
    /// sent there.
    pub(super) fn mailbox(&self, core: &Core, hands: &Hands<'_>, status: u16) -> Option<Message> {
        let Target::Phone(phone) = &self.target else {
            return None;
        };
        let generation = hands.generations.get(&core.generation)?;
        let terms = &generation.voicemail;
        let own = terms.phones.get(phone)?;
        let why = match status {
            486 | 600 | 603 => Unanswered::Busy,
            _ if self.has_rung => Unanswered::NoAnswer,
            _ => Unanswered::Unregistered,
        };
        let goes_there = own.when.contains(&why);
        goes_there.then(|| Message::for_phone(own.mailbox.clone(), terms))
    }

    /// Somebody rung points elsewhere: what comes of it, unless it is but a refusal.
    pub(super) fn redirected(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
    ) -> Option<Next> {
        let (_, mode) = core.redirector(hands, leg);
        match mode {
            Redirects::Follow => {
                let refused = &mut self.refused;
                let legs = self.trail.follow(core, hands, (leg, status), refused)?;
                self.legs.extend(legs);
                Some(Next::Stay)
            }
            Redirects::Pass => {
                let is_last = core.others().next().is_none() && self.run.is_none();
                if core.caller().progress != Progress::Arriving || !is_last {
                    return None;
                }
                let moved = core.leg(leg).map(|leg| leg.moved.clone());
                let contacts = moved.unwrap_or_default();
                let headers: Vec<_> = contacts
                    .iter()
                    .map(|contact| (HeaderName::Contact, contact.to_string()))
                    .collect();
                let session = core.caller().session;
                hands.ua.reject(hands.now, session, status, &headers);
                Some(Next::End(Party::Callee, Cause::from_status(status)))
            }
            Redirects::Refuse => None,
        }
    }

    /// Somebody rung will not answer: who is rung instead, or who still rings, or nobody.
    pub(super) fn failed(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
    ) -> Next {
        self.listen_no_more(core, hands, leg);
        if (300..=399).contains(&status)
            && let Some(next) = self.redirected(core, hands, leg, status)
        {
            return next;
        }
        if let Some(next) = core.ring_next_trunk(hands, leg, status) {
            self.legs.push(next);
            return Next::Stay;
        }
        self.note_outcome(status);
        let busy = matches!(status, 486 | 600);
        if self.refused.is_none() || busy {
            self.refused = Some(status);
        }
        if status >= 600 && !self.rings_several() && self.whispers.is_empty() {
            // RFC 3261 §16.7 step 5: a 6xx speaks for the callee, wherever else it rings.
            return self.give_up(core, hands, Party::Callee, status);
        }
        let over = |id: &LegId| core.leg(*id).is_none_or(|leg| !leg.is_live());
        if !self.legs.iter().all(over) {
            return Next::Stay;
        }
        if let Some(legs) = self.trail.next(core, hands, &mut self.refused) {
            self.legs.extend(legs);
            return Next::Stay;
        }
        let status = self.refused.unwrap_or(status);
        self.note_outcome(status);
        if self.ring_next(core, hands) {
            return Next::Stay;
        }
        self.give_up(core, hands, Party::Callee, as_told(status))
    }

    /// It rang as long as it may.
    pub(super) fn no_answer(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        // Who answered and hears something has his own time; a call for help has all of it.
        let whispers: Vec<LegId> = self.whispers.iter().filter_map(Aside::leg).collect();
        let (stay, go): (Vec<LegId>, Vec<LegId>) = std::mem::take(&mut self.legs)
            .into_iter()
            .partition(|leg| whispers.contains(leg) || core.calls_for_help(hands, &[*leg]));
        for leg in &go {
            core.hang_up(hands, *leg, Party::Switch, Cause::no_answer());
        }
        if !stay.is_empty() {
            self.legs = stay;
            for leg in go {
                self.listen_no_more(core, hands, leg);
            }
            return Next::Stay;
        }
        let outcome = match self.has_rung {
            true => DialOutcome::NoAnswer,
            false => DialOutcome::Failed,
        };
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
        if self.heard.take().is_some() {
            core.close_room(hands);
        }
        if self.ring_next(core, hands) {
            return Next::Stay;
        }
        match self.give_up(core, hands, Party::Switch, 480) {
            Next::End(by, _) => Next::End(by, Cause::no_answer()),
            next => next,
        }
    }
}

/// What those who wait are told for a refusal of whoever was rung.
pub(in crate::call::feature) fn as_told(status: u16) -> u16 {
    match status {
        // A redirection was meant for us.
        300..=399 => 480,
        // RFC 3261 §16.7 step 6: 503 was about that branch, not about us.
        503 => 480,
        401 | 407 => 500,
        status => status,
    }
}
