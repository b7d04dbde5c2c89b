//! A URL as it is asked: what goes over the wire, what the fragment says, whose name and password.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::overrides::{OverrideError, Overrides};

/// Where a request goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Without fragment, name and password: as it is sent and signed.
    url: Url,
    overrides: Overrides,
    authorization: Option<String>,
}

/// Why a text is no URL of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than anything that is meant.
    #[error("the URL is longer than {LONGEST} octets")]
    Long,
    /// It names no server.
    #[error("the URL names no host")]
    NoHost,
    /// Neither http nor https.
    #[error("the URL begins with {0}:, not with http: or https:")]
    Scheme(String),
    /// Not a URL at all.
    #[error("this is no URL: {0}")]
    Syntax(String),
}

/// Scheme, host and port: what a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

impl Target {
    /// Reads an absolute `http` or `https` URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it. What is wrong with its fragment is left at its default:
    /// [`Target::parse_strict`] tells.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Self::parse_strict(text).map(|(target, _)| target)
    }

    /// As [`Target::parse`], with what is wrong in the fragment.
    ///
    /// # Errors
    ///
    /// What is wrong before the fragment.
    pub fn parse_strict(text: &str) -> Result<(Self, Vec<OverrideError>), TargetError> {
        if text.len() > LONGEST {
            return Err(TargetError::Long);
        }
        let url = Url::parse(text).map_err(|error| TargetError::Syntax(error.to_string()))?;
        Self::new(url)
    }

    fn new(mut url: Url) -> Result<(Self, Vec<OverrideError>), TargetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme(url.scheme().to_owned()));
        }
        if url.host().is_none() {
            return Err(TargetError::NoHost);
        }
        let (overrides, wrong) = Overrides::parse(url.fragment().unwrap_or_default());
        url.set_fragment(None);
        let authorization = authorization(&url);
        // Neither fails on a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let target = Self {
            url,
            overrides,
            authorization,
        };
        Ok((target, wrong))
    }

    /// Follows a reference such as `/next?x=1`; what the fragment said holds on.
    ///
    /// # Errors
    ///
    /// Why it leads nowhere.
    pub(super) fn join(&self, reference: &str) -> Result<Self, TargetError> {
        if reference.len() > LONGEST {
            return Err(TargetError::Long);
        }
        let url = self.url.join(reference);
        let url = url.map_err(|error| TargetError::Syntax(error.to_string()))?;
        let (mut next, _) = Self::new(url)?;
        next.overrides = self.overrides.clone();
        if next.authorization.is_none() && next.origin() == self.origin() {
            next.authorization.clone_from(&self.authorization);
        }
        Ok(next)
    }

    /// The same with pairs added to its query.
    pub(super) fn with_query(mut self, pairs: &[(String, String)]) -> Self {
        if !pairs.is_empty() {
            self.url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// As it is sent and signed.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Path and query, as the request line has them.
    pub(super) fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..]
    }

    /// What the fragment says.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Whether the URL has a name or password of its own.
    pub fn has_password(&self) -> bool {
        self.authorization.is_some()
    }

    /// The host, when it is written as an address.
    pub fn address(&self) -> Option<IpAddr> {
        match self.url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        }
    }

    /// The value of `Authorization`, when the URL has a name or password.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    pub(super) fn origin(&self) -> Origin {
        let secure = self.url.scheme() == "https";
        let host = match self.url.host() {
            Some(host) => host.to_owned(),
            // Not without a host: see `new`.
            None => Host::Domain(String::new()),
        };
        let default = if secure { 443 } else { 80 };
        Origin {
            secure,
            host,
            port: self.url.port_or_known_default().unwrap_or(default),
        }
    }

    /// For logs and lists: no name, no password, and of the query that there is one.
    pub fn redacted(&self) -> String {
        let shown = &self.url[..url::Position::AfterPath];
        let shown: String = shown.chars().take(LONGEST_SHOWN).collect();
        match self.url.query() {
            Some(_) => format!("{shown}?…"),
            None => shown,
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.redacted())
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

fn authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |text: &str| {
        // A URL's name and password are written with percent signs (RFC 3986 §3.2.1).
        let pair = format!("x={}", text.replace('+', "%2B"));
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        decoded
            .map(|(_, text)| text.into_owned())
            .unwrap_or_default()
    };
    let both = format!(
        "{}:{}",
        plain(url.username()),
        plain(url.password().unwrap_or_default())
    );
    Some(format!("Basic {}", STANDARD.encode(both)))
}

/// Octets of the longest URL; browsers and proxies begin to refuse at 8000.
const LONGEST: usize = 8000;
/// Characters of a URL that are shown.
const LONGEST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_is_heard_and_neither_sent_nor_signed() {
        let target = Target::parse("https://x.test/a?b=1#rc=3&tt=200").unwrap();
        assert_eq!(target.as_str(), "https://x.test/a?b=1");
        assert_eq!(target.path_and_query(), "/a?b=1");
        assert_eq!(target.overrides().retries, Some(3));
        let next = target.join("../c").unwrap();
        assert_eq!(next.as_str(), "https://x.test/c");
        assert_eq!(next.overrides().retries, Some(3));
    }

    #[test]
    fn a_name_and_password_become_a_header_and_are_shown_nowhere() {
        let target = Target::parse("http://me:p%40ss+w@x.test:8080/a?token=s3cret").unwrap();
        assert_eq!(target.as_str(), "http://x.test:8080/a?token=s3cret");
        let expected = format!("Basic {}", STANDARD.encode("me:p@ss+w"));
        assert_eq!(target.authorization(), Some(expected.as_str()));
        assert_eq!(target.redacted(), "http://x.test:8080/a?…");
        assert_eq!(format!("{target:?}"), "Target(http://x.test:8080/a?…)");
        assert!(target.join("/b").unwrap().authorization().is_some());
        assert!(
            target
                .join("http://y.test/b")
                .unwrap()
                .authorization()
                .is_none()
        );
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for (text, words) in [
            ("ftp://x.test/", "begins with ftp:"),
            ("file:///etc/passwd", "begins with file:"),
            ("/path", "no URL"),
            ("http://", "no URL"),
            ("http://[::1", "no URL"),
        ] {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let long = format!("http://x.test/{}", "a".repeat(LONGEST));
        assert_eq!(Target::parse(&long), Err(TargetError::Long));
    }

    proptest::proptest! {
        /// What others wrote never ends the switch.
        #[test]
        fn no_text_is_too_strange(
            text in "(https?://)?[a-z.:/@#?&=%\\[\\]0-9 \u{0}-\u{ffff}]{0,60}",
            reference in "\\PC{0,40}",
        ) {
            if let Ok(target) = Target::parse(&text) {
                assert!(!target.as_str().contains('#'));
                let _ = target.join(&reference);
                let _ = (target.redacted(), target.origin(), target.path_and_query());
            }
        }
    }

    #[test]
    fn origins_have_their_default_ports() {
        let origin = |text| Target::parse(text).unwrap().origin();
        assert_eq!(origin("https://x.test/"), origin("https://x.test:443/b"));
        assert_ne!(origin("https://x.test/"), origin("http://x.test/"));
        assert_eq!(origin("http://[::1]/").to_string(), "http://[::1]:80");
    }
}
