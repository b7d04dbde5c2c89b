//! What an agent is at a moment, as far as he is told of it.

use serde::{Deserialize, Serialize};

use crate::router::{RouterView, WorkerState};

/// What an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) activity: String,
    pub(crate) available: bool,
    /// Whether his phone is registered.
    pub(crate) reachable: bool,
    pub(crate) state: WorkerState,
    /// Callers who wait in his queues, those being offered included.
    pub(crate) waiting: usize,
    /// What he goes over to when he has nothing left in hand.
    pub(crate) next: Option<String>,
}

impl Standing {
    /// As the router shows him; `None` when it does not know him.
    pub(crate) fn of(view: &RouterView, agent: &str) -> Option<Self> {
        let mut workers = view.workers.iter();
        let worker = workers.find(|worker| worker.spec.name == agent)?;
        let queues = view.queues.iter();
        let own = queues.filter(|queue| worker.queues.contains(&queue.name));
        Some(Self {
            activity: worker.activity.clone(),
            available: worker.available,
            reachable: worker.reachable,
            state: worker.state,
            waiting: own.map(|queue| queue.waiting).sum(),
            next: worker.next_activity.clone(),
        })
    }

    /// Whether he has a call in hand, is offered one, or works after one.
    pub(crate) fn is_busy(&self) -> bool {
        match self.state {
            WorkerState::Reserved | WorkerState::Talking | WorkerState::WrapUp => true,
            WorkerState::Away | WorkerState::Free => false,
        }
    }
}
