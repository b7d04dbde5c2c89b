//! The digest computation (RFC 7616 §3.4).

use std::fmt;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha512_256};

use super::AuthError;
use crate::sip::Method;

/// Hash algorithm of a challenge, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// `MD5`: what every phone speaks.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
    /// `SHA-512-256` (RFC 8760): SHA-512 with its own start, cut to 256 bits.
    Sha512_256,
}

impl Algorithm {
    /// All, the weakest first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// As written in a challenge (RFC 8760 §2.2).
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// Reads a name; case does not count.
    pub fn parse(text: &str) -> Option<Self> {
        let is_named = |one: &Self| one.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_named)
    }

    /// Reads the parameter's value, and whether it is the `-sess` form; nothing written means MD5.
    pub(super) fn read(text: Option<&str>) -> Option<(Self, bool)> {
        let Some(text) = text else {
            return Some((Algorithm::Md5, false));
        };
        let cut = text.len().saturating_sub(SESSION.len());
        match text.split_at_checked(cut) {
            Some((name, end)) if end.eq_ignore_ascii_case(SESSION) => {
                Some((Self::parse(name)?, true))
            }
            _ => Some((Self::parse(text)?, false)),
        }
    }

    /// The hash of `parts` with colons between, in hexadecimal.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        self.hash_octets(parts.join(":").as_bytes())
    }

    fn hash_octets(self, octets: &[u8]) -> String {
        match self {
            Algorithm::Md5 => hex::encode(Md5::digest(octets)),
            Algorithm::Sha256 => hex::encode(Sha256::digest(octets)),
            Algorithm::Sha512_256 => hex::encode(Sha512_256::digest(octets)),
        }
    }
}

/// The end of an algorithm's name whose HA1 is of one session (RFC 7616 §3.4.2).
pub(super) const SESSION: &str = "-sess";

/// What of a request a response covers (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Qop {
    /// `auth`: method and URI.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
}

impl Qop {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    /// Reads one word; case does not count.
    pub fn parse(text: &str) -> Option<Self> {
        let is_named = |one: &Self| one.as_str().eq_ignore_ascii_case(text);
        [Self::Auth, Self::AuthInt].into_iter().find(is_named)
    }
}

/// `H(user:realm:password)`: as good as the password within its realm, so never shown.
///
/// Holds the form of one algorithm or of several.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    forms: [Option<String>; Algorithm::ALL.len()],
}

impl Ha1 {
    /// All forms, from the password.
    pub fn from_password(user: &str, realm: &str, password: &str) -> Self {
        let parts = [user, realm, password];
        Self {
            forms: Algorithm::ALL.map(|algorithm| Some(algorithm.hash(&parts))),
        }
    }

    /// One form, by its length: 32 digits are MD5, 64 are SHA-256.
    pub fn from_hex(text: &str) -> Result<Self, AuthError> {
        let algorithm = match text.len() {
            32 => Algorithm::Md5,
            _ => Algorithm::Sha256,
        };
        Self::of_algorithm(algorithm, text)
    }

    /// The form of one algorithm: 32 hexadecimal digits for MD5, 64 for the others.
    pub fn of_algorithm(algorithm: Algorithm, text: &str) -> Result<Self, AuthError> {
        let length = match algorithm {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 | Algorithm::Sha512_256 => 64,
        };
        if text.len() != length || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(AuthError::NotHa1);
        }
        let mut forms = [const { None }; Algorithm::ALL.len()];
        forms[algorithm as usize] = Some(text.to_ascii_lowercase());
        Ok(Self { forms })
    }

    /// The forms of both.
    pub fn and(mut self, other: Self) -> Self {
        for (ours, theirs) in self.forms.iter_mut().zip(other.forms) {
            *ours = theirs.or(ours.take());
        }
        self
    }

    /// Whether any form is the same in both.
    pub fn is_any_of(&self, other: &Self) -> bool {
        let pairs = self.forms.iter().zip(&other.forms);
        pairs.into_iter().any(|(a, b)| a.is_some() && a == b)
    }

    /// The form of one algorithm.
    pub(super) fn of(&self, algorithm: Algorithm) -> Option<&str> {
        self.forms[algorithm as usize].as_deref()
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(***)")
    }
}

/// What a response is computed from, beside the secret and the method.
#[derive(Clone, Copy)]
pub(super) struct Proof<'a> {
    pub(super) algorithm: Algorithm,
    /// HA1 is of this nonce and cnonce alone.
    pub(super) is_session: bool,
    pub(super) nonce: &'a str,
    pub(super) uri: &'a str,
    /// `None` for the form of RFC 2069.
    pub(super) qop: Option<Quality<'a>>,
}

/// What goes with a `qop`.
#[derive(Clone, Copy)]
pub(super) struct Quality<'a> {
    pub(super) qop: Qop,
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
    /// For `auth-int`.
    pub(super) body: &'a [u8],
}

