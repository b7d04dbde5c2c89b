//! Queues, agents and reasons as the API writes them and the command line reads them.
//!
//! Described in `docs/api.md`; made from the router's own view.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metrics::QueueSnapshot;
use crate::base::{CallId, TaskId, Timestamp};
use crate::events::record::{OfferRecord, QueueVisit};
use crate::router::{
    Explanation, Prospect, Prospects, RouterView, TaskView, WorkerState, WorkerView,
};
use crate::trunk::{AccountState, TrunkView};

/// `GET /v1/queues`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queues {
    /// Switch time of the answer, RFC 3339.
    pub at: String,
    /// The queues, as configured; those that only drain come last.
    pub queues: Vec<Queue>,
}

/// One queue and the line in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Calls in line, those being offered included.
    pub waiting: usize,
    /// How many of them are being offered.
    pub offered: usize,
    /// How long the first of them has waited.
    pub oldest_wait_ms: Option<u64>,
    /// Calls of this queue in conversation.
    pub talking: usize,
    /// Agents who serve it.
    pub agents: usize,
    /// How many of them are registered and available.
    pub on_duty: usize,
    /// How many of them could take a call now.
    pub free: usize,
    /// Whether a reload removed it and it only empties.
    pub draining: bool,
    /// The line, next call first.
    pub line: Vec<Waiting>,
}

/// One call in line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its task.
    pub task: TaskId,
    /// Call; missing for a task that stands for none.
    pub call: Option<CallId>,
    /// Place in line; 1 is next.
    pub position: usize,
    /// How long it has waited.
    pub waited_ms: u64,
    /// Agent it is being offered to.
    pub offered_to: Option<String>,
    /// How often it was offered.
    pub offers: u32,
    /// Its priority.
    pub priority: i64,
}

/// `GET /v1/trunks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trunks {
    /// Switch time of the answer, RFC 3339.
    pub at: String,
    /// The trunks, by name.
    pub trunks: Vec<Trunk>,
}

/// One trunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trunk {
    /// How it is and what it has done.
    #[serde(flatten)]
    pub now: TrunkView,
    /// Accounts registered.
    pub registered: usize,
    /// When the first of the registrations would end, RFC 3339.
    pub registered_until: Option<String>,
    /// Answer-seizure ratio, 0 to 1.
    pub asr: Option<f64>,
    /// Network effectiveness ratio, 0 to 1.
    pub ner: Option<f64>,
    /// Mean length of answered calls, seconds.
    pub mean_length: Option<f64>,
}

/// The trunks as the API shows them.
pub fn trunks(trunks: &[TrunkView], now: Timestamp) -> Trunks {
    let trunks = trunks.iter().map(|view| {
        let ends = view.accounts.values().filter_map(|state| match state {
            AccountState::Registered { until } => Some(*until),
            _ => None,
        });
        Trunk {
            registered: ends.clone().count(),
            registered_until: ends.min().map(Timestamp::to_rfc3339),
            asr: view.figures.asr(),
            ner: view.figures.ner(),
            mean_length: view.figures.mean_length(),
            now: view.clone(),
        }
    });
    Trunks {
        at: now.to_rfc3339(),
        trunks: trunks.collect(),
    }
}

/// `GET /v1/agents`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agents {
    /// Switch time of the answer, RFC 3339.
    pub at: String,
    /// The agents, as configured.
    pub agents: Vec<Agent>,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Name the configuration knows him by.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Number of the phone.
    pub phone: String,
    /// `free`, `away`, `reserved`, `talking` or `wrap_up`.
    pub state: String,
    /// Activity, such as `available`.
    pub activity: String,
    /// Why he is in this activity.
    pub reason: String,
    /// Whether the activity is an available one.
    pub available: bool,
    /// Whether the phone is registered.
    pub registered: bool,
    /// Since when he is in this state, RFC 3339.
    pub since: String,
    /// How long that is.
    pub for_ms: u64,
    /// Call he has or is offered.
    pub call: Option<CallId>,
    /// Queues he serves.
    pub queues: Vec<String>,
    /// What expressions see as `worker.`.
    pub attributes: Map<String, Value>,
}

