//! The door: who may speak to us at all, how fast, and who is not listened to for a while.
//!
//! Decides by address, before a message is parsed. All of it is in memory: after a restart
//! nobody is banned. A ban needs wrong passwords for challenges that reached the source, so nobody
//! can be banned by another who lies about his address; and never hits a source where a phone is
//! registered, a trunk's network or an exempt one.

mod attack;
mod bans;
mod buckets;
mod source;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Entropy, Network, Pii, ShardId, Timestamp};

use serde::{Deserialize, Serialize};

use super::Flow;
use attack::Bursts;
use bans::Bans;
use buckets::Buckets;

pub use attack::{Attack, Tally};
pub use bans::Ban;
pub use buckets::Rate;
pub use source::Source;

/// What the door goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Who may speak; everybody when empty.
    pub allow: Vec<Network>,
    /// Who may not, allowed or not.
    pub deny: Vec<Network>,
    /// Never limited, never banned: this machine, the operator's own, the trunks' networks and
    /// addresses.
    pub exempt: Vec<Network>,
    /// Requests of one source that begin something; ten times as many where a phone is registered,
    /// four times as many in dialogs.
    pub requests: Rate,
    /// Connections one source may open.
    pub connections: Rate,
    /// Wrong passwords of one source; one more bans it.
    pub failures: Rate,
    /// How long a ban holds.
    pub ban: Duration,
    /// What is done with a request past the rate.
    pub excess: Excess,
}

/// What is done with a request past the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// Nothing is said, nothing is spent.
    Drop,
    /// This status, with Retry-After; nothing when even that would be too much.
    Refuse(u16),
}

impl Default for Rules {
    /// 100 requests a second and 400 at once; 10 connections and 50; 10 wrong passwords in 5
    /// minutes ban for 10 minutes; 503 for what is past the rate. This machine is exempt.
    fn default() -> Self {
        let own = ["127.0.0.1", "::1"];
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            exempt: own
                .iter()
                .filter_map(|text| Network::parse(text).ok())
                .collect(),
            requests: Rate::a_second(100, 400),
            connections: Rate::a_second(10, 50),
            failures: Rate {
                times: 10,
                per: Duration::from_secs(300),
                burst: 10,
            },
            ban: Duration::from_secs(600),
            excess: Excess::Refuse(503),
        }
    }
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Read it.
    Pass,
    /// Forget it.
    Drop,
    /// Answer this status and forget it; with so many seconds in Retry-After.
    Refuse(u16, u32),
}

/// The door, shared by all shards of a node.
#[derive(Clone, Debug)]
pub struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    tally: Tally,
    /// Messages dropped or refused at the door.
    turned_away: AtomicU64,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    bans: Bans,
    /// Where trunks known by name are, as each shard knows.
    named: HashMap<ShardId, Vec<IpAddr>>,
    /// Where phones are registered, and until when.
    known: HashMap<Source, Timestamp>,
    /// Rates of datagram sources and of stream sources apart: nobody lies about a stream's.
    requests: Buckets,
    refusals: Buckets,
    connections: Buckets,
    failures: Buckets,
    /// Wrong passwords of one source for one user.
    pairs: Buckets,
    /// Wrong passwords for one user from anywhere.
    users: Buckets,
    /// Different users that failed from one source.
    names: Buckets,
    /// Things honest peers send now and then, of one source.
    strays: Buckets,
    bursts: Bursts,
}

