//! What windows see of the router: queues with their lines, workers with their states.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bits::Bits;
use super::machine::Router;
use super::state::{After, Engaged, Engagement, OrderKey, State, Task, Worker, Wrap};
use super::{At, Object, PlanView, Shown, WorkerSpec, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

/// The router at one moment, for HTTP, metrics and the wallboard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterView {
    /// Last fact it shows.
    pub sequence: u64,
    /// Time of that fact.
    pub at: Timestamp,
    /// Generation of the plan.
    pub generation: u64,
    /// Hash of the plan.
    pub plan: String,
    /// Queues in plan order, drained ones last.
    pub queues: Vec<QueueView>,
    /// Workers in plan order.
    pub workers: Vec<WorkerView>,
    /// Tasks, oldest first; at most [`RouterView::MAX_TASKS`].
    pub tasks: Vec<TaskView>,
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    /// Queue.
    pub name: String,
    /// Tasks in line, offered ones included.
    pub waiting: usize,
    /// How many of them are being offered.
    pub offered: usize,
    /// When the oldest of them entered.
    pub oldest_since: Option<Timestamp>,
    /// Tasks in conversation.
    pub assigned: usize,
    /// Workers whom the target matches, on whatever channel; for a target that looks at the task,
    /// all.
    pub members: usize,
    /// How many of them are on duty: reachable and in an available activity.
    pub on_duty: usize,
    /// How many of them can be offered a task of some channel right now.
    pub free: usize,
    /// Whether it is no longer in the plan and only drains.
    pub draining: bool,
}

/// A worker at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    /// As configured.
    #[serde(flatten)]
    pub spec: Arc<WorkerSpec>,
    /// Activity now.
    #[serde(rename = "current_activity")]
    pub activity: String,
    /// Why he is in this activity.
    pub reason: String,
    /// Whether the activity is an available one.
    pub available: bool,
    /// Whether the phone is registered.
    pub reachable: bool,
    /// What he is at.
    pub state: WorkerState,
    /// Since when he is at it.
    pub since: Timestamp,
    /// Where he goes when he has nothing left in hand.
    #[serde(default)]
    pub next_activity: Option<String>,
    /// Task he has, is offered or does the after-call work of; of several the first.
    pub task: Option<TaskId>,
    /// What he is engaged in, oldest first.
    #[serde(default)]
    pub engagements: Vec<EngagementView>,
    /// Queues whose target matches him.
    pub queues: Vec<String>,
    /// Whether he is no longer in the plan and only finishes.
    pub removed: bool,
    /// Sequence of the last fact that touched him.
    #[serde(default)]
    pub version: u64,
}

/// One thing a worker is engaged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngagementView {
    /// Channel whose capacity it takes; empty for after-call work begun by hand.
    pub channel: String,
    /// `Reserved`, `Talking` or `WrapUp`.
    pub state: WorkerState,
    /// Task.
    pub task: Option<TaskId>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself: after-call work that lasts so long.
    pub until: Option<Timestamp>,
}

/// A task at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Task.
    pub task: TaskId,
    /// Its call, when it stands for one.
    pub call: Option<CallId>,
    /// Its queue; empty before its first step.
    pub queue: String,
    /// Channel.
    pub channel: String,
    /// Its workflow, when it did not go straight into a queue.
    pub workflow: Option<String>,
    /// The step it is at.
    pub at: Option<At>,
    /// What expressions see of it.
    pub attributes: Arc<Map<String, Value>>,
    /// Priority.
    pub priority: i64,
    /// From when on its wait counts.
    pub entered: Timestamp,
    /// Place in line; `None` once it is assigned.
    pub position: Option<usize>,
    /// Offer that is out or was accepted; of several the first.
    pub reservation: Option<ReservationId>,
    /// Worker of that offer.
    pub worker: Option<String>,
    /// Offers that are out, or the one that was accepted.
    #[serde(default)]
    pub reservations: Vec<OfferView>,
    /// Whether the offer was accepted.
    pub assigned: bool,
    /// Whether its conversation is over and its after-call work is not.
    #[serde(default)]
    pub wrapping: bool,
    /// How often it was offered.
    pub offers: u32,
    /// Sequence of the last fact that touched it.
    #[serde(default)]
    pub version: u64,
}

/// An offer at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    /// Offer.
    pub reservation: ReservationId,
    /// Worker.
    pub worker: String,
    /// When it is withdrawn, or when the after-call work ends by itself.
    pub until: Option<Timestamp>,
}

