//! One line of the plan: which numbers, for whom, and what they mean.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Destination, Origin, Reach};
use crate::trunk::pattern::Pattern;
use crate::trunk::{NumberKind, Site};

/// What an entry means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A flow.
    Flow {
        /// Name of the flow.
        name: String,
        /// The number in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
    },
    /// Out by a trunk.
    Outbound {
        /// Names of the trunks, in the order they are tried.
        trunks: Vec<String>,
        /// Whether the prefix is taken off.
        strip: Strip,
        /// Put in front of what is left.
        prepend: String,
        /// Kinds of numbers that go this way; empty: all, known to the plan or not.
        kinds: Vec<NumberKind>,
    },
    /// The phone of that number.
    Phone,
    /// Something the switch does itself.
    Service(Service),
}

/// What becomes of an outbound prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strip {
    /// The trunk gets it too.
    Keep,
    /// It is taken off.
    TakeOff,
}

/// Something the switch does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The dialling agent becomes available.
    AgentAvailable,
    /// The dialling agent goes away.
    AgentAway,
    /// A conference room of the dialled number.
    Conference,
    /// What is said comes back.
    Echo,
    /// Hold music.
    HoldMusic,
    /// A steady tone of 1004 Hz.
    Tone,
}

impl Service {
    /// Every word a plan may use, with its meaning.
    pub const WORDS: [(&'static str, Service); 6] = [
        ("agent_available", Service::AgentAvailable),
        ("agent_away", Service::AgentAway),
        ("conference", Service::Conference),
        ("echo", Service::Echo),
        ("hold_music", Service::HoldMusic),
        ("tone", Service::Tone),
    ];

    /// The sound it plays, by name.
    pub const fn sound(self) -> Option<&'static str> {
        match self {
            Service::AgentAvailable => Some("agent-available"),
            Service::AgentAway => Some("agent-away"),
            Service::Conference | Service::HoldMusic => Some("music"),
            Service::Echo => None,
            Service::Tone => Some("tone-1004"),
        }
    }
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which numbers.
    pub pattern: Pattern,
    /// Who reaches it.
    pub reach: Reach,
    /// What it means.
    pub meaning: Meaning,
}

impl Entry {
    pub(super) fn destination(
        &self,
        origin: Origin<'_>,
        number: &str,
        site: Option<&Site>,
    ) -> Option<Destination> {
        match &self.meaning {
            Meaning::Flow {
                name,
                number,
                attributes,
            } => Some(Destination::Flow {
                name: name.clone(),
                number: number.clone(),
                attributes: attributes.clone(),
            }),
            Meaning::Outbound {
                trunks,
                strip,
                prepend,
                kinds,
            } => {
                let dialled = match (&self.pattern, strip) {
                    (Pattern::Prefix(prefix), Strip::TakeOff) => number.strip_prefix(prefix)?,
                    _ => number,
                };
                let digits = dialled.strip_prefix('+').unwrap_or(dialled);
                let dialable = digits.len() >= MIN_OUTBOUND
                    && digits.bytes().all(|c| c.is_ascii_digit())
                    && (prepend.is_empty() || digits.len() == dialled.len());
                let read = site.and_then(|site| site.read(dialled).ok());
                let is_of_kind = kinds.is_empty()
                    || read.as_ref().is_some_and(|read| kinds.contains(&read.kind));
                let dialable = dialable || (read.is_some() && prepend.is_empty());
                (dialable && is_of_kind).then(|| Destination::Trunk {
                    trunks: trunks.clone(),
                    number: format!("{prepend}{dialled}"),
                })
            }
            Meaning::Phone => Some(Destination::Phone(number.to_owned())),
            Meaning::Service(service) => match (service, origin) {
                (Service::AgentAvailable, Origin::Phone(_)) => Some(Destination::AgentAvailable),
                (Service::AgentAway, Origin::Phone(_)) => Some(Destination::AgentAway),
                (Service::AgentAvailable | Service::AgentAway, _) => None,
                (Service::Conference, _) => Some(Destination::Conference(number.to_owned())),
                (Service::Echo, _) => Some(Destination::Echo),
                (Service::HoldMusic, _) => Some(Destination::HoldMusic),
                (Service::Tone, _) => Some(Destination::Tone),
            },
        }
    }
}

impl Meaning {
    /// Kinds of numbers it is about; empty: all.
    pub(super) fn kinds(&self) -> &[NumberKind] {
        match self {
            Meaning::Outbound { kinds, .. } => kinds,
            _ => &[],
        }
    }

    /// Whether both may be meant by one number: not when they name kinds that differ, or only one
    /// of them names any.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.kinds(), other.kinds());
        ours.is_empty() == theirs.is_empty()
            && (ours.is_empty() || ours.iter().any(|kind| theirs.contains(kind)))
    }
}

/// Shortest number sent to a trunk: emergency and service numbers have three digits.
const MIN_OUTBOUND: usize = 3;