/// `GET /v1/calls/{id}/why`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Call.
    pub id: CallId,
    /// Queues it stood in.
    pub queues: Vec<QueueVisit>,
    /// Every offer, with its reason and outcome.
    pub offers: Vec<OfferRecord>,
    /// What the router would say now; only while the call waits or is offered.
    pub now: Option<Explanation>,
}

/// `POST /v1/who`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// Switch time of the answer, RFC 3339.
    pub at: String,
    /// Hash of the plan.
    pub plan: String,
    /// Generation of the plan.
    pub generation: u64,
    /// Queue the call would stand in.
    pub queue: String,
    /// Expression that says who serves the queue.
    pub target: String,
    /// Calls before it in the line.
    pub ahead: usize,
    /// Agents looked at; those listed may be fewer.
    pub considered: usize,
    /// The agents, nearest first.
    pub agents: Vec<Prospect>,
}

/// Who would get a call.
pub fn who(prospects: &Prospects) -> Who {
    Who {
        at: prospects.at.to_rfc3339(),
        plan: prospects.plan.clone(),
        generation: prospects.generation,
        queue: prospects.queue.clone(),
        target: prospects.target.clone(),
        ahead: prospects.ahead,
        considered: prospects.considered,
        agents: prospects.workers.clone(),
    }
}

/// The queues of a view.
pub fn queues(view: &RouterView, now: Timestamp) -> Queues {
    let queues = view.queues.iter().map(|queue| {
        let mut line: Vec<Waiting> = view
            .tasks
            .iter()
            .filter(|task| task.queue == queue.name)
            .filter_map(|task| waiting(task, now))
            .collect();
        line.sort_by_key(|call| call.position);
        Queue {
            name: queue.name.clone(),
            waiting: queue.waiting,
            offered: queue.offered,
            oldest_wait_ms: queue.oldest_since.map(|since| millis(since, now)),
            talking: queue.assigned,
            agents: queue.members,
            on_duty: queue.on_duty,
            free: queue.free,
            draining: queue.draining,
            line,
        }
    });
    Queues {
        at: now.to_rfc3339(),
        queues: queues.collect(),
    }
}

fn waiting(task: &TaskView, now: Timestamp) -> Option<Waiting> {
    Some(Waiting {
        task: task.task.clone(),
        call: task.call.clone(),
        position: task.position?,
        waited_ms: millis(task.entered, now),
        offered_to: task.worker.clone(),
        offers: task.offers,
        priority: task.priority,
    })
}

/// The agents of a view.
pub fn agents(view: &RouterView, now: Timestamp) -> Agents {
    let agents = view.workers.iter().map(|worker| {
        let task = worker.task.as_ref();
        let task = task.and_then(|id| view.tasks.iter().find(|task| task.task == *id));
        Agent {
            name: worker.spec.name.clone(),
            display_name: worker.spec.display_name.clone(),
            phone: worker.spec.phone.clone(),
            state: state_word(worker.state).to_owned(),
            activity: worker.activity.clone(),
            reason: worker.reason.clone(),
            available: worker.available,
            registered: worker.reachable,
            since: worker.since.to_rfc3339(),
            for_ms: millis(worker.since, now),
            call: task.and_then(|task| task.call.clone()),
            queues: worker.queues.clone(),
            attributes: worker.spec.attributes.clone(),
        }
    });
    Agents {
        at: now.to_rfc3339(),
        agents: agents.collect(),
    }
}

/// The queues of a view, for metrics.
pub fn queue_snapshots(view: &RouterView, now: Timestamp) -> Vec<QueueSnapshot> {
    view.queues
        .iter()
        .map(|queue| QueueSnapshot {
            queue: queue.name.clone(),
            waiting: queue.waiting as u64,
            oldest_wait: queue
                .oldest_since
                .map_or(std::time::Duration::ZERO, |since| now.since(since)),
        })
        .collect()
}

