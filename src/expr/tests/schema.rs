//! Doubts that come from where an expression stands and from the attributes there are.

use serde_json::json;

use super::map;
use crate::expr::{Doubt, Expression, Options, Place, Schema};

fn schema() -> Schema {
    let workers = [
        json!({"skills": ["ja", "en"], "rate": "6", "dept": 1, "email": "a@example.com",
               "address": {"city": "大阪"}, "level": 3}),
        json!({"skills": [], "rate": "5.5", "dept": 2, "level": 2.5, "langs": ["ja"]}),
    ]
    .map(map);
    Schema::default().workers(&workers)
}

fn doubts(text: &str, place: Place) -> Vec<Doubt> {
    let expression = Expression::parse(text).expect(text);
    let lints = expression.check(place, &schema());
    assert!(lints.iter().all(|lint| !lint.message_ja.is_empty()));
    lints.iter().map(|lint| lint.doubt).collect()
}

#[test]
fn attributes_that_cannot_do_what_is_asked_are_doubted() {
    for (text, wanted) in [
        (
            "skills HAS 'ja' AND level >= 2 AND address.city == '大阪'",
            None,
        ),
        ("email == null OR email != null", None),
        ("name == 'sato' AND sid != 'x'", None),
        ("activity_name == 'Idle'", None),
        ("channel.voice.available == true", None),
        ("skills[0] == 'ja'", None),
        ("level == 1 + 1", None),
        ("rate >= 5.1", Some(Doubt::TypeMismatch)),
        ("rate == dept", Some(Doubt::TypeMismatch)),
        ("level CONTAINS 'x'", Some(Doubt::TypeMismatch)),
        ("skills HAS 3", Some(Doubt::TypeMismatch)),
        ("dept IN ['1', '2']", Some(Doubt::TypeMismatch)),
        ("dept HAS 1", Some(Doubt::SingleForArray)),
        ("1 IN level", Some(Doubt::SingleForArray)),
        ("'x' IN email", Some(Doubt::SingleForArray)),
        ("skills == 'ja'", Some(Doubt::ArrayCompared)),
        ("'ja' NOT IN langs", Some(Doubt::MissingArray)),
        ("'ja' NOT IN skills", None),
        ("skill HAS 'ja'", Some(Doubt::UnknownKey)),
        ("address.town == 'x'", Some(Doubt::UnknownKey)),
        ("level = 3", Some(Doubt::SingleEquals)),
        ("task.email==worker.email", Some(Doubt::BothMissing)),
        ("task.dept == worker.dept", None),
        (
            "worker.email IN [task.email, 'x']",
            Some(Doubt::BothMissing),
        ),
        ("[task.email] HAS langs", Some(Doubt::BothMissing)),
        ("task.level == task.email + 1", Some(Doubt::BothMissing)),
        ("email IN ['x', null]", None),
        ("dept IN [task.dept]", None),
        ("now.hour >= 9", Some(Doubt::NotThere)),
        ("worker.dept IN task.dept", None),
    ] {
        let wanted: Vec<Doubt> = wanted.into_iter().collect();
        assert_eq!(doubts(text, Place::Queue), wanted, "{text}");
    }
}

#[test]
fn what_a_place_cannot_see_is_doubted() {
    for (text, place, count) in [
        ("worker.level == 1", Place::Filter, 1),
        ("type == 'x' AND task.type == 'x'", Place::Filter, 0),
        (
            "workers.available == 0 AND workers.WA1 > 2",
            Place::SkipIf,
            0,
        ),
        ("1==1", Place::SkipIf, 0),
        ("available == 0 OR worker.level == 1", Place::SkipIf, 2),
        ("level == 1", Place::Target, 1),
        ("worker.level == task.level", Place::Target, 0),
    ] {
        let found = doubts(text, place);
        assert_eq!(found, vec![Doubt::OutOfSight; count], "{text}");
    }
}

#[test]
fn a_doubt_names_its_place_and_often_what_was_meant() {
    let expression = Expression::parse("level > 1 AND skils HAS 'ja'").expect("an expression");
    let lints = expression.check(Place::Queue, &schema());
    assert_eq!(lints[0].span, 14..19);
    assert_eq!(
        lints[0].message,
        "nobody has this key; did you mean skills?"
    );
    assert!(lints[0].message_ja.contains("skills"));
    assert!(!lints[0].doubt.is_note() && Doubt::BothMissing.is_note());
}

#[test]
fn what_is_compared_as_a_single_value_is_known() {
    let ways = |text: &str, place| {
        let ways = Expression::parse(text)
            .expect(text)
            .single_task_values(place);
        let ways = ways.into_iter().map(|way| way.join("."));
        ways.collect::<Vec<_>>().join(" ")
    };
    let text = "task.a.b == 1 AND 'x' CONTAINS c AND task.d != null AND task.e[0] == 1 \
                AND task.f IN task.g AND task.h HAS worker.i AND NOT task.j < worker.k";
    assert_eq!(ways(text, Place::Target), "a.b f j");
    assert_eq!(ways(text, Place::Filter), "a.b c f j");
}

#[test]
fn tasks_have_a_schema_too_and_lenient_is_lenient() {
    let task = map(json!({"department_id": 1}));
    let schema = schema().tasks([&task]);
    let text = "worker.dept IN task.department_id";
    let strict = Expression::parse(text).expect(text);
    let lints = strict.check(Place::Target, &schema);
    assert_eq!(lints[0].doubt, Doubt::SingleForArray);
    let options = Options {
        lenient_arrays: true,
        ..Options::default()
    };
    let lenient = Expression::parse_with(text, options).expect(text);
    assert!(lenient.check(Place::Target, &schema).is_empty());
    // Known from another expression only.
    let other = Expression::parse("task.department_id == 1").expect("an expression");
    let singles = other.single_task_values(Place::Target);
    let schema = schema.single_task_values(singles);
    let bare = Schema::default().single_task_values([vec!["department_id".to_owned()]]);
    for schema in [&schema, &bare] {
        let lints = strict.check(Place::Target, schema);
        assert_eq!(lints[0].doubt, Doubt::SingleForArray);
        assert!(lints[0].message.ends_with("compared as one"), "{lints:?}");
        assert!(lenient.check(Place::Target, schema).is_empty());
    }
    let missing = Expression::parse("task.nothing == 1").expect("an expression");
    assert_eq!(
        missing.check(Place::Target, &schema)[0].doubt,
        Doubt::UnknownKey
    );
}
