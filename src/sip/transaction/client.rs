//! Non-INVITE client transaction: RFC 3261 figure 6.

use crate::base::Timestamp;

use super::timing::{Running, Timer, Timing};
use super::{Failure, Step};

/// State of a non-INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Sent, nothing heard.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came.
    Completed,
    /// Over.
    Terminated,
}

/// One request other than INVITE and ACK we sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) state: State,
    pub(crate) running: Running,
    reliable: bool,
}

impl Client {
    /// The caller sends the request at the same instant.
    pub(crate) fn start(now: Timestamp, timing: &Timing, reliable: bool) -> Self {
        let mut running = Running::default();
        if !reliable {
            running.repeat(now, Timer::E, timing.t1);
        }
        running.end(now, Timer::F, timing.patience());
        Self {
            state: State::Trying,
            running,
            reliable,
        }
    }

    pub(crate) fn handle_response(&mut self, now: Timestamp, timing: &Timing, status: u16) -> Step {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                if self.state == State::Trying && !self.reliable {
                    self.running.repeat(now, Timer::E, timing.t2);
                }
                self.state = State::Proceeding;
                Step::DELIVER
            }
            (State::Trying | State::Proceeding, 200..) => {
                self.running.stop();
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    self.running.end(now, Timer::K, timing.t4);
                }
                Step::DELIVER
            }
            _ => Step::NOTHING,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp, timing: &Timing) -> Step {
        match self.running.fire(now, timing.t2) {
            Some(Timer::E) => Step::SEND,
            Some(Timer::F) => self.fail(Failure::Timeout),
            Some(_) => {
                self.state = State::Terminated;
                Step::NOTHING
            }
            None => Step::NOTHING,
        }
    }

    pub(crate) fn handle_transport_error(&mut self) -> Step {
        match self.state {
            State::Trying | State::Proceeding => self.fail(Failure::Transport),
            State::Completed | State::Terminated => Step::NOTHING,
        }
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.state = State::Terminated;
        self.running.stop();
        Step::failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn retransmits_with_growing_intervals_until_timer_f() {
        let timing = Timing::default();
        let mut client = Client::start(at(0), &timing, false);
        let mut sent = Vec::new();
        while client.state != State::Terminated {
            let due = client.running.next().expect("a timer runs");
            if client.handle_timeout(due, &timing).send {
                sent.push(due.as_millis());
            }
        }
        let expected = [
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_provisional_slows_retransmission_to_t2() {
        let timing = Timing::default();
        let mut client = Client::start(at(0), &timing, false);
        client.handle_response(at(100), &timing, 100);
        assert_eq!(client.running.next(), Some(at(4100)));
    }

    #[test]
    fn the_final_response_is_delivered_once() {
        let timing = Timing::default();
        let mut client = Client::start(at(0), &timing, false);
        assert!(client.handle_response(at(100), &timing, 200).deliver);
        assert!(!client.handle_response(at(200), &timing, 200).deliver);
        client.handle_timeout(at(5100), &timing);
        assert_eq!(client.state, State::Terminated);
    }
}
