//! What a call may do to the world, lent to it for the length of one event.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conferences::Conferences;
use super::gate::Gate;
use super::{CallKey, Generation, Output};
use crate::base::{CallId, Entropy, IdSource, LegId, RecordingId, Timestamp};
use crate::media::{Command, Engine};
use crate::registrar::Registrar;
use crate::router;
use crate::sip::ua::SessionId;
use crate::sip::{Protocol, UserAgent};
use crate::trunk::Target;

/// The world as one call sees it while it handles one event.
pub(crate) struct Hands<'a> {
    pub(crate) now: Timestamp,
    pub(crate) ua: &'a mut UserAgent,
    pub(crate) media: &'a Engine,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) registrar: &'a Mutex<Registrar>,
    pub(crate) conferences: &'a Arc<Mutex<Conferences>>,
    pub(crate) generations: &'a BTreeMap<u64, Arc<Generation>>,
    pub(crate) index: &'a mut Index,
    pub(crate) outbox: &'a mut VecDeque<Output>,
    pub(crate) gate: &'a Gate,
    pub(crate) listeners: &'a [(Protocol, SocketAddr)],
}

/// Which call a session, a media leg or a logical id belongs to.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) sessions: HashMap<SessionId, (CallKey, LegId)>,
    pub(crate) legs: HashMap<LegId, CallKey>,
    pub(crate) calls: HashMap<CallId, CallKey>,
    pub(crate) recordings: HashMap<RecordingId, CallKey>,
}

impl Hands<'_> {
    /// Asks the router.
    pub(crate) fn route(&mut self, command: router::Command) {
        self.outbox.push_back(Output::Router(command));
    }

    /// Tells the media workers. A full command ring is the worker's failure to keep up: the gate
    /// sees it through `Engine::ready` and refuses new calls; the leg at hand goes on as it was.
    pub(crate) fn tell(&self, command: Command) {
        if let Err(full) = self.media.send(command) {
            tracing::warn!(%full, "media command refused");
        }
    }

    /// Our own address toward `remote`: of the same transport and address family, and on loopback
    /// when the other side is; `None` when we do not listen on one.
    pub(crate) fn listener_for(
        &self,
        protocol: Protocol,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let fits = |(offered, local): &&(Protocol, SocketAddr)| {
            *offered == protocol && local.is_ipv4() == remote.is_ipv4()
        };
        let fitting = || self.listeners.iter().filter(fits).map(|(_, local)| *local);
        let is_beside = |local: &SocketAddr| local.ip().is_loopback() == remote.ip().is_loopback();
        fitting().find(is_beside).or_else(|| fitting().next())
    }

    /// Our own address toward a target, as far as it is known before it is located; `None` when we
    /// have no listener for its protocol.
    pub(crate) fn address_towards(&self, target: &Target) -> Option<SocketAddr> {
        let protocol = match target.protocol {
            _ if target.is_secure => Some(Protocol::Tls),
            None if target.host.address().is_some() => Some(Protocol::Udp),
            protocol => protocol,
        };
        if let (Some(protocol), Some(address)) = (protocol, target.host.address()) {
            let port = target.port.unwrap_or(protocol.default_port());
            return self.listener_for(protocol, SocketAddr::new(address, port));
        }
        let mut ours = self.listeners.iter();
        let fits = |(offered, _): &&(Protocol, SocketAddr)| {
            protocol.is_none_or(|wanted| wanted == *offered)
        };
        ours.find(fits).map(|(_, local)| *local)
    }

    /// Where phones are.
    pub(crate) fn registrar(&self) -> MutexGuard<'_, Registrar> {
        self.registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
