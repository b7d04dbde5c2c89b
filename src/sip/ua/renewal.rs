//! Session timers (RFC 4028): a session that nobody refreshes in time is ended with BYE.
//!
//! Against a peer that knows nothing of them we refresh alone, so that a call whose party has
//! vanished ends all the same (§7.2 leaves that to us).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::sip::{HeaderName, Message, RefresherRole, SessionExpires};

use super::session::{Deadline, Phase, Session};
use super::settings::Headers;
use super::terms::{Refresher, Reliable, SessionTimer, Terms};
use super::{EndWhy, SessionId, UserAgent};

/// The state of a session's timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Renewal {
    pub(super) agreed: Option<Agreed>,
    /// The largest Min-SE that a 422 or a request told us, seconds; 0 for none.
    min_se: u32,
    /// How often a 422 raised it.
    raises: u8,
}

/// What both sides agreed on, or we decided alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agreed {
    /// Longest time between refreshes, seconds.
    seconds: u32,
    /// Whether we are to refresh.
    pub(super) is_ours: bool,
}

impl UserAgent {
    /// Checks an INVITE against the terms its usage is to have (RFC 3262 §3, RFC 4028 §9); refuses
    /// it and ends the session when they do not fit.
    pub fn set_terms(
        &mut self,
        now: Timestamp,
        session: SessionId,
        terms: Terms,
    ) -> Result<(), u16> {
        let Some(state) = self.sessions.get_mut(&session) else {
            return Ok(());
        };
        state.terms = terms;
        let Phase::Ringing(ringing) = &state.phase else {
            return Ok(());
        };
        let Some((status, header)) = object_to_terms(&ringing.request, &terms, state) else {
            return Ok(());
        };
        self.reject(now, session, status, &[header]);
        Err(status)
    }

    /// Sets out to refresh, or to wait for the other side's refresh, from now on.
    pub(super) fn renew_from_now(&mut self, now: Timestamp, id: SessionId, agreed: Agreed) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.renewal.agreed = Some(agreed);
        session.renewal.raises = 0;
        session.reoffer.is_refresh_due = false;
        self.timers
            .set((id, Deadline::Expire), now + agreed.patience());
        if agreed.is_ours {
            self.timers
                .set((id, Deadline::Renew), now + agreed.interval() / 2);
        } else {
            self.timers.stop(&(id, Deadline::Renew));
        }
    }

    /// The other side answered our INVITE, re-INVITE or UPDATE (RFC 4028 §7.2).
    pub(super) fn renewed_by_us(&mut self, now: Timestamp, id: SessionId, response: &Message) {
        let agreed = self
            .sessions
            .get(&id)
            .and_then(|session| session.agreed_by_response(response));
        if let Some(agreed) = agreed {
            self.renew_from_now(now, id, agreed);
        }
    }

    /// What our 2xx to an INVITE or UPDATE says of the timer, which begins with it (RFC 4028 §9).
    pub(super) fn renew_by_answer(
        &mut self,
        now: Timestamp,
        id: SessionId,
        request: &Message,
    ) -> Headers {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Headers::new();
        };
        session.peer.learn(request);
        let Some((agreed, role)) = session.agreed_by_request(request) else {
            return Headers::new();
        };
        session.renewal.min_se = request.min_se().unwrap_or(0);
        let value = SessionExpires {
            seconds: agreed.seconds,
            refresher: Some(role),
        };
        let mut headers = vec![(HeaderName::SessionExpires, value.to_string())];
        if session.peer.timer {
            headers.push((HeaderName::Require, "timer".to_owned()));
        }
        self.renew_from_now(now, id, agreed);
        headers
    }

    /// Refuses an interval that is too short for us with 422; `None` when it is not.
    pub(super) fn too_brief(&self, id: SessionId, request: &Message) -> Option<Headers> {
        let session = self.sessions.get(&id)?;
        let timer = session.terms.timer.as_ref()?;
        let is_brief = is_too_brief(request, timer, session.peer.timer);
        is_brief.then(|| vec![min_se(seconds(timer.min_se))])
    }

    /// A 422 to one of ours: true when the request may be sent again with what it asks for.
    pub(super) fn may_raise(&mut self, id: SessionId, refusal: &Message) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        let (Some(wanted), Some(_)) = (refusal.min_se(), session.terms.timer) else {
            return false;
        };
        let renewal = &mut session.renewal;
        if wanted <= renewal.min_se || wanted > LONGEST || renewal.raises >= MAX_RAISES {
            return false;
        }
        renewal.min_se = wanted;
        renewal.raises += 1;
        true
    }

    /// The time to refresh has come.
    pub(super) fn renew(&mut self, now: Timestamp, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.renewal.agreed.is_some_and(|agreed| agreed.is_ours)
        {
            session.reoffer.is_refresh_due = true;
            self.settle(now, id);
        }
    }

    /// A refresh failed in a way that may pass: once more, half way to the end.
    pub(super) fn renew_later(&mut self, now: Timestamp, id: SessionId) {
        if let Some(end) = self.timers.deadline(&(id, Deadline::Expire)) {
            let half = end.since(now) / 2;
            let wait = half.max(Duration::from_millis(500));
            self.timers.set((id, Deadline::Renew), now + wait);
        }
    }

    /// Nobody refreshed the session (RFC 4028 §10).
    pub(super) fn expired(&mut self, now: Timestamp, id: SessionId) {
        let is_confirmed = |session: &Session| matches!(session.phase, Phase::Confirmed);
        if self.sessions.get(&id).is_some_and(is_confirmed) {
            self.end_failed(now, id, EndWhy::Expired);
        }
    }
}

