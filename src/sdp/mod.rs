//! Session descriptions (RFC 8866) and offer/answer (RFC 3264), for one audio stream.
//!
//! [`Description`] reads and writes; [`offer`], [`answer`] and [`accept_answer`] agree on codec,
//! addresses and direction. Other media are refused in place, as RFC 3264 §6 wants. Not here yet:
//! SRTP, ICE, bundles.

mod audio;
mod codec;
mod description;
mod direction;
mod grammar;
mod negotiate;
mod reports;

use thiserror::Error;

pub use audio::{AudioMedia, Format};
pub use codec::AudioCodec;
pub use description::{Description, Media, Origin, OtherMedia};
pub use direction::Direction;
pub use negotiate::{LocalMedia, Negotiated, accept_answer, answer, answer_removed, offer};
pub use reports::{ExtendedReports, ReportTerms};

/// Why a description is of no use. Always the peer's fault or wish.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Not a session description.
    #[error("not a session description: {0}")]
    Malformed(String),
    /// No audio stream that is switched on and over plain RTP.
    #[error("no audio over RTP/AVP")]
    NoAudio,
    /// Audio, but no codec that both sides know.
    #[error("no codec in common")]
    NoCommonCodec,
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
            Error::NoAudio | Error::NoCommonCodec => 488,
        }
    }
}
