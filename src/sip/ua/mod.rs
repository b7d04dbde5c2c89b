//! The user agent of one shard: transactions, dialogs and the INVITE usage, without I/O.
//!
//! Messages and the time go in; messages to send and [`Event`]s for the call come out of
//! [`UserAgent::poll_output`]. What RFC 3261 fixes happens inside (repeats, ACK, CANCEL crossing
//! an answer, forks, glare, digest); what a person would decide is asked of the call.

mod ability;
mod callee;
mod caller;
mod checkpoint;
mod early;
mod event;
mod failover;
mod fork;
mod hangup;
mod identity;
mod info;
mod manners;
mod outside;
mod prack;
mod receive;
mod refer;
mod referral;
mod renewal;
mod reoffer;
mod replaced;
mod reply;
mod retry;
mod screen;
mod seeker;
mod session;
mod settings;
mod size;
mod subscription;
mod terms;
#[cfg(test)]
mod tests;
mod timeout;
mod way;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Entropy, OwnMap, Timers, Timestamp};

use super::auth::{Keyring, Trial};
use super::guard::Attack;
use super::stats::Stats;
use super::transaction::{Keys, Table, TransactionId};
use super::{Flow, Message, Method};

use identity::Identity;
use session::{Deadline, Session};

pub use checkpoint::SessionCheckpoint;
pub use event::{EndWhy, Event, Output, RequestId, ServerTransactionId, SessionId};
pub use identity::{owner_shard, shard_for};
pub use manners::Manners;
pub use refer::ReferId;
pub use replaced::Replaced;
pub use session::State;
pub use settings::{
    Body, Headers, Invite, Limits, OutOfDialog, Overload, OwnContact, Series, Settings,
};
pub use terms::{Refresher, Reliable, SessionTimer, Terms};
pub use way::{NextHop, Targets, Unreached};

/// Whose a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Our first INVITE, at an address that stayed silent too long.
    Abandoned(SessionId),
    /// Our BYE.
    Bye(SessionId),
    /// Their first INVITE.
    Incoming(SessionId),
    /// Our INFO.
    Info(SessionId),
    /// Our first INVITE.
    Invite(SessionId),
    /// Nobody waits for its end.
    Nobody,
    /// Our NOTIFY of how far a REFER came.
    Notify(SessionId, ReferId),
    /// Our REFER.
    OurRefer(SessionId, ReferId),
    /// Our request outside any dialog.
    OurRequest(RequestId),
    /// Our BYE to whom we did not want.
    Parting(u64),
    /// Our PRACK.
    Prack(SessionId),
    /// Our re-INVITE or UPDATE.
    Reoffer(SessionId),
    /// Their REFER, until it is answered.
    TheirRefer(SessionId),
    /// Their re-INVITE, UPDATE or PRACK with an offer.
    TheirReoffer(SessionId),
    /// Their request outside any dialog, until it is answered.
    TheirRequest,
}

/// The user agent of one shard.
#[derive(Debug)]
pub struct UserAgent {
    identity: Identity,
    keys: Keys,
    transactions: Table<Owner>,
    sessions: OwnMap<SessionId, Session>,
    by_tag: OwnMap<Box<str>, SessionId>,
    /// Dialogs whose session is over while somebody still waits for a NOTIFY.
    departed: OwnMap<SessionId, subscription::Departed>,
    ended: replaced::Ended,
    timers: Timers<(SessionId, Deadline)>,
    /// Requests outside dialogs that the call has not answered yet.
    unanswered: HashMap<TransactionId, Message>,
    /// Our requests outside dialogs, with what to answer a challenge with.
    requests: OwnMap<RequestId, outside::Pending>,
    /// Challenges met.
    keyring: Keyring,
    /// Challenges answered by requests that have no final response yet.
    trials: HashMap<TransactionId, Trial>,
    /// BYEs to whom we did not want.
    partings: HashMap<u64, fork::Parting>,
    /// What the last message looked like, when it belonged to nothing.
    stray: Option<Attack>,
    /// Who is being located.
    seeker: seeker::Seeker,
    outputs: VecDeque<Output>,
    stats: Arc<Stats>,
    /// Where nobody listens for TCP, until when that is believed.
    deaf_to_tcp: HashMap<SocketAddr, Timestamp>,
    last_session: u64,
    last_request: u64,
}

impl UserAgent {
    /// A user agent without sessions.
    pub fn new(settings: Settings, mut entropy: Entropy) -> Self {
        let keys = Keys::new(&mut entropy);
        let first = u64::from(settings.shard.0) << 48;
        Self {
            keys,
            transactions: Table::new(settings.timing),
            seeker: seeker::Seeker::new(&settings, entropy.clone().fork()),
            identity: Identity::new(settings, entropy),
            sessions: OwnMap::default(),
            by_tag: OwnMap::default(),
            departed: OwnMap::default(),
            ended: replaced::Ended::default(),
            timers: Timers::new(),
            unanswered: HashMap::new(),
            requests: OwnMap::default(),
            keyring: Keyring::default(),
            trials: HashMap::new(),
            partings: HashMap::new(),
            stray: None,
            outputs: VecDeque::new(),
            stats: Arc::default(),
            deaf_to_tcp: HashMap::new(),
            last_session: first,
            last_request: first,
        }
    }

    /// What to do next; to be asked until it says nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the last message looked like, when it belonged to nothing here.
    pub fn take_stray(&mut self) -> Option<Attack> {
        self.stray.take()
    }

