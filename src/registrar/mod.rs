//! Where phones are: bindings (RFC 3261 §10.3, flows of RFC 5626 §6).
//!
//! A pure machine: whoever calls [`Registrar::register`] has authenticated the request and knows
//! which phone it speaks for. Paths are kept (RFC 3327). Not here: GRUU, service routes.

mod binding;
mod request;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Timers, Timestamp};
use crate::sip::{ConnectionId, Flow, HeaderName, Message, NameAddr};
use request::{Asked, Request, Unfit, Wish};

pub use binding::Binding;

/// What phones may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Contacts a phone may have; the one refreshed longest ago makes room for a new one.
    pub max_contacts: usize,
    /// Shortest time granted; shorter wishes are refused with 423.
    pub min_expires: Duration,
    /// Time granted when none is asked for.
    pub default_expires: Duration,
    /// Longest time granted; longer wishes are cut.
    pub max_expires: Duration,
    /// How often a phone that keeps its connection gives a sign of life (Flow-Timer, RFC 5626 §10).
    pub flow_timer: Duration,
}

impl Default for Limits {
    /// 10 contacts, 60 s, 3600 s, 7200 s, 120 s.
    fn default() -> Self {
        Self {
            max_contacts: 10,
            min_expires: Duration::from_secs(60),
            default_expires: Duration::from_secs(3600),
            max_expires: Duration::from_secs(7200),
            flow_timer: Duration::from_secs(120),
        }
    }
}

/// How a REGISTER is to be answered, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200, 400, 403, 420, 423, 439 or 500.
    pub status: u16,
    /// Headers of the response.
    pub headers: Vec<(HeaderName, String)>,
    /// What others should know.
    pub changes: Vec<Change>,
    /// Whether any binding was made, refreshed or removed: what is written down is old.
    pub is_news: bool,
    /// How long the connection may be silent from now on, when the phone keeps it alive (RFC 5626
    /// §5.4).
    pub silence: Option<Duration>,
}

/// A phone came or went. Refreshes are no change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The phone has its first binding.
    Registered {
        /// The phone.
        phone: String,
    },
    /// The phone's last binding is gone.
    Unregistered {
        /// The phone.
        phone: String,
    },
}

/// What went with a connection or flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// What others should know.
    pub changes: Vec<Change>,
    /// Whether any binding went: what is written down is old.
    pub is_news: bool,
}

/// All bindings, to be written down and read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Bindings by phone.
    pub phones: BTreeMap<String, Vec<Binding>>,
}

/// The table of bindings.
#[derive(Clone, Debug)]
pub struct Registrar {
    limits: Limits,
    /// Phones with at least one binding, most wanted and freshest first.
    phones: HashMap<String, Vec<Binding>>,
    /// When a phone's first binding ends.
    expiries: Timers<String>,
    /// Phones with a binding over each connection.
    connections: HashMap<ConnectionId, BTreeSet<String>>,
    /// Phones whose bindings are not as they were taken to be written down.
    unsaved: BTreeSet<String>,
}

