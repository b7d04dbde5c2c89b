//! What expressions mean: the vectors of the language, and what must never happen.

mod hostile;
mod order;
mod schema;
mod search;
mod table;

use serde_json::{Map, Value, json};

use crate::expr::{Doubt, Expression, MAX_DEPTH, Options, Scope};

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
    extensions: true,
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
fn an_object_is_there_and_equal_to_nothing() {
    let worker = || json!({"address": {"city": "大阪"}, "list": [{}, 1], "a": 1});
    for (text, wanted) in [
        ("address != null", true),
        ("address == null", false),
        ("address != 'x' AND 'x' != address AND a != address", true),
        ("address == address OR address == 'x'", false),
        ("address != address", true),
        // Only arrays make it false.
        ("address != list OR list != address", false),
        (
            "address < 1 OR address >= 'x' OR address CONTAINS 'x'",
            false,
        ),
        ("address IN [1, 'x'] OR address IN list", false),
        ("address NOT IN [1] AND address NOT IN list", true),
        ("1 IN address OR 1 NOT IN address", false),
        ("address + 1 == null", true),
    ] {
        assert_eq!(holds(text, worker()), wanted, "{text}");
        let lenient = both(text, worker(), json!({}), LENIENT);
        assert_eq!(lenient, wanted, "{text}, lenient");
    }
    let task = json!({"address": {"city": "大阪"}});
    let same = "task.address == worker.address";
    assert!(!both(same, worker(), task, Options::default()));
}

/// What is missing on both sides matches nobody, in whatever way it is asked.
#[test]
fn what_is_missing_on_both_sides_does_not_match_everybody() {
    let compat = Options {
        missing_equals_missing: true,
        ..Options::default()
    };
    let task = || json!({"nothing": null, "nulls": [null]});
    for text in [
        "worker.email == task.email",
        "worker.email IN [task.email, task.email2]",
        "[task.email, 1] HAS worker.email",
        "worker.email IN [task.nothing]",
        "worker.email IN task.nulls",
        "worker.level == task.level + 1",
        "worker.level - 1 == task.level",
        "worker.level + 1 IN [task.level * 2]",
    ] {
        let judge = |options| both(text, json!({}), task(), options);
        assert!(!judge(Options::default()), "{text}");
        assert!(!judge(LENIENT), "{text}");
        assert!(judge(compat), "{text}");
    }
    // The negations hold, and what is written is found.
    for text in [
        "worker.email != task.email",
        "worker.email NOT IN [task.email]",
        "worker.level != task.level + 1",
        "worker.email == null AND worker.email IN ['x', null]",
        "null IN [task.email] AND null IN task.nulls",
        "worker.level + 1 == null",
    ] {
        assert!(both(text, json!({}), task(), Options::default()), "{text}");
    }
}

#[test]
fn what_is_not_there_is_refused_or_doubted() {
    let error = Expression::parse("name MATCHES '^a'").expect_err("no MATCHES");
    assert_eq!((error.span, error.help.is_some()), (5..12, true));
    for (text, span) in [
        ("now.hour >= 9", 0..8),
        ("type == 'a' AND taskqueue.name == 'b'", 16..30),
    ] {
        let lints = Expression::parse(text).expect(text).lints().to_vec();
        let found: Vec<_> = lints.iter().map(|it| (it.doubt, it.span.clone())).collect();
        assert_eq!(found, [(Doubt::NotThere, span)], "{text}");
    }
    for fine in [
        "now == 1",
        "task.now.hour >= 9",
        "worker.taskqueue.name == 'b'",
    ] {
        assert_eq!(Expression::parse(fine).expect(fine).lints(), [], "{fine}");
    }
    // As an attribute of that name it is what it says.
    assert!(holds("now.hour >= 9", json!({"now": {"hour": 9}})));
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
    assert!(Expression::parse(&" ".repeat(100_000)).is_err());
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

#[test]
fn a_workers_state_is_seen_where_it_is_given() {
    let state = map(json!({
        "activity_name": "Idle",
        "channel": {"voice": {"available_capacity_percentage": 100}},
    }));
    let worker = map(json!({"activity_name": "mine", "channel": "web"}));
    let nothing = Map::new();
    let scope = Scope::new(&worker, &nothing);
    for (text, with, without, looks) in [
        ("worker.activity_name == 'Idle'", true, false, true),
        ("activity_name == 'mine'", false, true, true),
        ("channel == 'web'", true, true, false),
        (
            "worker.channel.voice.available_capacity_percentage == 100",
            true,
            false,
            true,
        ),
        ("task.activity_name == 'Idle'", false, false, false),
    ] {
        let expression = Expression::parse(text).expect(text);
        assert_eq!(expression.eval_with_state(&scope, &state), with, "{text}");
        assert_eq!(expression.eval(&scope), without, "{text}");
        assert_eq!(expression.looks_at_state(), looks, "{text}");
    }
}

#[test]
fn taskrouters_own_language_can_be_demanded() {
    let plain = Options {
        extensions: false,
        ..Options::default()
    };
    for (text, at) in [
        ("NOT a == 1", 0),
        ("a == 1 AND b", 11),
        ("a STARTSWITH 'x'", 2),
        ("a + 1 == 2", 2),
    ] {
        assert!(Expression::parse(text).is_ok(), "{text}");
        let error = Expression::parse_with(text, plain).expect_err(text);
        assert_eq!(error.span.start, at, "{text}: {error}");
    }
    assert!(Expression::parse_with("(a not in ['x'] OR b.c[1] >= 2.5)", plain).is_ok());
}

#[test]
fn numbers_are_reckoned_with_and_texts_have_beginnings() {
    let worker = json!({"a": 7, "b": 2, "name": "山田太郎", "big": u64::MAX});
    for (text, wanted) in [
        ("a + b * 3 == 13", true),
        ("a - b - 1 == 4", true),
        ("a / b == 3.5", true),
        ("a / 0 == null", true),
        ("a + name == null", true),
        ("a + 1 IN [8]", true),
        ("big - 1 <= big AND big > 9223372036854775807", true),
        ("big == 18446744073709551615", true),
        ("name STARTSWITH '山田'", true),
        ("name startswith '太郎'", false),
        ("startswith == null", true),
    ] {
        assert_eq!(holds(text, worker.clone()), wanted, "{text}");
    }
    let error = Expression::parse("customer-value == 1").expect_err("a hyphen");
    assert!(error.help.is_some_and(|help| help.contains("worker[")));
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
