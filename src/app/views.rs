//! Looks at living calls' media: captures lent to media workers, and seen to come back.
//!
//! The last to let go of a capture gives back its room, 1.7 MB, and that must never be a worker:
//! what a worker still holds is kept here until it does not.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::LegId;
use crate::media::{Capture, Captured, Command, Engine};

/// All looks of the house.
#[derive(Default)]
pub(super) struct Views {
    /// Looks that are over, and that a worker has not let go of.
    left: Mutex<Vec<View>>,
}

/// One look at one call.
#[derive(Clone)]
pub(super) struct View {
    capture: Arc<Capture>,
    /// Legs it was given to and not yet taken from.
    legs: HashSet<LegId>,
}

impl Views {
    /// A new look; none while workers hold too many earlier ones.
    pub(super) fn open(&self, engine: &Engine) -> Option<View> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain_mut(|view| !view.is_let_go(engine));
        (left.len() < MOST_LEFT).then(|| View {
            capture: Arc::new(Capture::new(ROOM)),
            legs: HashSet::new(),
        })
    }

    /// Ends a look: workers are told until they have let go of it. When they do not in time, it is
    /// kept, and they are told again at the next look.
    pub(super) fn close(&self, engine: &Engine, view: &mut View) {
        let patience = Instant::now() + PATIENCE;
        while !view.is_let_go(engine) {
            if Instant::now() >= patience {
                let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                return left.push(view.clone());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl View {
    /// Looks at these legs too.
    pub(super) fn look_at(&mut self, engine: &Engine, legs: impl Iterator<Item = LegId>) {
        for leg in legs {
            let capture = self.capture.clone();
            // A worker without room for an order is asked again at the next look.
            if !self.legs.contains(&leg) && engine.send(Command::Capture { leg, capture }).is_ok() {
                self.legs.insert(leg);
            }
        }
        engine.wake();
    }

    /// What was seen since the last time.
    pub(super) fn take(&self) -> impl Iterator<Item = Captured> + '_ {
        std::iter::from_fn(|| self.capture.take())
    }

    /// Tells workers to let go; whether all have.
    fn is_let_go(&mut self, engine: &Engine) -> bool {
        let capture = &self.capture;
        self.legs.retain(|leg| {
            let (leg, capture) = (*leg, capture.clone());
            engine.send(Command::CaptureEnd { leg, capture }).is_err()
        });
        engine.wake();
        self.legs.is_empty() && Arc::strong_count(capture) == 1
    }
}

/// Packets a capture has room for between two looks: a hundred legs' worth.
const ROOM: usize = 2048;

/// How long workers may take to let go of a capture.
const PATIENCE: Duration = Duration::from_secs(1);

/// Captures that workers may hold beyond their time: 14 MB.
const MOST_LEFT: usize = 8;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::media::{EngineConfig, Library, VirtualNet};

    fn engine() -> Engine {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let config = EngineConfig {
            other_family: None,
            workers: 2,
            cores: Vec::new(),
            bind: here,
            advertised: here,
            ports: 20_000..=20_099,
            quarantine: Duration::ZERO,
            recordings: std::path::PathBuf::new(),
            recording_format: crate::recording::Format::Wav,
            max_legs: 4,
            max_spares: 4,
            shards: 1,
        };
        Engine::simulated(config, Library::built_in(), VirtualNet::new())
    }

    #[test]
    fn what_a_worker_holds_is_kept_until_it_lets_go() {
        let (engine, views) = (engine(), Views::default());
        let mut view = views.open(&engine).unwrap();
        let held_by_worker = view.capture.clone();
        views.close(&engine, &mut view);
        drop(view);
        // Were it not kept, the worker would be the last.
        assert_eq!(Arc::strong_count(&held_by_worker), 2);
        assert!(views.open(&engine).is_some());
        assert_eq!(Arc::strong_count(&held_by_worker), 2);
        drop(held_by_worker);
        assert!(views.open(&engine).is_some());
        assert!(views.left.lock().unwrap().is_empty());
    }

    #[test]
    fn workers_that_let_nothing_go_are_given_no_more() {
        let (engine, views) = (engine(), Views::default());
        let mut held = Vec::new();
        while let Some(view) = views.open(&engine) {
            held.push(view.capture.clone());
            views.left.lock().unwrap().push(view);
        }
        assert_eq!(held.len(), MOST_LEFT);
        held.pop();
        assert!(views.open(&engine).is_some());
    }
}
