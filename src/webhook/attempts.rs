//! One question's way: which request is next, after which pause, until when.
//!
//! Sans-IO: it is told what came of each request and says what to do. A redirect is followed ten
//! times (RFC 9110 §15.4); a failure that the policy names begins anew at the first URL.

use std::time::Duration;

use super::overrides::Overrides;
use super::reply::FailureKind;
use super::settings::{Method, Terms};
use super::target::Target;
use crate::base::{Entropy, Timestamp};

/// Figures of one question: the endpoint's, then the URL's own, then what the asker has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) budget: Duration,
    pub(super) connect: Duration,
    pub(super) read: Duration,
    pub(super) sni: bool,
    retries: u32,
    retry_on: super::overrides::RetryOn,
}

impl Figures {
    pub(super) fn new(terms: &Terms, overrides: &Overrides, patience: Option<Duration>) -> Self {
        let budget = overrides.total.unwrap_or(terms.budget);
        Self {
            budget: patience.map_or(budget, |patience| patience.min(budget)),
            connect: overrides.connect.unwrap_or(terms.connect),
            read: overrides.read.unwrap_or(terms.read),
            sni: overrides.sni.unwrap_or(true),
            retries: overrides.retries.unwrap_or(terms.retries),
            retry_on: overrides.retry_on.unwrap_or(terms.retry_on),
        }
    }
}

/// The next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) target: Target,
    pub(super) method: Method,
    /// Whether the body goes along; a redirect may have taken it away.
    pub(super) with_body: bool,
    /// Whether a redirect led away from the endpoint: it gets neither our certificate nor
    /// a signature that would be good at the endpoint.
    pub(super) is_foreign: bool,
}

/// The way of one question.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) figures: Figures,
    began: Timestamp,
    first: Hop,
    hop: Hop,
    redirects: u32,
    tries: u32,
}

impl Attempts {
    pub(super) fn new(figures: Figures, target: Target, method: Method, now: Timestamp) -> Self {
        let first = Hop {
            target,
            method,
            with_body: method == Method::Post,
            is_foreign: false,
        };
        Self {
            figures,
            began: now,
            hop: first.clone(),
            first,
            redirects: 0,
            tries: 1,
        }
    }

    /// The request that is to be sent now.
    pub(super) fn hop(&self) -> &Hop {
        &self.hop
    }

    /// How often it was tried.
    /// The URL that redirects led to.
    pub(super) fn led_to(&self) -> Option<&str> {
        (self.redirects > 0).then(|| self.hop.target.as_str())
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// What is left of the budget.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        self.figures.budget.saturating_sub(now.since(self.began))
    }

    pub(super) fn took(&self, now: Timestamp) -> Duration {
        now.since(self.began)
    }

    /// Goes where a redirect leads.
    ///
    /// # Errors
    ///
    /// Why it is not followed.
    pub(super) fn redirect(
        &mut self,
        status: u16,
        location: Option<&str>,
    ) -> Result<(), (FailureKind, String)> {
        if self.redirects >= MOST_REDIRECTS {
            let words = format!("more than {MOST_REDIRECTS} redirects");
            return Err((FailureKind::RedirectLoop, words));
        }
        let Some(location) = location else {
            let words = format!("status {status} without a Location that can be read");
            return Err((FailureKind::RedirectLoop, words));
        };
        let target = self.hop.target.join(location);
        let target = target.map_err(|error| (FailureKind::RedirectLoop, error.to_string()))?;
        let (from, to) = (self.hop.target.origin(), target.origin());
        if from.secure && !to.secure {
            let words = "a redirect leads from https to http".to_owned();
            return Err((FailureKind::DeniedAddress, words));
        }
        self.redirects += 1;
        self.hop.is_foreign = to != self.first.target.origin();
        self.hop.target = target;
        // RFC 9110 §15.4: 307 and 308 keep the method; browsers and Twilio turn the others to GET.
        if !matches!(status, 307 | 308) {
            self.hop.method = Method::Get;
            self.hop.with_body = false;
        }
        Ok(())
    }

    /// After a failure: the pause before the first URL is tried again; `None` when that is not
    /// wanted, or would not begin in time.
    pub(super) fn again(
        &mut self,
        now: Timestamp,
        kind: FailureKind,
        status: Option<u16>,
        chance: &mut Entropy,
    ) -> Option<Duration> {
        let figures = self.figures;
        if self.tries > figures.retries || !kind.is_retried(status, figures.retry_on) {
            return None;
        }
        let pause = pause(FIRST_PAUSE, self.tries, LONGEST_PAUSE, chance);
        if pause >= self.left(now) {
            return None;
        }
        self.tries += 1;
        self.redirects = 0;
        self.hop = self.first.clone();
        Some(pause)
    }
}

/// A pause that doubles with each try, half of it by chance: those who failed together do not come
/// back together.
fn pause(first: Duration, tries: u32, longest: Duration, chance: &mut Entropy) -> Duration {
    let whole = first
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(longest);
    let half = whole / 2;
    half + Duration::from_micros(chance.below(half.as_micros() as u64 + 1))
}

