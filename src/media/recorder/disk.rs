//! The disk thread: takes blocks off the queue into files; a second thread publishes, so that an
//! fsync holds up no other recording.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::block::{Item, Shared};
use super::file::PartFile;
use super::publish::{Finished, Outcome, publish};
use super::tap::Ended;
use super::unpublished::Unpublished;
use super::{Closed, Format, News, Opening, Refused, Stats, Tap};
use crate::media::FRAME_MS;

/// How often the queue is looked at while anything is recorded: workers never wake anyone.
const LOOK: Duration = Duration::from_millis(50);

/// How long the disk may take for a write before it counts as stalled: as much as the blocks of a
/// recording hold.
const STALLED: Duration = Duration::from_secs(2);

/// Bytes free below which no recording should begin.
const LEAST_ROOM: u64 = 4 << 20;

/// Where and how much is recorded.
#[derive(Clone, Debug)]
pub struct DiskConfig {
    /// Directory of the recordings; created when missing.
    pub directory: PathBuf,
    /// Recordings open or being published at once; more are refused. A recording of many channels
    /// or of a wide band counts for more than one of two.
    pub max_recordings: usize,
    /// What the files are, unless a recording asks for something else.
    pub format: Format,
}

/// The recorder's end at the disk. Dropping it ends and publishes what is still open.
pub struct Disk {
    shared: Arc<Shared>,
    directory: PathBuf,
    /// Bytes that were free, and when.
    room: Mutex<(Option<Instant>, u64)>,
    engine: Mutex<Engine>,
}

enum Engine {
    Inline(Writer, Publisher),
    Stopped,
    Threads(Vec<JoinHandle<()>>),
}

impl Disk {
    /// Starts the threads; `sink` is called with every recording that ends or is in trouble, on
    /// one of them.
    pub fn start(
        config: DiskConfig,
        sink: impl Fn(News) + Send + Sync + 'static,
    ) -> io::Result<Disk> {
        let max_recordings = config.max_recordings;
        let directory = config.directory.clone();
        let (shared, mut writer, mut publisher) = parts(config, sink)?;
        // Never full: a recording is counted until it is published.
        let (sender, receiver) = sync_channel(max_recordings.max(1));
        let publishing = thread::Builder::new()
            .name("recorder-publish".to_owned())
            .spawn(move || publisher.run(&receiver))?;
        let writing = thread::Builder::new()
            .name("recorder-disk".to_owned())
            .spawn(move || writer.run(&sender))?;
        let _ = shared.disk.set(writing.thread().clone());
        Ok(Disk {
            shared,
            directory,
            room: Mutex::default(),
            engine: Mutex::new(Engine::Threads(vec![writing, publishing])),
        })
    }

    /// A disk without threads, for simulations: works when [`Disk::pump`] is called.
    pub fn inline(
        config: DiskConfig,
        sink: impl Fn(News) + Send + Sync + 'static,
    ) -> io::Result<Disk> {
        let directory = config.directory.clone();
        let (shared, writer, publisher) = parts(config, sink)?;
        Ok(Disk {
            shared,
            directory,
            room: Mutex::default(),
            engine: Mutex::new(Engine::Inline(writer, publisher)),
        })
    }

    /// Begins a recording. Allocates what it will need, so not for a worker; the file itself is
    /// made by the disk thread, and a failure to make it is told when the recording ends.
    pub fn open(&self, opening: Opening) -> Result<Tap, Refused> {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        let stem = Path::new(&opening.stem);
        let has_name = stem.file_name().is_some() && !opening.stem.ends_with('/');
        if !has_name || !stem.components().all(plain) || opening.stem.contains('\0') {
            return Err(Refused::BadStem);
        }
        if self.shared.is_stopping.load(Ordering::Acquire) {
            return Err(Refused::Stopped);
        }
        let shape = opening.shape();
        let number = self.shared.enter(shape).ok_or(Refused::TooMany)?;
        let tap = Tap::new(Arc::clone(&self.shared), number, opening.started, shape);
        self.shared.send(Item::Open(number, Box::new(opening)));
        self.shared.wake();
        Ok(tap)
    }

