//! Replies to GET that may be used again (RFC 9111), in memory and small. Shared by all calls: what
//! is `private` or sets a cookie is not kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_cache_semantics::{AfterResponse, BeforeRequest, CachePolicy};
use indexmap::IndexMap;

use crate::base::Timestamp;

/// Kept replies by endpoint and URL, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    kept: IndexMap<(String, String), Kept>,
    octets: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    policy: CachePolicy,
    body: Bytes,
    /// Octets it takes, both heads included.
    size: usize,
}

/// What the cache says to a request.
#[derive(Debug)]
pub(super) enum Found {
    /// The reply, as good as new.
    Fresh(response::Parts, Bytes),
    /// Nothing of use.
    Nothing,
    /// Ask with these headers whether what is kept is still good.
    Stale(http::HeaderMap),
}

impl Cache {
    pub(super) fn look(
        &self,
        key: &(String, String),
        request: &request::Parts,
        now: Timestamp,
    ) -> Found {
        let Some(kept) = self.kept.get(key) else {
            return Found::Nothing;
        };
        match kept.policy.before_request(request, system(now)) {
            BeforeRequest::Fresh(parts) => Found::Fresh(parts, kept.body.clone()),
            BeforeRequest::Stale { request, matches } if matches => Found::Stale(request.headers),
            BeforeRequest::Stale { .. } => Found::Nothing,
        }
    }

    /// After "not modified": what was kept, with its headers renewed.
    pub(super) fn renew(
        &mut self,
        key: &(String, String),
        request: &request::Parts,
        response: &response::Parts,
        now: Timestamp,
    ) -> Option<(response::Parts, Bytes)> {
        let kept = self.kept.get_mut(key)?;
        match kept.policy.after_response(request, response, system(now)) {
            AfterResponse::NotModified(policy, parts) => {
                kept.policy = policy;
                Some((parts, kept.body.clone()))
            }
            AfterResponse::Modified(..) => None,
        }
    }

    /// Keeps a reply if it may be kept, in `most` octets of all.
    pub(super) fn keep(
        &mut self,
        key: (String, String),
        request: &request::Parts,
        response: &response::Parts,
        body: &Bytes,
        (most, now): (usize, Timestamp),
    ) {
        self.forget(&key);
        let size = body.len() + ENTRY + heads(&request.headers) + heads(&response.headers);
        let asked = Request::from_parts(request.clone(), ());
        let replied = Response::from_parts(response.clone(), ());
        let options = http_cache_semantics::CacheOptions::default();
        let policy = CachePolicy::new_options(&asked, &replied, system(now), options);
        let is_of_use = policy.is_storable()
            && (!policy.is_stale(system(now)) || response.headers.contains_key(http::header::ETAG));
        if !is_of_use || size > most / 4 {
            return;
        }
        while self.octets + size > most {
            match self.kept.keys().next().cloned() {
                Some(oldest) => self.forget(&oldest),
                None => break,
            }
        }
        self.octets += size;
        let body = body.clone();
        self.kept.insert(key, Kept { policy, body, size });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is kept is no longer good.
    pub(super) fn forget(&mut self, key: &(String, String)) {
        if let Some(kept) = self.kept.shift_remove(key) {
            self.octets -= kept.size;
        }
    }
}

fn system(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or(0))
}

/// What an entry takes beside its body, roughly.
const ENTRY: usize = 2048;

/// Octets of names and values.
fn heads(headers: &http::HeaderMap) -> usize {
    let each = headers.iter();
    each.map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)], status: u16) -> (request::Parts, response::Parts) {
        let request = Request::get("http://x.test/a").body(()).unwrap();
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        (
            request.into_parts().0,
            response.body(()).unwrap().into_parts().0,
        )
    }

    fn key() -> (String, String) {
        ("e".into(), "http://x.test/a".into())
    }

    fn kept(headers: &[(&str, &str)]) -> (Cache, request::Parts) {
        let (request, response) = parts(headers, 200);
        let mut cache = Cache::default();
        let body = Bytes::from_static(b"hello");
        cache.keep(key(), &request, &response, &body, (1 << 20, at(0)));
        (cache, request)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn max_age_is_how_long_it_is_fresh() {
        let (cache, request) = kept(&[("cache-control", "max-age=60")]);
        assert!(matches!(
            cache.look(&key(), &request, at(59)),
            Found::Fresh(..)
        ));
        assert!(!matches!(
            cache.look(&key(), &request, at(61)),
            Found::Fresh(..)
        ));
    }

    #[test]
    fn what_must_not_be_kept_is_not() {
        for headers in [
            &[("cache-control", "no-store, max-age=60")][..],
            &[("cache-control", "private, max-age=60")],
            &[("cache-control", "max-age=60"), ("vary", "*")],
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
            &[],
        ] {
            let (cache, request) = kept(headers);
            let found = cache.look(&key(), &request, at(0));
            assert!(!matches!(found, Found::Fresh(..)), "{headers:?}");
        }
    }

    #[test]
    fn a_tag_is_asked_about_and_renews_what_is_kept() {
        let headers = [("etag", "\"v1\""), ("cache-control", "max-age=1")];
        let (mut cache, request) = kept(&headers);
        let Found::Stale(asked) = cache.look(&key(), &request, at(5)) else {
            panic!("it is stale");
        };
        assert_eq!(asked["if-none-match"], "\"v1\"");
        let (_, not_modified) = parts(&headers, 304);
        let renewed = cache.renew(&key(), &request, &not_modified, at(5));
        let (renewed, body) = renewed.expect("as before");
        assert_eq!((renewed.status.as_u16(), &body[..]), (200, &b"hello"[..]));
        assert!(matches!(
            cache.look(&key(), &request, at(5)),
            Found::Fresh(..)
        ));
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let (request, response) = parts(&[("cache-control", "max-age=60")], 200);
        let mut cache = Cache::default();
        let body = Bytes::from(vec![b'x'; 10_000]);
        for number in 0..100 {
            let key = ("e".to_owned(), format!("http://x.test/{number}"));
            cache.keep(key, &request, &response, &body, (100_000, at(0)));
        }
        assert!(
            cache.octets <= 100_000 && cache.kept.len() == 8,
            "{}",
            cache.kept.len()
        );
        let large = Bytes::from(vec![b'x'; 30_000]);
        cache.keep(key(), &request, &response, &large, (100_000, at(0)));
        assert!(matches!(
            cache.look(&key(), &request, at(0)),
            Found::Nothing
        ));
        cache.clear();
        assert_eq!(cache.octets, 0);
    }
}
