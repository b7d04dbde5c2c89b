//! Session-Expires (RFC 4028 §4): how long a session lasts without a refresh, and who refreshes.

use std::fmt;

use super::{Params, scan};
use crate::sip::ParseError;

/// An interval and, once agreed, who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// Who refreshes, by its part in the transaction at hand.
    pub refresher: Option<RefresherRole>,
}

/// The refresher's part in the transaction that carries the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefresherRole {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

impl SessionExpires {
    /// Parses the header's value; an unknown refresher counts as none.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let text = scan::text(value);
        let end = text.find(';').unwrap_or(text.len());
        let (seconds, params) = text.split_at(end);
        let seconds = scan::number(scan::trim(seconds.as_bytes()))
            .ok_or(ParseError::Malformed("Session-Expires"))?;
        let params = Params::parse(params).map_err(ParseError::Malformed)?;
        let refresher = match params.value("refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(RefresherRole::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(RefresherRole::Uas),
            _ => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(RefresherRole::Uac) => write!(f, ";refresher=uac"),
            Some(RefresherRole::Uas) => write!(f, ";refresher=uas"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresher_is_optional_and_strangers_are_overlooked() {
        let read = |text: &str| SessionExpires::parse(text.as_bytes()).unwrap();
        let both = read(" 4000 ; Refresher=UAS;x=1");
        assert_eq!(both.refresher, Some(RefresherRole::Uas));
        assert_eq!(both.to_string(), "4000;refresher=uas");
        assert_eq!(read("90").refresher, None);
        assert_eq!(read("90;refresher=me").refresher, None);
        for bad in ["", ";refresher=uac", "x", "99999999999", "-1"] {
            assert!(SessionExpires::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
