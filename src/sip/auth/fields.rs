//! The fields of a challenge or of credentials: `Digest name=value, name="value"`
//! (RFC 3261 §25.1).

use std::borrow::Cow;

use super::digest::Qop;
use crate::sip::header::scan;

/// Fields of one header of the scheme Digest, in order.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a header's value; `None` when it is of another scheme or malformed.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (scheme, mut rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            let end = scan::find_outside(rest.as_bytes(), b',');
            let (field, after) = match end {
                Some(end) => (rest.get(..end)?, rest.get(end + 1..)),
                None => (rest, None),
            };
            if !field.trim().is_empty() {
                let (name, value) = field.split_once('=')?;
                fields.push((name.trim().to_owned(), read_value(value.trim())?));
            }
            match after {
                Some(after) => rest = after,
                None => return Some(Self(fields)),
            }
        }
    }

    /// A field's value, quotes undone; `None` when absent.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The `qop` values a challenge offers that we know; `None` when it offers no `qop` at all.
    pub(super) fn qop(&self) -> Option<Vec<Qop>> {
        let offered = self.value("qop")?.split(',');
        Some(offered.filter_map(|qop| Qop::parse(qop.trim())).collect())
    }

    /// Whether a field says `true`.
    pub(super) fn says(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

fn read_value(value: &str) -> Option<String> {
    if value.starts_with('"') && scan::quoted_length(value) != Some(value.len()) {
        return None;
    }
    Some(match scan::unquote(value) {
        Cow::Borrowed(plain) => plain.to_owned(),
        Cow::Owned(plain) => plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_commas_and_escapes_are_read() {
        let fields = Fields::parse(r#"digest realm="a, \"b\"" , NONCE=xyz,, qop="auth-int, auth""#);
        let fields = fields.unwrap();
        assert_eq!(fields.value("realm"), Some(r#"a, "b""#));
        assert_eq!(fields.value("nonce"), Some("xyz"));
        assert_eq!(fields.qop(), Some(vec![Qop::AuthInt, Qop::Auth]));
        assert_eq!(fields.value("opaque"), None);
    }

    #[test]
    fn other_schemes_and_nonsense_are_none() {
        for text in [
            "",
            "Digest",
            "Basic abc",
            "Digest realm",
            "Digest a=\"b",
            "Digest a=\"b\"c",
        ] {
            assert!(Fields::parse(text).is_none(), "{text}");
        }
    }
}
