//! The router's thread: commands from a channel in, batches to the journal, outputs to the sink.
//!
//! The channel holds so many commands and refuses one more; commands that only settle what exists
//! always fit, since there are no more of them than there are tasks. Of what phones say of themselves
//! only the last is kept then. While the journal cannot be written no command is taken and nothing
//! is said: the channel fills, and the switch is not ready.

mod latest;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SendError, Sender, SyncSender, channel, sync_channel,
};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::latest::Latest;
use super::errand::{Done, Errand};
use super::pump::{Pump, Settings, Sink, StartError, Survivors};
use super::{
    Command, Declined, Explanation, Object, PlanView, Prospects, Refusal, RouterView, Shown,
    Supposed, Tail,
};
use crate::base::{CallId, Clock, ShardId, TaskId, Timestamp};
use crate::journal::Journal;

/// Commands applied before their facts are written together.
const BATCH: usize = 256;
/// Longest that the first of them waits for the last.
const BATCH_LASTS: Duration = Duration::from_micros(500);
/// Batches begin at least so far apart: what comes meanwhile is written in one transaction.
const GATHER_FOR: Duration = Duration::from_micros(250);
/// Pause before writing is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Longest sleep; only so that nothing hangs on a clock that was turned.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Views take at most one part in so many of the thread's time: whoever is decided for meanwhile waits
/// for them, and no more than one in a hundred may.
const VIEW_SHARE: u32 = 300;
/// Snapshots take at most one part in so many: at the highest rates there is one in some seconds.
const SNAPSHOT_SHARE: u32 = 1000;
/// Longest wait for an answer to a question; whoever asks is a person.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Questions that may wait: far more than there are threads to ask them.
const MOST_QUESTIONS: usize = 64;

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
    phones: Latest,
    /// Questions that wait.
    asked: AtomicUsize,
    /// Whether it is being asked who would get a task.
    is_supposing: AtomicBool,
    is_writing: AtomicBool,
    stopping: AtomicBool,
    view: ArcSwap<RouterView>,
    tail: Arc<Tail>,
}

enum Message {
    Command(ShardId, Box<Command>),
    /// What phones say of themselves is kept beside the channel; its place is here.
    Phones,
    Errand(Errand),
    /// While who asks is there.
    Question(Question, Weak<()>),
    Wake,
}

/// What is asked, and where the answer goes. Nothing changes by it.
enum Question {
    Explain(TaskId, SyncSender<Option<Explanation>>),
    ExplainCall(CallId, SyncSender<Option<Explanation>>),
    Look(Object, SyncSender<Option<Shown>>),
    Plan(SyncSender<PlanView>),
    Who(
        Box<Supposed>,
        SyncSender<Result<Prospects, Refusal>>,
        Supposing,
    ),
}

/// The right to ask who would get a task: one at a time, since it takes as long as a view.
#[derive(Debug)]
struct Supposing(Arc<Shared>);

impl Supposing {
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        let was_supposing = shared.is_supposing.swap(true, Ordering::AcqRel);
        (!was_supposing).then(|| Self(shared.clone()))
    }
}

