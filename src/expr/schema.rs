//! Doubts that need to know where an expression stands, and which attributes there are: keys that
//! cannot be seen or that nobody has, types that never meet, arrays that are single values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::lint::{Doubt, Lint};
use super::tree::{Comparison, Operand, Operator, Path, PathKind, Segment};
use super::{Expression, Options, Subject};

/// Where an expression stands, which says what it can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A filter of a workflow: the task, keys without prefix.
    Filter,
    /// Who serves a queue: the worker, keys without prefix; the task by our extension.
    Queue,
    /// `skip_if`: `workers.KEY`.
    SkipIf,
    /// A target of a filter: both, with prefix.
    Target,
}

/// Which attributes there are. What is left out is not known, and not doubted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    worker: Option<Arc<Node>>,
    task: Option<Arc<Node>>,
    /// Ways into the task to what is surely no array.
    singles: BTreeSet<Vec<String>>,
}

/// What has been seen at one path.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    children: BTreeMap<String, Node>,
    /// Kinds of values.
    kinds: Kinds,
    /// Kinds of elements of arrays.
    elements: Kinds,
    /// How many have it.
    count: usize,
    /// Of how many.
    of: usize,
}

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds(u8);

impl Schema {
    /// All workers with their attributes.
    pub fn workers<'a>(mut self, all: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        self.worker = Some(Arc::new(Node::of(all)));
        self
    }

    /// All tasks, or the attributes that tasks can have.
    pub fn tasks<'a>(mut self, all: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        self.task = Some(Arc::new(Node::of(all)));
        self
    }

    /// The same where attributes of tasks, by their keys, are known to be single values: as
    /// [`Expression::single_task_values`] tells of other expressions about the same tasks.
    pub fn single_task_values(mut self, ways: impl IntoIterator<Item = Vec<String>>) -> Self {
        self.singles.extend(ways);
        self
    }

    fn node(&self, path: &Path, bare: Subject) -> Option<&Node> {
        if path.kind != PathKind::Attribute {
            return None;
        }
        match path.subject.unwrap_or(bare) {
            Subject::Worker => self.worker.as_deref(),
            Subject::Task => self.task.as_deref(),
        }
    }
}

impl Node {
    fn of<'a>(all: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        let mut node = Self::default();
        for map in all {
            node.count += 1;
            node.see_map(map);
        }
        node.close(1);
        node
    }

    fn see_map(&mut self, map: &Map<String, Value>) {
        for (key, value) in map {
            let child = match self.children.get_mut(key) {
                Some(child) => child,
                None => self.children.entry(key.clone()).or_default(),
            };
            child.count += 1;
            child.kinds.add(Kinds::of(value));
            match value {
                Value::Array(items) => {
                    let kinds = items.iter().map(Kinds::of);
                    kinds.for_each(|kinds| child.elements.add(kinds));
                }
                Value::Object(map) => child.see_map(map),
                _ => {}
            }
        }
    }

    fn close(&mut self, of: usize) {
        self.of = of;
        for child in self.children.values_mut() {
            child.close(self.count);
        }
    }
}

impl Kinds {
    const NULL: Self = Self(1);
    const BOOL: Self = Self(2);
    const NUMBER: Self = Self(4);
    const TEXT: Self = Self(8);
    const ARRAY: Self = Self(16);
    const OBJECT: Self = Self(32);

