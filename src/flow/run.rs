//! One caller's walk through a document.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Template;
use super::document::{Document, HANG_UP, MAX_DEPTH, RETURN};
use super::request::{QueueFigures, Reply, Request};
use super::step::{Heard, Rejection, Step, Turn};
use crate::base::{Cause, Entropy, Language, Timestamp};
use crate::ivr::{self, BargeIn, Collect, Question, is_key};
use crate::router::Destination;

/// What is known about the call when its flow begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Caller's number, normalised.
    pub from: String,
    /// Caller's name, when it is known and not withheld.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Number that led to the flow, normalised.
    pub to: String,
    /// Trunk the call came in by.
    pub trunk: Option<String>,
    /// Attributes of the number; they outrank the document's.
    pub attributes: Map<String, Value>,
    /// The logical call; empty where there is none.
    #[serde(default)]
    pub id: String,
    /// When it began.
    #[serde(default)]
    pub started: Timestamp,
    /// What chance is drawn from: the same seed draws the same.
    #[serde(default)]
    pub seed: u64,
}

/// What the run wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call; asked once, before anything is to be heard.
    Answer,
    /// Join others in a shared room, for the rest of the call; nothing need be reported.
    Conference {
        /// The room's number.
        room: String,
    },
    /// Ask somebody outside; report [`Input::Told`] with the same number. Nobody need be told that
    /// the flow no longer wants to know: a late reply is ignored.
    Consult {
        /// Number of this request, rising within the run.
        request: u64,
        /// What is asked.
        about: Request,
    },
    /// The caller came to a step: for the record.
    Enter {
        /// Flow the step is of.
        flow: String,
        /// Step.
        step: String,
    },
    /// Play these sounds one after the other; report [`Input::PlayDone`] with the same number.
    Play {
        /// Number of this request, rising within the run.
        play: u64,
        /// Names of sounds.
        sounds: Vec<String>,
    },
    /// Stop what plays; its end need not be reported.
    StopPlay,
    /// What is said from here on is said in this language (BCP 47).
    SetLanguage(String),
    /// Set attributes of the call.
    SetAttributes(Map<String, Value>),
    /// Stand in a queue; report [`Input::QueueLeft`].
    Enqueue {
        /// Queue, or the workflow that leads into queues.
        to: Destination,
        /// All attributes of the call, with `from`, `from_name`, `to`, `trunk` and `flow`.
        attributes: Map<String, Value>,
        /// Higher is served first.
        priority: i64,
    },
    /// Call a number and join the caller with it; report [`Input::DialEnded`].
    Dial {
        /// Number, as a phone would dial it.
        number: String,
        /// How long it may ring.
        ring_timeout: Duration,
    },
    /// End the call; nothing follows.
    HangUp {
        /// Why; a refusal when the call was never answered.
        cause: Cause,
    },
}

/// What the run is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The caller is gone: nothing more is asked.
    CallerLeft,
    /// A [`Action::Dial`] has its result.
    DialEnded(DialOutcome),
    /// The caller pressed a key.
    Digit(char),
    /// The play of this number came to its end by itself. Ends of other plays are ignored.
    PlayDone {
        /// Number from [`Action::Play`].
        play: u64,
    },
    /// A [`Action::Enqueue`] has its result.
    QueueLeft(QueueOutcome),
    /// The party the caller talked with hung up; the caller is still there.
    TalkEnded,
    /// A [`Action::Consult`] of this number has its result. Others are ignored.
    Told {
        /// Number from [`Action::Consult`].
        request: u64,
        /// What came of it.
        reply: Reply,
    },
}

/// How a stand in a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// An agent answered; the caller talks.
    Answered,
    /// Nobody can ever take the call, or the queue is gone.
    Nobody,
    /// The longest wait is over.
    TimedOut,
}

/// How a call to a number ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// Answered; the caller talks.
    Answered,
    /// Busy, silent, refused or not dialable.
    Failed,
}

/// One caller's walk. Serialisable at every moment, document and all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    document: Arc<Document>,
    context: Context,
    attributes: Map<String, Value>,
    position: Position,
    answered: bool,
    plays: u64,
    typed_ahead: String,
    steps_taken: u32,
    deadline: Option<Timestamp>,
    actions: VecDeque<Action>,
    /// The flows gone through at the moment, outermost first.
    #[serde(default)]
    frames: Vec<Frame>,
    /// What is known of the part at hand.
    #[serde(default)]
    part: PartState,
    /// Language of the caller, once a step has set it.
    #[serde(default)]
    language: Option<String>,
    /// The last reply of an endpoint or a table.
    #[serde(default)]
    reply: Value,
    /// The last figures of a queue.
    #[serde(default)]
    figures: Option<QueueFigures>,
    /// Counts requests.
    #[serde(default)]
    requests: u64,
    /// Counts draws of chance.
    #[serde(default)]
    draws: u64,
    /// How often the caller said that what he pressed was wrong, at the step he is in.
    #[serde(default)]
    refusals: u32,
}

