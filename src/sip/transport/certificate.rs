//! What an X.509 certificate (RFC 5280) says of whom it is for and how long, and whether it is for
//! the SIP domain that was asked for (RFC 5922 §7).
//!
//! Only read here, and only after or beside rustls, which checks signatures, chain and time.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Names and time of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// First second it is good, since the epoch.
    pub not_before: i64,
    /// Last second it is good, since the epoch.
    pub not_after: i64,
    /// Hosts of `sip:` and `sips:` URIs without a user, lower case.
    sip_domains: Vec<String>,
    /// DNS names, lower case.
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// Whose certificate is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A host or domain name.
    Name(&'a str),
    /// An address.
    Address(IpAddr),
}

impl Certificate {
    /// Reads a certificate in DER; `None` when it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut outer = Der(der);
        let mut certificate = Der(outer.take(SEQUENCE)?);
        let mut body = Der(certificate.take(SEQUENCE)?);
        body.skip_if(VERSION);
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            // Serial number, signature algorithm, issuer.
            body.take(tag)?;
        }
        let mut validity = Der(body.take(SEQUENCE)?);
        let mut read = Self {
            not_before: validity.take_time()?,
            not_after: validity.take_time()?,
            ..Self::default()
        };
        // Subject, its public key.
        body.take(SEQUENCE)?;
        body.take(SEQUENCE)?;
        while let Some((tag, content)) = body.next() {
            if tag == EXTENSIONS {
                read.read_extensions(content)?;
            }
        }
        Some(read)
    }

    /// Whether it is for `subject`: by its SIP URIs, or by its DNS names when it has none
    /// (RFC 5922 §7.1); an address by its addresses.
    ///
    /// RFC 5922 §7.2 forbids wildcards; `wildcards` takes one as the whole first label, for
    /// carriers that have no other certificate.
    pub fn is_for(&self, subject: Subject<'_>, wildcards: Wildcards) -> bool {
        let name = match subject {
            Subject::Address(address) => return self.addresses.contains(&address.to_canonical()),
            Subject::Name(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        };
        if !self.sip_domains.is_empty() {
            return self.sip_domains.contains(&name);
        }
        let covers = |pattern: &String| match (pattern.strip_prefix("*."), wildcards) {
            (Some(domain), Wildcards::FirstLabel) => {
                let rest = name.split_once('.').map(|(_, rest)| rest);
                domain.contains('.') && rest == Some(domain)
            }
            (Some(_), Wildcards::Never) => false,
            (None, _) => *pattern == name,
        };
        self.dns_names.iter().any(covers)
    }

    /// Whether the present is after its last second.
    pub fn is_expired(&self) -> bool {
        self.seconds_left() < 0
    }

    /// Seconds until it is no longer good; negative when that is past.
    pub fn seconds_left(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        self.not_after.saturating_sub(now)
    }

    /// Whom it is for, for people.
    pub fn names(&self) -> String {
        let names = self.sip_domains.iter().chain(&self.dns_names).cloned();
        let addresses = self.addresses.iter().map(ToString::to_string);
        let all: Vec<String> = names.chain(addresses).collect();
        if all.is_empty() {
            return "nobody".to_owned();
        }
        all.join(", ")
    }

    fn read_extensions(&mut self, content: &[u8]) -> Option<()> {
        let mut list = Der(Der(content).take(SEQUENCE)?);
        while let Some((SEQUENCE, extension)) = list.next() {
            let mut extension = Der(extension);
            let id = extension.take(OBJECT_ID)?;
            extension.skip_if(BOOLEAN);
            let value = extension.take(OCTETS)?;
            if id == SUBJECT_ALT_NAME {
                self.read_names(value)?;
            }
        }
        Some(())
    }

    /// RFC 5280 §4.2.1.6.
    fn read_names(&mut self, value: &[u8]) -> Option<()> {
        let mut names = Der(Der(value).take(SEQUENCE)?);
        while let Some((tag, name)) = names.next() {
            match tag {
                URI => self.sip_domains.extend(sip_domain(name)),
                DNS_NAME => {
                    let name = std::str::from_utf8(name).ok()?;
                    self.dns_names.push(name.to_ascii_lowercase());
                }
                IP_ADDRESS => self.addresses.extend(address(name)),
                _ => {}
            }
        }
        Some(())
    }
}

