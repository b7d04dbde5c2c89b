//! What a client remembers of the challenges it met, so that later requests go out with
//! credentials at once (RFC 3261 §22.2, RFC 7616 §3.6).

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::challenge::{Asked, Challenge};
use super::fields::Fields;
use super::{AuthError, Credentials};
use crate::base::Entropy;
use crate::sip::{HeaderName, Message, Method, Uri};

/// Challenges met, by user and by the address that asked. A secret given for one address is never
/// used for another.
#[derive(Debug, Default)]
pub struct Keyring {
    rings: HashMap<Place, Vec<Held>>,
    /// Oldest first.
    order: VecDeque<Place>,
}

type Place = (String, SocketAddr);

/// A challenge in use.
#[derive(Debug)]
struct Held {
    challenge: Challenge,
    cnonce: String,
    /// Requests sent with it.
    count: u32,
}

impl Keyring {
    /// Headers for a request to `to`, for every realm that has asked before; none at first.
    pub fn preempt(
        &mut self,
        credentials: &Credentials,
        to: SocketAddr,
        (method, uri, body): (&Method, &Uri, &[u8]),
    ) -> Vec<(HeaderName, String)> {
        let place = (credentials.user.clone(), to);
        let asked = Asked { method, uri, body };
        let Some(held) = self.rings.get_mut(&place) else {
            return Vec::new();
        };
        held.iter_mut()
            .filter_map(|held| {
                held.count += 1;
                let turn = (held.count, held.cnonce.as_str());
                let value = held.challenge.answer(&asked, credentials, turn).ok()?;
                Some((held.challenge.header(), value))
            })
            .collect()
    }

    /// Takes the challenges of `response` to `request`, which was sent to `to` and has been tried
    /// again `tries` times before.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`] when the request may not be sent again: a realm that was answered
    /// asks once more without saying `stale`, or it was tried `MAX_TRIES` times.
    pub fn learn(
        &mut self,
        (request, response): (&Message, &Message),
        credentials: &Credentials,
        to: SocketAddr,
        tries: u8,
        entropy: &mut Entropy,
    ) -> Result<(), AuthError> {
        let challenges = Challenge::all(response, credentials);
        if challenges.is_empty() {
            return Err(match Challenge::is_any(response) {
                true => AuthError::WrongSecret,
                false => AuthError::NoChallenge,
            });
        }
        let place = (credentials.user.clone(), to);
        let is_refused = |challenge: &Challenge| {
            tries > 0 && !challenge.is_stale && challenge.was_answered_in(request)
        };
        if tries >= MAX_TRIES || challenges.iter().any(is_refused) {
            self.rings.remove(&place);
            self.order.retain(|one| *one != place);
            return Err(AuthError::Refused);
        }
        if !self.rings.contains_key(&place) {
            while self.order.len() >= MAX_PLACES {
                if let Some(oldest) = self.order.pop_front() {
                    self.rings.remove(&oldest);
                }
            }
            self.order.push_back(place.clone());
        }
        let ring = self.rings.entry(place).or_default();
        for challenge in challenges {
            ring.retain(|held| !held.challenge.is_same_realm(&challenge));
            if ring.len() >= MAX_HELD {
                ring.remove(0);
            }
            ring.push(Held {
                challenge,
                cnonce: entropy.token(20),
                count: 0,
            });
        }
        Ok(())
    }

    /// Takes the nonce that a 2xx gives for the next request (Authentication-Info, RFC 7616 §3.5).
    pub fn renew(&mut self, response: &Message, credentials: &Credentials, from: SocketAddr) {
        for (name, is_proxy) in [
            (HeaderName::AuthenticationInfo, false),
            (HeaderName::ProxyAuthenticationInfo, true),
        ] {
            let Some(info) = response.header_text(name) else {
                continue;
            };
            // It has fields only, no scheme and no realm.
            let fields = Fields::parse(&format!("Digest {info}"));
            let Some(nonce) = fields.as_ref().and_then(|fields| fields.value("nextnonce")) else {
                continue;
            };
            let place = (credentials.user.clone(), from);
            let Some(ring) = self.rings.get_mut(&place) else {
                continue;
            };
            let mut ours = ring
                .iter_mut()
                .filter(|held| held.challenge.is_proxy == is_proxy);
            if let (Some(held), None) = (ours.next(), ours.next())
                && held.challenge.nonce != nonce
            {
                held.challenge.nonce = nonce.to_owned();
                held.count = 0;
            }
        }
    }

    /// Places remembered.
    pub fn len(&self) -> usize {
        self.rings.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }
}

/// Times one request is sent again with credentials: a proxy and a server may ask one after the
/// other, and one nonce may be stale.
const MAX_TRIES: u8 = 3;

/// Realms held for one place.
const MAX_HELD: usize = 4;

