//! Texts and attributes that mean harm: no panic, no endless work, and every error has its place.

use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value, json};

use super::map;
use crate::expr::{AttributeIndex, Expression, MAX_LENGTH, OrderBy, Place, Schema, Scope};

/// Everything that can be done with a text.
fn use_up(text: &str, attributes: &Map<String, Value>) {
    let errors = [OrderBy::parse(text).err(), Expression::parse(text).err()];
    for error in errors.into_iter().flatten() {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len());
        assert!(
            text.get(error.span).is_some(),
            "an error within a letter: {text}"
        );
        assert!(!error.message.is_empty() && !error.message_ja.is_empty());
    }
    let Ok(expression) = Expression::parse(text) else {
        return;
    };
    let scope = Scope::new(attributes, attributes);
    let holds = expression.eval(&scope);
    expression.eval_counts(attributes);
    expression.eval_with_state(&scope, attributes);
    expression.task_values(attributes);
    let index = AttributeIndex::build([attributes]);
    if let Some(candidates) = expression.candidates(attributes, &index) {
        assert!(!holds || candidates == [0], "{text}");
    }
    let schema = Schema::default().workers([attributes]).tasks([attributes]);
    for place in [Place::Filter, Place::Queue, Place::SkipIf, Place::Target] {
        for lint in expression.check(place, &schema) {
            assert!(text.get(lint.span).is_some(), "{text}");
        }
    }
}

#[test]
fn a_megabyte_is_refused_and_the_longest_is_not() {
    let nobody = Map::new();
    for piece in [
        "(",
        "NOT ",
        "[",
        "a.",
        "a[",
        "a AND ",
        "'",
        "1+",
        "-",
        "a == 1 OR ",
        "田",
        "==",
    ] {
        let long = piece.repeat(1_000_000 / piece.len());
        assert!(Expression::parse(&long).is_err());
        assert!(OrderBy::parse(&long).is_err());
        let cut = &piece.repeat(MAX_LENGTH / piece.len());
        use_up(cut, &nobody);
    }
    for (piece, end) in [
        ("a == 1 OR ", "b"),
        ("a IN ['x', 'y'] AND ", "b"),
        ("1 + ", "1 == 2"),
        ("a.", "a"),
        ("task.a == b OR ", "true"),
    ] {
        let longest = piece.repeat((MAX_LENGTH - end.len()) / piece.len()) + end;
        assert!(Expression::parse(&longest).is_ok(), "{piece}");
        use_up(&longest, &map(json!({"a": {"a": 2}, "b": [1]})));
    }
    let mut distinct = String::new();
    for number in 0..2500 {
        let _ = write!(distinct, "task.x{number}==y OR ");
    }
    use_up(&(distinct + "true"), &nobody);
}

#[test]
fn attributes_of_sixty_four_kilobytes_are_searched() {
    let many: Map<String, Value> = (0..6000).map(|n| (format!("k{n}"), json!(n))).collect();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let skills: Vec<Value> = (0..8000).map(|n| json!(format!("s{n}"))).collect();
    for attributes in [
        many,
        map(json!({"a": deep})),
        map(json!({"a": skills})),
        map(json!({"a": "x".repeat(65_536)})),
    ] {
        use_up("k5999 == 5999 AND k0 HAS 1", &attributes);
        use_up(&format!("{} == 1", ["a"; 101].join(".")), &attributes);
        use_up(&["a HAS 's7999'"; 400].join(" AND "), &attributes);
        use_up(
            "a CONTAINS 'y' OR a STARTSWITH 'x' OR kk IN [a, 'b']",
            &attributes,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn mutated_expressions_are_judged_or_refused(
        seed in prop::sample::select(&SEEDS[..]),
        changes in prop::collection::vec((any::<usize>(), 0..5u32, "\\PC{0,3}"), 1..8),
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        for (at, kind, piece) in &changes {
            change(&mut text, *at, *kind, piece);
        }
        use_up(&text.into_iter().collect::<String>(), &somebody());
    }
}

/// One second of damaged expressions, or `FUZZ_SECONDS` from `FUZZ_SEED` on.
#[test]
fn fuzz_expressions() {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = variable("FUZZ_SEED").unwrap_or(0);
    let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
    let (started, attributes) = (Instant::now(), somebody());
    let mut count = 0;
    while started.elapsed() < time {
        let seed = first.wrapping_add(count);
        let text = damaged(seed);
        let outcome = std::panic::catch_unwind(|| use_up(&text, &attributes));
        if let Err(panic) = outcome {
            eprintln!("FUZZ_SEED={seed}: {text}");
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    println!("expressions: {count} from seed {first} on");
}

/// An expression or an order with some stretches of it cut, doubled or overwritten.
fn damaged(seed: u64) -> String {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |end: usize| chance.next_u32() as usize % end;
    let mut text: Vec<char> = SEEDS[below(SEEDS.len())].chars().collect();
    for _ in 0..1 + below(7) {
        let piece = FRAGMENTS[below(FRAGMENTS.len())];
        change(&mut text, below(1 << 20), below(5) as u32, piece);
    }
    text.into_iter().collect()
}

fn change(text: &mut Vec<char>, at: usize, kind: u32, piece: &str) {
    let at = at % (text.len() + 1);
    let end = (at + piece.chars().count()).min(text.len());
    match kind {
        0 => drop(text.drain(at..end)),
        1 => drop(text.splice(at..at, piece.chars())),
        2 => drop(text.splice(at..end, piece.chars())),
        3 => drop(text.splice(at..at, "((NOT [".chars())),
        _ => text.extend_from_within(at..),
    }
}

fn somebody() -> Map<String, Value> {
    map(json!({
        "skills": ["support"], "level": 3, "x": 0, "a-b": {"c": [1]}, "available": 0, "name": "山田",
    }))
}

const SEEDS: [&str; 5] = [
    "skills HAS 'support' AND language == 'ja' AND level >= 3",
    "task.email==worker.email OR (worker.department_id IN task.department_id)",
    "worker[\"a-b\"].c[2] NOT IN ['x', 1, null, true] AND NOT name CONTAINS \"田\"",
    "workers.available == 0 OR level * 2 - 1 / x >= 5.25",
    "worker.level DESC, worker.age ASC",
];

const FRAGMENTS: [&str; 24] = [
    "",
    "(",
    ")",
    "[",
    "]",
    "'",
    "\"",
    "\\",
    ".",
    "..",
    "==",
    "!=",
    "<=",
    " AND ",
    " OR NOT ",
    " HAS ",
    " NOT IN ",
    "null",
    "1e308",
    "-9223372036854775808",
    "0.1",
    "task.",
    "佐\u{0}",
    "\u{1f3f4}\u{e0067}",
];
