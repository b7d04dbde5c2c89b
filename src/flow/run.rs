//! One caller's walk through a document.

mod action;
mod keys;
mod knowledge;
mod parts;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::{Document, HANG_UP, RETURN};
use super::request::{QueueFigures, Reply, Request};
use super::step::{Heard, Rejection, Step, Turn};
use crate::base::{Cause, Timestamp};
use crate::ivr::{BargeIn, Collect, LateTerminator};

pub use action::{Action, Application, Context, DialOutcome, DialTerms, Input, QueueOutcome};

use parts::{Frame, PartState};

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
    /// What was passed over since a key was pressed or asked for, because of keys typed ahead.
    #[serde(default)]
    passed_over: Vec<(String, String)>,
    /// What may still follow the last answer.
    #[serde(default)]
    late: Option<LateTerminator>,
    steps_taken: u32,
    deadline: Option<Timestamp>,
    actions: VecDeque<Action>,
    /// The flows gone through at the moment, outermost first.
    #[serde(default)]
    frames: Vec<Frame>,
    /// What is known of the part at hand.
    #[serde(default)]
    part: PartState,
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
    /// Whether it came to its end by `return`.
    #[serde(default)]
    returned: bool,
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
            passed_over: Vec::new(),
            late: None,
            steps_taken: 0,
            deadline: None,
            actions: VecDeque::new(),
            frames: Vec::new(),
            part: PartState::default(),
            reply: Value::Null,
            figures: None,
            requests: 0,
            draws: 0,
            refusals: 0,
            returned: false,
        }
    }

    /// A walk beside whatever leads the caller, which knows these attributes of the call; the call
    /// is answered.
    pub fn aside(
        document: Arc<Document>,
        context: Context,
        attributes: &Map<String, Value>,
    ) -> Self {
        let mut beside = Self {
            answered: true,
            ..Self::new(document, context)
        };
        beside.attributes.extend(attributes.clone());
        beside
    }

    /// The same for whoever is not the caller: in his language, else the office's.
    pub fn in_language(mut self, language: Option<&str>) -> Self {
        self.attributes.shift_remove("language");
        if let Some(language) = language {
            language.clone_into(&mut self.context.language);
        }
        self
    }

    /// What a flow beside this one has set; what the call has no more by now, it has taken away.
    pub fn learn(&mut self, set: &Map<String, Value>, of_call: &Map<String, Value>) {
        self.attributes.retain(|name, _| of_call.contains_key(name));
        self.attributes.extend(set.clone());
    }

    /// A caller's walk through another flow beside this one: for what he, or whoever he is to be
    /// joined with, hears meanwhile. It knows what this one knows, and its call is answered.
    pub fn beside(&self, document: Arc<Document>) -> Self {
        let mut beside = Self {
            answered: true,
            reply: self.reply.clone(),
            figures: self.figures,
            ..Self::new(document, self.context.clone())
        };
        beside.attributes.extend(self.attributes.clone());
        beside
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

    /// Whether it is over because it came to `return`.
    pub fn has_returned(&self) -> bool {
        self.returned
    }

    /// Whether it does nothing for a while.
    pub fn is_pausing(&self) -> bool {
        matches!(self.position, Position::Pausing { .. })
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

    /// Whether the caller is asked something and may answer.
    pub fn is_asking(&self) -> bool {
        matches!(self.position, Position::Asking { .. })
    }

    /// Whether what the caller presses and says is not to be kept anywhere.
    pub fn is_secret(&self) -> bool {
        let Position::Asking { step, .. } = &self.position else {
            return false;
        };
        let document = self.part_document();
        matches!(document.steps.get(step), Some(Step::Collect(collecting)) if collecting.secure)
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

    /// Wakes up at an instant.
    pub(super) fn wait_until(&mut self, at: Timestamp) {
        self.deadline = Some(at);
    }

    /// Whether the caller has said no once too often, now that he says it again.
    pub(super) fn is_refused_again(&mut self, tries: u32) -> bool {
        self.refusals += 1;
        self.refusals >= tries
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

    /// Leaves the queue, and has nothing more to say.
    pub(super) fn leave_queue(&mut self) {
        self.push(Action::Leave);
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
