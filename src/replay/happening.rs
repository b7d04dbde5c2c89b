//! What facts mean to callers and agents, and what may be told to a machine in their place. Every
//! kind of fact is here; figures and models know only what is said here.

use std::time::Duration;

use crate::base::{CallId, ReservationId, TaskId};
use crate::router::{Command, Decision, Destination, Fact, Known, Rejection, Timer};

/// Something that happened to a caller or an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A task came.
    Arrived {
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// The queue or the workflow it was put into.
        queue: String,
        /// The agent it asks for.
        owner: Option<String>,
    },
    /// A step of its workflow asks for this agent.
    Asks { task: TaskId, worker: String },
    /// It was offered to an agent.
    Offered {
        reservation: ReservationId,
        task: TaskId,
        worker: String,
    },
    /// He answered.
    Accepted { reservation: ReservationId },
    /// He was gone before the conversation began.
    GivenBack {
        reservation: ReservationId,
        why: Rejection,
    },
    /// He did not take it.
    Rejected {
        reservation: ReservationId,
        why: Rejection,
    },
    /// He let it ring.
    RangOut { reservation: ReservationId },
    /// The caller left, or was led away; of one in conversation, its end.
    Left { task: TaskId, why: String },
    /// Its conversation is over.
    Completed { task: TaskId },
    /// The machine gave it up.
    Dropped { task: TaskId },
    /// It was found that nobody can take it.
    NobodyCanTake { task: TaskId },
    /// An agent ended his after-call work by hand.
    WrapEnded {
        worker: String,
        /// What it was about, when he said so.
        code: Option<String>,
    },
    /// An agent wanted more time for his after-call work.
    WrapExtended { worker: String, by: Duration },
    /// An agent came or went: his phone was registered, or no longer is.
    Reachable { worker: String, reachable: bool },
    /// The process was restarted: all calls ended but these; these phones are registered.
    Restarted {
        calls: Vec<CallId>,
        phones: Vec<String>,
    },
}

/// What a fact means; nothing for what callers and agents do not feel, several where several agents
/// are rung at a time. `owner_key` is the attribute of a task that names the agent it asks for.
pub(super) fn happenings(fact: &Fact, owner_key: &str) -> Vec<Happening> {
    match fact {
        Fact::Decision(Decision::Offered { task, offers, .. }) => offers
            .iter()
            .map(|offer| Happening::Offered {
                reservation: offer.reservation.clone(),
                task: task.clone(),
                worker: offer.worker.clone(),
            })
            .collect(),
        _ => happening(fact, owner_key).into_iter().collect(),
    }
}

fn happening(fact: &Fact, owner_key: &str) -> Option<Happening> {
    Some(match fact {
        Fact::Input(command) => match command {
            Command::Accept { reservation } => Happening::Accepted {
                reservation: reservation.clone(),
            },
            Command::CancelTask { task, why } => Happening::Left {
                task: task.clone(),
                why: why.clone(),
            },
            Command::Complete { task, .. } => Happening::Completed { task: task.clone() },
            Command::CreateTask(new) => {
                let owner = new
                    .attributes
                    .get(owner_key)
                    .and_then(|value| value.as_str());
                let (Destination::Queue(queue) | Destination::Workflow(queue)) = &new.to;
                Happening::Arrived {
                    task: new.task.clone(),
                    call: new.call.clone(),
                    queue: queue.clone(),
                    owner: owner.filter(|owner| !owner.is_empty()).map(str::to_owned),
                }
            }
            Command::EndWrap { worker, code, .. } => Happening::WrapEnded {
                worker: worker.clone(),
                code: code.clone(),
            },
            Command::ExtendWrap { worker, by } => Happening::WrapExtended {
                worker: worker.clone(),
                by: *by,
            },
            Command::GiveBack { reservation, why } => Happening::GivenBack {
                reservation: reservation.clone(),
                why: *why,
            },
            Command::Recover { calls, phones } => Happening::Restarted {
                calls: calls.clone(),
                phones: phones.clone(),
            },
            Command::Reject {
                reservation, why, ..
            } => Happening::Rejected {
                reservation: reservation.clone(),
                why: *why,
            },
            Command::SetReachable { worker, reachable } => Happening::Reachable {
                worker: worker.clone(),
                reachable: *reachable,
            },
            Command::ActivatePlan { .. }
            | Command::SetActivity { .. }
            | Command::SetBusy { .. }
            | Command::SetNextActivity { .. }
            | Command::StartWrap { .. }
            | Command::UpdateTask { .. } => return None,
        },
        Fact::Timer(timer) => match timer {
            Timer::RingTimeout { reservation } => Happening::RangOut {
                reservation: reservation.clone(),
            },
            Timer::TaskOver { task } => Happening::Dropped { task: task.clone() },
            Timer::CoolDownOver { .. }
            | Timer::NewDay
            | Timer::PauseOver { .. }
            | Timer::StepOver { .. }
            | Timer::Visible { .. }
            | Timer::WrapOver { .. } => return None,
        },
        Fact::Decision(decision) => match decision {
            Decision::NobodyCanTake { task, .. } => Happening::NobodyCanTake { task: task.clone() },
            Decision::Moved {
                task,
                known: Some(Known::Worker(worker) | Known::OutsideQueue(worker)),
                ..
            } => Happening::Asks {
                task: task.clone(),
                worker: worker.clone(),
            },
            Decision::Moved { .. } | Decision::Offered { .. } | Decision::Waits { .. } => {
                return None;
            }
            Decision::TaskDropped { task, .. } => Happening::Dropped { task: task.clone() },
        },
    })
}