impl Guard {
    /// A door where nobody has been yet.
    pub fn new(rules: Rules, entropy: &mut Entropy) -> Self {
        let mut buckets = |keys| Buckets::new(keys, entropy);
        let state = State {
            rules,
            bans: Bans::default(),
            named: HashMap::new(),
            known: HashMap::new(),
            requests: buckets(SOURCES),
            refusals: buckets(SOURCES / 4),
            connections: buckets(SOURCES / 4),
            failures: buckets(SOURCES / 4),
            pairs: buckets(SOURCES / 4),
            users: buckets(SOURCES / 4),
            names: buckets(SOURCES / 4),
            strays: buckets(SOURCES / 4),
            bursts: Bursts::default(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                tally: Tally::default(),
                turned_away: AtomicU64::new(0),
            }),
        }
    }

    /// Goes by other rules from now on; bans and debts stay.
    pub fn set_rules(&self, rules: Rules) {
        self.state().rules = rules;
    }

    /// Whether a message that begins with `head` may be read. `is_emergency` says whether a
    /// Request-URI's user is an emergency number: calls to one have a rate of their own.
    pub fn admit(
        &self,
        now: Timestamp,
        flow: &Flow,
        head: &[u8],
        is_emergency: impl FnOnce(&str) -> bool,
    ) -> Admission {
        let admission = self.state().admit(now, flow, head, is_emergency);
        match admission {
            Ok(()) => Admission::Pass,
            Err((admission, attack)) => {
                self.shared.turned_away.fetch_add(1, Ordering::Relaxed);
                if let Some(attack) = attack {
                    self.note(now, attack, flow.remote.ip());
                }
                admission
            }
        }
    }

    /// Whether a new stream from `address` may be kept.
    pub fn admit_connection(&self, now: Timestamp, address: IpAddr) -> bool {
        let may = self.state().admit_connection(now, address);
        if let Err(attack) = may {
            self.shared.turned_away.fetch_add(1, Ordering::Relaxed);
            if let Some(attack) = attack {
                self.note(now, attack, address);
            }
        }
        may.is_ok()
    }

    /// How long `source` has to wait before another password for `user` is looked at; nothing for
    /// users and sources who have not failed lately. The same for users who do not exist.
    pub fn slowed(&self, now: Timestamp, address: IpAddr, user: &str) -> Option<Duration> {
        let mut state = self.state();
        if state.is_exempt(address) {
            return None;
        }
        state.pairs.wait(now, &(Source::of(address), user), PAIR)
    }

    /// A wrong password for `user` came from `address`, which had our challenge.
    pub fn failed(&self, now: Timestamp, address: IpAddr, user: &str) {
        let attack = self.state().failed(now, address, user);
        if let Some(attack) = attack {
            self.note(now, attack, address);
        }
    }

    /// A phone proved its password at `address`; it is registered there until `until`.
    pub fn welcome(&self, now: Timestamp, address: IpAddr, user: &str, until: Option<Timestamp>) {
        let mut state = self.state();
        let source = Source::of(address);
        state.pairs.fill(now, &(source, user));
        if let Some(until) = until {
            state.welcome(now, source, until);
        }
    }

    /// Somebody at `address` seems to be at something: counted, and logged once a burst.
    pub fn note(&self, now: Timestamp, attack: Attack, address: IpAddr) {
        self.shared.tally.add(attack);
        let speak = self.state().bursts.speak(now, attack);
        if let Some(unsaid) = speak {
            let attack = attack.as_str();
            tracing::warn!(attack, from = %Pii(address), unsaid, "attack");
        }
    }

    /// Somebody at `address` sent what honest peers send now and then; an attack only when it does
    /// not stop.
    pub fn stray(&self, now: Timestamp, attack: Attack, address: IpAddr) {
        let key = (Source::of(address), attack);
        let is_accident = self.state().strays.take(now, &key, STRAYS);
        if !is_accident {
            self.note(now, attack, address);
        }
    }

    /// Whether an address is never limited.
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        let state = self.state();
        state.may_speak(address) && state.is_exempt(address)
    }

    /// Where the trunks known by name are, as one shard's name servers say; what the same shard said
    /// before is forgotten. They are exempt.
    pub fn set_named(&self, shard: ShardId, addresses: Vec<IpAddr>) {
        self.state().named.insert(shard, addresses);
    }

    /// Bans that hold, the one that ends first at the front.
    pub fn bans(&self, now: Timestamp) -> Vec<Ban> {
        self.state().bans.list(now)
    }

    /// Listens to an address again; whether it was banned.
    pub fn lift(&self, now: Timestamp, address: IpAddr) -> bool {
        let mut state = self.state();
        let source = Source::of(address);
        state.failures.fill(now, &source);
        state.bans.lift(source)
    }

    /// How often each attack was seen.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// Messages and connections turned away at the door.
    pub fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turned away: how, and as what, when that is news.
type Turned<T> = Result<(), (T, Option<Attack>)>;

impl State {
    fn admit(
        &mut self,
        now: Timestamp,
        flow: &Flow,
        head: &[u8],
        is_emergency: impl FnOnce(&str) -> bool,
    ) -> Turned<Admission> {
        let address = flow.remote.ip();
        if !self.may_speak(address) {
            return Err((Admission::Drop, None));
        }
        if self.is_exempt(address) {
            return Ok(());
        }
        let source = Source::of(address);
        if self.bans.holds(now, source) {
            return Err((Admission::Drop, None));
        }
        let kind = Kind::of(head);
        let rate = self.rate(now, source, kind);
        let key = (source, flow.connection.is_some(), kind.is_within());
        if self.requests.take(now, &key, rate) {
            return Ok(());
        }
        if kind == Kind::Invite
            && called(head).is_some_and(is_emergency)
            && self.requests.take(now, &(source, "emergency"), EMERGENCY)
        {
            return Ok(());
        }
        let attack = Some(Attack::RequestFlood);
        let answerable = matches!(kind, Kind::Begins | Kind::Invite);
        match self.rules.excess {
            Excess::Refuse(status) if answerable && self.refusals.take(now, &source, REFUSALS) => {
                Err((Admission::Refuse(status, RETRY_AFTER), attack))
            }
            _ => Err((Admission::Drop, attack)),
        }
    }

    fn admit_connection(&mut self, now: Timestamp, address: IpAddr) -> Result<(), Option<Attack>> {
        if !self.may_speak(address) {
            return Err(None);
        }
        if self.is_exempt(address) {
            return Ok(());
        }
        let source = Source::of(address);
        if self.bans.holds(now, source) {
            return Err(None);
        }
        let rate = self.times(now, source, self.rules.connections);
        match self.connections.take(now, &source, rate) {
            true => Ok(()),
            false => Err(Some(Attack::ConnectionFlood)),
        }
    }

