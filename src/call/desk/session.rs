//! One agent at one phone who dialled a feature code: asks what it must know, gives orders, waits
//! for the router's word, and says what the agent is now.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{AgentOrder, Told};
use super::room::DeskRoom;
use super::standing::Standing;
use super::terms::DeskTerms;
use super::{login, speech};
use crate::base::Timestamp;
use crate::ivr::{self, Accept, Answer, Collect, Question};
use crate::router::WorkerState;
use crate::trunk::AgentService;

/// An agent's session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(super) service: AgentService,
    /// The phone he dialled from.
    pub(super) phone: String,
    /// Digits dialled after the code.
    pub(super) digits: String,
    /// Who it is, once that is known.
    pub(super) agent: Option<String>,
    step: Step,
    /// What the router said since he called.
    news: Option<Standing>,
    outputs: VecDeque<Output>,
}

/// What a session may look at, and change, for the length of one event.
pub(crate) struct Around<'a> {
    pub(crate) now: Timestamp,
    pub(crate) terms: &'a DeskTerms,
    pub(crate) room: &'a mut DeskRoom,
    pub(crate) standing: &'a dyn Fn(&str) -> Option<Standing>,
}

/// What a session wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// The call is over.
    End,
    /// Somebody logged in, or out, or failed to.
    LoggedIn {
        /// Whom it is about; `None` when nobody has that number.
        agent: Option<String>,
        /// What came of it.
        outcome: login::Outcome,
    },
    /// The router is to do something.
    Order(AgentOrder),
    /// Play these sounds one after the other and tell when they are over.
    Play(Vec<String>),
    /// Whether keys are to be kept from everybody from now on.
    Secret(bool),
    /// Stop what plays.
    StopPlay,
}

/// Where a session is.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    /// Something was asked.
    Asking(Asked, Box<Collect>),
    /// Nothing follows.
    Over,
    /// The last words are spoken.
    Speaking,
    /// Orders were given; what the router makes of them is waited for.
    Waiting {
        want: Want,
        until: Timestamp,
        then: Then,
    },
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// What the call was about.
    Code,
    /// The activity that follows.
    Next,
    /// Who logs in.
    Number,
    /// The PIN of whoever has this number.
    Pin { number: String },
    /// Why he is away.
    Reason,
}

/// What the router is expected to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Want {
    /// He is in this activity.
    Activity(String),
    /// Nothing: silence is consent.
    Nothing,
    /// Whether he is in after-call work.
    Wrap(bool),
}

/// What follows the router's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Then {
    /// Ask why he is away, after this.
    AskReason(Vec<String>),
    /// Say this and no more.
    Say(Vec<String>),
    /// Say this, then what he is.
    SayState(Vec<String>),
}

/// How long the router may take for its word. It takes milliseconds; when its journal is stuck he
/// is told what he is by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the router may take to refuse what it confirms by silence.
const SILENCE: Duration = Duration::from_millis(200);

impl Session {
    /// Somebody at `phone` dialled a code, and `digits` after it.
    pub(crate) fn new(service: AgentService, phone: String, digits: String) -> Self {
        Self {
            service,
            phone,
            digits,
            agent: None,
            step: Step::Over,
            news: None,
            outputs: VecDeque::new(),
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, around: &mut Around<'_>) {
        let agent = around.room.seats.agent_at(around.terms, &self.phone);
        self.agent = agent.map(str::to_owned);
        if self.service == AgentService::LogIn {
            return self.begin_login(around);
        }
        let Some(agent) = self.agent.clone() else {
            return self.say(["agent-nobody"]);
        };
        match self.service {
            AgentService::Available => self.become_available(around, &agent),
            AgentService::Away => self.become_away(around, &agent),
            AgentService::Done => self.end_wrap(around, &agent),
            AgentService::LogIn => {}
            AgentService::LogOut => self.log_out(around, &agent),
            AgentService::Next => self.begin_next(around, &agent),
            AgentService::State => self.say_state(around, Vec::new()),
            AgentService::Wrap => self.begin_wrap(around, &agent),
        }
    }

    /// He pressed a key.
    pub(crate) fn handle_digit(&mut self, around: &mut Around<'_>, key: char) {
        if let Step::Asking(_, collect) = &mut self.step {
            collect.handle_digit(around.now, key);
            self.follow(around);
        }
    }

    /// What was last to be played is over.
    pub(crate) fn handle_play_done(&mut self, around: &mut Around<'_>) {
        match &mut self.step {
            Step::Asking(_, collect) => {
                collect.handle_play_done(around.now);
                self.follow(around);
            }
            Step::Speaking => self.end(),
            Step::Over | Step::Waiting { .. } => {}
        }
    }

    /// The router said something about him.
    pub(crate) fn handle_told(&mut self, around: &mut Around<'_>, told: Told) {
        if let Told::Changed {
            activity,
            available,
            reachable,
            state,
        } = &told
        {
            let shown = self
                .agent
                .as_deref()
                .and_then(|agent| (around.standing)(agent));
            self.news = Some(Standing {
                activity: activity.clone(),
                available: *available,
                reachable: *reachable,
                state: *state,
                waiting: shown.as_ref().map_or(0, |shown| shown.waiting),
                next: shown.and_then(|shown| shown.next),
            });
        }
        let Step::Waiting { want, then, .. } = &self.step else {
            return;
        };
        match told {
            Told::Changed {
                activity, state, ..
            } => {
                let is_wanted = match want {
                    Want::Activity(wanted) => *wanted == activity,
                    Want::Nothing => false,
                    Want::Wrap(wanted) => *wanted == (state == WorkerState::WrapUp),
                };
                if is_wanted {
                    let then = then.clone();
                    self.go_on(around, then);
                }
            }
            Told::CodeUnknown => self.ask_code(around, &["no-match"]),
            Told::CodeWanted => self.ask_code(around, &[]),
            Told::Refused => self.say(["agent-refused"]),
        }
    }

    /// Time has passed; does nothing before [`Session::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, around: &mut Around<'_>) {
        match &mut self.step {
            Step::Asking(_, collect) => {
                collect.handle_timeout(around.now);
                self.follow(around);
            }
            Step::Waiting { until, then, .. } if *until <= around.now => {
                let then = then.clone();
                self.go_on(around, then);
            }
            Step::Over | Step::Speaking | Step::Waiting { .. } => {}
        }
    }

