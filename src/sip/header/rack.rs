//! RAck (RFC 3262 §7.2): which reliable provisional response a PRACK acknowledges.

use std::fmt;

use super::{CSeq, scan};
use crate::sip::ParseError;

/// Response number, and the CSeq of the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The response's RSeq, at least 1.
    pub rseq: u32,
    /// The response's CSeq.
    pub cseq: CSeq,
}

impl RAck {
    /// Parses the header's value.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let value = scan::trim(value);
        let end = value
            .iter()
            .position(u8::is_ascii_whitespace)
            .ok_or(ParseError::Malformed("RAck without CSeq"))?;
        let (rseq, cseq) = value.split_at(end);
        let rseq = scan::number(rseq).ok_or(ParseError::Malformed("RAck number"))?;
        let cseq = CSeq::parse(cseq)?;
        Ok(Self { rseq, cseq })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Method;

    #[test]
    fn reads_what_it_writes_and_nothing_less() {
        let rack = RAck::parse(b" 776656  1 INVITE").unwrap();
        assert_eq!(
            (rack.rseq, &rack.cseq),
            (776_656, &CSeq::new(1, Method::Invite))
        );
        assert_eq!(RAck::parse(rack.to_string().as_bytes()).unwrap(), rack);
        for bad in [
            "",
            "1",
            "1 2",
            "x 1 INVITE",
            "1 x INVITE",
            "99999999999 1 INVITE",
        ] {
            assert!(RAck::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
