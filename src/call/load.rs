//! Whether a shard keeps up with its sockets, told by the time since they were last seen empty.
//!
//! A burst may wait as long as nobody repeats himself (T1, RFC 3261 §17.1.1.1). Once it waited
//! longer the shard is overloaded, and from then on turns new work away as soon as anything waits
//! for [`SHORT`]: what it takes it serves at once, what it refuses it refuses at once, and the
//! rate served stays at what it can do. It is over when nothing waited so long for [`CALM`].

use std::time::Duration;

use crate::base::Timestamp;

/// One shard's load.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Since when something has been waiting all the time.
    waiting_since: Option<Timestamp>,
    /// When something last waited too long.
    overloaded_at: Option<Timestamp>,
}

impl Load {
    /// A message was taken from a socket.
    pub(super) fn taken(&mut self, now: Timestamp) {
        let since = *self.waiting_since.get_or_insert(now);
        let most = match self.overloaded_at {
            Some(_) => SHORT,
            None => BURST,
        };
        if now.since(since) > most {
            self.overloaded_at = Some(now);
        }
    }

    /// Nothing waits any more.
    pub(super) fn caught_up(&mut self, now: Timestamp) {
        self.waiting_since = None;
        if self.overloaded_at.is_some_and(|at| now.since(at) > CALM) {
            self.overloaded_at = None;
        }
    }

    /// Whether work of a kind that may wait for `patience` is to be turned away.
    pub(super) fn is_too_much(&self, now: Timestamp, patience: Duration) -> bool {
        self.overloaded_at.is_some()
            && self
                .waiting_since
                .is_some_and(|since| now.since(since) > patience)
    }

    /// Whether work has been turned away lately.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overloaded_at.is_some()
    }
}

/// What a burst may wait: after it, peers begin to repeat themselves and make it longer.
const BURST: Duration = Duration::from_millis(500);

/// What new work may wait under overload: a fifth of what a refusal may take.
pub(super) const SHORT: Duration = Duration::from_millis(10);

/// How long nothing may have waited for [`SHORT`] before bursts are tolerated again.
const CALM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_burst_is_worked_off() {
        let mut load = Load::default();
        for millis in (0..=500).step_by(10) {
            load.taken(at(millis));
            assert!(!load.is_too_much(at(millis), SHORT));
        }
        load.caught_up(at(500));
        load.taken(at(900));
        assert!(!load.is_overloaded());
    }

    #[test]
    fn overload_turns_away_until_the_sockets_are_empty_and_is_over_after_a_second_of_calm() {
        let mut load = Load::default();
        load.taken(at(0));
        load.taken(at(501));
        assert!(load.is_too_much(at(501), SHORT));
        load.caught_up(at(510));
        load.taken(at(511));
        assert!(!load.is_too_much(at(511), SHORT));
        load.taken(at(522));
        assert!(load.is_too_much(at(522), SHORT));
        assert!(!load.is_too_much(at(522), SHORT * 2));
        load.caught_up(at(523));
        load.caught_up(at(1522));
        assert!(load.is_overloaded());
        load.caught_up(at(1523));
        assert!(!load.is_overloaded());
    }
}