/// Redirects of one request, as Twilio has it.
const MOST_REDIRECTS: u32 = 10;
/// A caller waits: what a lost packet or a restarting worker takes.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No longer is waited between two tries of a budget of seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::overrides::RetryOn;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn asked(url: &str) -> Attempts {
        let target = Target::parse(url).unwrap();
        let terms = Terms::default();
        let figures = Figures::new(&terms, target.overrides(), None);
        Attempts::new(figures, target, Method::Post, at(0))
    }

    #[test]
    fn a_url_outranks_the_endpoint_and_the_asker_both() {
        let target = Target::parse("http://x.test/#ct=200&rt=300&tt=4000&rc=0&sni=n").unwrap();
        let terms = Terms::default();
        let figures = Figures::new(&terms, target.overrides(), None);
        assert_eq!(figures.connect, Duration::from_millis(200));
        assert_eq!(figures.read, Duration::from_millis(300));
        assert_eq!(figures.budget, Duration::from_millis(4000));
        assert_eq!((figures.retries, figures.sni), (0, false));
        let hurried = Figures::new(&terms, target.overrides(), Some(Duration::from_secs(1)));
        assert_eq!(hurried.budget, Duration::from_secs(1));
        let plain = Target::parse("http://x.test/").unwrap();
        let figures = Figures::new(&terms, plain.overrides(), Some(Duration::from_secs(60)));
        assert_eq!(figures.budget, Duration::from_secs(15));
        assert_eq!(figures.connect, Duration::from_secs(5));
        assert_eq!(figures.read, Duration::from_secs(15));
        assert_eq!((figures.retries, figures.retry_on), (1, RetryOn::CONNECT));
    }

    #[test]
    fn it_is_tried_again_as_often_as_said_and_no_longer_than_the_budget() {
        let mut chance = Entropy::from_seed(1);
        let mut attempts = asked("http://x.test/#rc=3&tt=1000");
        for tries in 2..=4 {
            let pause = attempts.again(at(0), FailureKind::Refused, None, &mut chance);
            let longest = Duration::from_millis(100 << (tries - 2));
            let pause = pause.expect("tried again");
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?}");
            assert_eq!(attempts.tries(), tries);
        }
        assert_eq!(
            attempts.again(at(0), FailureKind::Refused, None, &mut chance),
            None
        );
        let mut late = asked("http://x.test/#rc=3&tt=1000");
        assert_eq!(
            late.again(at(960), FailureKind::Refused, None, &mut chance),
            None
        );
        assert_eq!(late.left(at(960)), Duration::from_millis(40));
    }

    #[test]
    fn what_the_policy_does_not_name_is_not_tried_again() {
        let mut chance = Entropy::from_seed(1);
        let mut attempts = asked("http://x.test/");
        for (kind, status) in [
            (FailureKind::BadStatus, Some(503)),
            (FailureKind::ReadTimeout, None),
            (FailureKind::DeniedAddress, None),
        ] {
            assert_eq!(attempts.again(at(0), kind, status, &mut chance), None);
        }
        let mut attempts = asked("http://x.test/#rp=5xx,rt");
        let again = attempts.again(at(0), FailureKind::Refused, None, &mut chance);
        assert_eq!(again, None);
        let again = attempts.again(at(0), FailureKind::BadStatus, Some(503), &mut chance);
        assert!(again.is_some());
    }

    #[test]
    fn ten_redirects_are_followed_and_no_eleventh() {
        let mut attempts = asked("http://x.test/0");
        for number in 1..=10 {
            attempts.redirect(302, Some(&format!("/{number}"))).unwrap();
        }
        let (kind, words) = attempts.redirect(302, Some("/11")).unwrap_err();
        assert_eq!(kind.twilio_code(), 11215);
        assert_eq!(words, "more than 10 redirects");
    }

    #[test]
    fn a_redirect_becomes_a_get_unless_it_says_to_repeat() {
        for (status, method) in [
            (301, Method::Get),
            (302, Method::Get),
            (303, Method::Get),
            (307, Method::Post),
            (308, Method::Post),
        ] {
            let mut attempts = asked("http://x.test/a");
            attempts.redirect(status, Some("b")).unwrap();
            assert_eq!(attempts.hop().target.as_str(), "http://x.test/b");
            assert_eq!(attempts.hop().method, method);
            assert_eq!(attempts.hop().with_body, method == Method::Post);
            assert!(!attempts.hop().is_foreign);
        }
    }

    #[test]
    fn redirects_lead_neither_out_of_tls_nor_to_other_schemes_nor_nowhere() {
        let mut attempts = asked("https://x.test/a");
        let (kind, _) = attempts.redirect(302, Some("http://x.test/b")).unwrap_err();
        assert_eq!(kind, FailureKind::DeniedAddress);
        for location in [None, Some("ftp://x.test/"), Some("http://[")] {
            let (kind, _) = attempts.redirect(302, location).unwrap_err();
            assert_eq!(kind, FailureKind::RedirectLoop, "{location:?}");
        }
        attempts.redirect(302, Some("https://other.test/")).unwrap();
        assert!(attempts.hop().is_foreign);
        attempts.redirect(302, Some("https://x.test/c")).unwrap();
        assert!(!attempts.hop().is_foreign);
    }

    #[test]
    fn a_retry_begins_at_the_first_url() {
        let mut chance = Entropy::from_seed(1);
        let mut attempts = asked("http://x.test/a");
        attempts.redirect(302, Some("/b")).unwrap();
        attempts
            .again(at(0), FailureKind::Refused, None, &mut chance)
            .unwrap();
        assert_eq!(attempts.hop().target.as_str(), "http://x.test/a");
        assert_eq!(attempts.hop().method, Method::Post);
    }
}
