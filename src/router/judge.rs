//! Whether a command may be carried out, and what is wrong with it when not. Changes nothing.

use serde_json::{Map, Value};

use super::machine::Router;
use super::state::{Status, Task};
use super::{Command, Destination, NewTask, Plan, QueueSpec, Refusal};
use crate::base::{ReservationId, TaskId};

/// Most bytes of a task's attributes, as JSON.
const MAX_ATTRIBUTES: usize = 64 * 1024;
/// Most levels of a task's attributes, themselves the first: what is written is read back with
/// what stands around it, and serde_json reads 127.
const DEEPEST_ATTRIBUTES: usize = 64;

/// Whether an acceptable command changes anything.
pub(super) enum Effect {
    None,
    Some,
}

impl Router {
    pub(super) fn judge(&self, command: &Command) -> Result<Effect, Refusal> {
        match command {
            Command::Accept { reservation } => self.judge_open(reservation),
            Command::ActivatePlan {
                plan, reevaluate, ..
            } => {
                return self.judge_plan(plan, *reevaluate);
            }
            Command::CancelTask { task, .. } => self.task(task).map(|_| ()),
            Command::Complete { task, code } => self.judge_complete(task, code.as_ref()),
            Command::CreateTask(new) => self.judge_new(new),
            Command::EndWrap { worker, task, code } => self.judge_end_wrap(worker, task, code),
            Command::ExtendWrap { worker, .. } => {
                let mut wraps = self.worker(worker)?.wraps();
                match wraps.any(|wrap| wrap.until.is_some()) {
                    true => Ok(()),
                    false => Err(Refusal::NotInWrapUp),
                }
            }
            Command::GiveBack { reservation, .. } => match self.status_of(reservation) {
                Some(Status::Assigned { .. }) => Ok(()),
                Some(Status::Reserved(_)) => Err(Refusal::NotAssigned),
                Some(Status::Pending) | None => Err(Refusal::ReservationOver),
            },
            Command::Recover { .. } => Ok(()),
            Command::Reject {
                reservation,
                activity,
                ..
            } => {
                self.judge_open(reservation)?;
                activity
                    .as_ref()
                    .map_or(Ok(()), |name| self.judge_activity(name))
            }
            Command::SetActivity {
                worker,
                activity,
                reject_pending,
                ..
            } => {
                self.worker(worker)?;
                self.judge_activity(activity)?;
                match *reject_pending && self.state.is_available(activity) {
                    true => Err(Refusal::ActivityAvailable),
                    false => Ok(()),
                }
            }
            Command::SetBusy {
                worker,
                shard,
                busy,
            } => {
                return Ok(effect(self.worker(worker)?.busy.contains(shard) != *busy));
            }
            Command::SetNextActivity {
                worker, activity, ..
            } => {
                self.worker(worker)?;
                activity
                    .as_ref()
                    .map_or(Ok(()), |name| self.judge_activity(name))
            }
            Command::SetReachable { worker, reachable } => {
                return Ok(effect(self.worker(worker)?.reachable != *reachable));
            }
            Command::StartWrap { worker, .. } => self.worker(worker).map(|_| ()),
            Command::UpdateTask {
                task,
                attributes,
                started,
                reevaluate,
                ..
            } => {
                let known = self.task(task)?;
                if *reevaluate && known.is_assigned() {
                    return Err(Refusal::Assigned);
                }
                if started.is_some_and(|at| at > self.state.clock.max(self.now())) {
                    return Err(Refusal::NotPast);
                }
                attributes.as_ref().map_or(Ok(()), fits)
            }
        }
        .map(|()| Effect::Some)
    }

    fn task(&self, id: &TaskId) -> Result<&Task, Refusal> {
        let number = self.index.tasks.get(id);
        let task = number.and_then(|number| self.state.tasks.get(number));
        task.ok_or(Refusal::UnknownTask)
    }

    fn worker(&self, name: &str) -> Result<&super::state::Worker, Refusal> {
        self.state.workers.get(name).ok_or(Refusal::UnknownWorker)
    }

    fn status_of(&self, reservation: &ReservationId) -> Option<&Status> {
        let number = self.index.reservations.get(reservation)?;
        Some(&self.state.tasks.get(number)?.status)
    }

    fn judge_open(&self, reservation: &ReservationId) -> Result<(), Refusal> {
        match self.status_of(reservation) {
            Some(Status::Reserved(_)) => Ok(()),
            Some(Status::Assigned { .. }) => Err(Refusal::AlreadyAccepted),
            Some(Status::Pending) | None => Err(Refusal::ReservationOver),
        }
    }

