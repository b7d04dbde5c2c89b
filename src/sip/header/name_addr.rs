//! From, To, Contact, Route and their like: `name-addr` or `addr-spec` with parameters
//! (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Params, scan};
use crate::sip::{ParseError, Uri};

/// A display name, a URI and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// Display name, without quotes and escapes.
    pub display: Option<String>,
    /// URI.
    pub uri: Uri,
    /// Parameters of the header, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// A bare URI.
    pub fn new(uri: Uri) -> Self {
        Self {
            display: None,
            uri,
            params: Params::default(),
        }
    }

    /// The same with a display name; an empty one means none.
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = (!display.is_empty()).then(|| display.to_owned());
        self
    }

    /// The same with a tag.
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }

    /// The tag of a From or To.
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// Parses one value; the caller has split lists.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let (display, rest) = split_display(text)?;
        let (uri, params) = match rest.strip_prefix('<') {
            Some(rest) => rest.split_once('>').ok_or(BAD_BRACKETS)?,
            None if display.is_some() => return Err(BAD_BRACKETS),
            // Without brackets, parameters belong to the header, and a URI holding `?` or `,`
            // must not be written so (RFC 3261 §20.10).
            None if rest.contains(['?', ',']) => {
                return Err(ParseError::Uri("needs angle brackets"));
            }
            None => {
                let (uri, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
                (uri.trim_end(), params)
            }
        };
        Ok(Self {
            display,
            uri: Uri::parse(uri)?,
            params: Params::parse(params).map_err(ParseError::Malformed)?,
        })
    }
}

const BAD_BRACKETS: ParseError = ParseError::Malformed("unbalanced angle brackets");

/// Splits the display name off; what is returned begins with `<` or is an `addr-spec`.
fn split_display(text: &str) -> Result<(Option<String>, &str), ParseError> {
    if text.starts_with('"') {
        let end = scan::quoted_length(text)
            .ok_or(ParseError::Malformed("display name without closing quote"))?;
        let (quoted, rest) = text.split_at(end);
        return Ok((Some(scan::unquote(quoted).into_owned()), rest.trim_start()));
    }
    let Some(bracket) = text.find('<') else {
        return Ok((None, text));
    };
    let (name, rest) = text.split_at(bracket);
    let name = name.trim();
    // The grammar allows tokens only; phones also write other letters bare, which is harmless.
    // What would change the structure is not.
    if name.contains(['"', ',', ';', ':', '>', '@']) {
        return Err(ParseError::Malformed("display name must be quoted"));
    }
    Ok(((!name.is_empty()).then(|| name.to_owned()), rest))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", scan::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl FromStr for NameAddr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NameAddr::parse(text)
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        NameAddr::new(uri)
    }
}

impl Serialize for NameAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NameAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        NameAddr::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The Contact headers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `Contact: *`: every binding (RFC 3261 §10.2.2).
    Star,
    /// Addresses; empty when there is no Contact.
    Addresses(Vec<NameAddr>),
}

impl Contacts {
    /// The first address.
    pub fn first(&self) -> Option<&NameAddr> {
        match self {
            Contacts::Star => None,
            Contacts::Addresses(addresses) => addresses.first(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_uris_and_parameters_are_told_apart() {
        let parse = |text| NameAddr::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let quoted =
            parse(r#""J Rosenberg \\\""       <sip:jdrosen@example.com>  ; tag = 98asjd8"#);
        assert_eq!(quoted.display.as_deref(), Some(r#"J Rosenberg \""#));
        assert_eq!(quoted.tag(), Some("98asjd8"));
        let bare = parse("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n");
        assert_eq!(bare.uri.host.to_string(), "chair-dnrc.example.com");
        assert!(bare.uri.params.is_empty());
        assert_eq!(bare.tag(), Some("1918181833n"));
        let comma = parse(r#""Doe, Jane <x>" <sip:jane@example.com;transport=tcp>;q=0.3"#);
        assert_eq!(comma.display.as_deref(), Some("Doe, Jane <x>"));
        assert!(comma.uri.params.has("transport"));
        assert_eq!(parse("caller<sip:a@b>").display.as_deref(), Some("caller"));
        assert_eq!(
            parse("<tel:+81312345678>").uri.user_decoded(),
            "+81312345678"
        );
        assert_eq!(parse("山田 <sip:a@b>").display.as_deref(), Some("山田"));
    }

    #[test]
    fn printing_and_parsing_again_changes_nothing() {
        for text in [
            r#""田中 \"花\"" <sip:a@b;lr?x=y>;tag=1;q="x;y""#,
            "<sip:[::1]:5061>",
        ] {
            let parsed = NameAddr::parse(text).unwrap();
            assert_eq!(parsed.to_string(), text);
            let json = serde_json::to_string(&parsed).unwrap();
            assert_eq!(serde_json::from_str::<NameAddr>(&json).unwrap(), parsed);
        }
    }

    #[test]
    fn unbalanced_or_ambiguous_addresses_are_refused() {
        for text in [
            "",
            "\"Mr. J. User <sip:j.user@example.com>",
            "<sip:user@example.com",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "\"name\" sip:a@b",
            "Watson, Thomas <sip:t.watson@example.org>",
            "<sip:a@b> junk",
            "\"Watson, Thomas\" < sip:t.watson@example.org >",
            "<sip:a@b>;;;;",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text}");
        }
    }
}
