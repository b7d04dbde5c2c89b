//! Who may ask now: counts of requests under way, and the breaker of each endpoint.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::breaker::{Breaker, BreakerState, BreakerTerms, Pass};
use super::connection::Trouble;
use super::reply::FailureKind;
use super::settings::{Limits, Terms};
use crate::base::Timestamp;

/// Counts and breakers; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: usize,
    endpoints: HashMap<String, Standing>,
}

/// One endpoint.
#[derive(Debug)]
struct Standing {
    running: usize,
    breaker: Breaker,
}

/// Leave to ask, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Admission,
    endpoint: String,
}

/// Leave for one try of the question.
#[derive(Debug)]
pub(super) struct Try<'a> {
    permit: &'a Permit,
    pass: Option<Pass>,
}

impl Admission {
    /// Takes a place. A notice may take one of the first half of them, so that it never takes a
    /// caller's.
    ///
    /// # Errors
    ///
    /// [`FailureKind::TooBusy`] with which limit is reached.
    pub(super) fn enter(
        &self,
        endpoint: &str,
        terms: &Terms,
        limits: &Limits,
        is_notice: bool,
    ) -> Result<Permit, Trouble> {
        let most = |places: usize| match is_notice {
            true => places.div_ceil(2),
            false => places,
        };
        let mut state = self.lock();
        if state.running >= most(limits.requests) {
            let words = format!("{} requests are under way in all", state.running);
            return Err((FailureKind::TooBusy, words));
        }
        state.make_room();
        let standing = state.standing(endpoint, terms.breaker);
        if standing.running >= most(terms.requests) {
            let words = format!("{} requests to it are under way", standing.running);
            return Err((FailureKind::TooBusy, words));
        }
        standing.running += 1;
        state.running += 1;
        drop(state);
        Ok(Permit {
            admission: self.clone(),
            endpoint: endpoint.to_owned(),
        })
    }

    /// Requests under way.
    pub(super) fn running(&self) -> usize {
        self.lock().running
    }

    /// How many endpoints' breakers are in each state, in the order of [`BreakerState::ALL`].
    pub(super) fn breakers(&self, now: Timestamp) -> [u64; 3] {
        let state = self.lock();
        BreakerState::ALL.map(|wanted| {
            let standings = state.endpoints.values();
            standings
                .filter(|one| one.breaker.state(now) == wanted)
                .count() as u64
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&mut self, endpoint: &str, terms: BreakerTerms) -> &mut Standing {
        let standing = self
            .endpoints
            .entry(endpoint.to_owned())
            .or_insert_with(|| Standing {
                running: 0,
                breaker: Breaker::new(terms),
            });
        standing.breaker.set_terms(terms);
        standing
    }

    /// URLs of documents name ever new hosts: those that nobody asks now are forgotten.
    fn make_room(&mut self) {
        if self.endpoints.len() >= MOST_ENDPOINTS {
            self.endpoints.retain(|_, standing| standing.running > 0);
        }
    }
}

impl Permit {
    /// Asks the breaker for leave.
    ///
    /// # Errors
    ///
    /// [`FailureKind::BreakerOpen`] with how long it rests.
    pub(super) fn begin(&self, terms: &Terms, now: Timestamp) -> Result<Try<'_>, Trouble> {
        let mut state = self.admission.lock();
        match state
            .standing(&self.endpoint, terms.breaker)
            .breaker
            .admit(now)
        {
            Ok(pass) => Ok(Try {
                permit: self,
                pass: Some(pass),
            }),
            Err(rest) => {
                let words = match rest.as_secs_f64() {
                    0.0 => "it failed too often; a probe is under way".to_owned(),
                    seconds => format!("it failed too often; asked again in {seconds:.1} s"),
                };
                Err((FailureKind::BreakerOpen, words))
            }
        }
    }
}

impl Try<'_> {
    /// Tells how it went; said by nobody, nothing is concluded.
    pub(super) fn end(mut self, now: Timestamp, worked: bool) {
        if let Some(pass) = self.pass.take() {
            let mut state = self.permit.admission.lock();
            if let Some(standing) = state.endpoints.get_mut(&self.permit.endpoint) {
                let before = standing.breaker.state(now);
                standing.breaker.report(now, &pass, worked);
                let after = standing.breaker.state(now);
                if before != after {
                    let endpoint = &self.permit.endpoint;
                    tracing::warn!(%endpoint, breaker = after.as_str(), was = before.as_str(), "web_breaker");
                }
            }
        }
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            let mut state = self.permit.admission.lock();
            if let Some(standing) = state.endpoints.get_mut(&self.permit.endpoint) {
                standing.breaker.forget(&pass);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.running = state.running.saturating_sub(1);
        if let Some(standing) = state.endpoints.get_mut(&self.endpoint) {
            standing.running = standing.running.saturating_sub(1);
        }
    }
}

/// Endpoints that are remembered, named ones and hosts of URLs.
const MOST_ENDPOINTS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let admission = Admission::default();
        let terms = Terms {
            requests: 2,
            ..Terms::default()
        };
        let limits = Limits {
            requests: 3,
            ..Limits::default()
        };
        let enter = |name: &str| admission.enter(name, &terms, &limits, false);
        let (a, _b) = (enter("x").unwrap(), enter("x").unwrap());
        let (kind, words) = enter("x").unwrap_err();
        assert_eq!(kind, FailureKind::TooBusy);
        assert_eq!(words, "2 requests to it are under way");
        let _c = enter("y").unwrap();
        let (_, words) = enter("z").unwrap_err();
        assert_eq!(words, "3 requests are under way in all");
        drop(a);
        assert_eq!(admission.running(), 2);
        enter("x").unwrap();
    }

    #[test]
    fn notices_leave_half_of_the_places_to_callers() {
        let admission = Admission::default();
        let terms = Terms {
            requests: 3,
            ..Terms::default()
        };
        let limits = Limits::default();
        let enter = |is_notice| admission.enter("x", &terms, &limits, is_notice);
        let _first = [enter(true).unwrap(), enter(true).unwrap()];
        assert_eq!(enter(true).unwrap_err().0, FailureKind::TooBusy);
        let _caller = enter(false).unwrap();
        assert_eq!(enter(false).unwrap_err().0, FailureKind::TooBusy);
    }

    #[test]
    fn what_is_given_up_concludes_nothing() {
        let admission = Admission::default();
        let mut terms = Terms::default();
        terms.breaker.at_least = 1;
        let permit = admission
            .enter("x", &terms, &Limits::default(), false)
            .unwrap();
        let now = Timestamp::from_millis(1_800_000_000_000);
        drop(permit.begin(&terms, now).unwrap());
        assert_eq!(admission.breakers(now), [1, 0, 0]);
        permit.begin(&terms, now).unwrap().end(now, false);
        assert_eq!(admission.breakers(now), [0, 0, 1]);
        let (kind, words) = permit.begin(&terms, now).unwrap_err();
        assert_eq!(kind, FailureKind::BreakerOpen);
        assert_eq!(words, "it failed too often; asked again in 15.0 s");
    }

    #[test]
    fn ever_new_hosts_do_not_fill_the_memory() {
        let admission = Admission::default();
        let (terms, limits) = (Terms::default(), Limits::default());
        for number in 0..5000 {
            admission
                .enter(&format!("h{number}"), &terms, &limits, false)
                .unwrap();
        }
        assert!(admission.lock().endpoints.len() <= MOST_ENDPOINTS);
    }
}
