//! Non-INVITE server transaction: RFC 3261 figure 8.

use crate::base::Timestamp;

use super::Step;
use super::timing::{Running, Timer, Timing};

/// State of a non-INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Received, nothing answered: repeats are dropped.
    Trying,
    /// A provisional was sent: repeats are answered with it.
    Proceeding,
    /// The final response was sent: repeats are answered with it.
    Completed,
    /// Over.
    Terminated,
}

/// One request other than INVITE and ACK we received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) running: Running,
    reliable: bool,
}

impl Server {
    /// The client has given up after 64 × T1 (its timer F); a request its user never answers is
    /// not kept longer.
    pub(crate) fn start(now: Timestamp, timing: &Timing, reliable: bool) -> Self {
        let mut running = Running::default();
        running.end(now, Timer::J, timing.patience());
        Self {
            state: State::Trying,
            running,
            reliable,
        }
    }

    /// The user sends a response.
    pub(crate) fn respond(&mut self, now: Timestamp, timing: &Timing, status: u16) -> Step {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                Step::SEND
            }
            (State::Trying | State::Proceeding, 200..) => {
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    self.running.end(now, Timer::J, timing.patience());
                }
                Step::SEND
            }
            _ => Step::NOTHING,
        }
    }

    /// The same request came again.
    pub(crate) fn handle_repeat(&mut self) -> Step {
        match self.state {
            State::Proceeding | State::Completed => Step::SEND,
            State::Trying | State::Terminated => Step::NOTHING,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp, timing: &Timing) -> Step {
        if self.running.fire(now, timing.t2).is_some() {
            self.state = State::Terminated;
        }
        Step::NOTHING
    }

    pub(crate) fn handle_transport_error(&mut self) -> Step {
        if self.state != State::Trying {
            self.state = State::Terminated;
        }
        Step::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_the_answer_until_timer_j() {
        let at = Timestamp::from_millis;
        let timing = Timing::default();
        let mut server = Server::start(at(0), &timing, false);
        assert!(!server.handle_repeat().send);
        assert!(server.respond(at(0), &timing, 200).send);
        assert!(!server.respond(at(0), &timing, 500).send);
        assert!(server.handle_repeat().send);
        assert_eq!(server.running.next(), Some(at(32_000)));
        server.handle_timeout(at(32_000), &timing);
        assert_eq!(server.state, State::Terminated);
    }

    #[test]
    fn a_reliable_transport_ends_with_the_answer() {
        let timing = Timing::default();
        let mut server = Server::start(Timestamp::ZERO, &timing, true);
        server.respond(Timestamp::ZERO, &timing, 200);
        assert_eq!(server.state, State::Terminated);
    }
}
