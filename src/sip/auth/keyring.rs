//! What a client remembers of the challenges whose answers were accepted, so that later requests go out with
//! credentials at once (RFC 3261 §22.2, RFC 7616 §3.6).

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::challenge::{Asked, Challenge};
use super::fields::Fields;
use super::{AuthError, Credentials};
use crate::base::Entropy;
use crate::sip::{HeaderName, Message, Method, Uri};

/// Challenges whose answers were accepted, by user and by the address that asked. A secret given for
/// one address is never used for another.
#[derive(Debug, Default)]
pub struct Keyring {
    rings: HashMap<Place, Vec<Held>>,
    /// Oldest first.
    order: VecDeque<Place>,
}

type Place = (String, SocketAddr);

/// Challenges answered in one request, and in those of its early dialogs, while nobody has accepted
/// it.
#[derive(Debug, Default)]
pub struct Trial {
    /// The realm that asked first stands first.
    held: Vec<Held>,
    /// Times the request was sent again.
    tries: u8,
}

/// A challenge in use.
#[derive(Debug)]
struct Held {
    challenge: Challenge,
    cnonce: String,
    /// Requests sent with it.
    count: u32,
}

impl Keyring {
    /// Headers for a request to `to`, for every realm that has accepted one before, and for those
    /// that have just asked; none at first.
    pub fn preempt(
        &mut self,
        credentials: &Credentials,
        to: SocketAddr,
        (method, uri, body): (&Method, &Uri, &[u8]),
        trial: Option<&mut Trial>,
    ) -> Vec<(HeaderName, String)> {
        let place = (credentials.user.clone(), to);
        let asked = Asked { method, uri, body };
        let on_trial = trial.map(|trial| trial.held.iter_mut());
        let mut held: Vec<&mut Held> = on_trial.into_iter().flatten().collect();
        for known in self.rings.get_mut(&place).into_iter().flatten() {
            if !held
                .iter()
                .any(|one| one.challenge.is_same_realm(&known.challenge))
            {
                held.push(known);
            }
        }
        held.into_iter()
            .filter_map(|held| {
                held.count += 1;
                let turn = (held.count, held.cnonce.as_str());
                let value = held.challenge.answer(&asked, credentials, turn).ok()?;
                Some((held.challenge.header(), value))
            })
            .collect()
    }

    /// Takes the challenges of `response` to `request`, which was sent to `to`; `trial` is what was
    /// answered in it before. While it is not settled whom the credentials are for, that is who
    /// asks first: what asks behind him is not his.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`] when the request may not be sent again: a realm that was answered
    /// asks once more without saying `stale`, or it was tried `MAX_TRIES` times.
    /// [`AuthError::OtherRealm`] when nobody asks whom the credentials are for.
    pub fn learn(
        &mut self,
        (request, response): (&Message, &Message),
        credentials: &Credentials,
        to: SocketAddr,
        mut trial: Trial,
        entropy: &mut Entropy,
    ) -> Result<Trial, AuthError> {
        let mut challenges = Challenge::all(response, credentials);
        if challenges.is_empty() {
            return Err(Challenge::why_none(response, credentials));
        }
        let asked_first = trial.held.first().map(|held| &held.challenge);
        if let (false, Some(first)) = (credentials.is_settled(), asked_first.or(challenges.first()))
        {
            let realm = first.realm.clone();
            challenges.retain(|challenge| challenge.realm == realm);
            if challenges.is_empty() {
                return Err(AuthError::OtherRealm);
            }
        }
        let is_refused = |challenge: &Challenge| {
            trial.tries > 0 && !challenge.is_stale && challenge.was_answered_in(request)
        };
        if trial.tries >= MAX_TRIES || challenges.iter().any(is_refused) {
            self.forget(&(credentials.user.clone(), to));
            return Err(AuthError::Refused);
        }
        trial.tries += 1;
        for challenge in challenges {
            put(&mut trial.held, Held::new(challenge, entropy));
        }
        Ok(trial)
    }

