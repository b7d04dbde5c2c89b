//! Cookies (RFC 6265), a jar for each call: an application knows its callers apart by them.

use cookie_store::CookieStore;
use http::HeaderMap;
use http::header::SET_COOKIE;
use indexmap::IndexMap;
use url::Url;

use crate::base::CallId;

/// The jars of living calls, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Jars {
    jars: IndexMap<CallId, CookieStore>,
}

impl Jars {
    /// The value of `Cookie` for a URL.
    pub(super) fn cookies(&self, call: &CallId, url: &Url) -> Option<String> {
        let jar = self.jars.get(call)?;
        let mut line = String::new();
        for (name, value) in jar.get_request_values(url) {
            if line.len() + name.len() + value.len() + 3 > MOST_OCTETS {
                break;
            }
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(name);
            line.push('=');
            line.push_str(value);
        }
        (!line.is_empty()).then_some(line)
    }

    /// Takes what a reply sets.
    pub(super) fn take(&mut self, call: &CallId, url: &Url, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            let Some(text) = value.to_str().ok().filter(|text| text.len() <= MOST_OCTETS) else {
                continue;
            };
            if !self.jars.contains_key(call) {
                if self.jars.len() >= MOST_JARS {
                    self.jars.shift_remove_index(0);
                }
                self.jars.insert(call.clone(), CookieStore::default());
            }
            if let Some(jar) = self.jars.get_mut(call)
                && jar.iter_any().count() < MOST_COOKIES
                && octets(jar) + text.len() <= MOST_IN_JAR
            {
                // One for another host, or that cannot be read, is none.
                let _ = jar.parse(text, url);
            }
        }
    }

    /// The call is over.
    pub(super) fn forget(&mut self, call: &CallId) {
        // The rest stays in the order of its age.
        self.jars.shift_remove(call);
    }
}

fn octets(jar: &CookieStore) -> usize {
    let cookies = jar.iter_any();
    cookies
        .map(|cookie| cookie.name().len() + cookie.value().len())
        .sum()
}

/// Octets of names and values in a jar: twice what is ever sent of it.
const MOST_IN_JAR: usize = 8192;
/// Jars at a time: those of calls that end without a word go when others need the room.
const MOST_JARS: usize = 10_000;
/// Cookies in a jar (RFC 6265 §6.1 asks for 50 of a domain).
const MOST_COOKIES: usize = 50;
/// Octets of a cookie, and of all that are sent.
const MOST_OCTETS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn set(jars: &mut Jars, call: &CallId, url: &str, cookie: &str) {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, cookie.parse().unwrap());
        jars.take(call, &url.parse().unwrap(), &headers);
    }

    #[test]
    fn a_call_has_its_own_cookies_and_hosts_theirs() {
        let (a, b) = (CallId::new("a"), CallId::new("b"));
        let mut jars = Jars::default();
        set(&mut jars, &a, "http://x.test/", "session=1; Path=/");
        set(&mut jars, &a, "http://x.test/", "secret=2; Secure");
        set(&mut jars, &b, "http://x.test/", "session=3");
        set(&mut jars, &a, "http://x.test/", "evil=4; Domain=y.test");
        let cookies = |call, url: &str| jars.cookies(call, &url.parse().unwrap());
        assert_eq!(cookies(&a, "http://x.test/p").as_deref(), Some("session=1"));
        assert_eq!(cookies(&b, "http://x.test/p").as_deref(), Some("session=3"));
        assert_eq!(cookies(&a, "http://y.test/"), None);
        jars.forget(&a);
        assert_eq!(jars.cookies(&a, &"http://x.test/".parse().unwrap()), None);
    }

    #[test]
    fn jars_do_not_grow_without_bound() {
        let mut jars = Jars::default();
        for number in 0..MOST_JARS + 5 {
            let call = CallId::new(format!("c{number}"));
            set(&mut jars, &call, "http://x.test/", "a=b");
        }
        assert_eq!(jars.jars.len(), MOST_JARS);
        let call = CallId::new("c9000");
        for number in 0..200 {
            set(&mut jars, &call, "http://x.test/", &format!("n{number}=v"));
        }
        assert_eq!(jars.jars[&call].iter_any().count(), MOST_COOKIES);
    }
}
