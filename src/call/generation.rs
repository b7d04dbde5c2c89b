//! One generation of configuration, as calls see it. A call keeps the one it started with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::arrival::Caller;
use super::desk::DeskTerms;
use crate::base::{Network, Timestamp};
use crate::calendar::{Calendar, ClosingBoard, Verdict};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::flow::{Context, Document, NumberProfile, QueueFlows, Table};
use crate::media::{Library, RoomTerms};
use crate::sdp::SrtpPolicy;
use crate::sip::Flow;
use crate::sip::auth::{Ha1, Offers};
use crate::sip::ua::Terms;
use crate::trunk::profile::MediaTerms;
use crate::trunk::{CallerIds, CallerRights, Numbers, OverrideBoard, Redirects, Trunk};
use crate::twiml::{Link, Sid, SidKind, Terms as DocumentTerms};
use crate::voicemail::VoicemailTerms;
use crate::waiting::LineConfig;

/// Everything a call may look up, immutable; replaced whole by a reload.
#[derive(Debug)]
pub struct Generation {
    /// Counts activations since the process started, from 1.
    pub number: u64,
    /// Phones by number.
    pub phones: HashMap<String, Phone>,
    /// Which digest algorithms to offer whom.
    pub offers: Offers,
    /// Trunks by name.
    pub trunks: BTreeMap<String, Arc<Trunk>>,
    /// What each number leads to.
    pub numbers: Numbers,
    /// The office's own number: of emergency calls, and where nothing else is said.
    pub caller_id: Option<String>,
    /// Numbers that phones may show which have no list of their own.
    pub caller_ids: CallerIds,
    /// Calendars by name.
    pub calendars: IndexMap<String, Arc<Calendar>>,
    /// Which of them are closed by hand, now.
    pub closings: ClosingBoard,
    /// Which numbers lead elsewhere by hand, now.
    pub overrides: OverrideBoard,
    /// Tables that flows look keys up in, by name.
    pub tables: HashMap<String, Arc<Table>>,
    /// Flows by name.
    pub flows: HashMap<String, Arc<Document>>,
    /// Profiles of inbound numbers, by number in its first form.
    pub number_profiles: HashMap<String, NumberProfile>,
    /// Applications of numbers, and whose they are.
    pub applications: Applications,
    /// Queues by name: how callers are kept while they wait.
    pub queues: HashMap<String, QueueCare>,
    /// Names of the workflows.
    pub workflows: Vec<String>,
    /// Agents who work by phone, and the activities they choose from.
    pub desk: DeskTerms,
    /// How transfers are carried out.
    pub transfers: Transfers,
    /// How conversations are recorded.
    pub recording: RecordingTerms,
    /// What holds where people talk together.
    pub conferences: ConferenceTerms,
    /// Mailboxes.
    pub voicemail: Arc<VoicemailTerms>,
    /// Sounds by name.
    pub sounds: Library,
    /// Calls at once on this node; beyond it an INVITE gets 503.
    pub max_calls: usize,
    /// How long a dialled phone or trunk may ring before the caller gets 480.
    pub ring_timeout: Duration,
    /// Foreign hosts that redirections may lead to.
    pub redirect_domains: Vec<String>,
    /// Extensions of phones' calls, and of trunks' whose profile says nothing else.
    pub terms: Terms,
    /// Whether one party's Reason (RFC 3326) is told to the other.
    pub pass_reason: bool,
}

/// What hangs where every call sees it, whatever configuration it began with.
#[derive(Clone, Debug, Default)]
pub struct Boards {
    /// Calendars that are closed by hand.
    pub closings: ClosingBoard,
    /// Numbers that lead elsewhere by hand.
    pub overrides: OverrideBoard,
}

impl Generation {
    /// The workflow that a document names: by its name, or by its id for applications.
    pub(crate) fn workflow(&self, named: &str) -> Option<&str> {
        let is_it = |name: &&String| {
            *name == named || Sid::derive(SidKind::Workflow, name).as_str() == named
        };
        self.workflows.iter().find(is_it).map(String::as_str)
    }

    /// Whether a calendar is open, why, and until when; `None` when there is no such calendar.
    pub fn hours(&self, calendar: &str, now: Timestamp) -> Option<Verdict> {
        let calendar = self.calendars.get(calendar)?;
        Some(calendar.at(now, &self.closings.read()))
    }

    /// What flows know of a number that leads to them.
    pub(super) fn context_of(&self, number: &str) -> Context {
        let profile = self.number_profiles.get(number);
        Context {
            greeting: profile.map(|own| own.greeting.clone()).unwrap_or_default(),
            whisper: profile.and_then(|own| own.whisper.clone()),
            language: self.sounds.language().to_owned(),
            ..Context::default()
        }
    }

