//! The thread of a worker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_setaffinity};

use super::Worker;
use crate::base::Clock;
#[cfg(test)]
use crate::media::allocations::watched;

/// Marks what must not allocate; tests see to it.
#[cfg(not(test))]
fn watched<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Runs a worker on a thread of its own, bound to a core if one is given, until its inbox says
/// stop.
pub(crate) fn spawn(
    mut worker: Worker,
    core: Option<usize>,
    clock: Arc<dyn Clock>,
) -> io::Result<JoinHandle<()>> {
    let name = format!("media-{}", worker.number);
    let inbox = Arc::clone(&worker.inboxes[worker.number]);
    Builder::new().name(name).spawn(move || {
        go_first();
        if let Some(core) = core {
            stay_on(core);
        }
        while !inbox.shall_stop.load(Ordering::Acquire) {
            watched(|| worker.take_packets(|| clock.now()));
            // Before the tick, in which most of them take effect.
            worker.take_orders(clock.now());
            watched(|| {
                worker.take_ticks(clock.now());
                worker.take_report(clock.now());
            });
            worker.end_plays();
        }
        worker.take_orders(clock.now());
        worker.close_all(clock.now());
    })
}

/// Lets the kernel run this thread before others that want the core: a frame that is late is lost,
/// a page of HTTP is not. Without the right to (`LimitNICE` in the unit) all is as before.
fn go_first() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        tracing::debug!(%error, "media threads keep the common priority");
    }
}

/// Binds this thread to a core. One that cannot be had is said, and the thread runs anywhere.
fn stay_on(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    if let Err(error) = sched_setaffinity(None, &only) {
        tracing::warn!(core, %error, "media.cores names a core that cannot be had");
    }
}

/// Linux takes a thread's number where POSIX has a process's, and gives this nice value about ten
/// times the share of the common one.
const NICE: i32 = -12;
