//! The workers as a whole: threads, or one hand that moves them all through virtual time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use super::VirtualNet;
use super::worker::{Inbox, Worker, spawn};
use crate::base::{Clock, Timestamp};

/// Whose time it is.
pub(crate) enum Time {
    Real(Arc<dyn Clock>),
    Virtual(VirtualNet),
}

impl Time {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Time::Real(clock) => clock.now(),
            Time::Virtual(net) => net.now(),
        }
    }
}

/// All workers of an engine.
pub(crate) enum Crew {
    Inline(Vec<Worker>),
    Threads(Vec<JoinHandle<()>>),
}

impl Crew {
    /// Nobody yet, or nobody any more.
    pub(crate) fn none() -> Self {
        Self::Threads(Vec::new())
    }

    /// Workers that live in [`Crew::run_until`].
    pub(crate) fn inline(workers: Vec<Worker>) -> Self {
        Self::Inline(workers)
    }

    /// Gives every worker a thread. Those that have one keep it when a later one gets none, so
    /// that stopping the crew stops them. `cores` are those they are bound to, in turn.
    pub(crate) fn start(
        &mut self,
        workers: Vec<Worker>,
        cores: &[usize],
        clock: &Arc<dyn Clock>,
    ) -> io::Result<()> {
        let mut threads = Vec::new();
        let mut cores = cores.iter().copied().cycle();
        let started = workers.into_iter().try_for_each(|worker| {
            threads.push(spawn(worker, cores.next(), Arc::clone(clock))?);
            Ok(())
        });
        *self = Self::Threads(threads);
        started
    }

    /// Lets inline workers live until `now`; `each` is called after every tick.
    pub(crate) fn run_until(&mut self, net: &VirtualNet, now: Timestamp, each: impl Fn()) {
        let Crew::Inline(workers) = self else {
            return;
        };
        settle(workers, net, net.now());
        loop {
            let ticks = workers.iter().map(Worker::next_tick);
            let next = ticks.chain(net.next_arrival()).min();
            let Some(next) = next.filter(|next| *next <= now) else {
                break;
            };
            settle(workers, net, next);
            for worker in workers.iter_mut() {
                worker.take_ticks(next);
                while worker.take_report(next) {}
                worker.end_plays();
            }
            settle(workers, net, next);
            each();
        }
        settle(workers, net, now);
        each();
    }

    /// Lets every worker close what it has, and waits for it.
    pub(crate) fn stop(&mut self, inboxes: &[Arc<Inbox>], now: Timestamp) {
        match std::mem::replace(self, Self::none()) {
            Crew::Inline(mut workers) => {
                for worker in &mut workers {
                    worker.take_orders(now);
                }
                for worker in &mut workers {
                    worker.take_orders(now);
                    worker.close_all(now);
                }
            }
            Crew::Threads(threads) => {
                for inbox in inboxes {
                    inbox.shall_stop.store(true, Ordering::Release);
                    inbox.wake();
                }
                for thread in threads {
                    // A worker that panicked has said so itself.
                    let _ = thread.join();
                }
            }
        }
    }
}

/// Everything that can happen at one instant.
fn settle(workers: &mut [Worker], net: &VirtualNet, now: Timestamp) {
    loop {
        net.advance(now);
        let mut any = false;
        for worker in workers.iter_mut() {
            any |= worker.take_orders(now);
            any |= worker.take_packets(|| now);
        }
        if !any {
            return;
        }
    }
}