impl Drop for Supposing {
    fn drop(&mut self) {
        self.0.is_supposing.store(false, Ordering::Release);
    }
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
            phones: Latest::default(),
            asked: AtomicUsize::new(0),
            is_supposing: AtomicBool::new(false),
            is_writing: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
            view: ArcSwap::new(pump.view()),
            tail: pump.tail(),
        });
        let now = clock.now();
        let mut desk = Desk {
            view_of: pump.sequence(),
            view_due: now,
            snapshot_due: now,
            began: now,
            pump,
            receiver,
            clock,
            settings,
            shared: shared.clone(),
            sync_by: None,
            done: Vec::new(),
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
        let is_full = shared.waiting.load(Ordering::Acquire) >= shared.capacity;
        let command = Box::new(command);
        let sent = match command.is_of_phone() {
            true => shared
                .phones
                .say(from, command, is_full, |message| self.pass(message)),
            false if is_full && !command.is_settling() => {
                Err(SendError(Message::Command(from, command)))
            }
            false => self.pass(Message::Command(from, command)),
        };
        match sent {
            Err(SendError(Message::Command(_, command))) => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                Err(Full(command))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn pass(&self, message: Message) -> Result<(), SendError<Message>> {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        self.sender.send(message).inspect_err(|_| {
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// Has a command carried out, and waits until its facts are written: not for signalling
    /// shards. What `object` is then, if it still is. With `only_if` nothing is done unless the
    /// object is of one of these versions. Half of the room for commands is kept for the shards.
    pub fn carry_out(
        &self,
        command: Command,
        object: Object,
        only_if: Option<Vec<u64>>,
    ) -> Result<Option<Shown>, Declined> {
        let shared = &self.shared;
        if !shared.is_writing.load(Ordering::Acquire) {
            return Err(Declined::Silent);
        }
        if shared.waiting.fetch_add(1, Ordering::AcqRel) >= shared.capacity / 2 {
            shared.waiting.fetch_sub(1, Ordering::AcqRel);
            shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Declined::Busy);
        }
        let (reply, outcome) = sync_channel(1);
        let errand = Errand {
            command: Box::new(command),
            object,
            only_if,
            reply,
        };
        if self.sender.send(Message::Errand(errand)).is_err() {
            shared.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(Declined::Silent);
        }
        outcome
            .recv_timeout(ANSWER_WITHIN)
            .unwrap_or(Err(Declined::Silent))
    }

    /// A thing as it is now; `None` when there is none. Waits for the thread: not for signalling
    /// shards.
    ///
    /// # Errors
    ///
    /// When the thread does not answer, or too many ask.
    pub fn look(&self, object: Object) -> Result<Option<Shown>, Declined> {
        self.ask(|reply| Question::Look(object, reply))
    }

    /// What the plan says. Not for signalling shards; errors as of [`RouterHandle::look`].
    pub fn plan(&self) -> Result<PlanView, Declined> {
        self.ask(Question::Plan)
    }

    /// The newest events.
    pub fn tail(&self) -> Arc<Tail> {
        self.shared.tail.clone()
    }

    /// The latest view; some 20 ms old, longer with thousands of workers.
    pub fn view(&self) -> Arc<RouterView> {
        self.shared.view.load_full()
    }

    /// Why a task is where it is. Waits for the thread: not for signalling shards.
    pub fn explain(&self, task: TaskId) -> Option<Explanation> {
        self.ask(|reply| Question::Explain(task, reply)).ok()?
    }

    /// Why a call is where it is. Waits for the thread: not for signalling shards.
    pub fn explain_call(&self, call: CallId) -> Option<Explanation> {
        self.ask(|reply| Question::ExplainCall(call, reply)).ok()?
    }

    /// Who would get a task, were it to come now. Waits for the thread: not for signalling shards.
    ///
    /// # Errors
    ///
    /// When there can be no such task, when somebody else asks the same at the moment, and as of
    /// [`RouterHandle::look`].
    pub fn who(&self, supposed: Supposed) -> Result<Prospects, Declined> {
        let supposing = Supposing::begin(&self.shared).ok_or(Declined::Busy)?;
        let supposed = Box::new(supposed);
        Ok(self.ask(|reply| Question::Who(supposed, reply, supposing))??)
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

    /// Waits for an answer, unless it is known that none can come.
    fn ask<T>(&self, question: impl FnOnce(SyncSender<T>) -> Question) -> Result<T, Declined> {
        let shared = &self.shared;
        if !shared.is_writing.load(Ordering::Acquire) {
            return Err(Declined::Silent);
        }
        if shared.asked.fetch_add(1, Ordering::AcqRel) >= MOST_QUESTIONS {
            shared.asked.fetch_sub(1, Ordering::AcqRel);
            return Err(Declined::Busy);
        }
        let (reply, answer) = sync_channel(1);
        let here = Arc::new(());
        let message = Message::Question(question(reply), Arc::downgrade(&here));
        if self.sender.send(message).is_err() {
            shared.asked.fetch_sub(1, Ordering::AcqRel);
            return Err(Declined::Silent);
        }
        let answer = answer.recv_timeout(ANSWER_WITHIN);
        answer.map_err(|_| Declined::Silent)
    }
}

/// The thread's own.
struct Desk {
    pump: Pump,
    receiver: Receiver<Message>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    shared: Arc<Shared>,
    /// When the last batch began.
    began: Timestamp,
    sync_by: Option<Timestamp>,
    /// Errands whose facts are not written yet.
    done: Vec<Done>,
    view_of: u64,
    view_due: Timestamp,
    snapshot_due: Timestamp,
}

impl Desk {
    fn run(&mut self) {
        loop {
            let is_quiet = self.take_batch();
            self.pump.handle_timeout(self.clock.now());
            self.write();
            for done in self.done.drain(..) {
                done.tell(&self.pump);
            }
            self.sync(is_quiet && self.is_stopping());
            if is_quiet {
                self.snapshot();
            }
            self.publish();
            if is_quiet && self.is_stopping() {
                return;
            }
        }
    }

    /// Waits for a message or a deadline, then takes what else is there; whether that was all.
    fn take_batch(&mut self) -> bool {
        let mut next = match self.receiver.recv_timeout(self.sleep()) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.shared.stopping.store(true, Ordering::Release);
                None
            }
        };
        self.gather();
        let mut taken = 0;
        while let Some(message) = next {
            taken += 1;
            let took_long = match message {
                Message::Command(from, command) => {
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.pump.handle(self.clock.now(), from, *command);
                    false
                }
                Message::Phones => {
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    let now = self.clock.now();
                    for (from, command) in self.shared.phones.take() {
                        self.pump.handle(now, from, *command);
                    }
                    false
                }
                Message::Errand(errand) => {
                    self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.done.push(errand.run(&mut self.pump, self.clock.now()));
                    false
                }
                Message::Question(question, asker) => {
                    self.shared.asked.fetch_sub(1, Ordering::AcqRel);
                    // Whoever asked may have given up waiting.
                    asker.strong_count() > 0 && self.answer(question)
                }
                Message::Wake => false,
            };
            let is_due = self.clock.now().since(self.began) >= BATCH_LASTS;
            if taken == BATCH || is_due || took_long {
                return false;
            }
            next = self.receiver.try_recv().ok();
        }
        true
    }

    /// Begins a batch, not too soon after the last one.
    fn gather(&mut self) {
        let now = self.clock.now();
        let early = GATHER_FOR.saturating_sub(now.since(self.began));
        if !early.is_zero() && !self.is_stopping() {
            std::thread::sleep(early);
        }
        self.began = self.clock.now();
    }

    /// Answers a question; whether that took so long that what was decided before must be said.
    fn answer(&self, question: Question) -> bool {
        // Whoever asked may give up meanwhile.
        match question {
            Question::Explain(task, reply) => {
                let _ = reply.try_send(self.pump.explain(&task));
            }
            Question::ExplainCall(call, reply) => {
                let _ = reply.try_send(self.pump.explain_call(&call));
            }
            Question::Look(object, reply) => {
                let _ = reply.try_send(self.pump.look(&object));
            }
            Question::Plan(reply) => {
                let _ = reply.try_send(self.pump.plan());
            }
            Question::Who(supposed, reply, supposing) => {
                let answer = self.pump.who(self.clock.now(), &supposed);
                // Before the answer, so that the same asker may ask again at once.
                drop(supposing);
                let _ = reply.try_send(answer);
                return true;
            }
        }
        false
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
                // Who waits hears nothing: what became of it is not known.
                self.done.clear();
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
            // A disk takes as long for a sync as a caller may wait for a decision: nobody decides
            // meanwhile, so it is waited for only at the end.
            match at_once {
                true => self.report("sync", Pump::sync),
                false => self.report("sync", Pump::sync_soon),
            }
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

    /// Keeps a snapshot when enough facts came and the last one was long enough ago: whoever is
    /// decided for meanwhile waits for it.
    fn snapshot(&mut self) {
        let now = self.clock.now();
        if self.snapshot_due <= now && self.pump.wants_snapshot() {
            self.report("snapshot", |pump| pump.save_snapshot());
            let after = self.clock.now();
            self.snapshot_due = after + after.since(now) * SNAPSHOT_SHARE;
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
mod tests;
