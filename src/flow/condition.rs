//! A condition on what is known about a call, in the language of room `expr`.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::expr::{Error, Expression, Scope, Subject};

/// A parsed condition such as `attributes.vip == true AND queue.waiting > 5`. Serialised as its
/// text.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Expression);

impl Condition {
    /// Parses a text. The error says where it is wrong, in bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Expression::parse(text).map(Self)
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// Whether it holds for a call.
    pub(super) fn holds(&self, names: &Map<String, Value>) -> bool {
        let scope = Scope {
            worker: &Map::new(),
            task: names,
            bare: Subject::Task,
        };
        self.0.eval(&scope)
    }

    /// Every variable it looks at, with its place in bytes.
    pub(super) fn variables(&self) -> Vec<(String, Range<usize>)> {
        self.0.paths()
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(text: &str) -> bool {
        let names = json!({
            "call": {"from": "+8190", "trunk": "ntt"},
            "attributes": {"vip": true, "tags": ["a"], "level": 3},
            "queue": {"waiting": 7}
        });
        let names = names.as_object().cloned().unwrap_or_default();
        Condition::parse(text).expect(text).holds(&names)
    }

    #[test]
    fn conditions_see_what_templates_see() {
        for text in [
            "attributes.vip == true",
            "attributes.vip",
            "attributes.tags HAS 'a' AND queue.waiting > 5",
            "call.from STARTSWITH '+81'",
            "NOT (attributes.level < 3)",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["attributes.none == true", "queue.waiting > 7", "none"] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn variables_have_their_place() {
        let condition = Condition::parse("call.fron == 'a' OR attributes.x > 1").expect("good");
        let found = condition.variables();
        assert_eq!(found[0], ("call.fron".to_owned(), 0..9));
        assert_eq!(found[1].0, "attributes.x");
        let read: Condition = serde_json::from_str(&serde_json::to_string(&condition).expect("a"))
            .expect("read back");
        assert_eq!(read, condition);
    }
}
