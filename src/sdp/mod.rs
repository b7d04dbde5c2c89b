//! Session descriptions (RFC 8866) and offer/answer (RFC 3264), for one audio stream.
//!
//! [`Description`] reads and writes; [`offer`], [`answer`] and [`accept_answer`] agree on codec,
//! addresses, direction and keys (RFC 4568). Other media are refused in place, as RFC 3264 §6 wants. Not
//! here yet: DTLS-SRTP, ICE, bundles.

mod audio;
mod codec;
mod crypto;
mod description;
mod direction;
mod grammar;
mod local;
mod negotiate;
mod negotiated;
mod opus;
mod redundancy;
mod reports;

#[cfg(test)]
mod tests;

use thiserror::Error;

pub use audio::{AudioMedia, Format};
pub use codec::{AudioCodec, CodecOrder};
pub use crypto::{Crypto, CryptoKey, CryptoSuite, LocalCrypto, SecureMedia, SrtpPolicy};
pub use description::{Description, Media, Origin, OtherMedia};
pub use direction::Direction;
pub use local::LocalMedia;
pub use negotiate::{accept_answer, answer, answer_removed, offer, reoffer};
pub use negotiated::Negotiated;
pub use opus::OpusParameters;
pub use redundancy::Redundancy;
pub use reports::{ExtendedReports, ReportTerms};

/// Why a description is of no use. Always the peer's fault or wish.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Not a session description.
    #[error("not a session description: {0}")]
    Malformed(String),
    /// No audio stream that is switched on and over RTP.
    #[error("no audio over RTP")]
    NoAudio,
    /// Audio, but no codec that both sides know.
    #[error("no codec in common")]
    NoCommonCodec,
    /// Audio in the clear where it must be secure, secure where it may not be, or by no suite of
    /// ours.
    #[error("no agreement on secure media")]
    NoCommonSecurity,
    /// Longer, or with more lines, than anyone sane writes.
    #[error(
        "more than {} octets or {} lines",
        description::MAX_SIZE,
        description::MAX_LINES
    )]
    TooLarge,
    /// More media lines than anyone sane has.
    #[error("more than {} media lines", description::MAX_MEDIA)]
    TooManyMedia,
}

impl Error {
    /// The SIP status that says so (RFC 3261 §21.4.26).
    pub const fn status(&self) -> u16 {
        match self {
            Error::Malformed(_) | Error::TooLarge | Error::TooManyMedia => 400,
            Error::NoAudio | Error::NoCommonCodec | Error::NoCommonSecurity => 488,
        }
    }
}