    /// Whether a recording that begins now can be written, or why not: files cannot be written, the
    /// disk does not answer, or it is as good as full. Asks the file system, at most once a second.
    pub fn health(&self) -> Result<(), String> {
        let stats = self.stats();
        let failing = stats.failing.load(Ordering::Relaxed);
        if failing > 0 {
            return Err(format!("{failing} recordings cannot be written"));
        }
        if self.shared.is_stalled(STALLED) {
            return Err("the disk does not answer".to_owned());
        }
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room
            .0
            .is_none_or(|at| at.elapsed() > Duration::from_secs(1))
        {
            let free = rustix::fs::statvfs(&self.directory);
            let free = free.map_or(0, |at| at.f_bavail.saturating_mul(at.f_frsize));
            *room = (Some(Instant::now()), free);
        }
        match room.1 {
            free if free < LEAST_ROOM => Err(format!("{free} bytes are free for recordings")),
            _ => Ok(()),
        }
    }

    /// Figures.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Does all there is to do; only for [`Disk::inline`].
    pub fn pump(&self) {
        self.pump_at(Instant::now());
    }

    /// The same at an instant of the caller's choice: it decides what is tried again.
    pub fn pump_at(&self, now: Instant) {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Engine::Inline(writer, publisher) = &mut *engine {
            writer.drain(|finished| publisher.publish(now, finished));
            publisher.retry(now);
        }
    }

    /// Ends and publishes what is still open, and waits for it. Taps that live on are deaf.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *engine, Engine::Stopped) {
            Engine::Inline(mut writer, mut publisher) => {
                let now = Instant::now();
                writer.drain(|finished| publisher.publish(now, finished));
                writer.abandon(|finished| publisher.publish(now, finished));
                publisher.stop();
            }
            Engine::Stopped => {}
            Engine::Threads(threads) => {
                self.shared.wake();
                for thread in threads {
                    if thread.join().is_err() {
                        tracing::error!("recording.thread_panicked");
                    }
                }
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("stats", self.stats()).finish()
    }
}

fn parts(
    config: DiskConfig,
    sink: impl Fn(News) + Send + Sync + 'static,
) -> io::Result<(Arc<Shared>, Writer, Publisher)> {
    std::fs::create_dir_all(&config.directory)?;
    let shared = Arc::new(Shared::new(config.max_recordings));
    let sink: Sink = Arc::new(sink);
    let writer = Writer {
        shared: Arc::clone(&shared),
        sink: Arc::clone(&sink),
        directory: config.directory,
        format: config.format,
        files: HashMap::new(),
        scratch: Vec::new(),
    };
    let publisher = Publisher {
        shared: Arc::clone(&shared),
        sink,
        unpublished: Unpublished::default(),
    };
    Ok((shared, writer, publisher))
}

/// Who is told.
type Sink = Arc<dyn Fn(News) + Send + Sync>;

/// Owns the files in progress.
struct Writer {
    shared: Arc<Shared>,
    sink: Sink,
    directory: PathBuf,
    format: Format,
    files: HashMap<u64, PartFile>,
    scratch: Vec<u8>,
}

impl Writer {
    fn run(&mut self, finished: &SyncSender<Finished>) {
        // The publisher outlives us: it ends when this sender is dropped.
        let send = |file| {
            let _ = finished.send(file);
        };
        loop {
            let is_stopping = self.shared.is_stopping.load(Ordering::Acquire);
            self.drain(send);
            if is_stopping {
                return self.abandon(send);
            }
            if self.shared.stats.open.load(Ordering::Acquire) == 0 {
                thread::park();
            } else {
                thread::park_timeout(LOOK);
            }
        }
    }

