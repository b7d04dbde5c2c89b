//! Which workers have which value at which attribute: what makes the cost of a look-up follow
//! those found, not those there are.

use std::collections::HashMap;
use std::iter;

use serde_json::{Map, Value};

use super::eval::{Scalar, Seen, scalar};

/// Workers by their attributes.
///
/// A worker is found by each scalar value, and by each scalar element of an array, at the path of
/// keys that leads to it. Two whole numbers that are the same double are found together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeIndex {
    root: Node,
}

/// What is at one path. Keys and values come from outside: the maps' hashes withstand attacks.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    children: HashMap<String, Node>,
    /// False, true.
    bools: [Vec<u32>; 2],
    /// Explicit ones; who lacks the attribute is nowhere.
    nulls: Vec<u32>,
    /// By the bits of the double.
    numbers: HashMap<u64, Vec<u32>>,
    texts: HashMap<String, Vec<u32>>,
}

/// Adds a worker to a list of numbers, or takes him out.
#[derive(Clone, Copy)]
enum Change {
    Add(u32),
    Remove(u32),
}

impl AttributeIndex {
    /// The index of all `workers`; the first has the number 0.
    pub fn build<'a>(workers: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        let mut index = Self::default();
        for (number, worker) in (0..).zip(workers) {
            index.root.change_map(worker, Change::Add(number));
        }
        index
    }

    /// Follows a change of one worker's attributes, or a new worker (`old` empty) or one who is
    /// gone (`new` empty). Costs what the two hold, however many workers there are with other values.
    pub fn update(&mut self, number: u32, old: &Map<String, Value>, new: &Map<String, Value>) {
        for (changed, other, change) in [
            (old, new, Change::Remove(number)),
            (new, old, Change::Add(number)),
        ] {
            let differing = changed
                .iter()
                .filter(|(key, value)| other.get(*key) != Some(value));
            self.root.change_each(differing, change);
        }
    }

    /// Numbers of the workers with this value, or with an array that holds it, rising. Nobody is
    /// found by an array or an object.
    pub fn find(&self, path: &[String], value: &Value) -> &[u32] {
        match scalar(Seen::Value(value)) {
            Some(scalar) => self.find_scalar(path.iter().map(String::as_str), scalar),
            None => &[],
        }
    }

    pub(super) fn find_scalar<'a>(
        &self,
        mut path: impl Iterator<Item = &'a str>,
        value: Scalar<'_>,
    ) -> &[u32] {
        let node = path.try_fold(&self.root, |node, key| node.children.get(key));
        let found = node.and_then(|node| match value {
            Scalar::Amount(amount) => node.numbers.get(&bits(amount.as_f64())),
            Scalar::Bool(value) => Some(&node.bools[usize::from(value)]),
            Scalar::Null => Some(&node.nulls),
            Scalar::Object => None,
            Scalar::Text(text) => node.texts.get(text),
        });
        found.map_or(&[], Vec::as_slice)
    }
}

impl Node {
    fn change_map(&mut self, map: &Map<String, Value>, change: Change) {
        self.change_each(map.iter(), change);
    }

    fn change_each<'a>(
        &mut self,
        attributes: impl Iterator<Item = (&'a String, &'a Value)>,
        change: Change,
    ) {
        for (key, value) in attributes {
            if let Some(child) = self.children.get_mut(key) {
                child.change(value, change);
                if child.is_empty() {
                    self.children.remove(key);
                }
            } else if let Change::Add(_) = change {
                let mut child = Node::default();
                child.change(value, change);
                if !child.is_empty() {
                    self.children.insert(key.clone(), child);
                }
            }
        }
    }

    fn change(&mut self, value: &Value, change: Change) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.change_scalar(item, change);
                }
            }
            Value::Object(map) => self.change_map(map, change),
            _ => self.change_scalar(value, change),
        }
    }

    fn change_scalar(&mut self, value: &Value, change: Change) {
        match scalar(Seen::Value(value)) {
            Some(Scalar::Amount(amount)) => {
                change_keyed(&mut self.numbers, &bits(amount.as_f64()), change);
            }
            Some(Scalar::Bool(value)) => change.apply(&mut self.bools[usize::from(value)]),
            Some(Scalar::Null) => change.apply(&mut self.nulls),
            Some(Scalar::Text(text)) => change_keyed(&mut self.texts, text, change),
            Some(Scalar::Object) | None => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.numbers.is_empty()
            && self.texts.is_empty()
            && self
                .bools
                .iter()
                .chain(iter::once(&self.nulls))
                .all(Vec::is_empty)
    }
}

fn change_keyed<K, Q>(map: &mut HashMap<K, Vec<u32>>, key: &Q, change: Change)
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    if let Some(numbers) = map.get_mut(key) {
        change.apply(numbers);
        if numbers.is_empty() {
            map.remove(key);
        }
    } else if let Change::Add(number) = change {
        map.insert(key.to_owned(), vec![number]);
    }
}

impl Change {
    fn apply(self, numbers: &mut Vec<u32>) {
        match self {
            Self::Add(number) if numbers.last().is_none_or(|last| *last < number) => {
                numbers.push(number);
            }
            Self::Add(number) => {
                if let Err(at) = numbers.binary_search(&number) {
                    numbers.insert(at, number);
                }
            }
            Self::Remove(number) => {
                if let Ok(at) = numbers.binary_search(&number) {
                    numbers.remove(at);
                }
            }
        }
    }
}

/// Equal numbers have equal bits: zero has one sign here.
fn bits(value: f64) -> u64 {
    match value == 0.0 {
        true => 0,
        false => value.to_bits(),
    }
}
