//! Via (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Params, scan};
use crate::sip::uri::host_and_port;
use crate::sip::{Host, ParseError, Protocol};

/// One Via value: a hop the message took.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// Transport as written: `UDP`, `TCP`, `TLS`, ...
    pub transport: String,
    /// Host of `sent-by`.
    pub host: Host,
    /// Port of `sent-by`, when written.
    pub port: Option<u16>,
    /// Parameters.
    pub params: Params,
}

impl Via {
    /// A hop of ours that asks for the response where the request came from (RFC 3581 §3).
    pub fn new(protocol: Protocol, sent_by: SocketAddr, branch: &str) -> Self {
        let mut params = Params::default();
        params.push("branch", Some(branch));
        params.push("rport", None);
        Self {
            transport: protocol.as_str().to_owned(),
            host: sent_by.ip().into(),
            port: Some(sent_by.port()),
            params,
        }
    }

    /// Parses one value; the caller has split lists.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::read(text).map_err(ParseError::Malformed)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let (name, rest) = text.split_once('/').ok_or("no protocol")?;
        let (version, rest) = rest.split_once('/').ok_or("no transport")?;
        if !name.trim().eq_ignore_ascii_case("SIP") || version.trim() != "2.0" {
            return Err("protocol is not SIP/2.0");
        }
        let rest = rest.trim_start();
        let (transport, rest) = rest
            .split_once(|c: char| c.is_ascii_whitespace())
            .ok_or("no sent-by")?;
        if !scan::is_token(transport.as_bytes()) {
            return Err("bad transport");
        }
        let end = rest.find(';').unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        let sent_by = sent_by.trim();
        let (host, port) = if sent_by.contains([' ', '\t']) {
            // White space may surround the colon (RFC 4475 §3.1.1.1).
            let close: String = sent_by.split_ascii_whitespace().collect();
            let parts = sent_by.split_ascii_whitespace().count();
            let colons = sent_by.matches(':').count();
            if parts > 3 || (colons != 1 && !sent_by.starts_with('[')) {
                return Err("bad sent-by");
            }
            host_and_port(&close)?
        } else {
            host_and_port(sent_by)?
        };
        Ok(Self {
            transport: transport.to_owned(),
            host,
            port,
            params: Params::parse(params)?,
        })
    }

    /// The transaction's branch.
    pub fn branch(&self) -> Option<&str> {
        self.params
            .value("branch")
            .filter(|value| !value.is_empty())
    }

    /// Whether the branch is unique across space and time (RFC 3261 §8.1.1.7): the cookie and
    /// something behind it.
    pub fn has_magic_cookie(&self) -> bool {
        self.branch()
            .and_then(|branch| branch.split_at_checked(MAGIC_COOKIE.len()))
            .is_some_and(|(cookie, id)| cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !id.is_empty())
    }

    /// The address the next hop saw.
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.value("received")?;
        value
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// The port the next hop saw; `None` when absent or only asked for.
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }

    /// Whether the sender asked for `rport` (RFC 3581).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    fn write_hop(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SIP/2.0/")?;
        f.write_str(&self.transport)?;
        f.write_str(" ")?;
        fmt::Display::fmt(&self.host, f)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }

    /// The same noting where the request came from (RFC 3261 §18.2.1, RFC 3581 §4), to be written.
    pub fn marked(&self, source: SocketAddr) -> impl fmt::Display {
        Marked { via: self, source }
    }
}

/// A Via on its way back, see [`Via::marked`].
struct Marked<'v> {
    via: &'v Via,
    source: SocketAddr,
}

impl fmt::Display for Marked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.source.ip(), self.source.port());
        self.via.write_hop(f)?;
        let (mut has_received, mut has_rport) = (false, false);
        let wants_rport = self.via.wants_rport();
        let is_told = wants_rport || self.via.host.address() != Some(ip);
        for (name, value) in self.via.params.iter() {
            if is_told && name.eq_ignore_ascii_case("received") {
                if !std::mem::replace(&mut has_received, true) {
                    write!(f, ";{name}={ip}")?;
                }
            } else if wants_rport && name.eq_ignore_ascii_case("rport") {
                if !std::mem::replace(&mut has_rport, true) {
                    write!(f, ";{name}={port}")?;
                }
            } else {
                f.write_str(";")?;
                f.write_str(name)?;
                if let Some(value) = value {
                    f.write_str("=")?;
                    f.write_str(value)?;
                }
            }
        }
        if is_told && !has_received {
            write!(f, ";received={ip}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_hop(f)?;
        fmt::Display::fmt(&self.params, f)
    }
}

/// What branches made by RFC 3261 elements begin with.
const MAGIC_COOKIE: &str = "z9hG4bK";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_with_their_white_space() {
        for (text, printed) in [
            (
                "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
                "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1",
            ),
            (
                "SIP  / 2.0  / TCP     spindle.example.com   ;  branch  =   z9hG4bK9ikj8  ",
                "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
            ),
            (
                "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8:0:0::9:255;branch=z9hG4bKas3-111",
                "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8:0:0::9:255;branch=z9hG4bKas3-111",
            ),
            (
                "SIP/2.0/TLS-SCTP t4.example.com;rport",
                "SIP/2.0/TLS-SCTP t4.example.com;rport",
            ),
        ] {
            let via = Via::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(via.to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_hop_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/7.0/UDP host",
            "SIP/2.0/UDP host name;branch=1",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "HTTP/2.0/UDP host",
            "SIP/2.0/UDP host:x",
        ] {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_source_is_noted_when_it_differs_or_is_asked_for() {
        let source: SocketAddr = "192.0.2.7:40000".parse().unwrap();
        let mark = |text| {
            let via = Via::parse(text).unwrap().marked(source).to_string();
            let via = Via::parse(&via).unwrap();
            (via.received(), via.rport())
        };
        let there = Some(source.ip());
        assert_eq!(mark("SIP/2.0/UDP 192.0.2.7;branch=1"), (None, None));
        assert_eq!(mark("SIP/2.0/UDP phone;branch=1"), (there, None));
        assert_eq!(
            mark("SIP/2.0/UDP 192.0.2.7;rport;branch=1"),
            (there, Some(40000))
        );
    }
}
