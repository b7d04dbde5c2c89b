//! The side that asks: challenges and their verification (RFC 3261 §22.1 to §22.4).

use std::borrow::Cow;

use super::digest::{Proof, is_equal};
use super::fields::Fields;
use super::nonce::Nonces;
use super::{Algorithm, Ha1};
use crate::base::{Entropy, Timestamp};
use crate::sip::header::scan;
use crate::sip::{HeaderName, Message, Uri};

/// What a request's credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They prove who sent it.
    Accepted {
        /// The user.
        user: String,
    },
    /// None for our realm: challenge.
    Missing,
    /// They are wrong; the words are for the log, not for the peer.
    Refused {
        /// Why.
        why: &'static str,
    },
    /// The secret is right, the nonce too old or used before: challenge with
    /// [`Challenger::challenge_stale`], and the phone answers without asking its user.
    Stale,
}

/// Challenges requests of one realm and verifies the answers.
///
/// Nonces carry their own proof, so a challenge costs no memory; only counts of nonces that were
/// answered are kept, in a bounded table.
#[derive(Debug)]
pub struct Challenger {
    realm: String,
    algorithm: Algorithm,
    nonces: Nonces,
}

impl Challenger {
    /// For `realm`, with MD5; the key of its nonces is drawn from `entropy`.
    pub fn new(realm: &str, entropy: &mut Entropy) -> Self {
        Self {
            realm: realm.to_owned(),
            algorithm: Algorithm::Md5,
            nonces: Nonces::new(entropy),
        }
    }

    /// With another algorithm.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The realm asked for.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The value of a WWW-Authenticate (401) or Proxy-Authenticate (407) header.
    pub fn challenge(&self, now: Timestamp, entropy: &mut Entropy) -> String {
        let nonce = self.nonces.make(now, entropy);
        format!(
            "Digest realm={}, nonce=\"{nonce}\", algorithm={}, qop=\"auth\"",
            scan::quote(&self.realm),
            self.algorithm.as_str()
        )
    }

    /// [`Challenger::challenge`] after [`Verdict::Stale`].
    pub fn challenge_stale(&self, now: Timestamp, entropy: &mut Entropy) -> String {
        self.challenge(now, entropy) + ", stale=true"
    }

    /// Verifies the Authorization or Proxy-Authorization of `request` for our realm.
    ///
    /// `lookup` gives the secret of a user. Work and words are the same for users who do not
    /// exist as for wrong passwords.
    pub fn verify(
        &mut self,
        now: Timestamp,
        request: &Message,
        lookup: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Verdict {
        let Some(fields) = self.credentials(request) else {
            return Verdict::Missing;
        };
        match self.check(now, request, &fields, lookup) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Refused { why },
        }
    }

    fn credentials(&self, request: &Message) -> Option<Fields> {
        [HeaderName::Authorization, HeaderName::ProxyAuthorization]
            .into_iter()
            .flat_map(|name| request.headers(name))
            .filter_map(|value| Fields::parse(&scan::text(&value)))
            .find(|fields| fields.value("realm") == Some(&self.realm))
    }

    fn check(
        &mut self,
        now: Timestamp,
        request: &Message,
        fields: &Fields,
        lookup: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Result<Verdict, &'static str> {
        let field = |name| fields.value(name).ok_or("incomplete credentials");
        let (user, nonce, uri) = (field("username")?, field("nonce")?, field("uri")?);
        let response = field("response")?;
        if Algorithm::parse(fields.value("algorithm")) != Some(self.algorithm) {
            return Err("another algorithm than asked for");
        }
        let (qop, count) = match fields.value("qop") {
            // The form of RFC 2069: as if its one request were the first.
            None => (None, 1),
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = field("nc")?;
                let count = Some(nc)
                    .filter(|nc| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|nc| u32::from_str_radix(nc, 16).ok());
                (Some((nc, field("cnonce")?)), count.ok_or("bad nc")?)
            }
            Some(_) => return Err("another qop than asked for"),
        };
        let proof = Proof {
            algorithm: self.algorithm,
            nonce,
            uri,
            qop,
        };
        let ha1 = lookup(user);
        let known = ha1.as_ref().and_then(|ha1| ha1.of(self.algorithm));
        let secret = known.map_or_else(|| Cow::Owned(self.nonces.decoy(user)), Cow::Borrowed);
        let wanted = proof.response_for(&secret, &request.method());
        let is_right = is_equal(wanted.as_bytes(), response.to_ascii_lowercase().as_bytes());
        if !is_right || known.is_none() {
            return Err("wrong user or password");
        }
        if !is_same_target(request, uri) {
            return Err("credentials made for another URI");
        }
        if !self.nonces.take(now, nonce, count) {
            return Ok(Verdict::Stale);
        }
        Ok(Verdict::Accepted {
            user: user.to_owned(),
        })
    }
}