/// A flow that waits for another to return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Frame {
    /// The other, as the document of the one that waits knows it.
    flow: String,
    /// Step when it returns.
    next: String,
    /// What was known of the one that waits.
    part: PartState,
}

/// What is known of one stay in a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PartState {
    parameters: Map<String, Value>,
    /// What was pressed, by step.
    digits: Map<String, Value>,
    /// Rounds under way, by loop.
    rounds: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Position {
    Asking {
        step: String,
        collect: Box<Collect>,
        /// What was pressed, when the question is whether that is right.
        #[serde(default)]
        confirming: Option<String>,
    },
    Consulting {
        step: String,
        request: u64,
    },
    Dialling {
        step: String,
    },
    Over,
    Pausing {
        step: String,
    },
    Playing {
        step: String,
        barge_in: BargeIn,
    },
    Queueing {
        step: String,
    },
    Talking {
        step: String,
    },
    Waiting,
}

/// Steps one call may take; a caller who repeats a menu for an hour takes about a thousand.
const MAX_STEPS: u32 = 5000;
/// Most attributes of a call, and most bytes of all of them: what a reply may add is limited.
const MAX_ATTRIBUTES: usize = 256;
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// Keys kept for the next question; longer than any path through nested menus.
const MAX_TYPED_AHEAD: usize = 16;

impl Run {
    /// A caller at the door; nothing happens before [`Run::start`].
    pub fn new(document: Arc<Document>, context: Context) -> Self {
        let mut attributes = document.attributes.clone();
        attributes.extend(context.attributes.clone());
        Self {
            document,
            context,
            attributes,
            position: Position::Waiting,
            answered: false,
            plays: 0,
            typed_ahead: String::new(),
            steps_taken: 0,
            deadline: None,
            actions: VecDeque::new(),
            frames: Vec::new(),
            part: PartState::default(),
            language: None,
            reply: Value::Null,
            figures: None,
            requests: 0,
            draws: 0,
            refusals: 0,
        }
    }

    /// The same for a call that has got its id: which, when it began, and what chance is drawn
    /// from.
    pub fn of_call(mut self, id: &str, started: Timestamp, seed: u64) -> Self {
        id.clone_into(&mut self.context.id);
        self.context.started = started;
        self.context.seed = seed;
        self
    }

    /// Takes the first step; later calls do nothing.
    pub fn start(&mut self, now: Timestamp) {
        if self.position != Position::Waiting {
            return;
        }
        if !self.attributes.is_empty() {
            self.push(Action::SetAttributes(self.attributes.clone()));
        }
        self.part.parameters.clone_from(&self.document.parameters);
        let first = self.document.start.clone();
        self.follow(now, Turn::Go(first));
    }

