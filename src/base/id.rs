//! Identifiers. Region, node and shard are inside every one that leaves the process.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Timestamp;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an id as it was written before.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The written form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

text_id!(
    /// The logical call: one human conversation from the first INVITE to the end of wrap-up,
    /// however many SIP dialogs it takes. `region-node-shard-time-count`.
    CallId
);
text_id!(
    /// One recording (one file and its sidecar).
    RecordingId
);
text_id!(
    /// One task of the router: work that waits for a worker.
    TaskId
);
text_id!(
    /// One offer of a task to a worker: the task's id and the number of the attempt.
    ReservationId
);
impl CallId {
    /// The shard that made the id and holds the call.
    pub fn shard(&self) -> Option<ShardId> {
        self.0.rsplit('-').nth(2)?.parse().ok().map(ShardId)
    }
}

number_id!(
    /// One SIP leg and its media, unique on the node for the life of the process: the shard in
    /// the upper 16 bits, a counter below.
    LegId
);
number_id!(
    /// One conference, unique on the node for the life of the process, numbered like [`LegId`].
    RoomId
);

/// A signalling shard's number on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

/// Where an id was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Region of the node, such as `jp1`.
    pub region: Arc<str>,
    /// Name of the node, such as `tokyo1`.
    pub node: Arc<str>,
    /// Signalling shard.
    pub shard: ShardId,
}

/// Makes ids; one per shard. Unique across restarts as long as time does not run backwards.
#[derive(Clone, Debug)]
pub struct IdSource {
    origin: Origin,
    last: Timestamp,
    count: u64,
    legs: u64,
}

impl IdSource {
    /// A source for one shard.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            last: Timestamp::ZERO,
            count: 0,
            legs: 0,
        }
    }

    /// Where this source's ids say they were made.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A new logical call.
    pub fn call(&mut self, now: Timestamp) -> CallId {
        CallId::new(self.text(now))
    }

    /// A new recording.
    pub fn recording(&mut self, now: Timestamp) -> RecordingId {
        RecordingId::new(self.text(now))
    }

    /// A new task.
    pub fn task(&mut self, now: Timestamp) -> TaskId {
        TaskId::new(self.text(now))
    }

    /// A new leg.
    pub fn leg(&mut self) -> LegId {
        LegId(self.number())
    }

    /// A new conference.
    pub fn room(&mut self) -> RoomId {
        RoomId(self.number())
    }

    /// From now on makes no leg or conference of this number or a lower one: it is in use.
    pub fn skip_past(&mut self, number: u64) {
        if number >> 48 == u64::from(self.origin.shard.0) {
            self.legs = self.legs.max(number & 0xffff_ffff_ffff);
        }
    }

    fn number(&mut self) -> u64 {
        self.legs += 1;
        (u64::from(self.origin.shard.0) << 48) | self.legs
    }

    fn text(&mut self, now: Timestamp) -> String {
        self.last = self.last.max(now);
        self.count += 1;
        let Origin {
            region,
            node,
            shard,
        } = &self.origin;
        let time = base36(u64::try_from(self.last.as_millis()).unwrap_or(0));
        format!("{region}-{node}-{}-{time}-{}", shard.0, base36(self.count))
    }
}

/// Digits and lower-case letters: shorter than decimal, still sorts by time for centuries.
fn base36(mut value: u64) -> String {
    let mut digits = Vec::with_capacity(13);
    loop {
        digits.push(char::from_digit((value % 36) as u32, 36).unwrap_or('0'));
        value /= 36;
        if value == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_region_node_and_shard_and_never_repeat() {
        let origin = Origin {
            region: "jp1".into(),
            node: "tokyo1".into(),
            shard: ShardId(2),
        };
        let mut ids = IdSource::new(origin);
        let now = Timestamp::from_millis(1_795_136_523_456);
        let (a, b) = (ids.call(now), ids.call(now));
        assert!(a.as_str().starts_with("jp1-tokyo1-2-"));
        assert_eq!(a.shard(), Some(ShardId(2)));
        assert_ne!(a, b);
        assert_eq!(ids.leg().0 >> 48, 2);
        assert_ne!(ids.leg(), ids.leg());
        let mut again = IdSource::new(ids.origin().clone());
        let taken = ids.leg();
        again.skip_past(taken.0);
        assert!(again.leg() > taken);
    }
}
