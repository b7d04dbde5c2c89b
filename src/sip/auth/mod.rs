//! Digest authentication both ways (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! [`Challenger`] asks and verifies, [`answer`] answers. MD5 and SHA-256; `qop=auth` and the older
//! form without it. Not here: `auth-int`, `-sess` algorithms, `userhash`.

mod answer;
mod challenger;
mod digest;
mod fields;
mod nonce;

use thiserror::Error;

pub use answer::{Credentials, answer};
pub use challenger::{Challenger, Verdict};
pub use digest::{Algorithm, Ha1};

/// Why a challenge cannot be answered or a secret cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// The response holds no digest challenge that we understand.
    #[error("no digest challenge with an algorithm and qop known here")]
    NoChallenge,
    /// Not 32 (MD5) or 64 (SHA-256) hexadecimal digits.
    #[error("not an HA1: 32 or 64 hexadecimal digits are needed")]
    NotHa1,
    /// The stored HA1 is of another algorithm or realm than the one asked for.
    #[error("the stored secret does not fit the challenge")]
    WrongSecret,
}
