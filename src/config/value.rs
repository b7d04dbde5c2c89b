//! What a source says, value by value, each with its place.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Problem;
use super::source::{Place, Source};

/// A table: keys in the order written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Its header, or the whole of an inline table.
    pub(super) place: Place,
    /// What stands in it.
    pub(super) entries: IndexMap<String, Entry>,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Place of the key.
    pub(super) key: Place,
    /// The value.
    pub(super) value: Value,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// Place of the value.
    pub(super) place: Place,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Flag(bool),
    Float(f64),
    Integer(i64),
    List(Vec<Value>),
    Table(Table),
    Text(String),
    /// From an environment variable: a text that may mean any of the others.
    Variable(String),
}

impl Kind {
    /// What it is, for messages.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Flag(_) => "true or false",
            Self::Float(_) => "a number with a fraction",
            Self::Integer(_) => "a whole number",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Text(_) | Self::Variable(_) => "text",
        }
    }
}

/// Reads a TOML document as far as it can be read, with every mistake in its spelling.
pub(super) fn parse(source: &Arc<Source>) -> (Table, Vec<Problem>) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let problems = errors
        .into_iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            Problem::error(
                &Place::new(source, span),
                format!("not TOML: {}", error.message().trim_end_matches('.')),
                remedy(error.message()),
            )
        })
        .collect();
    let whole = Place::new(source, 0..0);
    (table(source, whole, document.get_ref()), problems)
}

fn remedy(message: &str) -> String {
    if message.contains("duplicate key") {
        return "delete one of the two; several of a kind are written as [[...]]".to_owned();
    }
    if message.contains("unquoted key") {
        return "a key with other letters than a-z stands in quotes: \"名前\" = 1".to_owned();
    }
    "a line is `key = value`, and text stands in quotes: name = \"tokyo1\"".to_owned()
}

fn table(source: &Arc<Source>, place: Place, table: &DeTable<'_>) -> Table {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    let entries = pairs.into_iter().map(|(key, item)| {
        let entry = Entry {
            key: Place::new(source, key.span()),
            value: value(source, item),
        };
        (key.get_ref().clone().into_owned(), entry)
    });
    Table {
        place,
        entries: entries.collect(),
    }
}

fn value(source: &Arc<Source>, item: &Spanned<DeValue<'_>>) -> Value {
    let span: Range<usize> = item.span();
    let place = Place::new(source, span);
    let kind = match item.get_ref() {
        DeValue::Array(items) => Kind::List(items.iter().map(|item| value(source, item)).collect()),
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        DeValue::Datetime(time) => Kind::Text(time.to_string()),
        DeValue::Float(float) => Kind::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            parsed.map_or(Kind::Float(f64::INFINITY), Kind::Integer)
        }
        DeValue::String(text) => Kind::Text(text.clone().into_owned()),
        DeValue::Table(inner) => Kind::Table(table(source, place.clone(), inner)),
    };
    Value { place, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source {
            name: "phones.toml".to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn every_value_and_key_knows_its_place() {
        let source = source("[[phone]]\nnumber = \"1001\"\n\n[sip]\nlisten = [\"a\",\n  \"b\"]\n");
        let (table, problems) = parse(&source);
        assert_eq!(problems, []);
        let phone = &table.entries["phone"];
        let Kind::List(phones) = &phone.value.kind else {
            panic!("not a list")
        };
        let Kind::Table(first) = &phones[0].kind else {
            panic!("not a table")
        };
        assert_eq!(first.place.to_string(), "phones.toml:1:1");
        assert_eq!(first.entries["number"].key.to_string(), "phones.toml:2:1");
        assert_eq!(
            first.entries["number"].value.place.to_string(),
            "phones.toml:2:10"
        );
        let Kind::Table(sip) = &table.entries["sip"].value.kind else {
            panic!("not a table")
        };
        assert_eq!(sip.place.to_string(), "phones.toml:4:1");
        let Kind::List(listen) = &sip.entries["listen"].value.kind else {
            panic!("not a list")
        };
        assert_eq!(listen[1].place.to_string(), "phones.toml:6:3");
    }

    #[test]
    fn every_spelling_mistake_is_reported_and_the_rest_still_read() {
        let source = source("a = \nb = 2\nc = [1\nd\n");
        let (table, problems) = parse(&source);
        assert!(problems.len() >= 2, "{problems:#?}");
        assert!(table.entries.contains_key("b"));
    }
}
