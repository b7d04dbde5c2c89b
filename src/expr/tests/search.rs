//! The index and the candidates: nobody for whom an expression is true is left out.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::map;
use crate::expr::{AttributeIndex, Expression, Options, Scope, eval};

fn workers() -> Vec<Map<String, Value>> {
    [
        json!({"skills": ["ja", "en"], "level": 3, "address": {"city": "大阪"}, "vip": true}),
        json!({"skills": ["en"], "level": 3.0, "email": "hanako@example.com"}),
        json!({"skills": "ja", "level": 1, "address": {"city": "東京"}, "vip": null}),
        json!({"activity_name": "Idle"}),
    ]
    .into_iter()
    .map(map)
    .collect()
}

fn candidates(text: &str, task: Value, options: Options) -> Option<Vec<u32>> {
    let workers = workers();
    let index = AttributeIndex::build(&workers);
    let expression = Expression::parse_with(text, options).expect(text);
    expression.candidates(&map(task), &index)
}

fn found(text: &str, task: Value) -> Option<Vec<u32>> {
    candidates(text, task, Options::default())
}

#[test]
fn equality_and_membership_narrow() {
    for (text, task, wanted) in [
        ("level == 3", json!({}), Some(vec![0, 1])),
        ("'ja' == skills", json!({}), Some(vec![0, 2])),
        ("worker.skills HAS 'en'", json!({}), Some(vec![0, 1])),
        ("address.city == '大阪'", json!({}), Some(vec![0])),
        ("vip", json!({}), Some(vec![0])),
        ("vip == true AND level > 1", json!({}), Some(vec![0])),
        (
            "skills HAS 'en' AND level == 3 AND vip",
            json!({}),
            Some(vec![0]),
        ),
        ("vip OR address.city == '東京'", json!({}), Some(vec![0, 2])),
        ("level IN [1, 9]", json!({}), Some(vec![2])),
        (
            "task.mail == email",
            json!({"mail": "hanako@example.com"}),
            Some(vec![1]),
        ),
        (
            "task.mail == email",
            json!({"mail": "nobody"}),
            Some(vec![]),
        ),
        ("task.mail == email", json!({}), Some(vec![])),
        (
            "task.lang IN worker.skills",
            json!({"lang": "ja"}),
            Some(vec![0, 2]),
        ),
        (
            "worker.skills HAS task.lang",
            json!({"lang": "ja"}),
            Some(vec![0, 2]),
        ),
        (
            "level IN task.levels",
            json!({"levels": [1, [2], 7]}),
            Some(vec![2]),
        ),
        ("level IN task.levels", json!({"levels": 1}), Some(vec![])),
        ("task.tier == 'gold'", json!({"tier": "tin"}), Some(vec![])),
        (
            "task.tier == 'gold' AND vip",
            json!({"tier": "gold"}),
            Some(vec![0]),
        ),
        ("level == 1 + 2", json!({}), Some(vec![0, 1])),
        ("level == [3]", json!({}), Some(vec![])),
        ("", json!({}), Some(vec![])),
    ] {
        assert_eq!(found(text, task), wanted, "{text}");
    }
}

#[test]
fn what_an_index_cannot_tell_is_not_narrowed() {
    for text in [
        "1==1",
        "level >= 2",
        "level != 3",
        "email == null",
        "vip OR level > 1",
        "NOT vip",
        "skills NOT IN ['ja']",
        "email IN ['x', null]",
        "skills[0] == 'ja'",
        "worker.activity_name == 'Idle'",
        "level == worker.level",
        "level * 2 == 6",
    ] {
        assert_eq!(found(text, json!({})), None, "{text}");
    }
    let lenient = Options {
        lenient_arrays: true,
        ..Options::default()
    };
    let one = candidates("level IN task.levels", json!({"levels": 1}), lenient);
    assert_eq!(one, Some(vec![2]));
    let compat = Options {
        missing_equals_missing: true,
        ..Options::default()
    };
    assert_eq!(candidates("task.mail == email", json!({}), compat), None);
}

