//! Registering our accounts with carriers (RFC 3261 §10.2): when to ask, how often, and what to
//! make of the answers. Sans-IO: orders come out, answers go in.
//!
//! Bindings are refreshed at a share of their life; failures back off as RFC 5626 §4.5 has it; a
//! registrar is asked no faster than its trunk's pace, so that a restart is no storm.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::carriers::{AccountState, Carriers, Granted};
use super::profile::RegisterMode;
use super::{Account, Trunk};
use crate::base::{Entropy, Pii, Timers, Timestamp};
use crate::sip::ua::Series;
use crate::sip::{HeaderName, Message};

/// All accounts of all trunks.
#[derive(Debug)]
pub struct Registrations {
    carriers: Carriers,
    entropy: Entropy,
    entries: BTreeMap<AccountKey, Entry>,
    timers: Timers<AccountKey>,
    /// When each trunk may be asked next.
    slots: BTreeMap<String, Timestamp>,
    orders: VecDeque<Order>,
    is_stopping: bool,
}

/// One account of one trunk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// Name of the trunk.
    pub trunk: String,
    /// The account's user.
    pub user: String,
}

/// A REGISTER to be sent.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose.
    pub key: AccountKey,
    /// The trunk.
    pub trunk: Arc<Trunk>,
    /// The account.
    pub account: Account,
    /// Lifetime to ask for; zero takes the binding back.
    pub expires: Duration,
    /// Call-ID and CSeq.
    pub series: Series,
}

/// What became of a REGISTER.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'m> {
    /// A final response.
    Answer {
        /// The response.
        response: &'m Message,
        /// Life of our own Contact in it, when it is listed.
        ours: Option<Duration>,
    },
    /// None came.
    Silence,
    /// It could not be sent, or its connection broke.
    Unsent,
}

#[derive(Debug)]
struct Entry {
    trunk: Arc<Trunk>,
    account: Account,
    series: Series,
    /// Lifetime asked for: the profile's, or what a 423 demanded.
    expires: Duration,
    /// End of the binding, when there is one.
    until: Option<Timestamp>,
    failures: u32,
    /// The timer's instant is a slot of the trunk's pace, taken for this account.
    has_slot: bool,
    is_trying: bool,
    /// A 423 or a stale nonce was answered at once in this round; once is enough.
    is_retried: bool,
    /// The account is no longer configured, or the switch stops: its binding is taken back.
    is_leaving: bool,
}

impl Registrations {
    /// Nobody registered; states are told to `carriers`.
    pub fn new(carriers: Carriers, entropy: Entropy) -> Self {
        Self {
            carriers,
            entropy,
            entries: BTreeMap::new(),
            timers: Timers::new(),
            slots: BTreeMap::new(),
            orders: VecDeque::new(),
            is_stopping: false,
        }
    }

