//! Trees into yes or no. Total: every missing thing is null, every odd comparison is false.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::number::Amount;
use super::tree::{Comparison, Condition, Operand, Operator, Path, PathKind, Segment, Step, Term};
use super::{Options, Scope, Subject};

const NULL: Value = Value::Null;

/// Up to so many attributes a look at each key is quicker than a hash (SipHash: 12 to 20 ns).
const FEW: usize = 12;

/// What an expression is held against.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) scope: Scope<'a>,
    /// What `activity_name`, `activity_sid` and `channel.` of a worker lead into.
    pub(super) state: Option<&'a Map<String, Value>>,
    /// What `workers.` leads into.
    pub(super) counts: Option<&'a Map<String, Value>>,
    pub(super) options: Options,
}

/// What an operand leads to.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    Amount(Amount),
    List(&'a [Operand]),
    Value(&'a Value),
}

/// What is no array.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Amount(Amount),
    Bool(bool),
    Null,
    /// Equal to nothing, itself included.
    Object,
    Text(&'a str),
}

/// Whether `condition` holds: what [`super::program`] must agree with.
pub(super) fn holds(condition: &Condition, view: &View<'_>) -> bool {
    match condition {
        Condition::All(conditions) => conditions.iter().all(|c| holds(c, view)),
        Condition::Any(conditions) => conditions.iter().any(|c| holds(c, view)),
        Condition::Compare(comparison) => compare(comparison, view),
        Condition::Never => false,
        Condition::Not(condition) => !holds(condition, view),
        Condition::True(operand) => is_true(operand, view),
    }
}

/// Whether `operand` leads to `true`.
pub(super) fn is_true(operand: &Operand, view: &View<'_>) -> bool {
    matches!(look(operand, view), Seen::Value(Value::Bool(true)))
}

/// What `operand` leads to.
pub(super) fn look<'a>(operand: &'a Operand, view: &View<'a>) -> Seen<'a> {
    match operand {
        Operand::List(items) => Seen::List(items),
        Operand::Literal(value) => Seen::Value(value),
        Operand::Path(path) => Seen::Value(follow(path, view)),
        Operand::Sum(terms) => reckon(terms, view).map_or(Seen::Value(&NULL), Seen::Amount),
    }
}

fn follow<'a>(path: &'a Path, view: &View<'a>) -> &'a Value {
    match (path.kind, view.counts, view.state) {
        (PathKind::Count, Some(counts), _) => descend(counts, &path.segments[1..]),
        (PathKind::State, _, Some(state)) if subject(path, view) == Subject::Worker => {
            match descend(state, &path.segments) {
                Value::Null => descend(view.scope.worker, &path.segments),
                value => value,
            }
        }
        _ => match subject(path, view) {
            Subject::Worker => descend(view.scope.worker, &path.segments),
            Subject::Task => descend(view.scope.task, &path.segments),
        },
    }
}

fn subject(path: &Path, view: &View<'_>) -> Subject {
    path.subject.unwrap_or(view.scope.bare)
}

/// What `segments` lead to in `map`; null where they lead nowhere.
#[inline]
pub(super) fn descend<'a>(map: &'a Map<String, Value>, segments: &[Segment]) -> &'a Value {
    let Some((Segment::Key(key), rest)) = segments.split_first() else {
        return &NULL;
    };
    let mut value = field(map, key);
    for segment in rest {
        value = match (segment, value) {
            (Segment::Index(index), Value::Array(items)) => items.get(*index).unwrap_or(&NULL),
            (Segment::Key(key), Value::Object(map)) => field(map, key),
            _ => &NULL,
        };
    }
    value
}

#[inline]
pub(super) fn field<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Value {
    let found = match map.len() <= FEW {
        true => map
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value),
        false => map.get(key),
    };
    found.unwrap_or(&NULL)
}

/// A sum; `None` as soon as anything in it is no number.
fn reckon(terms: &[Term], view: &View<'_>) -> Option<Amount> {
    let mut sum = Amount::Whole(0);
    for term in terms {
        let mut product = Amount::Whole(1);
        for (step, factor) in &term.factors {
            let factor = match scalar(look(factor, view)) {
                Some(Scalar::Amount(amount)) => amount,
                _ => return None,
            };
            product = match step {
                Step::Divide => product.divide(factor),
                Step::Multiply => product.multiply(factor),
            }?;
        }
        sum = match term.is_subtracted {
            true => sum.subtract(product),
            false => sum.add(product),
        }?;
    }
    Some(sum)
}

