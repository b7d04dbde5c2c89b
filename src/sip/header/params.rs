//! Parameters of headers and URIs: `;name`, `;name=value`, `;name="quoted value"`.

use std::borrow::Cow;
use std::fmt;

use super::scan;

/// Parameters in the order written; names compare without regard to letter case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Parses `;a;b=c`, white space allowed around every part (header parameters, not a URI's).
    pub(in crate::sip) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut params = Vec::new();
        let mut rest = text.trim_matches(SPACES);
        while !rest.is_empty() {
            rest = rest
                .strip_prefix(';')
                .ok_or("something else than a parameter")?;
            let end = scan::find_outside(rest.as_bytes(), b';').unwrap_or(rest.len());
            let (param, after) = rest.split_at(end);
            params.push(parse_param(param)?);
            rest = after;
        }
        Ok(Self(params))
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
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self
            .0
            .iter_mut()
            .find(|(ours, _)| ours.eq_ignore_ascii_case(name))
        {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(ours, _)| !ours.eq_ignore_ascii_case(name));
    }

    /// Names and values in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::sip) fn push(&mut self, name: &str, value: Option<&str>) {
        self.0.push((name.to_owned(), value.map(str::to_owned)));
    }
}

fn parse_param(text: &str) -> Result<(String, Option<String>), &'static str> {
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
        Some(plain) if plain.contains(SPACES) || plain.contains(['"', '<', '>', ',']) => {
            return Err("bad parameter value");
        }
        Some(_) => {}
    }
    Ok((name.to_owned(), value.map(str::to_owned)))
}

const SPACES: [char; 2] = [' ', '\t'];

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
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