    /// Whether media with whoever calls is to be secure.
    pub(super) fn srtp_with(&self, caller: &Caller) -> SrtpPolicy {
        let policy = match caller {
            Caller::Phone(number) => self.phones.get(number).map(|phone| phone.srtp),
            Caller::Trunk(name) => self.trunks.get(name).map(|trunk| trunk.profile.media.srtp),
        };
        policy.unwrap_or_default()
    }

    /// Whether a phone may be where a message of it came from.
    pub(super) fn may_be_at(&self, phone: &str, flow: &Flow) -> bool {
        let networks = self.phones.get(phone).map(|phone| &phone.networks);
        networks.is_none_or(|networks| {
            let from = flow.remote.ip();
            networks.is_empty() || networks.iter().any(|one| one.contains(from))
        })
    }
}

/// A phone that may register and call.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Number; also its user name for SIP and digest.
    pub number: String,
    /// Name shown to whom it calls.
    pub display_name: String,
    /// H(user:realm:password).
    pub ha1: Ha1,
    /// Where it may register and call from; anywhere when empty.
    pub networks: Vec<Network>,
    /// Whether its REFER is carried out.
    pub may_transfer: bool,
    /// Whose dialogs its INVITE with Replaces may take over.
    pub replaces: Replace,
    /// Which numbers it shows outside, and whether at all.
    pub shows: CallerRights,
    /// What becomes of a redirection (call forwarding) by it.
    pub redirects: Redirects,
    /// Codecs, packets, keys.
    pub media: MediaTerms,
    /// Whether its media is secure.
    pub srtp: SrtpPolicy,
}

/// What holds where more than two talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceTerms {
    /// Automatic level, default no, and whether it is told who talks, default yes.
    pub room: RoomTerms,
    /// The sound all hear when somebody enters a conference that people dial into. Default none.
    pub beep: Option<String>,
}

impl Default for ConferenceTerms {
    fn default() -> Self {
        Self {
            room: RoomTerms {
                levelling: false,
                tells_talkers: true,
            },
            beep: None,
        }
    }
}

/// Applications of numbers, and the account that they and the REST API belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applications {
    /// `AccountSid` of all requests.
    pub account: Sid,
    /// Where the REST API is, `https://host`: what URLs of recordings begin with. Empty when nobody
    /// said: they are then relative.
    pub api: String,
    /// Numbers of ours, and others that may be shown: what `callerId` may name.
    pub caller_ids: Vec<String>,
    /// By the number that leads to it, in its first form.
    pub numbers: HashMap<String, Arc<DocumentTerms>>,
}

impl Applications {
    /// The terms of documents that begin at a URL, for a call that no number led there.
    pub fn terms_of(&self, link: Link) -> DocumentTerms {
        DocumentTerms {
            caller_ids: self.caller_ids.clone(),
            api: self.api.clone(),
            ..DocumentTerms::of_url(link)
        }
    }
}

impl Default for Applications {
    fn default() -> Self {
        Self {
            account: Sid::derive(SidKind::Account, "tsunagu"),
            api: String::new(),
            caller_ids: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

/// How transfers are carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfers {
    /// What the party that stays hears while the target rings. Default `ringback`.
    pub sound: String,
    /// Whether whoever transferred and hung up is rung when the transfer fails. Default yes.
    pub recall: bool,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            sound: "ringback".to_owned(),
            recall: true,
        }
    }
}

/// How conversations are recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingTerms {
    /// Channels of the file, 2 to 8: the caller's, the agent's, and one for each who joins; the
    /// last takes all who find none. Default 2.
    pub channels: usize,
    /// No recording, no call: where one is asked for and cannot be made, the call is refused or
    /// ended. Default no.
    pub required: bool,
    /// Keys with which an agent pauses a recording and lets it go on. Default none.
    pub pause_key: Option<String>,
}

impl Default for RecordingTerms {
    fn default() -> Self {
        Self {
            channels: 2,
            required: false,
            pause_key: None,
        }
    }
}

/// Whose dialogs a phone may take over (RFC 3891).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// Everybody's.
    Any,
    /// Those of its own number, on another device.
    #[default]
    Own,
    /// Its own, and those that still ring: pick-up.
    Ringing,
}

/// How a queue treats its callers.
#[derive(Clone, Debug)]
pub struct QueueCare {
    /// Music, announcements, limits.
    pub line: LineConfig,
    /// Name of the calendar that says when it is served; `None`: always.
    pub calendar: Option<String>,
    /// Flows that are heard beside a caller's own.
    pub flows: QueueFlows,
    /// Whether conversations from this queue are recorded.
    pub record: bool,
    /// Whether agents have after-call work.
    pub wraps_up: bool,
    /// Most callers in it.
    pub max_waiting: usize,
}
