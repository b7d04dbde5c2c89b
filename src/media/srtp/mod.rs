//! Secure RTP: packets are protected and unprotected where they lie (RFC 3711, 7714).
//!
//! One [`Session`] a leg, made from a pair of master keys (RFC 4568 brings them). It allocates
//! when it is made and rekeyed, never for a packet. Leaves out MKIs, key derivation rates other
//! than 0 and encrypted header extensions: nothing of it is ever negotiated.

mod cipher;
mod keys;
mod protector;
mod session;
mod unprotector;
mod window;

pub use keys::{Keys, MasterKey, Suite};
pub use session::{Rekeyed, Session, SessionState};

use crate::media::rtp;

/// Octets that protecting adds to a packet at most: the tag of AES-GCM and the index of SRTCP.
pub const OVERHEAD: usize = 20;

/// Why a packet that came in is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The tag is not of our key: somebody else's, changed on its way, or not encrypted at all.
    #[error("forged or of another key")]
    Forged,
    /// Too short, or not RTP at all.
    #[error("not an SRTP packet")]
    Malformed,
    /// Was there before, or is older than we can tell.
    #[error("repeated")]
    Replayed,
}

/// Why a packet cannot go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// Another packet of this number went out already: encrypting a second one under the same
    /// number would give both away (RFC 3711 §9.1).
    #[error("the packet's number is used up")]
    Repeated,
    /// 2^48 packets or 2^31 reports went out under this key (RFC 3711 §9.2).
    #[error("the key is used up")]
    Exhausted,
    /// Not RTP, or the buffer has no room for the tag.
    #[error("not a packet with room for its tag")]
    Malformed,
}

/// Where the payload of an RTP packet begins: after CSRC list and extension.
fn payload_at(packet: &[u8]) -> Option<usize> {
    let first = *packet.first().filter(|first| *first >> 6 == 2)?;
    let fixed = rtp::HEADER_BYTES + usize::from(first & 0x0f) * 4;
    if first & 0x10 == 0 {
        return (packet.len() >= fixed).then_some(fixed);
    }
    let words = packet.get(fixed + 2..fixed + 4)?;
    let length = usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    let end = fixed + 4 + length;
    (packet.len() >= end).then_some(end)
}

/// Four octets of a packet as a number.
fn word(packet: &[u8], at: usize) -> Option<u32> {
    let octets = packet.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

#[cfg(test)]
mod tests;