impl Session {
    /// Session-Expires and Min-SE of an INVITE or UPDATE of ours.
    pub(super) fn renewal_headers(&self) -> Headers {
        let Some(timer) = &self.terms.timer else {
            return Headers::new();
        };
        let least = seconds(timer.min_se).max(self.renewal.min_se);
        let (wanted, refresher) = match self.renewal.agreed {
            // The roles of this transaction, with the same refresher as before (§7.4).
            Some(Agreed {
                seconds,
                is_ours: true,
            }) => (seconds, Some(RefresherRole::Uac)),
            Some(Agreed {
                seconds,
                is_ours: false,
            }) => (seconds, Some(RefresherRole::Uas)),
            None => {
                let refresher = match timer.refresher {
                    Refresher::Any => None,
                    Refresher::Peer => Some(RefresherRole::Uas),
                    Refresher::Us => Some(RefresherRole::Uac),
                };
                (seconds(timer.expires), refresher)
            }
        };
        let value = SessionExpires {
            seconds: wanted.max(least),
            refresher,
        };
        let mut headers = vec![(HeaderName::SessionExpires, value.to_string())];
        if least != LEAST {
            headers.push(min_se(least));
        }
        headers
    }

    fn agreed_by_response(&self, response: &Message) -> Option<Agreed> {
        let timer = self.terms.timer.as_ref()?;
        let Some(expires) = response.session_expires() else {
            // The other side knows no timers: we refresh alone.
            return Some(Agreed {
                seconds: seconds(timer.expires).max(self.renewal.min_se),
                is_ours: true,
            });
        };
        Some(Agreed {
            seconds: expires.seconds.clamp(least(timer), LONGEST),
            is_ours: expires.refresher != Some(RefresherRole::Uas),
        })
    }

    fn agreed_by_request(&self, request: &Message) -> Option<(Agreed, RefresherRole)> {
        let timer = self.terms.timer.as_ref()?;
        let longest = seconds(timer.expires).max(request.min_se().unwrap_or(0));
        let expires = request.session_expires();
        let wanted = expires.map_or(longest, |expires| expires.seconds.min(longest));
        let chosen = expires.and_then(|expires| expires.refresher);
        let role = match (self.peer.timer, chosen, timer.refresher) {
            // RFC 4028 §9, table 2: who knows no timers cannot refresh.
            (false, _, _) => RefresherRole::Uas,
            (true, Some(chosen), _) => chosen,
            (true, None, Refresher::Us) => RefresherRole::Uas,
            (true, None, Refresher::Any | Refresher::Peer) => RefresherRole::Uac,
        };
        let agreed = Agreed {
            seconds: wanted.clamp(least(timer), LONGEST),
            is_ours: role == RefresherRole::Uas,
        };
        Some((agreed, role))
    }
}

impl Agreed {
    fn interval(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// How long to wait before the session is taken for dead (RFC 4028 §10).
    fn patience(self) -> Duration {
        self.interval() - (self.interval() / 3).min(Duration::from_secs(32))
    }
}

/// Why an INVITE does not fit the terms, with the header that says so.
fn object_to_terms(
    invite: &Message,
    terms: &Terms,
    session: &Session,
) -> Option<(u16, (HeaderName, String))> {
    let peer = &session.peer;
    let unsupported = |tag: &str| (420, (HeaderName::Unsupported, tag.to_owned()));
    let required = |tag: &str| (421, (HeaderName::Require, tag.to_owned()));
    if terms.reliable == Reliable::Off && peer.only_reliable {
        return Some(unsupported("100rel"));
    }
    if terms.reliable == Reliable::Required && !peer.reliable {
        return Some(required("100rel"));
    }
    let Some(timer) = &terms.timer else {
        let wants = invite.lists(HeaderName::Require, "timer");
        return wants.then(|| unsupported("timer"));
    };
    if timer.required && !peer.timer {
        return Some(required("timer"));
    }
    let is_brief = is_too_brief(invite, timer, peer.timer);
    is_brief.then(|| (422, min_se(seconds(timer.min_se))))
}

/// RFC 4028 §9: only who knows timers can do something about it.
fn is_too_brief(request: &Message, timer: &SessionTimer, knows_timers: bool) -> bool {
    let expires = request.session_expires();
    knows_timers && expires.is_some_and(|expires| expires.seconds < seconds(timer.min_se))
}

pub(super) fn min_se(seconds: u32) -> (HeaderName, String) {
    (HeaderName::MinSe, seconds.to_string())
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(LONGEST)
}

/// Less than anyone may ask for would only make us refresh all the time, seconds.
fn least(timer: &SessionTimer) -> u32 {
    seconds(timer.min_se).clamp(1, LEAST)
}

/// What Min-SE is where nobody says so (RFC 4028 §5).
const LEAST: u32 = 90;

/// The longest interval agreed to or raised to: a day.
const LONGEST: u32 = 86_400;

/// How often a 422 is answered with a longer interval: the other side, and each proxy on the way,
/// has its own.
const MAX_RAISES: u8 = 4;
