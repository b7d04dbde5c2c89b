//! Addresses, as a configuration and a letter have them.

use std::fmt;
use std::str::FromStr;

use lettre::message::Mailbox;

/// An address with or without a name: `ann@x.test`, `Ann <ann@x.test>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Mailbox);

/// What is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no e-mail address: {why}")]
pub struct AddressError {
    text: String,
    why: String,
}

/// Longest path there is (RFC 5321 §4.5.3.1.3).
const LONGEST: usize = 254;

impl Address {
    /// The address alone.
    pub fn plain(&self) -> String {
        self.0.email.to_string()
    }

    /// What stands behind the at sign.
    pub fn domain(&self) -> &str {
        self.0.email.domain()
    }

    /// Whether it is more than an address.
    pub fn has_name(&self) -> bool {
        self.0.name.is_some()
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        self.0.clone()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |why: &str| AddressError {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let mailbox: Mailbox = text
            .trim()
            .parse()
            .map_err(|_| wrong("write NAME@DOMAIN"))?;
        let address = mailbox.email.to_string();
        if address.len() > LONGEST {
            return Err(wrong("it is longer than 254 octets"));
        }
        if !address.is_ascii() {
            // It would need SMTPUTF8 (RFC 6531) all the way.
            return Err(wrong("only ASCII is allowed; write the domain as xn--..."));
        }
        Ok(Self(mailbox))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
