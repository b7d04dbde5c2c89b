//! A flow played without a call, in time that is only told: for tests beside flows, for a terminal,
//! and for the checker.

mod calendars;
mod trial;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use calendars::Calendars;
pub use trial::{Course, Ending, Expectation, Move, Trial, World, difference};

use super::request::Request;
use super::run::{Action, Context, DialOutcome, Input, QueueOutcome, Run};
use super::{Document, Reply};
use crate::base::Timestamp;
use crate::router::Destination;

/// One caller in a flow, without a telephone.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    run: Run,
    now: Timestamp,
    playing: Option<(u64, Timestamp)>,
    wait: Wait,
    actions: VecDeque<Action>,
}

/// What a rehearsal waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// The caller, or the end of his time.
    Caller,
    /// Who was dialled.
    Dial {
        /// Number; several with a space between.
        number: String,
    },
    /// Nothing more: the flow is over, or the caller left, or is in a conference.
    Over,
    /// A queue.
    Queue {
        /// Queue, or the workflow that leads into queues.
        to: Destination,
    },
    /// Somebody outside.
    Request {
        /// Its number.
        request: u64,
        /// What is asked.
        about: Request,
    },
    /// The end of what plays.
    Sound,
    /// The other party of a conversation.
    Talk,
    /// Time: a pause.
    Time,
}

/// A sound lasts so long; how long it really lasts is no part of a flow.
const SOUND: Duration = Duration::from_secs(1);

impl Rehearsal {
    /// A caller at the door of a flow, at an instant.
    pub fn new(document: Arc<Document>, context: Context, now: Timestamp) -> Self {
        let mut rehearsal = Self {
            run: Run::new(document, context),
            now,
            playing: None,
            wait: Wait::Time,
            actions: VecDeque::new(),
        };
        rehearsal.run.start(now);
        rehearsal.follow();
        rehearsal
    }

    /// The flow so far.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Time in the rehearsal.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the flow wanted next; what is asked of the world is in [`Rehearsal::wait`] too.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What it waits for.
    pub fn wait(&self) -> Wait {
        match (&self.wait, self.playing) {
            _ if self.run.is_over() => Wait::Over,
            (Wait::Time, Some(_)) => Wait::Sound,
            (Wait::Time, None) if self.run.is_asking() => Wait::Caller,
            (wait, _) => wait.clone(),
        }
    }

    /// The caller presses a key.
    pub fn press(&mut self, key: char) {
        self.run.handle(self.now, Input::Digit(key));
        self.follow();
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self) {
        self.run.handle(self.now, Input::CallerLeft);
        self.follow();
    }

    /// The queue has its result.
    pub fn leave_queue(&mut self, outcome: QueueOutcome) {
        if matches!(self.wait, Wait::Queue { .. }) {
            self.wait = match outcome {
                QueueOutcome::Answered => Wait::Talk,
                QueueOutcome::Left | QueueOutcome::Nobody | QueueOutcome::TimedOut => Wait::Time,
            };
            self.run.handle(self.now, Input::QueueLeft(outcome));
            self.follow();
        }
    }

    /// Who was dialled answered, or did not.
    pub fn end_dial(&mut self, outcome: DialOutcome) {
        if matches!(self.wait, Wait::Dial { .. }) {
            self.wait = match outcome {
                DialOutcome::Answered => Wait::Talk,
                _ => Wait::Time,
            };
            self.run.handle(self.now, Input::DialEnded(outcome));
            self.follow();
        }
    }

    /// The other party hangs up.
    pub fn end_talk(&mut self) {
        if self.wait == Wait::Talk {
            self.wait = Wait::Time;
            self.run.handle(self.now, Input::TalkEnded);
            self.follow();
        }
    }

    /// Who was asked replies.
    pub fn reply(&mut self, reply: Reply) {
        if let Wait::Request { request, .. } = self.wait {
            self.wait = Wait::Time;
            self.run.handle(self.now, Input::Told { request, reply });
            self.follow();
        }
    }

    /// Time passes until something happens by itself: a sound ends, or a silence is too long. False
    /// when nothing ever will.
    pub fn pass(&mut self) -> bool {
        let Some(next) = self.next() else {
            return false;
        };
        self.pass_until(next);
        true
    }

    /// Time passes; whatever happens on the way happens.
    pub fn pass_for(&mut self, length: Duration) {
        let until = self.now + length;
        for _ in 0..MOST_HAPPENINGS {
            match self.next() {
                Some(next) if next <= until => self.pass_until(next),
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    /// When something happens by itself.
    pub fn next(&self) -> Option<Timestamp> {
        let next = [self.playing.map(|(_, end)| end), self.run.poll_timeout()];
        next.into_iter().flatten().min()
    }

    fn pass_until(&mut self, instant: Timestamp) {
        self.now = self.now.max(instant);
        if let Some((play, end)) = self.playing
            && end <= self.now
        {
            self.playing = None;
            self.run.handle(self.now, Input::PlayDone { play });
        } else {
            if matches!(self.wait, Wait::Request { .. }) {
                self.wait = Wait::Time;
            }
            self.run.handle_timeout(self.now);
        }
        self.follow();
    }

    fn follow(&mut self) {
        while let Some(action) = self.run.poll_action() {
            match &action {
                Action::Play { play, sounds } => {
                    let count = u32::try_from(sounds.len()).unwrap_or(u32::MAX);
                    self.playing = Some((*play, self.now + SOUND.saturating_mul(count)));
                }
                Action::StopPlay | Action::HangUp { .. } => self.playing = None,
                Action::Application(_) | Action::Conference { .. } => {
                    self.playing = None;
                    self.wait = Wait::Over;
                }
                Action::Consult { request, about } => {
                    let (request, about) = (*request, about.clone());
                    self.wait = Wait::Request { request, about };
                }
                Action::Dial(terms) => {
                    let number = terms.numbers.join(" ");
                    self.wait = Wait::Dial { number };
                }
                Action::Leave => {
                    self.playing = None;
                    self.wait = Wait::Over;
                }
                Action::Enqueue { to, .. } => self.wait = Wait::Queue { to: to.clone() },
                Action::Answer | Action::Enter { .. } | Action::SetAttributes(_) => {}
            }
            self.actions.push_back(action);
        }
    }
}

/// Most that may happen while time passes once.
const MOST_HAPPENINGS: usize = 10_000;

#[cfg(test)]
mod tests;