#[test]
fn an_index_finds_values_and_elements_and_follows_changes() {
    let mut workers = workers();
    let mut index = AttributeIndex::build(&workers);
    let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(index.find(&path("address.city"), &json!("大阪")), [0]);
    assert_eq!(index.find(&path("skills"), &json!("ja")), [0, 2]);
    assert_eq!(index.find(&path("level"), &json!(3)), [0, 1]);
    assert_eq!(index.find(&path("vip"), &Value::Null), [2]);
    assert!(index.find(&path("skills"), &json!(["ja", "en"])).is_empty());
    assert!(index.find(&path("nothing"), &json!(1)).is_empty());
    let changed = map(json!({"skills": ["fr", "fr"], "address": {"city": {"name": "大阪"}}}));
    index.update(0, &workers[0], &changed);
    workers[0] = changed;
    assert_eq!(index, AttributeIndex::build(&workers));
    for (number, worker) in (0..).zip(&workers) {
        index.update(number, worker, &Map::new());
    }
    assert_eq!(index, AttributeIndex::default());
}

/// Few keys and few values, so that they meet.
fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1i64..3).prop_map(Value::from),
        (-1i32..3).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        Just(json!(-0.0)),
        Just(json!(9_007_199_254_740_993i64)),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    let value = scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[xy]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::hash_map("[xyz]", value, 0..4).prop_map(|map| map.into_iter().collect())
}

fn expression() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        "[xyz]",
        "(worker|task)\\.[xyz]",
        "(worker|task)\\.[xy]\\.[xy]",
        "worker\\.[xy]\\[[01]\\]",
        Just("worker[\"x\"]".to_owned()),
    ];
    let literal = prop_oneof![
        "-?[0-2]",
        "[01]\\.[05]",
        Just("9007199254740992".to_owned()),
        "'[ab]?'",
        "(true|false|null)",
    ];
    let single = prop_oneof![3 => path.clone(), 2 => literal];
    let list = prop::collection::vec(single.clone(), 0..3)
        .prop_map(|items| format!("[{}]", items.join(", ")));
    let sum =
        (single.clone(), "[+*/-]", single.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}"));
    let operand = prop_oneof![6 => single, 1 => list, 1 => sum];
    let operator = prop_oneof![
        4 => "(==|HAS|IN)",
        1 => "(!=|<|<=|>|>=|CONTAINS|STARTSWITH|NOT IN)",
    ];
    let comparison =
        (operand.clone(), operator, operand).prop_map(|(a, o, b)| format!("{a} {o} {b}"));
    let condition = prop_oneof![6 => comparison, 1 => path, 1 => Just("true".to_owned())];
    condition.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|all| all.join(" AND ")),
            2 => prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|any| format!("({})", any.join(" OR "))),
            1 => inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nobody_for_whom_it_holds_is_left_out(
        text in expression(),
        workers in prop::collection::vec(attributes(), 0..6),
        task in attributes(),
        lenient_arrays in any::<bool>(),
        missing_equals_missing in any::<bool>(),
    ) {
        let options = Options { extensions: true, lenient_arrays, missing_equals_missing };
        let expression = Expression::parse_with(&text, options).expect(&text);
        let index = AttributeIndex::build(&workers);
        if let Some(candidates) = expression.candidates(&task, &index) {
            prop_assert!(candidates.is_sorted_by(|a, b| a < b));
            for (number, worker) in (0..).zip(&workers) {
                let holds = expression.eval(&Scope::new(worker, &task));
                prop_assert!(!holds || candidates.contains(&number), "{number} is left out");
            }
        }
    }

    #[test]
    fn the_program_does_what_the_tree_says(
        text in expression(),
        worker in attributes(),
        task in attributes(),
        lenient_arrays in any::<bool>(),
    ) {
        let options = Options { lenient_arrays, ..Options::default() };
        let expression = Expression::parse_with(&text, options).expect(&text);
        let scope = Scope::new(&worker, &task);
        let tree = eval::holds(&expression.root, &expression.view(&scope));
        prop_assert_eq!(expression.eval(&scope), tree);
    }

    #[test]
    fn tasks_with_equal_values_are_judged_alike(
        text in expression(),
        worker in attributes(),
        one in attributes(),
        other in attributes(),
    ) {
        let expression = Expression::parse(&text).expect(&text);
        if expression.task_values(&one) == expression.task_values(&other) {
            let judged = |task| expression.eval(&Scope::new(&worker, task));
            prop_assert_eq!(judged(&one), judged(&other));
        }
    }

    #[test]
    fn an_index_kept_is_the_index_built_anew(
        mut workers in prop::collection::vec(attributes(), 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), attributes()), 0..5),
    ) {
        let mut index = AttributeIndex::build(&workers);
        for (at, new) in changes {
            let at = at.index(workers.len());
            index.update(at as u32, &workers[at], &new);
            workers[at] = new;
        }
        prop_assert_eq!(index, AttributeIndex::build(&workers));
    }
}