    fn of(value: &Value) -> Self {
        match value {
            Value::Array(_) => Self::ARRAY,
            Value::Bool(_) => Self::BOOL,
            Value::Null => Self::NULL,
            Value::Number(_) => Self::NUMBER,
            Value::Object(_) => Self::OBJECT,
            Value::String(_) => Self::TEXT,
        }
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn words(self) -> (String, String) {
        let all = [
            (Self::NULL, "null", "null"),
            (Self::BOOL, "true or false", "真偽値"),
            (Self::NUMBER, "a number", "数値"),
            (Self::TEXT, "text", "文字列"),
            (Self::ARRAY, "an array", "配列"),
            (Self::OBJECT, "an object", "オブジェクト"),
        ];
        let of_these = all.iter().filter(|(kind, ..)| self.meets(*kind));
        let (words, words_ja): (Vec<&str>, Vec<&str>) =
            of_these.map(|(_, word, word_ja)| (*word, *word_ja)).unzip();
        (words.join(" or "), words_ja.join("または"))
    }
}

/// Most keys of an expression that the right spelling is sought for.
const MOST_HINTS: usize = 20;

/// What is known of one side of a comparison.
#[derive(Clone, Copy)]
struct Side {
    kinds: Kinds,
    elements: Kinds,
    may_be_missing: bool,
}

impl Expression {
    /// Doubts at this place with these attributes, [`Expression::lints`] among them, in the order
    /// of the text.
    pub fn check(&self, place: Place, schema: &Schema) -> Vec<Lint> {
        let check = Check {
            place,
            schema,
            options: self.options,
        };
        let mut lints = self.lints.clone();
        let mut unknown = 0;
        self.root.each_path(&mut |path| {
            let lint = check.path(path, unknown < MOST_HINTS);
            unknown += usize::from(lint.is_some());
            lints.extend(lint);
        });
        self.root.each_comparison(&mut |comparison| {
            // One doubt about a comparison is enough.
            let is_doubted = |lint: &Lint| {
                lint.span.start >= comparison.span.start
                    && lint.span.end <= comparison.span.end
                    && lint.doubt != Doubt::SingleEquals
            };
            if !lints.iter().any(is_doubted) {
                lints.extend(check.comparison(comparison));
            }
        });
        lints.sort_by_key(|lint| (lint.span.start, lint.span.end));
        lints
    }
}

impl Expression {
    /// Ways into the task, by their keys, to what it takes for a single value, in the order of the
    /// text: whoever writes `task.department == 7` has no list of departments in mind.
    pub fn single_task_values(&self, place: Place) -> Vec<Vec<String>> {
        let bare = place.bare();
        let mut ways = Vec::new();
        self.root.each_comparison(&mut |comparison| {
            let (left, right) = (&comparison.left, &comparison.right);
            let is_null = |operand: &Operand| matches!(operand, Operand::Literal(Value::Null));
            let sides = match comparison.operator.wants_array() {
                true => [Some(comparison.array_and_item().1), None],
                // Whether it is there is asked of arrays too.
                false if is_null(left) || is_null(right) => [None, None],
                false => [Some(left), Some(right)],
            };
            for side in sides.into_iter().flatten() {
                if let Operand::Path(path) = side
                    && path.subject.unwrap_or(bare) == Subject::Task
                    && let Some(keys) = path.keys()
                {
                    ways.push(keys.map(str::to_owned).collect());
                }
            }
        });
        ways
    }
}

impl Place {
    /// What keys without prefix belong to.
    fn bare(self) -> Subject {
        match self {
            Self::Filter => Subject::Task,
            Self::Queue | Self::SkipIf | Self::Target => Subject::Worker,
        }
    }
}

struct Check<'a> {
    place: Place,
    schema: &'a Schema,
    options: Options,
}

