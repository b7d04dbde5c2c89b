//! Every row of the table of the requirements, section 2.3, strict and lenient, with its lint; and
//! the expressions of a plan found in production, section 2.2a.

use serde_json::{Map, Value, json};

use super::map;
use crate::expr::{Doubt, Expression, Options, Place, Schema, Scope, Subject};

const STRICT: Options = Options {
    extensions: false,
    lenient_arrays: false,
    missing_equals_missing: false,
};
const LENIENT: Options = Options {
    lenient_arrays: true,
    ..STRICT
};

/// A row: expression, worker, task, strict, lenient, what the data make doubtful.
type Row = (&'static str, Value, Value, bool, bool, Option<Doubt>);

fn judge(text: &str, worker: &Map<String, Value>, task: &Value, options: Options) -> bool {
    let expression = Expression::parse_with(text, options).expect(text);
    expression.eval(&Scope::new(worker, &map(task.clone())))
}

#[test]
fn every_row_holds_strict_and_lenient() {
    let none = || json!({});
    let silver = "type == 'ticket' AND v IN ['Silver','Bronze']";
    let rows: [Row; 14] = [
        ("1==1", none(), none(), true, true, None),
        (
            silver,
            json!({"type": "ticket", "v": "Gold"}),
            none(),
            false,
            false,
            None,
        ),
        (
            "skills HAS \"support\"",
            json!({"skills": ["sales", "support"]}),
            none(),
            true,
            true,
            None,
        ),
        (
            "skills HAS \"support\"",
            json!({"skills": "support"}),
            none(),
            false,
            true,
            Some(Doubt::SingleForArray),
        ),
        (
            "\"ja\" NOT IN langs",
            none(),
            none(),
            false,
            false,
            Some(Doubt::UnknownKey),
        ),
        (
            "object.array[2] == \"c\"",
            json!({"object": {"array": ["a", "b", "c"]}}),
            none(),
            true,
            true,
            None,
        ),
        (
            "a.b > 5",
            json!({}),
            none(),
            false,
            false,
            Some(Doubt::UnknownKey),
        ),
        (
            "name CONTAINS \"田\"",
            json!({"name": "山田"}),
            none(),
            true,
            true,
            None,
        ),
        (
            "task.lang IN worker.langs",
            json!({"langs": ["ja", "en"]}),
            json!({"lang": "ja"}),
            true,
            true,
            None,
        ),
        (
            "worker.dept IN task.dept",
            json!({"dept": 1}),
            json!({"dept": 1}),
            false,
            true,
            Some(Doubt::SingleForArray),
        ),
        (
            "x == 1 OR y == 1 AND z == 1",
            json!({"x": 1, "y": 2, "z": 0}),
            none(),
            true,
            true,
            None,
        ),
        (
            "rate >= 5.1",
            json!({"rate": "6"}),
            none(),
            false,
            false,
            Some(Doubt::TypeMismatch),
        ),
        (
            "(a==true) OR (b==true)",
            json!({"a": false, "b": true}),
            none(),
            true,
            true,
            None,
        ),
        (
            "task.email==worker.email",
            none(),
            none(),
            false,
            false,
            Some(Doubt::UnknownKey),
        ),
    ];
    for (text, worker, task, strict, lenient, doubt) in rows {
        let (worker, attributes) = (map(worker), map(task.clone()));
        assert_eq!(
            judge(text, &worker, &task, STRICT),
            strict,
            "{text}, strict"
        );
        assert_eq!(
            judge(text, &worker, &task, LENIENT),
            lenient,
            "{text}, lenient"
        );
        let schema = Schema::default().workers([&worker]).tasks([&attributes]);
        let expression = Expression::parse_with(text, STRICT).expect(text);
        let lints = expression.check(Place::Queue, &schema);
        assert_eq!(lints.first().map(|lint| lint.doubt), doubt, "{text}");
    }
}

#[test]
fn two_missing_attributes_are_equal_only_on_demand_and_are_told() {
    let text = "task.email==worker.email";
    let compat = Options {
        missing_equals_missing: true,
        ..STRICT
    };
    assert!(!judge(text, &Map::new(), &json!({}), STRICT));
    assert!(judge(text, &Map::new(), &json!({}), compat));
    let told = |options| {
        let expression = Expression::parse_with(text, options).expect(text);
        let lints = expression.check(Place::Target, &Schema::default());
        lints.iter().map(|lint| lint.doubt).collect::<Vec<_>>()
    };
    assert_eq!(told(STRICT), [Doubt::BothMissing]);
    assert!(told(compat).is_empty());
}

#[test]
fn a_plan_found_in_production_is_judged_as_it_was() {
    let hanako = map(json!({
        "email": "hanako.sato@example.com", "contact_uri": "client:hanako_sato", "department_id": 1,
    }));
    let other = map(json!({"email": "taro@example.com", "department_id": 1}));
    let task = json!({
        "person_name": "Alice", "email": "hanako.sato@example.com", "department_id": 1,
        "filter": "email",
    });
    let owner = "task.email==worker.email";
    let department = "task.department_id==worker.department_id";
    let within = "worker.department_id IN task.department_id";
    for options in [STRICT, LENIENT] {
        assert!(judge(owner, &hanako, &task, options));
        assert!(!judge(owner, &other, &task, options));
        assert!(judge(department, &hanako, &task, options));
        assert!(judge(department, &other, &task, options));
        assert_eq!(
            judge(within, &other, &task, options),
            options.lenient_arrays
        );
    }
    let (nobody, task) = (Map::new(), map(task));
    let scope = Scope {
        worker: &nobody,
        task: &task,
        bare: Subject::Task,
    };
    for (text, holds) in [
        ("filter=='email'", true),
        ("task.filter=='email'", true),
        ("filter=='department_id'", false),
    ] {
        let filter = Expression::parse_with(text, STRICT).expect(text);
        assert_eq!(filter.eval(&scope), holds, "{text}");
        assert!(filter.check(Place::Filter, &Schema::default()).is_empty());
    }
}

#[test]
fn keywords_may_be_in_any_case_and_one_equals_sign_is_told() {
    let worker = map(json!({"skills": ["ja"], "a": true}));
    for text in [
        "'ja' in skills",
        "skills Has 'ja'",
        "'x' not IN skills",
        "a == TRUE and a = true",
    ] {
        assert!(judge(text, &worker, &json!({}), STRICT), "{text}");
    }
    let single = Expression::parse("a = true").expect("an expression");
    assert_eq!(single.lints()[0].doubt, Doubt::SingleEquals);
    assert_eq!(single.lints()[0].span, 2..3);
}
