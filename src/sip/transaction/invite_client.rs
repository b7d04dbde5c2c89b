//! INVITE client transaction: RFC 3261 figure 5 with the Accepted state of RFC 6026.

use std::time::Duration;

use crate::base::Timestamp;

use super::timing::{Running, Timer, Timing};
use super::{Failure, Step};

/// State of an INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Sent, nothing heard.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A refusal came and is acknowledged.
    Completed,
    /// A 2xx came; the dialog acknowledges it, and others that may follow.
    Accepted,
    /// Over.
    Terminated,
}

/// One INVITE we sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InviteClient {
    pub(crate) state: State,
    pub(crate) running: Running,
    reliable: bool,
    /// Nobody waits any more; see [`Self::limit`].
    is_limited: bool,
}

impl InviteClient {
    /// The caller sends the INVITE at the same instant.
    pub(crate) fn start(now: Timestamp, timing: &Timing, reliable: bool) -> Self {
        let mut running = Running::default();
        if !reliable {
            running.repeat(now, Timer::A, timing.t1);
        }
        running.end(now, Timer::B, timing.patience());
        Self {
            state: State::Calling,
            running,
            reliable,
            is_limited: false,
        }
    }

    /// The INVITE was cancelled, or its dialog ended: whatever provisional responses say, it ends
    /// after 64 × T1 (RFC 3261 §9.1).
    pub(crate) fn limit(&mut self, now: Timestamp, timing: &Timing) {
        let was_limited = std::mem::replace(&mut self.is_limited, true);
        // While nothing was heard timer B runs already, and is not to begin anew.
        if self.state == State::Proceeding && !was_limited {
            self.running.end(now, Timer::B, timing.patience());
        }
    }

    pub(crate) fn handle_response(&mut self, now: Timestamp, timing: &Timing, status: u16) -> Step {
        match (self.state, status) {
            (State::Calling | State::Proceeding, 100..=199) => {
                if !self.is_limited {
                    self.running.stop();
                } else if self.state == State::Calling {
                    self.running.stop_repeating();
                    self.running.end(now, Timer::B, timing.patience());
                }
                self.state = State::Proceeding;
                Step::DELIVER
            }
            (State::Calling | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                self.running.stop();
                self.running.end(now, Timer::M, timing.patience());
                Step::DELIVER
            }
            (State::Accepted, 200..=299) => Step::DELIVER,
            (State::Calling | State::Proceeding, 300..) => {
                self.running.stop();
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    self.running
                        .end(now, Timer::D, WAIT_D.max(timing.patience()));
                }
                Step {
                    acknowledge: true,
                    ..Step::DELIVER
                }
            }
            (State::Completed, 300..) => Step::SEND,
            _ => Step::NOTHING,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> Step {
        match self.running.fire(now, Duration::MAX) {
            Some(Timer::A) => Step::SEND,
            Some(Timer::B) => self.fail(Failure::Timeout),
            Some(_) => {
                self.state = State::Terminated;
                Step::NOTHING
            }
            None => Step::NOTHING,
        }
    }

    pub(crate) fn handle_transport_error(&mut self) -> Step {
        match self.state {
            State::Calling => self.fail(Failure::Transport),
            State::Completed => {
                self.state = State::Terminated;
                Step::NOTHING
            }
            // The other side may answer over a connection of its own (RFC 3261 §18.2.2).
            State::Proceeding | State::Accepted | State::Terminated => Step::NOTHING,
        }
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.state = State::Terminated;
        self.running.stop();
        Step::failed(failure)
    }
}

/// Timer D is at least 32 s on unreliable transports (RFC 3261 §17.1.1.2).
const WAIT_D: Duration = Duration::from_secs(32);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn start(reliable: bool) -> (InviteClient, Timing) {
        let timing = Timing::default();
        (InviteClient::start(at(0), &timing, reliable), timing)
    }

    #[test]
    fn retransmits_invite_until_timer_b() {
        let (mut invite, _) = start(false);
        let mut sent = Vec::new();
        loop {
            let due = invite.running.next().expect("a timer runs");
            let step = invite.handle_timeout(due);
            if let Some(failure) = step.failure {
                assert_eq!((due, failure), (at(32_000), Failure::Timeout));
                break;
            }
            assert!(step.send);
            sent.push(due.as_millis());
        }
        assert_eq!(sent, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert_eq!(invite.state, State::Terminated);
    }

    #[test]
    fn never_retransmits_over_a_reliable_transport() {
        let (invite, _) = start(true);
        assert_eq!(invite.running.next(), Some(at(32_000)));
    }

    #[test]
    fn a_provisional_stops_retransmission_and_timer_b() {
        let (mut invite, timing) = start(false);
        assert!(invite.handle_response(at(100), &timing, 180).deliver);
        assert_eq!(invite.state, State::Proceeding);
        assert_eq!(invite.running.next(), None);
    }

    #[test]
    fn a_limited_invite_ends_whatever_rings() {
        let (mut invite, timing) = start(false);
        invite.handle_response(at(100), &timing, 180);
        invite.limit(at(1000), &timing);
        invite.handle_response(at(2000), &timing, 180);
        assert_eq!(invite.running.next(), Some(at(33_000)));
        let step = invite.handle_timeout(at(33_000));
        assert_eq!(step.failure, Some(Failure::Timeout));
    }

    #[test]
    fn a_refusal_is_delivered_once_and_acknowledged_each_time() {
        let (mut invite, timing) = start(false);
        let first = invite.handle_response(at(100), &timing, 486);
        assert!(first.deliver && first.acknowledge);
        let again = invite.handle_response(at(600), &timing, 486);
        assert!(again.send && !again.deliver);
        assert_eq!(invite.running.next(), Some(at(32_100)));
        invite.handle_timeout(at(32_100));
        assert_eq!(invite.state, State::Terminated);
    }

    #[test]
    fn every_2xx_is_delivered_until_timer_m() {
        let (mut invite, timing) = start(false);
        assert!(invite.handle_response(at(10), &timing, 200).deliver);
        assert!(invite.handle_response(at(500), &timing, 200).deliver);
        assert!(!invite.handle_response(at(600), &timing, 486).deliver);
        assert_eq!(invite.running.next(), Some(at(32_010)));
        assert!(invite.handle_timeout(at(32_010)).failure.is_none());
        assert_eq!(invite.state, State::Terminated);
    }

    #[test]
    fn a_reliable_refusal_ends_at_once() {
        let (mut invite, timing) = start(true);
        assert!(invite.handle_response(at(10), &timing, 404).acknowledge);
        assert_eq!(invite.state, State::Terminated);
    }

    #[test]
    fn a_transport_error_fails_only_while_calling() {
        let (mut invite, timing) = start(true);
        let mut proceeding = invite;
        proceeding.handle_response(at(1), &timing, 100);
        assert_eq!(proceeding.handle_transport_error().failure, None);
        let step = invite.handle_transport_error();
        assert_eq!(step.failure, Some(Failure::Transport));
    }
}