    /// When to call [`Session::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Asking(_, collect) => collect.poll_timeout(),
            Step::Waiting { until, .. } => Some(*until),
            Step::Over | Step::Speaking => None,
        }
    }

    /// The next thing wanted.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The phone he dialled from.
    pub(crate) fn phone(&self) -> &str {
        &self.phone
    }

    /// Whose session it is, once that is known.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// The code that was dialled.
    pub(crate) fn service(&self) -> AgentService {
        self.service
    }

    /// What he is: as the router said last, or as it shows him.
    pub(super) fn standing(&self, around: &Around<'_>) -> Option<Standing> {
        let shown = || (around.standing)(self.agent.as_deref()?);
        self.news.clone().or_else(shown)
    }

    pub(super) fn order(&mut self, order: AgentOrder) {
        self.outputs.push_back(Output::Order(order));
    }

    pub(super) fn put_out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Asks something.
    pub(super) fn ask(&mut self, around: &mut Around<'_>, asked: Asked, question: Question) {
        if question.secure {
            self.outputs.push_back(Output::Secret(true));
        }
        let collect = Box::new(Collect::start(question, around.now));
        self.step = Step::Asking(asked, collect);
        self.follow(around);
    }

    /// Waits for the router's word, unless he is what is wanted already: then there may be none.
    pub(super) fn wait(&mut self, around: &mut Around<'_>, want: Want, then: Then) {
        let is_so = self.standing(around).is_some_and(|standing| match &want {
            Want::Activity(activity) => standing.activity == *activity,
            Want::Nothing => false,
            Want::Wrap(on) => on == &(standing.state == WorkerState::WrapUp),
        });
        let patience = match (&want, is_so) {
            (Want::Nothing, _) | (_, true) => SILENCE,
            _ => PATIENCE,
        };
        let until = around.now + patience;
        self.step = Step::Waiting { want, until, then };
    }

    /// Says something, and no more.
    pub(super) fn say(&mut self, sounds: impl IntoIterator<Item = impl Into<String>>) {
        let sounds = sounds.into_iter().map(Into::into).collect();
        self.outputs.push_back(Output::Play(sounds));
        self.step = Step::Speaking;
    }

    /// Says something, then what he is, and no more.
    pub(super) fn say_state(&mut self, around: &Around<'_>, mut sounds: Vec<String>) {
        match self.standing(around) {
            Some(standing) => sounds.extend(speech::of_standing(around.terms, &standing)),
            // The router has not heard of him yet.
            None => sounds.push("agent-refused".to_owned()),
        }
        self.say(sounds);
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        self.step = Step::Over;
        self.outputs.push_back(Output::End);
    }

    fn go_on(&mut self, around: &mut Around<'_>, then: Then) {
        match then {
            Then::AskReason(before) => self.ask_reason(around, before),
            Then::Say(sounds) => self.say(sounds),
            Then::SayState(before) => self.say_state(around, before),
        }
    }

    /// Does what the question under way wants, and goes on when it is answered.
    fn follow(&mut self, around: &mut Around<'_>) {
        while let Step::Asking(asked, collect) = &mut self.step {
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.outputs.push_back(Output::Play(sounds)),
                Some(ivr::Output::StopPlay) => self.outputs.push_back(Output::StopPlay),
                Some(ivr::Output::Done(answer)) => {
                    let asked = asked.clone();
                    self.step = Step::Over;
                    self.answered(around, asked, answer);
                }
            }
        }
    }

    fn answered(&mut self, around: &mut Around<'_>, asked: Asked, answer: Answer) {
        if matches!(asked, Asked::Pin { .. }) {
            self.outputs.push_back(Output::Secret(false));
        }
        let digits = match answer {
            Answer::Digits(digits) => Some(digits),
            Answer::Failed(_) => None,
        };
        match (asked, digits) {
            (Asked::Code, Some(code)) => self.end_wrap_with(around, Some(code)),
            (Asked::Next, Some(code)) => self.choose_next(around, &code),
            (Asked::Number, Some(number)) => self.ask_pin(around, number),
            (Asked::Pin { number }, Some(pin)) => self.take_pin(around, &number, &pin),
            (Asked::Reason, Some(code)) => self.choose_reason(around, &code),
            // He was told that he is away, and is so.
            (Asked::Reason, None) => self.end(),
            (Asked::Code | Asked::Next, None) => self.say_state(around, Vec::new()),
            (Asked::Number | Asked::Pin { .. }, None) => self.say(["goodbye"]),
        }
    }
}

/// A question for one of these codes.
pub(super) fn choice(prompt: Vec<String>, codes: BTreeSet<String>) -> Question {
    Question {
        accept: Accept::OneOf(codes),
        inter_digit: Duration::from_secs(2),
        ..Question::digits(prompt, 1..=1)
    }
}
