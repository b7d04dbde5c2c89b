//! Keys pressed: as RFC 4733 telephone events, received each exactly once and sent, and as the
//! tones of ITU-T Q.23, detected within the limits of Q.24 and generated.

mod detector;
mod generator;
mod history;
mod method;
mod queue;
mod receiver;
mod sender;

#[cfg(test)]
mod q24;

pub use detector::Detector;
pub use generator::Generator;
pub(crate) use history::MAX_REDUNDANT;
pub use history::{History, MAX_DEPTH};
pub use method::Method;
pub use queue::QUEUE_DIGITS;
pub use receiver::{Press, Receiver};
pub(crate) use sender::ENDS;
pub use sender::{EventPacket, Sender};

use queue::Queue;

/// Bytes of an event payload (RFC 4733 §2.3).
const PAYLOAD_BYTES: usize = 4;

/// Digits in the order of their event codes (RFC 4733 §3.2).
const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The digit of an event code; `None` for events that are no keys of a telephone.
pub fn digit(event: u8) -> Option<char> {
    DIGITS
        .get(usize::from(event))
        .map(|digit| char::from(*digit))
}

/// The event code of a digit: `0`-`9`, `*`, `#`, `A`-`D` in either case.
pub fn event(digit: char) -> Option<u8> {
    let digit = u8::try_from(digit).ok()?.to_ascii_uppercase();
    let event = DIGITS.iter().position(|known| *known == digit)?;
    u8::try_from(event).ok()
}
