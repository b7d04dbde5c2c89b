//! The engine's side of the recorder: opens tapes, and tells the right shard when one is closed.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::command::Tape;
use super::notices::NoticeRing;
use super::recorder::{Closed, Disk, DiskConfig, News, Opening, Tap};
use super::{Notice, Rate, Stats};
use crate::base::{RecordingId, ShardId, Timestamp};

/// Whose a recording is, until it is closed.
type Owners = Arc<Mutex<HashMap<RecordingId, ShardId>>>;

/// The recorder, if it could be started.
#[derive(Debug)]
pub(crate) struct Recordings {
    disk: Result<Disk, String>,
    owners: Owners,
    notices: Vec<Arc<NoticeRing>>,
    /// A pumped disk that does nothing for a while.
    #[cfg(test)]
    is_stalled: std::sync::atomic::AtomicBool,
}

/// How the disk works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// On threads of its own.
    Threads,
    /// When [`Recordings::pump`] is called.
    Pumped,
}

impl Recordings {
    /// Starts the recorder. When that fails every recording is told as lost, with the reason.
    pub(crate) fn start(config: DiskConfig, pace: Pace, notices: Vec<Arc<NoticeRing>>) -> Self {
        let owners = Owners::default();
        let sink = {
            let (owners, notices) = (Arc::clone(&owners), notices.clone());
            move |news: News| match news {
                News::Closed(closed) => {
                    let owner = lock(&owners).remove(&closed.recording);
                    tell(&notices, owner.unwrap_or(ShardId(0)), *closed);
                }
                News::Trouble { recording, why } => {
                    let owner = lock(&owners).get(&recording).copied();
                    let ring = owner.and_then(|shard| notices.get(usize::from(shard.0)));
                    if let Some(ring) = ring {
                        // The log has it, too, and the sidecar in the end.
                        let _ = ring.push(Notice::RecordingTrouble { recording, why });
                    }
                }
            }
        };
        let disk = match pace {
            Pace::Threads => Disk::start(config, sink),
            Pace::Pumped => Disk::inline(config, sink),
        };
        Self {
            disk: disk.map_err(|error| format!("the recorder cannot start: {error}")),
            owners,
            notices,
            #[cfg(test)]
            is_stalled: Default::default(),
        }
    }

    /// Lets a pumped disk take nothing more from its queue, or take all of it again.
    #[cfg(test)]
    pub(crate) fn stall(&self, on: bool) {
        self.is_stalled.store(on, Ordering::Relaxed);
    }

    /// Why the recorder did not start.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.disk
            .as_ref()
            .err()
            .map(|why| io::Error::other(why.clone()))
    }

    /// Tells the first shard what was found unfinished and repaired.
    pub(crate) fn tell_recovered(&self, recovered: Vec<Closed>) {
        for closed in recovered {
            tell(&self.notices, ShardId(0), closed);
        }
    }

    /// Begins a recording; when it is refused the shard is told at once.
    pub(crate) fn open(
        &self,
        (recording, shard, started): (RecordingId, ShardId, Timestamp),
        rate: Rate,
        tape: Tape,
    ) -> Option<Tap> {
        let lost = Closed {
            recording: recording.clone(),
            started,
            duration_ms: 0,
            path: PathBuf::from(&tape.stem),
            bytes: 0,
            sha256: String::new(),
            channels: tape.channels.clone(),
            gaps: Vec::new(),
            marks: Vec::new(),
            seal: String::new(),
            defect: None,
        };
        let opening = Opening {
            recording: recording.clone(),
            stem: tape.stem,
            started,
            channels: tape.channels,
            rate,
            format: tape.format,
            labels: tape.labels,
        };
        lock(&self.owners).insert(recording.clone(), shard);
        let tap = match &self.disk {
            Ok(disk) => disk.open(opening).map_err(|refused| refused.to_string()),
            Err(why) => Err(why.clone()),
        };
        match tap {
            Ok(tap) => Some(tap),
            Err(why) => {
                lock(&self.owners).remove(&recording);
                let defect = Some(why);
                tell(&self.notices, shard, Closed { defect, ..lost });
                None
            }
        }
    }

    /// Whether a recording could begin now, or why not.
    pub(crate) fn health(&self) -> Result<(), String> {
        self.disk.as_ref().map_err(Clone::clone)?.health()
    }

    /// Does what a pumped disk has to do.
    pub(crate) fn pump(&self) {
        #[cfg(test)]
        if self.is_stalled.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(disk) = &self.disk {
            disk.pump();
        }
    }

    /// Publishes what is closed and waits for it.
    pub(crate) fn stop(&self) {
        if let Ok(disk) = &self.disk {
            disk.stop();
        }
    }

    /// Brings the gauges up to date.
    pub(crate) fn gauge(&self, stats: &Stats) {
        if let Ok(disk) = &self.disk {
            let own = disk.stats();
            for (from, to) in [
                (&own.backlog, &stats.recorder_backlog),
                (&own.missed_samples, &stats.recorder_missed_samples),
                (&own.failing, &stats.recordings_failing),
                (&own.unpublished, &stats.recordings_unpublished),
                (&own.failed_writes, &stats.recorder_failed_writes),
            ] {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }
}

/// Tells a shard what became of a recording. Half of the ring is kept for notices like this one;
/// should even that be full, the sidecar still has it all.
fn tell(notices: &[Arc<NoticeRing>], shard: ShardId, closed: Closed) {
    let Some(ring) = notices.get(usize::from(shard.0)) else {
        return;
    };
    let path = closed.path.clone();
    if ring
        .push(Notice::RecordingClosed(Box::new(closed)))
        .is_err()
    {
        let path = path.display();
        tracing::error!(%path, "recording.notice_dropped");
    }
}

fn lock(owners: &Owners) -> MutexGuard<'_, HashMap<RecordingId, ShardId>> {
    owners.lock().unwrap_or_else(PoisonError::into_inner)
}
