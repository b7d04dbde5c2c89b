//! The router and its journal, as HTTP asks them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{CallId, IdSource, TaskId, Timestamp};
use crate::journal::{self, Entry, EventEntry, Reader};
use crate::router::{Command, Declined, Fact, Object, PlanView, RouterHandle, Shown, Tail};

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

    pub(super) fn look(&self, object: Object) -> Result<Option<Shown>, Declined> {
        self.router.look(object)
    }

    pub(super) fn plan(&self) -> Result<PlanView, Declined> {
        self.router.plan()
    }

    pub(super) fn tail(&self) -> Arc<Tail> {
        self.router.tail()
    }

    pub(super) fn new_task(&self, now: Timestamp) -> TaskId {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.task(now)
    }

    /// Events from the journal: at most `limit`, and not much more than `octets` of bodies.
    pub(super) fn events_from(
        &self,
        sequence: u64,
        limit: usize,
        octets: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        let mut found: Vec<EventEntry> = Vec::new();
        let (mut next, mut read) = (sequence, 0);
        while found.len() < limit && read < octets {
            let wanted = EVENT_PAGE.min(limit - found.len());
            let page = self.past().events_from(self.shard, next, wanted)?;
            let is_last = page.len() < wanted;
            read += page.iter().map(|event| event.body.len()).sum::<usize>();
            next = page.last().map_or(next, |last| last.sequence + 1);
            found.extend(page);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Facts about a call and its tasks, written between two instants. Tasks of which it is known
    /// that they are its own are found though what made them is no longer kept.
    pub(super) fn facts_of(
        &self,
        call: &CallId,
        known: impl IntoIterator<Item = TaskId>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Facts, journal::Error> {
        let mut facts = Facts::default();
        let mut next = self.past().sequence_at(self.shard, from)?;
        let mut marks = Marks::new(call);
        known.into_iter().for_each(|task| marks.add(task));
        for _ in 0..MOST_PAGES {
            // Others read between two pages.
            let page = self.past().read_from(self.shard, next, PAGE)?;
            let is_last = page.len() < PAGE;
            for entry in page {
                if entry.at > until {
                    return Ok(facts);
                }
                next = entry.sequence + 1;
                if !marks.are_in(&entry) {
                    continue;
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

    fn past(&self) -> MutexGuard<'_, Box<dyn Reader + Send>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What facts about a call have in them: its id, or that of a task it made.
struct Marks<'a> {
    call: &'a CallId,
    tasks: Vec<TaskId>,
    texts: Vec<String>,
}

impl<'a> Marks<'a> {
    fn new(call: &'a CallId) -> Self {
        Self {
            call,
            tasks: Vec::new(),
            texts: vec![format!("\"{call}\"")],
        }
    }

    fn add(&mut self, task: TaskId) {
        if !self.tasks.contains(&task) {
            // Offers are named after their task.
            let texts = [format!("\"{task}\""), format!("\"{task}.")];
            self.texts.extend(texts);
            self.tasks.push(task);
        }
    }

    /// Whether a fact is about the call. Attributes of other tasks may name it too.
    fn are_in(&mut self, entry: &Entry) -> bool {
        if !self.texts.iter().any(|text| entry.body.contains(text)) {
            return false;
        }
        match Fact::decode(entry) {
            Ok(Fact::Input(Command::CreateTask(new))) => {
                let is_own = new.call.as_ref() == Some(self.call);
                if is_own {
                    self.add(new.task);
                }
                is_own
            }
            Ok(Fact::Input(Command::UpdateTask { task, .. })) => self.tasks.contains(&task),
            _ => true,
        }
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

/// Events read at once: a few megabytes when each is as large as may be.
const EVENT_PAGE: usize = 64;

/// Pages looked through for one call: a million facts, some seconds.
const MOST_PAGES: usize = 1000;

/// Facts told of one call.
const MOST_FACTS: usize = 5000;