/// Whether a comparison holds.
pub(super) fn compare(comparison: &Comparison, view: &View<'_>) -> bool {
    let operator = comparison.operator;
    match operator {
        Operator::Has | Operator::In => holds_item(comparison, view) == Some(true),
        Operator::NotIn => holds_item(comparison, view) == Some(false),
        _ => {
            let (left, right) = (&comparison.left, &comparison.right);
            let (Some(a), Some(b)) = (scalar(look(left, view)), scalar(look(right, view))) else {
                return false;
            };
            match operator {
                Operator::Contains => both_texts(a, b, |a, b| a.contains(b)),
                Operator::StartsWith => both_texts(a, b, |a, b| a.starts_with(b)),
                Operator::Equal | Operator::NotEqual => {
                    let are_missing = matches!((a, b), (Scalar::Null, Scalar::Null))
                        && left.can_be_missing()
                        && right.can_be_missing();
                    let are_equal = match are_missing {
                        true => view.options.missing_equals_missing,
                        false => equal(a, b),
                    };
                    are_equal == (operator == Operator::Equal)
                }
                Operator::Less => order(a, b) == Some(Ordering::Less),
                Operator::LessOrEqual => order(a, b).is_some_and(Ordering::is_le),
                Operator::Greater => order(a, b) == Some(Ordering::Greater),
                Operator::GreaterOrEqual => order(a, b).is_some_and(Ordering::is_ge),
                Operator::Has | Operator::In | Operator::NotIn => false,
            }
        }
    }
}

fn both_texts(a: Scalar<'_>, b: Scalar<'_>, holds: impl Fn(&str, &str) -> bool) -> bool {
    matches!((a, b), (Scalar::Text(a), Scalar::Text(b)) if holds(a, b))
}

/// Whether the array holds the item; `None` when it is no array, or the item is one.
fn holds_item(comparison: &Comparison, view: &View<'_>) -> Option<bool> {
    let (array, wanted) = comparison.array_and_item();
    let item = scalar(look(wanted, view))?;
    // What is missing is found among written nulls, but not among what is missing as well.
    let is_missing = matches!(item, Scalar::Null)
        && wanted.can_be_missing()
        && !view.options.missing_equals_missing;
    match look(array, view) {
        Seen::List(items) => Some(items.iter().any(|candidate| {
            !(is_missing && candidate.can_be_missing())
                && scalar(look(candidate, view)).is_some_and(|value| equal(value, item))
        })),
        Seen::Value(Value::Array(values)) => Some(
            !is_missing
                && values
                    .iter()
                    .any(|it| scalar(Seen::Value(it)).is_some_and(|value| equal(value, item))),
        ),
        Seen::Value(Value::Null | Value::Object(_)) => None,
        single if view.options.lenient_arrays => Some(equal(scalar(single)?, item)),
        _ => None,
    }
}

/// What is seen, unless it is an array.
#[inline]
pub(super) fn scalar(seen: Seen<'_>) -> Option<Scalar<'_>> {
    match seen {
        Seen::Amount(amount) => Some(Scalar::Amount(amount)),
        Seen::Value(Value::Bool(value)) => Some(Scalar::Bool(*value)),
        Seen::Value(Value::Null) => Some(Scalar::Null),
        Seen::Value(Value::Number(number)) => Amount::of(number).map(Scalar::Amount),
        Seen::Value(Value::String(text)) => Some(Scalar::Text(text)),
        Seen::Value(Value::Object(_)) => Some(Scalar::Object),
        Seen::List(_) | Seen::Value(Value::Array(_)) => None,
    }
}

fn equal(a: Scalar<'_>, b: Scalar<'_>) -> bool {
    match (a, b) {
        (Scalar::Amount(a), Scalar::Amount(b)) => a.compare(b) == Some(Ordering::Equal),
        (Scalar::Bool(a), Scalar::Bool(b)) => a == b,
        (Scalar::Null, Scalar::Null) => true,
        (Scalar::Text(a), Scalar::Text(b)) => a == b,
        _ => false,
    }
}

fn order(a: Scalar<'_>, b: Scalar<'_>) -> Option<Ordering> {
    match (a, b) {
        (Scalar::Amount(a), Scalar::Amount(b)) => a.compare(b),
        (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
