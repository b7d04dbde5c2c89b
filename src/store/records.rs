//! Call records: one writer thread, synced when written; readers of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter};

use super::Error;
use super::bindings;
use super::database::{self, Layout};
use super::error::may_pass;
use super::snapshots;
use crate::events::record::{Archive, ArchiveError, CallRecord, Filter};
use crate::events::{AgentStretch, Direction, Stretch};
use crate::twiml;

/// The store of finished calls; cheap to clone. The last clone's drop writes what is waiting.
#[derive(Clone, Debug)]
pub struct Records {
    shared: Arc<Shared>,
}

/// The writer is so far behind that it takes no more; here is the record back.
#[derive(Debug, thiserror::Error)]
#[error("the writer of call records is {MOST_WAITING} records behind")]
pub struct Full(pub Box<CallRecord>);

#[derive(Debug)]
struct Shared {
    queue: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    reader: Mutex<Connection>,
    state: Arc<State>,
    path: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    trouble: Mutex<Option<String>>,
    stopping: AtomicBool,
}

#[derive(Debug)]
enum Job {
    Bindings(Vec<bindings::Change>),
    Flush(SyncSender<()>),
    Record(Box<CallRecord>),
    Seats(String),
}

impl Records {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let database = database::open(path, &LAYOUT, "FULL")?;
        let reader = database::reader(path)?;
        let (queue, jobs) = sync_channel(MOST_WAITING);
        let state = Arc::new(State::default());
        let writer = thread::Builder::new()
            .name("records".into())
            .spawn({
                let state = state.clone();
                move || write_all(database, &jobs, &state)
            })
            .map_err(|source| Error::Directory {
                path: path.into(),
                source,
            })?;
        let shared = Shared {
            queue: Some(queue),
            writer: Some(writer),
            reader: Mutex::new(reader),
            state,
            path: path.into(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Hands a record to the writer, which syncs it; never waits. Publishing the same call again
    /// replaces it.
    pub fn publish(&self, record: CallRecord) -> Result<(), Full> {
        self.send(Job::Record(Box::new(record))).map_err(|job| {
            let Job::Record(record) = job else {
                unreachable!("what was sent comes back")
            };
            Full(record)
        })
    }

    /// Calls that were stored in progress and never ended: the process was killed.
    pub fn unfinished(&self) -> Result<Vec<CallRecord>, Error> {
        let path = &self.shared.path;
        let read = || -> rusqlite::Result<Vec<String>> {
            self.lock()
                .prepare("SELECT record FROM calls WHERE ended IS NULL")?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        let rows = read().map_err(|source| Error::sqlite(path, source))?;
        let records = rows.iter().map(|row| {
            serde_json::from_str(row).map_err(|error| Error::Damaged {
                path: path.clone(),
                what: format!("a call in progress: {error}"),
            })
        });
        records.collect()
    }

    /// Keeps what phones are bound to now, `None` for a phone that is nowhere; gives it back when
    /// the writer is too far behind.
    pub fn save_bindings(
        &self,
        changes: Vec<(String, Option<String>)>,
    ) -> Result<(), Vec<(String, Option<String>)>> {
        self.send(Job::Bindings(changes)).map_err(|job| match job {
            Job::Bindings(changes) => changes,
            _ => unreachable!("what was sent comes back"),
        })
    }

    /// Every phone with what [`Records::save_bindings`] kept of it last.
    pub fn bindings(&self) -> Result<Vec<(String, String)>, Error> {
        bindings::read(&self.lock()).map_err(|source| Error::sqlite(&self.shared.path, source))
    }

    /// Keeps who works at which phone, in place of what was kept before; `false` when the writer
    /// is too far behind.
    pub fn save_seats(&self, body: String) -> bool {
        self.send(Job::Seats(body)).is_ok()
    }

    /// What [`Records::save_seats`] kept last.
    pub fn seats(&self) -> Result<Option<String>, Error> {
        snapshots::read(&self.lock(), SEATS)
            .map_err(|source| Error::sqlite(&self.shared.path, source))
    }

    /// Waits until all that was handed over before is on disk; `false` when it is not within
    /// `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, flushed) = sync_channel(1);
        self.send(Job::Flush(done)).is_ok() && flushed.recv_timeout(patience).is_ok()
    }

    /// Records and bindings that wait for the disk.
    pub fn waiting(&self) -> usize {
        self.shared.state.waiting.load(Ordering::Relaxed)
    }

    /// Why records do not reach the disk at present.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.shared.state.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, job: Job) -> Result<(), Job> {
        let Some(queue) = &self.shared.queue else {
            return Err(job);
        };
        let waiting = &self.shared.state.waiting;
        waiting.fetch_add(1, Ordering::Relaxed);
        queue.try_send(job).map_err(|error| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        let reader = self.shared.reader.lock();
        reader.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Archive for Records {
    fn list(&self, filter: &Filter) -> Result<Vec<CallRecord>, ArchiveError> {
        let (sql, values) = query(filter);
        let reader = self.lock();
        let read = || -> rusqlite::Result<Vec<String>> {
            reader
                .prepare_cached(&sql)?
                .query_map(params_from_iter(values), |row| row.get(0))?
                .collect()
        };
        let rows = read().map_err(|error| ArchiveError(error.to_string()))?;
        rows.iter().map(|row| parse(row)).collect()
    }

    fn find(&self, id: &str) -> Result<Option<CallRecord>, ArchiveError> {
        self.one("SELECT record FROM calls WHERE id = ?1", id)
    }

    fn find_by_sid(&self, sid: &str) -> Result<Option<CallRecord>, ArchiveError> {
        let sql = "SELECT record FROM calls WHERE ended IS NOT NULL AND id = \
                   (SELECT call FROM call_sids WHERE sid = ?1)";
        self.one(sql, sid)
    }

    fn catch_up(&self, patience: Duration) {
        if self.waiting() > 0 {
            self.flush(patience);
        }
    }
}

impl Records {
    fn one(&self, sql: &str, key: &str) -> Result<Option<CallRecord>, ArchiveError> {
        self.lock()
            .query_row(sql, [key], |row| row.get::<_, String>(0))
            .optional()
            .map_err(|error| ArchiveError(error.to_string()))?
            .map(|row| parse(&row))
            .transpose()
    }
}

fn parse(row: &str) -> Result<CallRecord, ArchiveError> {
    serde_json::from_str(row).map_err(|error| ArchiveError(error.to_string()))
}

/// The statement for a filter, and its values.
fn query(filter: &Filter) -> (String, Vec<Sql>) {
    let mut conditions = vec!["ended IS NOT NULL"];
    let mut values: Vec<Sql> = Vec::new();
    let mut add = |condition, value: Option<Sql>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Sql::Text);
    let direction = filter.direction.map(|one| Sql::Text(word(one).into()));
    let time = |at: crate::base::Timestamp| Sql::Integer(at.as_micros());
    add("from_number = ?", text(&filter.from));
    add("to_number = ?", text(&filter.to));
    add(
        "id IN (SELECT call FROM call_agents WHERE agent = ?)",
        text(&filter.agent),
    );
    add(
        "id IN (SELECT call FROM call_queues WHERE queue = ?)",
        text(&filter.queue),
    );
    add("direction = ?", direction);
    add("started >= ?", filter.since.map(time));
    add("started < ?", filter.before.map(time));
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    values.push(Sql::Integer(limit));
    let sql = format!(
        "SELECT record FROM calls WHERE {} ORDER BY started DESC, id DESC LIMIT ?",
        conditions.join(" AND ")
    );
    (sql, values)
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Internal => "internal",
        Direction::Outbound => "outbound",
    }
}

/// The writer: takes what is there, writes it in one transaction, syncs once.
fn write_all(mut database: Connection, jobs: &Receiver<Job>, state: &State) {
    let mut batch = Vec::new();
    while let Ok(first) = jobs.recv() {
        batch.push(first);
        batch.extend(jobs.try_iter().take(MOST_AT_ONCE - 1));
        persist(&mut database, &batch, state);
        state.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        for job in batch.drain(..) {
            if let Job::Flush(done) = job {
                let _ = done.send(());
            }
        }
        // Whatever ends meanwhile shares the next sync; a call that ends alone is written at once.
        if !state.stopping.load(Ordering::Relaxed) {
            thread::sleep(REST);
        }
    }
}

/// Writes a batch, again and again while the disk is full or away; gives up only at the end of
/// the process.
fn persist(database: &mut Connection, batch: &[Job], state: &State) {
    let mut tries = 0;
    while let Err(error) = write(database, batch) {
        if state.told(Some(error.to_string())) {
            tracing::error!(%error, "call records cannot be written; they wait in memory");
        }
        if !may_pass(&error) {
            one_by_one(database, batch);
            break;
        }
        tries += 1;
        if tries >= LAST_TRIES && state.stopping.load(Ordering::Relaxed) {
            tracing::error!(
                jobs = batch.len(),
                "call records lost: the disk did not come back"
            );
            break;
        }
        thread::sleep(RETRY_AFTER);
    }
    state.told(None);
}

/// One refused record must not take the others with it.
fn one_by_one(database: &mut Connection, batch: &[Job]) {
    for job in batch {
        if let Err(error) = write(database, std::slice::from_ref(job)) {
            let call = match job {
                Job::Record(record) => record.id.as_str(),
                Job::Bindings(_) | Job::Flush(_) | Job::Seats(_) => "",
            };
            tracing::error!(%error, call, "a call record was refused and is lost");
        }
    }
}

fn write(database: &mut Connection, batch: &[Job]) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for job in batch {
        match job {
            Job::Bindings(changes) => bindings::write(&transaction, changes)?,
            Job::Flush(_) => {}
            Job::Record(record) => insert(&transaction, record)?,
            Job::Seats(body) => snapshots::write(&transaction, SEATS, body)?,
        }
    }
    transaction.commit()
}

fn insert(transaction: &Transaction<'_>, record: &CallRecord) -> rusqlite::Result<()> {
    let id = record.id.as_str();
    let talked = |agent: &&crate::events::record::AgentTimeline| {
        let mut parts = agent.timeline.iter();
        parts.any(|part| part.stretch == AgentStretch::Talk)
    };
    let answered_by = record.agents.iter().rev().find(talked);
    let text = serde_json::to_string(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let millis = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO calls (id, started, ended, direction, from_number, to_number, \
             trunk, queue, agent, duration_ms, queue_ms, talk_ms, sip, record) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            id,
            record.started.as_micros(),
            record.ended.map(|at| at.as_micros()),
            record.direction.map(word),
            record.from,
            record.to,
            record.trunk,
            record.queues.last().map(|visit| &visit.queue),
            answered_by.map(|agent| &agent.agent),
            record.duration_ms.map(millis),
            millis(record.total_ms(Stretch::Queue)),
            millis(record.total_ms(Stretch::Talk)),
            record.sip,
            text,
        ])?;
    for visit in &record.queues {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO call_queues (queue, call) VALUES (?1, ?2)")?
            .execute([&visit.queue, id])?;
    }
    for sid in twiml::sids_of(record) {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO call_sids (sid, call) VALUES (?1, ?2)")?
            .execute([sid.as_str(), id])?;
    }
    let offered = record.offers.iter().map(|offer| &offer.agent);
    for agent in offered.chain(record.agents.iter().map(|one| &one.agent)) {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO call_agents (agent, call) VALUES (?1, ?2)")?
            .execute([agent, id])?;
    }
    Ok(())
}

