//! Attribute routing: tasks, workers, queues, reservations: one pure state machine.
//!
//! State is a fold of journaled facts: inputs (what it was told), timers (which deadlines passed)
//! and decisions (what it chose). The same facts give the same state, on any machine.

mod command;
mod explanation;
mod output;
mod plan;
mod view;

pub use command::{Command, Rejection};
pub use explanation::{Candidate, Chosen, Explanation, NobodyWhy, NotChosen};
pub use output::{Output, Refusal, Released, RevokedWhy, TaskOutcome, WorkerState};
pub use plan::{
    ActivitySpec, NOT_ANSWERING, Plan, PlanError, QueueOrder, QueueSpec, WhenNobody, WorkerSpec,
};
pub use view::{QueueView, RouterView, TaskView, WorkerView};
