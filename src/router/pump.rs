//! Joins a router to its journal: facts are written first, then what follows from them is said.
//! No thread, no channel: a simulation steps it by hand, `task` runs it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::fact::FoldError;
use super::machine::Router;
use super::{Command, Explanation, Output, Prospects, Refusal, RouterView, Supposed};
use crate::base::{CallId, ShardId, TaskId, Timestamp};
use crate::journal::{self, Entry, Journal, Reader, Retention};

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
        let router = replay(&mut *journal, settings.shard)?;
        let mut pump = Self {
            ahead: router.state().clock.since(now),
            snapshot_at: router.sequence(),
            router,
            journal,
            settings,
            sink,
            unwritten: Vec::new(),
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
            match self.journal.append(&self.unwritten) {
                Ok(()) => {}
                // An append that failed after it had been written: it is written.
                Err(journal::Error::OutOfOrder { expected, .. })
                    if expected == last.sequence + 1 => {}
                Err(error) => return Err(error),
            }
            self.unwritten.clear();
            self.unsynced = true;
        }
        while let Some((shard, output)) = self.held.pop_front() {
            self.release(shard, output);
        }
        Ok(())
    }

    /// Whether facts are written that are not synced.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Whether facts wait to be written.
    pub fn is_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
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
        self.snapshot_at = snapshot.sequence;
        self.journal.save_snapshot(&snapshot)?;
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
        while let Some(released) = self.router.poll_output() {
            self.held.push_back((from, released.output));
        }
    }

    fn release(&self, from: Option<ShardId>, output: Output) {
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
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::base::ReservationId;
    use crate::journal::MemoryJournal;
    use crate::router::scenarios::{create, plan};

    type Heard = Arc<Mutex<Vec<(ShardId, Output)>>>;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn open(journal: &MemoryJournal, now: Timestamp) -> (Pump, Heard) {
        let heard = Heard::default();
        let ear = heard.clone();
        let settings = Settings {
            signalling_shards: 2,
            snapshot_every: 5,
            retention: Retention {
                facts: 5,
                ..Retention::default()
            },
            ..Settings::default()
        };
        let sink = move |shard, output| ear.lock().unwrap().push((shard, output));
        let journal = Box::new(journal.clone());
        let survivors = Survivors::default();
        let pump = Pump::open(settings, journal, now, survivors, Box::new(sink));
        (pump.expect("the journal folds"), heard)
    }

    fn reach(pump: &mut Pump, now: Timestamp) {
        let plan = Box::new(plan());
        pump.handle(now, ShardId(0), Command::ActivatePlan { plan });
        let worker = "taro".to_owned();
        let reachable = true;
        pump.handle(now, ShardId(0), Command::SetReachable { worker, reachable });
    }

    #[test]
    fn nothing_is_said_before_it_is_written() {
        let journal = MemoryJournal::new();
        let (mut pump, heard) = open(&journal, START);
        reach(&mut pump, START);
        pump.handle(START, ShardId(1), create("a", "sales", 0, json!({})));
        assert!(heard.lock().unwrap().is_empty());
        journal.fail_next(2);
        assert!(pump.commit().is_err() && pump.commit().is_err());
        assert!(heard.lock().unwrap().is_empty() && journal.entries(0).is_empty());
        pump.commit().unwrap();
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        let offer = heard
            .iter()
            .filter(|(_, o)| matches!(o, Output::Offer { .. }));
        assert_eq!(
            offer.map(|(shard, _)| shard.0).collect::<Vec<_>>(),
            [0],
            "the call's shard"
        );
        let changed = heard
            .iter()
            .filter(|(_, o)| matches!(o, Output::WorkerChanged { worker, .. } if worker == "花子"));
        assert_eq!(changed.count(), 2, "all shards hear of workers");
        assert_eq!(journal.entries(0).len() as u64, pump.sequence());
    }

    #[test]
    fn a_refusal_goes_back_to_whoever_asked() {
        let (mut pump, heard) = open(&MemoryJournal::new(), START);
        let reservation = ReservationId::new("gone.1");
        pump.handle(START, ShardId(1), Command::Accept { reservation });
        pump.commit().unwrap();
        assert!(matches!(
            heard.lock().unwrap()[..],
            [(ShardId(1), Output::Refused { .. })]
        ));
    }

    #[test]
    fn a_process_killed_after_any_fact_leaves_the_state_it_had() {
        let journal = MemoryJournal::new();
        let (mut pump, _) = open(&journal, START);
        reach(&mut pump, START);
        for n in 0..12 {
            let now = START + Duration::from_secs(n * 3);
            pump.handle_timeout(now);
            pump.handle(
                now,
                ShardId(0),
                create(&format!("t{n}"), "sales", 0, json!({"n": n})),
            );
            if n % 3 == 0 {
                let reservation = ReservationId::new(format!("t{}.1", n / 3));
                pump.handle(now, ShardId(0), Command::Accept { reservation });
            }
            pump.commit().unwrap();
            if pump.wants_snapshot() {
                pump.save_snapshot().unwrap();
            }
            let replayed = replay(&mut journal.clone(), 0).unwrap();
            assert_eq!(replayed.state(), pump.router.state());
        }
        assert!(
            journal.entries(0)[0].sequence > 1,
            "old facts are forgotten"
        );

        let before = pump.sequence();
        drop(pump);
        let (pump, heard) = open(&journal, START + Duration::from_secs(60));
        assert_eq!(pump.sequence(), before + 1, "recovery is one more fact");
        let view = pump.view();
        assert!(view.tasks.is_empty() && view.workers.iter().all(|w| w.task.is_none()));
        let ended = heard.lock().unwrap();
        let ended = ended
            .iter()
            .filter(|(_, o)| matches!(o, Output::TaskEnded { .. }));
        assert_eq!(ended.count(), 12);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stretch_deadlines() {
        let journal = MemoryJournal::new();
        let (mut pump, _) = open(&journal, START);
        reach(&mut pump, START);
        pump.commit().unwrap();
        drop(pump);
        let earlier = START - Duration::from_secs(3600);
        let (mut pump, _) = open(&journal, earlier);
        reach(&mut pump, earlier);
        pump.handle(earlier, ShardId(0), create("a", "sales", 0, json!({})));
        // Places in line are told first.
        pump.handle_timeout(earlier);
        assert_eq!(pump.poll_timeout(), Some(earlier + Duration::from_secs(20)));
    }

    #[test]
    fn facts_of_a_later_version_are_refused() {
        let mut journal = MemoryJournal::new();
        let (mut pump, _) = open(&journal, START);
        reach(&mut pump, START);
        pump.commit().unwrap();
        pump.save_snapshot().unwrap();
        let mut later = journal.entries(0)[0].clone();
        later.sequence = pump.sequence() + 1;
        later.format += 1;
        journal.append(&[later]).unwrap();
        let error = replay(&mut journal, 0).expect_err("too new");
        let words = "fact 3 was written by a newer tsunagu (format 3, this one knows 2)";
        assert!(error.to_string().starts_with(words), "{error}");
    }

    #[test]
    fn a_broken_journal_is_refused_with_its_place() {
        let mut journal = MemoryJournal::new();
        let (mut pump, _) = open(&journal, START);
        reach(&mut pump, START);
        pump.commit().unwrap();
        let mut bad = journal.entries(0)[0].clone();
        bad.sequence = pump.sequence() + 1;
        bad.body = "{}".to_owned();
        journal.append(&[bad]).unwrap();
        let error = replay(&mut journal, 0).expect_err("no fact");
        assert!(
            error.to_string().starts_with("fact 3 cannot be read"),
            "{error}"
        );
    }
}