impl Check<'_> {
    fn bare(&self) -> Subject {
        self.place.bare()
    }

    fn path(&self, path: &Path, with_hint: bool) -> Option<Lint> {
        let out_of_sight = |more: &str, more_ja: &str| {
            let lint = Lint::new(Doubt::OutOfSight, path.span.clone());
            Some(lint.with(more, more_ja))
        };
        match (self.place, path.subject) {
            (Place::Filter, Some(Subject::Worker)) => {
                return out_of_sight(
                    ": a filter sees the task only",
                    "。フィルターからは task だけが見えます",
                );
            }
            (Place::SkipIf, _) if path.kind != PathKind::Count => {
                return out_of_sight(
                    ": skip_if sees workers.available, workers.unavailable and workers.<activity>",
                    "。skip_if からは workers.available、workers.unavailable、workers.<アクティビティ> だけが見えます",
                );
            }
            (Place::SkipIf, _) => return None,
            (Place::Target, None) => {
                return out_of_sight(
                    " as TaskRouter has it: write worker. or task. before it",
                    "。TaskRouter では worker. か task. を前に付けます",
                );
            }
            _ => {}
        }
        // Doubted already.
        if path.is_absent() {
            return None;
        }
        let mut node = self.schema.node(path, self.bare())?;
        for (place, segment) in path.segments.iter().enumerate() {
            let Segment::Key(key) = segment else {
                return None;
            };
            let is_given = place == 0 && is_given(path.subject.unwrap_or(self.bare()), key);
            node = match node.children.get(key) {
                Some(child) => child,
                None if is_given => return None,
                None => {
                    let lint = Lint::new(Doubt::UnknownKey, path.span.clone());
                    let nearest = with_hint.then(|| nearest(key, node)).flatten();
                    return Some(match nearest {
                        Some(known) => lint.with(
                            &format!("; did you mean {known}?"),
                            &format!("。{known} のことですか?"),
                        ),
                        None => lint,
                    });
                }
            };
        }
        None
    }

    fn comparison(&self, comparison: &Comparison) -> Option<Lint> {
        let lint = |doubt| Lint::new(doubt, comparison.span.clone());
        if comparison.operator.wants_array() {
            let lint = self.membership(comparison);
            return lint.or_else(|| self.both_missing(comparison));
        }
        let (Some(left), Some(right)) = (self.side(&comparison.left), self.side(&comparison.right))
        else {
            return self.both_missing(comparison);
        };
        for side in [left, right] {
            let scalars = side.kinds.without(Kinds(Kinds::ARRAY.0 | Kinds::OBJECT.0));
            if scalars.is_empty() && side.kinds.meets(Kinds::ARRAY) {
                return Some(lint(Doubt::ArrayCompared));
            }
        }
        self.mismatch(comparison, left.kinds, right.kinds)
            .or_else(|| self.both_missing(comparison))
    }

    /// `HAS`, `IN` and `NOT IN`.
    fn membership(&self, comparison: &Comparison) -> Option<Lint> {
        let lint = |doubt| Lint::new(doubt, comparison.span.clone());
        let (array, item) = comparison.array_and_item();
        if self.is_single(array) {
            return Some(lint(Doubt::SingleForArray).with(
                "; elsewhere it is compared as one",
                "。ほかの式では単独の値として比べています",
            ));
        }
        let side = self.side(array)?;
        let single = side.kinds.without(Kinds::NULL);
        if !side.kinds.meets(Kinds::ARRAY) {
            if !self.options.lenient_arrays && !single.is_empty() {
                let (words, words_ja) = single.words();
                return Some(lint(Doubt::SingleForArray).with(
                    &format!("; it is {words}"),
                    &format!("。実際は{words_ja}です"),
                ));
            }
            return None;
        }
        if comparison.operator == Operator::NotIn && side.may_be_missing {
            return Some(lint(Doubt::MissingArray));
        }
        let mut held = side.elements;
        if self.options.lenient_arrays {
            held.add(side.kinds.without(Kinds::ARRAY));
        }
        self.mismatch(comparison, self.side(item)?.kinds, held)
    }

    /// Whether a side is known to be a single value of the task, and that matters.
    fn is_single(&self, array: &Operand) -> bool {
        let Operand::Path(path) = array else {
            return false;
        };
        let is_task = path.subject.unwrap_or(self.bare()) == Subject::Task;
        let way = || Some(path.keys()?.map(str::to_owned).collect::<Vec<_>>());
        !self.options.lenient_arrays
            && is_task
            && way().is_some_and(|way| self.schema.singles.contains(&way))
    }

    /// Sides that never have a kind in common; null is one only where it is written.
    fn mismatch(&self, comparison: &Comparison, left: Kinds, right: Kinds) -> Option<Lint> {
        let is_null = |kinds: Kinds| kinds == Kinds::NULL;
        let can_meet = left.meets(right) || left.is_empty() || right.is_empty();
        if can_meet || is_null(left) || is_null(right) {
            return None;
        }
        let ((left, left_ja), (right, right_ja)) = (left.words(), right.words());
        let lint = Lint::new(Doubt::TypeMismatch, comparison.span.clone());
        Some(lint.with(
            &format!("; this is {left} and {right}"),
            &format!("。{left_ja}と{right_ja}です"),
        ))
    }

    /// `task.email == worker.email`, and `worker.email IN [task.email, ...]`, where both may be
    /// missing.
    fn both_missing(&self, comparison: &Comparison) -> Option<Lint> {
        let (left, right) = (&comparison.left, &comparison.right);
        let can_be = match comparison.operator {
            Operator::Equal => self.may_be_missing(left) && self.may_be_missing(right),
            Operator::Has | Operator::In => {
                let (array, item) = comparison.array_and_item();
                let is_any = |items: &[Operand]| items.iter().any(|it| self.may_be_missing(it));
                self.may_be_missing(item) && matches!(array, Operand::List(items) if is_any(items))
            }
            _ => false,
        };
        let is_doubtful = can_be && !self.options.missing_equals_missing;
        is_doubtful.then(|| Lint::new(Doubt::BothMissing, comparison.span.clone()))
    }

    fn may_be_missing(&self, operand: &Operand) -> bool {
        match operand {
            Operand::List(_) | Operand::Literal(_) => false,
            Operand::Path(_) => self.side(operand).is_none_or(|side| side.may_be_missing),
            Operand::Sum(terms) => {
                let mut factors = terms.iter().flat_map(|term| &term.factors);
                factors.any(|(_, factor)| self.may_be_missing(factor))
            }
        }
    }

    /// What is known of an operand; `None` if nothing.
    fn side(&self, operand: &Operand) -> Option<Side> {
        let just = |kinds| Side {
            kinds,
            elements: Kinds::default(),
            may_be_missing: false,
        };
        match operand {
            Operand::Literal(value) => Some(just(Kinds::of(value))),
            Operand::Sum(_) => Some(just(Kinds::NUMBER)),
            Operand::List(items) => {
                let mut side = just(Kinds::ARRAY);
                for item in items {
                    side.elements.add(self.side(item)?.kinds);
                }
                Some(side)
            }
            Operand::Path(path) => {
                let mut node = self.schema.node(path, self.bare())?;
                let mut may_be_missing = false;
                for key in path.keys()? {
                    node = node.children.get(key)?;
                    may_be_missing |= node.count < node.of || node.kinds.meets(Kinds::NULL);
                }
                Some(Side {
                    kinds: node.kinds,
                    elements: node.elements,
                    may_be_missing,
                })
            }
        }
    }
}

/// Whether the switch itself gives this attribute.
fn is_given(subject: Subject, key: &str) -> bool {
    subject == Subject::Worker && matches!(key, "sid" | "friendly_name" | "name" | "phone")
}

/// The key that was probably meant. Long keys and many are not searched: it is only a hint.
fn nearest<'a>(key: &str, node: &'a Node) -> Option<&'a String> {
    const LONGEST: usize = 64;
    const MOST: usize = 1000;
    if key.len() > LONGEST {
        return None;
    }
    let keys = node.children.keys().take(MOST);
    let distances = keys
        .filter(|known| known.len().abs_diff(key.len()) <= 8)
        .map(|known| (strsim::damerau_levenshtein(key, known), known));
    let (distance, known) = distances.min()?;
    (distance <= 2).then_some(known)
}
