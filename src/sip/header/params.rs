//! Parameters of headers and URIs: `;name`, `;name=value`, `;name="quoted value"`.

use std::borrow::Cow;
use std::fmt;

use super::scan;

/// Parameters in the order written; names compare without regard to letter case.
///
/// Kept as one text without stray white space, each parameter behind a semicolon: most messages
/// pass with one look at one parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(String);

impl Params {
    /// Parses `;a;b=c`, white space allowed around every part (header parameters, not a URI's).
    pub(in crate::sip) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.trim_matches(SPACES);
        let mut params = Self(String::with_capacity(rest.len()));
        while !rest.is_empty() {
            rest = rest
                .strip_prefix(';')
                .ok_or("something else than a parameter")?;
            let end = scan::find_outside(rest.as_bytes(), b';').unwrap_or(rest.len());
            let (param, after) = rest.split_at(end);
            let (name, value) = parse_param(param)?;
            params.push(name, value);
            rest = after;
        }
        Ok(params)
    }

    /// The value as written, quotes included; `""` for a parameter without a value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or(""))
    }

    /// The value without quotes.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).map(scan::unquote)
    }

    /// Whether there is such a parameter, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Sets a parameter in place, or appends it.
    ///
    /// The name is a token and the value a token, a host or a quoted string; what would end the
    /// parameter early is left out.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let mut is_new = true;
        let mut changed = Self(String::with_capacity(self.0.len() + name.len() + 16));
        for (ours, old) in self.iter() {
            if !ours.eq_ignore_ascii_case(name) {
                changed.push(ours, old);
            } else if is_new {
                changed.push_clean(ours, value);
                is_new = false;
            }
        }
        if is_new {
            changed.push_clean(name, value);
        }
        *self = changed;
    }

    /// Removes every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        if self.has(name) {
            let mut changed = Self::default();
            for (ours, value) in self.iter() {
                if !ours.eq_ignore_ascii_case(name) {
                    changed.push(ours, value);
                }
            }
            *self = changed;
        }
    }

    /// Names and values in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let text = rest.strip_prefix(';')?;
            let end = scan::find_outside(text.as_bytes(), b';').unwrap_or(text.len());
            let (param, after) = text.split_at(end);
            rest = after;
            Some(match param.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (param, None),
            })
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Appends what the caller has found to be well formed.
    pub(in crate::sip) fn push(&mut self, name: &str, value: Option<&str>) {
        self.0.push(';');
        self.0.push_str(name);
        if let Some(value) = value {
            self.0.push('=');
            self.0.push_str(value);
        }
    }

    fn push_clean(&mut self, name: &str, value: Option<&str>) {
        let is_good = |value: &&str| {
            scan::quoted_length(value) == Some(value.len()) || !value.contains(DELIMITERS)
        };
        if scan::is_token(name.as_bytes()) && value.as_ref().is_none_or(is_good) {
            self.push(name, value);
        }
    }
}

fn parse_param(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.trim_matches(SPACES))),
        None => (text, None),
    };
    let name = name.trim_matches(SPACES);
    if !scan::is_token(name.as_bytes()) {
        return Err("bad parameter name");
    }
    match value {
        None => {}
        Some("") => return Err("empty parameter value"),
        Some(quoted) if quoted.starts_with('"') => match scan::quoted_length(quoted) {
            Some(length) if length == quoted.len() => {}
            _ => return Err("bad quoted parameter value"),
        },
        // More than `token / host`: devices write `+sip.instance` values and URIs bare.
        Some(plain) if plain.contains(DELIMITERS) => return Err("bad parameter value"),
        Some(_) => {}
    }
    Ok((name, value))
}

/// What no unquoted value may hold.
const DELIMITERS: [char; 7] = [' ', '\t', '"', '<', '>', ',', ';'];

const SPACES: [char; 2] = [' ', '\t'];

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_quotes_are_read() {
        let params = Params::parse(r#" ;tag  =  77 ; q="a;b\"" ;Flag;received=2001:db8::1 "#);
        let params = params.unwrap();
        assert_eq!(params.value("TAG"), Some("77"));
        assert_eq!(params.unquoted("q").as_deref(), Some("a;b\""));
        assert_eq!(params.value("flag"), Some(""));
        assert_eq!(params.value("received"), Some("2001:db8::1"));
        assert_eq!(params.value("none"), None);
        assert_eq!(
            params.to_string(),
            r#";tag=77;q="a;b\"";Flag;received=2001:db8::1"#
        );
    }

    #[test]
    fn parameters_are_set_in_place_and_removed() {
        let mut params = Params::parse(";a=1;B=\"x;b=2\";c").unwrap();
        params.set("b", Some("3"));
        params.set("d", None);
        params.remove("A");
        assert_eq!(params.to_string(), ";B=3;c;d");
        assert_eq!(params.len(), 3);
        params.set("evil", Some("x;y"));
        params.set("e v", None);
        assert_eq!(params.len(), 3);
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for text in [
            ";",
            ";a;;b",
            "a",
            ";a=",
            ";a=b c",
            ";a=\"b",
            ";=b",
            ";a=\"b\"c",
        ] {
            assert!(Params::parse(text).is_err(), "{text}");
        }
    }
}