impl Proof<'_> {
    /// The `response` value.
    pub(super) fn response(&self, ha1: &str, method: &str) -> String {
        let hash = |parts: &[&str]| self.algorithm.hash(parts);
        let session;
        let ha1 = match &self.qop {
            Some(quality) if self.is_session => {
                session = hash(&[ha1, self.nonce, quality.cnonce]);
                &session
            }
            _ => ha1,
        };
        let Some(Quality {
            qop,
            nc,
            cnonce,
            body,
        }) = self.qop
        else {
            return hash(&[ha1, self.nonce, &hash(&[method, self.uri])]);
        };
        let ha2 = match qop {
            Qop::Auth => hash(&[method, self.uri]),
            Qop::AuthInt => hash(&[method, self.uri, &self.algorithm.hash_octets(body)]),
        };
        hash(&[ha1, self.nonce, nc, cnonce, qop.as_str(), &ha2])
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

    const fn auth<'a>(nc: &'a str, cnonce: &'a str) -> Quality<'a> {
        Quality {
            qop: Qop::Auth,
            nc,
            cnonce,
            body: b"",
        }
    }

    /// RFC 2617 §3.5.
    #[test]
    fn the_vector_of_rfc_2617_holds() {
        let ha1 = Ha1::from_password("Mufasa", "testrealm@host.com", "Circle Of Life");
        let ha1 = ha1.of(Algorithm::Md5).unwrap();
        let proof = Proof {
            algorithm: Algorithm::Md5,
            is_session: false,
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            uri: "/dir/index.html",
            qop: Some(auth("00000001", "0a4f113b")),
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
                is_session: false,
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                uri: "/dir/index.html",
                qop: Some(auth(
                    "00000001",
                    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                )),
            };
            assert_eq!(proof.response(ha1.of(algorithm).unwrap(), "GET"), wanted);
        }
    }

    /// FIPS 180-4's own example of SHA-512/256.
    #[test]
    fn sha_512_256_is_not_a_cut_sha_512() {
        assert_eq!(
            Algorithm::Sha512_256.hash(&["abc"]),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    /// RFC 7616 §3.4.2 and §3.4.3, written out by hand.
    #[test]
    fn sessions_and_bodies_enter_the_hash() {
        let md5 = |text: &str| hex::encode(Md5::digest(text));
        let quality = Quality {
            qop: Qop::AuthInt,
            body: b"v=0",
            ..auth("00000001", "c")
        };
        let proof = Proof {
            algorithm: Algorithm::Md5,
            is_session: true,
            nonce: "n",
            uri: "sip:a",
            qop: Some(quality),
        };
        let (ha1, body) = (md5("u:r:p"), md5("v=0"));
        let wanted = md5(&format!(
            "{}:n:00000001:c:auth-int:{}",
            md5(&format!("{ha1}:n:c")),
            md5(&format!("INVITE:sip:a:{body}"))
        ));
        assert_eq!(proof.response(&ha1, "INVITE"), wanted);
    }

    #[test]
    fn names_are_read_with_their_session_form() {
        let read = |text| Algorithm::read(Some(text));
        assert_eq!(read("md5"), Some((Algorithm::Md5, false)));
        assert_eq!(read("SHA-256-sess"), Some((Algorithm::Sha256, true)));
        assert_eq!(read("SHA-512-256"), Some((Algorithm::Sha512_256, false)));
        for other in ["", "-sess", "SHA-512", "\u{e9}-sess", "AKAv1-MD5"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(Algorithm::read(None), Some((Algorithm::Md5, false)));
    }

    #[test]
    fn an_ha1_is_read_by_its_length_and_never_shown() {
        let whole = Ha1::from_password("1001", "tsunagu", "secret");
        let md5 = Ha1::from_hex(&whole.of(Algorithm::Md5).unwrap().to_uppercase()).unwrap();
        assert_eq!(md5.of(Algorithm::Md5), whole.of(Algorithm::Md5));
        assert_eq!(md5.of(Algorithm::Sha256), None);
        let long = whole.of(Algorithm::Sha512_256).unwrap();
        let both = md5.and(Ha1::of_algorithm(Algorithm::Sha512_256, long).unwrap());
        assert_eq!(both.of(Algorithm::Sha512_256), Some(long));
        assert_eq!(both.of(Algorithm::Md5), whole.of(Algorithm::Md5));
        assert_eq!(both.of(Algorithm::Sha256), None);
        assert_eq!(Ha1::from_hex("abc"), Err(AuthError::NotHa1));
        assert_eq!(Ha1::from_hex(&"x".repeat(32)), Err(AuthError::NotHa1));
        assert_eq!(format!("{whole:?}"), "Ha1(***)");
    }
}
