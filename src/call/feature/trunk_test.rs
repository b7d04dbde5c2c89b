//! A trunk test's call: register, call, hear, press keys, hang up; a row for each.
//!
//! Whoever is called must send back what he hears: an echo service, or the trunk's own number,
//! which the carrier leads to us and [`super::Service`] echoes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Next};
use crate::base::{Cause, LegId, Party, Timestamp, reason};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::trunk_test::{TestOutcome, TestReport};
use crate::call::{Generation, Output};
use crate::events::Fact;
use crate::media::{Command, Tape};
use crate::recording::stem;
use crate::sip::ua::Reliable;
use crate::trunk::{AccountState, Returned, Trunk};

/// The test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrunkTest {
    trunk: String,
    number: String,
    /// Words of registrars when it began: one more is the answer.
    rounds: u64,
    step: Step,
    /// When the step began.
    began: Timestamp,
    wake: Option<Timestamp>,
    leg: Option<LegId>,
    /// When the far end first rang.
    rang: Option<Timestamp>,
    keys: String,
    report: TestReport,
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Registering,
    Calling,
    Sounding,
    Keying,
}

use TestOutcome::{Failed, Passed, Skipped};

impl TrunkTest {
    pub(crate) fn new(trunk: String, number: String, rounds: u64) -> Self {
        let report = TestReport {
            trunk: trunk.clone(),
            number: number.clone(),
            ..TestReport::default()
        };
        Self {
            trunk,
            number,
            rounds,
            step: Step::Registering,
            began: Timestamp::ZERO,
            wake: None,
            leg: None,
            rang: None,
            keys: String::new(),
            report,
            is_told: false,
        }
    }

    fn turn_to(&mut self, now: Timestamp, step: Step, patience: Duration) {
        self.step = step;
        self.began = now;
        self.wake = Some(now + patience);
    }

    /// Looks whether the registrar has spoken; calls when it did well.
    fn look_at_registration(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let now = hands.now;
        let waited = now.since(self.began);
        let has_spoken = hands.carriers.rounds(&self.trunk) > self.rounds;
        if !has_spoken && waited < REGISTERING {
            self.wake = Some(now + LOOK_AGAIN);
            return Next::Stay;
        }
        let accounts = hands.carriers.accounts(&self.trunk);
        let is_registered =
            |state: &&AccountState| matches!(state, AccountState::Registered { .. });
        let registered = accounts.values().filter(is_registered).count();
        let failure = accounts.values().find_map(|state| match state {
            AccountState::Failed { why, .. } => Some(why.clone()),
            _ => None,
        });
        let words = match failure {
            None if registered > 0 => {
                format!("{registered} of {} accounts registered", accounts.len())
            }
            Some(why) => format!(
                "{registered} of {} accounts registered: {why}",
                accounts.len()
            ),
            None => "the registrar does not answer".to_owned(),
        };
        let is_whole = registered == accounts.len() && registered > 0 && has_spoken;
        let outcome = if is_whole { Passed } else { Failed };
        self.report
            .row("registration", outcome, words, Some(ms(waited)));
        self.call(core, hands)
    }

    fn call(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match core.ring_trunk(hands, &self.trunk, &self.number) {
            Ok(leg) => {
                self.leg = Some(leg);
                self.turn_to(hands.now, Step::Calling, CALLING);
                Next::Stay
            }
            Err(status) => {
                let words = format!("{status}: a limit, or nobody to send it to; see the log");
                self.report.row("call", Failed, words, None);
                self.finish(core, hands)
            }
        }
    }

    fn answered(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        let Some(trunk) = trunk_of(core, hands, &self.trunk) else {
            return;
        };
        let delay = self.rang.unwrap_or(hands.now).since(self.began);
        let taken = ms(hands.now.since(self.began));
        let words = format!("answered; first sign of life after {} ms", ms(delay));
        self.report.row("call", Passed, words, Some(taken));
        let Some(state) = core.leg(leg) else { return };
        let heard = state.heard.clone();
        let (outcome, words) = match (trunk.profile.terms.reliable, heard.reliable) {
            (Reliable::Off, false) => (Skipped, "off in the profile"),
            (Reliable::Off, true) => (Failed, "the carrier demands it, and the profile has it off"),
            (Reliable::Supported, false) => (Skipped, "not asked for by the carrier"),
            (Reliable::Required, false) => (Failed, "required, and no reliable response came"),
            (_, true) => (Passed, "reliable ringing acknowledged, then answered"),
        };
        self.report.row("PRACK", outcome, words, None);
        let (outcome, words) = timer_row(&trunk, heard.session_expires.as_deref());
        self.report.row("session timer", outcome, words, None);
        self.record(core, hands, leg);
        core.play(hands, leg, ["tone-1004"], Looped::Forever);
        self.turn_to(hands.now, Step::Sounding, SOUNDING);
    }

