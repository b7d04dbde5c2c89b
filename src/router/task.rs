//! The router's thread: commands from a channel in, batches to the journal, outputs to the sink.
//!
//! The channel holds so many commands and refuses one more; commands that only settle what exists
//! always fit, since there are no more of them than there are tasks. While the journal cannot be
//! written no command is taken and nothing is said: the channel fills, and the switch is not ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::pump::{Pump, Settings, Sink, StartError, Survivors};
use super::{Command, Explanation, Prospects, Refusal, RouterView, Supposed};
use crate::base::{CallId, Clock, ShardId, TaskId, Timestamp};
use crate::journal::Journal;

/// Commands applied before their facts are written together.
const BATCH: usize = 256;
/// Pause before writing is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Longest sleep; only so that nothing hangs on a clock that was turned.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Views take at most one part in so many of the thread's time.
const VIEW_SHARE: u32 = 20;
/// Longest wait for an answer to a question; whoever asks is a person.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The running router; stops when dropped.
#[derive(Debug)]
pub struct RouterTask {
    handle: RouterHandle,
    thread: Option<JoinHandle<()>>,
}

/// How others reach the router; cheap to clone.
#[derive(Clone, Debug)]
pub struct RouterHandle {
    sender: Sender<Message>,
    shared: Arc<Shared>,
}

/// The router has too many commands waiting, or is gone; the command is given back.
#[derive(Debug, thiserror::Error)]
#[error("the router takes no more commands")]
pub struct Full(pub Box<Command>);

#[derive(Debug)]
struct Shared {
    capacity: usize,
    waiting: AtomicUsize,
    refused: AtomicU64,
    is_writing: AtomicBool,
    stopping: AtomicBool,
    view: ArcSwap<RouterView>,
}

enum Message {
    Command(ShardId, Box<Command>),
    Explain(Question, SyncSender<Option<Explanation>>),
    Wake,
    Who(Box<Supposed>, SyncSender<Result<Prospects, Refusal>>),
}

enum Question {
    Call(CallId),
    Task(TaskId),
}

impl RouterTask {
    /// Reads the journal, settles what died with the process before, and starts the thread.
    pub fn start(
        settings: Settings,
        journal: Box<dyn Journal>,
        clock: Arc<dyn Clock>,
        survivors: Survivors,
        sink: Sink,
    ) -> Result<Self, StartError> {
        let pump = Pump::open(settings.clone(), journal, clock.now(), survivors, sink)?;
        let (sender, receiver) = channel();
        let shared = Arc::new(Shared {
            capacity: settings.capacity,
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            is_writing: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            view: ArcSwap::new(pump.view()),
        });
        let mut desk = Desk {
            view_of: pump.sequence(),
            view_due: clock.now(),
            pump,
            receiver,
            clock,
            settings,
            shared: shared.clone(),
            sync_by: None,
        };
        let thread = std::thread::Builder::new()
            .name("router".to_owned())
            .spawn(move || desk.run())?;
        Ok(Self {
            handle: RouterHandle { sender, shared },
            thread: Some(thread),
        })
    }

    /// A handle to it.
    pub fn handle(&self) -> RouterHandle {
        self.handle.clone()
    }

    /// Applies what waits, writes and syncs it, and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.handle.shared.stopping.store(true, Ordering::Release);
        // The thread may be gone already; then there is nothing to wake.
        let _ = self.handle.sender.send(Message::Wake);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("router thread panicked");
        }
    }
}

impl Drop for RouterTask {
    fn drop(&mut self) {
        self.end();
    }
}

impl RouterHandle {
    /// Sends a command on behalf of a signalling shard; never waits.
    pub fn send(&self, from: ShardId, command: Command) -> Result<(), Full> {
        let shared = &self.shared;
        let before = shared.waiting.fetch_add(1, Ordering::AcqRel);
        let lost = if before >= shared.capacity && !command.is_settling() {
            Some(Box::new(command))
        } else {
            let message = Message::Command(from, Box::new(command));
            match self.sender.send(message).map_err(|lost| lost.0) {
                Err(Message::Command(_, command)) => Some(command),
                Ok(()) | Err(_) => None,
            }
        };
        lost.map_or(Ok(()), |command| {
            shared.waiting.fetch_sub(1, Ordering::AcqRel);
            shared.refused.fetch_add(1, Ordering::Relaxed);
            Err(Full(command))
        })
    }

    /// The latest view; at most some 20 ms old.
    pub fn view(&self) -> Arc<RouterView> {
        self.shared.view.load_full()
    }

    /// Why a task is where it is. Waits for the thread: not for signalling shards.
    pub fn explain(&self, task: TaskId) -> Option<Explanation> {
        self.ask(Question::Task(task))
    }

    /// Why a call is where it is. Waits for the thread: not for signalling shards.
    pub fn explain_call(&self, call: CallId) -> Option<Explanation> {
        self.ask(Question::Call(call))
    }

