//! Facts: the only things that change the router's state, and how they are written down.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{At, Command, Explanation, Known, LeftWhy, MovedWhy, NobodyWhy, Passed};
use crate::base::{ReservationId, TaskId, Timestamp};
use crate::journal::{Entry, FactClass};

/// One fact of the router.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It was told something.
    Input(Command),
    /// A deadline passed.
    Timer(Timer),
    /// It chose something.
    Decision(Decision),
}

/// A deadline that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "timer", rename_all = "snake_case")]
pub enum Timer {
    /// A worker may be offered this task again.
    CoolDownOver {
        /// Task.
        task: TaskId,
        /// Worker.
        worker: String,
    },
    /// A day is over, in UTC: accepted tasks are counted anew.
    NewDay,
    /// A worker whose phone failed may be offered tasks again.
    PauseOver {
        /// Worker.
        worker: String,
    },
    /// An offer rang for as long as it may.
    RingTimeout {
        /// Offer.
        reservation: ReservationId,
    },
    /// A step lasted as long as it may.
    StepOver {
        /// Task.
        task: TaskId,
    },
    /// A task lived as long as it may.
    TaskOver {
        /// Task.
        task: TaskId,
    },
    /// A task waited long enough to be seen by workers who see it late.
    Visible {
        /// Task.
        task: TaskId,
    },
    /// After-call work is over.
    WrapOver {
        /// Worker.
        worker: String,
        /// Task it follows.
        task: Option<TaskId>,
    },
}

/// Something the router chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// A task was found that nobody can take.
    NobodyCanTake {
        /// Task.
        task: TaskId,
        /// Why.
        why: NobodyWhy,
        /// Who was looked at.
        explanation: Box<Explanation>,
    },
    /// A task went to a step of its workflow.
    Moved {
        /// Task.
        task: TaskId,
        /// Step.
        to: At,
        /// Why it left the one before, or why it is at its first.
        why: MovedWhy,
        /// The worker the task names, where the step asks for one.
        known: Option<Known>,
        /// What it passed on its way here.
        passed: Vec<Passed>,
    },
    /// A task was offered to workers.
    Offered {
        /// Task.
        task: TaskId,
        /// The offers; one, unless the queue reserves several workers at a time.
        offers: Vec<Offered>,
        /// When they are withdrawn.
        expires_at: Timestamp,
        /// Why these workers.
        explanation: Box<Explanation>,
    },
    /// A task was given up.
    TaskDropped {
        /// Task.
        task: TaskId,
        /// Why.
        why: LeftWhy,
        /// What it passed since its last step.
        #[serde(default)]
        passed: Vec<Passed>,
    },
    /// Nobody was free for a task that had just come to a step: it waits there.
    Waits {
        /// Task.
        task: TaskId,
        /// Who was looked at.
        explanation: Box<Explanation>,
    },
}

/// One offer of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// The offer.
    pub reservation: ReservationId,
    /// Worker.
    pub worker: String,
}

/// How facts and snapshots are written. To be raised when what is written now cannot be read by the
/// version before; what was written with a lower number must stay readable.
pub const FORMAT: u16 = 2;

/// The oldest that can be read. Before 2 there were no workflows and no channels.
const OLDEST: u16 = 2;

/// Refuses what a later version has written.
pub(super) fn known(format: u16, sequence: u64) -> Result<(), FoldError> {
    let found = format;
    match found {
        ..OLDEST => Err(FoldError::Older { sequence, found }),
        OLDEST..=FORMAT => Ok(()),
        _ => Err(FoldError::Newer { sequence, found }),
    }
}

/// Why entries do not fold into a state.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// An entry is missing, repeated or of another shard.
    #[error("fact {found} of shard {shard} does not follow fact {last}")]
    Gap {
        /// Shard of the entry.
        shard: u16,
        /// Last fact folded.
        last: u64,
        /// Fact that came.
        found: u64,
    },
    /// A fact or a snapshot was written by a later version.
    #[error(
        "fact {sequence} was written by a newer tsunagu (format {found}, this one knows {FORMAT}); \
         upgrade, or restore the data of this version"
    )]
    Newer {
        /// Its sequence.
        sequence: u64,
        /// How it is written.
        found: u16,
    },
    /// A fact or a snapshot was written by a version too old to be read.
    #[error(
        "fact {sequence} was written by an older tsunagu (format {found}, this one reads {OLDEST} \
         and later); move its journal away and start anew"
    )]
    Older {
        /// Its sequence.
        sequence: u64,
        /// How it is written.
        found: u16,
    },
    /// A fact or a snapshot cannot be read.
    #[error("fact {sequence} cannot be read: {source}")]
    Unreadable {
        /// Its sequence.
        sequence: u64,
        /// Why.
        source: serde_json::Error,
    },
}

impl Fact {
    /// What kind of fact it is.
    pub fn class(&self) -> FactClass {
        match self {
            Fact::Input(_) => FactClass::Input,
            Fact::Timer(_) => FactClass::Timer,
            Fact::Decision(_) => FactClass::Decision,
        }
    }

    /// The entry that keeps it.
    pub fn encode(&self, shard: u16, sequence: u64, at: Timestamp) -> Entry {
        let body = match self {
            Fact::Input(command) => serde_json::to_string(command),
            Fact::Timer(timer) => serde_json::to_string(timer),
            Fact::Decision(decision) => serde_json::to_string(decision),
        };
        Entry {
            shard,
            sequence,
            at,
            class: self.class(),
            format: FORMAT,
            body: body.expect("facts have string keys only, so they always serialise"),
        }
    }

    /// The fact kept in an entry.
    pub fn decode(entry: &Entry) -> Result<Self, FoldError> {
        fn read<T: DeserializeOwned>(entry: &Entry) -> Result<T, FoldError> {
            serde_json::from_str(&entry.body).map_err(|source| FoldError::Unreadable {
                sequence: entry.sequence,
                source,
            })
        }
        known(entry.format, entry.sequence)?;
        Ok(match entry.class {
            FactClass::Input => Fact::Input(read(entry)?),
            FactClass::Timer => Fact::Timer(read(entry)?),
            FactClass::Decision => Fact::Decision(read(entry)?),
        })
    }
}
