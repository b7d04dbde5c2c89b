//! Content-Type and the values of Accept (RFC 3261 §20.15).

use std::fmt;

use super::{Params, scan};
use crate::sip::ParseError;

/// `type/subtype` with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype`, lower case.
    pub essence: String,
    /// Parameters, such as `boundary`.
    pub params: Params,
}

impl MediaType {
    /// Parses the header's value.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let end = text.find(';').unwrap_or(text.len());
        let (essence, params) = text.split_at(end);
        let (kind, subtype) = essence
            .split_once('/')
            .ok_or(ParseError::Malformed("media type without subtype"))?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        if !scan::is_token(kind.as_bytes()) || !scan::is_token(subtype.as_bytes()) {
            return Err(ParseError::Malformed("media type"));
        }
        Ok(Self {
            essence: format!("{kind}/{subtype}").to_ascii_lowercase(),
            params: Params::parse(params).map_err(ParseError::Malformed)?,
        })
    }

    /// Whether it is this `type/subtype`.
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.essence, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn essence_and_parameters_are_told_apart() {
        let mixed = MediaType::parse("Multipart / Mixed ;boundary=\"7a 9\"").unwrap();
        assert!(mixed.is("multipart/mixed"));
        assert_eq!(mixed.params.unquoted("boundary").as_deref(), Some("7a 9"));
        assert!(MediaType::parse("sdp").is_err());
    }
}
