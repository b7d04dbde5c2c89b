//! Digest authentication both ways (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! [`Challenger`] asks and verifies; [`Keyring`] answers and remembers, [`answer`] answers once. MD5,
//! SHA-256 and SHA-512-256, as a client their `-sess` forms too; `qop` auth and auth-int, and the
//! older form without it. Not here: `userhash` and `username*`; both are refused in words.

mod answer;
mod challenge;
mod challenger;
mod credentials;
mod digest;
mod fields;
mod keyring;
mod nonce;
mod offer;

use thiserror::Error;

pub use answer::answer;
pub use challenger::{Challenger, Policy, Verdict};
pub use credentials::Credentials;
pub use digest::{Algorithm, Ha1, Qop};
pub use keyring::{Keyring, Trial};
pub use offer::{Offer, Offers};

/// Why a challenge cannot be answered or a secret cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// The response holds no digest challenge that we understand.
    #[error("no digest challenge with an algorithm and qop known here")]
    NoChallenge,
    /// Not 32 (MD5) or 64 (SHA-256) hexadecimal digits.
    #[error("not an HA1: 32 or 64 hexadecimal digits are needed")]
    NotHa1,
    /// Only realms ask that the secret is not for.
    #[error("the challenge is of another realm than the credentials are for")]
    OtherRealm,
    /// The request was tried again and still is not believed.
    #[error("the credentials are refused")]
    Refused,
    /// The stored HA1 is of another algorithm than the ones asked for.
    #[error("the stored secret does not fit the challenge")]
    WrongSecret,
}
