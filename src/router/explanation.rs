//! Why this worker, or why nobody: what an offer leaves behind for people to read.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{At, Known, WhenNobody};
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
    /// Rule that applied; `None` for a task that was put into the queue.
    #[serde(default)]
    pub rule: Option<Rule>,
    /// Place in line at that moment; 1 is next.
    pub position: usize,
    /// When the task moves on by itself, at the latest.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The worker chosen; of several the first.
    pub chosen: Option<Chosen>,
    /// How many workers were looked at.
    pub considered: usize,
    /// How many were not chosen, by reason.
    pub not_chosen: BTreeMap<NotChosen, usize>,
    /// The three who came nearest, nearest first.
    pub nearest: Vec<Candidate>,
}

/// The rule of a workflow that applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Workflow.
    pub workflow: String,
    /// Name of its filter; empty for one without name, and for the default filter.
    pub filter: String,
    /// Step.
    pub at: At,
    /// The step's expression.
    pub expression: Option<String>,
    /// The worker the task names, where the step asks for one.
    pub known: Option<Known>,
}

/// A filter or a step that a task passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Step; of a filter that did not match, its first.
    pub at: At,
    /// Why it did not stay there.
    pub why: PassedWhy,
}

/// Why a task did not stay at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassedWhy {
    /// The filter's expression does not hold for the task.
    NoMatch,
    /// The step's queue is no longer in the plan.
    QueueGone,
    /// The step's queue is full.
    QueueFull,
}

/// Why a task came to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovedWhy {
    /// It is new, or begins anew.
    Entered,
    /// Nobody could take it at the step before, as that step, or its workflow, says.
    Skipped(SkippedWhy),
    /// The step before lasted as long as it may.
    TimedOut,
}

/// Why a step was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedWhy {
    /// No worker of the plan matches.
    NoMatch,
    /// Workers match, but none is reachable and in an available activity.
    NoneOnDuty,
    /// Its `skip_if` held.
    SkipIf,
}

/// Why a task left its workflow without having been accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftWhy {
    /// It lived as long as it may.
    TimeToLive,
    /// It was offered too often.
    TooManyOffers,
    /// No filter matches it, and there is no default.
    Unmatched,
    /// The last step was skipped.
    WorkflowSkipped,
    /// The last step timed out.
    WorkflowTimedOut,
}

impl LeftWhy {
    /// A few words for people.
    pub fn words(self) -> &'static str {
        match self {
            LeftWhy::TimeToLive => "it lived as long as it may",
            LeftWhy::TooManyOffers => "offered too often",
            LeftWhy::Unmatched => "no rule matches it",
            LeftWhy::WorkflowSkipped => "nobody can take it at the last step",
            LeftWhy::WorkflowTimedOut => "the last step timed out",
        }
    }
}

impl SkippedWhy {
    /// The word events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            SkippedWhy::NoMatch => "skipped: no_match",
            SkippedWhy::NoneOnDuty => "skipped: none_on_duty",
            SkippedWhy::SkipIf => "skipped: skip_if",
        }
    }
}

/// The worker an offer went to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Worker.
    pub worker: String,
    /// How long he had been idle, milliseconds; 0 when he had something else in hand.
    pub idle_ms: u64,
    /// How many free workers he was chosen from, himself included.
    pub among: usize,
    /// What put him before the others.
    #[serde(default)]
    pub by: ChosenBy,
}

/// What put a worker before the others who were free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The attributes that the step, or the queue, orders by.
    Attributes,
    /// Chance.
    Chance,
    /// He accepted the fewest tasks today.
    LeastCalls,
    /// He had the least in hand, all of those free having something; of equals he was done with
    /// something longest ago.
    LeastInHand,
    /// He was idle longest.
    #[default]
    LongestIdle,
    /// He was offered a task longest ago.
    RoundRobin,
    /// He served the customer last.
    Sticky,
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
    /// Free, but another one was idle longer or had less in hand, or came first by the queue's
    /// strategy.
    IdleLessLong,
    /// Free, but sees tasks of this queue only after a while.
    SeesLater,
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
    /// Has as much of other channels in hand as bars this one.
    OtherChannel,
    /// His phone is in another call.
    PhoneBusy,
    /// Goes to another activity when he is done.
    Leaving,
    /// In an activity that is not available.
    Unavailable,
    /// His phone is not registered.
    Unreachable,
    /// He serves the queue, but the step is not for him.
    NotForStep,
    /// He does not serve the queue.
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
    /// The word events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            NobodyWhy::NoMatch => "no_match",
            NobodyWhy::NoneOnDuty => "none_on_duty",
        }
    }

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
    pub(super) const ALL: [NotChosen; 15] = [
        NotChosen::IdleLessLong,
        NotChosen::SeesLater,
        NotChosen::OfferedBefore,
        NotChosen::Paused,
        NotChosen::WrapUp,
        NotChosen::Reserved,
        NotChosen::Talking,
        NotChosen::OtherChannel,
        NotChosen::PhoneBusy,
        NotChosen::Leaving,
        NotChosen::Unavailable,
        NotChosen::Unreachable,
        NotChosen::NotForStep,
        NotChosen::NotInQueue,
        NotChosen::Removed,
    ];

    /// A few words for people.
    pub fn words(self) -> &'static str {
        match self {
            NotChosen::IdleLessLong => "idle less long",
            NotChosen::SeesLater => "sees it later",
            NotChosen::OfferedBefore => "just had this offer",
            NotChosen::Paused => "phone just failed",
            NotChosen::WrapUp => "in wrap-up",
            NotChosen::Reserved => "has another offer",
            NotChosen::Talking => "talking",
            NotChosen::OtherChannel => "at another channel",
            NotChosen::PhoneBusy => "phone in another call",
            NotChosen::Leaving => "about to leave",
            NotChosen::Unavailable => "not available",
            NotChosen::Unreachable => "phone not registered",
            NotChosen::NotForStep => "not for this step",
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
                let (idle, among) = (chosen.idle_ms / 1000, chosen.among);
                write!(f, "{}: ", chosen.worker)?;
                match chosen.by {
                    ChosenBy::Attributes => write!(f, "first by attributes")?,
                    ChosenBy::Chance => write!(f, "drawn by chance")?,
                    ChosenBy::LeastCalls => write!(f, "fewest calls today")?,
                    ChosenBy::LeastInHand => write!(f, "least in hand")?,
                    ChosenBy::LongestIdle => write!(f, "idle longest ({idle} s)")?,
                    ChosenBy::RoundRobin => write!(f, "his turn")?,
                    ChosenBy::Sticky => write!(f, "served the customer last")?,
                }
                write!(f, " of {among} free")?;
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
