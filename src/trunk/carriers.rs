//! The living state of every trunk: what it carries, how it is, what it has done. Shared by all
//! shards of a node; every method is a moment under one lock.

mod figures;
mod rate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Target, Trunk};
use crate::base::Timestamp;
use crate::sip::{Host, NameAddr};
use rate::Rate;

pub use figures::Figures;

/// The living state of every trunk.
#[derive(Clone, Debug, Default)]
pub struct Carriers(Arc<Mutex<BTreeMap<String, Line>>>);

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From the carrier.
    In,
    /// To the carrier.
    Out,
}

/// Why a trunk takes no call now; in words that follow its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// As many calls at a time as it may carry.
    #[error("carries as many calls as it may")]
    Full,
    /// As many calls this second as it may take.
    #[error("was given as many calls a second as it may get")]
    TooFast,
    /// The carrier asked for rest.
    #[error("rests, as the carrier asked for")]
    Resting,
}

/// How one account's registration is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum AccountState {
    /// Not asked for yet; a slot is waited for.
    Waiting,
    /// A REGISTER is on its way.
    Trying,
    /// Registered.
    Registered {
        /// When the binding ends if it is not refreshed.
        until: Timestamp,
    },
    /// It failed and is tried again.
    Failed {
        /// What went wrong, in words.
        why: String,
        /// Status of the refusal; 408 after silence, 503 when the transport failed.
        status: u16,
        /// When it is tried again.
        again: Timestamp,
        /// Times in a row.
        failures: u32,
    },
    /// Taken back by us.
    Unregistered,
}

/// How one target is, as OPTIONS tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetState {
    /// Address.
    pub target: String,
    /// Whether it answers; `None` before the first answer or failure.
    pub up: Option<bool>,
    /// Round trip of the last answer, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Status of the last answer.
    pub status: Option<u16>,
}

/// What came back of a trunk test's call when the carrier led it to us again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// The caller shown; `None` when no call came back.
    pub caller: Option<String>,
    /// Keys heard (RFC 4733).
    pub keys: String,
}

/// What a registrar gives along with a binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Path and Service-Route, in this order.
    pub routes: Vec<NameAddr>,
    /// Host of the address it calls ours.
    pub host: Option<Host>,
}

/// One trunk as the API and `tsunagu trunks` show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrunkView {
    /// Name.
    pub name: String,
    /// Built-in profile it began as.
    pub profile: String,
    /// Whether it takes calls out now.
    pub well: bool,
    /// Calls now.
    pub channels: usize,
    /// Calls it may carry at a time.
    pub max_calls: Option<usize>,
    /// New calls a second over the last ten, in and out.
    pub rate: f64,
    /// Until when the carrier asked for rest.
    pub rests_until: Option<Timestamp>,
    /// Accounts by user, with their registrations; empty when it does not register.
    pub accounts: BTreeMap<String, AccountState>,
    /// Targets, as far as they are asked.
    pub targets: Vec<TargetState>,
    /// What it has done since the start.
    pub figures: Figures,
}

#[derive(Debug, Default)]
struct Line {
    /// Calls now.
    channels: usize,
    into: Rate,
    out: Rate,
    rests_until: Option<Timestamp>,
    accounts: BTreeMap<String, AccountState>,
    targets: BTreeMap<String, TargetState>,
    figures: Figures,
    /// Final words of registrars, counted: a test waits for the next.
    rounds: u64,
    /// The number a running trunk test called, and what came back by it.
    expected: Option<(String, Returned)>,
    /// What the registrar gave with each account's binding.
    granted: BTreeMap<String, Granted>,
}

impl Carriers {
    /// Nothing known of any trunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a trunk carries as many calls as it may.
    pub fn is_full(&self, trunk: &Trunk) -> bool {
        let most = trunk.profile.limits.max_calls;
        most.is_some_and(|most| self.line(&trunk.name, |line| line.channels) >= most)
    }

