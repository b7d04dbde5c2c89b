//! The router and its journal, as HTTP asks them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{CallId, IdSource, TaskId, Timestamp};
use crate::journal::{self, Entry, EventEntry, Reader};
use crate::router::{Command, Declined, Object, PlanView, RouterHandle, Shown, Tail};

/// The router and its journal. Answers may take a moment: for blocking threads.
pub struct Routing {
    router: RouterHandle,
    /// The journal, read beside the router that writes it.
    past: Mutex<Box<dyn Reader + Send>>,
    /// Shard of the router in the journal.
    shard: u16,
    ids: Mutex<IdSource>,
}

/// Facts about a call.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// In order.
    pub(super) entries: Vec<Entry>,
    /// Whether older or later ones were not looked at, or are no longer kept.
    pub(super) is_cut: bool,
}

impl Routing {
    /// For a running router; `ids` are for tasks that the API makes.
    pub fn new(
        router: RouterHandle,
        past: Box<dyn Reader + Send>,
        shard: u16,
        ids: IdSource,
    ) -> Self {
        Self {
            router,
            past: Mutex::new(past),
            shard,
            ids: Mutex::new(ids),
        }
    }

    pub(super) fn carry_out(
        &self,
        command: Command,
        object: Object,
        only_if: Option<Vec<u64>>,
    ) -> Result<Option<Shown>, Declined> {
        self.router.carry_out(command, object, only_if)
    }

    pub(super) fn look(&self, object: Object) -> Option<Shown> {
        self.router.look(object)
    }

    pub(super) fn plan(&self) -> Option<PlanView> {
        self.router.plan()
    }

    pub(super) fn tail(&self) -> Arc<Tail> {
        self.router.tail()
    }

    pub(super) fn new_task(&self, now: Timestamp) -> TaskId {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.task(now)
    }

    /// Events from the journal.
    pub(super) fn events_from(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.events_from(self.shard, sequence, limit)
    }

    /// Facts about a call and its tasks, written between two instants.
    pub(super) fn facts_of(
        &self,
        call: &CallId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Facts, journal::Error> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = Facts::default();
        let mut next = past.sequence_at(self.shard, from)?;
        let mut marks = vec![format!("\"{call}\"")];
        for _ in 0..MOST_PAGES {
            let page = past.read_from(self.shard, next, PAGE)?;
            let is_last = page.len() < PAGE;
            for entry in page {
                if entry.at > until {
                    return Ok(facts);
                }
                next = entry.sequence + 1;
                if !marks.iter().any(|mark| entry.body.contains(mark)) {
                    continue;
                }
                // Offers are named after their task, so that its id finds all there is of it.
                if let Some(task) = made(&entry) {
                    marks.push(format!("\"{task}"));
                }
                facts.entries.push(entry);
                if facts.entries.len() == MOST_FACTS {
                    facts.is_cut = true;
                    return Ok(facts);
                }
            }
            if is_last {
                return Ok(facts);
            }
        }
        facts.is_cut = true;
        Ok(facts)
    }
}

/// The task that a fact made.
fn made(entry: &Entry) -> Option<TaskId> {
    match crate::router::Fact::decode(entry) {
        Ok(crate::router::Fact::Input(Command::CreateTask(new))) => Some(new.task),
        _ => None,
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routing")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

/// Entries read at once.
const PAGE: usize = 1000;

/// Pages looked through for one call: a million facts, some seconds.
const MOST_PAGES: usize = 1000;

/// Facts told of one call.
const MOST_FACTS: usize = 5000;
