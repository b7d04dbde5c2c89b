//! Answering one challenge once (RFC 3261 §22.2, §22.3); [`super::Keyring`] remembers beyond that.

use super::challenge::{Asked, Challenge};
use super::{AuthError, Credentials};
use crate::base::Entropy;
use crate::sip::{HeaderName, Message, Method, Uri};

/// The header to add to a request without a body, sent again with a higher CSeq: Authorization
/// for WWW-Authenticate, Proxy-Authorization for Proxy-Authenticate.
///
/// Takes the strongest challenge it understands. `nc` counts the requests sent with the
/// challenge's nonce, from 1.
pub fn answer(
    challenge: &Message,
    method: &Method,
    uri: &Uri,
    credentials: &Credentials,
    entropy: &mut Entropy,
    nc: u32,
) -> Result<(HeaderName, String), AuthError> {
    let chosen = Challenge::all(challenge, credentials);
    let Some(chosen) = chosen.into_iter().max_by_key(|one| one.algorithm) else {
        return Err(Challenge::why_none(challenge, credentials));
    };
    let body = &[];
    let asked = Asked { method, uri, body };
    let value = chosen.answer(&asked, credentials, (nc, &entropy.token(20)))?;
    Ok((chosen.header(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::auth::Ha1;

    fn ask(status: u16, challenges: &[&str]) -> Result<(HeaderName, String), AuthError> {
        ask_of(&Credentials::new("bob", "zanzibar"), status, challenges)
    }

    fn ask_of(
        credentials: &Credentials,
        status: u16,
        challenges: &[&str],
    ) -> Result<(HeaderName, String), AuthError> {
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
            credentials,
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
    fn the_strongest_challenge_understood_is_answered() {
        let all = [
            r#"Digest realm="a", nonce="3", algorithm=MD5, qop="auth""#,
            r#"Digest realm="a", nonce="0", algorithm=SHA-512, qop="auth""#,
            r#"Digest realm="a", nonce="1", algorithm=SHA-512-256, qop="auth""#,
            r#"Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth,auth-int""#,
        ];
        let (name, value) = ask(407, &all).unwrap();
        assert_eq!(name, HeaderName::ProxyAuthorization);
        assert!(value.contains(r#"nonce="1""#) && value.contains("nc=00000001"));
        // A secret known as MD5 only takes what it can.
        let md5 = Ha1::from_hex(&"0".repeat(32)).unwrap();
        let (_, value) = ask_of(&Credentials::with_ha1("bob", md5), 407, &all).unwrap();
        assert!(value.contains(r#"nonce="3""#), "{value}");
    }

    #[test]
    fn integrity_is_given_when_nothing_else_is_taken() {
        for (offered, wanted) in [
            ("auth-int", "qop=auth-int,"),
            ("auth-int,auth", "qop=auth,"),
        ] {
            let challenge = format!(r#"Digest realm="a", nonce="1", qop="{offered}""#);
            let (_, value) = ask(401, &[&challenge]).unwrap();
            assert!(value.contains(wanted), "{value}");
        }
        let session = r#"Digest realm="a", nonce="1", algorithm=MD5-sess, qop="auth""#;
        let (_, value) = ask(401, &[session]).unwrap();
        assert!(value.contains("algorithm=MD5-sess"), "{value}");
    }

    #[test]
    fn what_cannot_be_answered_is_an_error() {
        for challenge in [
            "Basic realm=\"a\"",
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"1\", qop=\"auth-conf\"",
            "Digest realm=\"a\", nonce=\"1\", algorithm=MD5-sess",
        ] {
            assert_eq!(ask(401, &[challenge]), Err(AuthError::NoChallenge));
        }
        assert_eq!(ask(401, &[]), Err(AuthError::NoChallenge));
        let sha = Ha1::from_hex(&"0".repeat(64)).unwrap();
        let md5 = r#"Digest realm="a", nonce="3", algorithm=MD5, qop="auth""#;
        let answered = ask_of(&Credentials::with_ha1("bob", sha), 401, &[md5]);
        assert_eq!(answered, Err(AuthError::WrongSecret));
    }

    #[test]
    fn a_secret_is_used_in_its_realms_only() {
        let a = r#"Digest realm="a", nonce="1", qop="auth""#;
        let b = r#"Digest realm="b", nonce="2", qop="auth""#;
        let ha1 = || Ha1::from_password("bob", "a", "zanzibar");
        for credentials in [
            Credentials::new("bob", "zanzibar"),
            Credentials::with_ha1("bob", ha1()),
        ] {
            let named = credentials.clone().in_realms(vec!["a".to_owned()]);
            assert!(ask_of(&named, 401, &[a]).is_ok());
            assert_eq!(ask_of(&named, 401, &[b]), Err(AuthError::OtherRealm));
            assert!(
                ask_of(&named, 401, &[b, a])
                    .unwrap()
                    .1
                    .contains(r#"nonce="1""#)
            );
            // Without a name, the first that is proven; clones know it too.
            let (clone, same) = (credentials.clone(), credentials.clone());
            assert!(ask_of(&clone, 401, &[b]).is_ok());
            credentials.prove("a");
            credentials.prove("b");
            assert!(ask_of(&clone, 401, &[a]).is_ok());
            assert_eq!(ask_of(&clone, 401, &[b]), Err(AuthError::OtherRealm));
            assert_eq!(clone, same);
        }
        // A new configuration with the same secret goes on with what is known.
        let (old, new) = ["zanzibar"; 2].map(|it| Credentials::new("bob", it)).into();
        old.prove("a");
        new.remember(&old);
        assert!(!new.fit("b"));
        let other = Credentials::new("bob", "other");
        other.remember(&old);
        assert!(other.fit("b"));
    }
}
