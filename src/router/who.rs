//! Who can get this call? A task that might come, and every worker with the reason why he would get
//! it or not, nearest first. Changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decide::why_not;
use super::machine::Router;
use super::state::{Status, Task};
use super::{NotChosen, Refusal};
use crate::base::{CallId, TaskId, Timestamp};
use crate::expr::Scope;

/// A task that might come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supposed {
    /// Queue it would enter.
    #[serde(default)]
    pub queue: Option<String>,
    /// Workflow it would enter; there are none yet.
    #[serde(default)]
    pub workflow: Option<String>,
    /// Channel; `voice` is the only one yet.
    #[serde(default)]
    pub channel: Option<String>,
    /// What expressions would see as `task.`.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// Who would get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prospects {
    /// When that is so.
    pub at: Timestamp,
    /// Hash of the plan.
    pub plan: String,
    /// Generation of that plan.
    pub generation: u64,
    /// Queue it would stand in.
    pub queue: String,
    /// Expression that says who serves the queue.
    pub target: String,
    /// How many would stand before it in the line.
    pub ahead: usize,
    /// How many workers were looked at.
    pub considered: usize,
    /// The workers, nearest first; at most [`Prospects::MOST`].
    pub workers: Vec<Prospect>,
}

/// A worker who might get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prospect {
    /// Worker.
    pub worker: String,
    /// Whether it could be offered to him now.
    pub can: bool,
    /// Why it would not be; `None` for the one who would get it.
    pub reason: Option<NotChosen>,
    /// His activity.
    pub activity: String,
    /// How long he has had nothing to do, milliseconds.
    pub idle_ms: u64,
}

impl Prospects {
    /// Most workers that are listed.
    pub const MOST: usize = 1000;
}

impl Router {
    /// Who would get a task, were it to come at `now`.
    ///
    /// # Errors
    ///
    /// When the plan has no such queue.
    pub fn who(&self, now: Timestamp, supposed: &Supposed) -> Result<Prospects, Refusal> {
        let name = supposed.queue.as_ref().ok_or(Refusal::UnknownQueue)?;
        let found = self.state.queues.get_full(name);
        let (place, name, queue) = found.ok_or(Refusal::UnknownQueue)?;
        let lane = &self.index.queues[place];
        let at = now.max(self.state.clock);
        let task = Task {
            id: TaskId::new(""),
            call: CallId::new(""),
            queue: name.clone(),
            attributes: supposed.attributes.clone(),
            priority: 0,
            entered: at,
            status: Status::Pending,
            offers: 0,
            cooling: Vec::new(),
            nobody_told: false,
        };
        let key = task.order_key(u64::MAX, queue.spec.order);
        let known = self.state.workers.values().zip(&self.index.workers);
        let mut ranked: Vec<(NotChosen, Timestamp, usize)> = known
            .enumerate()
            .map(|(number, (worker, slot))| {
                let scope = Scope::new(&slot.attributes, &task.attributes);
                let is_taker = lane.members.has(number)
                    && (!lane.target.uses_task() || lane.target.eval(&scope));
                let reason = why_not(worker, is_taker, false);
                (reason, worker.idle_since, number)
            })
            .collect();
        ranked.sort_unstable();
        let workers = ranked.iter().take(Prospects::MOST).enumerate();
        let workers = workers.filter_map(|(rank, (reason, idle_since, number))| {
            let (name, worker) = self.state.workers.get_index(*number)?;
            let can = *reason == NotChosen::IdleLessLong;
            Some(Prospect {
                worker: name.clone(),
                can,
                reason: (rank > 0 || !can).then_some(*reason),
                activity: worker.activity.clone(),
                idle_ms: u64::try_from(at.since(*idle_since).as_millis()).unwrap_or(u64::MAX),
            })
        });
        Ok(Prospects {
            at,
            plan: self.state.plan.clone(),
            generation: self.state.generation,
            queue: name.clone(),
            target: queue.spec.target.clone(),
            ahead: lane.line.range(..key).count(),
            considered: self.state.workers.len(),
            workers: workers.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::router::Command;
    use crate::router::scenarios::{Office, create, plan};

    fn ask(office: &Office, queue: &str, attributes: Value) -> Prospects {
        let supposed = Supposed {
            queue: Some(queue.to_owned()),
            attributes: attributes.as_object().cloned().unwrap_or_default(),
            ..Supposed::default()
        };
        let before = office.router.state().clone();
        let prospects = office.router.who(office.now, &supposed).unwrap();
        assert_eq!(*office.router.state(), before, "a question changes nothing");
        prospects
    }

    #[test]
    fn every_worker_has_his_reason_and_the_first_would_get_it() {
        let mut office = Office::new(&plan());
        let all = ask(&office, "sales", json!({}));
        assert_eq!(all.considered, all.workers.len());
        assert!(all.workers[0].can && all.workers[0].reason.is_none());
        let first = all.workers[0].worker.clone();
        office.tell(create("a", "sales", 0, json!({})));
        let next = ask(&office, "sales", json!({}));
        let busy = next.workers.iter().find(|one| one.worker == first).unwrap();
        assert_eq!(busy.reason, Some(NotChosen::Reserved));
        assert!(!busy.can);
        for worker in all.workers.iter().filter(|one| one.can) {
            let (worker, reachable) = (worker.worker.clone(), false);
            office.tell(Command::SetReachable { worker, reachable });
        }
        let none = ask(&office, "sales", json!({}));
        assert!(
            none.workers
                .iter()
                .all(|one| !one.can && one.reason.is_some())
        );
        let order: Vec<_> = none.workers.iter().map(|one| one.reason).collect();
        assert!(order.is_sorted(), "nearest first");
        assert_eq!(none.ahead, 1);
        let supposed = Supposed::default();
        let error = office.router.who(office.now, &supposed).unwrap_err();
        assert_eq!(error, Refusal::UnknownQueue);
    }
}