impl State {
    /// Notes what troubles the writer; says whether it is news.
    fn told(&self, trouble: Option<String>) -> bool {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let news = told.is_none() && trouble.is_some();
        *told = trouble;
        news
    }
}

/// Two and a half minutes of 100 finished calls a second without a disk; about 64 MB.
const MOST_WAITING: usize = 16_384;

/// Records in one transaction: one sync for many, and still a short one.
const MOST_AT_ONCE: usize = 256;

/// Between two syncs. Without it a switch that ends 200 calls a second syncs nearly as often, and
/// that is a fifth of all CPU it spends; a crash of the machine may cost the records of this time.
const REST: Duration = Duration::from_millis(50);

const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Name of the snapshot of who works at which phone.
const SEATS: &str = "seats";

/// Tries when the process is about to end.
const LAST_TRIES: u32 = 10;

const LAYOUT: Layout = Layout {
    application_id: 0x7473_6e63,
    migrations: &[
        "
        CREATE TABLE calls (
            id TEXT PRIMARY KEY,
            started INTEGER NOT NULL,
            ended INTEGER,
            direction TEXT,
            from_number TEXT NOT NULL,
            to_number TEXT NOT NULL,
            trunk TEXT,
            queue TEXT,
            agent TEXT,
            duration_ms INTEGER,
            queue_ms INTEGER NOT NULL,
            talk_ms INTEGER NOT NULL,
            sip INTEGER,
            record TEXT NOT NULL
        ) STRICT;
        CREATE INDEX calls_started ON calls (started);
        CREATE INDEX calls_from ON calls (from_number, started);
        CREATE INDEX calls_to ON calls (to_number, started);
        CREATE TABLE call_agents (agent TEXT, call TEXT, PRIMARY KEY (agent, call))
            STRICT, WITHOUT ROWID;
        CREATE TABLE call_queues (queue TEXT, call TEXT, PRIMARY KEY (queue, call))
            STRICT, WITHOUT ROWID;
        CREATE TABLE snapshots (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    ",
        "CREATE INDEX calls_in_progress ON calls (id) WHERE ended IS NULL;",
        bindings::TABLE,
        // Public ids are digests: a call is found by one of them here only. Those of calls that
        // ended before are not.
        "CREATE TABLE call_sids (sid TEXT PRIMARY KEY, call TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    ],
    // Reading 64 MB takes a fraction of a second; a year of calls would take minutes.
    check_below: 64 << 20,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Cause, Party, ReservationId, Timestamp};
    use crate::events::{Event, Fact};

    fn record(number: i64, agent: &str) -> CallRecord {
        let event = |after: i64, fact| Event {
            at: Timestamp::from_millis(1_795_136_523_456 + number * 1000 + after),
            call: CallId::new(format!("jp1-tokyo1-0-a-{number}")),
            fact,
        };
        CallRecord::fold(&[
            event(
                0,
                Fact::CallStarted {
                    region: "jp1".into(),
                    node: "tokyo1".into(),
                    direction: Direction::Inbound,
                    from: "+819012345678".into(),
                    to: "+81312345678".into(),
                    trunk: None,
                    generation: 1,
                },
            ),
            event(
                1,
                Fact::Offered {
                    reservation: ReservationId::new("r"),
                    agent: agent.into(),
                    queue: "sales".into(),
                    why: "idle longest".into(),
                },
            ),
            event(
                500,
                Fact::CallEnded {
                    by: Party::Caller,
                    cause: Cause::normal(),
                },
            ),
        ])
    }

    #[test]
    fn published_records_are_found_and_listed_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("calls.db")).unwrap();
        for number in 0..10 {
            let agent = if number == 7 { "花子" } else { "taro" };
            records.publish(record(number, agent)).unwrap();
        }
        assert!(records.flush(Duration::from_secs(10)));
        assert_eq!((records.waiting(), records.trouble()), (0, None));
        let one = records.find("jp1-tokyo1-0-a-3").unwrap().unwrap();
        assert_eq!(one, record(3, "taro"));
        assert_eq!(records.find("nobody").unwrap(), None);
        let ids = |filter: &Filter| -> Vec<String> {
            let found = records.list(filter).unwrap();
            found.iter().map(|one| one.id.to_string()).collect()
        };
        let newest = Filter {
            limit: 2,
            ..Filter::default()
        };
        assert_eq!(ids(&newest), ["jp1-tokyo1-0-a-9", "jp1-tokyo1-0-a-8"]);
        let hers = Filter {
            agent: Some("花子".into()),
            direction: Some(Direction::Inbound),
            ..Filter::default()
        };
        assert_eq!(ids(&hers), ["jp1-tokyo1-0-a-7"]);
        let early = Filter {
            before: Some(one.started),
            since: Some(record(1, "").started),
            ..Filter::default()
        };
        assert_eq!(ids(&early), ["jp1-tokyo1-0-a-2", "jp1-tokyo1-0-a-1"]);
    }

    #[test]
    fn publishing_again_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("calls.db")).unwrap();
        records.publish(record(1, "taro")).unwrap();
        let mut more = record(1, "taro");
        more.cause = Some("later news".into());
        records.publish(more.clone()).unwrap();
        assert!(records.flush(Duration::from_secs(10)));
        assert_eq!(records.list(&Filter::default()).unwrap(), [more]);
    }

    #[test]
    fn what_is_handed_over_is_written_before_the_store_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calls.db");
        let records = Records::open(&path).unwrap();
        for number in 0..300 {
            records.publish(record(number, "taro")).unwrap();
        }
        let kept = vec![("1001".to_owned(), Some("[]".to_owned()))];
        records.save_bindings(kept.clone()).unwrap();
        assert!(records.save_seats("{}".to_owned()));
        assert!(records.save_seats("{\"emma\":\"1001\"}".to_owned()));
        drop(records);
        let records = Records::open(&path).unwrap();
        let all = Filter {
            limit: 1000,
            ..Filter::default()
        };
        assert_eq!(records.list(&all).unwrap().len(), 300);
        let bindings = records.bindings().unwrap();
        assert_eq!(bindings, [("1001".to_owned(), "[]".to_owned())]);
        let seats = records.seats().unwrap();
        assert_eq!(seats.as_deref(), Some("{\"emma\":\"1001\"}"));
    }

    #[test]
    fn a_locked_database_delays_records_and_loses_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calls.db");
        let records = Records::open(&path).unwrap();
        let stranger = Connection::open(&path).unwrap();
        stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
        records.publish(record(1, "taro")).unwrap();
        assert!(!records.flush(Duration::from_millis(50)));
        assert!(records.waiting() > 0);
        stranger.execute_batch("ROLLBACK").unwrap();
        assert!(records.flush(Duration::from_secs(20)));
        assert_eq!(records.list(&Filter::default()).unwrap().len(), 1);
    }
}