    fn record(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        let recording = hands.ids.recording(hands.now);
        let stem = stem(&recording, hands.now);
        self.report.recording = Some(stem.clone());
        hands.tell(Command::RecordLeg {
            recording: recording.clone(),
            leg,
            at: hands.now,
            tape: Tape {
                stem,
                channels: vec!["carrier".to_owned(), "switch".to_owned()],
                labels: serde_json::Map::from_iter([
                    ("call".to_owned(), core.id.as_str().into()),
                    ("trunk_test".to_owned(), self.trunk.as_str().into()),
                ]),
                format: None,
            },
        });
        hands.index.recordings.insert(recording.clone(), core.key);
        core.recordings.push(recording.clone());
        core.emit(hands, Fact::RecordingStarted { recording });
    }

    fn press_keys(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let Some(leg) = self.leg else {
            return self.finish(core, hands);
        };
        core.stop_play(hands, leg);
        let negotiated = core.leg(leg).and_then(|leg| leg.negotiated.as_ref());
        if negotiated.is_none_or(|agreed| agreed.telephone_event.is_none()) {
            let words = "the carrier takes no telephone events: keys would only be heard as tones";
            self.report.row("keys", Failed, words, None);
            return self.finish(core, hands);
        }
        hands.tell(Command::SendDigits {
            leg,
            digits: KEYS.to_owned(),
        });
        self.turn_to(hands.now, Step::Keying, KEYING);
        Next::Stay
    }

    /// Rows that only the end can tell; the report goes out, the call ends.
    fn finish(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.tell(core, hands);
        Next::End(Party::Switch, Cause::normal().with_words("trunk test over"))
    }

    fn tell(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        let returned = hands.carriers.expect_no_longer(&self.trunk);
        if self.step == Step::Keying {
            self.tell_keys(hands.now, &returned);
        }
        if let Some(leg) = self.leg.filter(|_| self.report.recording.is_some()) {
            let from = core.leg(leg).map(|leg| leg.shown_as.clone());
            self.tell_caller(from.unwrap_or_default(), &returned);
        }
        self.report.call = core.id.as_str().to_owned();
        if let Some(trunk) = trunk_of(core, hands, &self.trunk) {
            self.report.profile = trunk.profile.base.to_owned();
        }
        let report = Box::new(self.report.clone());
        hands
            .outbox
            .push_back(Output::Tested(core.id.clone(), report));
    }

    fn tell_keys(&mut self, now: Timestamp, returned: &Returned) {
        let heard = if returned.keys.is_empty() {
            &self.keys
        } else {
            &returned.keys
        };
        let taken = Some(ms(now.since(self.began)));
        let (outcome, words) = match heard.as_str() {
            KEYS => (Passed, format!("{KEYS} sent and heard (RFC 4733)")),
            "" => (Failed, format!("{KEYS} sent, none came back")),
            some => (Failed, format!("{KEYS} sent, {some} came back")),
        };
        self.report.row("keys", outcome, words, taken);
    }

    fn tell_caller(&mut self, sent: String, returned: &Returned) {
        let (outcome, words) = match &returned.caller {
            Some(shown) if crate::trunk::is_alike(shown, &sent) => {
                (Passed, format!("shown as {shown}"))
            }
            Some(shown) => (Failed, format!("sent as {sent}, shown as {shown}")),
            None => (
                Skipped,
                format!("sent as {sent}; the call did not come back to us, ask who was called"),
            ),
        };
        self.report.row("caller id", outcome, words, None);
    }
}

