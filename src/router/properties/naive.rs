//! The router's choice computed the long way: every worker asked every question, from the state
//! alone. Slow, and so short that it can be seen to be right.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::idle::Idle;
use crate::expr::{Expression, Options, OrderBy, Scope, Subject};
use crate::router::state::{Engaged, State, Task, Worker};
use crate::router::{Known, NobodyWhy, OtherChannels, StepSpec, Strategy, VOICE, WorkflowSpec};

/// What a worker sees of a queue on a channel: its priority for him, and his delay.
type Serves = (u8, Duration);

thread_local! {
    /// Parsed once: it is no part of the question.
    static PARSED: RefCell<HashMap<(String, bool), Rc<Expression>>> = RefCell::default();
}

fn parsed(text: &str, lenient_arrays: bool) -> Rc<Expression> {
    let options = Options {
        lenient_arrays,
        ..Options::default()
    };
    let parse = || Rc::new(Expression::parse_with(text, options).expect("checked"));
    PARSED.with_borrow_mut(|known| {
        let known = known.entry((text.to_owned(), lenient_arrays));
        Rc::clone(known.or_insert_with(parse))
    })
}

pub(super) struct Naive<'a>(pub(super) &'a State);

impl Naive<'_> {
    /// Whether a pending task could be offered to a worker at once.
    pub(super) fn could_take(&self, number: u64, place: usize) -> bool {
        let task = &self.0.tasks[&number];
        let Some(step) = task.step.as_ref().filter(|step| !step.is_over) else {
            return false;
        };
        task.is_pending()
            && self.is_free(place, &task.channel)
            && self.fits(task, place, true)
            && !task.is_cooling(&self.name(place))
            && self.serves(task, place).is_some_and(|(_, delay)| {
                let delays = self.delays(task);
                delays
                    .iter()
                    .position(|one| *one == delay)
                    .is_none_or(|at| at < step.seen)
            })
    }

    /// The pending task a worker should take first.
    pub(super) fn first_for(&self, place: usize) -> Option<u64> {
        let tasks = self
            .0
            .tasks
            .iter()
            .filter(|(number, _)| self.could_take(**number, place));
        let keys = tasks.map(|(number, task)| {
            let order = self.0.queues[task.queue().expect("in one")].spec.order;
            let (priority, _) = self.serves(task, place).expect("he may");
            (
                priority,
                task.order_key(*number, order, self.0.prioritize_queue_order),
                *number,
            )
        });
        keys.min().map(|(_, _, number)| number)
    }

    /// Who should be offered a task now, best first, and whether chance decides.
    pub(super) fn chosen(&self, number: u64, idle: &Idle) -> (Vec<usize>, bool) {
        let task = &self.0.tasks[&number];
        let queue = &self.0.queues[task.queue().expect("in one")].spec;
        let all = 0..self.0.workers.len();
        let able: Vec<usize> = all
            .filter(|place| self.could_take(number, *place))
            .collect();
        // Who has the least in hand, then who is idle longest, then as the plan lists them.
        let idle = |place: usize| {
            let name = self.name(place);
            (self.in_hand(&name), idle.since(&name), place)
        };
        let mut sorted = able.clone();
        let of_step = self.step(task).and_then(|step| step.order_by.clone());
        let order = of_step.or(match &queue.strategy {
            Strategy::OrderBy(text) => Some(text.clone()),
            _ => None,
        });
        let mut is_chance = false;
        if let Some(order) = order {
            let order = OrderBy::parse(&order).expect("checked");
            let applies = able
                .iter()
                .all(|place| order.applies_to(&self.attributes(*place)));
            sorted.sort_by(|a, b| {
                let (one, other) = (self.attributes(*a), self.attributes(*b));
                let by = if applies {
                    order.compare(&one, &other)
                } else {
                    Ordering::Equal
                };
                by.then(idle(*a).cmp(&idle(*b)))
            });
        } else {
            let worker = |place: &usize| self.worker(*place);
            match queue.strategy {
                Strategy::LeastCalls => {
                    sorted.sort_by_key(|place| (worker(place).accepted, idle(*place)));
                }
                Strategy::RoundRobin => {
                    sorted.sort_by_key(|place| (worker(place).offered, idle(*place)));
                }
                Strategy::Random => is_chance = true,
                Strategy::LongestIdle | Strategy::OrderBy(_) => {
                    sorted.sort_by_key(|place| idle(*place));
                }
            }
        }
        if let Some(known) = self.served_by(task).filter(|place| able.contains(place)) {
            sorted.retain(|place| *place != known);
            sorted.insert(0, known);
        }
        // Whoever has a better task to take takes that.
        sorted.retain(|place| self.first_for(*place) == Some(number));
        if !is_chance {
            sorted.truncate(queue.max_reserved as usize);
        }
        (sorted, is_chance)
    }

    /// How much a worker has or is offered, counted over the tasks; and his after-call work.
    fn in_hand(&self, name: &String) -> usize {
        let tasks = self.0.tasks.values();
        let held = tasks.filter(|task| task.holders().any(|(worker, _)| worker == name));
        held.count() + self.0.workers[name].wraps().count()
    }

    /// Whether the `skip_if` of a task's step holds.
    pub(super) fn skip_if_holds(&self, task: &Task) -> bool {
        let Some(skip_if) = self.step(task).and_then(|step| step.skip_if.as_ref()) else {
            return false;
        };
        let all = 0..self.0.workers.len();
        let serving: Vec<&Worker> = all
            .filter(|place| self.serves(task, *place).is_some())
            .map(|place| self.worker(place))
            .collect();
        let mut counts = Map::new();
        let activities = self.0.activities.iter().map(|one| &one.name);
        for name in activities.chain(serving.iter().map(|worker| &worker.activity)) {
            let at_it = serving.iter().filter(|worker| worker.activity == *name);
            counts.insert(name.clone(), json!(at_it.count()));
        }
        let on_duty = serving.iter().filter(|worker| worker.is_on_duty()).count();
        counts.insert("available".to_owned(), json!(on_duty));
        counts.insert("unavailable".to_owned(), json!(serving.len() - on_duty));
        parsed(skip_if, false).eval_counts(&counts)
    }

    /// Whether a filter is for a task.
    pub(super) fn is_for(expression: &str, content: &WorkflowSpec, task: &Task) -> bool {
        let nobody = Map::new();
        let scope = Scope {
            bare: Subject::Task,
            ..Scope::new(&nobody, &task.attributes)
        };
        parsed(expression, content.lenient).eval(&scope)
    }

    /// Whether nobody can take a task, be he free or not.
    pub(super) fn nobody(&self, task: &Task) -> Option<NobodyWhy> {
        let all = 0..self.0.workers.len();
        let may: Vec<usize> = all.filter(|place| self.fits(task, *place, false)).collect();
        if may.is_empty() {
            Some(NobodyWhy::NoMatch)
        } else if !may.iter().any(|place| self.worker(*place).is_on_duty()) {
            Some(NobodyWhy::NoneOnDuty)
        } else {
            None
        }
    }

    /// Delays of the task's queue on its channel, the shortest first.
    pub(super) fn delays(&self, task: &Task) -> Vec<Duration> {
        let all = 0..self.0.workers.len();
        let delays = all.filter_map(|place| Some(self.serves(task, place)?.1));
        let mut delays: Vec<Duration> = delays.filter(|delay| !delay.is_zero()).collect();
        delays.sort_unstable();
        delays.dedup();
        delays
    }

    /// Whether the task is for a worker, be he free or not; `now` as he stands now.
    fn fits(&self, task: &Task, place: usize, now: bool) -> bool {
        let Some(step) = &task.step else {
            return false;
        };
        let known = match &step.known {
            None => true,
            Some(Known::Worker(name)) => *name == self.name(place),
            Some(_) => false,
        };
        let lenient = self
            .0
            .content_of(task)
            .is_some_and(|content| content.lenient);
        let expression = step
            .spec
            .expression
            .as_ref()
            .filter(|_| task.workflow.is_some());
        known
            && self.serves(task, place).is_some()
            && self.holds(&self.target(task), false, task, place, now)
            && expression.is_none_or(|text| self.holds(text, lenient, task, place, now))
    }

    fn holds(&self, text: &str, lenient: bool, task: &Task, place: usize, now: bool) -> bool {
        let expression = parsed(text, lenient);
        let attributes = self.attributes(place);
        let scope = Scope::new(&attributes, &task.attributes);
        match expression.looks_at_state() {
            true => !now || expression.eval_with_state(&scope, &self.standing(place)),
            false => expression.eval(&scope),
        }
    }

    /// Whether a worker serves the task's queue on its channel at all, and how.
    fn serves(&self, task: &Task, place: usize) -> Option<Serves> {
        let worker = self.worker(place);
        let queue = &self.0.queues[task.queue()?].spec;
        let profile = self
            .0
            .profiles
            .iter()
            .find(|p| Some(&p.name) == worker.spec.profile.as_ref());
        let target = parsed(&queue.target, false);
        let is_open = target.uses_task() || target.looks_at_state();
        let attributes = self.attributes(place);
        let matches = is_open || target.eval(&Scope::new(&attributes, &Map::new()));
        if worker.removed || !matches {
            return None;
        }
        let Some(profile) = profile else {
            return Some((if queue.agent { 0 } else { 1 }, Duration::ZERO));
        };
        if queue.agent {
            return Some((0, Duration::ZERO));
        }
        let mut entries = profile.entries.iter();
        let entry = entries.find(|one| one.queue == queue.name && one.channel == task.channel)?;
        Some((entry.priority, entry.delay))
    }

    fn is_free(&self, place: usize, channel: &str) -> bool {
        let worker = self.worker(place);
        let profile = self
            .0
            .profiles
            .iter()
            .find(|p| Some(&p.name) == worker.spec.profile.as_ref());
        let bars = |other: &str| {
            let of = profile.and_then(|profile| profile.channels.get(other));
            other.is_empty()
                || other != channel && of.is_some_and(|of| of.others == OtherChannels::Barred)
        };
        worker.available
            && worker.reachable
            && !worker.removed
            && worker.next_activity.is_none()
            && worker.paused_until.is_none()
            && (worker.busy.is_empty() || channel != VOICE)
            && self.load(worker, channel) < self.capacity(worker, channel)
            && !worker.engagements.iter().any(|one| bars(&one.channel))
    }

    fn load(&self, worker: &Worker, channel: &str) -> u32 {
        let on_it = worker.engagements.iter().filter(|one| match one.what {
            Engaged::Assigned(_) | Engaged::Reserved(_) | Engaged::Wrapping(_) => {
                one.channel == channel
            }
        });
        u32::try_from(on_it.count()).expect("few")
    }

    pub(super) fn capacity(&self, worker: &Worker, channel: &str) -> u32 {
        let profile = self
            .0
            .profiles
            .iter()
            .find(|p| Some(&p.name) == worker.spec.profile.as_ref());
        let of_profile = profile
            .and_then(|p| p.channels.get(channel))
            .map(|of| of.capacity);
        let of_channel = self.0.channels.iter().find(|one| one.name == channel);
        let own = worker.spec.capacity.get(channel).copied();
        own.or(of_profile)
            .or(of_channel.map(|one| one.capacity))
            .unwrap_or(0)
    }

    fn standing(&self, place: usize) -> Map<String, Value> {
        let worker = self.worker(place);
        let channel = |name: &str| {
            let capacity = self.capacity(worker, name);
            let left = capacity.saturating_sub(self.load(worker, name));
            json!({"available_capacity_percentage": (left * 100).checked_div(capacity).unwrap_or(0)})
        };
        let channels = self
            .0
            .channels
            .iter()
            .map(|one| (one.name.clone(), channel(&one.name)));
        let mut standing = Map::new();
        standing.insert("activity_name".to_owned(), json!(worker.activity));
        standing.insert("channel".to_owned(), Value::Object(channels.collect()));
        standing
    }

    fn attributes(&self, place: usize) -> Map<String, Value> {
        let spec = &self.worker(place).spec;
        let mut attributes = spec.attributes.clone();
        attributes.insert("name".to_owned(), json!(spec.name));
        attributes
    }

    fn served_by(&self, task: &Task) -> Option<usize> {
        let queue = &self.0.queues[task.queue()?].spec;
        queue.sticky.as_ref()?;
        let customer = task.attributes.get("from")?.as_str()?;
        let name = self.0.served.get(&format!("{}\n{customer}", queue.name))?;
        self.0.workers.get_index_of(name)
    }

    fn step<'t>(&self, task: &'t Task) -> Option<&'t StepSpec> {
        Some(&task.step.as_ref()?.spec)
    }

    fn target(&self, task: &Task) -> String {
        self.0.queues[task.queue().expect("in one")]
            .spec
            .target
            .clone()
    }

    fn worker(&self, place: usize) -> &Worker {
        &self.0.workers[place]
    }

    fn name(&self, place: usize) -> String {
        self.0.workers.get_index(place).expect("known").0.clone()
    }
}