    /// Lets one call in or out, and counts it against the rate; or says why not.
    pub fn admit(&self, now: Timestamp, trunk: &Trunk, way: Way) -> Result<(), Closed> {
        let limits = trunk.profile.limits;
        self.line(&trunk.name, |line| {
            if limits.max_calls.is_some_and(|most| line.channels >= most) {
                line.figures.turned_away += 1;
                return Err(Closed::Full);
            }
            if way == Way::Out && line.rests_until.is_some_and(|until| until > now) {
                line.figures.turned_away += 1;
                return Err(Closed::Resting);
            }
            let (rate, most) = match way {
                Way::In => (&mut line.into, limits.max_rate_in),
                Way::Out => (&mut line.out, limits.max_rate_out),
            };
            if rate.admit(now, most) {
                return Ok(());
            }
            line.figures.turned_away += 1;
            Err(Closed::TooFast)
        })
    }

    /// A leg goes through a trunk.
    pub fn enter(&self, name: &str, way: Way) {
        self.line(name, |line| {
            line.channels += 1;
            line.figures.attempt(way);
        });
    }

    /// A leg through a trunk was rebuilt after a restart: it is carried, not counted again.
    pub fn resume(&self, name: &str) {
        self.line(name, |line| line.channels += 1);
    }

    /// A leg's media is closed: its channel is free.
    pub fn exit(&self, name: &str) {
        self.line(name, |line| line.channels = line.channels.saturating_sub(1));
    }

    /// How a leg ended: the final status of its INVITE (200 when answered), and how long it was
    /// talked.
    pub fn ended(&self, name: &str, status: u16, talked: Option<Duration>) {
        self.line(name, |line| line.figures.ended(status, talked));
    }

    /// The carrier asked for rest until an instant.
    pub fn rest(&self, name: &str, until: Timestamp) {
        self.line(name, |line| line.rests_until = Some(until));
    }

    /// Whether a trunk is expected to carry a call out: not at rest, not full, registered if it
    /// has to be, and not every target down.
    pub fn is_well(&self, now: Timestamp, trunk: &Trunk) -> bool {
        self.line(&trunk.name, |line| line.is_well(now, trunk))
    }

    /// How an account's registration is now.
    pub fn set_account(&self, name: &str, user: &str, state: AccountState) {
        self.line(name, |line| {
            line.rounds += u64::from(matches!(
                state,
                AccountState::Registered { .. } | AccountState::Failed { .. }
            ));
            line.accounts.insert(user.to_owned(), state);
        });
    }

    /// An account is no longer configured.
    pub fn forget_account(&self, name: &str, user: &str) {
        self.line(name, |line| {
            line.accounts.remove(user);
            line.granted.remove(user);
        });
    }

    /// What an account's registrar gave with the binding.
    pub fn grant(&self, name: &str, user: &str, granted: Granted) {
        self.line(name, |line| line.granted.insert(user.to_owned(), granted));
    }

    /// What the registrar gave for an account; for any other registered one of the trunk when
    /// that has none.
    pub fn granted(&self, name: &str, user: &str) -> Option<Granted> {
        self.line(name, |line| {
            let own = line.granted.get(user);
            own.or_else(|| line.granted.values().next()).cloned()
        })
    }

    /// How a target is now.
    pub fn set_target(&self, name: &str, state: TargetState) {
        self.line(name, |line| {
            line.targets.insert(state.target.clone(), state)
        });
    }

    /// A target is no longer asked.
    pub fn forget_target(&self, name: &str, target: &str) {
        self.line(name, |line| line.targets.remove(target));
    }

    /// Whether OPTIONS found a target to be down.
    pub fn is_down(&self, name: &str, target: &str) -> bool {
        self.line(name, |line| {
            let state = line.targets.get(target);
            state.is_some_and(|state| state.up == Some(false))
        })
    }

    /// The targets of a trunk that are not known to be down; all when all are.
    pub fn living(&self, trunk: &Trunk) -> Vec<Target> {
        let is_up = |target: &&Target| !self.is_down(&trunk.name, &target.to_string());
        let living: Vec<Target> = trunk.targets.iter().filter(is_up).cloned().collect();
        if living.is_empty() {
            return trunk.targets.clone();
        }
        living
    }

