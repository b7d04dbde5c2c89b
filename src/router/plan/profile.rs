//! Routing profiles: which queues a worker serves, in which order and after which wait
//! (requirements, section 3.3).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One routing profile; a worker has at most one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileSpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// What its workers serve; nothing else is offered to them.
    pub entries: Vec<ProfileEntry>,
    /// How much of each channel they take at a time; the channel's own capacity where it is silent.
    #[serde(default)]
    pub channels: BTreeMap<String, ProfileChannel>,
}

/// One queue of a profile, on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Queue.
    pub queue: String,
    /// Channel.
    pub channel: String,
    /// 1 is served before 2; 1 to 99.
    pub priority: u8,
    /// How long a task must have waited in the queue before it is seen; at most 9,999 s.
    pub delay: Duration,
}

/// What a profile says of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileChannel {
    /// Tasks at a time.
    pub capacity: u32,
    /// Whether tasks of other channels may be offered while one of this is in hand.
    pub others: OtherChannels,
}

/// Whether tasks of other channels may be offered to a worker with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherChannels {
    /// They may.
    #[default]
    Allowed,
    /// They may not: he is at this one.
    Barred,
}

impl ProfileSpec {
    /// Priorities an entry may have; 1 is served first.
    pub const PRIORITIES: RangeInclusive<u8> = 1..=99;
    /// Longest delay, as in Amazon Connect.
    pub const LONGEST_DELAY: Duration = Duration::from_secs(9_999);
}
