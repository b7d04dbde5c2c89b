//! Texts that configuration is read from, and places in them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One file, or one environment variable written as `NAME=value`.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path below the configuration directory, or the variable's name.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// A stretch of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it stands.
    pub source: Arc<Source>,
    /// Bytes in [`Source::text`].
    pub span: Range<usize>,
}

impl Place {
    /// A stretch of `source`, cut back to what the text holds.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let text = &source.text;
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end.max(start));
        Self {
            source: Arc::clone(source),
            span: start..end,
        }
    }

    /// Line, from 1.
    pub fn line(&self) -> usize {
        1 + self.before().bytes().filter(|&byte| byte == b'\n').count()
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> usize {
        let before = self.before();
        let line = before.rsplit('\n').next().unwrap_or(before);
        1 + line.chars().count()
    }

    /// The place of a part of a quoted text, given in bytes of the text's value; the whole text
    /// when escapes make value and spelling differ.
    pub fn inside(&self, value: &str, part: Range<usize>) -> Self {
        let written = self.source.text.get(self.span.clone()).unwrap_or_default();
        let opening = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'", ""]
            .into_iter()
            .find(|quotes| written.starts_with(quotes))
            .unwrap_or_default();
        let body = &written[opening.len()..];
        if !body.starts_with(value) {
            return self.clone();
        }
        let begin = self.span.start + opening.len();
        let part = part.start.min(value.len())..part.end.min(value.len());
        Self::new(&self.source, begin + part.start..begin + part.end)
    }

    fn before(&self) -> &str {
        &self.source.text[..self.span.start]
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line(), self.column())
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        let source = Arc::new(Source {
            name: "agents.toml".to_owned(),
            text: text.to_owned(),
        });
        Place::new(&source, span)
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "name = \"佐藤\"\nx = { 名 = 1, y = 2 }";
        let at = text.find("y = 2").expect("there");
        assert_eq!(place(text, at..at + 1).to_string(), "agents.toml:2:14");
        assert_eq!(place(text, 0..4).to_string(), "agents.toml:1:1");
        assert_eq!(place(text, 9999..10000).line(), 2);
    }

    #[test]
    fn a_part_of_a_text_is_found_unless_escapes_hide_it() {
        for (written, value, expected) in [
            ("'a HAS b'", "a HAS b", "HAS"),
            ("\"a HAS b\"", "a HAS b", "HAS"),
            ("'''\na HAS b'''", "a HAS b", "HAS"),
            ("\"a\\u0020HAS b\"", "a HAS b", "\"a\\u0020HAS b\""),
        ] {
            let part = place(written, 0..written.len()).inside(value, 2..5);
            assert_eq!(&written[part.span], expected);
        }
    }
}
