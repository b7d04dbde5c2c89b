//! RTP packets and what a receiver keeps about a stream of them (RFC 3550 §5, §6.4.1, A.1, A.3), and
//! payloads that repeat what earlier packets carried (RFC 2198).
//!
//! Leaves out CSRC lists and header extensions: they are skipped on receipt and never sent, for
//! the switch is a translator into its own SSRC.

mod packet;
mod reception;
mod redundancy;

pub use packet::{
    Error, HEADER_BYTES, Header, Packet, distance, is_rtcp, sequence_distance, write,
};
pub use reception::Reception;
pub use redundancy::{Block, Earlier, MAX_EARLIER, MAX_OFFSET, unfold, write_redundant};
