//! Whether a phone is who it says: digest with the passwords of a generation (RFC 3261 §22).

use std::sync::PoisonError;

use super::Generation;
use super::arrival::{Refusal, user_of};
use super::exchange::{Exchange, Output};
use crate::base::Timestamp;
use crate::sip::auth::Verdict;
use crate::sip::{Flow, HeaderName, Message, Method};

/// A phone that proved its password.
pub(super) struct Proven {
    /// Its number.
    pub(super) user: String,
    /// For the answer: a nonce for the next request, when the one used is old.
    pub(super) headers: Vec<(HeaderName, String)>,
}

impl Exchange {
    /// The user whose password the request proves, or the challenge to send (RFC 3261 §22.2).
    ///
    /// Answer and way to it are the same for a user who does not exist as for a wrong password.
    pub(super) fn authenticate(
        &mut self,
        now: Timestamp,
        generation: &Generation,
        flow: &Flow,
        request: &Message,
    ) -> Result<Proven, Refusal> {
        let source = flow.remote.ip();
        let challenger = self.challenger.clone();
        let mut challenger = challenger.lock().unwrap_or_else(PoisonError::into_inner);
        let named = claimed(request);
        let user = challenger.claimed(request);
        if let Some(user) = &user
            && let Some(wait) = self.guard.slowed(now, source, user)
        {
            // Not looked at, right or wrong, and counted: guessing faster tells nothing.
            if challenger.was_received(source, request) {
                self.guard.failed(now, source, user);
            }
            let seconds = wait.as_secs().max(1).to_string();
            return Err(Refusal {
                status: 503,
                headers: vec![(HeaderName::RetryAfter, seconds)],
            });
        }
        let user = user.unwrap_or_else(|| named.clone());
        let ha1 = |user: &str| generation.phones.get(user).map(|phone| &phone.ha1);
        let verdict = challenger.verify(now, source, request, |user| ha1(user).cloned());
        let stale = match verdict {
            Verdict::Accepted { user, is_ageing } => {
                self.guard.welcome(now, source, &user, None);
                self.know(flow);
                let mut headers = Vec::new();
                if is_ageing {
                    let next = challenger.next_nonce(now, source, &mut self.entropy);
                    headers.push((HeaderName::AuthenticationInfo, next));
                }
                return Ok(Proven { user, headers });
            }
            Verdict::Missing => false,
            Verdict::Refused { why, is_reachable } => {
                tracing::debug!(why = ?why, "credentials refused");
                if is_reachable {
                    self.guard.failed(now, source, &user);
                }
                false
            }
            Verdict::Stale => true,
        };
        let offer = generation.offers.of(&named, ha1(&named));
        let challenges = match stale {
            true => challenger.challenge_stale(now, source, offer, &mut self.entropy),
            false => challenger.challenge(now, source, offer, &mut self.entropy),
        };
        let header = |value| (HeaderName::WwwAuthenticate, value);
        Err(Refusal {
            status: 401,
            headers: challenges.into_iter().map(header).collect(),
        })
    }

    /// A connection whose other end is known is not cut for a stranger's.
    pub(super) fn know(&mut self, flow: &Flow) {
        if flow.connection.is_some() {
            self.outbox.push_back(Output::Known(*flow));
        }
    }
}

/// Whom the request says it is from: the address-of-record of a REGISTER, the caller of others.
fn claimed(request: &Message) -> String {
    let named = match request.method() {
        Method::Register => request.to(),
        _ => request.from(),
    };
    named
        .ok()
        .and_then(|named| user_of(&named.uri))
        .unwrap_or_default()
}
