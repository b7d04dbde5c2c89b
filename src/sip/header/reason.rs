//! Reason (RFC 3326): why a request was sent, by SIP status or Q.850 cause.

use std::fmt;

use super::{Params, scan};

/// One value of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or a stranger's.
    pub protocol: String,
    /// The protocol's number for it.
    pub cause: Option<u16>,
    /// Words, without quotes; empty when there are none.
    pub text: String,
}

impl Reason {
    /// A SIP status as reason.
    pub fn sip(status: u16, text: impl Into<String>) -> Self {
        Self {
            protocol: "SIP".to_owned(),
            cause: Some(status),
            text: text.into(),
        }
    }

    /// An ITU-T Q.850 cause as reason.
    pub fn q850(cause: u8, text: impl Into<String>) -> Self {
        Self {
            protocol: "Q.850".to_owned(),
            cause: Some(cause.into()),
            text: text.into(),
        }
    }

    /// Parses one value; `None` when it is none. Words are cut at 128 characters.
    pub fn parse(value: &str) -> Option<Self> {
        let end = value.find(';').unwrap_or(value.len());
        let (protocol, params) = value.split_at(end);
        let protocol = protocol.trim();
        if !scan::is_token(protocol.as_bytes()) {
            return None;
        }
        let params = Params::parse(params).ok()?;
        let text = params.unquoted("text").unwrap_or_default();
        let is_plain = |c: &char| !c.is_control();
        Some(Self {
            protocol: protocol.to_owned(),
            cause: params.value("cause").and_then(|cause| cause.parse().ok()),
            text: text.chars().filter(is_plain).take(LONGEST_TEXT).collect(),
        })
    }

    /// The values of a list, unreadable ones left out, at most eight.
    pub fn parse_list(text: &str) -> Vec<Self> {
        let mut rest = text;
        let mut found = Vec::new();
        while !rest.is_empty() && found.len() < 8 {
            let end = scan::find_outside(rest.as_bytes(), b',').unwrap_or(rest.len());
            found.extend(Self::parse(rest.get(..end).unwrap_or_default()));
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        found
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if !self.text.is_empty() {
            write!(f, ";text={}", scan::quote(&self.text))?;
        }
        Ok(())
    }
}

/// Longest words kept of a stranger's reason.
const LONGEST_TEXT: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_writes_the_same() {
        let text = r#"SIP;cause=200;text="Call completed, elsewhere", Q.850 ;cause=16 , , X"#;
        let list = Reason::parse_list(text);
        assert_eq!(list[0], Reason::sip(200, "Call completed, elsewhere"));
        assert_eq!(list[1], Reason::q850(16, ""));
        assert_eq!((list[2].protocol.as_str(), list[2].cause), ("X", None));
        let written = list[0].to_string();
        assert_eq!(written, r#"SIP;cause=200;text="Call completed, elsewhere""#);
        assert_eq!(list[1].to_string(), "Q.850;cause=16");
    }

    #[test]
    fn strangers_words_are_cut_and_cannot_end_the_line() {
        let long = format!("SIP;cause=9999999;text=\"{}\\\"x\"", "a".repeat(500));
        let reason = Reason::parse(&long).unwrap();
        assert_eq!((reason.cause, reason.text.len()), (None, 128));
        assert_eq!(Reason::parse("<x>;cause=1"), None);
    }
}
