//! `<Enqueue>` under way: a caller in a line, with what he hears there and how it ended.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::action::{Action, Enqueueing, QueueNews, Standing, WaitSound};
use super::super::facts::{API_VERSION, CallStatus, Form};
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::notice::{add, seconds};
use super::super::verb::{Enqueue, Line, TaskTerms};
use super::{Parting, Position, Role, Run, Turn};
use crate::base::Timestamp;
use crate::router::Destination;

/// A caller in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queueing {
    action: Option<Link>,
    wait: Option<Link>,
    entered: Timestamp,
    /// When he stopped waiting.
    left: Option<Timestamp>,
    standing: Option<Standing>,
    stage: Stage,
    pub(super) inner: Option<Box<Run>>,
}

/// How far a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Bridged,
    Bridging,
    Waits,
}

impl Run {
    pub(super) fn enqueue(&mut self, now: Timestamp, verb: Enqueue) -> Turn {
        self.answer(now);
        let silence = verb.wait.as_ref().is_some_and(|wait| wait.url.is_empty());
        let wait = verb.wait.filter(|wait| !wait.url.is_empty());
        let wait = self.absolute(wait.as_ref());
        let sound = match (&wait, silence) {
            (Some(_), _) => WaitSound::Document,
            (None, true) => WaitSound::Silence,
            (None, false) => WaitSound::Music,
        };
        let enqueueing = self.standing_in(verb.line, sound);
        self.push(Action::Enqueue(enqueueing));
        self.position = Position::Queueing(Box::new(Queueing {
            action: verb.action,
            wait,
            entered: now,
            left: None,
            standing: None,
            stage: Stage::Waits,
            inner: None,
        }));
        Turn::Stay
    }

    fn standing_in(&self, line: Line, wait: WaitSound) -> Enqueueing {
        let (to, max_size, task) = match line {
            Line::Queue { name, max_size } => (
                Destination::Queue(name),
                Some(max_size),
                TaskTerms::default(),
            ),
            Line::Workflow { workflow, task } => (Destination::Workflow(workflow), None, task),
        };
        let mut attributes = self.attributes();
        attributes.extend(task.attributes);
        Enqueueing {
            to,
            max_size,
            attributes,
            priority: i64::from(task.priority),
            timeout: task.timeout,
            wait,
        }
    }

    /// What a task of the call says without being told.
    fn attributes(&self) -> Map<String, Value> {
        let facts = &self.facts;
        let known = [
            ("call_sid", facts.call.as_str()),
            ("account_sid", facts.account.as_str()),
            ("from", &facts.from),
            ("to", &facts.to),
            ("caller", &facts.from),
            ("called", &facts.to),
            ("direction", facts.direction.as_str()),
            ("call_status", self.status.as_str()),
            ("api_version", API_VERSION),
        ];
        let known = known.map(|(name, value)| (name.to_owned(), Value::from(value)));
        known.into_iter().collect()
    }

    pub(super) fn handle_queue(&mut self, now: Timestamp, news: QueueNews) {
        let Position::Queueing(queueing) = &mut self.position else {
            return;
        };
        match news {
            QueueNews::Standing(standing) => {
                let is_first = queueing.standing.replace(standing).is_none();
                let wait = queueing
                    .wait
                    .clone()
                    .filter(|_| is_first && queueing.stage == Stage::Waits);
                if let Some(wait) = wait {
                    let more = self.standing_form(now);
                    self.hear_inside(now, Role::QueueWait, wait, more);
                }
            }
            QueueNews::Whisper { link, by } => {
                let mut more = self.standing_form(now);
                // The public platform writes it with one u.
                add(&mut more, "DequeingCallSid", by.as_str());
                self.silence(now);
                match link.resolve(None) {
                    Ok(link) => self.hear_inside(now, Role::QueueWhisper, link, more),
                    Err(fault) => {
                        self.remark(fault);
                        self.push(Action::WhisperDone);
                    }
                }
            }
            QueueNews::BridgingInProcess => self.stops_waiting(now, Stage::Bridging),
            QueueNews::Bridged => self.stops_waiting(now, Stage::Bridged),
            QueueNews::BridgeEnded => self.finish_queue(now, "bridged"),
            QueueNews::Full => self.finish_queue(now, "queue-full"),
            QueueNews::GivenBack => self.waits_again(now),
            QueueNews::Failed { words, own } => {
                self.remark(Fault::new(code::SCHEMA, words));
                self.finish_queue(now, if own { "system-error" } else { "error" });
            }
        }
    }

