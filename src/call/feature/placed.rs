//! A call that the REST API has placed, until it is answered: rings, presses keys, and hands over to
//! the document.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Application, Feature, LegEvent, Next, Stage};
use crate::base::{Cause, LegId, Party, RecordingId, Timestamp};
use crate::call::commission::{Commission, OF_CALL};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::reading::Reading;
use crate::events::Role;
use crate::media::Command;
use crate::trunk::Destination;
use crate::twiml::{Action, Input, LegNews, Modification, RecordingCallback, Run};

/// The stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Placed {
    /// Tells how it goes; its documents begin with the answer.
    reading: Reading,
    target: Destination,
    timeout: Duration,
    legs: Vec<LegId>,
    has_rung: bool,
    /// The best refusal so far: busy beats no answer.
    refused: Option<u16>,
    /// Whether somebody answered, and keys are pressed.
    is_answered: bool,
    /// Keys to press.
    digits: String,
    /// Whether it is recorded, and who is told of that.
    record: Option<Option<RecordingCallback>>,
    /// When it is given up, or the next key is due.
    wake: Option<Timestamp>,
}

impl Placed {
    pub(crate) fn new(
        run: Run,
        target: Destination,
        timeout: Duration,
        digits: String,
        record: Option<Option<RecordingCallback>>,
    ) -> Self {
        Self {
            reading: Reading::to_caller(run),
            target,
            timeout,
            legs: Vec::new(),
            has_rung: false,
            refused: None,
            is_answered: false,
            digits,
            record,
            wake: None,
        }
    }

    fn ring(&self, core: &mut Core, hands: &mut Hands<'_>) -> Result<Vec<LegId>, u16> {
        match self.target.clone() {
            Destination::Phone(phone) => core.ring_phone(hands, &phone, Role::Callee, None),
            Destination::Trunk { trunks, number } => core
                .ring_by_trunks(hands, trunks, number)
                .map(|leg| vec![leg]),
            _ => Err(404),
        }
    }

    /// Does what the run wants; before an answer that is to tell, or to give up.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.reading.poll(core, hands) {
            if let Action::HangUp { cause } = action {
                return Next::End(Party::Switch, cause);
            }
        }
        Next::Stay
    }

    /// Nobody answered.
    fn fail(&mut self, core: &mut Core, hands: &mut Hands<'_>, by: Party, cause: Cause) -> Next {
        for leg in std::mem::take(&mut self.legs) {
            core.hang_up(hands, leg, Party::Switch, cause.clone());
        }
        let status = cause.sip;
        let news = LegNews::Ended { status };
        self.reading.handle(hands, Input::Outbound(news));
        match self.follow(core, hands) {
            Next::Stay => Next::End(by, cause),
            next => next,
        }
    }

    fn failed(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, status: u16) -> Next {
        if let Some(next) = core.ring_next_trunk(hands, leg, status) {
            self.legs.push(next);
            return Next::Stay;
        }
        if self.refused.is_none() || matches!(status, 486 | 600) {
            self.refused = Some(status);
        }
        let lives = |id: &LegId| core.leg(*id).is_some_and(|leg| leg.is_live());
        if status < 600 && self.legs.iter().any(lives) {
            return Next::Stay;
        }
        let status = self.refused.unwrap_or(status);
        let cause = core.identity.cause(status);
        self.fail(core, hands, Party::Callee, cause)
    }

    fn answered(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        for other in std::mem::take(&mut self.legs) {
            if other != leg {
                core.hang_up(hands, other, Party::Switch, Cause::answered_elsewhere());
            }
        }
        // From now on the call is for who answered: his end is its end.
        core.lead(leg);
        self.is_answered = true;
        self.reading.run_mut().pick_up(hands.now);
        self.wake = None;
        if let Some(callback) = self.record.take() {
            let recording = record(core, hands, leg);
            let run = self.reading.run();
            let commission = Commission::new(&recording, run, callback, OF_CALL, 2);
            core.commission(hands, commission);
        }
        match self.follow(core, hands) {
            Next::Stay => self.press(core, hands),
            next => next,
        }
    }

    /// Presses the next keys, or hands over to the document when there are none.
    fn press(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let wait = match self.digits.chars().next() {
            None => {
                let run = self.reading.run().clone();
                let answered = Input::Outbound(LegNews::Answered);
                let application = Application::resume(run, answered);
                return Next::Become(Stage::Application(Box::new(application)));
            }
            Some('w') => {
                self.digits.remove(0);
                Duration::from_millis(500)
            }
            Some('W') => {
                self.digits.remove(0);
                Duration::from_secs(1)
            }
            Some(_) => {
                let end = self.digits.find(['w', 'W']).unwrap_or(self.digits.len());
                let digits: String = self.digits.drain(..end).collect();
                let count = u32::try_from(digits.len()).unwrap_or(1);
                let leg = core.caller().id;
                hands.tell(Command::SendDigits { leg, digits });
                KEY * count
            }
        };
        self.wake = Some(hands.now + wait);
        Next::Stay
    }
}

impl Feature for Placed {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.reading.run_mut().start(hands.now);
        let call = self.reading.run().facts().call.clone();
        let rung = self.ring(core, hands);
        let begun = Input::Outbound(LegNews::Initiated { call });
        self.reading.handle(hands, begun);
        match rung {
            Ok(legs) => {
                self.legs = legs;
                self.wake = Some(hands.now + self.timeout);
                self.follow(core, hands)
            }
            // Nobody was rung: it is the switch that says no.
            Err(status) => {
                let cause = core.identity.cause(status);
                self.fail(core, hands, Party::Switch, cause)
            }
        }
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        if self.is_answered || !self.legs.contains(&leg) {
            return Next::Stay;
        }
        match event {
            LegEvent::Answered => self.answered(core, hands, leg),
            LegEvent::Ended => Next::Stay,
            LegEvent::Failed(status) => self.failed(core, hands, leg, status),
            LegEvent::Progress(_) => {
                if !std::mem::replace(&mut self.has_rung, true) {
                    let news = Input::Outbound(LegNews::Ringing);
                    self.reading.handle(hands, news);
                }
                self.follow(core, hands)
            }
        }
    }

    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        let wish = match wish {
            // Whoever was never connected is given up, whatever the word.
            Modification::Complete if !self.is_answered => Modification::Cancel,
            Modification::Document(_) | Modification::Redirect(_) => return None,
            wish => wish,
        };
        self.reading.handle(hands, Input::Modify(wish));
        Some(self.follow(core, hands))
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.reading.handle_timeout(core, hands);
        let next = self.follow(core, hands);
        if !matches!(next, Next::Stay) || self.wake.is_none_or(|wake| wake > hands.now) {
            return next;
        }
        self.wake = None;
        match self.is_answered {
            true => self.press(core, hands),
            false => self.fail(core, hands, Party::Switch, Cause::no_answer()),
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        [self.wake, self.reading.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn restored(&mut self, _: &mut Core, hands: &mut Hands<'_>) {
        // Who only rang does not any more: it is given up. Keys go on.
        self.wake = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.reading.leave(core, hands);
    }
}

/// Records what a leg says (left) and what it hears (right), until the call is over.
fn record(core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> RecordingId {
    let party = core.leg(leg).map(|leg| leg.party.clone());
    let channels = vec![party.unwrap_or_default(), "switch".to_owned()];
    core.record_leg(hands, leg, channels)
}

/// A key and the pause after it.
const KEY: Duration = Duration::from_millis(250);
