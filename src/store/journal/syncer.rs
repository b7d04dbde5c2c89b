//! The thread that syncs the write-ahead log and moves it into the database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::Error;

/// How far the journal has come; all counts from the start of the process.
#[derive(Debug, Default)]
pub struct Progress {
    written: AtomicU64,
    synced: AtomicU64,
    syncs: AtomicU64,
    log_is_long: AtomicBool,
}

impl Progress {
    /// Facts and snapshots written: they survive kill -9.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Of these, how many are synced: they survive a power cut.
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Syncs done; fewer than appends, because one sync serves many.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Arc<Progress>,
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wishes {
    stop: bool,
    /// Somebody waits for the sync: do it at once.
    hurry: bool,
    trouble: Option<String>,
}

impl Syncer {
    /// Starts on an open database, whose log therefore exists.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let log_path = PathBuf::from(log_path);
        let fail = |source| Error::Directory {
            path: log_path.clone(),
            source,
        };
        // A new file is only there after a power cut when its directory was synced as well.
        if let Some(directory) = path.parent() {
            File::open(directory)
                .and_then(|dir| dir.sync_all())
                .map_err(fail)?;
        }
        let log = File::open(&log_path).map_err(fail)?;
        let database = Connection::open(path).map_err(|source| Error::sqlite(path, source))?;
        // Opens the log now, so that the descriptor does not first appear with the first checkpoint.
        database
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(|source| Error::sqlite(path, source))?;
        let shared = Arc::new(Shared::default());
        let mover = Mover {
            database,
            file: File::open(path).map_err(fail)?,
            log_path: log_path.clone(),
            next: Instant::now(),
            length: 0,
        };
        let thread = thread::Builder::new()
            .name("journal-sync".into())
            .spawn({
                let shared = shared.clone();
                move || run(&shared, &log, mover)
            })
            .map_err(|source| Error::Directory {
                path: path.into(),
                source,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        self.shared.progress.clone()
    }

    /// Notes that `count` more are written; they are synced soon.
    pub(super) fn written(&self, count: u64) {
        let _wishes = self.shared.lock();
        let progress = &self.shared.progress;
        let before = progress.written.fetch_add(count, Ordering::AcqRel);
        // Once something is written it is awake, or will look again.
        if before == progress.synced() {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until everything written so far is synced.
    pub(super) fn barrier(&self) -> Result<(), String> {
        let wanted = self.shared.progress.written();
        let mut wishes = self.shared.lock();
        while self.shared.progress.synced() < wanted {
            if let Some(trouble) = &wishes.trouble {
                return Err(trouble.clone());
            }
            wishes.hurry = true;
            self.shared.changed.notify_all();
            wishes = self.shared.wait(wishes);
        }
        Ok(())
    }

    /// What keeps it from syncing, as far as it knows.
    pub(super) fn trouble(&self) -> Result<(), String> {
        self.shared.lock().trouble.clone().map_or(Ok(()), Err)
    }

    pub(super) fn log_is_long(&self) -> bool {
        self.shared.progress.log_is_long.load(Ordering::Relaxed)
    }

    pub(super) fn log_started_over(&self) {
        let long = &self.shared.progress.log_is_long;
        long.store(false, Ordering::Relaxed);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, wishes: MutexGuard<'a, Wishes>) -> MutexGuard<'a, Wishes> {
        let woken = self.changed.wait(wishes);
        woken.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is to be synced and has been given time to grow into a group;
    /// `None` at the end.
    fn next_group(&self) -> Option<u64> {
        let progress = &self.progress;
        let mut wishes = self.lock();
        while progress.written() == progress.synced() {
            if wishes.stop {
                return None;
            }
            wishes = self.wait(wishes);
        }
        let idle = |wishes: &mut Wishes| !wishes.hurry && !wishes.stop;
        let waited = self.changed.wait_timeout_while(wishes, GATHER_FOR, idle);
        let (mut wishes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        wishes.hurry = false;
        Some(progress.written())
    }
}

fn run(shared: &Shared, log: &File, mut mover: Mover) {
    give_way();
    while let Some(target) = shared.next_group() {
        let result = log.sync_data();
        let mut wishes = shared.lock();
        match result {
            Ok(()) => {
                shared.progress.syncs.fetch_add(1, Ordering::Relaxed);
                shared.progress.synced.store(target, Ordering::Release);
                wishes.trouble = None;
            }
            Err(error) => {
                if wishes.trouble.is_none() {
                    tracing::error!(%error, "journal cannot be synced");
                }
                wishes.trouble = Some(error.to_string());
            }
        }
        shared.changed.notify_all();
        if wishes.trouble.is_some() {
            if wishes.stop {
                return;
            }
            drop(wishes);
            thread::sleep(RETRY_AFTER);
            continue;
        }
        drop(wishes);
        mover.tidy(&shared.progress);
    }
}

/// With fewer cores than busy threads, the owner and the signalling threads come first: what they
/// do is waited for, what this one does is not.
fn give_way() {
    // For a thread of Linux, its own number stands for it alone.
    let own = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(own), NICE) {
        tracing::debug!(%error, "the journal's syncer keeps its priority");
    }
}

/// Moves the log's pages into the database, beside the writer.
struct Mover {
    database: Connection,
    /// The database's own file.
    file: File,
    log_path: PathBuf,
    /// Not before, unless the log grows fast; a page written a hundred times meanwhile is moved once.
    next: Instant,
    /// Length of the log when it was last moved, bytes.
    length: u64,
}

impl Mover {
    fn tidy(&mut self, progress: &Progress) {
        let length = fs::metadata(&self.log_path).map_or(0, |log| log.len());
        let grows_fast = length >= self.length.saturating_add(CHECKPOINT_FROM);
        if length < CHECKPOINT_FROM || Instant::now() < self.next && !grows_fast {
            return;
        }
        self.length = length;
        let moved = self
            .database
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                row.get::<_, i64>(1)
            });
        self.next = Instant::now() + CHECKPOINT_EVERY;
        // The file keeps its length; what counts is how many pages it holds now.
        let long = match moved {
            Ok(pages) => {
                pages.saturating_mul(4096) > i64::try_from(RESTART_FROM).unwrap_or(i64::MAX)
            }
            Err(error) => return tracing::warn!(%error, "journal checkpoint failed"),
        };
        // What the writer starts over, it must sync first: here it is synced without him.
        if long && let Err(error) = self.file.sync_data() {
            tracing::warn!(%error, "journal cannot be synced");
        }
        progress.log_is_long.store(long, Ordering::Relaxed);
    }
}

/// How long an append may wait for others to share its sync; with the sync itself it stays below
/// the 10 ms promised.
const GATHER_FOR: Duration = Duration::from_millis(3);

/// SQLite's own default (1000 pages).
const CHECKPOINT_FROM: u64 = 4 << 20;

/// How often pages are moved; as long as a syncer that gives way may need for it.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);

/// Of 19.
const NICE: i32 = 5;

/// A log this long is started over by the writer itself, a few milliseconds for two syncs: seldom
/// enough that not one in a hundred of those it writes for waits for that.
const RESTART_FROM: u64 = if cfg!(test) { 32 << 20 } else { 256 << 20 };

const RETRY_AFTER: Duration = Duration::from_millis(200);