    fn hear_inside(&mut self, now: Timestamp, role: Role, link: Link, more: Form) {
        let inner = self.inside(now, role, link, more);
        if let Position::Queueing(queueing) = &mut self.position {
            queueing.inner = Some(inner);
        }
        self.absorb(now);
    }

    fn silence(&mut self, now: Timestamp) {
        if let Position::Queueing(queueing) = &mut self.position {
            let inner = queueing.inner.take();
            self.stop_inside(now, inner);
        }
    }

    fn stops_waiting(&mut self, now: Timestamp, stage: Stage) {
        self.silence(now);
        if let Position::Queueing(queueing) = &mut self.position {
            queueing.stage = stage;
            queueing.left.get_or_insert(now);
        }
    }

    fn waits_again(&mut self, now: Timestamp) {
        self.silence(now);
        let Position::Queueing(queueing) = &mut self.position else {
            return;
        };
        (queueing.stage, queueing.left) = (Stage::Waits, None);
        // One who was not told yet where he stands hears it then.
        let known = queueing.standing.is_some();
        if let Some(wait) = queueing.wait.clone().filter(|_| known) {
            let more = self.standing_form(now);
            self.hear_inside(now, Role::QueueWait, wait, more);
        }
    }

    /// Where the caller stands, as wait documents are told.
    pub(super) fn standing_form(&self, now: Timestamp) -> Form {
        let mut form = Form::new();
        let Position::Queueing(queueing) = &self.position else {
            return form;
        };
        if let Some(standing) = &queueing.standing {
            add(&mut form, "QueueSid", standing.queue.as_str());
            add(&mut form, "QueuePosition", standing.position.to_string());
            add(&mut form, "CurrentQueueSize", standing.size.to_string());
            add(&mut form, "MaxQueueSize", standing.max_size.to_string());
            add(&mut form, "AvgQueueTime", seconds(standing.average_wait));
        }
        add(&mut form, "QueueTime", seconds(now.since(queueing.entered)));
        form
    }

    /// `<Leave>` of a wait document.
    pub(super) fn leave_queue(&mut self, now: Timestamp) {
        self.push(Action::LeaveQueue);
        self.finish_queue(now, "leave");
    }

    fn finish_queue(&mut self, now: Timestamp, result: &str) {
        self.silence(now);
        let Position::Queueing(queueing) = std::mem::replace(&mut self.position, Position::Idle)
        else {
            return;
        };
        match &queueing.action {
            Some(action) => self.transfer(now, Some(action), queueing.form(now, result)),
            None => self.advance(now),
        }
    }

    pub(super) fn put_down_queue(
        &mut self,
        now: Timestamp,
        mut queueing: Queueing,
        parting: Parting,
    ) {
        let inner = queueing.inner.take();
        if parting == Parting::GoesOn {
            self.stop_inside(now, inner);
            self.push(Action::LeaveQueue);
        }
        let (result, status) = match (parting, queueing.stage) {
            (Parting::GoesOn, Stage::Waits) => ("redirected", CallStatus::InProgress),
            (Parting::GoesOn, _) => ("redirected-from-bridged", CallStatus::InProgress),
            (_, Stage::Bridged) => ("bridged", CallStatus::Completed),
            (_, Stage::Bridging) => ("bridging-in-process", CallStatus::Completed),
            (_, Stage::Waits) => ("hangup", CallStatus::Completed),
        };
        let form = queueing.form(now, result);
        self.tell_action(queueing.action.as_ref(), form, status);
    }
}

impl Queueing {
    fn form(&self, now: Timestamp, result: &str) -> Form {
        let mut form = Form::new();
        add(&mut form, "QueueResult", result);
        if let Some(standing) = &self.standing {
            add(&mut form, "QueueSid", standing.queue.as_str());
        }
        let until = self.left.unwrap_or(now);
        add(&mut form, "QueueTime", seconds(until.since(self.entered)));
        form
    }
}
