//! Reads one table setting by setting: right type, in range, nothing unknown; every mistake noted.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Number};

use super::duration::{self, show_duration};
use super::notes::Notes;
use super::source::Place;
use super::value::{Kind, Table, Value};
use super::words::remedy;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A table being read. [`Section::close`] it, so that unknown keys are found.
#[derive(Debug)]
pub(super) struct Section<'a> {
    notes: &'a Notes,
    table: &'a Table,
    what: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// Begins to read `table`, which is `what` (such as `a queue`).
    pub(super) fn new(notes: &'a Notes, table: &'a Table, what: &'static str) -> Self {
        Self {
            notes,
            table,
            what,
            asked: RefCell::default(),
        }
    }

    /// The place of the section's header.
    pub(super) fn place(&self) -> &'a Place {
        &self.table.place
    }

    /// A text that may be left out.
    pub(super) fn text(&self, key: &'static str) -> Option<At<String>> {
        let value = self.value(key)?;
        let text = self.as_text(key, value)?;
        if text.trim().is_empty() {
            let help = "write something between the quotes, or delete the line";
            self.notes
                .error(&value.place, format!("`{key}` is empty"), help);
            return None;
        }
        Some(at(text.to_owned(), value))
    }

    /// What stands at a key when it is no text.
    pub(super) fn not_text(&self, key: &'static str) -> Option<&'a Value> {
        let value = &self.table.entries.get(key)?.value;
        let is_text = matches!(value.kind, Kind::Text(_) | Kind::Variable(_));
        if is_text { None } else { self.value(key) }
    }

    /// Whether a key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    /// Whether a key is written and is this very word.
    pub(super) fn is_word(&self, key: &'static str, word: &str) -> bool {
        let value = self.value(key).map(|value| &value.kind);
        matches!(value, Some(Kind::Text(text) | Kind::Variable(text)) if text == word)
    }

    /// A text that must be there; `example` is shown when it is not.
    pub(super) fn required(&self, key: &'static str, example: &str) -> Option<At<String>> {
        self.demand(key, &format!("\"{example}\""));
        self.text(key)
    }

    /// Notes a missing key.
    pub(super) fn demand(&self, key: &'static str, example: &str) {
        if !self.table.entries.contains_key(key) {
            let message = format!("{} needs `{key}`", self.what);
            let help = format!("add {key} = {example}");
            self.notes.error(&self.table.place, message, help);
        }
    }

    /// A text that `parse` must understand; `help` is the remedy when it does not.
    pub(super) fn parsed<T, E: Display>(
        &self,
        key: &'static str,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(At {
                value,
                place: text.place,
            }),
            Err(error) => {
                self.notes
                    .error(&text.place, format!("`{key}`: {error}"), help);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        let known = words.iter().find(|(word, _)| *word == text.value);
        if known.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{key}` cannot be \"{}\"", text.value);
            let help = remedy(&text.value, &words, &format!("`{key}` is one of"));
            self.notes.error(&text.place, message, help);
        }
        known.map(|(_, value)| At {
            value: *value,
            place: text.place,
        })
    }

    /// A whole number in a range.
    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        let value = self.value(key)?;
        let number = match &value.kind {
            Kind::Integer(number) => Some(*number),
            Kind::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            let message = format!("`{key}` is a whole number, not {}", value.kind.word());
            let example = 100.clamp(*range.start(), *range.end());
            let help = match value.kind {
                Kind::Variable(_) => format!("set it to a number, such as {example}"),
                _ => format!("write it without quotes, such as {key} = {example}"),
            };
            self.notes.error(&value.place, message, help);
            return None;
        };
        if !range.contains(&number) {
            let message = format!("`{key}` cannot be {number}");
            let help = format!("it goes from {} to {}", range.start(), range.end());
            self.notes.error(&value.place, message, help);
            return None;
        }
        Some(at(number, value))
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str) -> Option<At<bool>> {
        let value = self.value(key)?;
        let flag = match &value.kind {
            Kind::Flag(flag) => Some(*flag),
            Kind::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        if flag.is_none() {
            let message = format!("`{key}` is true or false, not {}", value.kind.word());
            let help = match value.kind {
                Kind::Variable(_) => "set it to true or false".to_owned(),
                _ => format!("write {key} = true or {key} = false, without quotes"),
            };
            self.notes.error(&value.place, message, help);
        }
        flag.map(|flag| at(flag, value))
    }

    /// A length of time such as `"1m30s"`, in a range.
    pub(super) fn duration(
        &self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<At<Duration>> {
        let value = self.value(key)?;
        if let Kind::Integer(number) = &value.kind {
            let message = format!("`{key}` needs a unit");
            let help = format!("write {key} = \"{number}s\" for seconds; ms, m and h exist too");
            self.notes.error(&value.place, message, help);
            return None;
        }
        let text = self.as_text(key, value)?;
        let Some(duration) = duration::parse_duration(text) else {
            let message = format!("`{key}`: \"{text}\" is no length of time");
            self.notes.error(&value.place, message, duration::HELP);
            return None;
        };
        if !range.contains(&duration) {
            let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
            let message = format!("`{key}` cannot be {text}");
            self.notes.error(
                &value.place,
                message,
                format!("it goes from {from} to {to}"),
            );
            return None;
        }
        Some(at(duration, value))
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<At<String>>> {
        self.texts_in(key, self.value(key)?)
    }

    fn texts_in(&self, key: &str, value: &Value) -> Option<Vec<At<String>>> {
        match &value.kind {
            Kind::Text(text) => Some(vec![at(text.clone(), value)]),
            Kind::Variable(text) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                Some(parts.map(|part| at(part.to_owned(), value)).collect())
            }
            Kind::List(items) => Some(
                items
                    .iter()
                    .filter_map(|item| Some(at(self.as_text(key, item)?.to_owned(), item)))
                    .collect(),
            ),
            other => {
                let message = format!("`{key}` is a list of texts, not {}", other.word());
                let help = format!("write {key} = [\"...\", \"...\"]");
                self.notes.error(&value.place, message, help);
                None
            }
        }
    }

    /// A list of whole numbers in a range; a single one is a list of one.
    pub(super) fn integers(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<Vec<At<i64>>> {
        let value = self.value(key)?;
        let items = match &value.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let numbers = items.iter().filter_map(|item| match &item.kind {
            Kind::Integer(number) if range.contains(number) => Some(at(*number, item)),
            other => {
                let message = match other {
                    Kind::Integer(number) => format!("`{key}` cannot be {number}"),
                    _ => format!("`{key}` is a list of whole numbers, not {}", other.word()),
                };
                let help = format!("each goes from {} to {}", range.start(), range.end());
                self.notes.error(&item.place, message, help);
                None
            }
        });
        Some(numbers.collect())
    }

    /// A table of free JSON-like attributes; empty when left out.
    pub(super) fn attributes(&self, key: &'static str) -> Map<String, serde_json::Value> {
        let Some(table) = self.table(key) else {
            return Map::new();
        };
        self.json_object(table)
    }

    /// A table of texts by free key, such as a menu's choices.
    pub(super) fn text_table(&self, key: &'static str) -> Vec<(At<String>, At<String>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let pairs = table.entries.iter().filter_map(|(name, entry)| {
            let text = self.as_text(key, &entry.value)?.to_owned();
            let name = At {
                value: name.clone(),
                place: entry.key.clone(),
            };
            Some((name, at(text, &entry.value)))
        });
        pairs.collect()
    }

    /// Lists of texts by free key, such as hours by weekday.
    pub(super) fn texts_table(&self, key: &'static str) -> Vec<(At<String>, Vec<At<String>>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let pairs = table.entries.iter().filter_map(|(name, entry)| {
            let texts = self.texts_in(name, &entry.value)?;
            let name = At {
                value: name.clone(),
                place: entry.key.clone(),
            };
            Some((name, texts))
        });
        pairs.collect()
    }

    /// A table of whole numbers by free key, such as capacities by channel.
    pub(super) fn integer_table(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Vec<(At<String>, At<i64>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let mut numbers = Vec::new();
        for (name, entry) in &table.entries {
            let place = &entry.value.place;
            let name = At {
                value: name.clone(),
                place: entry.key.clone(),
            };
            match &entry.value.kind {
                Kind::Integer(number) if range.contains(number) => {
                    numbers.push((name, at(*number, &entry.value)));
                }
                other => {
                    let message = match other {
                        Kind::Integer(number) => format!("`{}` cannot be {number}", name.value),
                        _ => format!("`{}` is a whole number, not {}", name.value, other.word()),
                    };
                    let help = format!("it goes from {} to {}", range.start(), range.end());
                    self.notes.error(place, message, help);
                }
            }
        }
        numbers
    }

    /// All that is written in it.
    pub(super) fn written(&self) -> &'a Table {
        self.table
    }

    /// A section below this one.
    pub(super) fn section(&self, key: &'static str, what: &'static str) -> Option<Section<'a>> {
        Some(Section::new(self.notes, self.table(key)?, what))
    }

    /// Sections by free name below this one, in the order written.
    pub(super) fn named_sections(
        &self,
        key: &'static str,
        what: &'static str,
    ) -> Vec<(At<String>, Section<'a>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, entry) in &table.entries {
            let name = At {
                value: name.clone(),
                place: entry.key.clone(),
            };
            match &entry.value.kind {
                Kind::Table(inner) => sections.push((name, Section::new(self.notes, inner, what))),
                other => {
                    let message = format!("`{}` is {what}, not {}", name.value, other.word());
                    let help = format!("write its settings below [{key}.{}]", name.value);
                    self.notes.error(&entry.value.place, message, help);
                }
            }
        }
        sections
    }

    /// Sections written as `[[key]]`, in the order written.
    pub(super) fn sections(&self, key: &'static str, what: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let wrong = |place: &Place| {
            let message = format!("`{key}` is a list of tables");
            let help = format!("begin each with [[{key}]]");
            self.notes.error(place, message, help);
        };
        match &value.kind {
            Kind::List(items) => items
                .iter()
                .filter_map(|item| match &item.kind {
                    Kind::Table(table) => Some(Section::new(self.notes, table, what)),
                    _ => {
                        wrong(&item.place);
                        None
                    }
                })
                .collect(),
            _ => {
                wrong(&value.place);
                Vec::new()
            }
        }
    }

    /// Ends the reading: every key that was not asked for is an error.
    pub(super) fn close(self) {
        let asked = self.asked.into_inner();
        for (key, entry) in &self.table.entries {
            if !asked.contains(&key.as_str()) {
                let message = format!("{} has no setting `{key}`", self.what);
                let help = remedy(key, &asked, "it has");
                self.notes.error(&entry.key, message, help);
            }
        }
    }

    fn table(&self, key: &'static str) -> Option<&'a Table> {
        let value = self.value(key)?;
        if let Kind::Table(table) = &value.kind {
            return Some(table);
        }
        let message = format!("`{key}` is a table, not {}", value.kind.word());
        let help = format!("write {key} = {{ name = value }}, or begin it with [{key}]");
        self.notes.error(&value.place, message, help);
        None
    }

    fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().push(key);
        Some(&self.table.entries.get(key)?.value)
    }

    fn as_text<'v>(&self, key: &str, value: &'v Value) -> Option<&'v str> {
        match &value.kind {
            Kind::Text(text) | Kind::Variable(text) => Some(text),
            other => {
                let message = format!("`{key}` is text, not {}", other.word());
                let written = value.place.source.text.get(value.place.span.clone());
                let help = match (other, written) {
                    (Kind::Integer(_) | Kind::Float(_) | Kind::Flag(_), Some(written)) => {
                        format!("write it in quotes: \"{written}\"")
                    }
                    _ => "write it in quotes".to_owned(),
                };
                self.notes.error(&value.place, message, help);
                None
            }
        }
    }

    fn json_object(&self, table: &Table) -> Map<String, serde_json::Value> {
        let pairs = table
            .entries
            .iter()
            .map(|(key, entry)| (key.clone(), self.json(&entry.value)));
        pairs.collect()
    }

    fn json(&self, value: &Value) -> serde_json::Value {
        match &value.kind {
            Kind::Flag(flag) => (*flag).into(),
            Kind::Integer(number) => (*number).into(),
            Kind::Text(text) | Kind::Variable(text) => text.clone().into(),
            Kind::List(items) => items.iter().map(|item| self.json(item)).collect(),
            Kind::Table(table) => self.json_object(table).into(),
            Kind::Float(float) => match Number::from_f64(*float) {
                Some(number) => number.into(),
                None => {
                    let message = "this number cannot be an attribute";
                    self.notes
                        .error(&value.place, message, "write a finite number");
                    serde_json::Value::Null
                }
            },
        }
    }
}

fn at<T>(value: T, from: &Value) -> At<T> {
    At {
        value,
        place: from.place.clone(),
    }
}
