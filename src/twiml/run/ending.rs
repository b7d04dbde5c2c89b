//! How a run ends, or is made to do something else: what the leg is at is put down first.

use super::super::action::{Action, Modification};
use super::super::facts::{CallStatus, Direction, Form};
use super::super::verb::ProgressEvent;
use super::{Position, Role, Run};
use crate::base::{Cause, Timestamp};

/// Why a leg puts down what it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// We hang up.
    Ends,
    /// It goes on with something else.
    GoesOn,
    /// The caller is gone.
    Leaves,
}

impl Run {
    /// When the call has lasted long enough. One that is never answered ends as late; one that
    /// calls for help does not.
    pub(super) fn limit(&self) -> Option<Timestamp> {
        let calls_for_help =
            matches!(&self.position, Position::Dialling(dialling) if dialling.calls_for_help());
        // Inner documents end with what they are heard in.
        let from = self
            .answered
            .or(self.began)
            .filter(|_| self.role == Role::Call && !calls_for_help);
        from.map(|from| from + self.terms.time_limit)
    }

    /// Ends a call that has lasted long enough; says whether it did.
    pub(super) fn end_if_late(&mut self, now: Timestamp) -> bool {
        let is_late = self.limit().is_some_and(|limit| limit <= now);
        if is_late {
            let cause = match self.answered {
                Some(_) => Cause::normal(),
                None => Cause::no_answer(),
            };
            self.hang_up(now, cause.with_words("time limit of the call"));
        }
        is_late
    }

    pub(super) fn modify(&mut self, now: Timestamp, modification: Modification) {
        match modification {
            Modification::Announce(link) => self.announce(now, link),
            Modification::Cancel => {
                if self.answered.is_none() {
                    self.put_down(now, Parting::Ends);
                    self.push(Action::HangUp {
                        cause: Cause::from_status(487),
                    });
                    self.over(now, CallStatus::Canceled);
                }
            }
            Modification::Complete => self.hang_up(now, Cause::normal()),
            Modification::Document(document) => {
                self.put_down(now, Parting::GoesOn);
                let base = self.base.clone();
                self.execute_document(now, *document, base);
            }
            Modification::HoldDocument(link) => self.hear_on_hold(now, link),
            Modification::Fallback(link) => self.terms.fallback = Some(link),
            Modification::Redirect(link) => {
                self.put_down(now, Parting::GoesOn);
                self.transfer(now, Some(&link), Form::new());
            }
            Modification::StatusCallback(callback) => {
                self.terms.status = Some(callback.clone());
                self.progress.turn_to(callback);
            }
            Modification::TimeLimit(limit) => self.terms.time_limit = limit,
        }
    }

    /// Ends what the leg is at: somebody else decides.
    pub(super) fn put_down(&mut self, now: Timestamp, parting: Parting) {
        self.deadline = None;
        match std::mem::replace(&mut self.position, Position::Idle) {
            Position::Conferring(conferring) => self.put_down_conference(now, *conferring, parting),
            Position::Dialling(dialling) => self.put_down_dial(now, *dialling, parting),
            Position::Gathering(question) => {
                if parting == Parting::GoesOn {
                    self.put_down_question(&question);
                }
            }
            Position::Queueing(queueing) => self.put_down_queue(now, *queueing, parting),
            Position::Playing { .. } if parting == Parting::GoesOn => self.push(Action::StopPlay),
            Position::Recording { .. } if parting == Parting::GoesOn => {
                self.push(Action::StopRecording)
            }
            Position::Fetching { .. }
            | Position::Idle
            | Position::Over
            | Position::Pausing
            | Position::Playing { .. }
            | Position::Recording { .. }
            | Position::Referring { .. }
            | Position::Waiting => {}
        }
    }

    pub(super) fn caller_left(&mut self, now: Timestamp) {
        self.put_down(now, Parting::Leaves);
        let status = match self.answered {
            Some(_) => CallStatus::Completed,
            None if self.facts.direction == Direction::Inbound => CallStatus::NoAnswer,
            None => CallStatus::Canceled,
        };
        self.over(now, status);
    }

    pub(super) fn hang_up(&mut self, now: Timestamp, cause: Cause) {
        self.put_down(now, Parting::Ends);
        let status = match self.answered {
            Some(_) => CallStatus::Completed,
            None => CallStatus::of_refusal(cause.sip),
        };
        self.push(Action::HangUp { cause });
        self.over(now, status);
    }

    pub(super) fn over(&mut self, now: Timestamp, status: CallStatus) {
        self.status = status;
        self.tell(now, ProgressEvent::Completed);
        self.position = Position::Over;
        self.deadline = None;
    }

    /// The document is over, and the leg goes on without it.
    pub(super) fn finish(&mut self) {
        self.push(Action::Finished);
        self.position = Position::Over;
        self.deadline = None;
    }

    /// The document is over, and whatever was heard before is heard again.
    pub(super) fn fall_silent(&mut self) {
        self.position = Position::Over;
        self.deadline = None;
    }

    /// `<Leave>` of a wait document; whoever runs it sees it.
    pub(super) fn leave(&mut self) {
        self.push(Action::LeaveQueue);
        self.position = Position::Over;
    }
}
