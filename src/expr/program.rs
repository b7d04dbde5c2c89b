//! A tree of conditions as a list of tests with jumps: evaluated without recursion, and the
//! commonest tests without a detour.

use serde_json::Value;

use super::Subject;
use super::eval::{View, compare, field, is_true};
use super::tree::{Comparison, Condition, Operand, Operator, Path, PathKind, Segment};

/// What to test, and where to go on. A test stands after those that it leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    tests: Box<[Test]>,
    entry: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Test {
    quick: Quick,
    whole: Whole,
    if_true: usize,
    if_false: usize,
}

/// A test as it stands in the tree.
#[derive(Clone, Debug, PartialEq)]
enum Whole {
    Compare(Box<Comparison>),
    Never,
    True(Box<Operand>),
}

/// A test of attributes at one key, for the values that it is meant for.
#[derive(Clone, Debug, PartialEq)]
enum Quick {
    /// `skills HAS 'sales'`.
    HasText(Field, Box<str>),
    /// `language == 'ja'`.
    IsText(Field, Box<str>),
    /// `level >= 3`: a whole number from the first to the second.
    Range(Field, i64, i64),
    /// `worker.email == task.email`.
    SameText(Field, Field),
    /// Anything else.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    subject: Option<Subject>,
    key: Box<str>,
}

/// Where a program ends.
const TRUE: usize = usize::MAX;
const FALSE: usize = usize::MAX - 1;

impl Program {
    /// The program of a tree.
    pub(super) fn new(root: &Condition) -> Self {
        let mut tests = Vec::new();
        let entry = emit(root, TRUE, FALSE, &mut tests);
        Self {
            tests: tests.into(),
            entry,
        }
    }

    /// Whether what it was made of holds.
    #[inline]
    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        let mut at = self.entry;
        while let Some(test) = self.tests.get(at) {
            let holds = match test.quick.holds(view) {
                Some(holds) => holds,
                None => test.whole.holds(view),
            };
            at = if holds { test.if_true } else { test.if_false };
        }
        at == TRUE
    }
}

/// Adds the tests of a condition after those it leads to, so that their places are known; returns
/// where it begins.
fn emit(condition: &Condition, if_true: usize, if_false: usize, tests: &mut Vec<Test>) -> usize {
    let (quick, whole) = match condition {
        Condition::All(conditions) => {
            let chain = |next, condition| emit(condition, next, if_false, tests);
            return conditions.iter().rev().fold(if_true, chain);
        }
        Condition::Any(conditions) => {
            let chain = |next, condition| emit(condition, if_true, next, tests);
            return conditions.iter().rev().fold(if_false, chain);
        }
        Condition::Not(condition) => return emit(condition, if_false, if_true, tests),
        Condition::Compare(it) => (Quick::of(it), Whole::Compare(Box::new(it.clone()))),
        Condition::Never => (Quick::Unknown, Whole::Never),
        Condition::True(operand) => (Quick::Unknown, Whole::True(Box::new(operand.clone()))),
    };
    tests.push(Test {
        quick,
        whole,
        if_true,
        if_false,
    });
    tests.len() - 1
}

impl Whole {
    fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::Compare(comparison) => compare(comparison, view),
            Self::Never => false,
            Self::True(operand) => is_true(operand, view),
        }
    }
}

impl Quick {
    fn of(comparison: &Comparison) -> Self {
        let Operand::Path(path) = &comparison.left else {
            return Self::Unknown;
        };
        let Some(left) = Field::of(path) else {
            return Self::Unknown;
        };
        match (comparison.operator, &comparison.right) {
            (Operator::Equal, Operand::Literal(Value::String(text))) => {
                Self::IsText(left, text.as_str().into())
            }
            (Operator::Has, Operand::Literal(Value::String(text))) => {
                Self::HasText(left, text.as_str().into())
            }
            (Operator::Equal, Operand::Path(right)) => match Field::of(right) {
                Some(right) => Self::SameText(left, right),
                None => Self::Unknown,
            },
            (operator, Operand::Literal(Value::Number(number))) => {
                let range = number.as_i64().and_then(|number| match operator {
                    Operator::Equal => Some((number, number)),
                    Operator::Greater => Some((number.checked_add(1)?, i64::MAX)),
                    Operator::GreaterOrEqual => Some((number, i64::MAX)),
                    Operator::Less => Some((i64::MIN, number.checked_sub(1)?)),
                    Operator::LessOrEqual => Some((i64::MIN, number)),
                    _ => None,
                });
                range.map_or(Self::Unknown, |(from, to)| Self::Range(left, from, to))
            }
            _ => Self::Unknown,
        }
    }

    /// `None`: look at the whole.
    #[inline]
    fn holds(&self, view: &View<'_>) -> Option<bool> {
        match self {
            Self::HasText(array, wanted) => {
                match array.look(view) {
                    Value::Array(items) => Some(items.iter().any(
                        |item| matches!(item, Value::String(text) if text.as_str() == &**wanted),
                    )),
                    _ => None,
                }
            }
            Self::IsText(field, wanted) => match field.look(view) {
                Value::String(text) => Some(text.as_str() == &**wanted),
                _ => None,
            },
            Self::Range(field, from, to) => match field.look(view) {
                Value::Number(number) => number
                    .as_i64()
                    .map(|number| *from <= number && number <= *to),
                _ => None,
            },
            Self::SameText(left, right) => match (left.look(view), right.look(view)) {
                (Value::String(left), Value::String(right)) => Some(left == right),
                _ => None,
            },
            Self::Unknown => None,
        }
    }
}

impl Field {
    fn of(path: &Path) -> Option<Self> {
        match (path.kind, &*path.segments) {
            (PathKind::Attribute, [Segment::Key(key)]) => Some(Self {
                subject: path.subject,
                key: key.as_str().into(),
            }),
            _ => None,
        }
    }

    #[inline]
    fn look<'a>(&self, view: &View<'a>) -> &'a Value {
        let map = match self.subject.unwrap_or(view.scope.bare) {
            Subject::Worker => view.scope.worker,
            Subject::Task => view.scope.task,
        };
        field(map, &self.key)
    }
}
