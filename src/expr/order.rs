//! `worker.level DESC, worker.age ASC`: which of several matching workers is first.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::error::Error;
use super::eval::descend;
use super::number::Amount;
use super::parser::Parser;
use super::tree::Path;
use super::{Options, Subject};

/// Most terms of an order, as TaskRouter has it.
const MAX_TERMS: usize = 10;

/// The order of workers by whole-number attributes.
///
/// A worker without the attribute comes after those who have it, in both directions. TaskRouter
/// ignores the whole order when an attribute is no whole number: see [`OrderBy::applies_to`].
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    path: Path,
    is_descending: bool,
}

/// What a term finds at a worker.
enum Found {
    Missing,
    Odd,
    Whole(i128),
}

impl OrderBy {
    /// Parses one to ten terms between commas: an attribute, with or without `worker.`, then `ASC`
    /// (default) or `DESC` in any case.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser::new(text, Options::default())?;
        let mut terms = Vec::new();
        loop {
            let span = parser.span();
            let path = parser.lone_path()?;
            if path.subject == Some(Subject::Task) {
                return Err(Error::new(
                    path.span,
                    "workers are ordered by their own attributes",
                    "並べ替えには worker の属性だけを使えます",
                ));
            }
            let is_descending = parser.take_word("DESC");
            if !is_descending {
                parser.take_word("ASC");
            }
            if terms.len() == MAX_TERMS {
                return Err(Error::new(
                    span,
                    format!("more than {MAX_TERMS} terms"),
                    format!("並べ替えの項目は {MAX_TERMS} 個までです"),
                ));
            }
            terms.push(Term {
                path,
                is_descending,
            });
            if !parser.take_sign(",") {
                break;
            }
        }
        parser.finish("ASC, DESC, a comma")?;
        Ok(Self {
            text: text.to_owned(),
            terms,
        })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether each of its attributes is a whole number or missing at this worker. If it does not
    /// apply to one of those to be ordered, TaskRouter ignores it for all of them.
    pub fn applies_to(&self, worker: &Map<String, Value>) -> bool {
        let is_odd = |term: &Term| matches!(term.find(worker), Found::Odd);
        !self.terms.iter().any(is_odd)
    }

    /// Which of two workers comes first. What is no whole number counts as missing, and who lacks
    /// an attribute comes last by it, ascending or descending; equal ones are for the caller.
    pub fn compare(&self, a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
        for term in &self.terms {
            let order = match (term.find(a), term.find(b)) {
                (Found::Whole(a), Found::Whole(b)) if term.is_descending => b.cmp(&a),
                (Found::Whole(a), Found::Whole(b)) => a.cmp(&b),
                (Found::Whole(_), _) => Ordering::Less,
                (_, Found::Whole(_)) => Ordering::Greater,
                _ => Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl Term {
    fn find(&self, worker: &Map<String, Value>) -> Found {
        match descend(worker, &self.path.segments) {
            Value::Null => Found::Missing,
            Value::Number(number) => match Amount::of(number).and_then(Amount::whole) {
                Some(whole) => Found::Whole(whole),
                None => Found::Odd,
            },
            _ => Found::Odd,
        }
    }
}
