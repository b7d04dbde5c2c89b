//! The side that asks: challenges and their verification (RFC 3261 §22.1 to §22.4).

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::digest::{Proof, Quality, is_equal};
use super::fields::Fields;
use super::nonce::{Nonce, Nonces};
use super::{Algorithm, Ha1, Offer, Qop};
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
        /// Half of the nonce's life is over: say [`Challenger::next_nonce`] in the answer, and the
        /// next request needs no challenge.
        is_ageing: bool,
    },
    /// None for our realm: challenge.
    Missing,
    /// They are wrong; the words are for the log, not for the peer.
    Refused {
        /// Why.
        why: &'static str,
        /// The nonce was given to the very address it came from: nobody else sends in its name.
        is_reachable: bool,
    },
    /// The nonce is too old, used before, or not one we gave to that address: challenge with
    /// [`Challenger::challenge_stale`], and the phone answers without asking its user.
    Stale,
}

/// How users are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Algorithms asked for, the most wanted first. Default MD5 alone: baresip 1.0 and SIPp 3.6 do
    /// not register when they are asked for another first, though RFC 3261 §22.4 says they should.
    pub algorithms: Vec<Algorithm>,
    /// What a response may cover. Default auth.
    pub qop: Vec<Qop>,
    /// How long a nonce is good; a phone that waits longer is told `stale` and answers again
    /// unseen. Default 1 h.
    pub nonce_lifetime: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Md5],
            qop: vec![Qop::Auth],
            nonce_lifetime: Duration::from_secs(3600),
        }
    }
}

/// Challenges requests of one realm and verifies the answers.
///
/// Nonces carry their own proof, so a challenge costs no memory; only counts of nonces that were
/// answered rightly are kept, in a bounded table.
#[derive(Debug)]
pub struct Challenger {
    realm: String,
    policy: Policy,
    nonces: Nonces,
}

impl Challenger {
    /// For `realm`; the key of its nonces is drawn from `entropy`.
    pub fn new(realm: &str, entropy: &mut Entropy) -> Self {
        let policy = Policy::default();
        Self {
            realm: realm.to_owned(),
            nonces: Nonces::new(policy.nonce_lifetime, entropy),
            policy,
        }
    }

