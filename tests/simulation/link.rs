//! The network under SIP: late, lossy, out of order, and the same every time.

use std::time::Duration;

use tsunagu::base::{Entropy, Timestamp};

/// How bad the network is. Decided by a seed alone.
pub(crate) struct Link {
    entropy: Entropy,
    /// Lost datagrams in a thousand.
    pub(crate) loss: u64,
    /// Doubled datagrams in a thousand.
    pub(crate) doubles: u64,
    /// Shortest way, in microseconds.
    pub(crate) latency: u64,
    /// What comes on top at the most: with it, datagrams overtake each other.
    pub(crate) jitter: u64,
    /// Longest way of a word between rooms (media's notices, the router's outputs), likewise;
    /// words of one room never overtake each other.
    pub(crate) hallway: u64,
    last: [Timestamp; ROOMS],
}

/// Rooms whose words come in order.
const ROOMS: usize = 3;

/// Between which rooms a word goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hallway {
    FromMedia,
    FromRouter,
    ToRouter,
}

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            entropy: Entropy::from_seed(seed),
            loss: 0,
            doubles: 0,
            latency: 1000,
            jitter: 0,
            hallway: 100,
            last: [Timestamp::ZERO; ROOMS],
        }
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub(crate) fn arrivals(&mut self, now: Timestamp) -> Vec<Timestamp> {
        let mut arrivals = Vec::new();
        let copies = 1 + u64::from(self.entropy.below(1000) < self.doubles);
        for _ in 0..copies {
            if self.entropy.below(1000) >= self.loss {
                let way = self.latency + self.entropy.below(self.jitter + 1);
                arrivals.push(now + Duration::from_micros(way));
            }
        }
        arrivals
    }

    /// When a word said now is heard in another room.
    pub(crate) fn heard(&mut self, now: Timestamp, hallway: Hallway) -> Timestamp {
        let way = Duration::from_micros(1 + self.entropy.below(self.hallway));
        let last = &mut self.last[hallway as usize];
        *last = (*last).max(now + way);
        *last
    }
}
