//! Addresses, as a configuration and a letter have them.

use std::fmt;
use std::str::FromStr;

use lettre::message::Mailbox;

use crate::base::Pii;

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

/// What a server said about a letter `to` somebody, for a log: addresses in it are masked, and his name at
/// his server, too.
pub fn mask_addresses(words: &str, to: &str) -> String {
    let user = to.rsplit_once('@').map_or(to, |(user, _)| user);
    let mut masked = String::with_capacity(words.len());
    let mut rest = words;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_of_address(c)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(length);
        // A dot ends a sentence, too.
        let word = run.trim_end_matches('.');
        let is_personal = word.contains('@') || word.eq_ignore_ascii_case(user);
        match is_personal && !word.is_empty() {
            true => masked.push_str(&format!("{}{}", Pii(word), &run[word.len()..])),
            false => masked.push_str(run),
        }
        let mut between = behind.chars();
        masked.extend(between.next());
        rest = between.as_str();
    }
    masked
}

/// Whether an address may have it without quotes (RFC 5322 §3.2.3).
fn is_of_address(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::mask_addresses;

    #[test]
    fn what_a_server_says_of_somebody_is_masked_for_a_log() {
        for (words, masked) in [
            (
                "550 5.1.1 <Ann.Lee@X.test>: user unknown",
                "550 5.1.1 <An***st>: user unknown",
            ),
            (
                "450 4.2.1 No mail for ann.lee@x.test. Try bo+1@y.test",
                "450 4.2.1 No mail for an***st. Try bo***st",
            ),
            ("550 ann.lee... User unknown", "550 ***... User unknown"),
            ("554 joann.lee is no user", "554 joann.lee is no user"),
            (
                "mx.x.test:25: connection refused",
                "mx.x.test:25: connection refused",
            ),
            ("552 容量 ünï@x.test", "552 容量 ün***st"),
            ("@", "***"),
            ("", ""),
        ] {
            assert_eq!(mask_addresses(words, "ann.lee@x.test"), masked);
        }
    }
}
