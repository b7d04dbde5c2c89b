//! A URL of a document and how it is requested.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::fault::{Fault, code, shown};
use crate::webhook;

/// How a URL is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters as a form.
    #[default]
    Post,
}

impl FromStr for Method {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "GET" => Ok(Self::Get),
            "POST" => Ok(Self::Post),
            _ => Err("GET or POST"),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
        })
    }
}

impl From<Method> for webhook::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Post => Self::Post,
        }
    }
}

/// A URL, relative or absolute, and how it is requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// URL; once resolved, absolute, with the fragment that holds overrides.
    pub url: String,
    /// How.
    #[serde(default)]
    pub method: Method,
}

impl Link {
    /// A URL requested by POST.
    pub fn post(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: Method::Post,
        }
    }

    /// The same, absolute: a relative URL starts from that of the document it stands in.
    ///
    /// # Errors
    ///
    /// 11100 when it is no `http` or `https` URL, or relative to nothing.
    pub fn resolve(&self, base: Option<&str>) -> Result<Self, Fault> {
        let wrong = |why: String| {
            let words = format!("\"{}\" is no URL: {why}", shown(&self.url));
            Fault::new(code::URL, words)
        };
        if self.url.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} octets")));
        }
        let base = base.and_then(|base| Url::parse(base).ok());
        let url = match &base {
            Some(base) => base.join(&self.url),
            None => Url::parse(&self.url),
        };
        let url = url.map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it must begin with http: or https:".to_owned()));
        }
        Ok(Self {
            url: url.into(),
            method: self.method,
        })
    }
}

/// Octets of the longest URL; the same as the web client's.
const LONGEST: usize = 8000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_start_from_the_document() {
        let base = Some("https://app.example/ivr/start.xml?x=1#rc=2");
        for (url, expected) in [
            ("next", "https://app.example/ivr/next"),
            ("/top?y=2", "https://app.example/top?y=2"),
            ("../a", "https://app.example/a"),
            ("", "https://app.example/ivr/start.xml?x=1"),
            (
                "?z=3#rt=100",
                "https://app.example/ivr/start.xml?z=3#rt=100",
            ),
            ("http://other.example/b", "http://other.example/b"),
        ] {
            assert_eq!(
                Link::post(url).resolve(base).unwrap().url,
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn what_leads_nowhere_is_11100() {
        for (url, base) in [
            ("next", None),
            ("ftp://x.example/a", None),
            ("javascript:alert(1)", Some("https://a.example/")),
            ("http://[::1", Some("https://a.example/")),
        ] {
            let fault = Link::post(url).resolve(base).unwrap_err();
            assert_eq!(fault.code, 11100, "{url}: {fault}");
        }
        let long = "a".repeat(LONGEST + 1);
        assert!(Link::post(long).resolve(Some("http://a.example/")).is_err());
    }
}
