//! The whole configuration, checked; and what changes from one to the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::node::NodeSettings;
use super::phones::Phone;
use super::queues::Placement;
use super::report::Report;
use crate::calendar::{Calendar, ClosingNumber};
use crate::call::{Agents, DeskTerms};
use crate::flow::{Document, NumberProfile, QueueFlows, Table};
use crate::mail;
use crate::presence::HeartbeatTerms;
use crate::router::Plan;
use crate::sip::transport::TlsConfig;
use crate::speech;
use crate::trunk::{Meaning, Numbers, Trunk};
use crate::voicemail::VoicemailTerms;
use crate::waiting::LineConfig;
use crate::{twiml, webhook};

/// One generation of configuration: complete, checked, immutable.
#[derive(Clone, Debug)]
pub struct Office {
    /// Settings of this node.
    pub node: NodeSettings,
    /// Certificates, ready for handshakes.
    pub tls: Option<Arc<TlsConfig>>,
    /// Carriers.
    pub trunks: Vec<Trunk>,
    /// Phones that may register.
    pub phones: Vec<Phone>,
    /// What the router is to know; its generation is the activator's to set.
    pub plan: Plan,
    /// Agents who work by phone.
    pub desk: DeskTerms,
    /// Agents' programs that say that they are there.
    pub heartbeat: HeartbeatTerms,
    /// What callers hear in each queue.
    pub lines: HashMap<String, LineConfig>,
    /// Where each queue's conferences are placed.
    pub placements: HashMap<String, Placement>,
    /// Queues whose conversations are recorded.
    pub recorded: HashSet<String>,
    /// Calendars by name.
    pub calendars: IndexMap<String, Arc<Calendar>>,
    /// Calendars that are closed by telephone, by their digits.
    pub closing_numbers: Arc<BTreeMap<String, ClosingNumber>>,
    /// Calendars of queues, by queue.
    pub queue_calendars: HashMap<String, String>,
    /// Flows of queues, by queue.
    pub queue_flows: HashMap<String, QueueFlows>,
    /// Profiles of inbound numbers, by number in its first form.
    pub number_profiles: HashMap<String, NumberProfile>,
    /// Mailboxes of queues, by queue.
    pub queue_mailboxes: HashMap<String, String>,
    /// Mailboxes.
    pub voicemail: Arc<VoicemailTerms>,
    /// The server that takes e-mail.
    pub mail: Arc<mail::Settings>,
    /// Flows by name.
    pub flows: HashMap<String, Arc<Document>>,
    /// What dialled numbers mean.
    pub numbers: Numbers,
    /// Applications that say what becomes of a number's calls, by the number in its first form.
    pub applications: HashMap<String, twiml::Terms>,
    /// Sounds that it names, sorted.
    pub sounds: Vec<String>,
    /// Tables that flows look keys up in, by name.
    pub tables: HashMap<String, Arc<Table>>,
    /// Voices that say texts.
    pub speech: speech::Settings,
    /// The user's web applications.
    pub webhooks: webhook::Settings,
    /// Digest of all files and settings, secrets left out: 16 hex digits.
    pub hash: String,
    /// What was doubtful but taken.
    pub warnings: Report,
}

/// What differs between two generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Things the newer one has and the older has not, such as `queue sales`.
    pub added: Vec<String>,
    /// Things that are different.
    pub changed: Vec<String>,
    /// Things the newer one no longer has.
    pub removed: Vec<String>,
    /// Settings that take effect only when the program starts anew.
    pub need_restart: Vec<String>,
}