    /// Something happened. What does not fit the present step is ignored.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::CallerLeft => self.finish(),
            Input::DialEnded(outcome) => {
                if matches!(self.position, Position::Dialling { .. }) {
                    self.hear(now, Heard::Dial(outcome));
                }
            }
            Input::Digit(key) => self.handle_digit(now, key),
            Input::PlayDone { play } if play == self.plays => self.handle_play_done(now),
            Input::PlayDone { .. } => {}
            Input::QueueLeft(outcome) => {
                if matches!(self.position, Position::Queueing { .. }) {
                    self.hear(now, Heard::Queue(outcome));
                }
            }
            Input::Told { request, reply } => {
                let asked = matches!(&self.position, Position::Consulting { request: mine, .. } if *mine == request);
                if asked {
                    self.hear(now, Heard::Reply(reply));
                }
            }
            Input::TalkEnded => {
                if matches!(self.position, Position::Talking { .. }) {
                    self.hear(now, Heard::TalkEnded);
                }
            }
        }
    }

    /// Time has passed; does nothing before [`Run::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Position::Asking { collect, .. } = &mut self.position {
            collect.handle_timeout(now);
            self.follow_question(now);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            match &self.position {
                Position::Consulting { .. } => {
                    let reply = Reply::Failed("no reply in time".to_owned());
                    self.hear(now, Heard::Reply(reply));
                }
                Position::Pausing { .. } => self.hear(now, Heard::PauseOver),
                _ => self.handle_play_done(now),
            }
        }
    }

    /// When to call [`Run::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.position {
            Position::Asking { collect, .. } => collect.poll_timeout(),
            _ => self.deadline,
        }
    }

    /// The next thing wanted.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the run asks for nothing any more: it hung up or the caller left.
    pub fn is_over(&self) -> bool {
        self.position == Position::Over
    }

    /// The document this call began with.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Attributes of the call as the run has set them.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The step the caller is in; `None` before the first and after the last.
    pub fn step(&self) -> Option<&str> {
        match &self.position {
            Position::Asking { step, .. }
            | Position::Consulting { step, .. }
            | Position::Dialling { step }
            | Position::Pausing { step }
            | Position::Playing { step, .. }
            | Position::Queueing { step }
            | Position::Talking { step } => Some(step),
            Position::Over | Position::Waiting => None,
        }
    }

    /// Whether what the caller presses and says is not to be kept anywhere.
    pub fn is_secret(&self) -> bool {
        let Position::Asking { step, .. } = &self.position else {
            return false;
        };
        let document = self.part_document();
        matches!(document.steps.get(step), Some(Step::Collect(collecting)) if collecting.secure)
    }

    fn handle_digit(&mut self, now: Timestamp, key: char) {
        match &mut self.position {
            Position::Asking { collect, .. } => {
                collect.handle_digit(now, key);
                self.follow_question(now);
            }
            Position::Playing {
                barge_in: BargeIn::Interrupts,
                ..
            } if is_key(key) => {
                if self.typed_ahead.len() < MAX_TYPED_AHEAD {
                    self.typed_ahead.push(key);
                }
                self.push(Action::StopPlay);
                self.hear(now, Heard::PlayDone);
            }
            Position::Consulting { .. } | Position::Pausing { .. }
                if is_key(key) && self.typed_ahead.len() < MAX_TYPED_AHEAD =>
            {
                self.typed_ahead.push(key);
            }
            _ => {}
        }
    }

    fn handle_play_done(&mut self, now: Timestamp) {
        match &mut self.position {
            Position::Asking { collect, .. } => {
                collect.handle_play_done(now);
                self.follow_question(now);
            }
            Position::Playing { .. } => self.hear(now, Heard::PlayDone),
            _ => {}
        }
    }

    /// Tells the present step what it waits for.
    fn hear(&mut self, now: Timestamp, heard: Heard) {
        let document = self.part_document();
        let Some(at) = self.step().map(str::to_owned) else {
            return;
        };
        let turn = match document.steps.get(&at) {
            Some(step) => step.kind().hear(self, now, &at, heard),
            // Its document was checked: only another program's checkpoint can name it.
            None => Turn::Go(HANG_UP.to_owned()),
        };
        self.follow(now, turn);
    }

    /// Walks on until a step takes time or the call ends.
    fn follow(&mut self, now: Timestamp, mut turn: Turn) {
        loop {
            let at = match turn {
                Turn::End(how) => return self.end(how),
                Turn::Go(at) => at,
                Turn::Stay => return,
            };
            (self.deadline, self.refusals) = (None, 0);
            self.steps_taken += 1;
            let document = self.part_document();
            if self.steps_taken > MAX_STEPS {
                let words = format!("flow {} took more than {MAX_STEPS} steps", document.name);
                return self.hang_up(Cause::from_status(500).with_words(words));
            }
            turn = match document.steps.get(&at) {
                Some(step) => {
                    self.push(Action::Enter {
                        flow: document.name.clone(),
                        step: at.clone(),
                    });
                    step.kind().enter(self, now, &at)
                }
                None if at == RETURN => self.return_to_caller(),
                // `Document::check` leaves only the built-in steps without an entry.
                None => Turn::End(Rejection::Normal),
            };
        }
    }

    /// The document of the part at hand.
    fn part_document(&self) -> Arc<Document> {
        let mut document = &self.document;
        for frame in &self.frames {
            match document.flows.get(&frame.flow) {
                Some(part) => document = part,
                None => break,
            }
        }
        Arc::clone(document)
    }

    /// Goes through another flow; `next` is the step when it returns.
    pub(super) fn call(&mut self, flow: &str, parameters: Map<String, Value>, next: &str) -> Turn {
        let document = self.part_document();
        let Some(part) = document
            .flows
            .get(flow)
            .filter(|_| self.frames.len() < MAX_DEPTH)
        else {
            // `Document::check` and the configuration leave no flow that is not there, or too deep.
            return self.error(None);
        };
        let mut known = part.parameters.clone();
        known.extend(parameters);
        let inner = PartState {
            parameters: known,
            ..PartState::default()
        };
        self.frames.push(Frame {
            flow: flow.to_owned(),
            next: next.to_owned(),
            part: std::mem::replace(&mut self.part, inner),
        });
        self.set(&part.attributes);
        Turn::Go(part.start.clone())
    }

    /// Back to the flow this one is a part of; the end when it is no part.
    pub(super) fn return_to_caller(&mut self) -> Turn {
        match self.frames.pop() {
            None => Turn::End(Rejection::Normal),
            Some(frame) => {
                self.part = frame.part;
                Turn::Go(frame.next)
            }
        }
    }

    /// Where a failure leads: the step's own way, or the document's.
    pub(super) fn error(&self, own: Option<&str>) -> Turn {
        let document = self.part_document();
        let step = own.or(document.error.as_deref());
        Turn::Go(step.unwrap_or(HANG_UP).to_owned())
    }

    /// Asks somebody outside, who has this long.
    pub(super) fn consult(
        &mut self,
        now: Timestamp,
        at: &str,
        about: Request,
        budget: Duration,
    ) -> Turn {
        self.requests += 1;
        let request = self.requests;
        self.push(Action::Consult { request, about });
        self.deadline = Some(now + budget);
        self.stay(Position::Consulting {
            step: at.to_owned(),
            request,
        })
    }

    /// A number below `bound` by chance.
    pub(super) fn draw(&mut self, bound: u64) -> u64 {
        self.draws += 1;
        Entropy::from_seed(self.context.seed.wrapping_add(self.draws)).below(bound)
    }

    /// Whether one more round of a loop is due, of so many; afterwards it begins anew.
    pub(super) fn count_round(&mut self, at: &str, times: u32) -> bool {
        let round = self.part.rounds.entry(at.to_owned()).or_default();
        if *round >= times {
            self.part.rounds.remove(at);
            return false;
        }
        *round += 1;
        true
    }

    /// Everything texts and conditions may look at.
    pub(super) fn names(&self, now: Timestamp) -> Map<String, Value> {
        let context = &self.context;
        let figures = self.figures.map(serde_json::to_value);
        let names = json!({
            "call": {
                "id": context.id,
                "from": context.from,
                "from_name": context.from_name,
                "to": context.to,
                "trunk": context.trunk,
                "started": context.started.to_rfc3339(),
                "flow": self.document.name,
                "language": self.language,
            },
            "attributes": self.attributes,
            "digits": self.part.digits,
            "loops": self.part.rounds,
            "now": now.to_rfc3339(),
            "number": context.attributes,
            "parameters": self.part.parameters,
            "queue": figures.and_then(Result::ok),
            "reply": self.reply,
        });
        match names {
            Value::Object(names) => names,
            _ => Map::new(),
        }
    }

    /// A text filled in.
    pub(super) fn fill_in(&self, now: Timestamp, text: &Template) -> String {
        match text.is_plain() {
            true => text.text().to_owned(),
            false => text.render(&self.names(now)),
        }
    }

    /// Speaks another language from here on.
    pub(super) fn speak_in(&mut self, language: &str) {
        self.language = Some(language.to_owned());
        self.push(Action::SetLanguage(language.to_owned()));
    }

    /// The language in which things are read out.
    pub(super) fn voice(&self) -> Language {
        self.language
            .as_deref()
            .map_or(Language::English, Language::of_locale)
    }

    /// What was pressed at a step.
    pub(super) fn take_digits(&mut self, at: &str, digits: &str) {
        self.part.digits.insert(at.to_owned(), digits.into());
    }

    /// What an endpoint or a table said.
    pub(super) fn take_reply(&mut self, reply: Value) {
        self.reply = match reply.to_string().len() > MAX_ATTRIBUTE_BYTES {
            true => Value::Null,
            false => reply,
        };
    }

    /// How a queue is.
    pub(super) fn take_figures(&mut self, figures: QueueFigures) {
        self.figures = Some(figures);
    }

    /// Wakes up at an instant.
    pub(super) fn wait_until(&mut self, at: Timestamp) {
        self.deadline = Some(at);
    }

    /// Whether the caller has said no once too often, now that he says it again.
    pub(super) fn is_refused_again(&mut self, tries: u32) -> bool {
        self.refusals += 1;
        self.refusals >= tries
    }

    /// Asks whether what was pressed is right; the step is told.
    pub(super) fn confirm(&mut self, now: Timestamp, at: &str, question: Question, digits: String) {
        self.position = Position::Asking {
            step: at.to_owned(),
            collect: Box::new(Collect::start(question, now)),
            confirming: Some(digits),
        };
        self.follow_question(now);
    }

    /// Stays in a step.
    pub(super) fn stay(&mut self, position: Position) -> Turn {
        self.position = position;
        Turn::Stay
    }

    /// Says something to an answered call; the step is told when it is over.
    pub(super) fn speak(
        &mut self,
        now: Timestamp,
        at: &str,
        sounds: Vec<String>,
        barge_in: BargeIn,
        limit: Duration,
    ) {
        self.answer();
        self.play(sounds);
        self.deadline = Some(now + limit);
        self.position = Position::Playing {
            barge_in,
            step: at.to_owned(),
        };
    }

    /// Asks; the step is told the answer.
    pub(super) fn ask(&mut self, now: Timestamp, at: &str, question: Question) {
        self.answer();
        let typed_ahead = std::mem::take(&mut self.typed_ahead);
        // What was pressed before was no secret yet, and stands in the record.
        let typed_ahead = if question.secure { "" } else { &*typed_ahead };
        let mut collect = Box::new(Collect::start(question, now));
        for key in typed_ahead.chars() {
            collect.handle_digit(now, key);
        }
        let step = at.to_owned();
        self.position = Position::Asking {
            step,
            collect,
            confirming: None,
        };
        self.follow_question(now);
    }

    /// Passes on what the question wants, and leaves it when it is over.
    fn follow_question(&mut self, now: Timestamp) {
        loop {
            let Position::Asking {
                collect,
                confirming,
                ..
            } = &mut self.position
            else {
                return;
            };
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.play(sounds),
                Some(ivr::Output::StopPlay) => self.push(Action::StopPlay),
                Some(ivr::Output::Done(answer)) => {
                    let heard = match confirming.take() {
                        None => Heard::Answer(answer),
                        Some(digits) => Heard::Confirmed(digits, answer),
                    };
                    return self.hear(now, heard);
                }
            }
        }
    }

    /// What the router sees of the call.
    pub(super) fn task_attributes(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        attributes.insert("from".to_owned(), self.context.from.clone().into());
        if let Some(name) = &self.context.from_name {
            attributes.insert("from_name".to_owned(), name.clone().into());
        }
        attributes.insert("to".to_owned(), self.context.to.clone().into());
        if let Some(trunk) = &self.context.trunk {
            attributes.insert("trunk".to_owned(), trunk.clone().into());
        }
        attributes.insert("flow".to_owned(), self.document.name.clone().into());
        attributes.extend(self.attributes.clone());
        attributes
    }

    /// Sets attributes of the call.
    pub(super) fn set(&mut self, attributes: &Map<String, Value>) {
        let mut taken = Map::new();
        for (name, value) in attributes {
            let before = self.attributes.insert(name.clone(), value.clone());
            // Only what comes from outside can be so much.
            let bytes = || serde_json::to_string(&self.attributes).map_or(0, |text| text.len());
            if self.attributes.len() > MAX_ATTRIBUTES || bytes() > MAX_ATTRIBUTE_BYTES {
                tracing::warn!(flow = %self.document.name, name, "too many attributes");
                match before {
                    None => drop(self.attributes.shift_remove(name)),
                    Some(before) => drop(self.attributes.insert(name.clone(), before)),
                }
                continue;
            }
            taken.insert(name.clone(), value.clone());
        }
        if !taken.is_empty() {
            self.push(Action::SetAttributes(taken));
        }
    }

    /// Answers the call, unless that was done before.
    pub(super) fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.push(Action::Answer);
        }
    }

    /// Somebody else answered the call.
    pub(super) fn was_answered(&mut self) {
        self.answered = true;
    }

    /// Keys typed ahead are for no question.
    pub(super) fn forget_keys(&mut self) {
        self.typed_ahead.clear();
    }

    fn play(&mut self, sounds: Vec<String>) {
        self.plays += 1;
        let play = self.plays;
        self.push(Action::Play { play, sounds });
    }

    fn end(&mut self, how: Rejection) {
        let cause = if self.answered {
            how.cause()
        } else {
            how.refusal()
        };
        self.hang_up(cause);
    }

    fn hang_up(&mut self, cause: Cause) {
        self.push(Action::HangUp { cause });
        self.position = Position::Over;
        self.deadline = None;
    }

    fn finish(&mut self) {
        self.actions.clear();
        self.position = Position::Over;
        self.deadline = None;
    }

    /// Wants something done.
    pub(super) fn push(&mut self, action: Action) {
        // A prompt answered beforehand, by keys typed ahead, is not even begun.
        if action == Action::StopPlay && matches!(self.actions.back(), Some(Action::Play { .. })) {
            self.actions.pop_back();
            return;
        }
        self.actions.push_back(action);
    }
}

#[cfg(test)]
mod tests;