    fn judge_activity(&self, name: &str) -> Result<(), Refusal> {
        match self.state.knows_activity(name) {
            true => Ok(()),
            false => Err(Refusal::UnknownActivity),
        }
    }

    fn judge_plan(&self, plan: &Plan, reevaluate: bool) -> Result<Effect, Refusal> {
        let errors = plan.check();
        if !errors.is_empty() {
            return Err(Refusal::InvalidPlan(errors));
        }
        let is_current = plan.generation == self.state.generation && plan.hash() == self.state.plan;
        Ok(effect(!is_current || reevaluate))
    }

    fn judge_new(&self, new: &NewTask) -> Result<(), Refusal> {
        // The ids of calls' tasks are our own and never the same.
        let is_wrapped = || new.call.is_none() && self.is_wrapped(&new.task);
        if self.index.tasks.contains_key(&new.task) || is_wrapped() {
            return Err(Refusal::DuplicateTask);
        }
        if self.state.channel(&new.channel).is_none() {
            return Err(Refusal::UnknownChannel);
        }
        if new
            .started
            .is_some_and(|at| at > self.state.clock.max(self.now()))
        {
            return Err(Refusal::NotPast);
        }
        match &new.to {
            Destination::Queue(name) => {
                let (place, _, queue) = self
                    .state
                    .queues
                    .get_full(name)
                    .ok_or(Refusal::UnknownQueue)?;
                if queue.draining {
                    return Err(Refusal::UnknownQueue);
                }
                if self.index.queues[place].line.len() >= queue.spec.max_waiting {
                    return Err(Refusal::QueueFull);
                }
            }
            Destination::Workflow(name) => {
                let known = self.state.workflows.contains_key(name);
                known.then_some(()).ok_or(Refusal::UnknownWorkflow)?;
            }
        }
        fits(&new.attributes)
    }

    fn judge_complete(&self, task: &TaskId, code: Option<&String>) -> Result<(), Refusal> {
        let known = self.task(task)?;
        if !known.is_assigned() {
            return Err(Refusal::NotAssigned);
        }
        let queue = known.queue().and_then(|name| self.state.queues.get(name));
        match (queue, code) {
            (Some(queue), Some(code)) => judge_code(&queue.spec, Some(code)),
            // Without a code its after-call work begins, and is asked for it at its end.
            _ => Ok(()),
        }
    }

    fn judge_end_wrap(
        &self,
        worker: &str,
        task: &Option<TaskId>,
        code: &Option<String>,
    ) -> Result<(), Refusal> {
        let mut wraps = self.worker(worker)?.wraps().filter(|wrap| {
            let after = wrap.after.as_ref().map(|after| &after.task);
            task.is_none() || after == task.as_ref()
        });
        let mut is_any = false;
        wraps.try_for_each(|wrap| {
            is_any = true;
            let queue = wrap.after.as_ref().map(|after| &after.queue);
            let queue = queue.and_then(|name| self.state.queues.get(name));
            queue.map_or(Ok(()), |queue| judge_code(&queue.spec, code.as_ref()))
        })?;
        is_any.then_some(()).ok_or(Refusal::NotInWrapUp)
    }
}

fn judge_code(queue: &QueueSpec, code: Option<&String>) -> Result<(), Refusal> {
    match code {
        None if queue.wrap_up_code_required => {
            Err(Refusal::CodeNeeded(queue.wrap_up_codes.clone()))
        }
        Some(code) if !queue.wrap_up_codes.contains(code) => {
            Err(Refusal::UnknownCode(queue.wrap_up_codes.clone()))
        }
        _ => Ok(()),
    }
}

fn effect(is_any: bool) -> Effect {
    match is_any {
        true => Effect::Some,
        false => Effect::None,
    }
}

fn fits(attributes: &Map<String, Value>) -> Result<(), Refusal> {
    if attributes
        .values()
        .any(|value| is_deeper(value, DEEPEST_ATTRIBUTES - 1))
    {
        return Err(Refusal::AttributesTooDeep);
    }
    let mut room = Room(MAX_ATTRIBUTES);
    serde_json::to_writer(&mut room, attributes).map_err(|_| Refusal::AttributesTooLarge)
}

/// Whether a value has more levels than this.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| is_deeper(value, levels - 1);
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(below),
        Value::Object(values) => levels == 0 || values.values().any(below),
        _ => false,
    }
}

/// Counts down the bytes that may still be written.
struct Room(usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(std::io::ErrorKind::WriteZero.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