impl Office {
    /// The phone with this number.
    pub fn phone(&self, number: &str) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.number == number)
    }

    /// The trunk with this name.
    pub fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// The activity of an agent who reports available: the plan's first available one.
    pub fn available_activity(&self) -> &str {
        self.activity(true).unwrap_or("available")
    }

    /// The activity of an agent who goes away: the plan's first that is not available.
    pub fn away_activity(&self) -> &str {
        self.activity(false).unwrap_or("away")
    }

    /// What becomes different when `newer` takes this office's place.
    pub fn changes_to(&self, newer: &Office) -> Changes {
        let mut changes = Changes::default();
        let (old, new) = (self.things(), newer.things());
        for (name, thing) in &new {
            match old.get(name) {
                None => changes.added.push(name.clone()),
                Some(before) if before != thing => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        for phone in &newer.phones {
            let before = self.phone(&phone.number);
            if before.is_some_and(|before| before.ha1 != phone.ha1) {
                changes
                    .changed
                    .push(format!("password of phone {}", phone.number));
            }
        }
        for trunk in &newer.trunks {
            let before = self.trunk(&trunk.name);
            let secrets = |trunk: &Trunk| {
                let accounts = trunk.accounts.iter();
                let accounts = accounts.map(|account| account.credentials.clone());
                let all: Vec<_> = accounts.chain([trunk.credentials.clone()]).collect();
                all
            };
            if before.is_some_and(|before| secrets(before) != secrets(trunk)) {
                changes
                    .changed
                    .push(format!("credentials of trunk {}", trunk.name));
            }
        }
        for (name, agent) in &newer.desk.agents {
            let before = self.desk.agents.get(name);
            if before.is_some_and(|before| before.pin != agent.pin) {
                changes.changed.push(format!("PIN of agent {name}"));
            }
        }
        for (name, endpoint) in &newer.webhooks.endpoints {
            let before = self.webhooks.endpoints.get(name);
            if before.is_some_and(|before| before.terms.secret != endpoint.terms.secret) {
                changes.changed.push(format!("secret of endpoint {name}"));
            }
        }
        for (name, mailbox) in &newer.voicemail.mailboxes {
            let before = self.voicemail.mailboxes.get(name);
            if before.is_some_and(|before| before.pin != mailbox.pin) {
                changes.changed.push(format!("PIN of mailbox {name}"));
            }
        }
        let limits = |office: &Office| VoicemailTerms {
            mailboxes: BTreeMap::new(),
            ..(*office.voicemail).clone()
        };
        if limits(self) != limits(newer) {
            changes.changed.push("voicemail".to_owned());
        }
        let gone = old.keys().filter(|name| !new.contains_key(*name));
        changes.removed.extend(gone.cloned());
        changes.settings(&self.node, &newer.node);
        let rules = |office: &Office| DeskTerms {
            agents: Agents::default(),
            activities: Vec::new(),
            ..office.desk.clone()
        };
        if rules(self) != rules(newer) {
            changes.changed.push("desk".to_owned());
        }
        let common = |office: &Office| webhook::Settings {
            endpoints: HashMap::new(),
            ..office.webhooks.clone()
        };
        if common(self) != common(newer) {
            changes.changed.push("webhooks".to_owned());
        }
        if self.mail != newer.mail {
            changes.changed.push("mail".to_owned());
        }
        if self.closing_numbers != newer.closing_numbers {
            changes.changed.push("closing by telephone".to_owned());
        }
        if self.heartbeat != newer.heartbeat {
            changes.changed.push("heartbeat".to_owned());
        }
        let bounds = |office: &Office| (office.speech.keep, office.speech.at_once);
        if bounds(self) != bounds(newer) {
            changes.need_restart.push("speech".to_owned());
        }
        changes
    }

    fn activity(&self, available: bool) -> Option<&str> {
        let mut activities = self.plan.activities.iter();
        let found = activities.find(|activity| activity.available == available);
        found.map(|activity| activity.name.as_str())
    }

    /// Everything with a name, without secrets, in a form that can be compared.
    fn things(&self) -> BTreeMap<String, String> {
        let mut things = BTreeMap::new();
        let mut add = |kind: &str, name: &str, content: String| {
            things.insert(format!("{kind} {name}"), content);
        };
        for trunk in &self.trunks {
            let Trunk {
                name,
                accept,
                targets,
                try_for,
                redirects,
                accept_hosts,
                credentials: _,
                caller_id,
                domain,
                accounts,
                profile,
                identity,
                transfer,
            } = trunk;
            let content = format!(
                "{accept:?} {redirects:?} {accept_hosts:?} {targets:?} {try_for:?} {caller_id:?} {domain:?} {accounts:?} {profile:?} {identity:?} {transfer:?}"
            );
            add("trunk", name, content);
        }
        for phone in &self.phones {
            let Phone {
                number,
                display_name,
                ha1: _,
                networks,
                may_transfer,
                replaces,
                shows,
                redirects,
                media,
                srtp,
            } = phone;
            let content = format!(
                "{display_name} {networks:?} {may_transfer:?} {replaces:?} {shows:?} {redirects:?} {media:?} {srtp:?}"
            );
            add("phone", number, content);
        }
        for worker in &self.plan.workers {
            let desk = self.desk.agents.get(&worker.name);
            let desk = desk.map(|desk| (&desk.number, &desk.language));
            add("agent", &worker.name, format!("{worker:?} {desk:?}"));
        }
        for activity in &self.plan.activities {
            let mut desks = self.desk.activities.iter();
            let desk = desks.find(|known| known.name == activity.name);
            add("activity", &activity.name, format!("{activity:?} {desk:?}"));
        }
        for channel in &self.plan.channels {
            add("channel", &channel.name, channel.capacity.to_string());
        }
        for profile in &self.plan.profiles {
            add("profile", &profile.name, format!("{profile:?}"));
        }
        for workflow in &self.plan.workflows {
            add("workflow", &workflow.name, format!("{workflow:?}"));
        }
        for queue in &self.plan.queues {
            let line = self.lines.get(&queue.name);
            let placement = self.placements.get(&queue.name);
            let record = self.recorded.contains(&queue.name);
            let calendar = self.queue_calendars.get(&queue.name);
            let flows = self.queue_flows.get(&queue.name);
            let mailbox = self.queue_mailboxes.get(&queue.name);
            add(
                "queue",
                &queue.name,
                format!(
                    "{queue:?} {line:?} {placement:?} {record} {calendar:?} {flows:?} {mailbox:?}"
                ),
            );
        }
        for (name, table) in &self.tables {
            add("table", name, format!("{table:?}"));
        }
        for voice in &self.speech.voices {
            add("voice", &voice.name, format!("{voice:?}"));
        }
        for (name, calendar) in &self.calendars {
            add("calendar", name, format!("{calendar:?}"));
        }
        for (name, mailbox) in &self.voicemail.mailboxes {
            add("mailbox", name, format!("{mailbox:?}"));
        }
        for (name, flow) in &self.flows {
            add("flow", name, format!("{flow:?}"));
        }
        for (name, endpoint) in &self.webhooks.endpoints {
            add("endpoint", name, format!("{endpoint:?}"));
        }
        if let Some(trunk) = self.numbers.emergency_trunk() {
            add("emergency", "calls", trunk.to_owned());
        }
        for entry in self.numbers.entries() {
            let (profile, application) = match &entry.meaning {
                Meaning::Flow { number, .. } => (self.number_profiles.get(number), None),
                Meaning::Application { number, .. } => (
                    self.number_profiles.get(number),
                    self.applications.get(number),
                ),
                _ => (None, None),
            };
            let content = format!(
                "{:?} {:?} {profile:?} {application:?}",
                entry.meaning, entry.reach
            );
            add("number", &entry.pattern.to_string(), content);
        }
        things
    }
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn settings(&mut self, old: &NodeSettings, new: &NodeSettings) {
        let restart = [
            ("name", old.name != new.name),
            ("region", old.region != new.region),
            ("shards", old.shards != new.shards),
            ("sip.listen", old.sip.listeners != new.sip.listeners),
            ("sip.advertise", old.sip.advertised != new.sip.advertised),
            ("media.address", old.media.address != new.media.address),
            (
                "media.advertise",
                (old.media.advertised, old.media.other_family)
                    != (new.media.advertised, new.media.other_family),
            ),
            (
                "sip.large_requests",
                old.sip.longest_datagram != new.sip.longest_datagram,
            ),
            ("sip.dns", old.sip.dns != new.sip.dns),
            ("sip.t1", old.sip.t1 != new.sip.t1),
            ("sip.try_for", old.sip.try_for != new.sip.try_for),
            ("media.ports", old.media.ports != new.media.ports),
            ("media.workers", old.media.workers != new.media.workers),
            ("media.cores", old.media.cores != new.media.cores),
            (
                "media.quarantine",
                old.media.quarantine != new.media.quarantine,
            ),
            ("http.listen", old.http != new.http),
            ("metrics.listen", old.metrics != new.metrics),
            (
                "rest.listen",
                old.rest.as_ref().map(|it| it.listen) != new.rest.as_ref().map(|it| it.listen),
            ),
            ("data", old.data != new.data),
            ("sounds", old.sounds != new.sounds),
            ("language", old.language != new.language),
            ("recordings", old.recordings != new.recordings),
            (
                "recording.format",
                old.recording.format != new.recording.format,
            ),
            (
                "recording.keep",
                old.recording.limits != new.recording.limits,
            ),
            ("journal", old.journal != new.journal),
            ("trace.hep", old.trace.hep != new.trace.hep),
            ("trace.megabytes", old.trace.octets != new.trace.octets),
        ];
        let live = [
            ("max_calls", old.max_calls != new.max_calls),
            ("drain", old.drain != new.drain),
            ("site", old.site != new.site),
            ("sip.tls", old.sip.tls != new.sip.tls),
            ("sip.auth", old.sip.defence.auth != new.sip.defence.auth),
            (
                "sip.acl, sip.limits or sip.bans",
                old.sip.defence.rules != new.sip.defence.rules,
            ),
            (
                "sip.redirect_domains",
                old.sip.redirect_domains != new.sip.redirect_domains,
            ),
            ("dialogs", old.dialogs != new.dialogs),
            ("recording", old.recording.terms != new.recording.terms),
            (
                "rest.url",
                old.rest.as_ref().map(|it| &it.url) != new.rest.as_ref().map(|it| &it.url),
            ),
            ("conference", old.conferences != new.conferences),
            ("transfer", old.transfers != new.transfers),
            ("trace.numbers", old.trace.numbers != new.trace.numbers),
        ];
        let names = |settings: &[(&str, bool)]| -> Vec<String> {
            let differing = settings.iter().filter(|(_, differs)| *differs);
            differing.map(|(name, _)| (*name).to_owned()).collect()
        };
        self.changed.extend(names(&live));
        self.need_restart.extend(names(&restart));
    }
}

/// One line a kind of change; `nothing changed` when there is none.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let lines = [
            ("added", &self.added),
            ("changed", &self.changed),
            ("removed", &self.removed),
            ("after a restart only", &self.need_restart),
        ];
        let lines: Vec<String> = lines
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}