    /// Whether any account is registered still, or its end is on its way.
    pub fn is_registered_anywhere(&self) -> bool {
        let is_held = |state: &AccountState| matches!(state, AccountState::Registered { .. });
        let lines = self.lock();
        lines
            .values()
            .any(|line| line.accounts.values().any(is_held))
    }

    /// Final words of registrars so far.
    pub fn rounds(&self, name: &str) -> u64 {
        self.line(name, |line| line.rounds)
    }

    /// How every account of a trunk is.
    pub fn accounts(&self, name: &str) -> BTreeMap<String, AccountState> {
        self.line(name, |line| line.accounts.clone())
    }

    /// A trunk test waits for its own call to come back by `number`; false when another one runs.
    pub fn expect(&self, name: &str, number: &str) -> bool {
        self.line(name, |line| {
            let is_free = line.expected.is_none();
            line.expected
                .get_or_insert_with(|| (number.to_owned(), Returned::default()));
            is_free
        })
    }

    /// It waits no longer. What came back.
    pub fn expect_no_longer(&self, name: &str) -> Returned {
        self.line(name, |line| line.expected.take())
            .map(|(_, returned)| returned)
            .unwrap_or_default()
    }

    /// Whether a call from a trunk to one of these numbers is a trunk test's own, come back; it
    /// is noted with the caller it shows.
    pub fn came_back(&self, name: &str, numbers: &[&str], caller: &str) -> bool {
        self.line(name, |line| match &mut line.expected {
            Some((number, returned))
                if returned.caller.is_none() && numbers.iter().any(|it| is_alike(number, it)) =>
            {
                returned.caller = Some(caller.to_owned());
                true
            }
            _ => false,
        })
    }

    /// A key was pressed in the call that came back.
    pub fn key_came_back(&self, name: &str, digit: char) {
        self.line(name, |line| {
            if let Some((_, returned)) = &mut line.expected
                && returned.keys.len() < MOST_KEYS
            {
                returned.keys.push(digit);
            }
        });
    }

    /// Whether the call that came back has heard fewer keys than this so far; false when none came.
    pub fn lacks_keys(&self, name: &str, count: usize) -> bool {
        self.line(name, |line| {
            let returned = line.expected.as_ref().map(|(_, returned)| returned);
            returned.is_some_and(|it| it.caller.is_some() && it.keys.len() < count)
        })
    }