    /// Whether a request is a repeat: its transaction lives.
    pub fn is_repeat(&self, request: &Message) -> bool {
        request.top_via().is_ok_and(|via| {
            let id = self.keys.server(via, request, &request.method());
            self.transactions.owner(id).is_some()
        })
    }

    /// When [`UserAgent::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timers = [
            self.transactions.next_timeout(),
            self.timers.next(),
            self.seeker.next_timeout(),
        ];
        timers.into_iter().flatten().min()
    }

    /// How far a session has come; `None` once it is over.
    pub fn state(&self, session: SessionId) -> Option<State> {
        self.sessions.get(&session).map(Session::state)
    }

    /// Call-ID of a session's dialog.
    pub fn call_id(&self, session: SessionId) -> Option<&str> {
        let session = self.sessions.get(&session)?;
        Some(&session.dialog.call_id)
    }

    /// The flow a session's requests come by or go by; all zeros while its first is located.
    pub fn flow(&self, session: SessionId) -> Option<Flow> {
        self.sessions.get(&session).map(|session| session.flow)
    }

    /// Whether peers know us by this address.
    pub fn is_advertised(&self, address: std::net::IpAddr) -> bool {
        let told = &self.identity.settings.advertised;
        told.iter().any(|(_, one)| one.ip() == address)
    }

    /// Sessions not over, those whose BYE is on its way included.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Transactions not over, those that only wait for repeats included.
    pub fn transaction_count(&self) -> usize {
        self.transactions.len()
    }

    /// The counters.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.outputs.push_back(Output::Transmit { flow, bytes });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends a request in a transaction of its own.
    fn start(
        &mut self,
        now: Timestamp,
        name: (&Method, &str),
        (flow, request): (Flow, Bytes),
        owner: Owner,
    ) -> TransactionId {
        let request = self.with_credentials(&flow, request, owner, None);
        self.launch(now, name, (flow, request), owner)
    }

    /// Sends a request again in a transaction of its own, with answers to the challenges it met.
    fn start_again(
        &mut self,
        now: Timestamp,
        name: (&Method, &str),
        (flow, request): (Flow, Bytes),
        owner: Owner,
        mut trial: Trial,
    ) -> TransactionId {
        let request = self.with_credentials(&flow, request, owner, Some(&mut trial));
        let id = self.launch(now, name, (flow, request), owner);
        self.trials.insert(id, trial);
        id
    }

    fn launch(
        &mut self,
        now: Timestamp,
        (method, branch): (&Method, &str),
        (flow, request): (Flow, Bytes),
        owner: Owner,
    ) -> TransactionId {
        let id = self.keys.client(branch, method);
        let request = self.dress(owner, request);
        self.stats.request_sent(method);
        let is_invite = *method == Method::Invite;
        let sized = self.by_size(now, flow, request);
        let sent = (sized.flow, sized.request.clone());
        self.transactions
            .start_client(now, id, is_invite, sent, owner);
        if let Some(instead) = sized.instead {
            self.transactions.send_instead(id, instead);
        }
        self.transmit(sized.flow, sized.request);
        id
    }

    /// The request as its peer wants it written.
    fn dress(&self, owner: Owner, request: Bytes) -> Bytes {
        match self.manners(owner) {
            Some(manners) => manners.dress(request),
            None => request,
        }
    }

    fn manners(&self, owner: Owner) -> Option<&Arc<Manners>> {
        match owner {
            Owner::Abandoned(id)
            | Owner::Bye(id)
            | Owner::Incoming(id)
            | Owner::Info(id)
            | Owner::Invite(id)
            | Owner::OurRefer(id, _)
            | Owner::Prack(id)
            | Owner::Reoffer(id)
            | Owner::TheirRefer(id)
            | Owner::TheirReoffer(id) => self.sessions.get(&id)?.manners.as_ref(),
            Owner::Notify(id, _) => match self.sessions.get(&id) {
                Some(session) => session.manners.as_ref(),
                None => self.departed.get(&id)?.manners.as_ref(),
            },
            Owner::OurRequest(id) => self.requests.get(&id)?.manners.as_ref(),
            Owner::Parting(number) => self.partings.get(&number)?.manners.as_ref(),
            // Of others' requests, and of ours that nobody waits for.
            Owner::Nobody | Owner::TheirRequest => None,
        }
    }

    /// How everything in a session is written from now on.
    pub fn set_manners(&mut self, session: SessionId, manners: Arc<Manners>) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.manners = Some(manners);
        }
    }

    fn add_session(&mut self, session: Session) -> SessionId {
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let tag = session.dialog.local_tag.as_str().into();
        self.by_tag.insert(tag, id);
        self.sessions.insert(id, session);
        id
    }

    fn remove_session(&mut self, id: SessionId) -> Option<Session> {
        let mut session = self.sessions.remove(&id)?;
        if let Some((tag, _)) = self.by_tag.remove_entry(session.dialog.local_tag.as_str()) {
            self.ended.note(tag);
        }
        for deadline in Deadline::ALL {
            self.timers.stop(&(id, deadline));
        }
        self.keep_subscriptions(id, &mut session);
        self.seeker.forget_dialog(id);
        Some(session)
    }
}

#[cfg(test)]
impl UserAgent {
    /// Whatever is kept beyond sessions and transactions.
    fn leftovers(&self) -> usize {
        let kept = self.unanswered.len() + self.requests.len() + self.departed.len();
        let kept = kept + self.trials.len() + self.partings.len();
        self.by_tag.len() + self.timers.len() + kept + self.seeker.leftovers()
    }
}
