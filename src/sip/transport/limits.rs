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
    /// Accepted streams that have not brought a whole message yet. One more, and the one that is
    /// so for the longest time is cut: who fills the house with silence does not lock others out.
    pub half_open: usize,
    /// The same from one source, an address or a /64; one more is turned away.
    pub half_open_per_address: usize,
    /// How long the handshake of TLS may take, on either side.
    pub handshake: Duration,
    /// Streams others opened, at once. One more, and of those on which nobody proved who he is the
    /// one that is silent for the longest time is cut.
    pub connections: usize,
    /// Streams we opened, at once.
    pub connections_begun: usize,
    /// Streams that one source opened, an address or a /64, at once.
    pub connections_per_address: usize,
    /// A stream silent for so long in both directions is closed. Longer than a registration, so
    /// that a registered phone stays reachable.
    pub idle: Duration,
    /// A stream must complete its first message, and any message it began, in this time.
    pub message: Duration,
    /// How often a sign of life is asked for on streams we opened; 80 to 100 % of it, by chance
    /// (RFC 5626 §4.4.1).
    pub ping: Duration,
    /// How long its answer may take, from those who ever answered one.
    pub pong: Duration,
    /// Messages from all streams waiting to be taken; when full, streams are not read.
    pub queue: usize,
    /// Kernel receive buffer asked for each datagram socket, in bytes.
    pub receive_buffer: usize,
    /// Lets several shards listen on one address (SO_REUSEPORT).
    pub reuse_port: bool,
    /// The shard whose sockets these are; it is inside every connection's number.
    pub shard: ShardId,
    /// How long the other side may take to read one message.
    pub write: Duration,
    /// Bytes waiting to be written to one stream; beyond it the stream is cut.
    pub write_queue: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            burst: 64,
            connect: Duration::from_secs(4),
            half_open: 1024,
            half_open_per_address: 256,
            handshake: Duration::from_secs(5),
            connections: 8192,
            connections_begun: 4096,
            connections_per_address: 2048,
            idle: Duration::from_secs(2 * 3600 + 300),
            message: Duration::from_secs(30),
            ping: Duration::from_secs(120),
            pong: Duration::from_secs(10),
            queue: 1024,
            // One second of 4,000 messages a second at 1 KiB.
            receive_buffer: 4 << 20,
            reuse_port: false,
            shard: ShardId(0),
            write: Duration::from_secs(10),
            write_queue: 1 << 20,
        }
    }
}