impl Registrar {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phones: HashMap::new(),
            expiries: Timers::new(),
            connections: HashMap::new(),
            unsaved: BTreeSet::new(),
        }
    }

    /// The table as it was written down; what has ended meanwhile goes with the next
    /// [`Registrar::handle_timeout`]. What was registered over a connection of the earlier process
    /// went with it, unless proxies keep the way (RFC 3327).
    pub fn restore(limits: Limits, snapshot: Snapshot) -> Self {
        let mut registrar = Self::new(limits);
        for (phone, mut bindings) in snapshot.phones {
            let written = bindings.len();
            let has_way =
                |binding: &Binding| binding.flow.connection.is_none() || !binding.path.is_empty();
            bindings.retain(has_way);
            let is_as_written = bindings.len() == written;
            for binding in &mut bindings {
                binding.flow.connection = None;
            }
            registrar.set(&phone, bindings);
            if is_as_written {
                registrar.unsaved.remove(&phone);
            }
        }
        registrar
    }

    /// The table, to be written down.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            phones: self
                .phones
                .iter()
                .map(|(phone, bindings)| (phone.clone(), bindings.clone()))
                .collect(),
        }
    }

    /// Takes up to `most` phones that changed since they were last taken, with their bindings (none
    /// for a phone that is gone), to be written down.
    pub fn take_unsaved(&mut self, most: usize) -> Vec<(String, Vec<Binding>)> {
        let phones = std::iter::from_fn(|| self.unsaved.pop_first()).take(most);
        let phones: Vec<String> = phones.collect();
        let taken = phones.into_iter().map(|phone| {
            let bindings = self.bindings(&phone).to_vec();
            (phone, bindings)
        });
        taken.collect()
    }

    /// What was taken could not be written down: it is to be taken again.
    pub fn put_back_unsaved(&mut self, phones: impl IntoIterator<Item = String>) {
        self.unsaved.extend(phones);
    }

    /// Carries out a REGISTER of `phone` that came from `source`, wholly or not at all.
    pub fn register(
        &mut self,
        now: Timestamp,
        message: &Message,
        source: &Flow,
        phone: &str,
    ) -> Reply {
        let was_registered = self.is_registered(phone);
        match self.carry_out(now, message, source, phone) {
            Ok(done) => Reply {
                status: 200,
                headers: self.confirm(now, phone, message, &done),
                changes: self.changes(phone, was_registered),
                is_news: done.is_news,
                silence: (done.keeps_flow == KeptFlow::Here)
                    .then(|| self.limits.flow_timer + FLOW_GRACE),
            },
            Err(refusal) => Reply {
                status: refusal.status(),
                headers: self.explain(refusal),
                changes: Vec::new(),
                is_news: false,
                silence: None,
            },
        }
    }

    /// Where `phone` is, most wanted (`q`) and freshest first.
    pub fn bindings(&self, phone: &str) -> &[Binding] {
        self.phones.get(phone).map_or(&[], Vec::as_slice)
    }

    /// Where to ring `phone`: its bindings, but of several flows to one instance the best alone
    /// (RFC 5626 §5.3: a request is not forked to two flows of one phone).
    pub fn targets(&self, phone: &str) -> Vec<Binding> {
        let mut targets: Vec<Binding> = Vec::new();
        for binding in self.bindings(phone) {
            let instance = |binding: &Binding| {
                let outbound = binding.outbound.as_ref();
                outbound.map(|(instance, _)| instance.clone())
            };
            let ours = instance(binding);
            let is_there = |other: &Binding| ours.is_some() && instance(other) == ours;
            if !targets.iter().any(is_there) {
                targets.push(binding.clone());
            }
        }
        targets
    }

    /// Whether `phone` is anywhere.
    pub fn is_registered(&self, phone: &str) -> bool {
        self.phones.contains_key(phone)
    }

    /// Phones that are registered.
    pub fn phones(&self) -> impl Iterator<Item = &str> {
        self.phones.keys().map(String::as_str)
    }

    /// Forgets bindings whose connection is gone (RFC 5626 §4.2.2): nothing can reach them. The
    /// cost is that of the phones on it.
    pub fn handle_closed(&mut self, connection: ConnectionId) -> Closed {
        let touched = self.connections.remove(&connection).unwrap_or_default();
        let keep = |binding: &Binding| binding.flow.connection != Some(connection);
        Closed {
            is_news: !touched.is_empty(),
            changes: touched
                .into_iter()
                .flat_map(|phone| self.retain(&phone, keep))
                .collect(),
        }
    }

    /// Forgets what `phone` registered as `dead` was: it does not reach it any more.
    pub fn handle_dead_flow(&mut self, phone: &str, dead: &Binding) -> Closed {
        let is_it = |binding: &Binding| {
            binding.flow == dead.flow
                && binding.path == dead.path
                && (dead.path.is_empty() || binding.contact == dead.contact)
        };
        if !self.bindings(phone).iter().any(is_it) {
            return Closed::default();
        }
        Closed {
            is_news: true,
            changes: self.retain(phone, |binding| !is_it(binding)),
        }
    }

    /// Ends what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((_, phone)) = self.expiries.pop_due(now) {
            changes.extend(self.retain(&phone, |binding| binding.expires_at > now));
        }
        changes
    }

    /// When [`Registrar::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.expiries.next()
    }

    fn carry_out(
        &mut self,
        now: Timestamp,
        message: &Message,
        source: &Flow,
        phone: &str,
    ) -> Result<Done, Refusal> {
        let request = Request::read(message, &self.limits)?;
        let mut bindings = self.bindings(phone).to_vec();
        match &request.asked {
            Asked::Nothing => return Ok(Done::default()),
            Asked::RemoveAll => {
                if bindings.iter().any(|binding| request.is_old_for(binding)) {
                    return Err(Refusal::OutOfOrder);
                }
                bindings.clear();
            }
            Asked::Each(wishes) => {
                if wishes.len() > self.limits.max_contacts {
                    return Err(Refusal::TooMany);
                }
                for wish in wishes {
                    self.grant(now, &request, wish, source, &mut bindings)?;
                }
            }
        }
        self.set(phone, bindings);
        Ok(Done {
            is_news: true,
            keeps_flow: match request.path.is_empty() {
                // The flow is the edge's to keep and to time; the stream before us is a hop's.
                false if request.keeps_flows => KeptFlow::ByEdge,
                // Over UDP a flow is kept by STUN, which we do not speak: it is not promised there.
                true if request.keeps_flows && source.connection.is_some() => KeptFlow::Here,
                _ => KeptFlow::No,
            },
        })
    }

    /// Adds, refreshes or removes one contact (RFC 3261 §10.3 step 7).
    fn grant(
        &self,
        now: Timestamp,
        request: &Request,
        wish: &Wish,
        source: &Flow,
        bindings: &mut Vec<Binding>,
    ) -> Result<(), Refusal> {
        let existing = bindings.iter().position(|binding| wish.is_for(binding));
        if let Some(existing) = existing.and_then(|at| bindings.get(at))
            && request.is_old_for(existing)
        {
            return Err(Refusal::OutOfOrder);
        }
        if !wish.expires.is_zero() && wish.expires < self.limits.min_expires {
            return Err(Refusal::TooBrief);
        }
        bindings.retain(|binding| !wish.is_for(binding));
        if wish.expires.is_zero() {
            return Ok(());
        }
        if bindings.len() >= self.limits.max_contacts {
            let oldest = (0..bindings.len()).min_by_key(|at| bindings[*at].refreshed_at);
            if let Some(oldest) = oldest {
                bindings.remove(oldest);
            }
        }
        bindings.push(Binding {
            contact: wish.contact.clone(),
            // Proxies are asked anew for each call: none of theirs is tied to this connection.
            flow: match request.path.is_empty() {
                true => *source,
                false => Flow {
                    connection: None,
                    ..*source
                },
            },
            expires_at: now + wish.expires.min(self.limits.max_expires),
            refreshed_at: now,
            user_agent: request.user_agent.clone(),
            q_millis: wish.q_millis,
            outbound: wish.outbound.clone(),
            path: request.path.clone(),
            call_id: request.call_id.clone(),
            cseq: request.cseq,
        });
        Ok(())
    }

    fn retain(&mut self, phone: &str, keep: impl Fn(&Binding) -> bool) -> Vec<Change> {
        let mut bindings = self.bindings(phone).to_vec();
        bindings.retain(keep);
        self.set(phone, bindings);
        self.changes(phone, true)
    }

    fn set(&mut self, phone: &str, mut bindings: Vec<Binding>) {
        self.unsaved.insert(phone.to_owned());
        self.index(phone, &bindings);
        bindings.sort_by_key(|binding| std::cmp::Reverse((binding.q_millis, binding.refreshed_at)));
        match bindings.iter().map(|binding| binding.expires_at).min() {
            Some(first) => {
                self.expiries.set(phone.to_owned(), first);
                self.phones.insert(phone.to_owned(), bindings);
            }
            None => {
                self.expiries.stop(&phone.to_owned());
                self.phones.remove(phone);
            }
        }
    }

    /// Which phone is on which connection, from now on.
    fn index(&mut self, phone: &str, bindings: &[Binding]) {
        let of = |binding: &Binding| binding.flow.connection;
        let old = self.phones.get(phone).map_or(&[][..], Vec::as_slice);
        for connection in old.iter().filter_map(of) {
            if let Some(phones) = self.connections.get_mut(&connection) {
                phones.remove(phone);
                if phones.is_empty() {
                    self.connections.remove(&connection);
                }
            }
        }
        for connection in bindings.iter().filter_map(of) {
            let phones = self.connections.entry(connection).or_default();
            phones.insert(phone.to_owned());
        }
    }

    fn changes(&self, phone: &str, was_registered: bool) -> Vec<Change> {
        let phone = phone.to_owned();
        match (was_registered, self.is_registered(&phone)) {
            (false, true) => vec![Change::Registered { phone }],
            (true, false) => vec![Change::Unregistered { phone }],
            _ => Vec::new(),
        }
    }

    /// Every binding with the seconds it has left (RFC 3261 §10.3 step 8).
    fn contacts(&self, now: Timestamp, phone: &str) -> Vec<(HeaderName, String)> {
        let line = |binding: &Binding| {
            let left = binding.expires_at.since(now).as_secs();
            let mut contact = NameAddr::new(binding.contact.clone());
            contact.params.set("expires", Some(&left.to_string()));
            if let Some((instance, number)) = &binding.outbound {
                let instance = format!("\"{instance}\"");
                contact.params.set("+sip.instance", Some(&instance));
                contact.params.set("reg-id", Some(number));
            }
            (HeaderName::Contact, contact.to_string())
        };
        self.bindings(phone).iter().map(line).collect()
    }

    /// Headers of a 200: bindings, the path taken (RFC 3327 §5.3), what is promised of the flow
    /// (RFC 5626 §6).
    fn confirm(
        &self,
        now: Timestamp,
        phone: &str,
        message: &Message,
        done: &Done,
    ) -> Vec<(HeaderName, String)> {
        let mut headers = self.contacts(now, phone);
        let path = message.headers(HeaderName::Path);
        let path = path.map(|line| String::from_utf8_lossy(&line).into_owned());
        headers.extend(path.map(|line| (HeaderName::Path, line)));
        headers.push((HeaderName::Supported, "path, outbound".to_owned()));
        if done.keeps_flow != KeptFlow::No {
            headers.push((HeaderName::Require, "outbound".to_owned()));
        }
        if done.keeps_flow == KeptFlow::Here {
            let seconds = self.limits.flow_timer.as_secs().to_string();
            headers.extend(HeaderName::parse("Flow-Timer").map(|name| (name, seconds)));
        }
        headers
    }

    fn explain(&self, refusal: Refusal) -> Vec<(HeaderName, String)> {
        match refusal {
            Refusal::TooBrief => {
                let seconds = self.limits.min_expires.as_secs();
                vec![(HeaderName::MinExpires, seconds.to_string())]
            }
            Refusal::NoPath => vec![(HeaderName::Unsupported, "path".to_owned())],
            Refusal::Malformed
            | Refusal::NoOutboundBefore
            | Refusal::OutOfOrder
            | Refusal::TooMany => Vec::new(),
        }
    }
}