    /// Who would get a task, were it to come now; `None` when the thread does not answer. Waits
    /// for it: not for signalling shards.
    pub fn who(&self, supposed: Supposed) -> Option<Result<Prospects, Refusal>> {
        let (reply, answer) = sync_channel(1);
        let message = Message::Who(Box::new(supposed), reply);
        self.sender.send(message).ok()?;
        answer.recv_timeout(ANSWER_WITHIN).ok()
    }

    /// Whether it takes commands and its journal can be written.
    pub fn is_ready(&self) -> bool {
        let shared = &self.shared;
        shared.is_writing.load(Ordering::Acquire)
            && !shared.stopping.load(Ordering::Acquire)
            && shared.waiting.load(Ordering::Acquire) < shared.capacity
    }

    /// Commands that wait.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// Commands refused because too many waited.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn ask(&self, question: Question) -> Option<Explanation> {
        let (reply, answer) = sync_channel(1);
        self.sender.send(Message::Explain(question, reply)).ok()?;
        answer.recv_timeout(ANSWER_WITHIN).ok()?
    }
}

/// The thread's own.
struct Desk {
    pump: Pump,
    receiver: Receiver<Message>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    shared: Arc<Shared>,
    sync_by: Option<Timestamp>,
    view_of: u64,
    view_due: Timestamp,
}

impl Desk {
    fn run(&mut self) {
        loop {
            let taken = self.take_batch();
            self.pump.handle_timeout(self.clock.now());
            self.write();
            let is_quiet = taken < BATCH;
            self.sync(is_quiet && self.is_stopping());
            if is_quiet && self.pump.wants_snapshot() {
                self.report("snapshot", |pump| pump.save_snapshot());
            }
            self.publish();
            if is_quiet && self.is_stopping() {
                return;
            }
        }
    }

