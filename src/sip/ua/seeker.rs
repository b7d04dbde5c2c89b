//! Who is being located, where each of their ways leads next, and which addresses are on trial.

use std::collections::HashMap;

use crate::base::{Entropy, Timers, Timestamp};
use crate::sip::Flow;
use crate::sip::location::{AskId, Located, Locator, Means, NoLocation};

use super::settings::{Body, Settings};
use super::way::{Unreached, Way};
use super::{RequestId, SessionId};

/// Who waits for a location or for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Waiter {
    /// A dialog whose other side is a name.
    Dialog(SessionId),
    /// Our first INVITE.
    Invite(SessionId),
    /// Our request outside any dialog.
    Request(RequestId),
}

/// Locations under way and addresses on trial.
#[derive(Debug)]
pub(super) struct Seeker {
    pub(super) locator: Locator,
    pub(super) waiters: HashMap<AskId, Waiter>,
    /// Dialogs that wait, to be forgotten with them.
    pub(super) dialogs: HashMap<SessionId, AskId>,
    /// When the next address is tried.
    pub(super) tries: Timers<Waiter>,
    /// ACKs that wait for the location of whom they go to, with their bodies.
    pub(super) parked: HashMap<SessionId, Option<Body>>,
}

/// What comes next on a way.
pub(super) enum Step {
    /// Send by this flow.
    Go(Flow),
    /// Nothing is left.
    End,
    /// A location is under way.
    Wait,
}

impl Step {
    /// What a request is written for; one that cannot be sent yet is written again when it can.
    pub(super) fn flow(&self) -> Flow {
        match self {
            Step::Go(flow) => *flow,
            Step::End | Step::Wait => {
                let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
                Flow::udp(nowhere, nowhere)
            }
        }
    }
}

impl Seeker {
    pub(super) fn new(settings: &Settings, entropy: Entropy) -> Self {
        let means = Means::new(&settings.listeners);
        Self {
            locator: Locator::new(settings.location, means, entropy),
            waiters: HashMap::new(),
            dialogs: HashMap::new(),
            tries: Timers::new(),
            parked: HashMap::new(),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        match (self.locator.poll_timeout(), self.tries.next()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Nobody waits for this session's dialog any more.
    pub(super) fn forget_dialog(&mut self, id: SessionId) {
        if let Some(ask) = self.dialogs.remove(&id) {
            self.forget(ask);
        }
        self.parked.remove(&id);
    }

    pub(super) fn forget(&mut self, ask: AskId) {
        self.waiters.remove(&ask);
        self.locator.forget(ask);
    }

    /// Where a way leads next.
    pub(super) fn step(&mut self, now: Timestamp, way: &mut Way) -> Step {
        way.ask = None;
        while way.tries < super::way::MAX_TRIES {
            if let Some(hop) = way.next(|hop| self.locator.is_resting(now, hop)) {
                way.tries += 1;
                let Some(flow) = self.locator.flow(&hop, way.source_port) else {
                    way.note(Unreached::NotLocated(NoLocation::NoTransport));
                    continue;
                };
                way.hop = Some(hop);
                return Step::Go(flow);
            }
            let Some(next) = way.destinations.pop_front() else {
                break;
            };
            let located = self.locator.locate(now, &next, way.urgency);
            way.destination = Some(next);
            match located {
                Located::Later(ask) => {
                    way.ask = Some(ask);
                    return Step::Wait;
                }
                Located::Now(Ok(hops)) => way.hops = hops.into(),
                Located::Now(Err(why)) => way.note(Unreached::NotLocated(why)),
            }
        }
        way.hop = None;
        Step::End
    }

    #[cfg(test)]
    pub(super) fn leftovers(&self) -> usize {
        self.waiters.len()
            + self.dialogs.len()
            + self.tries.len()
            + self.parked.len()
            + self.locator.waiting()
    }
}
