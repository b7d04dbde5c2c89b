//! INVITE server transaction: RFC 3261 figure 7 with the Accepted state of RFC 6026.

use crate::base::Timestamp;

use super::timing::{Running, Timer, Timing};
use super::{Failure, Step};

/// State of an INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not answered yet; the last provisional is repeated when asked.
    Proceeding,
    /// Refused; the refusal is repeated until the ACK.
    Completed,
    /// The refusal was acknowledged.
    Confirmed,
    /// Accepted; the dialog repeats the 2xx, we absorb repeated INVITEs.
    Accepted,
    /// Over.
    Terminated,
}

/// One INVITE we received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InviteServer {
    pub(crate) state: State,
    pub(crate) running: Running,
    reliable: bool,
}

impl InviteServer {
    pub(crate) fn start(reliable: bool) -> Self {
        Self {
            state: State::Proceeding,
            running: Running::default(),
            reliable,
        }
    }

    /// The user sends a response.
    pub(crate) fn respond(&mut self, now: Timestamp, timing: &Timing, status: u16) -> Step {
        match (self.state, status) {
            (State::Proceeding, 100..=199) => Step::SEND,
            (State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                self.running.end(now, Timer::L, timing.patience());
                Step::SEND
            }
            (State::Accepted, 200..=299) => Step::SEND,
            (State::Proceeding, 300..) => {
                self.state = State::Completed;
                if !self.reliable {
                    self.running.repeat(now, Timer::G, timing.t1);
                }
                self.running.end(now, Timer::H, timing.patience());
                Step::SEND
            }
            _ => Step::NOTHING,
        }
    }

    /// The same INVITE came again.
    pub(crate) fn handle_repeat(&mut self) -> Step {
        match self.state {
            State::Proceeding | State::Completed => Step::SEND,
            State::Confirmed | State::Accepted | State::Terminated => Step::NOTHING,
        }
    }

    /// An ACK with this transaction's branch came.
    pub(crate) fn handle_ack(&mut self, now: Timestamp, timing: &Timing) -> Step {
        match self.state {
            State::Completed => {
                self.running.stop();
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Confirmed;
                    self.running.end(now, Timer::I, timing.t4);
                }
                Step::NOTHING
            }
            State::Accepted => Step::DELIVER,
            State::Proceeding | State::Confirmed | State::Terminated => Step::NOTHING,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp, timing: &Timing) -> Step {
        match self.running.fire(now, timing.t2) {
            Some(Timer::G) => Step::SEND,
            Some(Timer::H) => {
                self.state = State::Terminated;
                Step::failed(Failure::Timeout)
            }
            Some(_) => {
                self.state = State::Terminated;
                Step::NOTHING
            }
            None => Step::NOTHING,
        }
    }

    pub(crate) fn handle_transport_error(&mut self) -> Step {
        match self.state {
            State::Completed => {
                self.state = State::Terminated;
                self.running.stop();
                Step::failed(Failure::Transport)
            }
            _ => Step::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn repeats_a_refusal_until_its_ack() {
        let timing = Timing::default();
        let mut invite = InviteServer::start(false);
        assert!(invite.respond(at(0), &timing, 486).send);
        let mut sent = Vec::new();
        for _ in 0..5 {
            let due = invite.running.next().expect("timer G");
            assert!(invite.handle_timeout(due, &timing).send);
            sent.push(due.as_millis());
        }
        assert_eq!(sent, [500, 1500, 3500, 7500, 11_500]);
        invite.handle_ack(at(12_000), &timing);
        assert_eq!(invite.state, State::Confirmed);
        assert_eq!(invite.running.next(), Some(at(17_000)));
        assert!(!invite.handle_repeat().send);
        invite.handle_timeout(at(17_000), &timing);
        assert_eq!(invite.state, State::Terminated);
    }

    #[test]
    fn gives_up_on_the_ack_at_timer_h() {
        let timing = Timing::default();
        let mut invite = InviteServer::start(true);
        invite.respond(at(0), &timing, 404);
        assert_eq!(invite.running.next(), Some(at(32_000)));
        let step = invite.handle_timeout(at(32_000), &timing);
        assert_eq!(step.failure, Some(Failure::Timeout));
    }

    #[test]
    fn absorbs_repeated_invites_after_a_2xx_and_hands_up_its_ack() {
        let timing = Timing::default();
        let mut invite = InviteServer::start(false);
        assert!(invite.handle_repeat().send);
        assert!(invite.respond(at(0), &timing, 200).send);
        assert!(!invite.handle_repeat().send);
        assert!(invite.handle_ack(at(10), &timing).deliver);
        assert!(!invite.respond(at(20), &timing, 486).send);
        invite.handle_timeout(at(32_000), &timing);
        assert_eq!(invite.state, State::Terminated);
    }
}