/// Users and addresses held: more than any node has trunk accounts.
const MAX_PLACES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "192.0.2.1:5060";

    struct Client {
        keyring: Keyring,
        entropy: Entropy,
        credentials: Credentials,
    }

    impl Client {
        fn new() -> Self {
            Self {
                keyring: Keyring::default(),
                entropy: Entropy::from_seed(1),
                credentials: Credentials::new("alice", "secret"),
            }
        }

        fn request(&mut self, to: &str) -> Message {
            let uri = Uri::parse("sip:carrier").unwrap();
            let asked = (&Method::Register, &uri, &b""[..]);
            let headers = self
                .keyring
                .preempt(&self.credentials, to.parse().unwrap(), asked);
            let mut text = "REGISTER sip:carrier SIP/2.0\r\n".to_owned();
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            Message::parse((text + "\r\n").into()).unwrap()
        }

        fn learn(
            &mut self,
            request: &Message,
            challenge: &str,
            tries: u8,
        ) -> Result<(), AuthError> {
            let text = format!("SIP/2.0 401 X\r\n{challenge}\r\n\r\n");
            let response = Message::parse(text.into()).unwrap();
            self.keyring.learn(
                (request, &response),
                &self.credentials,
                TO.parse().unwrap(),
                tries,
                &mut self.entropy,
            )
        }
    }

    fn field(message: &Message, name: HeaderName, field: &str) -> Option<String> {
        let value = message.header_text(name)?;
        Some(Fields::parse(&value)?.value(field)?.to_owned())
    }

    #[test]
    fn a_nonce_is_used_again_with_the_next_count_and_only_where_it_came_from() {
        let mut client = Client::new();
        let first = client.request(TO);
        assert_eq!(first.header(HeaderName::Authorization), None);
        let challenge = r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth""#;
        client.learn(&first, challenge, 0).unwrap();
        for count in ["00000001", "00000002", "00000003"] {
            let request = client.request(TO);
            let nc = field(&request, HeaderName::Authorization, "nc");
            assert_eq!(nc.as_deref(), Some(count));
        }
        let elsewhere = client.request("192.0.2.2:5060");
        assert_eq!(elsewhere.header(HeaderName::Authorization), None);
    }

    #[test]
    fn a_stale_nonce_is_replaced_and_a_wrong_secret_gives_up() {
        let mut client = Client::new();
        let first = client.request(TO);
        let ask = |nonce: &str, more: &str| {
            format!(r#"WWW-Authenticate: Digest realm="r", nonce="{nonce}", qop="auth"{more}"#)
        };
        client.learn(&first, &ask("1", ""), 0).unwrap();
        // A remembered nonce may have run out without the server saying so.
        let again = client.request(TO);
        client.learn(&again, &ask("2", ""), 0).unwrap();
        let again = client.request(TO);
        client.learn(&again, &ask("3", ", stale=TRUE"), 1).unwrap();
        let again = client.request(TO);
        let nonce = field(&again, HeaderName::Authorization, "nonce");
        assert_eq!(nonce.as_deref(), Some("3"));
        let refused = client.learn(&again, &ask("4", ""), 2);
        assert_eq!(refused, Err(AuthError::Refused));
        assert!(client.keyring.is_empty());
        client.learn(&first, &ask("5", ""), 0).unwrap();
        let forever = client.learn(&first, &ask("6", ", stale=true"), MAX_TRIES);
        assert_eq!(forever, Err(AuthError::Refused));
    }

    #[test]
    fn a_proxy_and_a_server_are_both_answered() {
        let mut client = Client::new();
        let first = client.request(TO);
        let proxy = r#"Proxy-Authenticate: Digest realm="p", nonce="1", qop="auth""#;
        client.learn(&first, proxy, 0).unwrap();
        let second = client.request(TO);
        let server = r#"WWW-Authenticate: Digest realm="s", nonce="2", qop="auth""#;
        client.learn(&second, server, 1).unwrap();
        let third = client.request(TO);
        let realm = |name| field(&third, name, "realm");
        assert_eq!(realm(HeaderName::Authorization).as_deref(), Some("s"));
        assert_eq!(realm(HeaderName::ProxyAuthorization).as_deref(), Some("p"));
    }

    #[test]
    fn the_next_nonce_begins_at_one() {
        let mut client = Client::new();
        let first = client.request(TO);
        let challenge = r#"WWW-Authenticate: Digest realm="r", nonce="1", qop="auth""#;
        client.learn(&first, challenge, 0).unwrap();
        client.request(TO);
        let ok = "SIP/2.0 200 OK\r\nAuthentication-Info: nextnonce=\"n2\", qop=auth\r\n\r\n";
        let ok = Message::parse(ok.into()).unwrap();
        let from = TO.parse().unwrap();
        client.keyring.renew(&ok, &client.credentials, from);
        let request = client.request(TO);
        let field = |name| field(&request, HeaderName::Authorization, name);
        assert_eq!(field("nonce").as_deref(), Some("n2"));
        assert_eq!(field("nc").as_deref(), Some("00000001"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut client = Client::new();
        let first = client.request(TO);
        let response = "SIP/2.0 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\n\r\n";
        let response = Message::parse(response.into()).unwrap();
        for port in 1..=u16::MAX {
            let to = SocketAddr::from(([192, 0, 2, 1], port));
            let pair = (&first, &response);
            let credentials = &client.credentials;
            let learnt = client
                .keyring
                .learn(pair, credentials, to, 0, &mut client.entropy);
            learnt.unwrap();
        }
        assert_eq!(client.keyring.len(), MAX_PLACES);
        assert_eq!(client.keyring.order.len(), MAX_PLACES);
    }
}