    /// The request of a trial was accepted: whoever asked knows the secret.
    pub fn prove(&mut self, trial: Trial, credentials: &Credentials, to: SocketAddr) {
        let Some(first) = trial.held.first() else {
            return;
        };
        credentials.prove(&first.challenge.realm);
        let place = (credentials.user.clone(), to);
        if !self.rings.contains_key(&place) {
            while self.order.len() >= MAX_PLACES {
                if let Some(oldest) = self.order.pop_front() {
                    self.rings.remove(&oldest);
                }
            }
            self.order.push_back(place.clone());
        }
        let ring = self.rings.entry(place).or_default();
        for held in trial.held {
            put(ring, held);
        }
    }

    fn forget(&mut self, place: &Place) {
        if self.rings.remove(place).is_some() {
            self.order.retain(|one| one != place);
        }
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

impl Held {
    fn new(challenge: Challenge, entropy: &mut Entropy) -> Self {
        Self {
            challenge,
            cnonce: entropy.token(20),
            count: 0,
        }
    }
}

/// Takes the place of what is held for the same realm.
fn put(ring: &mut Vec<Held>, new: Held) {
    let is_its = |held: &Held| held.challenge.is_same_realm(&new.challenge);
    if let Some(held) = ring.iter_mut().find(|held| is_its(held)) {
        *held = new;
        return;
    }
    if ring.len() >= MAX_HELD {
        ring.pop();
    }
    ring.push(new);
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
        trial: Option<Trial>,
    }

    impl Client {
        fn new() -> Self {
            Self {
                keyring: Keyring::default(),
                entropy: Entropy::from_seed(1),
                credentials: Credentials::new("alice", "secret"),
                trial: None,
            }
        }

        fn request(&mut self, to: &str) -> Message {
            let uri = Uri::parse("sip:carrier").unwrap();
            let asked = (&Method::Register, &uri, &b""[..]);
            let (credentials, to) = (&self.credentials, to.parse().unwrap());
            let headers = self
                .keyring
                .preempt(credentials, to, asked, self.trial.as_mut());
            let mut text = "REGISTER sip:carrier SIP/2.0\r\n".to_owned();
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            Message::parse((text + "\r\n").into()).unwrap()
        }

        /// The request is challenged; the next is its repetition.
        fn learn(&mut self, request: &Message, challenge: &str) -> Result<(), AuthError> {
            let text = format!("SIP/2.0 401 X\r\n{challenge}\r\n\r\n");
            let response = Message::parse(text.into()).unwrap();
            let learnt = self.keyring.learn(
                (request, &response),
                &self.credentials,
                TO.parse().unwrap(),
                self.trial.take().unwrap_or_default(),
                &mut self.entropy,
            );
            self.trial = Some(learnt?);
            Ok(())
        }

        /// The request is accepted; the next is another one.
        fn accepted(&mut self) {
            let trial = self.trial.take().unwrap();
            let to = TO.parse().unwrap();
            self.keyring.prove(trial, &self.credentials, to);
        }
    }

    fn ask(realm: &str, nonce: &str, more: &str) -> String {
        format!(r#"WWW-Authenticate: Digest realm="{realm}", nonce="{nonce}", qop="auth"{more}"#)
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
        client.learn(&first, &ask("r", "1", "")).unwrap();
        for count in ["00000001", "00000002", "00000003"] {
            let request = client.request(TO);
            let nc = field(&request, HeaderName::Authorization, "nc");
            assert_eq!(nc.as_deref(), Some(count));
            if client.trial.is_some() {
                client.accepted();
            }
        }
        let elsewhere = client.request("192.0.2.2:5060");
        assert_eq!(elsewhere.header(HeaderName::Authorization), None);
    }

    #[test]
    fn a_stale_nonce_is_replaced_and_a_wrong_secret_gives_up() {
        let mut client = Client::new();
        let first = client.request(TO);
        client.learn(&first, &ask("r", "1", "")).unwrap();
        client.request(TO);
        client.accepted();
        // A remembered nonce may have run out without the server saying so.
        let again = client.request(TO);
        client.learn(&again, &ask("r", "2", "")).unwrap();
        let again = client.request(TO);
        client
            .learn(&again, &ask("r", "3", ", stale=TRUE"))
            .unwrap();
        let again = client.request(TO);
        let nonce = field(&again, HeaderName::Authorization, "nonce");
        assert_eq!(nonce.as_deref(), Some("3"));
        let refused = client.learn(&again, &ask("r", "4", ""));
        assert_eq!(refused, Err(AuthError::Refused));
        assert!(client.keyring.is_empty() && client.keyring.order.is_empty());
        for nonce in 0..MAX_TRIES {
            let challenge = ask("r", &nonce.to_string(), ", stale=true");
            client.learn(&first, &challenge).unwrap();
        }
        let forever = client.learn(&first, &ask("r", "6", ", stale=true"));
        assert_eq!(forever, Err(AuthError::Refused));
    }

    #[test]
    fn a_proxy_and_a_server_are_both_answered_when_both_are_named() {
        let proxy = r#"Proxy-Authenticate: Digest realm="p", nonce="1", qop="auth""#;
        for (named, both) in [(&["p", "s"][..], true), (&[], false)] {
            let mut client = Client::new();
            let named = named.iter().map(ToString::to_string).collect();
            client.credentials = client.credentials.in_realms(named);
            let first = client.request(TO);
            client.learn(&first, proxy).unwrap();
            let second = client.request(TO);
            // Whoever asks behind the proxy may be the one who is called.
            let answered = client.learn(&second, &ask("s", "2", ""));
            if !both {
                assert_eq!(answered, Err(AuthError::OtherRealm));
                continue;
            }
            let third = client.request(TO);
            let realm = |name| field(&third, name, "realm");
            assert_eq!(realm(HeaderName::Authorization).as_deref(), Some("s"));
            assert_eq!(realm(HeaderName::ProxyAuthorization).as_deref(), Some("p"));
        }
    }

    #[test]
    fn nothing_is_kept_before_it_is_proven_and_no_other_realm_is_answered_then() {
        let mut client = Client::new();
        let first = client.request(TO);
        client.learn(&first, &ask("callee", "1", "")).unwrap();
        // The call came to nothing: it may have been a callee who asked.
        client.trial = None;
        let next = client.request(TO);
        assert_eq!(next.header(HeaderName::Authorization), None);
        client.learn(&next, &ask("carrier", "2", "")).unwrap();
        client.request(TO);
        client.accepted();
        let later = client.request(TO);
        let realm = field(&later, HeaderName::Authorization, "realm");
        assert_eq!(realm.as_deref(), Some("carrier"));
        let foreign = client.learn(&later, &ask("callee", "3", ""));
        assert_eq!(foreign, Err(AuthError::OtherRealm));
        // That has cost the carrier's nonce nothing.
        let later = client.request(TO);
        let nonce = field(&later, HeaderName::Authorization, "nonce");
        assert_eq!(nonce.as_deref(), Some("2"));
    }

    #[test]
    fn the_next_nonce_begins_at_one() {
        let mut client = Client::new();
        let first = client.request(TO);
        client.learn(&first, &ask("r", "1", "")).unwrap();
        client.request(TO);
        client.accepted();
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
        for port in 1..=u16::MAX {
            client.learn(&first, &ask("r", "1", "")).unwrap();
            let to = SocketAddr::from(([192, 0, 2, 1], port));
            let trial = client.trial.take().unwrap();
            client.keyring.prove(trial, &client.credentials, to);
        }
        assert_eq!(client.keyring.len(), MAX_PLACES);
        assert_eq!(client.keyring.order.len(), MAX_PLACES);
    }
}
