//! How much the pump takes from the network.

use std::time::Duration;

use crate::base::ShardId;

/// Bounds of one [`super::Transport`].
#[derive(Clone, Debug)]
pub struct TransportLimits {
    /// Datagrams, or messages from streams, taken in one wake-up before others get their turn.
    pub burst: usize,
    /// How long opening a stream may take.
    pub connect: Duration,
    /// Streams open at once.
    pub connections: usize,
    /// Streams open at once with one remote address.
    pub connections_per_address: usize,
    /// A stream silent for so long in both directions is closed. Longer than a registration, so
    /// that a registered phone stays reachable.
    pub idle: Duration,
    /// A stream must complete its first message, and any message it began, in this time.
    pub message: Duration,
    /// Messages from all streams waiting to be taken; when full, streams are not read.
    pub queue: usize,
    /// Kernel receive buffer asked for each datagram socket, in bytes.
    pub receive_buffer: usize,
    /// Lets several shards listen on one address (SO_REUSEPORT).
    pub reuse_port: bool,
    /// The shard whose sockets these are; it is inside every connection's number.
    pub shard: ShardId,
    /// Bytes waiting to be written to one stream; beyond it the stream is cut.
    pub write_queue: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            burst: 64,
            connect: Duration::from_secs(4),
            connections: 8192,
            connections_per_address: 2048,
            idle: Duration::from_secs(2 * 3600 + 300),
            message: Duration::from_secs(30),
            queue: 1024,
            // One second of 4,000 messages a second at 1 KiB.
            receive_buffer: 4 << 20,
            reuse_port: false,
            shard: ShardId(0),
            write_queue: 1 << 20,
        }
    }
}
