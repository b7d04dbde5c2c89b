//! How an endpoint knows that a request is from this switch and was not changed or replayed.
//!
//! Ours: HMAC-SHA256 over the time, a dot and the content, so that a recorded request is good for
//! a few minutes only. For applications written for Twilio: HMAC-SHA1 over the URL and the sorted
//! form, which their SDKs verify. The recipe for verifying ours is in docs/webhooks.md.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::target::Target;
use crate::base::Timestamp;

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureMode {
    /// HMAC-SHA256 over time and content, in [`SIGNATURE_HEADER`] and [`TIMESTAMP_HEADER`].
    #[default]
    HmacSha256,
    /// Not at all.
    None,
    /// HMAC-SHA1 over URL and form, in [`TWILIO_HEADER`].
    Twilio,
}

impl SignatureMode {
    /// The words of the configuration.
    pub const WORDS: [(&str, Self); 3] = [
        ("hmac-sha256", Self::HmacSha256),
        ("none", Self::None),
        ("twilio", Self::Twilio),
    ];
}

/// The key of signatures: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// From its text; the octets of it are the key.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether somebody knows it; the time this takes tells nothing of it.
    pub fn is(&self, text: &[u8]) -> bool {
        let digest = |octets: &[u8]| Sha256::digest(octets);
        let (own, other) = (digest(self.0.as_bytes()), digest(text));
        aws_lc_rs::constant_time::verify_slices_are_equal(&own, &other).is_ok()
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Header of our signature: `v1=` and 64 hex digits.
pub const SIGNATURE_HEADER: &str = "tsunagu-signature";
/// Header of the time that is signed: seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "tsunagu-timestamp";
/// Header of Twilio's signature.
pub const TWILIO_HEADER: &str = "x-twilio-signature";
/// Header that is the same on every retry of one request.
pub const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";
/// How old a signed time may be for who verifies, seconds; what docs/webhooks.md recommends.
pub const REPLAY_WINDOW_SECONDS: i64 = 300;

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// As it is sent, `bodySHA256` included.
    pub(super) target: &'a Target,
    /// Fields of a form that is the body; none for anything else.
    pub(super) form: &'a [(String, String)],
    /// The body as it is sent.
    pub(super) body: &'a [u8],
}

/// Headers of a signed request: name and value.
pub(super) fn headers(
    mode: SignatureMode,
    secret: &SigningSecret,
    signed: Signed<'_>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    match mode {
        SignatureMode::None => Vec::new(),
        SignatureMode::HmacSha256 => {
            let seconds = now.as_millis().div_euclid(1000);
            // Without a body the query is what the request says.
            let content = match signed.body.is_empty() {
                true => signed.target.url().query().unwrap_or_default().as_bytes(),
                false => signed.body,
            };
            let signature = ours(secret, seconds, content);
            vec![
                (TIMESTAMP_HEADER, seconds.to_string()),
                (SIGNATURE_HEADER, signature),
            ]
        }
        SignatureMode::Twilio => {
            let signature = twilio(secret, signed.target.as_str(), signed.form);
            vec![(TWILIO_HEADER, signature)]
        }
    }
}

/// `v1=` and HMAC-SHA256 in hex over `seconds`, a dot and `content`.
pub fn ours(secret: &SigningSecret, seconds: i64, content: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{seconds}.").as_bytes());
    context.update(content);
    format!("v1={}", hex::encode(context.sign()))
}

/// Base64 of HMAC-SHA1 over the URL and every field's name and value, sorted by name. A field that
/// is there twice with one value counts once, as the SDKs have it.
pub fn twilio(secret: &SigningSecret, url: &str, form: &[(String, String)]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.0.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(url.as_bytes());
    let mut fields: Vec<&(String, String)> = form.iter().collect();
    fields.sort();
    fields.dedup();
    for (name, value) in fields {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    STANDARD.encode(context.sign())
}

/// The pair that a URL has in compatibility mode when the body is no form: `bodySHA256` and the
/// digest in hex.
pub(super) fn body_digest(body: &[u8]) -> (String, String) {
    ("bodySHA256".to_owned(), hex::encode(Sha256::digest(body)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        let text = include_str!("../../tests/data/webhooks/signatures.json");
        serde_json::from_str(text).expect("JSON")
    }

    fn text(value: &Value) -> String {
        value.as_str().expect("a text").to_owned()
    }

    fn pairs(value: &Value) -> Vec<(String, String)> {
        let pairs = value.as_array().expect("a list").iter();
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    }

    #[test]
    fn the_official_validator_signs_alike() {
        let vectors = vectors();
        let cases = vectors["twilio"].as_array().expect("a list");
        assert!(cases.len() >= 8);
        for case in cases {
            let secret = SigningSecret::new(text(&case["token"]));
            let target = Target::parse(&text(&case["url"])).expect("a URL");
            let mut form = pairs(&case["form"]);
            form.reverse();
            let signature = twilio(&secret, target.as_str(), &form);
            assert_eq!(signature, text(&case["signature"]), "{case}");
        }
    }

    #[test]
    fn a_body_that_is_no_form_is_in_the_url_as_a_digest() {
        let vectors = vectors();
        let cases = vectors["json"].as_array().expect("a list");
        assert!(cases.len() >= 3);
        for case in cases {
            let body = text(&case["body"]);
            let target = Target::parse(&text(&case["url"])).expect("a URL");
            let target = target.with_query(&[body_digest(body.as_bytes())]);
            assert_eq!(target.as_str(), text(&case["signed_url"]));
            let secret = SigningSecret::new(text(&case["token"]));
            let signed = Signed {
                target: &target,
                form: &[],
                body: body.as_bytes(),
            };
            let headers = headers(SignatureMode::Twilio, &secret, signed, Timestamp::ZERO);
            assert_eq!(headers, [(TWILIO_HEADER, text(&case["signature"]))]);
        }
    }

    #[test]
    fn ours_is_what_the_recipe_computes() {
        let vectors = vectors();
        let cases = vectors["ours"].as_array().expect("a list");
        assert!(cases.len() >= 3);
        for case in cases {
            let secret = SigningSecret::new(text(&case["secret"]));
            let seconds = case["timestamp"].as_i64().expect("a number");
            let signature = ours(&secret, seconds, text(&case["content"]).as_bytes());
            assert_eq!(signature, text(&case["signature"]), "{case}");
        }
    }

    #[test]
    fn without_a_body_the_query_is_signed() {
        let secret = SigningSecret::new("k");
        let target = Target::parse("http://x.test/a?b=1#rc=1").unwrap();
        let now = Timestamp::from_millis(1_795_136_523_999);
        let of = |body| {
            let signed = Signed {
                target: &target,
                form: &[],
                body,
            };
            headers(SignatureMode::HmacSha256, &secret, signed, now)
        };
        let expected = ours(&secret, 1_795_136_523, b"b=1");
        assert_eq!(of(b"")[1], (SIGNATURE_HEADER, expected));
        let expected = ours(&secret, 1_795_136_523, b"{}");
        assert_eq!(of(b"{}")[1], (SIGNATURE_HEADER, expected));
        assert_eq!(of(b"")[0], (TIMESTAMP_HEADER, "1795136523".to_owned()));
    }

    #[test]
    fn a_secret_knows_itself() {
        let secret = SigningSecret::new("abc");
        assert!(secret.is(b"abc"));
        for other in ["", "ab", "abcd", "abC"] {
            assert!(!secret.is(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(
            format!("{:?}", SigningSecret::new("abc")),
            "SigningSecret(…)"
        );
    }
}