    /// Empties the queue.
    fn drain(&mut self, mut finished: impl FnMut(Finished)) {
        let backlog = self.shared.queue.len() as u64;
        let stats = &self.shared.stats;
        stats.backlog.store(backlog, Ordering::Relaxed);
        self.shared.look();
        while let Some(item) = self.shared.queue.pop() {
            self.shared.look();
            match item {
                Item::Open(number, opening) => {
                    let mut file =
                        PartFile::create(&self.directory, opening, self.format, &self.shared.stats);
                    if let Some(news) = file.take_news() {
                        (self.sink)(news);
                    }
                    self.files.insert(number, file);
                }
                Item::Block(block) => {
                    if let Some(file) = self.files.get_mut(&block.number) {
                        file.apply(&block, &mut self.scratch, &self.shared.stats);
                        if let Some(news) = file.take_news() {
                            (self.sink)(news);
                        }
                    }
                    self.shared.give(block);
                }
                Item::Close(ended) => {
                    if let Some(mut part) = self.files.remove(&ended.number) {
                        part.rest(&self.shared.stats);
                        finished(close(part, &ended));
                    }
                }
            }
        }
    }

    /// Ends everything as it is.
    fn abandon(&mut self, mut finished: impl FnMut(Finished)) {
        for (_, mut part) in self.files.drain() {
            part.rest(&self.shared.stats);
            let samples = part.reach();
            finished(Finished {
                part,
                samples,
                defect: Some("the recorder stopped before the recording did".to_owned()),
            });
        }
    }
}

/// The length of the file is that of the recording, rounded to a frame, whatever was heard.
fn close(mut part: PartFile, ended: &Ended) -> Finished {
    part.missed(&ended.missed(), ended.waiting_marks());
    let limit = part.limit();
    let samples = ended.length().min(limit);
    let frame = part.shape.samples(FRAME_MS);
    let rounded = ((samples + frame / 2) / frame * frame).min(limit / frame * frame);
    let defects = [
        ended.at.is_none().then_some("the recording was cut off"),
        (ended.missed_samples > 0).then_some("the disk was too slow for some of the sound"),
        (samples == limit).then_some("longer than a file of its format can be"),
    ];
    let defects: Vec<&str> = defects.into_iter().flatten().collect();
    Finished {
        part,
        samples: rounded,
        defect: (!defects.is_empty()).then(|| defects.join("; ")),
    }
}

struct Publisher {
    shared: Arc<Shared>,
    sink: Sink,
    unpublished: Unpublished,
}

impl Publisher {
    fn run(&mut self, finished: &Receiver<Finished>) {
        loop {
            let next = match self.unpublished.next() {
                Some(due) => finished.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => finished.recv().map_err(RecvTimeoutError::from),
            };
            match next {
                Ok(finished) => self.publish(Instant::now(), finished),
                Err(RecvTimeoutError::Timeout) => self.retry(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
        }
    }

    fn publish(&mut self, now: Instant, finished: Finished) {
        let shape = finished.part.shape;
        let Outcome { closed, left } = publish(finished);
        let stats = &self.shared.stats;
        let counter = match &closed.defect {
            None => &stats.published,
            Some(defect) => {
                let path = closed.path.display();
                tracing::warn!(%path, defect, "recording.defective");
                &stats.defective
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(ready) = left {
            stats.unpublished.fetch_add(1, Ordering::Relaxed);
            if !self.unpublished.push(now, ready) {
                let path = closed.path.display();
                tracing::error!(%path, "recording.left_for_next_start");
            }
        }
        self.shared.leave(shape);
        (self.sink)(News::Closed(Box::new(closed)));
    }

    /// Tries one of those again that could not be published.
    fn retry(&mut self, now: Instant) {
        if let Some(closed) = self.unpublished.retry(now) {
            self.published_late(closed);
        }
    }

    /// Tries all of them for the last time.
    fn stop(&mut self) {
        for closed in self.unpublished.try_all() {
            self.published_late(closed);
        }
    }

    /// Tells once more of a recording, whose record has it as not published.
    fn published_late(&self, closed: Closed) {
        self.shared
            .stats
            .unpublished
            .fetch_sub(1, Ordering::Relaxed);
        tracing::info!(path = %closed.path.display(), "recording.published_late");
        (self.sink)(News::Closed(Box::new(closed)));
    }
}
