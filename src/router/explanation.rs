//! Why this worker, or why nobody: what an offer leaves behind for people to read.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::WhenNobody;
use crate::base::{TaskId, Timestamp};

/// Why a task was offered to a worker, or to nobody. The rest can be recomputed from the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Hash of the plan it was decided under.
    pub plan: String,
    /// Generation of that plan.
    pub generation: u64,
    /// Fact it belongs to; for a question asked in between, the last fact before it.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Task.
    pub task: TaskId,
    /// Its queue.
    pub queue: String,
    /// Expression that says who serves the queue.
    pub target: String,
    /// Place in line at that moment; 1 is next.
    pub position: usize,
    /// The worker chosen.
    pub chosen: Option<Chosen>,
    /// How many workers were looked at.
    pub considered: usize,
    /// How many were not chosen, by reason.
    pub not_chosen: BTreeMap<NotChosen, usize>,
    /// The three who came nearest, nearest first.
    pub nearest: Vec<Candidate>,
}

/// The worker an offer went to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Worker.
    pub worker: String,
    /// How long he had been idle, milliseconds.
    pub idle_ms: u64,
    /// How many free workers he was chosen from, himself included.
    pub among: usize,
}

/// A worker who was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Worker.
    pub worker: String,
    /// Why not.
    pub reason: NotChosen,
    /// His activity at that moment.
    pub activity: String,
}

/// Why a worker was not chosen, nearest to being chosen first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotChosen {
    /// Free, but another one was idle longer.
    IdleLessLong,
    /// This very task was offered to him a moment ago.
    OfferedBefore,
    /// His phone was busy or failed a moment ago.
    Paused,
    /// In after-call work.
    WrapUp,
    /// Has another offer.
    Reserved,
    /// In conversation.
    Talking,
    /// In an activity that is not available.
    Unavailable,
    /// His phone is not registered.
    Unreachable,
    /// The target expression does not match him.
    NotInQueue,
    /// No longer in the plan.
    Removed,
}

/// Why nobody can take a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NobodyWhy {
    /// No worker of the plan matches the queue's target.
    NoMatch,
    /// Workers match, but none is reachable and in an available activity.
    NoneOnDuty,
}

impl NobodyWhy {
    /// Whether a queue with this policy wants its tasks to be told.
    pub fn matters_to(self, policy: WhenNobody) -> bool {
        match policy {
            WhenNobody::NoneOnDuty => true,
            WhenNobody::NoMatch => self == NobodyWhy::NoMatch,
            WhenNobody::Wait => false,
        }
    }
}

impl NotChosen {
    pub(super) const ALL: [NotChosen; 10] = [
        NotChosen::IdleLessLong,
        NotChosen::OfferedBefore,
        NotChosen::Paused,
        NotChosen::WrapUp,
        NotChosen::Reserved,
        NotChosen::Talking,
        NotChosen::Unavailable,
        NotChosen::Unreachable,
        NotChosen::NotInQueue,
        NotChosen::Removed,
    ];

    /// A few words for people.
    pub fn words(self) -> &'static str {
        match self {
            NotChosen::IdleLessLong => "idle less long",
            NotChosen::OfferedBefore => "just had this offer",
            NotChosen::Paused => "phone just failed",
            NotChosen::WrapUp => "in wrap-up",
            NotChosen::Reserved => "has another offer",
            NotChosen::Talking => "talking",
            NotChosen::Unavailable => "not available",
            NotChosen::Unreachable => "phone not registered",
            NotChosen::NotInQueue => "not in the queue",
            NotChosen::Removed => "removed from the plan",
        }
    }
}

impl fmt::Display for Explanation {
    /// One sentence, such as `yamada: idle longest (42 s) of 3 free; 2 talking, 1 not available`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chosen {
            Some(chosen) => {
                let idle = chosen.idle_ms / 1000;
                write!(
                    f,
                    "{}: idle longest ({idle} s) of {} free",
                    chosen.worker, chosen.among
                )?;
            }
            None => f.write_str("nobody")?,
        }
        let mut sign = ';';
        for (reason, count) in &self.not_chosen {
            if *reason != NotChosen::IdleLessLong {
                write!(f, "{sign} {count} {}", reason.words())?;
                sign = ',';
            }
        }
        Ok(())
    }
}
