//! Addresses that failed or asked for a pause, and until when they are spared.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::sip::Protocol;

use super::destination::Hop;

/// Why an address is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answered 503 with Retry-After, in seconds: nothing is sent there before
    /// (RFC 3261 §21.5.4).
    Busy(u32),
    /// It did not answer, could not be reached, or answered a bare 503: it is tried last.
    Dead,
}

/// How a request takes the rest that an address asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// Nothing is sent to an address that asked for a pause.
    #[default]
    Usual,
    /// Somebody may be dying: such an address is tried last.
    Emergency,
}

/// Bounded; what is over is forgotten.
#[derive(Debug, Default)]
pub(super) struct Rest {
    resting: HashMap<(Protocol, SocketAddr), (Timestamp, Fault)>,
}

impl Rest {
    /// Takes note of a failure; true when the address was well until now.
    pub(super) fn note(&mut self, now: Timestamp, hop: &Hop, fault: Fault) -> bool {
        let length = match fault {
            Fault::Busy(seconds) => Duration::from_secs(seconds.into()).min(LONGEST),
            Fault::Dead => AVOIDED,
        };
        let key = (hop.protocol, hop.address);
        let is_new = !self.is_resting(now, hop);
        if self.resting.len() >= MAX_RESTING {
            self.resting.retain(|_, (until, _)| *until > now);
        }
        if self.resting.len() < MAX_RESTING || self.resting.contains_key(&key) {
            self.resting.insert(key, (now + length, fault));
        }
        is_new
    }

    /// The address answered: it is well. True when it was not before.
    pub(super) fn forgive(&mut self, hop: &Hop) -> bool {
        self.resting.remove(&(hop.protocol, hop.address)).is_some()
    }

    /// The hops to try, in order: those that failed last, those that rest by their own wish left
    /// out or, in an emergency, after all others.
    pub(super) fn sift(&self, now: Timestamp, hops: Vec<Hop>, urgency: Urgency) -> Vec<Hop> {
        if self.resting.is_empty() {
            return hops;
        }
        let (mut well, mut dead) = (Vec::with_capacity(hops.len()), Vec::new());
        let mut busy = Vec::new();
        for hop in hops {
            match self.resting.get(&(hop.protocol, hop.address)) {
                Some((until, Fault::Busy(_))) if *until > now => busy.push(hop),
                Some((until, Fault::Dead)) if *until > now => dead.push(hop),
                _ => well.push(hop),
            }
        }
        well.append(&mut dead);
        if urgency == Urgency::Emergency {
            well.append(&mut busy);
        }
        well
    }

    /// When the next of them is over.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.resting.values().map(|(until, _)| *until);
        ends.filter(|until| *until > now).min()
    }

    /// How many rest now.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        let resting = self.resting.values();
        resting.filter(|(until, _)| *until > now).count()
    }

    pub(super) fn is_resting(&self, now: Timestamp, hop: &Hop) -> bool {
        let noted = self.resting.get(&(hop.protocol, hop.address));
        noted.is_some_and(|(until, _)| *until > now)
    }
}

/// How long an address that failed is tried last: about a Timer B, and short enough that a
/// carrier that comes back is found soon.
const AVOIDED: Duration = Duration::from_secs(30);
/// No Retry-After is believed beyond this: whoever says more may be mistaken or an attacker.
const LONGEST: Duration = Duration::from_secs(600);
/// Addresses noted.
const MAX_RESTING: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8) -> Hop {
        Hop {
            protocol: Protocol::Udp,
            address: SocketAddr::from(([192, 0, 2, last], 5060)),
            name: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn who_failed_is_tried_last_and_who_asked_for_a_pause_not_at_all() {
        let mut rest = Rest::default();
        let all = || vec![hop(1), hop(2), hop(3)];
        assert!(rest.note(at(0), &hop(1), Fault::Dead));
        assert!(!rest.note(at(0), &hop(1), Fault::Dead));
        rest.note(at(0), &hop(2), Fault::Busy(10));
        let sift = |rest: &Rest, now| rest.sift(now, all(), Urgency::Usual);
        assert_eq!(sift(&rest, at(1)), [hop(3), hop(1)]);
        let urgent = rest.sift(at(1), all(), Urgency::Emergency);
        assert_eq!(urgent, [hop(3), hop(1), hop(2)]);
        assert_eq!(rest.count(at(1)), 2);
        assert_eq!(sift(&rest, at(10)), [hop(2), hop(3), hop(1)]);
        assert_eq!(sift(&rest, at(30)), all());
        rest.note(at(40), &hop(1), Fault::Dead);
        assert!(rest.forgive(&hop(1)));
        assert_eq!(sift(&rest, at(41)), all());
    }

    #[test]
    fn a_pause_has_a_longest_length() {
        let mut rest = Rest::default();
        rest.note(at(0), &hop(1), Fault::Busy(u32::MAX));
        let sift = |now| rest.sift(now, vec![hop(1)], Urgency::Usual);
        assert!(sift(at(599)).is_empty());
        assert_eq!(sift(at(600)), [hop(1)]);
    }
}
