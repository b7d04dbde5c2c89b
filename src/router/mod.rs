//! Attribute routing: tasks, workers, queues, reservations: one pure state machine.
//!
//! State is a fold of journaled facts: inputs (what it was told), timers (which deadlines passed)
//! and decisions (what it chose). The same facts give the same state, on any machine.

mod activate;
mod apply;
mod command;
mod decide;
mod explanation;
mod fact;
mod index;
mod machine;
mod offer;
mod output;
mod plan;
mod pump;
mod state;
mod task;
mod view;
mod who;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;

pub use command::{Command, Rejection};
pub use explanation::{Candidate, Chosen, Explanation, NobodyWhy, NotChosen};
pub use fact::{Decision, FORMAT, Fact, FoldError, Timer};
pub use machine::Router;
pub use output::{Output, Refusal, Released, RevokedWhy, TaskOutcome, WorkerState};
pub use plan::{
    ActivitySpec, NOT_ANSWERING, Plan, PlanError, QueueOrder, QueueSpec, WhenNobody, WorkerSpec,
};
pub use pump::{Pump, Settings, Sink, StartError, Survivors, replay};
pub use state::State;
pub use task::{Full, RouterHandle, RouterTask};
pub use view::{QueueView, RouterView, TaskView, WorkerView};
pub use who::{Prospect, Prospects, Supposed};
