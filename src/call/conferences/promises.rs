//! Conferences that somebody is called into before anybody is in: which ids they will have, so that
//! a program can be told at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::Timestamp;
use crate::twiml::{Sid, SidKind};

/// Ids by the names of conferences that are not open yet.
#[derive(Debug, Default)]
pub(super) struct Promises(BTreeMap<String, Promise>);

#[derive(Debug)]
struct Promise {
    id: String,
    until: Timestamp,
}

impl Promises {
    /// The id that a conference will have; `None` when too many are promised.
    pub(super) fn make(&mut self, now: Timestamp, name: &str) -> Option<Sid> {
        self.0.retain(|_, promise| promise.until > now);
        if self.0.len() >= MOST && !self.0.contains_key(name) {
            return None;
        }
        let promise = self.0.entry(name.to_owned()).or_insert_with(|| Promise {
            id: format!("{}-{name}", now.as_micros()),
            until: now,
        });
        promise.until = now + LASTS;
        Some(sid(promise))
    }

    /// The conference opens: the id it has, where one was promised.
    pub(super) fn keep(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).map(|promise| promise.id)
    }

    /// The name of the conference that will have an id.
    pub(super) fn name_of(&self, now: Timestamp, wanted: &str) -> Option<String> {
        let mut valid = self.0.iter().filter(|(_, promise)| promise.until > now);
        let found = valid.find(|(_, promise)| sid(promise).as_str() == wanted);
        found.map(|(name, _)| name.clone())
    }
}

fn sid(promise: &Promise) -> Sid {
    Sid::derive(SidKind::Conference, &promise.id)
}

/// Who is called rings for ten minutes at the most, hears keys pressed, and is in.
const LASTS: Duration = Duration::from_secs(900);
/// Most conferences that may be promised at a time.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_once_lapses_and_has_its_bounds() {
        let mut promises = Promises::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let promised = promises.make(at(1), "a").unwrap();
        assert_eq!(promises.make(at(2), "a"), Some(promised.clone()));
        let name = |promises: &Promises, now| promises.name_of(now, promised.as_str());
        assert_eq!(name(&promises, at(901)), Some("a".to_owned()));
        assert_eq!(name(&promises, at(902)), None);
        let id = promises.keep("a").unwrap();
        assert_eq!(Sid::derive(SidKind::Conference, &id), promised);
        assert_eq!((promises.keep("a"), promises.keep("b")), (None, None));
        assert_ne!(promises.make(at(3), "a"), Some(promised));
        for number in 1..MOST {
            assert!(promises.make(at(3), &number.to_string()).is_some());
        }
        assert_eq!(promises.make(at(4), "one more"), None);
        assert!(promises.make(at(1000), "one more").is_some());
    }
}