/// Whether a certificate for `*.example.com` is one for `a.example.com`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wildcards {
    /// As RFC 5922 §7.2 demands.
    #[default]
    Never,
    /// When the star is the whole first label.
    FirstLabel,
}

/// RFC 5922 §7.1: a `sip:` URI without a user names a domain.
fn sip_domain(uri: &[u8]) -> Option<String> {
    let uri = std::str::from_utf8(uri).ok()?.to_ascii_lowercase();
    let rest = uri
        .strip_prefix("sip:")
        .or_else(|| uri.strip_prefix("sips:"))?;
    let host = rest.split([';', '?', ':']).next()?;
    (!host.is_empty() && !rest.contains('@')).then(|| host.to_owned())
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(four.into());
    }
    let sixteen = <[u8; 16]>::try_from(octets).ok()?;
    Some(IpAddr::from(sixteen))
}

/// What is left of a DER encoding.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next tag and its content; `None` at the end, or when the rest cannot be read.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let count = usize::from(first & 0x7f);
            let octets = rest.get(..count).filter(|_| (1..=3).contains(&count))?;
            length = octets
                .iter()
                .fold(0, |all, octet| all << 8 | usize::from(*octet));
            rest = rest.get(count..)?;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(content)
    }

    fn skip_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// UTCTime or GeneralizedTime, in UTC (RFC 5280 §4.1.2.5).
    fn take_time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i16 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
        let time =
            jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0);
        let zoned = time.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_second())
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]` of TBSCertificate.
const VERSION: u8 = 0xa0;
/// `[3]` of TBSCertificate.
const EXTENSIONS: u8 = 0xa3;
/// `[2]`, `[6]` and `[7]` of GeneralName.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[&str], uris: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        for uri in uris {
            let uri = (*uri).try_into().unwrap();
            params.subject_alt_names.push(SanType::URI(uri));
        }
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2060, 3, 4);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(made.der()).unwrap()
    }

    #[test]
    fn a_certificate_is_for_the_names_it_lists() {
        let never = Wildcards::Never;
        let read = certificate(&["SIP.example.com", "192.0.2.7", "2001:db8::7"], &[]);
        assert!(read.is_for(Subject::Name("sip.Example.com."), never));
        assert!(!read.is_for(Subject::Name("example.com"), never));
        assert!(!read.is_for(Subject::Name("192.0.2.7"), never));
        for (address, good) in [
            ("192.0.2.7", true),
            ("2001:db8::7", true),
            ("192.0.2.8", false),
        ] {
            let subject = Subject::Address(address.parse().unwrap());
            assert_eq!(read.is_for(subject, never), good, "{address}");
        }
        // 2020-01-02 and 2060-03-04, which is a GeneralizedTime.
        assert_eq!(
            (read.not_before, read.not_after),
            (1_577_923_200, 2_845_584_000)
        );
        assert!(!read.is_expired());
    }

    #[test]
    fn sip_uris_outrank_dns_names() {
        let uris = [
            "sip:example.com",
            "sips:other.example",
            "sip:me@user.example",
            "http://web",
        ];
        let read = certificate(&["host.example.com"], &uris);
        let is_for = |name| read.is_for(Subject::Name(name), Wildcards::Never);
        assert!(is_for("example.com") && is_for("other.example"));
        assert!(!is_for("host.example.com") && !is_for("user.example") && !is_for("web"));
        let read = certificate(&["host.example.com"], &["sip:me@user.example"]);
        assert!(read.is_for(Subject::Name("host.example.com"), Wildcards::Never));
    }

    #[test]
    fn a_star_stands_for_one_label_and_only_when_allowed() {
        let read = certificate(&["*.pstn.example", "*.org"], &[]);
        let is_for = |name, wildcards| read.is_for(Subject::Name(name), wildcards);
        assert!(is_for("a.pstn.example", Wildcards::FirstLabel));
        assert!(!is_for("a.pstn.example", Wildcards::Never));
        for name in [
            "pstn.example",
            "a.b.pstn.example",
            "x.org",
            ".pstn.example.x",
        ] {
            assert!(!is_for(name, Wildcards::FirstLabel), "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = made.cert.der().to_vec();
        for length in 0..der.len() {
            Certificate::read(&der[..length]);
            let mut broken = der.clone();
            broken[length] ^= 0xff;
            Certificate::read(&broken);
        }
        assert_eq!(Certificate::read(&der[..40]), None);
        assert_eq!(Certificate::read(b""), None);
    }
}
