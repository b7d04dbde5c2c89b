//! The side that is asked: answering a 401 or 407 (RFC 3261 §22.2, §22.3; RFC 8760 §2.4).

use std::borrow::Cow;
use std::fmt;

use super::digest::Proof;
use super::fields::Fields;
use super::{Algorithm, AuthError, Ha1};
use crate::base::Entropy;
use crate::sip::header::scan;
use crate::sip::{HeaderName, Message, Method, Uri};

/// A user and a secret for challenges of others.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User as the other side knows it.
    pub user: String,
    secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    /// For any realm.
    Password(String),
    /// For the realm it was made with.
    Ha1(Ha1),
}

impl Credentials {
    /// With a password, good for any realm.
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            secret: Secret::Password(password.to_owned()),
        }
    }

    /// With an HA1, good for its own realm only.
    pub fn with_ha1(user: &str, ha1: Ha1) -> Self {
        Self {
            user: user.to_owned(),
            secret: Secret::Ha1(ha1),
        }
    }

    fn ha1(&self, realm: &str) -> Cow<'_, Ha1> {
        match &self.secret {
            Secret::Password(password) => {
                Cow::Owned(Ha1::from_password(&self.user, realm, password))
            }
            Secret::Ha1(ha1) => Cow::Borrowed(ha1),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// The header to add to the request, sent again with a higher CSeq: Authorization for a 401,
/// Proxy-Authorization for a 407.
///
/// Takes the first challenge it understands (RFC 8760 §2.4). `nc` counts the requests sent with
/// the challenge's nonce, from 1.
pub fn answer(
    challenge: &Message,
    method: &Method,
    uri: &Uri,
    credentials: &Credentials,
    entropy: &mut Entropy,
    nc: u32,
) -> Result<(HeaderName, String), AuthError> {
    let (asked_in, answered_in) = match challenge.status() {
        Some(407) => (
            HeaderName::ProxyAuthenticate,
            HeaderName::ProxyAuthorization,
        ),
        _ => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
    };
    let (fields, algorithm) = challenge
        .headers(asked_in)
        .filter_map(|value| Fields::parse(&scan::text(&value)))
        .filter(|fields| fields.offers_auth() != Some(false))
        .find_map(|fields| {
            let algorithm = Algorithm::parse(fields.value("algorithm"))?;
            Some((fields, algorithm))
        })
        .ok_or(AuthError::NoChallenge)?;
    let field = |name| fields.value(name).ok_or(AuthError::NoChallenge);
    let (realm, nonce) = (field("realm")?, field("nonce")?);
    let (uri, nc, cnonce) = (uri.to_string(), format!("{nc:08x}"), entropy.token(20));
    let has_qop = fields.offers_auth().is_some();
    let proof = Proof {
        algorithm,
        nonce,
        uri: &uri,
        qop: has_qop.then_some((nc.as_str(), cnonce.as_str())),
    };
    let ha1 = credentials.ha1(realm);
    let secret = ha1.of(algorithm).ok_or(AuthError::WrongSecret)?;
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{}\", algorithm={}",
        scan::quote(&credentials.user),
        scan::quote(realm),
        scan::quote(nonce),
        proof.response_for(secret, method),
        algorithm.as_str(),
    );
    if has_qop {
        value += &format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
    }
    if let Some(opaque) = fields.value("opaque") {
        value += &format!(", opaque={}", scan::quote(opaque));
    }
    Ok((answered_in, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(status: u16, challenges: &[&str]) -> Result<(HeaderName, String), AuthError> {
        let name = if status == 407 { "Proxy" } else { "WWW" };
        let mut text = format!("SIP/2.0 {status} X\r\n");
        for challenge in challenges {
            text += &format!("{name}-Authenticate: {challenge}\r\n");
        }
        text += "\r\n";
        answer(
            &Message::parse(text.into()).unwrap(),
            &Method::Invite,
            &Uri::parse("sip:bob@b").unwrap(),
            &Credentials::new("bob", "zanzibar"),
            &mut Entropy::from_seed(1),
            1,
        )
    }

    /// The second challenge and response of RFC 3665 §2.1 are of this form (no `qop`).
    #[test]
    fn the_form_without_qop_is_answered_in_kind() {
        let (name, value) = ask(401, &[r#"Digest realm="a", nonce="b", opaque="c""#]).unwrap();
        assert_eq!(name, HeaderName::Authorization);
        assert!(!value.contains("qop") && !value.contains("cnonce"));
        assert!(value.ends_with(r#"algorithm=MD5, opaque="c""#));
    }

    #[test]
    fn the_first_challenge_understood_is_answered() {
        let (name, value) = ask(
            407,
            &[
                r#"Digest realm="a", nonce="1", algorithm=SHA-512-256, qop="auth""#,
                r#"Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth,auth-int""#,
                r#"Digest realm="a", nonce="3", algorithm=MD5, qop="auth""#,
            ],
        )
        .unwrap();
        assert_eq!(name, HeaderName::ProxyAuthorization);
        assert!(value.contains(r#"nonce="2""#) && value.contains("nc=00000001"));
    }

    #[test]
    fn what_cannot_be_answered_is_an_error() {
        for challenge in [
            "Basic realm=\"a\"",
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"1\", qop=\"auth-int\"",
            "Digest realm=\"a\", nonce=\"1\", algorithm=MD5-sess",
        ] {
            assert_eq!(ask(401, &[challenge]), Err(AuthError::NoChallenge));
        }
        assert_eq!(ask(401, &[]), Err(AuthError::NoChallenge));
    }
}
