//! Trees into yes or no. Total: every missing thing is null, every odd comparison is false.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::parser::{Condition, Operand, Operator, Path, Step};
use super::{Options, Scope, Subject};

const NULL: Value = Value::Null;

/// Whether `condition` holds.
pub(super) fn holds(condition: &Condition, scope: &Scope<'_>, options: Options) -> bool {
    match condition {
        Condition::All(conditions) => conditions.iter().all(|c| holds(c, scope, options)),
        Condition::Any(conditions) => conditions.iter().any(|c| holds(c, scope, options)),
        Condition::Compare(left, operator, right) => {
            compare(left, *operator, right, scope, options)
        }
        Condition::Never => false,
        Condition::Not(condition) => !holds(condition, scope, options),
        Condition::True(operand) => {
            matches!(look(operand, scope), Seen::Value(Value::Bool(true)))
        }
    }
}

/// What an operand leads to.
#[derive(Clone, Copy)]
enum Seen<'a> {
    List(&'a [Operand]),
    Value(&'a Value),
}

fn look<'a>(operand: &'a Operand, scope: &Scope<'a>) -> Seen<'a> {
    match operand {
        Operand::List(items) => Seen::List(items),
        Operand::Literal(value) => Seen::Value(value),
        Operand::Path(path) => Seen::Value(follow(path, scope)),
    }
}

fn follow<'a>(path: &Path, scope: &Scope<'a>) -> &'a Value {
    let map = match path.subject.unwrap_or(scope.bare) {
        Subject::Worker => scope.worker,
        Subject::Task => scope.task,
    };
    let mut steps = path.steps.iter();
    let mut value = match steps.next() {
        Some(Step::Key(key)) => map.get(key).unwrap_or(&NULL),
        _ => &NULL,
    };
    for step in steps {
        value = match step {
            Step::Index(index) => value.get(index),
            Step::Key(key) => value.get(key),
        }
        .unwrap_or(&NULL);
    }
    value
}

fn compare(
    left: &Operand,
    operator: Operator,
    right: &Operand,
    scope: &Scope<'_>,
    options: Options,
) -> bool {
    let (a, b) = (look(left, scope), look(right, scope));
    match operator {
        Operator::Has => holds_item(a, b, scope, options) == Some(true),
        Operator::In => holds_item(b, a, scope, options) == Some(true),
        Operator::NotIn => holds_item(b, a, scope, options) == Some(false),
        _ => {
            let (Some(a), Some(b)) = (scalar(a), scalar(b)) else {
                return false;
            };
            let both_paths = matches!((left, right), (Operand::Path(_), Operand::Path(_)));
            let both_missing = both_paths && a.is_null() && b.is_null();
            let is_equal = if both_missing {
                options.missing_equals_missing
            } else {
                equal(a, b)
            };
            match operator {
                Operator::Equal => is_equal,
                Operator::NotEqual => !is_equal,
                Operator::Contains => match (a, b) {
                    (Value::String(a), Value::String(b)) => a.contains(b.as_str()),
                    _ => false,
                },
                Operator::Less => order(a, b) == Some(Ordering::Less),
                Operator::LessOrEqual => order(a, b).is_some_and(Ordering::is_le),
                Operator::Greater => order(a, b) == Some(Ordering::Greater),
                Operator::GreaterOrEqual => order(a, b).is_some_and(Ordering::is_ge),
                Operator::Has | Operator::In | Operator::NotIn => false,
            }
        }
    }
}

/// Whether `array` holds `item`; `None` when it is no array, or the item is one.
fn holds_item(
    array: Seen<'_>,
    item: Seen<'_>,
    scope: &Scope<'_>,
    options: Options,
) -> Option<bool> {
    let item = scalar(item)?;
    match array {
        Seen::List(items) => Some(items.iter().any(|candidate| {
            scalar(look(candidate, scope)).is_some_and(|value| equal(value, item))
        })),
        Seen::Value(Value::Array(values)) => Some(values.iter().any(|value| equal(value, item))),
        Seen::Value(Value::Null | Value::Object(_)) => None,
        Seen::Value(single) if options.lenient_arrays => Some(equal(single, item)),
        Seen::Value(_) => None,
    }
}

