//! The way of one request of ours: destinations not located yet, hops not tried yet
//! (RFC 3263 §4.3).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::sip::location::{AskId, Destination, Hop, NoLocation, Urgency};
use crate::sip::{Flow, Uri};

use super::settings::OwnContact;

/// Where a request is to go.
#[derive(Clone, Debug)]
pub enum NextHop {
    /// By this flow and no other.
    Flow(Flow),
    /// To the first of these that answers, each located by RFC 3263.
    Located(Targets),
}

/// Destinations in the order they are to be tried.
#[derive(Clone, Debug)]
pub struct Targets {
    /// At least one. A Request-URI that names the first names whichever is tried.
    pub destinations: Vec<Destination>,
    /// How long one address may stay silent before the next is tried; the last has until timer B
    /// or F. `None` takes the user agent's.
    pub try_for: Option<Duration>,
    /// Our listening port to send from; any when `None`.
    pub source_port: Option<u16>,
    /// Whether addresses that asked for a pause are asked all the same.
    pub urgency: Urgency,
}

/// Why no answer of the other side was heard: it is the way that failed, and another route may be
/// tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// There is no address to send to.
    #[error("not located: {0}")]
    NotLocated(NoLocation),
    /// No address answered.
    #[error("no reply in time")]
    Silent,
    /// No connection could be made or kept.
    #[error("cannot be reached")]
    Transport,
    /// All that answered said 503 (RFC 3261 §21.5.4).
    #[error("service unavailable")]
    Unavailable,
}

impl From<Flow> for NextHop {
    fn from(flow: Flow) -> Self {
        NextHop::Flow(flow)
    }
}

impl From<Vec<Destination>> for NextHop {
    fn from(destinations: Vec<Destination>) -> Self {
        NextHop::Located(Targets {
            destinations,
            try_for: None,
            source_port: None,
            urgency: Urgency::Usual,
        })
    }
}

impl Unreached {
    /// The status that tells it.
    pub const fn status(self) -> u16 {
        match self {
            Unreached::NotLocated(_) | Unreached::Transport | Unreached::Unavailable => 503,
            Unreached::Silent => 408,
        }
    }
}

/// How far a request has come on its way.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) destinations: VecDeque<Destination>,
    pub(super) hops: VecDeque<Hop>,
    /// Hops that failed lately, with whose they are: the last to be tried.
    pub(super) spared: VecDeque<(Option<Destination>, Hop)>,
    /// Where it went last.
    pub(super) hop: Option<Hop>,
    /// The destination whose hops are tried, or which is being located.
    pub(super) destination: Option<Destination>,
    /// Who will say where the destination is.
    pub(super) ask: Option<AskId>,
    /// Why the last try failed.
    pub(super) unreached: Option<Unreached>,
    /// The request as it was first written.
    pub(super) request: Bytes,
    /// Our Contact, which changes with the transport; `None` for requests without one of ours.
    pub(super) contact: Option<OwnContact>,
    /// The Request-URI names the destination.
    pub(super) names_destination: bool,
    pub(super) try_for: Duration,
    /// Our listening port to send from.
    pub(super) source_port: Option<u16>,
    pub(super) urgency: Urgency,
    pub(super) tries: usize,
}

impl Way {
    pub(super) fn new(
        destinations: Vec<Destination>,
        names_destination: bool,
        contact: Option<OwnContact>,
        try_for: Duration,
    ) -> Self {
        Self {
            destinations: destinations.into(),
            hops: VecDeque::new(),
            spared: VecDeque::new(),
            hop: None,
            destination: None,
            ask: None,
            unreached: None,
            request: Bytes::new(),
            contact,
            names_destination,
            try_for,
            source_port: None,
            urgency: Urgency::Usual,
            tries: 0,
        }
    }

    /// The next hop that is not spared while another one is left.
    pub(super) fn next(&mut self, is_resting: impl Fn(&Hop) -> bool) -> Option<Hop> {
        while let Some(hop) = self.hops.pop_front() {
            if !is_resting(&hop) {
                return Some(hop);
            }
            // Whatever else there is goes first, also of other destinations.
            self.spared.push_back((self.destination.clone(), hop));
        }
        if !self.destinations.is_empty() {
            return None;
        }
        let (destination, hop) = self.spared.pop_front()?;
        self.destination = destination;
        Some(hop)
    }

    /// Whether another address or destination is left when this one fails.
    pub(super) fn has_more(&self) -> bool {
        let is_empty =
            self.hops.is_empty() && self.destinations.is_empty() && self.spared.is_empty();
        self.tries < MAX_TRIES && !is_empty
    }

    /// Notes why a try failed. What was heard says more than what was not located.
    pub(super) fn note(&mut self, why: Unreached) {
        if self.unreached.is_none() || !matches!(why, Unreached::NotLocated(_)) {
            self.unreached = Some(why);
        }
    }

    /// The Request-URI for the destination at hand, when it names it.
    pub(super) fn address(&self, uri: &mut Uri) {
        if let Some(destination) = self.destination.as_ref().filter(|_| self.names_destination) {
            uri.host = destination.host.clone();
            uri.port = destination.port;
        }
    }
}

/// Addresses one request is sent to at the most: a caller waits meanwhile.
pub(super) const MAX_TRIES: usize = 16;
