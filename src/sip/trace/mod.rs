//! SIP as it went over the network in the last minutes: for ladders, captures and HEP export.
//!
//! Messages are kept whole in a ring of bounded size, the oldest are forgotten first. Keeping one
//! is a reference count and a push; nothing is parsed until somebody asks.

mod export;
mod hep;
mod redact;

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Flow, Message};
use crate::base::Timestamp;

pub use export::{ExportStats, Exporter};
pub use hep::Agent;
pub use redact::{Numbers, redact};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the network to us.
    In,
    /// From us to the network.
    Out,
}

/// One message as it went over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When it came or went.
    pub at: Timestamp,
    /// Which way.
    pub way: Way,
    /// Between which addresses.
    pub flow: Flow,
    /// The message.
    pub bytes: Bytes,
}

impl Traced {
    /// A message to be kept. One cut out of a stream is copied, or it would keep the whole buffer
    /// alive that it was read with.
    pub fn new(at: Timestamp, way: Way, flow: Flow, bytes: &Bytes) -> Self {
        let is_slice = way == Way::In && flow.protocol.is_stream();
        let bytes = match is_slice {
            true => Bytes::copy_from_slice(bytes),
            false => bytes.clone(),
        };
        Self {
            at,
            way,
            flow,
            bytes,
        }
    }

    /// Its Call-ID, when it can be read.
    pub fn call_id(&self) -> Option<String> {
        let message = Message::parse(self.bytes.clone()).ok()?;
        message.call_id().ok().map(|id| id.to_owned())
    }
}

/// The ring of one shard.
#[derive(Debug)]
pub struct Trace {
    messages: VecDeque<Traced>,
    octets: usize,
    limit: usize,
    exporter: Option<Exporter>,
}

impl Trace {
    /// A ring of at most `limit` octets; with 0 nothing is kept. What is noted also goes to the
    /// exporter, when there is one.
    pub fn new(limit: usize, exporter: Option<Exporter>) -> Self {
        Self {
            messages: VecDeque::new(),
            octets: 0,
            limit,
            exporter,
        }
    }

    /// Keeps a message, and forgets the oldest that have no room any more.
    pub fn note(&mut self, traced: Traced) {
        if let Some(exporter) = &self.exporter {
            exporter.send(&traced);
        }
        if self.limit == 0 {
            return;
        }
        self.octets += weight(&traced);
        self.messages.push_back(traced);
        while self.octets > self.limit
            && let Some(oldest) = self.messages.pop_front()
        {
            self.octets -= weight(&oldest);
        }
    }

    /// Everything kept, the oldest first. Clones share the messages' octets.
    pub fn messages(&self) -> Vec<Traced> {
        self.messages.iter().cloned().collect()
    }
}

/// Octets a message costs, its place in the ring included.
fn weight(traced: &Traced) -> usize {
    traced.bytes.len() + size_of::<Traced>() + ALLOCATION
}

/// What an allocation costs beside its octets, about.
const ALLOCATION: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(ms: i64, size: usize) -> Traced {
        let [local, remote] = [1u8, 2].map(|last| ([127, 0, 0, last], 5060).into());
        Traced {
            at: Timestamp::from_millis(ms),
            way: Way::In,
            flow: Flow::udp(local, remote),
            bytes: Bytes::from(vec![b'x'; size]),
        }
    }

    #[test]
    fn the_oldest_are_forgotten_when_the_room_is_full() {
        let mut trace = Trace::new(10_000, None);
        for ms in 0..100 {
            trace.note(traced(ms, 1_000));
            assert!(trace.octets <= 10_000);
        }
        let kept = trace.messages();
        assert!((5..10).contains(&kept.len()), "{}", kept.len());
        assert_eq!(
            kept.last().map(|last| last.at),
            Some(Timestamp::from_millis(99))
        );
        assert!(kept.is_sorted_by_key(|traced| traced.at));
    }

    #[test]
    fn a_message_larger_than_the_room_is_not_kept_and_nothing_else_breaks() {
        let mut trace = Trace::new(1_000, None);
        trace.note(traced(0, 5_000));
        assert_eq!((trace.messages().len(), trace.octets), (0, 0));
        trace.note(traced(1, 100));
        assert_eq!(trace.messages().len(), 1);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut trace = Trace::new(0, None);
        trace.note(traced(0, 1));
        assert!(trace.messages().is_empty());
    }
}
