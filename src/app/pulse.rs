//! Agents' heartbeats as they come, and a thread that looks who is heard no more.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, ShardId, Timestamp};
use crate::http::{Live, Pulse};
use crate::presence::{Change, HeartbeatTerms, Heartbeats, Present};
use crate::router::{Command, Object, RouterHandle, RouterView, Shown, WorkerView};

use super::live::House;

/// The machine, and what wakes its thread.
#[derive(Debug)]
pub(super) struct Beats {
    /// What it wants is sent while it is locked, so that "again" never overtakes "missing".
    machine: Mutex<Heartbeats>,
    /// Where agents stood in the router's view when they were last looked for there.
    places: Mutex<HashMap<String, usize>>,
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
            places: Mutex::default(),
            words: words.clone(),
        });
        let watched = beats.clone();
        let look = move || {
            loop {
                let now = clock.now();
                let view = router.view();
                let mut machine = watched.lock();
                let changes = machine.handle_timeout(now, |agent| watched.present(&view, agent));
                let next = machine.poll_timeout();
                changes.into_iter().for_each(|change| send(&router, change));
                drop(machine);
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

    /// An agent as a view shows him; `None` when it has no such agent.
    fn present(&self, view: &RouterView, agent: &str) -> Option<Present> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let is_he = |worker: &&WorkerView| worker.spec.name == agent;
        let known = places.get(agent).and_then(|place| view.workers.get(*place));
        let worker = match known.filter(is_he) {
            Some(worker) => worker,
            None => {
                // The list changes with the plan alone; names of plans before are not kept.
                if places.len() > view.workers.len() {
                    places.clear();
                }
                let place = view.workers.iter().position(|worker| is_he(&worker))?;
                places.insert(agent.to_owned(), place);
                &view.workers[place]
            }
        };
        present(worker)
    }

    /// An agent is heard. `shown` is what a view has him in, which may be older than what was last
    /// sent; `asked` waits for the router's own word behind that, and `send` does not wait.
    fn hear(
        &self,
        (now, agent): (Timestamp, &str),
        shown: Present,
        asked: impl FnOnce() -> Option<Present>,
        send: impl FnMut(Change),
    ) -> Pulse {
        let mut machine = self.lock();
        let mut is = Some(shown);
        if machine.is_gone(agent) {
            // Others are heard meanwhile.
            drop(machine);
            let shown = is.take();
            is = asked();
            machine = self.lock();
            if is.is_none() {
                // The router is silent: his next heartbeat asks it again.
                let activity = shown.map(|shown| shown.activity).unwrap_or_default();
                return pulse(&machine, agent, activity);
            }
        }
        let sleeps_long = machine.poll_timeout().is_none();
        let change = is.as_ref().and_then(|is| machine.beat(now, agent, is));
        let activity = change.as_ref().map(|change| change.activity.clone());
        let activity = activity.or(is.map(|is| is.activity)).unwrap_or_default();
        let pulse = pulse(&machine, agent, activity);
        change.into_iter().for_each(send);
        drop(machine);
        if sleeps_long {
            self.wake();
        }
        pulse
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
        let shown = self.beats.present(&self.router.view(), agent)?;
        let asked = || match self.router.look(Object::Worker(agent.to_owned())).ok()?? {
            Shown::Worker(worker) => present(&worker),
            Shown::Task(_) => None,
        };
        let send = |change| send(&self.router, change);
        let heard = (self.now(), agent);
        Some(self.beats.hear(heard, shown, asked, send))
    }

    /// An agent's program says goodbye: whether it was waited for; `None` without such an agent.
    pub(super) fn hear_no_more(&self, agent: &str) -> Option<bool> {
        self.beats.present(&self.router.view(), agent)?;
        Some(self.beats.lock().forget(agent))
    }

    /// Other terms, after a reload.
    pub(super) fn set_heartbeats(&self, terms: HeartbeatTerms, is_agent: impl Fn(&str) -> bool) {
        self.beats.lock().set_terms(self.now(), terms, is_agent);
        self.beats.wake();
    }
}

fn present(worker: &WorkerView) -> Option<Present> {
    (!worker.removed).then(|| Present {
        activity: worker.activity.clone(),
        available: worker.available,
        reason: worker.reason.clone(),
    })
}

fn pulse(machine: &Heartbeats, agent: &str, activity: String) -> Pulse {
    let terms = machine.terms();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Pulse {
        agent: agent.to_owned(),
        activity,
        next_ms: ms(terms.every()),
        within_ms: ms(terms.within),
    }
}

fn send(router: &RouterHandle, change: Change) {
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

/// Whether to go on after this sleep: so long, or until woken.
fn sleep(told: &Receiver<Word>, wait: Option<Duration>) -> bool {
    let wait = wait.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
    match told.recv_timeout(wait) {
        Ok(Word::Look) | Err(RecvTimeoutError::Timeout) => true,
        Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(activity: &str, reason: &str) -> Present {
        Present {
            activity: activity.to_owned(),
            available: activity == "available",
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_heartbeat_right_after_the_deadline_brings_the_agent_back() {
        let at = Timestamp::from_millis;
        let (words, _told) = channel();
        let beats = Beats {
            machine: Mutex::new(Heartbeats::new(at(0), HeartbeatTerms::default())),
            places: Mutex::default(),
            words,
        };
        // What the view goes on to show for some 20 ms.
        let stale = is("available", "set by phone 1001");
        let never = || -> Option<Present> { panic!("he is there") };
        beats.hear((at(0), "sato"), stale.clone(), never, |_| {});
        let gone = beats
            .lock()
            .handle_timeout(at(5_000), |_| Some(stale.clone()));
        let now = is(&gone[0].activity, &format!("set by {}", gone[0].by));
        // The router is silent: nothing is decided on old news.
        let heard = (at(5_001), "sato");
        let pulse = beats.hear(heard, stale.clone(), || None, |_| panic!("guessed"));
        assert_eq!(pulse.activity, "available");
        let mut sent = Vec::new();
        let asked = || Some(now.clone());
        let pulse = beats.hear(heard, stale.clone(), asked, |change| sent.push(change));
        assert_eq!(pulse.activity, "available");
        assert_eq!(sent.len(), 1, "back again");
        assert_eq!(
            (&*sent[0].activity, &*sent[0].by),
            ("available", "heartbeat again")
        );
        let asked = || -> Option<Present> { panic!("heard already") };
        beats.hear(heard, stale, asked, |_| panic!("once"));
    }
}