/// What a journaled command is to a machine that runs the day with another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A plan: told unless another one takes its place.
    Plan,
    /// Came from outside whatever the machine did: told at the same instant.
    Outside,
    /// Answers something the machine did: whoever said it says it again when his turn comes.
    Answer,
    /// About after-call work. Of that which follows a conversation an answer; of that which an agent
    /// began by hand told at the same instant, as its beginning was.
    WrapUp,
    /// A restart: told as what it did to phones and calls.
    Restart,
}

/// See [`Told`].
pub(super) fn told(command: &Command) -> Told {
    match command {
        Command::Accept { .. }
        | Command::CancelTask { .. }
        | Command::Complete { .. }
        | Command::GiveBack { .. }
        | Command::Reject { .. } => Told::Answer,
        Command::ActivatePlan { .. } => Told::Plan,
        Command::EndWrap { .. } | Command::ExtendWrap { .. } => Told::WrapUp,
        Command::CreateTask(_)
        | Command::SetActivity { .. }
        | Command::SetBusy { .. }
        | Command::SetNextActivity { .. }
        | Command::SetReachable { .. }
        | Command::StartWrap { .. }
        | Command::UpdateTask { .. } => Told::Outside,
        Command::Recover { .. } => Told::Restart,
    }
}

/// An agent answers.
pub(super) fn accept(reservation: ReservationId) -> Command {
    Command::Accept { reservation }
}

/// An agent does not take an offer.
pub(super) fn reject(reservation: ReservationId, why: Rejection) -> Command {
    Command::Reject {
        reservation,
        why,
        activity: None,
    }
}

/// An agent who answered was gone.
pub(super) fn give_back(reservation: ReservationId, why: Rejection) -> Command {
    Command::GiveBack { reservation, why }
}

/// A caller leaves.
pub(super) fn leave(task: TaskId, why: &str) -> Command {
    let why = why.to_owned();
    Command::CancelTask { task, why }
}

/// A conversation ends.
pub(super) fn complete(task: TaskId) -> Command {
    Command::Complete { task, code: None }
}

/// An agent ends his after-call work.
pub(super) fn end_wrap(worker: String, code: Option<String>) -> Command {
    Command::EndWrap {
        worker,
        task: None,
        code,
    }
}

/// An agent wants more time for his after-call work.
pub(super) fn extend_wrap(worker: String, by: Duration) -> Command {
    Command::ExtendWrap { worker, by }
}

/// A phone is registered, or no longer is.
pub(super) fn reach(worker: String, reachable: bool) -> Command {
    Command::SetReachable { worker, reachable }
}