/// How many agents of a view are in each state, for metrics: what they do for a call, else whether
/// they could, else why not (`unregistered`, or the activity's name).
pub fn agent_states(view: &RouterView) -> Vec<(String, u64)> {
    let mut states: Vec<(String, u64)> = ["free", "reserved", "talking", "wrap_up", "unregistered"]
        .map(|state| (state.to_owned(), 0))
        .into();
    for worker in &view.workers {
        let label = agent_state(worker);
        match states.iter_mut().find(|(state, _)| *state == label) {
            Some((_, count)) => *count += 1,
            None => states.push((label.to_owned(), 1)),
        }
    }
    states
}

fn agent_state(worker: &WorkerView) -> &str {
    match worker.state {
        WorkerState::Away if !worker.available => &worker.activity,
        WorkerState::Away if !worker.reachable => "unregistered",
        state => state_word(state),
    }
}

fn state_word(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Away => "away",
        WorkerState::Free => "free",
        WorkerState::Reserved => "reserved",
        WorkerState::Talking => "talking",
        WorkerState::WrapUp => "wrap_up",
    }
}

fn millis(from: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::router::{QueueView, WorkerSpec};

    fn view() -> RouterView {
        let at = Timestamp::from_millis;
        let worker = |name: &str, state, available, reachable| WorkerView {
            spec: Arc::new(WorkerSpec {
                name: name.into(),
                display_name: "佐藤 花子".into(),
                phone: "1001".into(),
                ..WorkerSpec::default()
            }),
            activity: if available { "available" } else { "lunch" }.into(),
            reason: "at start".into(),
            available,
            reachable,
            state,
            since: at(500),
            next_activity: None,
            engagements: Vec::new(),
            task: (state == WorkerState::Reserved).then(|| TaskId::new("t2")),
            queues: vec!["sales".into()],
            removed: false,
        };
        let task = |id: &str, position, worker: Option<&str>| TaskView {
            task: TaskId::new(id),
            call: Some(CallId::new(format!("call-{id}"))),
            queue: "sales".into(),
            channel: "voice".into(),
            workflow: None,
            at: None,
            attributes: Arc::default(),
            priority: 0,
            entered: at(1000),
            position,
            reservation: None,
            worker: worker.map(Into::into),
            reservations: Vec::new(),
            assigned: position.is_none(),
            offers: 1,
        };
        RouterView {
            at: at(2000),
            queues: vec![QueueView {
                name: "sales".into(),
                waiting: 2,
                offered: 1,
                oldest_since: Some(at(1000)),
                assigned: 1,
                members: 4,
                on_duty: 3,
                free: 1,
                draining: false,
            }],
            workers: vec![
                worker("a", WorkerState::Free, true, true),
                worker("b", WorkerState::Reserved, true, true),
                worker("c", WorkerState::Away, true, false),
                worker("d", WorkerState::Away, false, true),
            ],
            tasks: vec![
                task("t1", Some(2), None),
                task("t2", Some(1), Some("b")),
                task("t3", None, Some("e")),
            ],
            ..RouterView::default()
        }
    }

    #[test]
    fn a_line_is_in_order_and_knows_who_is_asked() {
        let now = Timestamp::from_millis(3500);
        let queues = queues(&view(), now);
        let line: Vec<_> = queues.queues[0]
            .line
            .iter()
            .map(|call| {
                (
                    call.task.as_str(),
                    call.waited_ms,
                    call.offered_to.as_deref(),
                )
            })
            .collect();
        assert_eq!(line, [("t2", 2500, Some("b")), ("t1", 2500, None)]);
        assert_eq!(queues.queues[0].oldest_wait_ms, Some(2500));
        let agents = agents(&view(), now);
        assert_eq!(agents.agents[1].call, Some(CallId::new("call-t2")));
        assert_eq!(agents.agents[0].for_ms, 3000);
    }

    #[test]
    fn agents_are_counted_once_by_what_keeps_them() {
        let states = agent_states(&view());
        let count = |wanted: &str| states.iter().find(|(s, _)| s == wanted).map(|(_, n)| *n);
        assert_eq!(count("free"), Some(1));
        assert_eq!(count("reserved"), Some(1));
        assert_eq!(count("unregistered"), Some(1));
        assert_eq!(count("lunch"), Some(1));
        assert_eq!(count("talking"), Some(0));
        assert_eq!(
            queue_snapshots(&view(), Timestamp::from_millis(3500))[0].waiting,
            2
        );
    }
}
