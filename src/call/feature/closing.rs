//! Somebody at a telephone who closes a calendar by hand, or takes that back: which one, his PIN, and
//! what came of it.

use serde::{Deserialize, Serialize};

use super::{Feature, Next};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::inquiry::{Inquiry, Subject};
use crate::call::{ClosingOutcome, ClosingWish, Output as CallOutput};
use crate::events::Stretch;
use crate::flow::Reply;
use crate::ivr::{Answer, Collect, Output, Question};
use crate::media::PlayId;
use crate::trunk::ClosingService;

/// Who closes or opens a calendar.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ByHand {
    service: ClosingService,
    /// The phone he calls from.
    phone: String,
    /// Digits that name the calendar, as far as he dialled them.
    number: String,
    /// PINs he has tried.
    tries: u32,
    step: Step,
    play: Option<PlayId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    /// Which calendar.
    Number(Box<Collect>),
    /// His PIN.
    Pin(Box<Collect>),
    /// The last words.
    Speaking,
    /// Who keeps the closings was asked.
    Waiting { until: Timestamp },
}

/// PINs one call may try.
const PINS: u32 = 3;
/// How long the disk may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// The only question of this stage.
const REQUEST: u64 = 1;

impl ByHand {
    pub(crate) fn new(service: ClosingService, phone: String, digits: String) -> Self {
        Self {
            service,
            phone,
            number: digits,
            tries: 0,
            step: Step::Speaking,
            play: None,
        }
    }

    fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match self.number.is_empty() {
            true => self.ask_number(core, hands),
            false => self.ask_pin(core, hands, None),
        }
    }

    fn ask_number(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let question = Question::digits(vec!["enter-number-then-hash".to_owned()], 1..=15);
        self.step = Step::Number(Box::new(Collect::start(question, hands.now)));
        self.follow(core, hands)
    }

    fn ask_pin(&mut self, core: &mut Core, hands: &mut Hands<'_>, first: Option<&str>) -> Next {
        let prompt = first.into_iter().chain(["agent-pin"]).map(str::to_owned);
        let question = Question {
            secure: true,
            ..Question::digits(prompt.collect(), 1..=12)
        };
        core.ask_secret(hands, true);
        self.step = Step::Pin(Box::new(Collect::start(question, hands.now)));
        self.follow(core, hands)
    }

    /// Does what the question under way wants, and goes on when it is answered.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        loop {
            let (Step::Number(collect) | Step::Pin(collect)) = &mut self.step else {
                return Next::Stay;
            };
            match collect.poll_output() {
                None => return Next::Stay,
                Some(Output::Play(names)) => {
                    let names = names.iter().map(String::as_str);
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                Some(Output::StopPlay) => {
                    self.play = None;
                    core.stop_play(hands, caller);
                }
                Some(Output::Done(Answer::Failed(_))) => {
                    core.ask_secret(hands, false);
                    return self.say(core, hands, &["goodbye"]);
                }
                Some(Output::Done(Answer::Digits(digits))) => match &self.step {
                    Step::Number(_) => {
                        self.number = digits;
                        return self.ask_pin(core, hands, None);
                    }
                    _ => {
                        core.ask_secret(hands, false);
                        return self.act(core, hands, &digits);
                    }
                },
            }
        }
    }

    /// Has it done by whoever keeps the closings, and counts wrong PINs.
    fn act(&mut self, core: &mut Core, hands: &mut Hands<'_>, pin: &str) -> Next {
        let generation = hands.generations.get(&core.generation);
        let known = generation.and_then(|now| now.closing_numbers.get(&self.number));
        let until = hands.now + PATIENCE;
        let wish = ClosingWish {
            number: self.number.clone(),
            // Nobody learns which numbers there are.
            calendar: known
                .filter(|known| known.pin.is(pin))
                .map(|known| known.calendar.clone()),
            service: self.service,
            phone: self.phone.clone(),
        };
        hands
            .outbox
            .push_back(CallOutput::Inquire(Box::new(Inquiry {
                call: core.id.clone(),
                request: REQUEST,
                subject: Subject::Closing(wish),
            })));
        self.step = Step::Waiting { until };
        Next::Stay
    }

    /// Says whether it is open now: that a closing is taken back opens nothing on a Sunday.
    fn tell(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let generation = hands.generations.get(&core.generation);
        let known = generation.and_then(|now| now.closing_numbers.get(&self.number));
        let calendar = known.map(|known| known.calendar.as_str());
        let verdict = calendar.and_then(|name| generation?.hours(name, hands.now));
        let state = match (self.service, verdict) {
            (ClosingService::Close, _) => "hours-closed-now",
            (ClosingService::Open, Some((false, _))) => "closed",
            // Of all calendars at once some may be open, and some not.
            (ClosingService::Open, None) => return self.say(core, hands, &["saved"]),
            (ClosingService::Open, Some(_)) => "hours-open",
        };
        self.say(core, hands, &["saved", state])
    }

    fn say(&mut self, core: &mut Core, hands: &mut Hands<'_>, names: &[&str]) -> Next {
        self.step = Step::Speaking;
        let caller = core.caller().id;
        let names = names.iter().copied();
        self.play = Some(core.play(hands, caller, names, Looped::Once));
        Next::Stay
    }
}

impl Feature for ByHand {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        core.caller_enters(hands, Stretch::Service, self.service.words());
        self.begin(core, hands)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        if leg != core.caller().id {
            return Next::Stay;
        }
        if let Step::Number(collect) | Step::Pin(collect) = &mut self.step {
            collect.handle_digit(hands.now, key);
        }
        self.follow(core, hands)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            return Next::Stay;
        }
        self.play = None;
        match &mut self.step {
            Step::Number(collect) | Step::Pin(collect) => collect.handle_play_done(hands.now),
            Step::Speaking => return Next::End(Party::Switch, Cause::normal()),
            Step::Waiting { .. } => {}
        }
        self.follow(core, hands)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Next {
        if !matches!(self.step, Step::Waiting { .. }) || request != REQUEST {
            return Next::Stay;
        }
        match ClosingOutcome::of(reply) {
            Some(ClosingOutcome::Done) => self.tell(core, hands),
            Some(ClosingOutcome::Locked) => self.say(core, hands, &["agent-locked"]),
            Some(ClosingOutcome::Wrong) => {
                self.tries += 1;
                match self.tries < PINS {
                    true => self.ask_pin(core, hands, Some("error-try-again")),
                    false => self.say(core, hands, &["goodbye"]),
                }
            }
            None => self.say(core, hands, &["error-technical"]),
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match &mut self.step {
            Step::Number(collect) | Step::Pin(collect) => collect.handle_timeout(hands.now),
            Step::Waiting { until } if *until <= hands.now => {
                return self.say(core, hands, &["error-technical"]);
            }
            Step::Speaking | Step::Waiting { .. } => {}
        }
        self.follow(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Number(collect) | Step::Pin(collect) => collect.poll_timeout(),
            Step::Waiting { until } => Some(*until),
            Step::Speaking => None,
        }
    }

    /// The switch died in the midst of it: begins anew, as if he had just come.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if !matches!(self.step, Step::Speaking) {
            // It only asks: nothing that could be next.
            let _ = self.begin(core, hands);
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        core.ask_secret(hands, false);
    }
}
