//! The plan: workers, queues and activities as the configuration wishes them, checked whole.

mod check;
mod document;
mod fault;
mod lint;
mod profile;
mod queue;
#[cfg(test)]
mod tests;
mod workflow;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use document::{Document, DocumentFault, DocumentPlaces};
pub use fault::{WorkflowFault, WorkflowPart, WorkflowSpot};
pub use profile::{OtherChannels, ProfileChannel, ProfileEntry, ProfileSpec};
pub use queue::{QueueOrder, QueueSpec, Strategy, WhenNobody};
pub use workflow::{FilterSpec, KnownWorker, StepSpec, WorkerKey, WorkflowSpec};

/// The activity a worker is moved to who misses an offer, unless the queue names another.
pub const NOT_ANSWERING: &str = "not_answering";

/// The channel of calls.
pub const VOICE: &str = "voice";

/// Everything the router is to know, one generation of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Configuration generation it came with.
    pub generation: u64,
    /// Workers; their order breaks ties between equally long idle ones.
    pub workers: Vec<WorkerSpec>,
    /// Queues.
    pub queues: Vec<QueueSpec>,
    /// Activities. [`NOT_ANSWERING`] need not be listed: it is always there, not available.
    pub activities: Vec<ActivitySpec>,
    /// Channels. [`VOICE`] need not be listed: it is always there, with a capacity of 1.
    #[serde(default)]
    pub channels: Vec<ChannelSpec>,
    /// Workflows. A queue's name leads into the queue without one.
    #[serde(default)]
    pub workflows: Vec<WorkflowSpec>,
    /// Routing profiles.
    #[serde(default)]
    pub profiles: Vec<ProfileSpec>,
    /// Which kind of queue a worker of both kinds is sent to first, priority of his profile aside.
    #[serde(default)]
    pub prioritize_queue_order: QueueOrder,
}

/// One worker (an agent).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerSpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Number of the phone that rings.
    pub phone: String,
    /// What expressions see as `worker.`; `name` and `phone` are added when it has none.
    pub attributes: Map<String, Value>,
    /// Activity when first seen; the plan's first available one when `None`.
    #[serde(default)]
    pub activity: Option<String>,
    /// Routing profile; without one he serves, at once, every queue whose target matches him.
    #[serde(default)]
    pub profile: Option<String>,
    /// Tasks he takes at a time, by channel, where it is not the profile's or the channel's number.
    #[serde(default)]
    pub capacity: BTreeMap<String, u32>,
}

/// One activity of workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivitySpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// Whether workers in it get offers.
    pub available: bool,
}

/// One channel: a kind of work, such as `voice` or `chat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// Tasks a worker takes at a time where neither he nor his profile says otherwise.
    pub capacity: u32,
}

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {message}")]
pub struct PlanError {
    /// What is wrong, such as `queue "sales"`.
    pub subject: String,
    /// Why.
    pub message: String,
    /// Where in the expression it is about, in bytes, when it is in one.
    pub span: Option<Range<usize>>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Plan {
    /// Digest of the content, the generation left out: equal plans have equal hashes.
    pub fn hash(&self) -> String {
        let content = serde_json::to_vec(&(
            &self.workers,
            &self.queues,
            &self.activities,
            &self.channels,
            &self.workflows,
            &self.profiles,
            &self.prioritize_queue_order,
        ));
        // Serialising these types into memory cannot fail: string keys, no foreign code.
        let digest = Sha256::digest(content.unwrap_or_default());
        hex::encode(&digest[..8])
    }

    /// Whether workers in `activity` get offers; an unknown activity is not available.
    pub fn is_available(&self, activity: &str) -> bool {
        self.activities
            .iter()
            .any(|spec| spec.name == activity && spec.available)
    }

    /// Whether `activity` is listed or built in.
    pub fn knows_activity(&self, activity: &str) -> bool {
        activity == NOT_ANSWERING || self.activities.iter().any(|spec| spec.name == activity)
    }

    /// The worker whose phone has this number.
    pub fn worker_of_phone(&self, phone: &str) -> Option<&WorkerSpec> {
        self.workers.iter().find(|worker| worker.phone == phone)
    }

    /// The activity a worker starts in.
    pub fn first_activity(&self, worker: &WorkerSpec) -> String {
        let first = || self.activities.iter().find(|spec| spec.available);
        let name = worker.activity.clone();
        name.or_else(|| first().map(|spec| spec.name.clone()))
            .unwrap_or_else(|| NOT_ANSWERING.to_owned())
    }
}

impl WorkerSpec {
    /// What expressions see as `worker.`: his attributes, and what he is called where he has no
    /// attribute of that key: `name`, `friendly_name` and `sid` are his name, `phone` his phone.
    pub fn seen(&self) -> Map<String, Value> {
        let mut seen = self.attributes.clone();
        for (key, value) in [
            ("name", &self.name),
            ("friendly_name", &self.name),
            ("sid", &self.name),
            ("phone", &self.phone),
        ] {
            if !seen.contains_key(key) {
                seen.insert(key.to_owned(), Value::String(value.clone()));
            }
        }
        seen
    }

    /// A worker without attributes, shown by its name.
    pub fn new(name: impl Into<String>, phone: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            display_name: name.clone(),
            name,
            phone: phone.into(),
            attributes: Map::new(),
            activity: None,
            profile: None,
            capacity: BTreeMap::new(),
        }
    }
}

impl ActivitySpec {
    /// An activity in which workers get offers.
    pub fn available(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            available: true,
        }
    }

    /// An activity in which workers get none.
    pub fn unavailable(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            available: false,
        }
    }
}
