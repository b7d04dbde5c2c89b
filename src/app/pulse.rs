//! Agents' heartbeats as they come, and a thread that looks who is heard no more.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, ShardId};
use crate::http::{Live, Pulse};
use crate::presence::{Change, HeartbeatTerms, Heartbeats, Present};
use crate::router::{Command, RouterHandle, RouterView};

use super::live::House;

/// The machine, and what wakes its thread.
#[derive(Debug)]
pub(super) struct Beats {
    machine: Mutex<Heartbeats>,
    words: Sender<Word>,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Watcher {
    words: Sender<Word>,
    thread: JoinHandle<()>,
}

/// What the thread is told.
#[derive(Debug)]
enum Word {
    /// Look again when to look.
    Look,
    /// End.
    Stop,
}

/// Longest sleep; only so that nothing hangs on a clock that was turned.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Beats {
    /// Waits for those who are required, and for whoever is heard.
    pub(super) fn start(
        terms: HeartbeatTerms,
        clock: Arc<dyn Clock>,
        router: RouterHandle,
    ) -> std::io::Result<(Arc<Self>, Watcher)> {
        let (words, told) = channel();
        let beats = Arc::new(Self {
            machine: Mutex::new(Heartbeats::new(clock.now(), terms)),
            words: words.clone(),
        });
        let watched = beats.clone();
        let look = move || {
            loop {
                let now = clock.now();
                let view = router.view();
                let mut machine = watched.lock();
                let changes = machine.handle_timeout(now, |agent| present(&view, agent));
                let next = machine.poll_timeout();
                drop(machine);
                send(&router, changes);
                if !sleep(&told, next.map(|at| at.since(now))) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("heartbeats".to_owned())
            .spawn(look)?;
        Ok((beats, Watcher { words, thread }))
    }

    fn lock(&self) -> MutexGuard<'_, Heartbeats> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // A thread that is gone waits for nobody.
        let _ = self.words.send(Word::Look);
    }
}

impl Watcher {
    /// Ends the thread; nobody is taken for gone any more.
    pub(super) fn stop(self) {
        // It may have ended by a panic.
        let _ = self.words.send(Word::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the watch over heartbeats ended by a panic");
        }
    }
}

impl House {
    /// An agent's program says that it is there; `None` when there is no such agent.
    pub(super) fn hear(&self, agent: &str) -> Option<Pulse> {
        let view = self.router.view();
        let is = present(&view, agent)?;
        let mut machine = self.beats.lock();
        let sleeps_long = machine.poll_timeout().is_none();
        let change = machine.beat(self.now(), agent, &is);
        let pulse = Pulse {
            agent: agent.to_owned(),
            activity: change
                .as_ref()
                .map_or(is.activity, |to| to.activity.clone()),
            next_ms: u64::try_from(machine.terms().every().as_millis()).unwrap_or(u64::MAX),
            within_ms: u64::try_from(machine.terms().within.as_millis()).unwrap_or(u64::MAX),
        };
        drop(machine);
        send(&self.router, change.into_iter().collect());
        if sleeps_long {
            self.beats.wake();
        }
        Some(pulse)
    }

    /// An agent's program says goodbye: whether it was waited for; `None` without such an agent.
    pub(super) fn hear_no_more(&self, agent: &str) -> Option<bool> {
        present(&self.router.view(), agent)?;
        Some(self.beats.lock().forget(agent))
    }

    /// Other terms, after a reload.
    pub(super) fn set_heartbeats(&self, terms: HeartbeatTerms, is_agent: impl Fn(&str) -> bool) {
        self.beats.lock().set_terms(self.now(), terms, is_agent);
        self.beats.wake();
    }
}

fn present(view: &RouterView, agent: &str) -> Option<Present> {
    let mut workers = view.workers.iter();
    let worker = workers.find(|worker| worker.spec.name == agent && !worker.removed)?;
    Some(Present {
        activity: worker.activity.clone(),
        available: worker.available,
        reason: worker.reason.clone(),
    })
}

fn send(router: &RouterHandle, changes: Vec<Change>) {
    for change in changes {
        let Change {
            agent,
            activity,
            by,
            is_gone,
        } = change;
        tracing::info!(agent, activity, by, "agent.heartbeat");
        let command = Command::SetActivity {
            worker: agent,
            activity,
            by,
            reject_pending: is_gone,
        };
        if let Err(full) = router.send(ShardId(0), command) {
            tracing::error!("{full}");
        }
    }
}

/// Whether to go on after this sleep: so long, or until woken.
fn sleep(told: &Receiver<Word>, wait: Option<Duration>) -> bool {
    let wait = wait.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
    match told.recv_timeout(wait) {
        Ok(Word::Look) | Err(RecvTimeoutError::Timeout) => true,
        Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => false,
    }
}
