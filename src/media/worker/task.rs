//! The thread of a worker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use super::Worker;
use crate::base::Clock;
#[cfg(test)]
use crate::media::allocations::watched;

/// Marks what must not allocate; tests see to it.
#[cfg(not(test))]
fn watched<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Runs a worker on a thread of its own until its inbox says stop.
pub(crate) fn spawn(mut worker: Worker, clock: Arc<dyn Clock>) -> io::Result<JoinHandle<()>> {
    let name = format!("media-{}", worker.number);
    let inbox = Arc::clone(&worker.inboxes[worker.number]);
    Builder::new().name(name).spawn(move || {
        go_first();
        while !inbox.shall_stop.load(Ordering::Acquire) {
            watched(|| worker.take_packets(|| clock.now()));
            // Before the tick, in which most of them take effect.
            worker.take_orders(clock.now());
            watched(|| worker.take_ticks(clock.now()));
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

/// Linux takes a thread's number where POSIX has a process's, and gives this nice value about ten
/// times the share of the common one.
const NICE: i32 = -12;
