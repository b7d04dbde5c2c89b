//! Joins a router to its journal: facts are written first, then what follows from them is said.
//! No thread, no channel: a simulation steps it by hand, `task` runs it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::fact::FoldError;
use super::machine::Router;
use super::{
    Command, Explanation, Object, Output, PlanView, Prospects, Refusal, RouterView, Shown,
    Supposed, Tail,
};
use crate::base::{CallId, ShardId, TaskId, Timestamp};
use crate::journal::{self, Entry, EventEntry, Journal, Reader, Retention};

/// Where outputs go: to the signalling shard of the call, or of whoever sent the command.
pub type Sink = Box<dyn Fn(ShardId, Output) + Send>;

/// How often those in a line whose order has changed are told their places.
const PLACES_EVERY: Duration = Duration::from_millis(250);
/// Entries read at once when a journal is replayed.
const REPLAY_PAGE: usize = 1000;

/// How a router is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The router's own shard in the journal.
    pub shard: u16,
    /// Signalling shards of the node, numbered from 0; all hear of changes of workers.
    pub signalling_shards: u16,
    /// Most commands that may wait for the thread; settling ones come on top. Default 4096.
    pub capacity: usize,
    /// Facts between two snapshots. Default 20,000: replayed in well under a second.
    pub snapshot_every: u64,
    /// Facts kept behind a snapshot, for `why` and replay.
    pub retention: Retention,
    /// How long written facts may wait to be synced. Default 5 ms: half of what is promised.
    pub sync_within: Duration,
    /// Shortest time between two views. Default 20 ms.
    pub view_every: Duration,
}

/// What survived the process that ran before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survivors {
    /// Calls that live on.
    pub calls: Vec<CallId>,
    /// Numbers of phones that are registered.
    pub phones: Vec<String>,
}

/// Why a router cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal's facts do not fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// No thread could be had.
    #[error("cannot start the router's thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A router and its journal.
pub struct Pump {
    router: Router,
    journal: Box<dyn Journal>,
    settings: Settings,
    sink: Sink,
    /// Added to switch time: the journal may come from a clock that was ahead.
    ahead: Duration,
    unwritten: Vec<Entry>,
    untold: Vec<EventEntry>,
    tail: Arc<Tail>,
    held: VecDeque<(Option<ShardId>, Output)>,
    unsynced: bool,
    snapshot_at: u64,
    /// When places in line may be told next.
    places_at: Timestamp,
}

impl Pump {
    /// Reads the journal, folds it, and settles what died with the process before.
    pub fn open(
        settings: Settings,
        mut journal: Box<dyn Journal>,
        now: Timestamp,
        survivors: Survivors,
        sink: Sink,
    ) -> Result<Self, StartError> {
        let mut router = replay(&mut *journal, settings.shard)?;
        // They were written with the facts.
        router.take_events();
        let tail = Arc::new(Tail::new(router.last_event()));
        let mut pump = Self {
            ahead: router.state().clock.since(now),
            snapshot_at: router.sequence(),
            router,
            journal,
            settings,
            sink,
            unwritten: Vec::new(),
            untold: Vec::new(),
            tail,
            held: VecDeque::new(),
            unsynced: false,
            places_at: now,
        };
        if pump.router.sequence() > 0 {
            let Survivors { calls, phones } = survivors;
            pump.handle(now, ShardId(0), Command::Recover { calls, phones });
            pump.commit()?;
            pump.sync()?;
        }
        Ok(pump)
    }

    /// Hands a command of shard `from` to the router. Nothing is said before [`Pump::commit`].
    pub fn handle(&mut self, now: Timestamp, from: ShardId, command: Command) {
        self.router.handle(now + self.ahead, command);
        self.collect(Some(from));
    }

    /// As [`Pump::handle`], for who waits for the outcome: to be told after [`Pump::commit`].
    pub fn carry_out(&mut self, now: Timestamp, command: Command) -> Result<(), Refusal> {
        let done = self.router.carry_out(now + self.ahead, command);
        self.collect(None);
        done.map_err(|(_, why)| why)
    }

    /// A thing as it is now.
    pub fn look(&self, object: &Object) -> Option<Shown> {
        self.router.look(object)
    }

    /// What the plan says.
    pub fn plan(&self) -> PlanView {
        self.router.plan_view()
    }