impl RouterView {
    /// Most tasks a view lists.
    pub const MAX_TASKS: usize = 1000;

    /// The task of a call.
    pub fn task_of(&self, call: &CallId) -> Option<&TaskView> {
        self.tasks
            .iter()
            .find(|task| task.call.as_ref() == Some(call))
    }
}

impl Router {
    /// The router as windows see it.
    pub fn view(&self) -> RouterView {
        let State {
            sequence,
            clock,
            generation,
            ref plan,
            ..
        } = self.state;
        RouterView {
            sequence,
            at: clock,
            generation,
            plan: plan.clone(),
            queues: self.queue_views(),
            workers: self.worker_views(),
            tasks: self.task_views(),
        }
    }

    fn queue_views(&self) -> Vec<QueueView> {
        let known = self.state.queues.iter().zip(&self.index.queues);
        known
            .filter(|((_, queue), lane)| {
                !queue.draining || lane.assigned > 0 || !lane.line.is_empty()
            })
            .map(|((name, queue), lane)| {
                let tasks = lane.line.iter().map(OrderKey::number);
                let tasks = tasks.filter_map(|number| self.state.tasks.get(&number));
                let (mut members, mut free) = (Bits::default(), Bits::default());
                for (serving, channel) in lane.channels.iter().zip(&self.index.channels) {
                    members.unite(&serving.workers);
                    free.unite(&serving.workers.both(&channel.free));
                }
                QueueView {
                    name: name.clone(),
                    waiting: lane.line.len(),
                    offered: lane.offered,
                    oldest_since: tasks.map(|task| task.started).min(),
                    assigned: lane.assigned,
                    members: members.count(),
                    on_duty: members.count_shared(&self.index.on_duty),
                    free: free.count(),
                    draining: queue.draining,
                }
            })
            .collect()
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        let known = self.state.workers.values().enumerate();
        known
            .filter(|(_, worker)| !worker.removed || worker.state() != WorkerState::Away)
            .map(|(place, worker)| self.worker_view(place, worker))
            .collect()
    }

