//! One caller's walk through a document.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::{Document, HANG_UP};
use super::step::{Heard, Rejection, Step, Turn};
use crate::base::{Cause, Timestamp};
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
}

/// What the run wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call; asked once, before anything is to be heard.
    Answer,
    /// Play these sounds one after the other; report [`Input::PlayDone`] with the same number.
    Play {
        /// Number of this request, rising within the run.
        play: u64,
        /// Names of sounds.
        sounds: Vec<String>,
    },
    /// Stop what plays; its end need not be reported.
    StopPlay,
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
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Position {
    Asking { step: String, collect: Box<Collect> },
    Dialling { step: String },
    Over,
    Playing { step: String, barge_in: BargeIn },
    Queueing { step: String },
    Talking { step: String },
    Waiting,
}

/// Steps one call may take; a caller who repeats a menu for an hour takes about a thousand.
const MAX_STEPS: u32 = 5000;
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
        }
    }

    /// Takes the first step; later calls do nothing.
    pub fn start(&mut self, now: Timestamp) {
        if self.position != Position::Waiting {
            return;
        }
        if !self.attributes.is_empty() {
            self.push(Action::SetAttributes(self.attributes.clone()));
        }
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
            self.handle_play_done(now);
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
            | Position::Dialling { step }
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
        let step = self.document.steps.get(step);
        matches!(step, Some(Step::Collect(collecting)) if collecting.secure)
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
        let document = Arc::clone(&self.document);
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
        let document = Arc::clone(&self.document);
        loop {
            let at = match turn {
                Turn::End(how) => return self.end(how),
                Turn::Go(at) => at,
                Turn::Stay => return,
            };
            self.deadline = None;
            self.steps_taken += 1;
            if self.steps_taken > MAX_STEPS {
                let words = format!("flow {} took more than {MAX_STEPS} steps", document.name);
                return self.hang_up(Cause::from_status(500).with_words(words));
            }
            turn = match document.steps.get(&at) {
                Some(step) => step.kind().enter(self, now, &at),
                // `Document::check` leaves only the built-in step without an entry.
                None => Turn::End(Rejection::Normal),
            };
        }
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
        self.position = Position::Asking { step, collect };
        self.follow_question(now);
    }

    /// Passes on what the question wants, and leaves it when it is over.
    fn follow_question(&mut self, now: Timestamp) {
        loop {
            let Position::Asking { collect, .. } = &mut self.position else {
                return;
            };
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.play(sounds),
                Some(ivr::Output::StopPlay) => self.push(Action::StopPlay),
                Some(ivr::Output::Done(answer)) => return self.hear(now, Heard::Answer(answer)),
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
        if !attributes.is_empty() {
            self.attributes.extend(attributes.clone());
            self.push(Action::SetAttributes(attributes.clone()));
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