    /// Trunks that are no longer configured are forgotten, once they carry nothing.
    pub fn retain<'t>(&self, trunks: impl IntoIterator<Item = &'t str>) {
        let names: BTreeSet<&str> = trunks.into_iter().collect();
        self.lock()
            .retain(|name, line| names.contains(name.as_str()) || line.channels > 0);
    }

    /// One trunk as it is now.
    pub fn view(&self, now: Timestamp, trunk: &Trunk) -> TrunkView {
        self.line(&trunk.name, |line| TrunkView {
            name: trunk.name.clone(),
            profile: trunk.profile.base.to_owned(),
            well: line.is_well(now, trunk),
            channels: line.channels,
            max_calls: trunk.profile.limits.max_calls,
            rate: line.into.recent(now) + line.out.recent(now),
            rests_until: line.rests_until.filter(|until| *until > now),
            accounts: line.accounts.clone(),
            targets: line.targets.values().cloned().collect(),
            figures: line.figures.clone(),
        })
    }

    fn line<T>(&self, name: &str, act: impl FnOnce(&mut Line) -> T) -> T {
        let mut lines = self.lock();
        if let Some(line) = lines.get_mut(name) {
            return act(line);
        }
        act(lines.entry(name.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_well(&self, now: Timestamp, trunk: &Trunk) -> bool {
        let is_registered = !trunk.profile.registers()
            || self
                .accounts
                .values()
                .any(|state| matches!(state, AccountState::Registered { .. }));
        let is_down =
            !self.targets.is_empty() && self.targets.values().all(|state| state.up == Some(false));
        let is_full = trunk
            .profile
            .limits
            .max_calls
            .is_some_and(|most| self.channels >= most);
        let rests = self.rests_until.is_some_and(|until| until > now);
        is_registered && !is_down && !is_full && !rests
    }
}

/// Whether two writings are one number, as far as their last digits tell: a carrier adds and
/// takes off prefixes on the way.
pub fn is_alike(one: &str, other: &str) -> bool {
    let last = |text: &str| -> Vec<u8> {
        let digits = text.bytes().rev().filter(u8::is_ascii_digit);
        digits.take(TELLING_DIGITS).collect()
    };
    let (one, other) = (last(one), last(other));
    !one.is_empty() && one == other
}

/// Subscriber numbers have up to eight digits.
const TELLING_DIGITS: usize = 8;
/// Keys of a test that are kept.
const MOST_KEYS: usize = 32;

impl Closed {
    /// The status for a caller who came by the trunk, and for a trunk that was passed over.
    pub const STATUS: u16 = 503;

    /// Its code in the record's checks.
    pub const fn code(self) -> &'static str {
        match self {
            Closed::Full => "trunk.full",
            Closed::Resting => "trunk.resting",
            Closed::TooFast => "trunk.too_fast",
        }
    }

    /// Seconds for Retry-After (RFC 3261 §20.33).
    pub fn retry_after(self) -> u32 {
        match self {
            Closed::Full | Closed::Resting => 5,
            Closed::TooFast => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::profile::RegisterMode;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_trunk_takes_so_many_at_a_time_and_so_many_a_second() {
        let carriers = Carriers::new();
        let mut trunk = crate::trunk::carrier::tests::trunk("a", &[]);
        trunk.profile.limits.max_calls = Some(2);
        trunk.profile.limits.max_rate_out = Some(1);
        assert_eq!(carriers.admit(at(0), &trunk, Way::Out), Ok(()));
        carriers.enter("a", Way::Out);
        assert_eq!(
            carriers.admit(at(500), &trunk, Way::Out),
            Err(Closed::TooFast)
        );
        assert_eq!(
            carriers.admit(at(500), &trunk, Way::In),
            Ok(()),
            "each way by itself"
        );
        carriers.enter("a", Way::In);
        assert_eq!(
            carriers.admit(at(2_000), &trunk, Way::Out),
            Err(Closed::Full)
        );
        assert!(!carriers.is_well(at(2_000), &trunk));
        carriers.exit("a");
        assert_eq!(carriers.admit(at(2_000), &trunk, Way::Out), Ok(()));
        carriers.rest("a", at(9_000));
        assert_eq!(
            carriers.admit(at(4_000), &trunk, Way::Out),
            Err(Closed::Resting)
        );
        assert!(carriers.is_well(at(9_000), &trunk));
    }

    #[test]
    fn a_trunk_is_well_when_registered_and_reached() {
        let carriers = Carriers::new();
        let mut trunk = crate::trunk::carrier::tests::trunk("a", &[]);
        assert!(carriers.is_well(at(0), &trunk));
        trunk.profile.register.mode = RegisterMode::Digest;
        assert!(!carriers.is_well(at(0), &trunk));
        let until = at(60_000);
        carriers.set_account("a", "1", AccountState::Registered { until });
        assert!(carriers.is_well(at(0), &trunk));
        for (target, up) in [("x", false), ("y", true)] {
            carriers.set_target(
                "a",
                TargetState {
                    target: target.to_owned(),
                    up: Some(up),
                    rtt_ms: None,
                    status: None,
                },
            );
        }
        assert!(carriers.is_well(at(0), &trunk), "one of two is enough");
        assert!(carriers.is_down("a", "x") && !carriers.is_down("a", "y"));
        carriers.forget_target("a", "y");
        assert!(!carriers.is_well(at(0), &trunk));
    }
}