    fn worker_view(&self, place: usize, worker: &Worker) -> WorkerView {
        let engagements = worker.engagements.iter();
        let engagements: Vec<EngagementView> =
            engagements.map(|one| self.engagement_view(one)).collect();
        let serves = self.index.workers.get(place);
        let serves = serves.into_iter().flat_map(|slot| &slot.serves);
        let mut queues: Vec<usize> = serves.map(|serve| serve.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        let queues = queues.into_iter();
        WorkerView {
            spec: worker.spec.clone(),
            activity: worker.activity.clone(),
            reason: worker.reason.clone(),
            available: worker.available,
            reachable: worker.reachable,
            state: worker.state(),
            since: worker.since,
            next_activity: worker.next_activity.clone(),
            task: engagements.iter().find_map(|one| one.task.clone()),
            engagements,
            queues: queues
                .filter_map(|place| self.state.queues.get_index(place))
                .map(|(name, _)| name.clone())
                .collect(),
            removed: worker.removed,
            version: worker.version,
        }
    }

    fn engagement_view(&self, one: &Engagement) -> EngagementView {
        let id = |number: &u64| Some(self.state.tasks.get(number)?.id.clone());
        let (state, task, until) = match &one.what {
            Engaged::Assigned(number) => (WorkerState::Talking, id(number), None),
            Engaged::Reserved(number) => (WorkerState::Reserved, id(number), None),
            Engaged::Wrapping(wrap) => {
                let after = wrap.after.as_ref().map(|after| after.task.clone());
                (WorkerState::WrapUp, after, wrap.until)
            }
        };
        EngagementView {
            channel: one.channel.clone(),
            state,
            task,
            since: one.since,
            until,
        }
    }

    fn task_views(&self) -> Vec<TaskView> {
        let mut positions = HashMap::new();
        for lane in &self.index.queues {
            let places = lane.line.iter().take(RouterView::MAX_TASKS).enumerate();
            positions.extend(places.map(|(place, key)| (key.number(), place + 1)));
        }
        let tasks = self.state.tasks.iter().take(RouterView::MAX_TASKS);
        tasks
            .map(|(number, task)| self.task_view(task, positions.get(number).copied()))
            .collect()
    }

    fn task_view(&self, task: &Task, position: Option<usize>) -> TaskView {
        let open = task.reservations().iter();
        let until = |id: &ReservationId| {
            let own = open.clone().find(|one| one.id == *id);
            own.map(|one| one.expires_at)
        };
        let holders = task.holders().map(|(worker, id)| OfferView {
            reservation: id.clone(),
            worker: worker.clone(),
            until: until(id),
        });
        let reservations: Vec<OfferView> = holders.collect();
        let first = reservations.first();
        let content = self.state.content_of(task);
        TaskView {
            task: task.id.clone(),
            call: task.call.clone(),
            queue: task.queue().cloned().unwrap_or_default(),
            channel: task.channel.clone(),
            workflow: content.map(|content| content.name.clone()),
            at: task.step.as_ref().and_then(|step| step.at),
            attributes: task.attributes.clone(),
            priority: task.priority,
            entered: task.started,
            position,
            reservation: first.map(|one| one.reservation.clone()),
            worker: first.map(|one| one.worker.clone()),
            reservations,
            assigned: task.is_assigned(),
            wrapping: false,
            offers: task.offers,
            version: task.version,
        }
    }

    /// A thing as it is now.
    pub fn look(&self, object: &Object) -> Option<Shown> {
        match object {
            Object::Worker(name) => {
                let (place, _, worker) = self.state.workers.get_full(name)?;
                Some(Shown::Worker(Box::new(self.worker_view(place, worker))))
            }
            Object::Task(id) => {
                let task = match self.index.tasks.get(id) {
                    Some(number) => self.one_task(*number)?,
                    None => self.wrapped(|after| after.task == *id)?,
                };
                Some(Shown::Task(Box::new(task)))
            }
            Object::Reservation(id) => {
                let task = match self.index.reservations.get(id) {
                    Some(number) => self.one_task(*number)?,
                    None => self.wrapped(|after| after.reservation.as_ref() == Some(id))?,
                };
                Some(Shown::Task(Box::new(task)))
            }
        }
    }

    fn one_task(&self, number: u64) -> Option<TaskView> {
        let task = self.state.tasks.get(&number)?;
        let place = self.index.place(number).filter(|_| !task.is_assigned());
        let position =
            place.map(|place| self.index.queues[place.queue].line.before(&place.key) + 1);
        Some(self.task_view(task, position))
    }

    /// Whether a task is in after-call work.
    pub(super) fn is_wrapped(&self, task: &TaskId) -> bool {
        let places = self.index.wrapping.iter();
        let mut workers = places.filter_map(|place| Some(self.state.workers.get_index(place)?.1));
        let is_it = |wrap: &Wrap| wrap.after.as_ref().is_some_and(|after| after.task == *task);
        workers.any(|worker| worker.wraps().any(is_it))
    }

    /// A task in after-call work: what is left of it.
    fn wrapped(&self, is_it: impl Fn(&After) -> bool) -> Option<TaskView> {
        let places = self.index.wrapping.iter();
        let workers = places.filter_map(|place| Some(self.state.workers.get_index(place)?.1));
        let mut all = workers.flat_map(|worker| {
            let engagements = worker.engagements.iter();
            engagements.map(move |one| (worker, one))
        });
        all.find_map(|(worker, one)| {
            let Engaged::Wrapping(wrap) = &one.what else {
                return None;
            };
            let after = wrap.after.as_ref().filter(|after| is_it(after))?;
            let offer = after.reservation.as_ref().map(|reservation| OfferView {
                reservation: reservation.clone(),
                worker: worker.spec.name.clone(),
                until: wrap.until,
            });
            Some(TaskView {
                task: after.task.clone(),
                call: after.call.clone(),
                queue: after.queue.clone(),
                channel: one.channel.clone(),
                workflow: None,
                at: None,
                attributes: Arc::default(),
                priority: 0,
                entered: one.since,
                position: None,
                reservation: after.reservation.clone(),
                worker: Some(worker.spec.name.clone()),
                reservations: offer.into_iter().collect(),
                assigned: false,
                wrapping: true,
                offers: 0,
                version: worker.version,
            })
        })
    }

    /// What the plan says.
    pub fn plan_view(&self) -> PlanView {
        let queues = self.state.queues.values().filter(|queue| !queue.draining);
        let workflows = self.state.workflows.values();
        PlanView {
            generation: self.state.generation,
            plan: self.state.plan.clone(),
            queues: queues.map(|queue| queue.spec.clone()).collect(),
            workflows: workflows
                .filter_map(|key| self.state.contents.get(key))
                .cloned()
                .collect(),
        }
    }
}