    /// Takes over the trunks of a configuration: accounts that are as they were are left alone,
    /// changed and new ones register, those that are gone unregister.
    pub fn commit<'t>(&mut self, now: Timestamp, trunks: impl IntoIterator<Item = &'t Arc<Trunk>>) {
        let mut wanted: BTreeMap<AccountKey, (Arc<Trunk>, Account)> = BTreeMap::new();
        for trunk in trunks.into_iter().filter(|trunk| trunk.profile.registers()) {
            for account in &trunk.accounts {
                let key = AccountKey {
                    trunk: trunk.name.clone(),
                    user: account.user.clone(),
                };
                wanted.insert(key, (trunk.clone(), account.clone()));
            }
        }
        let gone: Vec<AccountKey> = self.entries.keys().cloned().collect();
        for key in gone.into_iter().filter(|key| !wanted.contains_key(key)) {
            self.leave(now, &key);
        }
        for (key, (trunk, account)) in wanted {
            self.want(now, key, trunk, account);
        }
    }

    /// Takes back every binding; nothing is asked for after that.
    pub fn stop(&mut self, now: Timestamp) {
        self.is_stopping = true;
        let all: Vec<AccountKey> = self.entries.keys().cloned().collect();
        for key in all {
            self.leave(now, &key);
        }
    }

    /// Asks for a trunk's first account anew, as soon as its pace lets it: a test wants to know.
    pub fn renew(&mut self, now: Timestamp, trunk: &str) {
        let key = self.entries.keys().find(|key| key.trunk == trunk).cloned();
        let idle = key.filter(|key| self.entries.get(key).is_some_and(|entry| !entry.is_trying));
        if let Some(key) = idle {
            self.ask(now, &key);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.timers.pop_due(now) {
            self.ask(now, &key);
        }
    }

    /// When to be woken.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// What to send.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Whether nothing is under way and nothing is to come.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what became of a REGISTER.
    pub fn handle_outcome(&mut self, now: Timestamp, key: &AccountKey, outcome: Outcome<'_>) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.is_trying) else {
            return;
        };
        entry.is_trying = false;
        // An answered challenge took numbers of its own.
        match outcome {
            Outcome::Answer { response, .. } => {
                let number = response.cseq().map_or(0, |cseq| cseq.number);
                entry.series.cseq = entry.series.cseq.max(number);
            }
            Outcome::Silence => entry.series.cseq += UNHEARD,
            Outcome::Unsent => {}
        }
        if entry.is_leaving {
            return self.forget(key);
        }
        match outcome {
            Outcome::Answer { response, ours } => self.answered(now, key, response, ours),
            Outcome::Silence => self.failed(now, key, 408, "no answer".to_owned(), None),
            Outcome::Unsent => self.failed(now, key, 503, "not reached".to_owned(), None),
        }
    }

    fn want(&mut self, now: Timestamp, key: AccountKey, trunk: Arc<Trunk>, account: Account) {
        let token = self.entropy.token(24);
        let expires = trunk.profile.register.expires;
        if let Some(entry) = self.entries.get_mut(&key) {
            let is_same = !entry.is_leaving
                && entry.account == account
                && is_registered_alike(&entry.trunk, &trunk);
            entry.trunk = trunk;
            // The same secret, of which calls of the new configuration are to learn too.
            entry.account = account;
            if is_same {
                return;
            }
            entry.expires = expires;
            entry.failures = 0;
            entry.is_leaving = false;
            entry.has_slot = false;
        } else {
            let entry = Entry {
                trunk,
                account,
                series: Series {
                    call_id: token,
                    cseq: 0,
                },
                expires,
                until: None,
                failures: 0,
                has_slot: false,
                is_trying: false,
                is_retried: false,
                is_leaving: false,
            };
            self.entries.insert(key.clone(), entry);
            self.carriers
                .set_account(&key.trunk, &key.user, AccountState::Waiting);
        }
        // Not at once: whole towns come back after a power cut.
        let jitter = Duration::from_millis(self.entropy.below(START_JITTER_MS));
        self.timers.set(key, now + jitter);
    }

    fn leave(&mut self, now: Timestamp, key: &AccountKey) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if std::mem::replace(&mut entry.is_leaving, true) {
            return;
        }
        entry.has_slot = false;
        let is_bound = entry.until.is_some_and(|until| until > now);
        if entry.is_trying {
            // Its answer ends it; a binding made meanwhile ends by itself.
            self.timers.stop(key);
        } else if is_bound {
            self.ask(now, key);
        } else {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: &AccountKey) {
        self.entries.remove(key);
        self.timers.stop(key);
        if self.is_stopping {
            self.carriers
                .set_account(&key.trunk, &key.user, AccountState::Unregistered);
        } else {
            self.carriers.forget_account(&key.trunk, &key.user);
        }
    }

    /// Asks the registrar, or waits for the account's slot in the trunk's pace.
    fn ask(&mut self, now: Timestamp, key: &AccountKey) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| !entry.is_trying) else {
            return;
        };
        if !std::mem::replace(&mut entry.has_slot, true) {
            let pace = entry
                .trunk
                .profile
                .register
                .pace(entry.trunk.accounts.len());
            let slot = self.slots.entry(key.trunk.clone()).or_insert(now);
            let at = (*slot).max(now);
            *slot = at + pace;
            if at > now {
                self.timers.set(key.clone(), at);
                return;
            }
        }
        entry.has_slot = false;
        entry.is_trying = true;
        entry.series.cseq += 1;
        let expires = match entry.is_leaving {
            true => Duration::ZERO,
            false => entry.expires,
        };
        if entry.until.is_none() {
            self.carriers
                .set_account(&key.trunk, &key.user, AccountState::Trying);
        }
        self.orders.push_back(Order {
            key: key.clone(),
            trunk: entry.trunk.clone(),
            account: entry.account.clone(),
            expires,
            series: entry.series.clone(),
        });
    }

    fn answered(
        &mut self,
        now: Timestamp,
        key: &AccountKey,
        response: &Message,
        ours: Option<Duration>,
    ) {
        let status = response.status().unwrap_or(500);
        let rest = retry_after(response);
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        match status {
            200..=299 => self.bound(now, key, response, ours),
            423 => {
                let least = response.min_expires().map(u64::from).unwrap_or_default();
                let least = Duration::from_secs(least);
                let is_new = least > entry.expires && least <= LONGEST_LIFE;
                if is_new && !std::mem::replace(&mut entry.is_retried, true) {
                    entry.expires = least;
                    return self.ask(now, key);
                }
                self.failed(now, key, status, "interval too brief".to_owned(), rest);
            }
            401 | 407 => {
                // RFC 3261 §22.3: stale says that the password was right and the nonce old.
                if is_stale(response) && !std::mem::replace(&mut entry.is_retried, true) {
                    return self.ask(now, key);
                }
                let why = match entry.trunk.profile.register.mode {
                    RegisterMode::Digest => "the carrier does not take our password",
                    _ => "the carrier asks for a password, and register = \"open\" has none",
                };
                self.refused(now, key, status, why.to_owned(), rest);
            }
            403 | 404 | 405 | 410 | 416 | 420 | 485 | 600.. => {
                let why = format!("{status} {}", response.reason_phrase());
                self.refused(now, key, status, why, rest);
            }
            _ => {
                let why = format!("{status} {}", response.reason_phrase());
                self.failed(now, key, status, why, rest);
            }
        }
    }

    fn bound(
        &mut self,
        now: Timestamp,
        key: &AccountKey,
        response: &Message,
        ours: Option<Duration>,
    ) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let stated = response
            .expires()
            .map(|s| Duration::from_secs(u64::from(s)));
        // RFC 3261 §10.2.4: our own Contact says how long; a registrar that rewrote it (NAT) says
        // so in Expires.
        let granted = ours.or(stated).unwrap_or(entry.expires).min(LONGEST_LIFE);
        if granted.is_zero() {
            return self.failed(now, key, 200, "granted for no time at all".to_owned(), None);
        }
        let is_news = entry.until.is_none() || entry.failures > 0;
        let until = now + granted;
        entry.until = Some(until);
        entry.failures = 0;
        entry.is_retried = false;
        let share = u32::from(entry.trunk.profile.register.refresh_percent);
        let refresh = granted * share / 100;
        let early = self.entropy.below(1 + millis(refresh) / 20);
        self.timers
            .set(key.clone(), now + refresh - Duration::from_millis(early));
        if is_news {
            tracing::info!(
                trunk = key.trunk, account = %Pii(&key.user), seconds = granted.as_secs(), "registered"
            );
        }
        self.carriers
            .set_account(&key.trunk, &key.user, AccountState::Registered { until });
        self.carriers
            .grant(&key.trunk, &key.user, granted_by(response));
    }

    /// Tried again soon, later and later.
    fn failed(
        &mut self,
        now: Timestamp,
        key: &AccountKey,
        status: u16,
        why: String,
        rest: Option<Duration>,
    ) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        let longest = FIRST_WAIT
            .saturating_mul(1_u32.checked_shl(entry.failures).unwrap_or(u32::MAX))
            .min(LONGEST_WAIT);
        let half = millis(longest) / 2;
        let wait = Duration::from_millis(half + self.entropy.below(half + 1));
        self.later(now, key, (status, why), wait.max(rest.unwrap_or_default()));
    }

    /// The carrier does not want us: asking faster changes nothing and may get us banned.
    fn refused(
        &mut self,
        now: Timestamp,
        key: &AccountKey,
        status: u16,
        why: String,
        rest: Option<Duration>,
    ) {
        let jitter = Duration::from_millis(self.entropy.below(millis(REFUSED_WAIT) / 5));
        if let Some(entry) = self.entries.get_mut(key) {
            entry.until = None;
        }
        let wait = (REFUSED_WAIT + jitter).max(rest.unwrap_or_default());
        self.later(now, key, (status, why), wait);
    }

    fn later(
        &mut self,
        now: Timestamp,
        key: &AccountKey,
        (status, why): (u16, String),
        mut wait: Duration,
    ) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        entry.is_retried = false;
        let left = entry.until.map(|until| until.since(now));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            // The binding lives: there is time, but not more than that.
            wait = wait.min(left / 2).max(Duration::from_secs(1));
        } else {
            entry.until = None;
        }
        let again = now + wait.min(LONGEST_LIFE);
        self.timers.set(key.clone(), again);
        tracing::warn!(
            trunk = key.trunk,
            account = %Pii(&key.user),
            status,
            why,
            seconds = wait.as_secs(),
            "registration failed"
        );
        if entry.until.is_some() {
            return;
        }
        let failures = entry.failures;
        let state = AccountState::Failed {
            why,
            status,
            again,
            failures,
        };
        self.carriers.set_account(&key.trunk, &key.user, state);
    }
}

