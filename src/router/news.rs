//! What is new in a plan, as events.

use std::collections::HashSet;

use super::Plan;
use super::activate::key_of;
use super::event::{About, EventName};
use super::machine::Router;

impl Router {
    /// Tells what is new in a plan that is about to apply; of the very first only that it does,
    /// since all of it is new.
    pub(super) fn tell_plan(&mut self, plan: &Plan) {
        let reason = format!("generation {}", plan.generation);
        self.event(EventName::PlanActivated, About::default().because(reason));
        if self.state.plan.is_empty() {
            return;
        }
        self.tell_workers_of(plan);
        self.tell_queues_of(plan);
        self.tell_workflows_of(plan);
    }

    fn tell_workers_of(&mut self, plan: &Plan) {
        let mut news = Vec::new();
        for spec in &plan.workers {
            let known = self.state.workers.get(&spec.name);
            match known.filter(|worker| !worker.removed) {
                None => news.push((EventName::WorkerCreated, spec.name.clone())),
                Some(worker) if worker.spec.attributes != spec.attributes => {
                    news.push((EventName::WorkerAttributes, spec.name.clone()));
                }
                Some(_) => {}
            }
        }
        let kept: HashSet<&str> = plan.workers.iter().map(|spec| spec.name.as_str()).collect();
        for (name, worker) in &self.state.workers {
            if !worker.removed && !kept.contains(name.as_str()) {
                news.push((EventName::WorkerDeleted, name.clone()));
            }
        }
        for (event, name) in news {
            self.event(event, About::worker(&name));
        }
    }

    fn tell_queues_of(&mut self, plan: &Plan) {
        let mut news = Vec::new();
        for spec in &plan.queues {
            let known = self.state.queues.get(&spec.name);
            match known.filter(|queue| !queue.draining) {
                None => news.push((EventName::QueueCreated, spec.name.clone())),
                Some(queue) if *queue.spec != *spec => {
                    news.push((EventName::QueueUpdated, spec.name.clone()));
                }
                Some(_) => {}
            }
        }
        for (name, queue) in &self.state.queues {
            if !queue.draining && !plan.queues.iter().any(|spec| spec.name == *name) {
                news.push((EventName::QueueDeleted, name.clone()));
            }
        }
        for (event, queue) in news {
            let queue = Some(queue);
            self.event(
                event,
                About {
                    queue,
                    ..About::default()
                },
            );
        }
    }

    fn tell_workflows_of(&mut self, plan: &Plan) {
        let mut news = Vec::new();
        for spec in &plan.workflows {
            match self.state.workflows.get(&spec.name) {
                None => news.push((EventName::WorkflowCreated, spec.name.clone())),
                Some(key) if *key != key_of(spec) => {
                    news.push((EventName::WorkflowUpdated, spec.name.clone()));
                }
                Some(_) => {}
            }
        }
        for name in self.state.workflows.keys() {
            if !plan.workflows.iter().any(|spec| spec.name == *name) {
                news.push((EventName::WorkflowDeleted, name.clone()));
            }
        }
        for (event, workflow) in news {
            let workflow = Some(workflow);
            self.event(
                event,
                About {
                    workflow,
                    ..About::default()
                },
            );
        }
    }
}
