//! `order_by`, and the counts of `skip_if`.

use std::cmp::Ordering;

use serde_json::json;

use super::map;
use crate::expr::{Expression, OrderBy};

#[test]
fn workers_are_ordered_and_those_without_the_attribute_are_last() {
    let mut workers = [
        json!({"name": "a", "level": 1, "age": 40}),
        json!({"name": "b"}),
        json!({"name": "c", "level": 3, "age": 50}),
        json!({"name": "d", "level": 3, "age": 20}),
        json!({"name": "e", "level": 3}),
    ]
    .map(map);
    let mut names = |text: &str| {
        let order = OrderBy::parse(text).expect(text);
        workers.sort_by_key(|worker| worker["name"].to_string());
        workers.sort_by(|a, b| order.compare(a, b));
        let names: Vec<&str> = workers
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        names.concat()
    };
    assert_eq!(names("worker.level DESC, worker.age ASC"), "dceab");
    assert_eq!(names("worker.level"), "acdeb");
    assert_eq!(names("level asc,age desc"), "acdeb");
    assert_eq!(names("worker[\"age\"] Desc"), "cadbe");
}

#[test]
fn an_attribute_that_is_no_whole_number_spoils_the_order() {
    let order = OrderBy::parse("worker.level DESC").expect("an order");
    for (worker, applies) in [
        (json!({"level": 3}), true),
        (json!({"level": 3.0}), true),
        (json!({}), true),
        (json!({"level": null}), true),
        (json!({"level": 3.5}), false),
        (json!({"level": "3"}), false),
        (json!({"level": [3]}), false),
    ] {
        assert_eq!(order.applies_to(&map(worker.clone())), applies, "{worker}");
    }
    let (odd, good) = (map(json!({"level": "9"})), map(json!({"level": 1})));
    assert_eq!(order.compare(&odd, &good), Ordering::Greater);
}

#[test]
fn a_wrong_order_says_where() {
    for (text, at) in [
        ("", 0),
        ("worker.level DOWN", 13),
        ("worker.level DESC,", 18),
        ("task.level", 0),
        ("worker.level DESC worker.age", 18),
        ("3 DESC", 0),
        (&"a,".repeat(11), 20),
    ] {
        let error = OrderBy::parse(text).expect_err(text);
        assert_eq!(error.span.start, at, "{text}: {error}");
    }
    assert!(OrderBy::parse(&["a"; 10].join(",")).is_ok());
}

#[test]
fn counts_of_a_queue_decide_whether_a_step_is_skipped() {
    let counts = map(json!({"available": 0, "unavailable": 3, "WA0123456789": 2}));
    for (text, holds) in [
        ("workers.available == 0", true),
        ("workers.available==0 AND workers.unavailable > 2", true),
        ("workers.WA0123456789 >= 3", false),
        ("1==1", true),
        ("1 == 2", false),
        ("workers.nothing == 0", false),
        ("available == 0", false),
        ("workers.available + workers.unavailable == 3", true),
    ] {
        let expression = Expression::parse(text).expect(text);
        assert_eq!(expression.eval_counts(&counts), holds, "{text}");
    }
}