impl Feature for TrunkTest {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.began = hands.now;
        let registers = trunk_of(core, hands, &self.trunk).is_some_and(|it| it.profile.registers());
        if registers {
            self.wake = Some(hands.now + LOOK_AGAIN);
            return Next::Stay;
        }
        let words = "the profile does not register";
        self.report.row("registration", Skipped, words, None);
        self.call(core, hands)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        if self.leg != Some(leg) {
            return Next::Stay;
        }
        match event {
            LegEvent::Answered => {
                self.answered(core, hands, leg);
                Next::Stay
            }
            LegEvent::Progress(_) => {
                self.rang.get_or_insert(hands.now);
                Next::Stay
            }
            LegEvent::Ended => {
                let words = "the far end hung up before the test was over";
                self.report.row("call held", Failed, words, None);
                self.finish(core, hands)
            }
            LegEvent::Failed(status) => {
                let unreached = core.leg(leg).is_some_and(|leg| leg.is_unreached);
                let words = match (status, unreached) {
                    (_, true) => "the carrier does not answer".to_owned(),
                    (403, _) => {
                        "403: many carriers say so of a caller id that is not ours".to_owned()
                    }
                    (401 | 407, _) => format!("{status}: it does not take our user and password"),
                    _ => format!("{status} {}", reason::phrase(status)),
                };
                let taken = ms(hands.now.since(self.began));
                self.report.row("call", Failed, words, Some(taken));
                self.finish(core, hands)
            }
        }
    }

    fn on_digit(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        digit: char,
    ) -> Next {
        if self.leg == Some(leg) && self.step == Step::Keying && self.keys.len() < KEYS.len() {
            self.keys.push(digit);
            if self.keys == KEYS {
                // The last key went by the other call, whose worker may tell of it a moment later.
                if hands.carriers.lacks_keys(&self.trunk, KEYS.len()) {
                    self.wake = Some(hands.now + LOOK_AGAIN);
                    return Next::Stay;
                }
                return self.finish(core, hands);
            }
        }
        Next::Stay
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if self.wake.is_none_or(|wake| wake > hands.now) {
            return Next::Stay;
        }
        self.wake = None;
        match self.step {
            Step::Registering => self.look_at_registration(core, hands),
            Step::Calling => {
                let words = format!("no answer within {} s", CALLING.as_secs());
                self.report.row("call", Failed, words, None);
                self.finish(core, hands)
            }
            Step::Sounding => self.press_keys(core, hands),
            Step::Keying => self.finish(core, hands),
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.wake
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if !self.is_told {
            self.report.row("test", Failed, "ended from outside", None);
            self.tell(core, hands);
        }
    }
}

fn timer_row(trunk: &Trunk, stated: Option<&str>) -> (TestOutcome, String) {
    let Some(timer) = trunk.profile.terms.timer else {
        return (Skipped, "off in the profile".to_owned());
    };
    let Some(stated) = stated else {
        if timer.required {
            return (Failed, "required, and the answer has none".to_owned());
        }
        return (Skipped, "the carrier keeps none".to_owned());
    };
    let seconds: Option<u64> = stated
        .split(';')
        .next()
        .and_then(|text| text.trim().parse().ok());
    match seconds {
        Some(seconds) if seconds >= timer.min_se.as_secs() => (Passed, stated.to_owned()),
        Some(seconds) => {
            let least = timer.min_se.as_secs();
            (Failed, format!("{seconds} s, and our Min-SE is {least}"))
        }
        None => (Failed, format!("Session-Expires makes no sense: {stated}")),
    }
}

fn trunk_of(core: &Core, hands: &Hands<'_>, name: &str) -> Option<std::sync::Arc<Trunk>> {
    let generation: &Generation = hands.generations.get(&core.generation)?;
    generation.trunks.get(name).cloned()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is pressed.
const KEYS: &str = "159#";
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A registrar that has not answered by then has lost three REGISTERs.
const REGISTERING: Duration = Duration::from_secs(8);
const CALLING: Duration = Duration::from_secs(30);
/// Long enough to hear a tone come back half way round the world.
const SOUNDING: Duration = Duration::from_millis(2_000);
/// Four keys take about 1 s; the rest is the way.
const KEYING: Duration = Duration::from_millis(3_000);
