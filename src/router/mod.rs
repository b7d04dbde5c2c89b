//! Attribute routing: tasks, workers, queues, reservations: one pure state machine.
//!
//! State is a fold of journaled facts: inputs (what it was told), timers (which deadlines passed)
//! and decisions (what it chose). The same facts give the same state, on any machine.

mod activate;
mod apply;
mod bits;
mod choose;
mod command;
mod decide;
mod duty;
mod errand;
mod event;
mod explain;
mod explanation;
mod fact;
mod index;
mod judge;
mod line;
mod machine;
mod news;
mod offer;
mod output;
mod plan;
mod pump;
mod route;
mod state;
mod tail;
mod task;
mod view;
mod who;
mod wrap;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;

pub use command::{Command, Destination, NewTask, Rejection};
pub use errand::{Declined, Object, PlanView, Shown};
pub use event::{About, Event, EventName, Kind};
pub use explanation::{
    Candidate, Chosen, ChosenBy, Explanation, LeftWhy, MovedWhy, NobodyWhy, NotChosen, Passed,
    PassedWhy, Rule, SkippedWhy,
};
pub use fact::{Decision, FORMAT, Fact, FoldError, Offered, Timer};
pub use machine::Router;
pub use output::{Output, Refusal, Released, RevokedWhy, TaskOutcome, WorkerState, WrapUp};
pub use plan::{
    ActivitySpec, ChannelSpec, Document, DocumentFault, DocumentPlaces, FilterSpec, KnownWorker,
    NOT_ANSWERING, OtherChannels, Plan, PlanError, ProfileChannel, ProfileEntry, ProfileSpec,
    QueueOrder, QueueSpec, StepSpec, Strategy, VOICE, WhenNobody, WorkerKey, WorkerSpec,
    WorkflowFault, WorkflowPart, WorkflowSpec, WorkflowSpot,
};
pub use pump::{Pump, Settings, Sink, StartError, Survivors, replay};
pub use state::{At, Known, State};
pub use tail::Tail;
pub use task::{Full, RouterHandle, RouterTask};
pub use view::{EngagementView, OfferView, QueueView, RouterView, TaskView, WorkerView};
pub use who::{Prospect, Prospects, Supposed};