fn scalar(seen: Seen<'_>) -> Option<&Value> {
    match seen {
        Seen::List(_) | Seen::Value(Value::Array(_) | Value::Object(_)) => None,
        Seen::Value(value) => Some(value),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number_order(a, b) == Some(Ordering::Equal),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        _ => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number_order(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whole numbers exactly, others as doubles.
fn number_order(a: &Number, b: &Number) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use crate::expr::{Expression, MAX_DEPTH, Options, Scope};

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn holds(text: &str, worker: Value) -> bool {
        both(text, worker, json!({}), Options::default())
    }

    fn both(text: &str, worker: Value, task: Value, options: Options) -> bool {
        let expression = Expression::parse_with(text, options).expect(text);
        expression.eval(&Scope::new(&map(worker), &map(task)))
    }

    const LENIENT: Options = Options {
        lenient_arrays: true,
        missing_equals_missing: false,
    };

    #[test]
    fn the_vectors_of_the_requirements_hold() {
        assert!(holds("1==1", json!({})));
        let silver = "type == 'ticket' AND v IN ['Silver','Bronze']";
        assert!(!holds(silver, json!({"type": "ticket", "v": "Gold"})));
        assert!(holds(silver, json!({"type": "ticket", "v": "Bronze"})));
        let has = "skills HAS \"support\"";
        assert!(holds(has, json!({"skills": ["sales", "support"]})));
        assert!(!holds(has, json!({"skills": "support"})));
        assert!(both(has, json!({"skills": "support"}), json!({}), LENIENT));
        assert!(!holds("\"ja\" NOT IN langs", json!({})));
        assert!(holds("\"ja\" NOT IN langs", json!({"langs": ["en"]})));
        let third = "object.array[2] == \"c\"";
        assert!(holds(third, json!({"object": {"array": ["a", "b", "c"]}})));
        assert!(!holds("a.b > 5", json!({})));
        assert!(holds("name CONTAINS \"田\"", json!({"name": "山田"})));
        let lang = "task.lang IN worker.langs";
        assert!(both(
            lang,
            json!({"langs": ["ja", "en"]}),
            json!({"lang": "ja"}),
            LENIENT
        ));
        let dept = "worker.dept IN task.dept";
        let (one, also) = (json!({"dept": 1}), json!({"dept": 1}));
        assert!(!both(dept, one.clone(), also.clone(), Options::default()));
        assert!(both(dept, one, also, LENIENT));
        assert!(holds(
            "x == 1 OR y == 1 AND z == 1",
            json!({"x": 1, "z": 0})
        ));
        assert!(!holds("rate >= 5.1", json!({"rate": "6"})));
        assert!(holds("(a==true) OR (b==true)", json!({"b": true})));
        let mail = "task.email==worker.email";
        assert!(!both(mail, json!({}), json!({}), Options::default()));
        let compat = Options {
            missing_equals_missing: true,
            ..Options::default()
        };
        assert!(both(mail, json!({}), json!({}), compat));
    }

    #[test]
    fn odd_types_are_false_and_numbers_are_exact() {
        for text in [
            "a == [1]",
            "a != [1]",
            "a < 'x'",
            "a CONTAINS 1",
            "1 HAS 1",
            "a HAS [1]",
        ] {
            assert!(!holds(text, json!({"a": [1]})), "{text}");
        }
        assert!(holds(
            "a == 1.0 AND b > 9007199254740992",
            json!({"a": 1, "b": 9007199254740993i64})
        ));
        assert!(holds("a != 'x' AND a != null", json!({"a": 1})));
        assert!(holds("b == null AND NOT b", json!({})));
        assert!(holds("a[0] == -2.5", json!({"a": [-2.5]})));
    }

    #[test]
    fn keys_may_be_of_any_script_or_quoted() {
        let worker = json!({"技能": ["販売"], "a-b": {"in": 1}, "in": true, "ログイン": true});
        assert!(holds("技能 has '販売'", worker.clone()));
        assert!(holds(
            "worker[\"a-b\"][\"in\"] == 1 and worker.in",
            worker.clone()
        ));
        assert!(holds("ログイン AND 'it\\'s' == \"it's\"", worker));
    }

    #[test]
    fn a_wrong_text_says_where_and_often_what_to_do() {
        for (text, at) in [
            ("a ==", 4),
            ("a == 'x", 5),
            ("a && b", 2),
            ("(a == 1", 7),
            ("a == 1 b", 7),
            ("a ＝ 1", 2),
            ("a NOT 1", 6),
            ("IN == 1", 0),
            ("a[x] == 1", 2),
            ("'x'", 0),
            ("a == 12ab", 5),
            ("a == 'x\\q'", 7),
            ("customer-value == 1", 8),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert_eq!(error.span.start, at, "{text}: {error}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| format!("{}1==1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Expression::parse(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(Expression::parse(&nested(100_000 / 40)).is_err());
        assert!(Expression::parse(&"NOT ".repeat(1000)).is_err());
        assert!(Expression::parse(&format!("a == {}", "[".repeat(1000))).is_err());
        assert!(Expression::parse(&" ".repeat(10_000)).is_err());
    }

    #[test]
    fn knows_whether_it_needs_the_task_and_doubts_aloud() {
        assert!(Expression::parse("task.x == 1").is_ok_and(|e| e.uses_task()));
        assert!(Expression::parse("task == 1").is_ok_and(|e| !e.uses_task()));
        for doubtful in ["", "a = 1", "1 == 'x'", "a IN 'x'", "a == [1]"] {
            assert_eq!(
                Expression::parse(doubtful).unwrap().lints().len(),
                1,
                "{doubtful}"
            );
        }
        assert!(!holds("", json!({})));
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses_or_fails_without_panic(text in r#"[ab=!<>\[\]().,'"0-9 山NOTINHASAND-]{0,40}"#) {
            if let Ok(expression) = Expression::parse(&text) {
                let empty = Map::new();
                let _ = expression.eval(&Scope::new(&empty, &empty));
            }
        }
    }
}
