//! What a call may do to the world, lent to it for the length of one event.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conferences::Conferences;
use super::desk::Desks;
use super::engaged::{Engaged, Word};
use super::lines::Lines;
use super::{CallKey, Generation, Output};
use crate::base::{CallId, Entropy, IdSource, LegId, OwnMap, RecordingId, Timestamp};
use crate::media::{Command, Engine};
use crate::registrar::Registrar;
use crate::router;
use crate::sip::ua::SessionId;
use crate::sip::{Protocol, UserAgent};
use crate::trunk::{Carriers, Target, Trunk};
use crate::voicemail::Wish;

/// The world as one call sees it while it handles one event.
pub(crate) struct Hands<'a> {
    pub(crate) now: Timestamp,
    pub(crate) ua: &'a mut UserAgent,
    pub(crate) media: &'a Engine,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) registrar: &'a Mutex<Registrar>,
    pub(crate) conferences: &'a Arc<Mutex<Conferences>>,
    pub(crate) lines: &'a Arc<Mutex<Lines>>,
    pub(crate) generations: &'a BTreeMap<u64, Arc<Generation>>,
    pub(crate) index: &'a mut Index,
    pub(crate) outbox: &'a mut VecDeque<Output>,
    pub(crate) carriers: &'a Carriers,
    pub(crate) desks: &'a Desks,
    pub(crate) listeners: &'a [(Protocol, SocketAddr)],
}

/// Which call a session, a media leg or a logical id belongs to.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) sessions: OwnMap<SessionId, (CallKey, LegId)>,
    pub(crate) legs: OwnMap<LegId, CallKey>,
    pub(crate) calls: OwnMap<CallId, CallKey>,
    /// Which call has the tasks of one that became part of it.
    pub(crate) heirs: OwnMap<CallId, CallKey>,
    pub(crate) recordings: OwnMap<RecordingId, CallKey>,
    /// Phones with legs that the router did not ask for.
    pub(crate) engaged: Engaged,
    /// Sessions of agents who wait for the router's word, by agent.
    pub(crate) desks: HashMap<String, CallKey>,
}

impl<'a> Hands<'a> {
    /// The newest generation, whose plan the router follows.
    pub(crate) fn newest(&self) -> Option<&'a Arc<Generation>> {
        let newest = self.generations.last_key_value();
        newest.map(|(_, generation)| generation)
    }

    /// The generation that knows a phone: this one, else the newest.
    pub(crate) fn with_phone(&self, number: u64, phone: &str) -> Option<&'a Arc<Generation>> {
        let own = self.generations.get(&number);
        let mut known = own.into_iter().chain(self.newest());
        known.find(|one| one.phones.contains_key(phone))
    }

    /// Asks the router.
    pub(crate) fn route(&mut self, command: router::Command) {
        self.outbox.push_back(Output::Router(command));
    }

    /// Asks the mailboxes; their word comes to the call.
    pub(crate) fn ask_voicemail(&mut self, call: &CallId, wish: Wish) {
        self.outbox
            .push_back(Output::Voicemail(Some(call.clone()), wish));
    }

    /// A leg that the router did not ask for begins at a phone: while there is any, the agent who
    /// works there is offered no call.
    pub(crate) fn phone_engaged(&mut self, generation: u64, phone: &str, leg: LegId) {
        let (generations, desks) = (self.generations, self.desks);
        let word = self.index.engaged.begin(phone, leg, || {
            let generation = generations.get(&generation)?;
            desks.agent_at(&generation.desk, phone)
        });
        self.tell_busy(word);
    }

    /// A leg is over; see [`Hands::phone_engaged`].
    pub(crate) fn phone_released(&mut self, phone: &str, leg: LegId) {
        let word = self.index.engaged.end(phone, leg);
        self.tell_busy(word);
    }

    /// Another agent, or nobody, works at a phone from now on.
    pub(crate) fn phone_reseated(&mut self, phone: &str, agent: Option<&str>) {
        for word in self.index.engaged.reseat(phone, agent) {
            self.tell_busy(word);
        }
    }

    fn tell_busy(&mut self, word: Option<Word>) {
        let Some((worker, busy)) = word else { return };
        let shard = self.ids.origin().shard.0;
        self.route(router::Command::SetBusy {
            worker,
            shard,
            busy,
        });
    }

    /// The lines of the node.
    pub(crate) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the media workers. A full command ring is the worker's failure to keep up: the gate
    /// sees it through `Engine::ready` and refuses new calls; the leg at hand goes on as it was.
    pub(crate) fn tell(&self, command: Command) {
        if let Err(full) = self.media.send(command) {
            tracing::warn!(%full, "media command refused");
        }
    }

    /// Our own address towards a target of a trunk, as far as it is known before it is located;
    /// `None` when we do not listen where its calls have to leave from.
    pub(crate) fn address_towards(&self, trunk: &Trunk, target: &Target) -> Option<SocketAddr> {
        address_towards(self.listeners, trunk, target)
    }

    /// Where phones are.
    pub(crate) fn registrar(&self) -> MutexGuard<'_, Registrar> {
        self.registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our own address towards a target: of its protocol and family, with the port the carrier wants
/// everything to leave from, and on loopback when the other side is.
pub(super) fn address_towards(
    listeners: &[(Protocol, SocketAddr)],
    trunk: &Trunk,
    target: &Target,
) -> Option<SocketAddr> {
    own_address(listeners, trunk.profile.source_port, target)
}

/// Our own address towards a target, with this port when one is wanted.
pub(super) fn own_address(
    listeners: &[(Protocol, SocketAddr)],
    port: Option<u16>,
    target: &Target,
) -> Option<SocketAddr> {
    let address = target.host.address();
    let protocol = match target.protocol {
        _ if target.is_secure => Some(Protocol::Tls),
        None if address.is_some() => Some(Protocol::Udp),
        protocol => protocol,
    };
    let fits = |(offered, local): &&(Protocol, SocketAddr)| {
        protocol.is_none_or(|wanted| wanted == *offered)
            && address.is_none_or(|address| address.is_ipv4() == local.is_ipv4())
            && port.is_none_or(|port| port == local.port())
    };
    let fitting = || listeners.iter().filter(fits).map(|(_, local)| *local);
    let is_beside = |local: &SocketAddr| {
        address.is_some_and(|address| address.is_loopback() == local.ip().is_loopback())
    };
    fitting().find(is_beside).or_else(|| fitting().next())
}
