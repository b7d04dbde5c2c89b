//! Recordings that could not be published: tried again while the switch runs, after longer and longer
//! pauses. What is still left when it stops is repaired and published at its next start.

use std::time::{Duration, Instant};

use super::Closed;
use super::publish::Ready;

/// Recordings that are tried again; each keeps a file open. More are left for the next start.
pub(super) const MAX_WAITING: usize = 256;

/// The first pause, and the longest: each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Those that wait.
#[derive(Default)]
pub(super) struct Unpublished {
    waiting: Vec<Waiting>,
}

struct Waiting {
    ready: Box<Ready>,
    due: Instant,
    /// Before the next try but one.
    pause: Duration,
}

impl Unpublished {
    /// Keeps one that failed just now; `false` when there are too many.
    pub(super) fn push(&mut self, now: Instant, ready: Box<Ready>) -> bool {
        let has_room = self.waiting.len() < MAX_WAITING;
        if has_room {
            self.waiting.push(Waiting {
                ready,
                due: now + FIRST_PAUSE,
                pause: 2 * FIRST_PAUSE,
            });
        }
        has_room
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// Tries one that is due; returns it when it is published.
    pub(super) fn retry(&mut self, now: Instant) -> Option<Closed> {
        let due = |waiting: &Waiting| waiting.due <= now;
        let place = self.waiting.iter().position(due)?;
        let waiting = &mut self.waiting[place];
        match waiting.ready.publish() {
            Ok(closed) => {
                self.waiting.swap_remove(place);
                Some(closed)
            }
            Err(error) => {
                let path = waiting.ready.path();
                let pause = waiting.pause.as_secs();
                tracing::warn!(path = %path.display(), %error, pause, "recording.publish_failed");
                waiting.due = now + waiting.pause;
                waiting.pause = (2 * waiting.pause).min(LONGEST_PAUSE);
                None
            }
        }
    }

    /// Tries all, due or not, for the last time; returns those that are published.
    pub(super) fn try_all(&mut self) -> Vec<Closed> {
        let waiting = self.waiting.drain(..);
        let tried = waiting.filter_map(|mut waiting| waiting.ready.publish().ok());
        tried.collect()
    }
}
