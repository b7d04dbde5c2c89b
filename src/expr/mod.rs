//! The attribute expression language: parse, check, eval; total, bounded, no I/O.
//!
//! Compatible with the expressions of TaskRouter: comparisons, `HAS`, `IN`, `NOT IN`, `CONTAINS`,
//! `AND`, `OR`, parentheses; ours are `NOT`, a bare path as a condition, quoted path segments and
//! any Unicode in keys and strings. Strings are compared code point by code point: text in NFC and
//! in NFD differs, as it does in JSON.

mod eval;
mod lexer;
mod parser;

use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value};

use parser::Condition;

/// Longest expression in bytes; the longest in the wild are a few hundred.
pub const MAX_LENGTH: usize = 8192;
/// Deepest nesting of parentheses, `NOT` and arrays: keeps recursion far from the stack's end.
pub const MAX_DEPTH: usize = 64;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Condition,
    uses_task: bool,
    options: Options,
    lints: Vec<Lint>,
}

/// How an expression reads doubtful cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `HAS`, `IN` and `NOT IN` take a single value for an array of one.
    pub lenient_arrays: bool,
    /// Two paths that both lead nowhere are equal. Off: "the task's owner is the worker" must not
    /// match everybody when neither has the attribute.
    pub missing_equals_missing: bool,
}

/// What an expression sees.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Attributes behind `worker.`.
    pub worker: &'a Map<String, Value>,
    /// Attributes behind `task.`.
    pub task: &'a Map<String, Value>,
    /// What a key without prefix belongs to.
    pub bare: Subject,
}

/// Whose attributes a path leads into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The worker's.
    Worker,
    /// The task's.
    Task,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A doubtful spot in an expression that is valid all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What is doubtful.
    pub message: String,
}

impl Expression {
    /// Parses with the default options. An empty text is valid and matches nobody.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_with(text, Options::default())
    }

    /// Parses with chosen options.
    pub fn parse_with(text: &str, options: Options) -> Result<Self, Error> {
        let parsed = parser::parse(text)?;
        Ok(Self {
            text: text.to_owned(),
            root: parsed.root,
            uses_task: parsed.uses_task,
            options,
            lints: parsed.lints,
        })
    }

    /// Whether it holds in `scope`. Never fails: what is missing is null.
    pub fn eval(&self, scope: &Scope<'_>) -> bool {
        eval::holds(&self.root, scope, self.options)
    }

    /// Whether it looks at `task.`; if not, its result for a worker can be kept.
    pub fn uses_task(&self) -> bool {
        self.uses_task
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Doubtful spots.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }
}

impl<'a> Scope<'a> {
    /// A worker and a task; keys without prefix are the worker's.
    pub fn new(worker: &'a Map<String, Value>, task: &'a Map<String, Value>) -> Self {
        Self {
            worker,
            task,
            bare: Subject::Worker,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.span.start)
    }
}

impl std::error::Error for Error {}