    /// Asks in this way from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.nonces.set_lifetime(policy.nonce_lifetime);
        self.policy = policy;
    }

    /// The realm asked for.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The values of the WWW-Authenticate (401) or Proxy-Authenticate (407) headers for a request
    /// from `source`, the most wanted first (RFC 8760 §2.3).
    ///
    /// `offer` says what the user's secret can answer; see [`super::Offers`].
    pub fn challenge(
        &self,
        now: Timestamp,
        source: IpAddr,
        offer: Offer,
        entropy: &mut Entropy,
    ) -> Vec<String> {
        self.challenges(now, source, offer, entropy, "")
    }

    /// [`Challenger::challenge`] after [`Verdict::Stale`].
    pub fn challenge_stale(
        &self,
        now: Timestamp,
        source: IpAddr,
        offer: Offer,
        entropy: &mut Entropy,
    ) -> Vec<String> {
        self.challenges(now, source, offer, entropy, ", stale=true")
    }

    /// The value of an Authentication-Info header with a fresh nonce (RFC 7616 §3.5).
    pub fn next_nonce(&self, now: Timestamp, source: IpAddr, entropy: &mut Entropy) -> String {
        format!("nextnonce=\"{}\"", self.nonces.make(now, source, entropy))
    }

    fn challenges(
        &self,
        now: Timestamp,
        source: IpAddr,
        offer: Offer,
        entropy: &mut Entropy,
        more: &str,
    ) -> Vec<String> {
        let nonce = self.nonces.make(now, source, entropy);
        let realm = scan::quote(&self.realm);
        let qop: Vec<&str> = self.policy.qop.iter().map(|qop| qop.as_str()).collect();
        let qop = qop.join(",");
        let asked = self.policy.algorithms.iter().copied();
        let mut algorithms: Vec<_> = asked.clone().filter(|one| offer.has(*one)).collect();
        if algorithms.is_empty() {
            algorithms.extend(asked);
        }
        let challenge = |algorithm: Algorithm| {
            let algorithm = algorithm.as_str();
            format!(
                "Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"{qop}\"{more}"
            )
        };
        algorithms.into_iter().map(challenge).collect()
    }

    /// Verifies the Authorization or Proxy-Authorization of `request`, which came from `source`,
    /// for our realm.
    ///
    /// `lookup` gives the secret of a user. Work and words are the same for users who do not
    /// exist as for wrong passwords.
    pub fn verify(
        &mut self,
        now: Timestamp,
        source: IpAddr,
        request: &Message,
        lookup: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Verdict {
        let Some(fields) = self.credentials(request) else {
            return Verdict::Missing;
        };
        let nonce = fields.value("nonce");
        let nonce = nonce.and_then(|nonce| self.nonces.read(nonce, source));
        match self.check(now, request, (&fields, nonce), lookup) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Refused {
                why,
                is_reachable: nonce.is_some_and(|nonce| nonce.is_sources),
            },
        }
    }

    /// The user that a request's credentials for our realm name, believed or not.
    pub fn claimed(&self, request: &Message) -> Option<String> {
        let fields = self.credentials(request)?;
        fields.value("username").map(str::to_owned)
    }

    /// Whether a request's credentials are for a challenge that we sent to `source`.
    pub fn was_received(&self, source: IpAddr, request: &Message) -> bool {
        let fields = self.credentials(request);
        let nonce = fields.as_ref().and_then(|fields| fields.value("nonce"));
        nonce
            .and_then(|nonce| self.nonces.read(nonce, source))
            .is_some_and(|nonce| nonce.is_sources)
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
        (fields, ours): (&Fields, Option<Nonce>),
        lookup: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Result<Verdict, &'static str> {
        let field = |name| fields.value(name).ok_or("incomplete credentials");
        if fields.says("userhash") {
            // RFC 7616 §3.4.4: only after a challenge that offers it, and ours do not.
            return Err("userhash, which was not offered");
        }
        let (user, nonce, uri) = (field("username")?, field("nonce")?, field("uri")?);
        let response = field("response")?;
        let algorithm = match Algorithm::read(fields.value("algorithm")) {
            Some((algorithm, false)) if self.policy.algorithms.contains(&algorithm) => algorithm,
            _ => return Err("another algorithm than asked for"),
        };
        let (qop, count) = match fields.value("qop") {
            // The form of RFC 2069: as if its one request were the first.
            None => (None, 1),
            Some(text) => {
                let qop = Qop::parse(text).filter(|qop| self.policy.qop.contains(qop));
                let qop = qop.ok_or("another qop than asked for")?;
                let nc = field("nc")?;
                let count = Some(nc)
                    .filter(|nc| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|nc| u32::from_str_radix(nc, 16).ok())
                    .ok_or("bad nc")?;
                let quality = Quality {
                    qop,
                    nc,
                    cnonce: field("cnonce")?,
                    body: request.body(),
                };
                (Some(quality), count)
            }
        };
        let proof = Proof {
            algorithm,
            is_session: false,
            nonce,
            uri,
            qop,
        };
        let Some(nonce_id) = ours.filter(|ours| ours.is_sources && self.nonces.is_fresh(now, ours))
        else {
            // Of another life, another address or an hour ago: nothing is said about the password,
            // so that it cannot be tried without a challenge that arrived.
            return Ok(Verdict::Stale);
        };
        let ha1 = lookup(user);
        let known = ha1.as_ref().and_then(|ha1| ha1.of(algorithm));
        let decoy = self.nonces.decoy(user);
        let secret = known.map_or(Cow::Owned(decoy), Cow::Borrowed);
        let wanted = proof.response_for(&secret, &request.method());
        let is_right = is_equal(wanted.as_bytes(), response.to_ascii_lowercase().as_bytes());
        if !is_right || known.is_none() {
            return Err("wrong user or password");
        }
        if !is_same_target(request, uri) {
            return Err("credentials made for another URI");
        }
        if !self.nonces.take(now, &nonce_id, count) {
            return Ok(Verdict::Stale);
        }
        Ok(Verdict::Accepted {
            user: user.to_owned(),
            is_ageing: self.nonces.is_ageing(now, &nonce_id),
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
    if target.is_equivalent(&digest) {
        return true;
    }
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
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

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

    fn challenged(values: Vec<String>) -> Message {
        let request = register(None);
        let mut builder = ResponseBuilder::response(&request, 401, None);
        for value in values {
            builder = builder.header(HeaderName::WwwAuthenticate, value);
        }
        Message::parse(builder.build()).unwrap()
    }

    fn only(algorithm: Algorithm) -> Policy {
        Policy {
            algorithms: vec![algorithm],
            ..Policy::default()
        }
    }

    fn answered(challenge: Vec<String>, password: &str, nc: u32) -> Message {
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
        for algorithm in Algorithm::ALL {
            let mut entropy = Entropy::from_seed(1);
            let mut challenger = Challenger::new("tsunagu", &mut entropy);
            challenger.set_policy(only(algorithm));
            assert_eq!(
                challenger.verify(NOW, HERE, &register(None), lookup),
                Verdict::Missing
            );
            let challenge = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
            let user = "1001".to_owned();
            let request = answered(challenge.clone(), "right", 1);
            assert_eq!(
                challenger.verify(NOW, HERE, &request, lookup),
                Verdict::Accepted {
                    user: user.clone(),
                    is_ageing: false
                }
            );
            assert_eq!(
                challenger.verify(NOW, HERE, &request, lookup),
                Verdict::Stale
            );
            let again = answered(challenge, "right", 2);
            assert_eq!(
                challenger.verify(NOW, HERE, &again, lookup),
                Verdict::Accepted {
                    user,
                    is_ageing: false
                }
            );
            let stale = challenger.challenge_stale(NOW, HERE, Offer::ALL, &mut entropy);
            let late = NOW + Duration::from_secs(3601);
            let request = answered(stale, "right", 1);
            assert_eq!(
                challenger.verify(late, HERE, &request, lookup),
                Verdict::Stale
            );
        }
    }

    #[test]
    fn wrong_secrets_unknown_users_and_other_targets_are_refused() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        let why = |verdict| match verdict {
            Verdict::Refused { why, .. } => why,
            other => panic!("{other:?}"),
        };
        let challenge = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
        let wrong = answered(challenge.clone(), "wrong", 1);
        assert_eq!(
            why(challenger.verify(NOW, HERE, &wrong, lookup)),
            "wrong user or password"
        );
        let right = answered(challenge, "right", 1);
        assert_eq!(
            why(challenger.verify(NOW, HERE, &right, |_| None)),
            "wrong user or password"
        );
        let moved = String::from_utf8(right.bytes().to_vec()).unwrap();
        let moved = moved.replace("REGISTER sip:office ", "REGISTER sip:elsewhere ");
        let moved = Message::parse(moved.into()).unwrap();
        assert_eq!(
            why(challenger.verify(NOW, HERE, &moved, lookup)),
            "credentials made for another URI"
        );
        // None of these used the count up.
        assert!(matches!(
            challenger.verify(NOW, HERE, &right, lookup),
            Verdict::Accepted { .. }
        ));
    }

    #[test]
    fn a_nonce_of_another_life_is_stale_not_refused() {
        let mut entropy = Entropy::from_seed(1);
        let before = Challenger::new("tsunagu", &mut entropy);
        let request = answered(
            before.challenge(NOW, HERE, Offer::ALL, &mut entropy),
            "right",
            1,
        );
        let mut after = Challenger::new("tsunagu", &mut entropy);
        assert_eq!(after.verify(NOW, HERE, &request, lookup), Verdict::Stale);
    }

    #[test]
    fn broken_credentials_are_refused() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        let refused = |why| Verdict::Refused {
            why,
            is_reachable: false,
        };
        let all = "username=\"1001\", nonce=\"n\", uri=\"sip:office\", response=\"r\"";
        for (value, wanted) in [
            ("Basic abc", Verdict::Missing),
            ("Digest realm=\"other\"", Verdict::Missing),
            (
                "Digest realm=\"tsunagu\"",
                refused("incomplete credentials"),
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, qop=auth, nc=1, cnonce=\"c\""),
                refused("bad nc"),
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, qop=auth-int"),
                refused("another qop than asked for"),
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, userhash=true"),
                refused("userhash, which was not offered"),
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, algorithm=MD5-sess"),
                refused("another algorithm than asked for"),
            ),
            (
                &format!("Digest realm=\"tsunagu\", {all}, algorithm=SHA-512"),
                refused("another algorithm than asked for"),
            ),
        ] {
            let request = register(Some((HeaderName::Authorization, value.to_owned())));
            assert_eq!(
                challenger.verify(NOW, HERE, &request, lookup),
                wanted,
                "{value}"
            );
        }
    }

    #[test]
    fn the_strongest_is_offered_first_and_only_what_a_phone_can() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        challenger.set_policy(Policy {
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            ..Policy::default()
        });
        let algorithms = |values: Vec<String>| -> Vec<String> {
            let read = |value: &String| Fields::parse(value)?.value("algorithm").map(str::to_owned);
            values.iter().filter_map(read).collect()
        };
        let all = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
        assert_eq!(algorithms(all.clone()), ["SHA-256", "MD5"]);
        let md5 = Ha1::from_hex("5ebe2294ecd0e0f08eab7690d2a6ee69").unwrap();
        let weak = challenger.challenge(NOW, HERE, Offer::of(&md5), &mut entropy);
        assert_eq!(algorithms(weak), ["MD5"]);
        // The phone that knows both took the stronger, and is believed.
        let request = answered(all, "right", 1);
        assert!(
            request
                .header_text(HeaderName::Authorization)
                .unwrap()
                .contains("SHA-256")
        );
        let verdict = challenger.verify(NOW, HERE, &request, lookup);
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    }

    #[test]
    fn integrity_covers_the_body() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        challenger.set_policy(Policy {
            qop: vec![Qop::AuthInt],
            ..Policy::default()
        });
        let challenge = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
        let request = answered(challenge, "right", 1);
        let altered = String::from_utf8(request.bytes().to_vec()).unwrap();
        let altered = altered.replace("Content-Length: 0", "Content-Length: 3") + "abc";
        let altered = Message::parse(altered.into()).unwrap();
        assert_eq!(altered.body(), b"abc");
        let verdict = challenger.verify(NOW, HERE, &altered, lookup);
        assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict:?}");
        let verdict = challenger.verify(NOW, HERE, &request, lookup);
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    }

    #[test]
    fn a_refusal_says_whether_the_source_had_our_challenge() {
        let mut entropy = Entropy::from_seed(1);
        let mut challenger = Challenger::new("tsunagu", &mut entropy);
        let challenge = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
        let wrong = answered(challenge, "wrong", 1);
        let verdict = challenger.verify(NOW, HERE, &wrong, lookup);
        assert!(
            matches!(
                verdict,
                Verdict::Refused {
                    is_reachable: true,
                    ..
                }
            ),
            "{verdict:?}"
        );
        // From elsewhere, right or wrong, a password is not even looked at.
        let elsewhere = "192.0.2.2".parse().unwrap();
        for password in ["wrong", "right"] {
            let challenge = challenger.challenge(NOW, HERE, Offer::ALL, &mut entropy);
            let request = answered(challenge, password, 1);
            let verdict = challenger.verify(NOW, elsewhere, &request, lookup);
            assert_eq!(verdict, Verdict::Stale, "{password}");
        }
    }
}
