//! The timers of RFC 3261 table 4 and RFC 6026, by name, and where they run.

use std::time::Duration;

use crate::base::Timestamp;

/// The three values all transaction timers are made of (RFC 3261 §17.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Round-trip estimate: first retransmission.
    pub t1: Duration,
    /// Longest interval between retransmissions of a non-INVITE request or an INVITE response.
    pub t2: Duration,
    /// Longest time a message stays in the network.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// With another T1; T2 and T4 keep their ratio to it, 8 and 10 times.
    pub fn of(t1: Duration) -> Self {
        Self {
            t1,
            t2: t1.saturating_mul(8),
            t4: t1.saturating_mul(10),
        }
    }

    /// 64 × T1: how long a transaction waits for its other side.
    pub fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

/// Transaction timers by their letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// INVITE request retransmission, UDP.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for response retransmissions after a refused INVITE.
    D,
    /// Non-INVITE request retransmission, UDP.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// INVITE refusal retransmission, UDP.
    G,
    /// Wait for the ACK of a refusal.
    H,
    /// Wait for retransmissions of that ACK.
    I,
    /// Wait for retransmissions of a non-INVITE request.
    J,
    /// Wait for retransmissions of a non-INVITE response.
    K,
    /// Wait for retransmissions of an accepted INVITE (RFC 6026).
    L,
    /// Wait for further 2xx to an INVITE, also from forks (RFC 6026).
    M,
}

/// The timers running in one transaction: at most one repeats a message, one ends the state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running {
    repeat: Option<Repeat>,
    end: Option<(Timer, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Repeat {
    timer: Timer,
    at: Timestamp,
    interval: Duration,
}

impl Running {
    pub(crate) fn repeat(&mut self, now: Timestamp, timer: Timer, interval: Duration) {
        self.repeat = Some(Repeat {
            timer,
            at: now + interval,
            interval,
        });
    }

    pub(crate) fn end(&mut self, now: Timestamp, timer: Timer, after: Duration) {
        self.end = Some((timer, now + after));
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn stop_repeating(&mut self) {
        self.repeat = None;
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        let repeat = self.repeat.map(|repeat| repeat.at);
        let end = self.end.map(|(_, at)| at);
        match (repeat, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes the timer that is due; the end wins. A repeating timer is set again, its interval
    /// doubled up to `longest`.
    pub(crate) fn fire(&mut self, now: Timestamp, longest: Duration) -> Option<Timer> {
        if let Some((timer, at)) = self.end
            && at <= now
        {
            self.stop();
            return Some(timer);
        }
        let repeat = self.repeat.filter(|repeat| repeat.at <= now)?;
        let interval = repeat.interval.saturating_mul(2).min(longest);
        self.repeat(now, repeat.timer, interval);
        Some(repeat.timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_t1_gives_the_usual_others() {
        assert_eq!(Timing::of(Duration::from_millis(500)), Timing::default());
    }

    #[test]
    fn intervals_double_up_to_the_longest_and_the_end_wins() {
        let start = Timestamp::ZERO;
        let ms = |ms| start + Duration::from_millis(ms);
        let mut running = Running::default();
        running.repeat(start, Timer::E, Duration::from_millis(500));
        running.end(start, Timer::F, Duration::from_millis(4000));
        let mut seen = Vec::new();
        while let Some(at) = running.next() {
            let timer = running.fire(at, Duration::from_millis(1000));
            seen.push((at, timer));
        }
        assert_eq!(
            seen,
            [
                (ms(500), Some(Timer::E)),
                (ms(1500), Some(Timer::E)),
                (ms(2500), Some(Timer::E)),
                (ms(3500), Some(Timer::E)),
                (ms(4000), Some(Timer::F)),
            ]
        );
    }
}
