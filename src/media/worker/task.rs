//! The thread of a worker.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use super::Worker;
use crate::base::Clock;

/// Runs a worker on a thread of its own until its inbox says stop.
pub(crate) fn spawn(mut worker: Worker, clock: Arc<dyn Clock>) -> io::Result<JoinHandle<()>> {
    let name = format!("media-{}", worker.number);
    let inbox = Arc::clone(&worker.inboxes[worker.number]);
    Builder::new().name(name).spawn(move || {
        while !inbox.shall_stop.load(Ordering::Acquire) {
            worker.take_orders(clock.now());
            worker.take_packets(|| clock.now());
            worker.take_ticks(clock.now());
        }
        worker.take_orders(clock.now());
        worker.close_all(clock.now());
    })
}
