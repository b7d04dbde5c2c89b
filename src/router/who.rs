//! Who can get this call? A task that might come, and every worker with the reason why he would get
//! it or not, nearest first. Changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::index::Pool;
use super::machine::Router;
use super::{Command, Destination, NewTask, NotChosen, Output, Refusal, TaskOutcome};
use crate::base::{CallId, TaskId, Timestamp};

/// A task that might come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supposed {
    /// Queue it would enter.
    #[serde(default)]
    pub queue: Option<String>,
    /// Workflow it would enter; outranks `queue`.
    #[serde(default)]
    pub workflow: Option<String>,
    /// Channel; `voice` where none is named.
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
    /// How long he has had nothing to do, milliseconds; 0 for who has something in hand.
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
    /// When the plan has no such queue, workflow or channel, or the task would leave its workflow at
    /// once.
    pub fn who(&self, now: Timestamp, supposed: &Supposed) -> Result<Prospects, Refusal> {
        let id = TaskId::new("who");
        let mut new = NewTask::of_call(id.clone(), CallId::new("who"), "");
        new.to = match (&supposed.workflow, &supposed.queue) {
            (Some(workflow), _) => Destination::Workflow(workflow.clone()),
            (None, Some(queue)) => Destination::Queue(queue.clone()),
            (None, None) => return Err(Refusal::UnknownQueue),
        };
        if let Some(channel) = &supposed.channel {
            new.channel.clone_from(channel);
        }
        new.attributes.clone_from(&supposed.attributes);
        // A twin is told the truth; its answer is what would happen.
        let mut twin = self.clone();
        twin.outputs.clear();
        twin.handle(now, Command::CreateTask(Box::new(new)));
        while let Some(released) = twin.poll_output() {
            match released.output {
                Output::Refused { why, .. } => return Err(why),
                Output::TaskEnded {
                    task,
                    outcome: TaskOutcome::Left(why),
                    ..
                } if task == id => return Err(Refusal::Left(why)),
                _ => {}
            }
        }
        let number = twin.number_of(&id).ok_or(Refusal::UnknownQueue)?;
        let found = twin.state.tasks.get(&number).zip(twin.index.place(number));
        let (task, place) = found.ok_or(Refusal::UnknownQueue)?;
        let pool = twin
            .index
            .pools
            .get(place.pool)
            .ok_or(Refusal::UnknownQueue)?;
        let chosen: Vec<&String> = task.holders().map(|(worker, _)| worker).collect();
        let seen = task.step.as_ref().map_or(0, |step| step.seen);
        let known = self.state.workers.iter().enumerate();
        let mut ranked: Vec<(bool, NotChosen, u64, Timestamp, usize)> = known
            .map(|(number, (name, worker))| {
                let is_chosen = chosen.contains(&name);
                let reason = self.prospect(pool, (place.queue, place.channel), seen, number);
                (
                    !is_chosen,
                    reason,
                    worker.in_hand(),
                    worker.idle_since,
                    number,
                )
            })
            .collect();
        ranked.sort_unstable();
        let at = now.max(self.state.clock);
        let workers = ranked.iter().take(Prospects::MOST);
        let workers = workers.filter_map(|(is_other, reason, _, _, place)| {
            let (name, worker) = self.state.workers.get_index(*place)?;
            Some(Prospect {
                worker: name.clone(),
                can: *reason == NotChosen::IdleLessLong,
                reason: is_other.then_some(*reason),
                activity: worker.activity.clone(),
                idle_ms: worker.idle_ms(at, number),
            })
        });
        let (queue, known) =
            (self.state.queues.get_index(place.queue)).ok_or(Refusal::UnknownQueue)?;
        Ok(Prospects {
            at,
            plan: self.state.plan.clone(),
            generation: self.state.generation,
            queue: queue.clone(),
            target: known.spec.target.clone(),
            ahead: self.index.queues[place.queue].line.before(&place.key),
            considered: self.state.workers.len(),
            workers: workers.collect(),
        })
    }

    /// Why a worker would not get a task of this pool; [`NotChosen::IdleLessLong`] when he could.
    fn prospect(
        &self,
        pool: &Pool,
        (queue, channel): (usize, usize),
        seen: usize,
        place: usize,
    ) -> NotChosen {
        let serving = &self.index.queues[queue].channels[channel];
        if self.state.workers[place].removed {
            NotChosen::Removed
        } else if !serving.workers.has(place) {
            NotChosen::NotInQueue
        } else if !pool.members.has(place, &serving.workers)
            || (pool.looks_at_state && !self.stands_right(pool, place))
        {
            NotChosen::NotForStep
        } else if let Some(reason) = self.index.workers[place].kept_by(channel) {
            reason
        } else if !serving.is_seen_by(place, seen) {
            NotChosen::SeesLater
        } else {
            NotChosen::IdleLessLong
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::router::scenarios::{Office, create, plan};
    use crate::router::{FilterSpec, LeftWhy, StepSpec, WorkflowSpec};

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

    #[test]
    fn what_would_leave_its_workflow_at_once_is_told_why() {
        let filter = |skip_if| FilterSpec {
            name: "gold".to_owned(),
            expression: "tier == 'gold'".to_owned(),
            steps: vec![StepSpec {
                skip_if,
                expression: Some("worker.name == 'nobody'".to_owned()),
                ..StepSpec::new("sales")
            }],
            unknown: Map::new(),
        };
        let mut plan = plan();
        for (name, skip_if) in [("once", Some("1==1".to_owned())), ("all", None)] {
            plan.workflows.push(WorkflowSpec {
                filters: vec![filter(skip_if)],
                default: None,
                ..WorkflowSpec::new(name, "sales")
            });
        }
        let mut office = Office::new(&plan);
        for (workflow, tier, why) in [
            ("all", "tin", LeftWhy::Unmatched),
            ("once", "gold", LeftWhy::WorkflowSkipped),
        ] {
            let supposed = Supposed {
                workflow: Some(workflow.to_owned()),
                attributes: json!({"tier": tier}).as_object().cloned().unwrap(),
                ..Supposed::default()
            };
            let error = office.router.who(office.now, &supposed).unwrap_err();
            assert_eq!(error, Refusal::Left(why));
        }
        // What another command was refused, and nobody has heard yet, is no answer to this one.
        office.tell(create("a", "no such queue", 0, json!({})));
        let supposed = Supposed {
            queue: Some("sales".to_owned()),
            ..Supposed::default()
        };
        assert!(office.router.who(office.now, &supposed).is_ok());
    }
}
