//! What an agent wants of the router, and what the router says to it. This file alone knows the
//! router's commands about agents.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call;
use crate::router::{Command, Output, Refusal, WorkerState};

/// What an agent wants of the router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AgentOrder {
    /// He is in this activity from now on.
    Activity {
        agent: String,
        activity: String,
        /// Who wants it, and why.
        by: String,
    },
    /// His after-call work is over.
    EndWrap {
        agent: String,
        /// What the call was about, one of its queue's codes.
        code: Option<String>,
    },
    /// His after-call work ends so much later.
    ExtendWrap { agent: String, by: Duration },
    /// What he goes over to when he has nothing left in hand; `None` takes it back.
    NextActivity {
        agent: String,
        activity: Option<String>,
        by: String,
    },
    /// He works at another phone than before, or at none: whether that is registered.
    Seat { agent: String },
    /// He begins after-call work by hand.
    StartWrap { agent: String },
}

/// What the router said about an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// He is this now.
    Changed {
        activity: String,
        available: bool,
        reachable: bool,
        state: WorkerState,
    },
    /// The queue has no such code.
    CodeUnknown,
    /// The queue wants one of its codes.
    CodeWanted,
    /// It cannot be.
    Refused,
}

impl AgentOrder {
    /// What is to be done for it.
    pub(crate) fn output(self) -> call::Output {
        let command = match self {
            AgentOrder::Activity {
                agent,
                activity,
                by,
            } => Command::SetActivity {
                worker: agent,
                activity,
                by,
                reject_pending: false,
            },
            AgentOrder::EndWrap { agent, code } => Command::EndWrap {
                worker: agent,
                task: None,
                code,
            },
            AgentOrder::ExtendWrap { agent, by } => Command::ExtendWrap { worker: agent, by },
            AgentOrder::NextActivity {
                agent,
                activity,
                by,
            } => Command::SetNextActivity {
                worker: agent,
                activity,
                by,
            },
            AgentOrder::StartWrap { agent } => Command::StartWrap {
                worker: agent,
                lasts: None,
            },
            AgentOrder::Seat { agent } => return call::Output::Reachable(agent),
        };
        call::Output::Router(command)
    }
}

impl Told {
    /// What an output says about the agent it is about.
    pub(crate) fn from_router(output: &Output) -> Option<Self> {
        match output {
            Output::WorkerChanged {
                activity,
                available,
                reachable,
                state,
                ..
            } => Some(Told::Changed {
                activity: activity.clone(),
                available: *available,
                reachable: *reachable,
                state: *state,
            }),
            Output::Refused { why, .. } => Some(match why {
                // Nothing to end: what he is says it all.
                Refusal::NotInWrapUp => return None,
                Refusal::CodeNeeded(_) => Told::CodeWanted,
                Refusal::UnknownCode(_) => Told::CodeUnknown,
                _ => Told::Refused,
            }),
            _ => None,
        }
    }
}

/// The agent an output is about that is about no call.
pub(crate) fn worker_of(output: &Output) -> Option<&str> {
    match output {
        Output::WorkerChanged { worker, .. } => Some(worker),
        Output::Refused { command, .. } => match command.as_ref() {
            Command::EndWrap { worker, .. }
            | Command::ExtendWrap { worker, .. }
            | Command::SetActivity { worker, .. }
            | Command::SetNextActivity { worker, .. }
            | Command::StartWrap { worker, .. }
            | Command::SetReachable { worker, .. } => Some(worker),
            _ => None,
        },
        _ => None,
    }
}
