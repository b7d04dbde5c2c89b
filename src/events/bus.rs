//! The bounded bus: every subscriber gets every event, or the count of those it was too slow for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::Event;

/// Where events are published; cheap to clone. Publishing never waits.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    subscribers: Arc<Mutex<Vec<SyncSender<Arc<Event>>>>>,
    lost: Arc<AtomicU64>,
}

/// One subscriber's end.
#[derive(Debug)]
pub struct Subscription {
    receiver: Receiver<Arc<Event>>,
}

impl Bus {
    /// A bus without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hears all events from now on; at most `capacity` wait, later ones are lost to this
    /// subscriber alone.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        let (sender, receiver) = sync_channel(capacity);
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        Subscription { receiver }
    }

    /// Tells every subscriber; drops those that are gone. Returns how many could not take it.
    pub fn publish(&self, event: &Arc<Event>) -> usize {
        let mut lagging = 0;
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|subscriber| match subscriber.try_send(event.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    lagging += 1;
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            });
        self.lost.fetch_add(lagging as u64, Ordering::Relaxed);
        lagging
    }

    /// Events that some subscriber was too slow for, since the start.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A publisher that wakes a sleeping subscriber pays several microseconds for it; so it happens
/// ten times a second at the most, in which 1,500 calls a second leave some 2,000 events.
const REST: std::time::Duration = std::time::Duration::from_millis(100);

impl Subscription {
    /// Waits for the next event; `None` when the bus is gone.
    pub fn recv(&self) -> Option<Arc<Event>> {
        self.receiver.recv().ok()
    }

    /// The next event, for a subscriber who need not know at once: after each burst it rests, so
    /// that publishers seldom have to wake it. A single event comes without delay.
    pub fn recv_at_leisure(&self) -> Option<Arc<Event>> {
        self.try_recv().or_else(|| {
            std::thread::sleep(REST);
            self.recv()
        })
    }

    /// The next event if one is there.
    pub fn try_recv(&self) -> Option<Arc<Event>> {
        self.receiver.try_recv().ok()
    }
}