    /// Waits for a message or a deadline, then takes what else is there.
    fn take_batch(&mut self) -> usize {
        let mut next = match self.receiver.recv_timeout(self.sleep()) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.shared.stopping.store(true, Ordering::Release);
                None
            }
        };
        let mut taken = 0;
        while let Some(message) = next {
            taken += 1;
            match message {
                Message::Command(from, command) => {
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.pump.handle(self.clock.now(), from, *command);
                }
                Message::Explain(question, reply) => {
                    let answer = match question {
                        Question::Call(call) => self.pump.explain_call(&call),
                        Question::Task(task) => self.pump.explain(&task),
                    };
                    // Whoever asked may have given up waiting.
                    let _ = reply.try_send(answer);
                }
                Message::Wake => {}
                Message::Who(supposed, reply) => {
                    let answer = self.pump.who(self.clock.now(), &supposed);
                    // As above.
                    let _ = reply.try_send(answer);
                }
            }
            next = match taken < BATCH {
                true => self.receiver.try_recv().ok(),
                false => None,
            };
        }
        taken
    }

    fn sleep(&self) -> Duration {
        let view = (self.view_of != self.pump.sequence()).then_some(self.view_due);
        let due = [self.pump.poll_timeout(), self.sync_by, view];
        let now = self.clock.now();
        match due.into_iter().flatten().min() {
            // A microsecond more than needed, so that the deadline has passed on waking.
            Some(at) => (at.since(now) + Duration::from_micros(1)).min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        }
    }

    /// Writes the batch, however often it takes.
    fn write(&mut self) {
        while let Err(error) = self.pump.commit() {
            if self.shared.is_writing.swap(false, Ordering::AcqRel) {
                tracing::error!(%error, "router journal cannot be written");
            }
            if self.is_stopping() {
                tracing::error!("router stops with facts unwritten; none of them was acted on");
                return;
            }
            std::thread::sleep(RETRY_AFTER);
        }
        if !self.shared.is_writing.swap(true, Ordering::AcqRel) {
            tracing::info!("router journal is written again");
        }
        if self.pump.is_unsynced() && self.sync_by.is_none() {
            self.sync_by = Some(self.clock.now() + self.settings.sync_within);
        }
    }

    fn sync(&mut self, at_once: bool) {
        if self
            .sync_by
            .is_some_and(|by| at_once || by <= self.clock.now())
        {
            self.sync_by = None;
            self.report("sync", Pump::sync);
            if self.pump.is_unsynced() {
                self.sync_by = Some(self.clock.now() + RETRY_AFTER);
            }
        }
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        let is_new = self.view_of != self.pump.sequence();
        if is_new && (self.view_due <= now || self.is_stopping()) {
            self.view_of = self.pump.sequence();
            self.shared.view.store(self.pump.view());
            // A view of ten thousand agents takes milliseconds; deciding comes first.
            let seen = self.clock.now();
            let took = seen.since(now) * VIEW_SHARE;
            self.view_due = seen + took.max(self.settings.view_every);
        }
    }

    fn report<E: std::fmt::Display>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&mut Pump) -> Result<(), E>,
    ) {
        if let Err(error) = work(&mut self.pump) {
            tracing::error!(what, %error, "router journal failed");
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use serde_json::json;

    use super::*;
    use crate::base::ReservationId;
    use crate::journal::MemoryJournal;
    use crate::router::scenarios::{create, plan};
    use crate::router::{Output, replay};

    struct Wall(Instant);

    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_800_000_000_000) + self.0.elapsed()
        }
    }

    type Heard = mpsc::Receiver<(ShardId, Output)>;

    fn start(journal: &MemoryJournal, capacity: usize) -> (RouterTask, Heard) {
        let (ear, heard) = mpsc::channel();
        let settings = Settings {
            capacity,
            ..Settings::default()
        };
        let sink = move |shard, output| {
            let _ = ear.send((shard, output));
        };
        let clock = Arc::new(Wall(Instant::now()));
        let journal = Box::new(journal.clone());
        let survivors = Survivors::default();
        let task = RouterTask::start(settings, journal, clock, survivors, Box::new(sink));
        (task.expect("it starts"), heard)
    }

    fn open(handle: &RouterHandle) {
        let plan = Box::new(plan());
        handle
            .send(ShardId(0), Command::ActivatePlan { plan })
            .unwrap();
        let (worker, reachable) = ("taro".to_owned(), true);
        handle
            .send(ShardId(0), Command::SetReachable { worker, reachable })
            .unwrap();
    }

    fn until<T>(heard: &Heard, mut wanted: impl FnMut(Output) -> Option<T>) -> T {
        loop {
            let (_, output) = heard
                .recv_timeout(Duration::from_secs(10))
                .expect("an output");
            if let Some(found) = wanted(output) {
                return found;
            }
        }
    }

    fn offer(output: Output) -> Option<ReservationId> {
        match output {
            Output::Offer { reservation, .. } => Some(reservation),
            _ => None,
        }
    }

    #[test]
    fn offers_syncs_shows_and_explains() {
        let journal = MemoryJournal::new();
        let (task, heard) = start(&journal, 100);
        let handle = task.handle();
        open(&handle);
        handle
            .send(ShardId(0), create("a", "sales", 0, json!({})))
            .unwrap();
        let reservation = until(&heard, offer);
        let waiting = create("b", "sales", 0, json!({}));
        handle.send(ShardId(0), waiting).unwrap();
        let why = handle.explain(TaskId::new("b")).expect("known");
        assert_eq!(
            why.to_string(),
            "nobody; 1 has another offer, 1 phone not registered"
        );
        handle
            .send(ShardId(0), Command::Accept { reservation })
            .unwrap();
        until(&heard, |output| {
            matches!(output, Output::Assigned { .. }).then_some(())
        });
        assert!(handle.is_ready());
        task.stop();
        assert!(!handle.is_ready());
        assert_eq!(handle.view().tasks.len(), 2);
        assert!(journal.syncs() > 0);
        assert_eq!(
            replay(&mut journal.clone(), 0).unwrap().view().tasks.len(),
            2
        );
        assert!(
            handle
                .send(ShardId(0), create("c", "sales", 0, json!({})))
                .is_err()
        );
    }

    #[test]
    fn a_full_channel_refuses_new_work_and_still_takes_endings() {
        let journal = MemoryJournal::new();
        let (task, heard) = start(&journal, 2);
        let handle = task.handle();
        open(&handle);
        until(&heard, |output| {
            matches!(
                output,
                Output::WorkerChanged {
                    reachable: true,
                    ..
                }
            )
            .then_some(())
        });
        journal.fail_next(u32::MAX);
        let (mut lost, mut first) = (0, None);
        for n in 0..1000 {
            let name = format!("t{n}");
            match handle.send(ShardId(0), create(&name, "sales", 0, json!({}))) {
                Ok(()) => first = first.or(Some(TaskId::new(name))),
                Err(_) => lost += 1,
            }
            std::thread::yield_now();
        }
        assert!(lost > 0 && handle.refused() == lost);
        assert!(!handle.is_ready());
        let (first, why) = (first.expect("one fits"), "left".to_owned());
        let end = Command::CancelTask { task: first, why };
        assert!(handle.send(ShardId(0), end).is_ok());
        journal.fail_next(0);
        until(&heard, |output| {
            matches!(output, Output::TaskEnded { .. }).then_some(())
        });
        task.stop();
    }

    #[test]
    fn a_deadline_fires_without_a_command() {
        let journal = MemoryJournal::new();
        let (task, heard) = start(&journal, 100);
        let handle = task.handle();
        let mut plan = plan();
        plan.queues[0].ring_timeout = Duration::from_secs(1);
        let plan = Box::new(plan);
        handle
            .send(ShardId(0), Command::ActivatePlan { plan })
            .unwrap();
        let (worker, reachable) = ("taro".to_owned(), true);
        handle
            .send(ShardId(0), Command::SetReachable { worker, reachable })
            .unwrap();
        handle
            .send(ShardId(0), create("a", "sales", 0, json!({})))
            .unwrap();
        let started = Instant::now();
        until(&heard, |output| {
            matches!(output, Output::OfferRevoked { .. }).then_some(())
        });
        let late = started.elapsed().saturating_sub(Duration::from_secs(1));
        assert!(late < Duration::from_millis(500), "{late:?}");
        drop(task);
    }
}
