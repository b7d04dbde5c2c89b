//! The digest computation (RFC 7616 §3.4).

use std::fmt;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::AuthError;
use crate::sip::Method;

/// Hash algorithm of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`: what every phone speaks.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// As written in a challenge.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// Reads the parameter's value; nothing written means MD5.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(Algorithm::Md5),
            Some(text) if text.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(text) if text.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }

    /// The hash of `parts` with colons between, in hexadecimal.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        let joined = parts.join(":");
        match self {
            Algorithm::Md5 => hex::encode(Md5::digest(joined)),
            Algorithm::Sha256 => hex::encode(Sha256::digest(joined)),
        }
    }
}

/// `H(user:realm:password)`: as good as the password within its realm, so never shown.
///
/// Holds the MD5 form, the SHA-256 form, or both.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    md5: Option<String>,
    sha256: Option<String>,
}

impl Ha1 {
    /// Both forms, from the password.
    pub fn from_password(user: &str, realm: &str, password: &str) -> Self {
        let parts = [user, realm, password];
        Self {
            md5: Some(Algorithm::Md5.hash(&parts)),
            sha256: Some(Algorithm::Sha256.hash(&parts)),
        }
    }

    /// One form, by its length: 32 digits are MD5, 64 are SHA-256.
    pub fn from_hex(text: &str) -> Result<Self, AuthError> {
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(AuthError::NotHa1);
        }
        let digits = Some(text.to_ascii_lowercase());
        match text.len() {
            32 => Ok(Self {
                md5: digits,
                sha256: None,
            }),
            64 => Ok(Self {
                md5: None,
                sha256: digits,
            }),
            _ => Err(AuthError::NotHa1),
        }
    }

    /// The form of one algorithm.
    pub(super) fn of(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(***)")
    }
}

/// What a response is computed from, beside the secret and the method.
pub(super) struct Proof<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) nonce: &'a str,
    pub(super) uri: &'a str,
    /// `nc` and `cnonce` when `qop=auth`; `None` for the form of RFC 2069.
    pub(super) qop: Option<(&'a str, &'a str)>,
}

impl Proof<'_> {
    /// The `response` value.
    pub(super) fn response(&self, ha1: &str, method: &str) -> String {
        let ha2 = self.algorithm.hash(&[method, self.uri]);
        match self.qop {
            None => self.algorithm.hash(&[ha1, self.nonce, &ha2]),
            Some((nc, cnonce)) => self
                .algorithm
                .hash(&[ha1, self.nonce, nc, cnonce, "auth", &ha2]),
        }
    }

    /// The `response` value for a SIP method.
    pub(super) fn response_for(&self, ha1: &str, method: &Method) -> String {
        self.response(ha1, method.as_str())
    }
}

/// Compares without telling by the time taken where the first difference is.
pub(super) fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2617 §3.5.
    #[test]
    fn the_vector_of_rfc_2617_holds() {
        let ha1 = Ha1::from_password("Mufasa", "testrealm@host.com", "Circle Of Life");
        let ha1 = ha1.of(Algorithm::Md5).unwrap();
        let proof = Proof {
            algorithm: Algorithm::Md5,
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            uri: "/dir/index.html",
            qop: Some(("00000001", "0a4f113b")),
        };
        assert_eq!(
            proof.response(ha1, "GET"),
            "6629fae49393a05397450978507c4ef1"
        );
        let older = Proof { qop: None, ..proof };
        assert_eq!(
            older.response(ha1, "GET"),
            "670fd8c2df070c60b045671b8b24ff02"
        );
    }

    /// RFC 7616 §3.9.1, both algorithms.
    #[test]
    fn the_vectors_of_rfc_7616_hold() {
        let ha1 = Ha1::from_password("Mufasa", "http-auth@example.org", "Circle of Life");
        for (algorithm, wanted) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let proof = Proof {
                algorithm,
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                uri: "/dir/index.html",
                qop: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
            };
            assert_eq!(proof.response(ha1.of(algorithm).unwrap(), "GET"), wanted);
        }
    }

    #[test]
    fn an_ha1_is_read_by_its_length_and_never_shown() {
        let whole = Ha1::from_password("1001", "tsunagu", "secret");
        let md5 = Ha1::from_hex(&whole.of(Algorithm::Md5).unwrap().to_uppercase()).unwrap();
        assert_eq!(md5.of(Algorithm::Md5), whole.of(Algorithm::Md5));
        assert_eq!(md5.of(Algorithm::Sha256), None);
        assert_eq!(Ha1::from_hex("abc"), Err(AuthError::NotHa1));
        assert_eq!(Ha1::from_hex(&"x".repeat(32)), Err(AuthError::NotHa1));
        assert_eq!(format!("{whole:?}"), "Ha1(***)");
    }
}
