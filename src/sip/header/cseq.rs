//! CSeq (RFC 3261 §20.16).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scan;
use crate::sip::{Method, ParseError};

/// Sequence number and method of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// Method.
    pub method: Method,
}

impl CSeq {
    /// Puts one together.
    pub const fn new(number: u32, method: Method) -> Self {
        Self { number, method }
    }

    /// Parses the header's value.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let value = scan::trim(value);
        let end = value
            .iter()
            .position(u8::is_ascii_whitespace)
            .ok_or(ParseError::Malformed("CSeq without method"))?;
        let (number, method) = value.split_at(end);
        let number = scan::number(number)
            .filter(|number| *number < 1 << 31)
            .ok_or(ParseError::Malformed("CSeq number"))?;
        let method =
            Method::parse(scan::trim(method)).ok_or(ParseError::Malformed("CSeq method"))?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_method_are_bounded() {
        assert_eq!(
            CSeq::parse(b"0009\t  INVITE").unwrap(),
            CSeq::new(9, Method::Invite)
        );
        for bad in [
            "",
            "1",
            "INVITE 1",
            "36893488147419103232 REGISTER",
            "1 IN VITE",
            "2147483648 BYE",
        ] {
            assert!(CSeq::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
