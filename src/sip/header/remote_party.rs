//! Remote-Party-ID: who calls, as the network said before RFC 3325; read, never written
//! (draft-ietf-sip-privacy-04).

use super::NameAddr;
use crate::sip::ParseError;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteParty {
    /// Name and address, parameters included.
    pub address: NameAddr,
    /// Whether it is about the caller: `party=calling`, the default in a request.
    pub is_calling: bool,
    /// Whether the network vouches for it (`screen=yes`).
    pub is_screened: bool,
    /// Whether it is to be kept from whom is called: `privacy=full` or `uri`.
    pub is_private: bool,
}

impl RemoteParty {
    /// Parses one value; the caller has split lists.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let address = NameAddr::parse(text)?;
        let word = |name| {
            let word = address.params.unquoted(name).unwrap_or_default();
            word.to_ascii_lowercase()
        };
        Ok(Self {
            is_calling: matches!(word("party").as_str(), "" | "calling"),
            is_screened: word("screen") == "yes",
            is_private: matches!(word("privacy").as_str(), "full" | "uri"),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn party_screening_and_privacy_are_read() {
        let text = "\"A\" <sip:+81312345678@a>;party=calling;screen=yes;privacy=\"full\"";
        let party = RemoteParty::parse(text).expect("a party");
        assert!(party.is_calling && party.is_screened && party.is_private);
        let called = RemoteParty::parse("<sip:1@a>;party=called;privacy=off").expect("a party");
        assert!(!called.is_calling && !called.is_screened && !called.is_private);
        assert!(RemoteParty::parse("nobody").is_err());
    }
}
