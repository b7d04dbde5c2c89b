//! The way of a task through its workflow: which step is next, and what each asks for
//! (requirements, section 2.2, rules 1 to 10).

use serde_json::{Map, Value};

use super::event::{About, EventName};
use super::fact::Decision;
use super::index::{Rules, StepRule};
use super::machine::Router;
use super::state::{State, Step, Task};
use super::{
    At, Known, KnownWorker, LeftWhy, MovedWhy, NobodyWhy, Output, Passed, PassedWhy, QueueSpec,
    RevokedWhy, SkippedWhy, StepSpec, WhenNobody, WorkerKey, WorkflowSpec,
};

/// Most bytes of what a customer is remembered by: numbers, addresses and keys are shorter, and
/// 100,000 of them are in every snapshot.
const LONGEST_CUSTOMER: usize = 256;

/// Where a task goes from where it is.
enum Way {
    To(At, Vec<Passed>),
    Out(LeftWhy, Vec<Passed>),
}

impl Router {
    /// Sends a task to its next step, or out.
    pub(super) fn go_on(&mut self, number: u64, why: MovedWhy) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let id = task.id.clone();
        let decision = match self.way(task, why) {
            Way::Out(why, passed) => Decision::TaskDropped {
                task: id,
                why,
                passed,
            },
            Way::To(to, passed) => {
                let content = self.state.content_of(task);
                let spec = content.and_then(|content| content.step(to));
                Decision::Moved {
                    known: spec.and_then(|spec| self.known_worker(task, spec)),
                    task: id,
                    to,
                    why,
                    passed,
                }
            }
        };
        self.decide(decision);
    }

    fn way(&self, task: &Task, why: MovedWhy) -> Way {
        let Some((content, rules)) = self.workflow_of(task) else {
            // Put into a queue: there is nowhere else to go.
            return Way::Out(LeftWhy::WorkflowSkipped, Vec::new());
        };
        let mut passed = Vec::new();
        let (mut filter, mut step) = match task.step.as_ref().and_then(|step| step.at) {
            None => (0, 0),
            Some(At::Filter(filter, step)) => (filter, step + 1),
            Some(At::Default) => (usize::MAX, 0),
        };
        let was_default = filter == usize::MAX;
        // A filter entered in its middle matched before.
        let mut is_match = step > 0;
        while let Some(spec) = content.filters.get(filter) {
            let at = At::Filter(filter, step);
            if !is_match && !rules.is_for(filter, &task.attributes) {
                let why = PassedWhy::NoMatch;
                passed.push(Passed { at, why });
            } else if let Some(target) = spec.steps.get(step) {
                match self.closed(task, target) {
                    None => return Way::To(at, passed),
                    Some(why) => {
                        passed.push(Passed { at, why });
                        (step, is_match) = (step + 1, true);
                        continue;
                    }
                }
            }
            (filter, step, is_match) = (filter + 1, 0, false);
        }
        let why_out = match why {
            MovedWhy::Entered if passed.iter().all(|one| one.why == PassedWhy::NoMatch) => {
                LeftWhy::Unmatched
            }
            MovedWhy::Entered => LeftWhy::WorkflowSkipped,
            MovedWhy::Skipped(_) => LeftWhy::WorkflowSkipped,
            MovedWhy::TimedOut => LeftWhy::WorkflowTimedOut,
        };
        // Who timed out never comes to the default filter.
        let default = content
            .default
            .as_ref()
            .filter(|_| !was_default && why != MovedWhy::TimedOut);
        match default.map(|target| self.closed(task, target)) {
            Some(None) => Way::To(At::Default, passed),
            Some(Some(why)) => {
                let at = At::Default;
                passed.push(Passed { at, why });
                Way::Out(LeftWhy::WorkflowSkipped, passed)
            }
            None => Way::Out(why_out, passed),
        }
    }

    /// Why a task cannot enter a step's queue. Whoever stands in it already takes no room that he
    /// does not have, and may stay in one that drains.
    fn closed(&self, task: &Task, spec: &StepSpec) -> Option<PassedWhy> {
        let Some((place, _, queue)) = self.state.queues.get_full(&spec.queue) else {
            return Some(PassedWhy::QueueGone);
        };
        if task.queue() == Some(&spec.queue) {
            None
        } else if queue.draining {
            Some(PassedWhy::QueueGone)
        } else if self.index.queues[place].line.len() >= queue.spec.max_waiting {
            Some(PassedWhy::QueueFull)
        } else {
            None
        }
    }

    /// The worker a task names for a step.
    pub(super) fn known_worker(&self, task: &Task, spec: &StepSpec) -> Option<Known> {
        let KnownWorker { path, by } = spec.known_worker.as_ref()?;
        let name = match value_at(&task.attributes, path) {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Some(Known::Null),
        };
        let place = match by {
            WorkerKey::Name => self.state.workers.get_index_of(&name),
            WorkerKey::Sid => {
                let by_sid = self
                    .index
                    .attributes
                    .find(&["sid".to_owned()], &Value::String(name.clone()));
                let by_sid = by_sid.first().map(|place| *place as usize);
                by_sid.or_else(|| self.state.workers.get_index_of(&name))
            }
        };
        let Some(place) = place else {
            return Some(Known::Unknown(name));
        };
        let serving = self.state.queues.get_index_of(&spec.queue);
        let serving = serving.zip(self.state.channel(&task.channel));
        let serves = serving.is_some_and(|(queue, channel)| {
            self.index.queues[queue].channels[channel]
                .workers
                .has(place)
        });
        let (name, _) = self.state.workers.get_index(place)?;
        Some(match serves {
            true => Known::Worker(name.clone()),
            false => Known::OutsideQueue(name.clone()),
        })
    }

    /// A task comes to a step.
    pub(super) fn move_task(&mut self, number: u64, to: At, why: MovedWhy, known: Option<Known>) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let content = self.state.content_of(task);
        let Some(spec) = content.and_then(|content| content.step(to)).cloned() else {
            return;
        };
        let before = task.step.as_ref();
        let queued = before
            .filter(|step| step.spec.queue == spec.queue)
            .map(|step| step.queued);
        let left = before.map(|step| step.spec.queue.clone());
        let priority = spec.priority.unwrap_or(task.priority);
        let (channel, clock) = (task.channel.clone(), self.state.clock);
        let step = self.step_of(spec, Some(to), known, &channel, clock, queued);
        let queue = step.spec.queue.clone();
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        task.priority = priority;
        task.step = Some(step);
        let about = About::task(task);
        let (task, call) = (task.id.clone(), task.call.clone());
        self.tell_move(about, left, why);
        self.index.repool(number);
        self.task_changed(number);
        self.dirty.tasks.insert(number);
        let at = to;
        self.say(Output::Moved {
            task,
            call,
            queue,
            at,
        });
    }

    fn tell_move(&mut self, about: About, left: Option<String>, why: MovedWhy) {
        let reason = match why {
            MovedWhy::Entered => None,
            MovedWhy::Skipped(why) => Some(why.as_str().to_owned()),
            MovedWhy::TimedOut => Some("timed_out".to_owned()),
        };
        if why == MovedWhy::TimedOut {
            let queue = left.clone();
            self.event(
                EventName::QueueTimeout,
                About {
                    queue,
                    ..about.clone()
                },
            );
        }
        if why == MovedWhy::Entered {
            self.event(
                EventName::WorkflowEntered,
                About {
                    queue: None,
                    ..about.clone()
                },
            );
        }
        let about = About { reason, ..about };
        self.event(EventName::WorkflowMatched, about.clone());
        match left {
            None => self.event(EventName::QueueEntered, about),
            Some(left) if Some(&left) != about.queue.as_ref() => {
                self.event(EventName::QueueMoved, about);
            }
            Some(_) => {}
        }
    }

    /// A task begins its workflow anew; offers of it are taken back. In a queue it stays.
    pub(super) fn start_anew(&mut self, number: u64) {
        self.take_back_all(number, RevokedWhy::Reevaluated);
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        if task.workflow.is_some() {
            // The newest content of the same name, when the plan still has it.
            let name = task
                .workflow
                .as_deref()
                .and_then(|key| Some(key.rsplit_once('@')?.0));
            let newest = name.and_then(|name| self.state.workflows.get(name));
            task.workflow = newest.cloned().or(task.workflow.take());
            task.step = None;
        }
        self.index.repool(number);
        self.task_changed(number);
        self.dirty.tasks.insert(number);
    }

    /// Why a task is not to stay at the step it is at, though nothing is wrong with it.
    pub(super) fn skips(&self, number: u64) -> Option<SkippedWhy> {
        let task = self.state.tasks.get(&number)?;
        let step = task.step.as_ref()?;
        let (content, rules) = self.workflow_of(task)?;
        let rule = rules.step(step.at?)?;
        if step.is_fresh && self.skip_if_holds(rule, step, &task.channel) {
            return Some(SkippedWhy::SkipIf);
        }
        match self.nobody_for(number)? {
            why if !why.matters_to(content.skip_when_nobody) => None,
            NobodyWhy::NoMatch => Some(SkippedWhy::NoMatch),
            NobodyWhy::NoneOnDuty => Some(SkippedWhy::NoneOnDuty),
        }
    }

    fn skip_if_holds(&self, rule: &StepRule, step: &Step, channel: &str) -> bool {
        let Some(skip_if) = &rule.skip_if else {
            return false;
        };
        let queue = self.state.queues.get_index_of(&step.spec.queue);
        let serving = queue.zip(self.state.channel(channel));
        let counts = serving
            .map(|(queue, channel)| self.worker_counts(queue, channel))
            .unwrap_or_default();
        skip_if.eval_counts(&counts)
    }

    /// What `skip_if` sees as `workers.`: counted over those who serve the queue on the channel,
    /// in available activities and not, and by activity.
    fn worker_counts(&self, queue: usize, channel: usize) -> Map<String, Value> {
        let mut counts: Map<String, Value> = Map::new();
        let mut count = |key: &str, by: u64| {
            let before = counts.get(key).and_then(Value::as_u64).unwrap_or(0);
            counts.insert(key.to_owned(), Value::from(before + by));
        };
        for activity in &self.state.activities {
            count(&activity.name, 0);
        }
        let (mut available, mut unavailable) = (0, 0);
        for place in self.index.queues[queue].channels[channel].workers.iter() {
            let worker = &self.state.workers[place];
            match worker.is_on_duty() {
                true => available += 1,
                false => unavailable += 1,
            }
            count(&worker.activity, 1);
        }
        counts.insert("available".to_owned(), Value::from(available));
        counts.insert("unavailable".to_owned(), Value::from(unavailable));
        counts
    }

    /// Whether nobody can take a task, and why.
    pub(super) fn nobody_for(&self, number: u64) -> Option<NobodyWhy> {
        let place = self.index.place(number)?;
        let pool = self.index.pools.get(place.pool)?;
        let serving = &self.index.queues[place.queue].channels[place.channel].workers;
        if pool.members.is_empty(serving) {
            Some(NobodyWhy::NoMatch)
        } else if !pool.members.meets(&self.index.on_duty, serving) {
            Some(NobodyWhy::NoneOnDuty)
        } else {
            None
        }
    }

    /// Why a task that was put into a queue is to be told that nobody can take it.
    pub(super) fn told_nobody(&self, number: u64) -> Option<NobodyWhy> {
        let task = self.state.tasks.get(&number)?;
        if task.workflow.is_some() || task.nobody_told {
            return None;
        }
        let policy = self
            .queue_spec(number)
            .map_or(WhenNobody::Wait, |spec| spec.when_nobody);
        self.nobody_for(number).filter(|why| why.matters_to(policy))
    }

    fn workflow_of(&self, task: &Task) -> Option<(&WorkflowSpec, &Rules)> {
        let key = task.workflow.as_ref()?;
        Some((self.state.contents.get(key)?, self.index.rules.get(key)?))
    }

    /// The queue a task stands in.
    pub(super) fn queue_spec(&self, number: u64) -> Option<std::sync::Arc<QueueSpec>> {
        let task = self.state.tasks.get(&number)?;
        Some(self.state.queues.get(task.queue()?)?.spec.clone())
    }

    /// What a sticky queue remembers a task's customer by.
    pub(super) fn customer(&self, number: u64) -> Option<String> {
        customer(&self.state, self.state.tasks.get(&number)?)
    }
}

/// What a sticky queue remembers a task's customer by: the queue and the customer. Nothing of one
/// longer than any number, address or key.
pub(super) fn customer(state: &State, task: &Task) -> Option<String> {
    let queue = task.queue()?;
    let path = state.queues.get(queue)?.spec.sticky.as_ref()?;
    let value = match value_at(&task.attributes, path)? {
        Value::String(text) if text.len() <= LONGEST_CUSTOMER => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(format!("{queue}\n{value}"))
}

/// The value at a path such as `task.owner`, `owner` or `customer.id`.
fn value_at<'a>(task: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut keys = path.trim().split('.').peekable();
    if keys.peek() == Some(&"task") && !task.contains_key("task") {
        keys.next();
    }
    let mut value = task.get(keys.next()?)?;
    for key in keys {
        value = value.get(key)?;
    }
    Some(value)
}
