//! The attribute expression language: parse, check, eval, and find; total, bounded, no I/O.
//!
//! Compatible with the expressions of TaskRouter: comparisons, `HAS`, `IN`, `NOT IN`, `CONTAINS`,
//! `AND`, `OR`, parentheses, with quoted path segments and any Unicode in keys and strings; ours
//! ([`Options::extensions`]) are `NOT`, a bare path as a condition, `STARTSWITH` and `+ - * /`.
//! Strings are compared code point by code point: text in NFC and in NFD differs, as it does in
//! JSON. docs/expressions.md is the page for those who write them.

mod candidates;
mod error;
mod eval;
mod index;
mod lexer;
mod lint;
mod number;
mod order;
mod parser;
mod program;
mod schema;
#[cfg(test)]
mod tests;
mod tree;

use serde_json::{Map, Value};

pub use error::Error;
pub use index::AttributeIndex;
pub use lint::{Doubt, Lint};
pub use order::OrderBy;
pub use schema::{Place, Schema};

use eval::View;
use program::Program;
use tree::{Condition, Path, PathKind};

/// Longest expression in bytes; the longest in the wild are lists of some hundred addresses.
pub const MAX_LENGTH: usize = 32_768;
/// Deepest nesting of parentheses, `NOT` and arrays: keeps recursion far from the stack's end.
pub const MAX_DEPTH: usize = 64;

/// A parsed expression; it is evaluated without allocating anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Condition,
    /// The same, for evaluation.
    program: Program,
    /// Ways into the task, each once, in the order of the text.
    task_paths: Vec<Path>,
    looks_at_state: bool,
    options: Options,
    lints: Vec<Lint>,
}

/// How an expression reads doubtful cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What TaskRouter's language does not have is understood. Default: yes.
    pub extensions: bool,
    /// `HAS`, `IN` and `NOT IN` take a single value for an array of one. Default: no.
    pub lenient_arrays: bool,
    /// Two paths that both lead nowhere are equal. Default: no. "The task's owner is the worker"
    /// must not match everybody when neither has the attribute.
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

impl Expression {
    /// Parses with the default options. An empty text is valid and matches nobody.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_with(text, Options::default())
    }

    /// Parses with chosen options.
    pub fn parse_with(text: &str, options: Options) -> Result<Self, Error> {
        let parsed = parser::parse(text, options)?;
        let mut lints = parsed.lints;
        lints.extend(lint::doubts(&parsed.root, options));
        lints.sort_by_key(|lint| (lint.span.start, lint.span.end));
        let mut task_paths: Vec<Path> = Vec::new();
        let mut looks_at_state = false;
        parsed.root.each_path(&mut |path| {
            looks_at_state |= path.kind == PathKind::State;
            let is_known = |known: &Path| known.segments == path.segments;
            if path.subject == Some(Subject::Task) && !task_paths.iter().any(is_known) {
                task_paths.push(path.clone());
            }
        });
        Ok(Self {
            text: text.to_owned(),
            program: Program::new(&parsed.root),
            root: parsed.root,
            task_paths,
            looks_at_state,
            options,
            lints,
        })
    }

    /// Whether it holds in `scope`. Never fails: what is missing is null.
    pub fn eval(&self, scope: &Scope<'_>) -> bool {
        self.program.holds(&self.view(scope))
    }

    /// Like [`Expression::eval`], with the worker's `activity_name`, `activity_sid` and `channel`
    /// (as in `channel.voice.available_capacity_percentage`) in `state`; attributes of these names
    /// count where `state` has none.
    pub fn eval_with_state(&self, scope: &Scope<'_>, state: &Map<String, Value>) -> bool {
        let view = View {
            state: Some(state),
            ..self.view(scope)
        };
        self.program.holds(&view)
    }

    /// Whether it holds where `workers.KEY` is looked up in `counts` (as in
    /// `workers.available == 0`) and nothing else is known: for `skip_if`.
    pub fn eval_counts(&self, counts: &Map<String, Value>) -> bool {
        let nothing = Map::new();
        let view = View {
            counts: Some(counts),
            ..self.view(&Scope::new(&nothing, &nothing))
        };
        self.program.holds(&view)
    }

    /// Numbers of the workers in `index` that may satisfy it, rising: all that do, and perhaps
    /// more. `None` if it cannot be narrowed down. Keys without prefix are the worker's.
    pub fn candidates(
        &self,
        task: &Map<String, Value>,
        index: &AttributeIndex,
    ) -> Option<Vec<u32>> {
        candidates::narrow(&self.root, task, index, self.options)
    }

    /// The values of all attributes of `task` that it looks at by `task.`, null where missing, in
    /// the order of the text. Tasks with equal values are judged alike, whoever the worker is.
    pub fn task_values<'a>(&self, task: &'a Map<String, Value>) -> Vec<&'a Value> {
        let value = |path: &Path| eval::descend(task, &path.segments);
        self.task_paths.iter().map(value).collect()
    }

    /// Every path it looks at, keys joined by dots, with its place in bytes, in the order of the text.
    pub fn paths(&self) -> Vec<(String, std::ops::Range<usize>)> {
        let mut paths = Vec::new();
        self.root.each_path(&mut |path| {
            let prefix = match path.subject {
                None => "",
                Some(Subject::Task) => "task.",
                Some(Subject::Worker) => "worker.",
            };
            let keys: Vec<String> = path.segments.iter().map(tree::Segment::to_string).collect();
            paths.push((format!("{prefix}{}", keys.join(".")), path.span.clone()));
        });
        paths
    }

    /// Whether it looks at `task.`; if not, its result for a worker can be kept.
    pub fn uses_task(&self) -> bool {
        !self.task_paths.is_empty()
    }

    /// Whether it looks at a worker's `activity_name`, `activity_sid` or `channel.`, which are no
    /// attributes: [`Expression::eval_with_state`] knows them, and its result changes with them.
    pub fn looks_at_state(&self) -> bool {
        self.looks_at_state
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Doubtful spots, in the order of the text.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    fn view<'a>(&self, scope: &Scope<'a>) -> View<'a> {
        View {
            scope: *scope,
            state: None,
            counts: None,
            options: self.options,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extensions: true,
            lenient_arrays: false,
            missing_equals_missing: false,
        }
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
