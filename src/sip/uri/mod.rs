//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966); other schemes are kept as they are.
//!
//! Parts are kept as written, escapes included, so that a URI goes out as it came in; comparing
//! and [`Uri::user_decoded`] undo the escapes.

mod equivalence;
mod escape;
mod host;
mod parse;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Params, ParseError};

pub(super) use escape::decode as unescaped;
pub use host::Host;
pub(super) use parse::host_and_port;

/// What a URI begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Anything else, lower case.
    Other(String),
}

impl Scheme {
    /// As written before the colon.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(text) => text,
        }
    }
}

/// A URI. `==` compares what is written; [`Uri::is_equivalent`] what is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    /// Scheme.
    pub scheme: Scheme,
    /// User part as written, escapes included; the number of a `tel:` URI; everything after the
    /// colon for other schemes.
    pub user: Option<String>,
    /// Password as written; deprecated, never to be logged.
    pub password: Option<String>,
    /// Host; an empty name for schemes without one.
    pub host: Host,
    /// Port, when written.
    pub port: Option<u16>,
    /// Parameters after the host (or after the number of a `tel:` URI).
    pub params: Params,
    /// What follows `?`, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// `sip:user@host`; `user` is plain text and is escaped where needed, empty means none.
    pub fn sip(user: &str, host: Host, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: (!user.is_empty()).then(|| escape::escape_user(user)),
            password: None,
            host,
            port,
            params: Params::default(),
            headers: None,
        }
    }

    /// Parses a URI without surrounding `<` `>` or white space.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::uri(text).map_err(ParseError::Uri)
    }

    /// The user part with escapes undone (invalid UTF-8 replaced); empty when there is none.
    ///
    /// For `tel:` the number; this is the text a number plan reads.
    pub fn user_decoded(&self) -> Cow<'_, str> {
        match &self.user {
            Some(user) => escape::decode(user),
            None => Cow::Borrowed(""),
        }
    }

    /// The same URI with a parameter set; `None` for one without a value.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.params.set(name, value);
        self
    }

    /// Whether the URI asks for loose routing (`;lr`, RFC 3261 §16.12).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Whether it is `sip:` or `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4). Not transitive, hence not `==`.
    pub fn is_equivalent(&self, other: &Uri) -> bool {
        equivalence::are_equivalent(self, other)
    }

    /// The headers behind `?`: names and values, escapes undone. Values may hold any octet; what is
    /// to go into a message has to be looked at first.
    pub fn header_fields(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let fields = self.headers.as_deref().unwrap_or("").split('&');
        fields.filter(|field| !field.is_empty()).map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (escape::decode(name), escape::decode(value))
        })
    }

    /// The URI as a Request-URI or binding may carry it: without the parts that §19.1.1 forbids
    /// there (headers and `method`).
    pub fn without_headers(mut self) -> Self {
        self.headers = None;
        self.params.remove("method");
        self
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.as_str())?;
        f.write_str(":")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            if self.is_sip() {
                f.write_str("@")?;
            }
        }
        if self.is_sip() {
            write!(f, "{}", self.host)?;
            if let Some(port) = self.port {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

impl FromStr for Uri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uri::parse(text)
    }
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uri::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_again() {
        for text in [
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
            "sip:user;par=u%40example.net@example.com",
            "sip:[2001:db8::10]:5070;transport=udp",
            "sip:caller@[2001:db8::1]",
            "sip:null-%00-null@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "tel:+81-3-1234-5678;phone-context=example.com",
            "urn:service:sos",
            "soap.beep://192.0.2.103:3002",
        ] {
            let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(uri.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "alice@atlanta.com",
            "sip:@atlanta.com",
            "sip:alice@",
            "sip:alice@host:99999",
            "sip:alice@host:",
            "sip:a@b@c",
            "sip:al ice@host",
            "sip:user@example.com; lr",
            "<sip:user@example.com>",
            "sip:user@[2001:db8::1",
            "sip:user@[nonsense]",
            "sip:us%4er%2@host",
            "sip:user@host;;lr",
            "sip:user@ho st",
            "sip:a@b\r\nVia: x",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plain_user_is_escaped_and_read_back() {
        let uri = Uri::sip("田中 #1", Host::parse("example.jp").unwrap(), None);
        assert_eq!(uri.to_string(), "sip:%E7%94%B0%E4%B8%AD%20%231@example.jp");
        assert_eq!(uri.user_decoded(), "田中 #1");
        assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
    }
}
