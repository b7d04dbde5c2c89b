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
    /// An application of the user's.
    Application {
        /// The number in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        #[serde(default)]
        attributes: Map<String, Value>,
    },
    /// A flow.
    Flow {
        /// Name of the flow.
        name: String,
        /// The number in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
        /// Name of the calendar that says when it is served; `None`: always.
        #[serde(default)]
        calendar: Option<String>,
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
    /// What an agent tells the switch, or asks it, by phone.
    Agent(AgentService),
    /// A conference room of the dialled number.
    Conference,
    /// What is said comes back.
    Echo,
    /// Hold music.
    HoldMusic,
    /// Messages and greetings.
    Mailbox(MailboxService),
    /// A steady tone of 1004 Hz.
    Tone,
}

/// What somebody wants of a mailbox; more digits say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxService {
    /// Record the greeting, hear it, or drop it.
    Greeting,
    /// Hear messages.
    Listen,
}

/// What an agent tells the switch, or asks it, by phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentService {
    /// He takes calls.
    Available,
    /// He takes none; more digits say why.
    Away,
    /// His after-call work is over; more digits say what it was about.
    Done,
    /// He works at this phone from now on; more digits are his agent number.
    LogIn,
    /// He works no more.
    LogOut,
    /// What he goes over to when he has nothing left in hand; more digits say what.
    Next,
    /// He asks what he is.
    State,
    /// After-call work begins, or lasts longer.
    Wrap,
}

impl AgentService {
    /// Whether digits dialled after its number are its business.
    pub const fn takes_digits(self) -> bool {
        match self {
            AgentService::Away | AgentService::Done | AgentService::LogIn | AgentService::Next => {
                true
            }
            AgentService::Available
            | AgentService::LogOut
            | AgentService::State
            | AgentService::Wrap => false,
        }
    }

    /// In words, for records and whoever reads them.
    pub const fn words(self) -> &'static str {
        match self {
            AgentService::Available => "agent available",
            AgentService::Away => "agent away",
            AgentService::Done => "agent done",
            AgentService::LogIn => "agent log-in",
            AgentService::LogOut => "agent log-out",
            AgentService::Next => "agent next status",
            AgentService::State => "agent status",
            AgentService::Wrap => "agent after-call work",
        }
    }
}

impl Service {
    /// Every word a plan may use, with its meaning.
    pub const WORDS: [(&'static str, Service); 14] = [
        ("agent_available", Service::Agent(AgentService::Available)),
        ("agent_away", Service::Agent(AgentService::Away)),
        ("agent_done", Service::Agent(AgentService::Done)),
        ("agent_login", Service::Agent(AgentService::LogIn)),
        ("agent_logout", Service::Agent(AgentService::LogOut)),
        ("agent_next", Service::Agent(AgentService::Next)),
        ("agent_state", Service::Agent(AgentService::State)),
        ("agent_wrap", Service::Agent(AgentService::Wrap)),
        ("conference", Service::Conference),
        ("echo", Service::Echo),
        ("hold_music", Service::HoldMusic),
        ("tone", Service::Tone),
        ("voicemail", Service::Mailbox(MailboxService::Listen)),
        (
            "voicemail_greeting",
            Service::Mailbox(MailboxService::Greeting),
        ),
    ];

    /// Whether digits dialled after its number are its business.
    pub const fn takes_digits(self) -> bool {
        match self {
            Service::Agent(service) => service.takes_digits(),
            Service::Mailbox(_) => true,
            Service::Conference | Service::Echo | Service::HoldMusic | Service::Tone => false,
        }
    }

    /// The sounds it cannot do without, by name.
    pub const fn sounds(self) -> &'static [&'static str] {
        match self {
            Service::Agent(AgentService::Available) => &["agent-available"],
            Service::Agent(AgentService::Away) => &["agent-away"],
            Service::Agent(AgentService::LogIn) => &["agent-number", "agent-pin", "agent-wrong"],
            Service::Agent(_) | Service::Echo => &[],
            Service::Conference | Service::HoldMusic => &["music"],
            Service::Mailbox(MailboxService::Greeting) => &[
                "beep",
                "vm-enter-pin",
                "vm-greeting-menu",
                "vm-greeting-record",
            ],
            Service::Mailbox(MailboxService::Listen) => {
                &["vm-enter-pin", "vm-menu", "vm-no-messages"]
            }
            Service::Tone => &["tone-1004"],
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
            Meaning::Application { number, attributes } => Some(Destination::Application {
                number: number.clone(),
                attributes: attributes.clone(),
            }),
            Meaning::Flow {
                name,
                number,
                attributes,
                calendar,
            } => Some(Destination::Flow {
                name: name.clone(),
                number: number.clone(),
                attributes: attributes.clone(),
                calendar: calendar.clone(),
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
                (Service::Agent(service), Origin::Phone(_)) => {
                    let digits = match &self.pattern {
                        Pattern::Prefix(prefix) => number.strip_prefix(prefix.as_str())?,
                        _ => "",
                    };
                    Some(Destination::Agent(*service, digits.to_owned()))
                }
                (Service::Mailbox(service), Origin::Phone(_)) => {
                    let digits = match &self.pattern {
                        Pattern::Prefix(prefix) => number.strip_prefix(prefix.as_str())?,
                        _ => "",
                    };
                    Some(Destination::Mailbox(*service, digits.to_owned()))
                }
                (Service::Agent(_) | Service::Mailbox(_), _) => None,
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