    /// Lets the router's passed deadlines act.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.router.handle_timeout(now + self.ahead);
        if self.places_at <= now && self.router.has_changed_lines() {
            self.router.tell_positions();
            self.places_at = now + PLACES_EVERY;
        }
        self.collect(None);
    }

    /// When [`Pump::handle_timeout`] is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadline = self.router.poll_timeout().map(|at| at - self.ahead);
        let places = self.router.has_changed_lines().then_some(self.places_at);
        [deadline, places].into_iter().flatten().min()
    }

    /// Writes what has become fact, then says what follows from it. When writing fails nothing is
    /// said, nothing is lost, and it may be called again.
    pub fn commit(&mut self) -> Result<(), journal::Error> {
        if let Some(last) = self.unwritten.last() {
            match self.journal.append_with(&self.unwritten, &self.untold) {
                Ok(()) => {}
                // An append that failed after it had been written: it is written.
                Err(journal::Error::OutOfOrder { expected, .. })
                    if expected == last.sequence + 1 => {}
                Err(error) => return Err(error),
            }
            self.unwritten.clear();
            self.unsynced = true;
        }
        // Before what follows from them is said: an offer is seen before its phone rings.
        self.tail.push(self.untold.drain(..));
        while let Some((shard, output)) = self.held.pop_front() {
            self.release(shard, output);
        }
        Ok(())
    }

    /// The newest events that are written.
    pub fn tail(&self) -> Arc<Tail> {
        self.tail.clone()
    }

    /// Whether facts are written that are not synced.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Whether facts wait to be written.
    pub fn is_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Has what is written synced, without waiting for it where the journal need not.
    pub fn sync_soon(&mut self) -> Result<(), journal::Error> {
        self.journal.sync_soon()?;
        self.unsynced = false;
        Ok(())
    }

    /// Syncs what is written.
    pub fn sync(&mut self) -> Result<(), journal::Error> {
        self.journal.sync()?;
        self.unsynced = false;
        Ok(())
    }

    /// Whether enough facts came since the last snapshot.
    pub fn wants_snapshot(&self) -> bool {
        let since = self.router.sequence() - self.snapshot_at;
        since >= self.settings.snapshot_every && self.unwritten.is_empty()
    }

    /// Keeps a snapshot and forgets facts far behind it.
    pub fn save_snapshot(&mut self) -> Result<(), journal::Error> {
        let snapshot = self.router.snapshot();
        self.journal.save_snapshot(&snapshot)?;
        self.snapshot_at = snapshot.sequence;
        let shard = self.settings.shard;
        let tidying = self
            .settings
            .retention
            .tidy(&self.journal.snapshots(shard)?);
        for sequence in tidying.snapshots {
            self.journal.forget_snapshot(shard, sequence)?;
        }
        if let Some(before) = tidying.before {
            self.journal.trim(shard, before)?;
        }
        self.unsynced = true;
        Ok(())
    }

    /// Sequence of the last fact.
    pub fn sequence(&self) -> u64 {
        self.router.sequence()
    }

    /// The router as windows see it.
    pub fn view(&self) -> Arc<RouterView> {
        Arc::new(self.router.view())
    }

    /// Why a task is where it is.
    pub fn explain(&self, task: &TaskId) -> Option<Explanation> {
        self.router.explain(task)
    }

    /// Why a call is where it is.
    pub fn explain_call(&self, call: &CallId) -> Option<Explanation> {
        self.router.explain(&self.router.task_of(call)?)
    }

    /// Who would get a task, were it to come now.
    pub fn who(&self, now: Timestamp, supposed: &Supposed) -> Result<Prospects, Refusal> {
        self.router.who(now + self.ahead, supposed)
    }

    fn collect(&mut self, from: Option<ShardId>) {
        self.unwritten.extend(self.router.take_facts());
        self.untold.extend(self.router.take_events());
        while let Some(released) = self.router.poll_output() {
            self.held.push_back((from, released.output));
        }
    }

    fn release(&self, from: Option<ShardId>, output: Output) {
        if output.is_of_no_call() {
            // A chat makes no phone ring: who takes part in it follows the events.
            return;
        }
        let of_call = output.call().and_then(shard_of);
        let is_for_all = matches!(output, Output::WorkerChanged { .. });
        match of_call.or(from.filter(|_| !is_for_all)) {
            Some(shard) => (self.sink)(shard, output),
            None => {
                for shard in 0..self.settings.signalling_shards {
                    (self.sink)(ShardId(shard), output.clone());
                }
            }
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shard: 0,
            signalling_shards: 1,
            capacity: 4096,
            snapshot_every: 20_000,
            retention: Retention::default(),
            sync_within: Duration::from_millis(5),
            view_every: Duration::from_millis(20),
        }
    }
}

impl std::fmt::Debug for Pump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump")
            .field("sequence", &self.router.sequence())
            .field("unwritten", &self.unwritten.len())
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

/// The router that a journal describes.
pub fn replay(journal: &mut dyn Reader, shard: u16) -> Result<Router, StartError> {
    let mut router = match journal.latest_snapshot(shard)? {
        Some(snapshot) => Router::restore(&snapshot)?,
        None => Router::new(shard),
    };
    loop {
        let page = journal.read_from(shard, router.sequence() + 1, REPLAY_PAGE)?;
        for entry in &page {
            router.fold(entry)?;
        }
        if page.len() < REPLAY_PAGE {
            return Ok(router);
        }
    }
}

/// The signalling shard in a call's id, `region-node-shard-time-count`.
fn shard_of(call: &CallId) -> Option<ShardId> {
    call.as_str().rsplit('-').nth(2)?.parse().ok().map(ShardId)
}

#[cfg(test)]
mod tests;
