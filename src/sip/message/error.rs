//! What may be wrong with a message's octets.

use thiserror::Error;

use crate::sip::HeaderName;

/// Why a message or a part of it cannot be read. Always the peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Nothing but empty lines.
    #[error("empty message")]
    Empty,
    /// A header or a part of one is not as its grammar wants it.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A header that must be there is not.
    #[error("no {0} header")]
    Missing(HeaderName),
    /// Neither a request line nor a status line.
    #[error("bad start line: {0}")]
    StartLine(&'static str),
    /// Larger than [`crate::sip::MAX_MESSAGE`].
    #[error("message of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More lines than [`crate::sip::MAX_HEADERS`].
    #[error("too many headers")]
    TooManyHeaders,
    /// A URI is not one.
    #[error("bad URI: {0}")]
    Uri(&'static str),
}
