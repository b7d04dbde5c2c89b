//! Lets recordings go when their time has come: a thread that looks every ten minutes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::recording::{Limits, sweep};

/// How often recordings are looked through.
const PACE: Duration = Duration::from_secs(600);

/// What was done so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) deleted: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Bytes that are left; known once there are limits.
    pub(super) left: AtomicU64,
}

/// The thread, if there are limits.
#[derive(Debug)]
pub(super) struct Retention {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Retention {
    /// Begins to look after a directory.
    pub(super) fn start(
        directory: PathBuf,
        limits: Limits,
        tally: Arc<Tally>,
    ) -> std::io::Result<Self> {
        if limits.is_none() {
            return Ok(Self { thread: None });
        }
        let (sender, stop) = mpsc::channel();
        let look = move || {
            loop {
                match sweep(&directory, limits, SystemTime::now()) {
                    Ok(swept) => {
                        tally.deleted.fetch_add(swept.deleted, Ordering::Relaxed);
                        tally.failed.fetch_add(swept.failed, Ordering::Relaxed);
                        tally.left.store(swept.left, Ordering::Relaxed);
                        if swept.deleted + swept.failed > 0 {
                            tracing::info!(?swept, "recording.retention");
                        }
                    }
                    Err(error) => {
                        tally.failed.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(%error, "recording.retention_failed");
                    }
                }
                match stop.recv_timeout(PACE) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("retention".to_owned())
            .spawn(look)?;
        Ok(Self {
            thread: Some((sender, thread)),
        })
    }

    /// Stops looking.
    pub(super) fn stop(self) {
        if let Some((sender, thread)) = self.thread {
            drop(sender);
            if thread.join().is_err() {
                tracing::error!("retention ended by a panic");
            }
        }
    }
}