/// Whether the credentials were made for the request's target. Parameters may differ: many phones
/// leave them out of the digest URI.
fn is_same_target(request: &Message, digest_uri: &str) -> bool {
    if request.request_uri_raw() == Some(digest_uri.as_bytes()) {
        return true;
    }
    let (Some(Ok(target)), Ok(digest)) = (request.request_uri(), Uri::parse(digest_uri)) else {
        return false;
    };
    target.scheme == digest.scheme
        && target.user_decoded() == digest.user_decoded()
        && target.host.is_same(&digest.host)
        && target.port == digest.port
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::auth::{Credentials, answer};
    use crate::sip::{Method, RequestBuilder, ResponseBuilder};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn register(authorization: Option<(HeaderName, String)>) -> Message {
        let uri = Uri::parse("sip:office").unwrap();
        let mut builder = RequestBuilder::request(Method::Register, &uri)
            .header(HeaderName::Via, "SIP/2.0/UDP a;branch=z9hG4bK1")
            .header(HeaderName::CSeq, "1 REGISTER");
        if let Some((name, value)) = authorization {
            builder = builder.header(name, value);
        }
        Message::parse(builder.build()).unwrap()
    }

    fn challenged(value: String) -> Message {
        let bytes = ResponseBuilder::response(&register(None), 401, None)
            .header(HeaderName::WwwAuthenticate, value)
            .build();
        Message::parse(bytes).unwrap()
    }

    fn answered(challenge: String, password: &str, nc: u32) -> Message {
        let uri = Uri::parse("sip:office").unwrap();
        let credentials = Credentials::new("1001", password);
        let header = answer(
            &challenged(challenge),
            &Method::Register,
            &uri,
            &credentials,
            &mut Entropy::from_seed(9),
            nc,
        );
        register(Some(header.unwrap()))
    }

    fn lookup(user: &str) -> Option<Ha1> {
        (user == "1001").then(|| Ha1::from_password("1001", "tsunagu", "right"))
    }

    #[test]
    fn an_answer_is_accepted_once_and_stale_after_that() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let mut entropy = Entropy::from_seed(1);
            let mut challenger = Challenger::new("tsunagu", &mut entropy).with_algorithm(algorithm);
            assert_eq!(
                challenger.verify(NOW, &register(None), lookup),
                Verdict::Missing
            );
            let challenge = challenger.challenge(NOW, &mut entropy);
            let user = "1001".to_owned();
            let request = answered(challenge.clone(), "right", 1);
            assert_eq!(
                challenger.verify(NOW, &request, lookup),
                Verdict::Accepted { user: user.clone() }
            );
            assert_eq!(challenger.verify(NOW, &request, lookup), Verdict::Stale);
            let again = answered(challenge, "right", 2);
            assert_eq!(
                challenger.verify(NOW, &again, lookup),
                Verdict::Accepted { user }
            );
            let stale = challenger.challenge_stale(NOW, &mut entropy);
            let late = NOW + std::time::Duration::from_secs(301);
            let request = answered(stale, "right", 1);
            assert_eq!(challenger.verify(late, &request, lookup), Verdict::Stale);
        }
    }

    #[test]
    fn wrong_secrets_unknown_users_and_other_targets_are_refused() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        let why = |verdict| match verdict {
            Verdict::Refused { why } => why,
            other => panic!("{other:?}"),
        };
        let challenge = challenger.challenge(NOW, &mut entropy);
        let wrong = answered(challenge.clone(), "wrong", 1);
        assert_eq!(
            why(challenger.verify(NOW, &wrong, lookup)),
            "wrong user or password"
        );
        let right = answered(challenge, "right", 1);
        assert_eq!(
            why(challenger.verify(NOW, &right, |_| None)),
            "wrong user or password"
        );
        let moved = String::from_utf8(right.bytes().to_vec()).unwrap();
        let moved = moved.replace("REGISTER sip:office ", "REGISTER sip:elsewhere ");
        let moved = Message::parse(moved.into()).unwrap();
        assert_eq!(
            why(challenger.verify(NOW, &moved, lookup)),
            "credentials made for another URI"
        );
        // None of these used the count up.
        assert!(matches!(
            challenger.verify(NOW, &right, lookup),
            Verdict::Accepted { .. }
        ));
    }

    #[test]
    fn a_nonce_of_another_life_is_stale_not_refused() {
        let mut entropy = Entropy::from_seed(1);
        let before = Challenger::new("tsunagu", &mut entropy);
        let request = answered(before.challenge(NOW, &mut entropy), "right", 1);
        let mut after = Challenger::new("tsunagu", &mut entropy);
        assert_eq!(after.verify(NOW, &request, lookup), Verdict::Stale);
    }

    #[test]
    fn broken_credentials_are_refused() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        let all = "username=\"1001\", nonce=\"n\", uri=\"sip:office\", response=\"r\"";
        for (value, wanted) in [
            ("Basic abc", Verdict::Missing),
            ("Digest realm=\"other\"", Verdict::Missing),
            (
                "Digest realm=\"tsunagu\"",
                Verdict::Refused {
                    why: "incomplete credentials",
                },
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, qop=auth, nc=1, cnonce=\"c\""),
                Verdict::Refused { why: "bad nc" },
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, qop=auth-int"),
                Verdict::Refused {
                    why: "another qop than asked for",
                },
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, algorithm=SHA-512"),
                Verdict::Refused {
                    why: "another algorithm than asked for",
                },
            ),
        ] {
            let request = register(Some((HeaderName::Authorization, value.to_owned())));
            assert_eq!(challenger.verify(NOW, &request, lookup), wanted, "{value}");
        }
    }
}
