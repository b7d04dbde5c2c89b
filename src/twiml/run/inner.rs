//! Documents a caller hears while something else holds him: a line, a conference. They are executed by a run of their own, inside of his.

use super::super::action::{Action, Input};
use super::super::facts::{CallStatus, Form};
use super::super::link::Link;
use super::{Parting, Position, Role, Run, Terms};
use crate::base::{Cause, Timestamp};

impl Run {
    /// A run inside of this one; its requests go on counting where this one's are.
    pub(super) fn inside(
        &mut self,
        now: Timestamp,
        role: Role,
        link: Link,
        more: Form,
    ) -> Box<Run> {
        let terms = Terms {
            api: self.terms.api.clone(),
            ..Terms::of_url(link)
        };
        let mut inner = Run::of(role, self.facts.clone(), terms);
        inner.status = CallStatus::InProgress;
        inner.numbers = self.numbers;
        inner.more = more;
        inner.start(now);
        Box::new(inner)
    }

    pub(super) fn inner(&self) -> Option<&Run> {
        match &self.position {
            Position::Conferring(conferring) => conferring.inner.as_deref(),
            Position::Queueing(queueing) => queueing.inner.as_deref(),
            _ => None,
        }
    }

    fn inner_slot(&mut self) -> Option<&mut Option<Box<Run>>> {
        match &mut self.position {
            Position::Conferring(conferring) => Some(&mut conferring.inner),
            Position::Queueing(queueing) => Some(&mut queueing.inner),
            _ => None,
        }
    }

    pub(super) fn has_inner(&self) -> bool {
        self.inner().is_some()
    }

    pub(super) fn pass_inside(&mut self, now: Timestamp, input: Input) {
        if input == Input::Digit('*') && self.conference_star(now) {
            return;
        }
        let more = self.standing_form(now);
        if let Some(Some(inner)) = self.inner_slot() {
            inner.more = more;
            inner.handle(now, input);
        }
        self.absorb(now);
    }

    pub(super) fn wake_inside(&mut self, now: Timestamp) {
        let more = self.standing_form(now);
        if let Some(Some(inner)) = self.inner_slot()
            && inner.poll_timeout().is_some_and(|at| at <= now)
        {
            inner.more = more;
            inner.handle_timeout(now);
        }
        self.absorb(now);
    }

    /// What the run inside wants is wanted; what ends it ends more than it.
    pub(super) fn absorb(&mut self, now: Timestamp) {
        let Some(Some(inner)) = self.inner_slot() else {
            return;
        };
        let actions = std::mem::take(&mut inner.actions);
        let remarks = std::mem::take(&mut inner.remarks);
        let numbers = inner.numbers;
        let is_announced = inner.is_over() && inner.role == Role::Announcement;
        if inner.is_over()
            && let Some(slot) = self.inner_slot()
        {
            *slot = None;
        }
        self.numbers = numbers;
        for remark in remarks {
            self.remark(remark);
        }
        for action in actions {
            match action {
                Action::Finished => self.push(Action::WhisperDone),
                Action::HangUp { .. } => return self.hang_up(now, Cause::normal()),
                Action::LeaveQueue => return self.leave_queue(now),
                action => self.push(action),
            }
        }
        if is_announced {
            self.hold_again(now);
        }
    }

    /// Ends the run inside: something else is to be heard.
    pub(super) fn stop_inside(&mut self, now: Timestamp, inner: Option<Box<Run>>) {
        let Some(mut inner) = inner else {
            return;
        };
        inner.put_down(now, Parting::GoesOn);
        self.numbers = inner.numbers;
        for remark in std::mem::take(&mut inner.remarks) {
            self.remark(remark);
        }
        for action in std::mem::take(&mut inner.actions) {
            self.push(action);
        }
    }
}
