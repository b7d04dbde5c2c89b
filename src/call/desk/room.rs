//! What the desks of a node share: who sits where, wrong PINs, and a look at the router.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lockout::Lockout;
use super::seats::Seats;
use super::terms::DeskTerms;
use crate::registrar::Registrar;
use crate::router::{Command, RouterView};

/// The desks of a node; shared by its shards, cheap to clone.
#[derive(Clone)]
pub struct Desks(Arc<Shared>);

struct Shared {
    room: Mutex<DeskRoom>,
    view: Box<dyn Fn() -> Arc<RouterView> + Send + Sync>,
    save: Box<dyn Fn(String) + Send + Sync>,
}

/// What changes while the switch runs.
#[derive(Debug, Default)]
pub(crate) struct DeskRoom {
    pub(crate) seats: Seats,
    pub(crate) lockout: Lockout,
}

/// Agents told of with the locks held once: shards wait for them.
const AT_ONCE: usize = 256;

impl Desks {
    /// Everybody at his own phone. `view` shows the router as it is; it must not wait.
    pub fn new(view: impl Fn() -> Arc<RouterView> + Send + Sync + 'static) -> Self {
        Self::restored(view, None, |_| {})
    }

    /// Everybody where he was when `save` was last called, which is told who sits where each time
    /// somebody moves; it must not wait.
    pub fn restored(
        view: impl Fn() -> Arc<RouterView> + Send + Sync + 'static,
        seats: Option<&str>,
        save: impl Fn(String) + Send + Sync + 'static,
    ) -> Self {
        let room = DeskRoom {
            seats: seats.map(Seats::read).unwrap_or_default(),
            ..DeskRoom::default()
        };
        Self(Arc::new(Shared {
            room: Mutex::new(room),
            view: Box::new(view),
            save: Box::new(save),
        }))
    }

    /// The agent who works at a phone.
    pub fn agent_at(&self, terms: &DeskTerms, phone: &str) -> Option<String> {
        let room = self.room();
        room.seats.agent_at(terms, phone).map(str::to_owned)
    }

    /// The phone an agent works at; `None` while another works at his.
    pub fn phone_of(&self, terms: &DeskTerms, agent: &str) -> Option<String> {
        let room = self.room();
        room.seats.phone_of(terms, agent).map(str::to_owned)
    }

    /// Tells of agents whether they can be reached: whether the phone each works at is registered.
    /// While one is told of nobody moves and no phone comes or goes, so that of two who tell at once the later
    /// one is right; what `tell` does must not wait.
    pub fn reachable<'a>(
        &self,
        terms: &DeskTerms,
        registrar: &Mutex<Registrar>,
        agents: impl IntoIterator<Item = &'a str>,
        mut tell: impl FnMut(Command),
    ) {
        let mut agents = agents.into_iter().peekable();
        while agents.peek().is_some() {
            let room = self.room();
            // In this order everywhere: first the desks', then the registrar's.
            let registrar = registrar.lock().unwrap_or_else(PoisonError::into_inner);
            for agent in agents.by_ref().take(AT_ONCE) {
                let phone = room.seats.phone_of(terms, agent);
                tell(Command::SetReachable {
                    worker: agent.to_owned(),
                    reachable: phone.is_some_and(|phone| registrar.is_registered(phone)),
                });
            }
        }
    }

    /// Agents who can be reached: what a plan that is activated holds of those who are new to it, or
    /// have another phone. Told after it, it would come too late for who waits for nobody else.
    pub fn reached<'a>(
        &self,
        terms: &DeskTerms,
        registrar: &Mutex<Registrar>,
        agents: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        self.reachable(terms, registrar, agents, |command| {
            if let Command::SetReachable {
                worker,
                reachable: true,
            } = command
            {
                reached.insert(worker);
            }
        });
        reached
    }

    /// Forgets agents and phones that a new configuration no longer has.
    pub fn keep(&self, terms: &DeskTerms, is_phone: impl Fn(&str) -> bool) {
        self.room().seats.keep(terms, is_phone);
    }

    /// The router as it is.
    pub(crate) fn view(&self) -> Arc<RouterView> {
        (self.0.view)()
    }

    /// Keeps who sits where, when somebody has moved.
    pub(crate) fn save(&self, room: &mut DeskRoom) {
        if let Some(written) = room.seats.written() {
            (self.0.save)(written);
        }
    }

    pub(crate) fn room(&self) -> MutexGuard<'_, DeskRoom> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Desks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Desks").field(&*self.room()).finish()
    }
}