    /// Counts a wrong password; what it amounts to, when it amounts to something.
    fn failed(&mut self, now: Timestamp, address: IpAddr, user: &str) -> Option<Attack> {
        let source = Source::of(address);
        self.pairs.take(now, &(source, user), PAIR);
        let is_besieged = !self.users.take(now, &user, USER);
        let many = self.rules.failures.burst.max(2).div_ceil(2);
        let names = Rate {
            burst: many,
            ..self.rules.failures
        };
        // The first failure of each name counts, until the pair's own bucket has been filled again.
        let is_new = self
            .names
            .take(now, &(source, user), Rate { burst: 1, ..names });
        let is_list = is_new && !self.names.take(now, &source, names);
        let attack = match is_list {
            true => Attack::UserEnumeration,
            false => Attack::PasswordGuessing,
        };
        // A user who is tried from everywhere: strangers have fewer tries.
        let weight = if is_besieged { 3 } else { 1 };
        let is_held = self
            .failures
            .take_some(now, &source, self.rules.failures, weight);
        if is_held {
            return is_besieged.then_some(Attack::PasswordGuessing);
        }
        if !self.is_exempt(address) && !self.is_known(now, source) {
            self.bans.add(Ban {
                source,
                attack,
                since: now,
                until: now + self.rules.ban,
                dropped: 0,
            });
        }
        Some(attack)
    }

    fn welcome(&mut self, now: Timestamp, source: Source, until: Timestamp) {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&source) {
            self.known.retain(|_, until| *until > now);
            if self.known.len() >= MAX_KNOWN {
                return;
            }
        }
        let end = self.known.entry(source).or_insert(until);
        *end = (*end).max(until);
        self.bans.lift(source);
    }

    fn may_speak(&self, address: IpAddr) -> bool {
        let within = |networks: &[Network]| networks.iter().any(|one| one.contains(address));
        (self.rules.allow.is_empty() || within(&self.rules.allow)) && !within(&self.rules.deny)
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.rules.exempt.iter().any(|one| one.contains(address))
            || self.named.values().flatten().any(|one| *one == canonical)
    }

    fn is_known(&self, now: Timestamp, source: Source) -> bool {
        self.known.get(&source).is_some_and(|until| *until > now)
    }

    fn rate(&self, now: Timestamp, source: Source, kind: Kind) -> Rate {
        let rate = self.times(now, source, self.rules.requests);
        match kind.is_within() {
            true => multiplied(rate, 4),
            false => rate,
        }
    }

    fn times(&self, now: Timestamp, source: Source, rate: Rate) -> Rate {
        match self.is_known(now, source) {
            true => multiplied(rate, 10),
            false => rate,
        }
    }
}

fn multiplied(rate: Rate, times: u32) -> Rate {
    Rate {
        times: rate.times.saturating_mul(times),
        burst: rate.burst.saturating_mul(times),
        ..rate
    }
}

/// What a message is, by its first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A request that may begin something, or nothing we know.
    Begins,
    Invite,
    Response,
    /// A request of a dialog or transaction that exists already, if it is honest.
    Within,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        let is = |method: &[u8]| head.starts_with(method);
        if is(b"SIP/2.0 ") {
            Kind::Response
        } else if is(b"INVITE ") {
            Kind::Invite
        } else if WITHIN.iter().any(|method| is(method)) {
            Kind::Within
        } else {
            Kind::Begins
        }
    }

    fn is_within(self) -> bool {
        matches!(self, Kind::Response | Kind::Within)
    }
}

const WITHIN: [&[u8]; 6] = [
    b"ACK ", b"BYE ", b"CANCEL ", b"INFO ", b"PRACK ", b"UPDATE ",
];

/// The user of the Request-URI, as written.
fn called(head: &[u8]) -> Option<&str> {
    let line = head
        .get(..head.len().min(256))?
        .split(|byte| *byte == b'\r')
        .next()?;
    let uri = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    let (_, rest) = uri.split_once(':')?;
    rest.split(['@', ';']).next()
}

/// Sources whose rate is remembered at a time: a megabyte.
const SOURCES: usize = 65_536;

/// Sources with registered phones: more than any node has phones.
const MAX_KNOWN: usize = 262_144;

/// Wrong passwords of one source for one user before it has to wait: five, then one in 10 s.
const PAIR: Rate = Rate {
    times: 1,
    per: Duration::from_secs(10),
    burst: 5,
};

/// Wrong passwords for one user from anywhere before strangers have fewer tries.
const USER: Rate = Rate {
    times: 20,
    per: Duration::from_secs(600),
    burst: 20,
};

/// Strays of one source that are no attack: ten at once, twenty a minute.
const STRAYS: Rate = Rate {
    times: 20,
    per: Duration::from_secs(60),
    burst: 10,
};

/// Emergency calls of one source past its rate: a caller who is refused tries again at once.
const EMERGENCY: Rate = Rate::a_second(2, 5);

/// Refusals of one source a second; more are spared.
const REFUSALS: Rate = Rate::a_second(20, 20);

/// Seconds in the Retry-After of what is past the rate.
const RETRY_AFTER: u32 = 5;

#[cfg(test)]
mod tests;
