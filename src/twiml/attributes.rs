//! The attributes of one element, taken by name and type. What is left over is unknown.
//!
//! As on the public platform a value that is no good is a warning, and the default counts.

use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, Position, code, shown};
use super::link::{Link, Method};
use super::xml::Element;

/// Attributes not yet taken.
pub(super) struct Attributes<'a> {
    element: String,
    at: Position,
    left: Vec<(String, String)>,
    remarks: &'a mut Vec<Fault>,
}

impl<'a> Attributes<'a> {
    pub(super) fn of(element: &Element, remarks: &'a mut Vec<Fault>) -> Self {
        Self {
            element: element.name.clone(),
            at: element.at,
            left: element.attributes.clone(),
            remarks,
        }
    }

    /// The value as it stands; `None` when it is not there.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let place = self.left.iter().position(|(key, _)| key == name)?;
        Some(self.left.remove(place).1)
    }

    /// The same, unless it is longer than so many characters.
    pub(super) fn short(&mut self, name: &str, most: usize, code: u16) -> Option<String> {
        let value = self.text(name)?;
        if value.chars().count() > most {
            self.doubt(code, name, &value, &format!("at most {most} characters"));
            return None;
        }
        Some(value)
    }

    /// A word of a known set.
    pub(super) fn word<T: FromStr<Err = &'static str>>(
        &mut self,
        name: &str,
        code: u16,
    ) -> Option<T> {
        let value = self.text(name)?;
        match value.parse() {
            Ok(word) => Some(word),
            Err(wanted) => {
                self.doubt(code, name, &value, wanted);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str, default: bool, code: u16) -> bool {
        let Some(value) = self.text(name) else {
            return default;
        };
        match value.as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.doubt(code, name, &value, "\"true\" or \"false\"");
                default
            }
        }
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str, least: u32, most: u32, code: u16) -> Option<u32> {
        let value = self.text(name)?;
        // `u32` would take a plus sign.
        let digits = value.trim();
        let number = match digits.chars().all(|c| c.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        };
        if let Some(number) = number.filter(|number| (least..=most).contains(number)) {
            return Some(number);
        }
        let wanted = match most {
            u32::MAX => format!("a whole number from {least}"),
            most => format!("a whole number from {least} to {most}"),
        };
        self.doubt(code, name, &value, &wanted);
        None
    }

    /// Whole seconds.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        least: u32,
        most: u32,
        code: u16,
    ) -> Option<Duration> {
        let number = self.number(name, least, most, code)?;
        Some(Duration::from_secs(u64::from(number)))
    }

    /// A URL, with the attribute that says how it is requested.
    pub(super) fn link(&mut self, name: &str, method: &str, code: u16) -> Option<Link> {
        let method = self.word::<Method>(method, code).unwrap_or_default();
        let url = self.text(name)?;
        Some(Link {
            url: url.trim().to_owned(),
            method,
        })
    }

    /// Words of a known set, between blanks or commas.
    pub(super) fn words<T: FromStr<Err = &'static str> + PartialEq>(
        &mut self,
        name: &str,
        code: u16,
    ) -> Option<Vec<T>> {
        let value = self.text(name)?;
        let mut words = Vec::new();
        for word in value.split([' ', ',']).filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(word) if words.contains(&word) => {}
                Ok(word) => words.push(word),
                Err(wanted) => self.doubt(code, name, word, wanted),
            }
        }
        Some(words)
    }

    /// Attributes the public platform knows and we do nothing for: a warning for each that is
    /// there, since somebody counts on it.
    pub(super) fn unsupported(&mut self, names: &[&str]) {
        for name in names {
            if self.text(name).is_some() {
                let words = format!(
                    "{name} of <{}> is not supported and has no effect",
                    self.element
                );
                self.remark(code::SCHEMA, words);
            }
        }
    }

    /// A warning about the element.
    pub(super) fn remark(&mut self, code: u16, words: impl Into<String>) {
        self.remarks.push(Fault::new(code, words).at(self.at));
    }

    /// A warning about a value: the default counts.
    pub(super) fn doubt(&mut self, code: u16, name: &str, value: &str, wanted: &str) {
        let words = format!(
            "{name}=\"{}\" of <{}> is not valid, the default counts; it must be {wanted}",
            shown(value),
            self.element
        );
        self.remark(code, words);
    }

    /// A warning for each attribute nobody took.
    pub(super) fn finish(self) {
        for (name, _) in &self.left {
            // Namespaces are XML's own business.
            if name == "xmlns" || name.starts_with("xmlns:") || name.starts_with("xml:") {
                continue;
            }
            let words = format!(
                "<{}> has no attribute {}; case matters",
                self.element,
                shown(name)
            );
            self.remarks
                .push(Fault::new(code::SCHEMA, words).at(self.at));
        }
    }
}
