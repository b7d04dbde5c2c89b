//! A challenge as the side that is asked reads it (RFC 3261 §22.2, §22.3; RFC 7616 §3.3).

use super::digest::{Proof, Qop, Quality, SESSION};
use super::fields::Fields;
use super::{Algorithm, AuthError, Credentials};
use crate::sip::header::scan;
use crate::sip::{HeaderName, Message, Method, Uri};

/// One challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// It came in Proxy-Authenticate.
    pub(super) is_proxy: bool,
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) is_session: bool,
    /// `None` for the form of RFC 2069.
    pub(super) qop: Option<Qop>,
    /// Our secret was right, our nonce too old.
    pub(super) is_stale: bool,
}

/// What a response is written for.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) body: &'a [u8],
}

impl Challenge {
    /// What a 401 or 407 asks, one challenge for each realm our secret is for: the strongest
    /// algorithm that we and the secret know, the topmost of equal ones.
    ///
    /// RFC 8760 §2.4 takes the topmost unless local policy says otherwise. Ours does: whoever can
    /// reorder headers cannot talk us down to MD5 that way.
    pub(super) fn all(response: &Message, credentials: &Credentials) -> Vec<Self> {
        let mut chosen: Vec<Self> = Vec::new();
        for (name, is_proxy) in [
            (HeaderName::WwwAuthenticate, false),
            (HeaderName::ProxyAuthenticate, true),
        ] {
            for value in response.headers(name) {
                let Some(challenge) = Self::parse(&scan::text(&value), is_proxy) else {
                    continue;
                };
                let ha1 = credentials.ha1(&challenge.realm);
                if ha1.is_none_or(|ha1| ha1.of(challenge.algorithm).is_none()) {
                    continue;
                }
                match chosen.iter().position(|one| one.is_same_realm(&challenge)) {
                    Some(at) if chosen[at].algorithm < challenge.algorithm => {
                        chosen[at] = challenge;
                    }
                    None if chosen.len() < MAX_REALMS => chosen.push(challenge),
                    _ => {}
                }
            }
        }
        chosen
    }

    /// Why none of a response's challenges is answered: none is understood, or none is for the
    /// secret.
    pub(super) fn why_none(response: &Message, credentials: &Credentials) -> AuthError {
        let realms: Vec<String> = [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
            .into_iter()
            .flat_map(|name| response.headers(name))
            .filter_map(|value| Self::parse(&scan::text(&value), false))
            .map(|challenge| challenge.realm)
            .collect();
        match realms.iter().any(|realm| credentials.fit(realm)) {
            true => AuthError::WrongSecret,
            false if realms.is_empty() => AuthError::NoChallenge,
            false => AuthError::OtherRealm,
        }
    }

    fn parse(value: &str, is_proxy: bool) -> Option<Self> {
        let fields = Fields::parse(value)?;
        let (algorithm, is_session) = Algorithm::read(fields.value("algorithm"))?;
        let qop = match fields.qop() {
            None => None,
            Some(offered) if offered.contains(&Qop::Auth) => Some(Qop::Auth),
            Some(offered) => Some(*offered.first()?),
        };
        if is_session && qop.is_none() {
            // Its HA1 needs a cnonce.
            return None;
        }
        Some(Self {
            is_proxy,
            realm: fields.value("realm")?.to_owned(),
            nonce: fields.value("nonce")?.to_owned(),
            opaque: fields.value("opaque").map(str::to_owned),
            algorithm,
            is_session,
            qop,
            is_stale: fields.says("stale"),
        })
    }

    /// Whether both ask for the same secret in the same header.
    pub(super) fn is_same_realm(&self, other: &Self) -> bool {
        self.is_proxy == other.is_proxy && self.realm == other.realm
    }

    /// Whether `request` holds credentials for the realm.
    pub(super) fn was_answered_in(&self, request: &Message) -> bool {
        request.headers(self.header()).any(|value| {
            Fields::parse(&scan::text(&value))
                .is_some_and(|fields| fields.value("realm") == Some(&self.realm))
        })
    }

    /// The header that answers.
    pub(super) fn header(&self) -> HeaderName {
        if self.is_proxy {
            HeaderName::ProxyAuthorization
        } else {
            HeaderName::Authorization
        }
    }

    /// The value of the header that answers.
    pub(super) fn answer(
        &self,
        asked: &Asked<'_>,
        credentials: &Credentials,
        (nc, cnonce): (u32, &str),
    ) -> Result<String, AuthError> {
        let (uri, nc) = (asked.uri.to_string(), format!("{nc:08x}"));
        let proof = Proof {
            algorithm: self.algorithm,
            is_session: self.is_session,
            nonce: &self.nonce,
            uri: &uri,
            qop: self.qop.map(|qop| Quality {
                qop,
                nc: &nc,
                cnonce,
                body: asked.body,
            }),
        };
        let ha1 = credentials.ha1(&self.realm).ok_or(AuthError::OtherRealm)?;
        let secret = ha1.of(self.algorithm).ok_or(AuthError::WrongSecret)?;
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{}\", algorithm={}{}",
            scan::quote(&credentials.user),
            scan::quote(&self.realm),
            scan::quote(&self.nonce),
            proof.response_for(secret, asked.method),
            self.algorithm.as_str(),
            if self.is_session { SESSION } else { "" },
        );
        if let Some(qop) = self.qop {
            value += &format!(", qop={}, nc={nc}, cnonce=\"{cnonce}\"", qop.as_str());
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque={}", scan::quote(opaque));
        }
        Ok(value)
    }
}

/// Realms answered in one request; proxies on one way that each ask are rarely two.
const MAX_REALMS: usize = 4;
