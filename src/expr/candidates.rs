//! Narrowing down who may satisfy an expression, by an index of attributes.
//!
//! Every answer holds at least the workers for whom the expression is true. What the task alone
//! decides is decided; conditions on a worker's state, on what he lacks, and on more and less
//! narrow nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::eval::{Scalar, Seen, View, compare, holds, look, scalar};
use super::index::AttributeIndex;
use super::tree::{Comparison, Condition, Operand, Operator, Path, PathKind};
use super::{Options, Scope, Subject};

/// Numbers in rising order.
type Numbers<'a> = Cow<'a, [u32]>;

/// Who may satisfy `condition`; `None` if anybody may.
pub(super) fn narrow(
    condition: &Condition,
    task: &Map<String, Value>,
    index: &AttributeIndex,
    options: Options,
) -> Option<Vec<u32>> {
    let nobody = Map::new();
    let search = Search {
        view: View {
            scope: Scope::new(&nobody, task),
            state: None,
            counts: None,
            options,
        },
        index,
    };
    search.condition(condition).map(Cow::into_owned)
}

struct Search<'a> {
    view: View<'a>,
    index: &'a AttributeIndex,
}

impl<'a> Search<'a> {
    fn condition(&self, condition: &Condition) -> Option<Numbers<'a>> {
        match condition {
            Condition::All(conditions) => {
                let sides = conditions.iter().filter_map(|side| self.condition(side));
                intersection(sides.collect())
            }
            Condition::Any(conditions) => {
                let sides = conditions.iter().map(|side| self.condition(side));
                Some(union(sides.collect::<Option<_>>()?))
            }
            Condition::Compare(comparison) => self.comparison(comparison),
            Condition::Never => Some(Cow::Borrowed(&[])),
            Condition::Not(_) if looks_at_worker(|see| condition.each_path(see)) => None,
            Condition::True(Operand::Path(path)) if is_worker(path) => {
                self.find(path, Scalar::Bool(true))
            }
            Condition::Not(_) | Condition::True(_) => all_or_nobody(holds(condition, &self.view)),
        }
    }

    fn comparison(&self, comparison: &Comparison) -> Option<Numbers<'a>> {
        let (left, right) = (&comparison.left, &comparison.right);
        match (is_fixed(left), is_fixed(right)) {
            (true, true) => return all_or_nobody(compare(comparison, &self.view)),
            (false, false) => return None,
            _ => {}
        }
        match comparison.operator {
            Operator::Equal => {
                let (path, value) = match is_fixed(left) {
                    true => (right, left),
                    false => (left, right),
                };
                let Operand::Path(path) = path else {
                    return None;
                };
                match scalar(look(value, &self.view)) {
                    // An array is equal to nothing.
                    None => Some(Cow::Borrowed(&[])),
                    // Who lacks the attribute is in no index.
                    Some(Scalar::Null) => {
                        let never =
                            value.can_be_missing() && !self.view.options.missing_equals_missing;
                        never.then_some(Cow::Borrowed(&[]))
                    }
                    Some(value) => self.find(path, value),
                }
            }
            Operator::Has | Operator::In => match comparison.array_and_item() {
                (Operand::Path(array), item) if is_worker(array) => {
                    match scalar(look(item, &self.view)) {
                        None => Some(Cow::Borrowed(&[])),
                        Some(item) => self.find(array, item),
                    }
                }
                (array, Operand::Path(item)) if is_fixed(array) => self.one_of(item, array),
                _ => None,
            },
            _ => None,
        }
    }

    /// Those whose attribute at `path` is in `array`, which the worker has no part in.
    fn one_of(&self, path: &Path, array: &Operand) -> Option<Numbers<'a>> {
        let look_up = |seen: Seen<'_>| match scalar(seen) {
            None => Some(Cow::Borrowed(&[][..])),
            Some(Scalar::Null) => None,
            Some(value) => self.find(path, value),
        };
        let found: Option<Vec<Numbers<'a>>> = match look(array, &self.view) {
            Seen::List(items) => items
                .iter()
                .map(|item| look_up(look(item, &self.view)))
                .collect(),
            Seen::Value(Value::Array(items)) => items
                .iter()
                .map(|item| look_up(Seen::Value(item)))
                .collect(),
            Seen::Value(Value::Null | Value::Object(_)) => Some(Vec::new()),
            single if self.view.options.lenient_arrays => look_up(single).map(|it| vec![it]),
            _ => Some(Vec::new()),
        };
        found.map(union)
    }

    fn find(&self, path: &Path, value: Scalar<'_>) -> Option<Numbers<'a>> {
        if path.kind == PathKind::State {
            return None;
        }
        path.keys()
            .map(|keys| Cow::Borrowed(self.index.find_scalar(keys, value)))
    }
}

fn all_or_nobody<'a>(holds: bool) -> Option<Numbers<'a>> {
    match holds {
        true => None,
        false => Some(Cow::Borrowed(&[])),
    }
}

fn is_worker(path: &Path) -> bool {
    path.subject != Some(Subject::Task)
}

/// Whether `operand` is the same for all workers.
fn is_fixed(operand: &Operand) -> bool {
    !looks_at_worker(|see| operand.each_path(see))
}

fn looks_at_worker<'t>(each_path: impl FnOnce(&mut dyn FnMut(&'t Path))) -> bool {
    let mut found = false;
    each_path(&mut |path| found |= is_worker(path));
    found
}

/// Those in all sides; `None` without a side.
fn intersection(mut sides: Vec<Numbers<'_>>) -> Option<Numbers<'_>> {
    sides.sort_by_key(|side| side.len());
    let mut sides = sides.into_iter();
    let smallest = sides.next()?;
    Some(sides.fold(smallest, |kept, side| common(&kept, &side).into()))
}

fn common(few: &[u32], many: &[u32]) -> Vec<u32> {
    // A walk looks at each of the many, a search at the logarithm of them for each of the few.
    if many.len() / 16 > few.len() {
        let is_there = |number: &u32| many.binary_search(number).is_ok();
        return few.iter().copied().filter(is_there).collect();
    }
    let mut many = many.iter().copied().peekable();
    let is_next = |number: &u32| {
        while many.next_if(|next| next < number).is_some() {}
        many.peek() == Some(number)
    };
    few.iter().copied().filter(is_next).collect()
}

/// Those in any side.
fn union(mut sides: Vec<Numbers<'_>>) -> Numbers<'_> {
    sides.retain(|side| !side.is_empty());
    if sides.len() <= 1 {
        return sides.pop().unwrap_or(Cow::Borrowed(&[]));
    }
    let mut all: Vec<u32> = sides.iter().flat_map(|side| side.iter().copied()).collect();
    // Runs in order already: the sort merges them.
    all.sort();
    all.dedup();
    all.into()
}