/// Whether a registration made for one serves the other.
fn is_registered_alike(one: &Trunk, other: &Trunk) -> bool {
    one.targets == other.targets
        && one.domain == other.domain
        && one.profile.register == other.profile.register
        && one.profile.source_port == other.profile.source_port
}

/// What else the registrar gave: Path and Service-Route in this order (RFC 3327, RFC 3608), and
/// the first address it calls ours (RFC 7315 §4.1).
fn granted_by(response: &Message) -> Granted {
    let mut routes = response.addresses(HeaderName::Path);
    routes.extend(response.addresses(HeaderName::ServiceRoute));
    routes.truncate(MOST_ROUTES);
    let associated = HeaderName::parse("P-Associated-URI")
        .map(|name| response.addresses(name))
        .unwrap_or_default();
    Granted {
        routes,
        host: associated
            .iter()
            .find(|address| address.uri.is_sip())
            .map(|address| address.uri.host.clone()),
    }
}

fn is_stale(response: &Message) -> bool {
    [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
        .into_iter()
        .filter_map(|name| response.header_text(name))
        .any(|challenge| {
            let plain: String = challenge.to_ascii_lowercase().replace([' ', '"'], "");
            plain.contains("stale=true")
        })
}

fn retry_after(response: &Message) -> Option<Duration> {
    let text = response.header_text(HeaderName::RetryAfter)?;
    let digits = text.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let seconds: u64 = digits[..end.unwrap_or(digits.len())].parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_LIFE.as_secs())))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Numbers that a REGISTER may have used up of which nothing was heard: each must be higher than
/// the last (RFC 3261 §10.3).
const UNHEARD: u32 = 4;

/// First REGISTERs after a start or reload are spread over this.
const START_JITTER_MS: u64 = 300;
/// RFC 5626 §4.5 has 30 s for a failed flow; a first retry after some 4 s heals a lost packet or a
/// restarting carrier before anybody calls.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// RFC 5626 §4.5: max-time.
const LONGEST_WAIT: Duration = Duration::from_secs(1800);
/// After a refusal: somebody has to act first.
const REFUSED_WAIT: Duration = Duration::from_secs(1800);
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// Routes kept of one answer.
const MOST_ROUTES: usize = 8;

#[cfg(test)]
mod tests;
