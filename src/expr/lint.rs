//! Spots of an expression that are valid and doubtful all the same, seen from its text alone.

use std::ops::Range;

use serde_json::Value;

use super::Options;
use super::tree::{Comparison, Condition, Operand};

/// A doubtful spot in an expression that is valid all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What kind of doubt.
    pub doubt: Doubt,
    /// What is doubtful.
    pub message: String,
    /// The same in Japanese.
    pub message_ja: String,
}

/// Kinds of doubts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// `==` and its kind with an array at one side.
    ArrayCompared,
    /// Two attributes are compared that both may be missing: not equal then.
    BothMissing,
    /// No text.
    Empty,
    /// An array may be missing: `NOT IN` is false then.
    MissingArray,
    /// `now.` or `taskqueue.`, which look like more than attributes.
    NotThere,
    /// A key that this place cannot see.
    OutOfSight,
    /// `HAS` or `IN` on a single value, in strict mode.
    SingleForArray,
    /// `=` for `==`.
    SingleEquals,
    /// Values of different types.
    TypeMismatch,
    /// A key that nobody has.
    UnknownKey,
}

impl Doubt {
    /// Whether it is only worth knowing: what it speaks of is common and may well be meant.
    pub fn is_note(self) -> bool {
        matches!(self, Self::BothMissing | Self::MissingArray)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ArrayCompared => (
                "an array is never equal; use HAS, IN or NOT IN",
                "配列は等しくなりません。HAS、IN、NOT IN を使ってください",
            ),
            Self::BothMissing => (
                "false where both attributes are missing",
                "両方の属性がないときは偽になります",
            ),
            Self::Empty => (
                "an empty expression matches nobody",
                "空の式には誰も一致しません",
            ),
            Self::MissingArray => (
                "false where the array is missing",
                "配列の属性がないときは偽になります",
            ),
            Self::NotThere => (
                "there is no `now.` and no `taskqueue.`; this is an attribute of that name",
                "`now.` と `taskqueue.` はありません。同じ名前の属性として扱います",
            ),
            Self::OutOfSight => ("this cannot be seen here", "ここからは参照できません"),
            Self::SingleForArray => (
                "this side must be an array; a single value never matches",
                "こちら側は配列でなければなりません。単独の値には一致しません",
            ),
            Self::SingleEquals => ("`=` is read as `==`", "`=` は `==` として扱います"),
            Self::TypeMismatch => (
                "values of different types are never equal",
                "型の異なる値は等しくなりません",
            ),
            Self::UnknownKey => ("nobody has this key", "このキーはどこにもありません"),
        }
    }
}

impl Lint {
    pub(super) fn new(doubt: Doubt, span: Range<usize>) -> Self {
        let (message, message_ja) = doubt.words();
        Self {
            span,
            doubt,
            message: message.to_owned(),
            message_ja: message_ja.to_owned(),
        }
    }

    /// The same with more to say.
    pub(super) fn with(mut self, more: &str, more_ja: &str) -> Self {
        self.message.push_str(more);
        self.message_ja.push_str(more_ja);
        self
    }
}

/// What can be doubted without knowing any attributes.
pub(super) fn doubts(root: &Condition, options: Options) -> Vec<Lint> {
    let mut lints = Vec::new();
    root.each_path(&mut |path| {
        if path.is_absent() {
            lints.push(Lint::new(Doubt::NotThere, path.span.clone()));
        }
    });
    root.each_comparison(&mut |comparison| {
        if let Some(doubt) = doubt(comparison, options) {
            lints.push(Lint::new(doubt, comparison.span.clone()));
        }
    });
    lints
}

/// Comparisons that can never hold, whatever the attributes are.
fn doubt(comparison: &Comparison, options: Options) -> Option<Doubt> {
    let Comparison {
        left,
        operator,
        right,
        ..
    } = comparison;
    let is_list = |operand: &Operand| matches!(operand, Operand::List(_));
    if operator.wants_array() {
        let (array, item) = comparison.array_and_item();
        let is_single = match array {
            Operand::Literal(Value::Null) => true,
            Operand::Literal(_) | Operand::Sum(_) => !options.lenient_arrays,
            Operand::List(_) | Operand::Path(_) => false,
        };
        return if is_list(item) {
            Some(Doubt::ArrayCompared)
        } else {
            is_single.then_some(Doubt::SingleForArray)
        };
    }
    if is_list(left) || is_list(right) {
        return Some(Doubt::ArrayCompared);
    }
    let types = (type_of(left), type_of(right));
    let is_mismatch = match types {
        (Some(left), Some(right)) if left != right => true,
        (left, right) => {
            let fits = |it: Option<Type>| match it {
                Some(it) if operator.wants_text() => it == Type::Text,
                Some(it) if operator.is_order() => matches!(it, Type::Number | Type::Text),
                _ => true,
            };
            !fits(left) || !fits(right)
        }
    };
    is_mismatch.then_some(Doubt::TypeMismatch)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Bool,
    Null,
    Number,
    Text,
}

/// The type of what does not depend on attributes.
fn type_of(operand: &Operand) -> Option<Type> {
    match operand {
        Operand::Literal(Value::Bool(_)) => Some(Type::Bool),
        Operand::Literal(Value::Null) => Some(Type::Null),
        Operand::Literal(Value::Number(_)) | Operand::Sum(_) => Some(Type::Number),
        Operand::Literal(Value::String(_)) => Some(Type::Text),
        Operand::List(_) | Operand::Literal(_) | Operand::Path(_) => None,
    }
}
