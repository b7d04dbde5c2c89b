//! RTP packets and what a receiver keeps about a stream of them (RFC 3550 §5, §6.4.1, A.1, A.3).
//!
//! Leaves out CSRC lists and header extensions: they are skipped on receipt and never sent, for
//! the switch is a translator into its own SSRC.

mod packet;
mod reception;

pub use packet::{
    Error, HEADER_BYTES, Header, Packet, distance, is_rtcp, sequence_distance, write,
};
pub use reception::Reception;