/// What came of a request that was carried out.
#[derive(Default)]
struct Done {
    is_news: bool,
    keeps_flow: KeptFlow,
}

/// Who keeps the flow of a phone that wants one kept (RFC 5626 §6).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum KeptFlow {
    #[default]
    No,
    ByEdge,
    Here,
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Malformed => Refusal::Malformed,
            Unfit::NoOutboundBefore => Refusal::NoOutboundBefore,
            Unfit::NoPath => Refusal::NoPath,
        }
    }
}

/// How much later than Flow-Timer says a sign of life may come (RFC 5626 §5.4: 10 s or more).
const FLOW_GRACE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
enum Refusal {
    /// Unreadable, a scheme we cannot call, or `*` with something else than `Expires: 0`.
    Malformed,
    /// A proxy on the way that cannot keep the phone's flow (RFC 5626 §6).
    NoOutboundBefore,
    /// A path the phone does not know of (RFC 3327 §5.3).
    NoPath,
    /// A CSeq at or below one that was carried out (RFC 3261 §10.3 steps 6 and 7).
    OutOfOrder,
    /// Shorter than the shortest time granted.
    TooBrief,
    /// More contacts at once than a phone may have.
    TooMany,
}

impl Refusal {
    const fn status(self) -> u16 {
        match self {
            Refusal::Malformed => 400,
            Refusal::NoOutboundBefore => 439,
            Refusal::NoPath => 420,
            Refusal::OutOfOrder => 500,
            Refusal::TooBrief => 423,
            Refusal::TooMany => 403,
        }
    }
}

#[cfg(test)]
mod tests;
