//! Documents are read, printed and damaged.

mod bounds;

use std::time::Instant;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use crate::expr::{Expression, Options, Schema, Scope, Subject};
use crate::router::{At, FilterSpec, WhenNobody};

/// A plan found in production (requirements, section 2.2a).
const OWNER_FIRST: &str = include_str!("../../../../tests/data/workflows/owner-first.json");

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn read(value: Value) -> Document {
    let text = serde_json::to_string_pretty(&value).expect("it prints");
    Document::parse("w", &text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// What is wrong with a document: place, path and message of each fault.
fn wrong(text: &str) -> Vec<String> {
    let faults = Document::parse("w", text).expect_err("it is wrong");
    let said = faults.iter().map(|fault| {
        assert!(!fault.help.is_empty(), "{fault:?}");
        assert!(text.get(fault.span.clone()).is_some(), "{fault:?}");
        format!(
            "{}:{} {}: {}",
            fault.line, fault.column, fault.path, fault.message
        )
    });
    said.collect()
}

fn one_step(target: Value) -> Value {
    json!({"task_routing": {"filters": [{"expression": "1==1", "targets": [target]}]}})
}

#[test]
fn the_plan_found_in_production_loads_unchanged() {
    let document = Document::parse("owner-first", OWNER_FIRST).expect("it loads");
    assert_eq!(document.doubts, []);
    let mut workflow = document.workflow;
    workflow.resolve(&[QueueSpec {
        sid: Some("WQ1".to_owned()),
        ..QueueSpec::new("support", "1==1")
    }]);
    let step = |expression: &str, priority, timeout| StepSpec {
        expression: Some(expression.to_owned()),
        priority: Some(priority),
        timeout,
        ..StepSpec::new("support")
    };
    let filter = |name: &str, steps| FilterSpec {
        name: name.to_owned(),
        expression: format!("filter=='{name}'"),
        steps,
        ..FilterSpec::default()
    };
    assert_eq!(
        workflow.filters,
        [
            filter(
                "email",
                vec![
                    step("task.email==worker.email", 1, seconds(10)),
                    step("task.department_id==worker.department_id", 2, None),
                ]
            ),
            filter(
                "department_id",
                vec![step("worker.department_id IN task.department_id", 3, None)]
            ),
        ]
    );
    assert_eq!(workflow.default, Some(StepSpec::new("support")));
    assert_eq!(workflow.skip_when_nobody, WhenNobody::Wait);
    assert_eq!(workflow.faults(), []);
}

/// `IN` between two scalars, which takes nobody as long as it is not lenient.
#[test]
fn the_plan_found_in_production_is_doubted_where_it_takes_nobody() {
    let document = Document::parse("owner-first", OWNER_FIRST).expect("it loads");
    let mut workflow = document.workflow;
    let places = DocumentPlaces::of(OWNER_FIRST);
    let told = |workflow: &WorkflowSpec, is_note| {
        let lints = workflow.lints(&Schema::default()).into_iter();
        let told = lints.filter(move |lint| lint.is_note == is_note);
        told.map(|lint| {
            (
                OWNER_FIRST[places.span_of(&lint.spot)].to_owned(),
                lint.message,
            )
        })
        .collect::<Vec<_>>()
    };
    let [(text, message)] = &told(&workflow, false)[..] else {
        panic!("{:?}", told(&workflow, false))
    };
    assert_eq!(text, "worker.department_id IN task.department_id");
    assert!(message.contains("must be an array"), "{message}");
    let notes: Vec<String> = told(&workflow, true)
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        notes,
        [
            "task.email==worker.email",
            "task.department_id==worker.department_id"
        ]
    );
    workflow.lenient = true;
    assert_eq!(told(&workflow, false), []);
    workflow.missing_equals_missing = true;
    assert_eq!(workflow.lints(&Schema::default()), []);
}

/// Which steps of the production plan take the worker of requirements 2.2a for a task.
#[test]
fn the_plan_found_in_production_matches_strictly_and_leniently() {
    let document = Document::parse("owner-first", OWNER_FIRST).expect("it loads");
    let worker = json!({"email": "hanako.sato@example.com", "department_id": 1});
    let worker = worker.as_object().expect("an object");
    for (lenient, filter, expected) in [
        (false, "email", vec![(0, 0), (0, 1)]),
        (true, "email", vec![(0, 0), (0, 1)]),
        // `IN` between two scalars.
        (false, "department_id", vec![]),
        (true, "department_id", vec![(1, 0)]),
        (true, "other", vec![]),
    ] {
        let task = json!({"person_name": "Alice", "email": "hanako.sato@example.com",
            "department_id": 1, "filter": filter});
        let task = task.as_object().expect("an object");
        let options = Options {
            lenient_arrays: lenient,
            ..Options::default()
        };
        let holds = |text: &str, bare| {
            let scope = Scope {
                bare,
                ..Scope::new(worker, task)
            };
            Expression::parse_with(text, options)
                .expect("it parses")
                .eval(&scope)
        };
        let mut taken = Vec::new();
        for (at, step) in document.workflow.steps() {
            let At::Filter(place, number) = at else {
                continue;
            };
            let is_for = holds(&document.workflow.filters[place].expression, Subject::Task);
            let takes = holds(step.expression.as_deref().expect("there"), Subject::Worker);
            if is_for && takes {
                taken.push((place, number));
            }
        }
        assert_eq!(taken, expected, "lenient {lenient}, {filter}");
    }
}

#[test]
fn targets_inherit_the_queue_and_nothing_else() {
    let document = read(json!({"task_routing": {"filters": [{
    "friendly_name": "rule 2", "expression": "task.type == 'a'", "targets": [
        {"queue": "WQ1", "expression": "task.a == worker.a", "priority": 5, "timeout": 30,
         "order_by": "worker.level DESC", "skip_if": "1==1",
         "known_worker_sid": "task.owner"},
        {"timeout": "20"},
        {"queue": "WQ2", "known_worker_friendly_name": "task.name", "timeout": 1.5},
        {"priority": 1e3},
    ]}]}}));
    let filter = &document.workflow.filters[0];
    assert_eq!((filter.name.as_str(), filter.steps.len()), ("rule 2", 4));
    let queues: Vec<&str> = filter.steps.iter().map(|step| &*step.queue).collect();
    assert_eq!(queues, ["WQ1", "WQ1", "WQ2", "WQ2"]);
    let known = |path: &str, by| {
        let path = path.to_owned();
        Some(KnownWorker { path, by })
    };
    assert_eq!(
        filter.steps[0].known_worker,
        known("task.owner", WorkerKey::Sid)
    );
    assert_eq!(
        filter.steps[1],
        StepSpec {
            timeout: seconds(20),
            ..StepSpec::new("WQ1")
        }
    );
    assert_eq!(
        filter.steps[2].known_worker,
        known("task.name", WorkerKey::Name)
    );
    assert_eq!(filter.steps[2].timeout, Some(Duration::from_millis(1500)));
    assert_eq!(filter.steps[3].priority, Some(1000));
    assert_eq!(document.workflow.default, None);
}

#[test]
fn what_is_null_or_empty_is_left_out_but_a_known_worker_is_nobody() {
    let document = read(one_step(
        json!({"queue": "WQ1", "expression": null, "priority": "",
        "timeout": null, "order_by": " ", "skip_if": "", "known_worker_sid": null}),
    ));
    let step = &document.workflow.filters[0].steps[0];
    let known = step.known_worker.clone().expect("there");
    assert_eq!((known.path.as_str(), known.by), ("null", WorkerKey::Sid));
    let rest = StepSpec {
        known_worker: None,
        ..step.clone()
    };
    assert_eq!(rest, StepSpec::new("WQ1"));
    assert_eq!(document.doubts.len(), 1);
    let printed = document.workflow.to_document(&[]);
    let target = &printed["task_routing"]["filters"][0]["targets"][0];
    assert_eq!(target["known_worker_sid"], Value::Null);
    assert!(
        target
            .as_object()
            .expect("an object")
            .contains_key("known_worker_sid")
    );
}

#[test]
fn the_default_filter_never_times_out_and_may_be_a_list_of_one() {
    let default = |default| json!({"task_routing": {"default_filter": default}});
    for (written, expected) in [
        (json!({"queue": "WQ1"}), StepSpec::new("WQ1")),
        (
            json!({"queue": "WQ1", "priority": "7", "skip_if": "workers.available == 0"}),
            StepSpec {
                priority: Some(7),
                skip_if: Some("workers.available == 0".to_owned()),
                ..StepSpec::new("WQ1")
            },
        ),
        (json!({"targets": [{"queue": "WQ1"}]}), StepSpec::new("WQ1")),
    ] {
        let document = read(default(written));
        assert_eq!(
            (document.workflow.default, document.doubts),
            (Some(expected), vec![])
        );
    }
    let document = read(default(json!({"queue": "WQ1", "timeout": 30})));
    assert_eq!(
        document
            .workflow
            .default
            .as_ref()
            .and_then(|step| step.timeout),
        None
    );
    let doubt = &document.doubts[0];
    assert_eq!(
        (doubt.line, &*doubt.path),
        (5, "task_routing.default_filter.timeout")
    );
    assert_eq!(
        document.workflow.to_document(&[]),
        json!({"task_routing": {"filters": [], "default_filter": {"queue": "WQ1", "timeout": 30}}})
    );
}

#[test]
fn unknown_fields_are_printed_again_and_misspelt_ones_told_of() {
    let written = json!({
        "task_routing": {
            "filters": [{
                "filter_friendly_name": "a", "expression": "1==1",
                "targets": [{"queue": "WQ1", "timout": 10, "x": {"y": [1, null, 2.5]}}],
                "comment": "ours",
            }],
            "default_filter": {"queue": "WQ2", "label": "最後"},
            "version": 3,
        },
        "task_reservation_timeout": 120,
    });
    let document = read(written.clone());
    assert_eq!(document.workflow.to_document(&[]), written);
    assert_eq!(document.doubts.len(), 1);
    assert!(
        document.doubts[0].help.contains("`timeout`"),
        "{:?}",
        document.doubts
    );
    // By the sid of the queue, where it has one.
    let queues = [QueueSpec {
        sid: Some("WQ1".to_owned()),
        ..QueueSpec::new("営業", "1==1")
    }];
    let mut workflow = document.workflow;
    workflow.resolve(&queues);
    assert_eq!(workflow.filters[0].steps[0].queue, "営業");
    assert_eq!(workflow.to_document(&queues), written);
}

#[test]
fn what_is_wrong_is_told_with_line_column_and_path() {
    let filter =
        |inner: &str| format!("{{\"task_routing\": {{\n \"filters\": [\n  {inner}\n ]}}}}");
    let target = |inner: &str| {
        filter(&format!(
            "{{\"expression\": \"1==1\", \"targets\": [{inner}]}}"
        ))
    };
    for (text, expected) in [
        (String::new(), "1:1 : not JSON: EOF while parsing a value"),
        (
            "{\"task_routing\": {\n  \"filters\": [,]}}".to_owned(),
            "2:15 : not JSON: expected value",
        ),
        (
            "[1]".to_owned(),
            "1:1 : a document is an object, not a list",
        ),
        (
            "{\"filters\": []}".to_owned(),
            "1:1 : a document needs `task_routing`",
        ),
        (
            "{\"task_routing\": 5}".to_owned(),
            "1:18 task_routing: `task_routing` is an object, not a number",
        ),
        (
            "{\"task_routing\": {}}".to_owned(),
            "1:18 task_routing: it leads nowhere",
        ),
        (
            "{\"task_routing\": {\"filters\": {}}}".to_owned(),
            "1:30 task_routing.filters: `filters` is a list, not an object",
        ),
        (
            filter("7"),
            "3:3 task_routing.filters[0]: a filter is an object, not a number",
        ),
        (
            filter("{\"expression\": \"1==1\"}"),
            "3:3 task_routing.filters[0]: a filter without a step leads nowhere",
        ),
        (
            filter("{\"targets\": [{\"queue\": \"WQ1\"}]}"),
            "3:3 task_routing.filters[0]: a filter needs `expression`",
        ),
        (
            filter("{\"expression\": \"佐藤 = = 1\", \"targets\": [{\"queue\": \"WQ1\"}]}"),
            "3:24 task_routing.filters[0].expression: expected a value, found =",
        ),
        (
            target("{\"timeout\": 5}"),
            "3:38 task_routing.filters[0].targets[0]: the first target needs `queue`",
        ),
        (
            target("{\"queue\": \"\"}"),
            "3:38 task_routing.filters[0].targets[0]: the first target needs `queue`",
        ),
        (
            target("{\"queue\": \"WQ1\"}, [], {}"),
            "3:56 task_routing.filters[0].targets[1]: a target is an object, not a list",
        ),
        (
            target("{\"queue\": \"WQ1\", \"timeout\": \"ten\"}"),
            "3:66 task_routing.filters[0].targets[0].timeout: `timeout` is a number, not text",
        ),
        (
            target("{\"queue\": \"WQ1\", \"timeout\": -1}"),
            "3:66 task_routing.filters[0].targets[0].timeout: `timeout` cannot be -1",
        ),
        (
            target("{\"queue\": \"WQ1\", \"timeout\": 1209601}"),
            "3:66 task_routing.filters[0].targets[0].timeout: a timeout of 1209601 s",
        ),
        (
            target("{\"queue\": \"WQ1\", \"priority\": 1.5}"),
            "3:67 task_routing.filters[0].targets[0].priority: `priority` cannot be 1.5",
        ),
        (
            target("{\"queue\": \"WQ1\", \"priority\": \"2147483648\"}"),
            "3:67 task_routing.filters[0].targets[0].priority: a priority of 2147483648",
        ),
        (
            target("{\"queue\": \"WQ1\", \"order_by\": \"worker.a UP\"}"),
            "3:77 task_routing.filters[0].targets[0].order_by: expected ASC, DESC, a comma or the end",
        ),
        (
            target("{\"queue\": \"WQ1\", \"skip_if\": true}"),
            "3:66 task_routing.filters[0].targets[0].skip_if: `skip_if` is text, not true or false",
        ),
        (
            target("{\"queue\": \"WQ1\", \"known_worker_sid\": \"worker.sid\"}"),
            "3:75 task_routing.filters[0].targets[0].known_worker_sid: \"worker.sid\" is no path into a task",
        ),
        (
            target(
                "{\"queue\": \"WQ1\", \"known_worker_sid\": \"task.a\", \
                 \"known_worker_friendly_name\": \"task.b\"}",
            ),
            "3:115 task_routing.filters[0].targets[0].known_worker_friendly_name: a target names one known worker",
        ),
        (
            "{\"task_routing\": {\"default_filter\": {\"targets\": []}}}".to_owned(),
            "1:37 task_routing.default_filter: the default filter has one target",
        ),
    ] {
        let said = wrong(&text);
        assert_eq!(said.len(), 1, "{text}\n{said:#?}");
        assert_eq!(said[0], expected, "{text}");
    }
}

#[test]
fn the_last_of_two_fields_of_a_name_counts_and_is_pointed_at() {
    let text = "{\"task_routing\": {\"default_filter\": {\"queue\": \"a\"}, \
                \"\\u0064efault_filter\": {\"queue\": 5}}}";
    assert!(wrong(text)[0].starts_with("1:86 "), "{:?}", wrong(text));
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let text = format!("\u{feff}{OWNER_FIRST}");
    assert!(Document::parse("w", &text).is_ok());
    assert!(wrong("\u{feff}{\"task_routing\": {\n\"default_filter\": 5}}")[0].starts_with("2:19 "));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("task.owner".to_owned()),
        Just("a == 1".to_owned()),
        Just("名前 == \"佐\\\"藤\"".to_owned()),
        "k[a-z]{0,5}",
    ]
}

fn step() -> impl Strategy<Value = StepSpec> {
    let path = prop_oneof![Just("null".to_owned()), "task\\.[a-z]{1,5}", "[a-z]{1,5}"];
    let by = prop_oneof![Just(WorkerKey::Sid), Just(WorkerKey::Name)];
    let known = (path, by).prop_map(|(path, by)| KnownWorker { path, by });
    (
        word(),
        proptest::option::of(word()),
        proptest::option::of(-5..=i64::from(i32::MAX)),
        proptest::option::of(0..2_000_000u64),
        proptest::option::of(Just("worker.level DESC, worker.age ASC".to_owned())),
        proptest::option::of(Just("workers.available == 0".to_owned())),
        proptest::option::of(known),
        unknown(),
    )
        .prop_map(
            |(queue, expression, priority, millis, order_by, skip_if, known_worker, unknown)| {
                StepSpec {
                    queue,
                    expression,
                    priority,
                    timeout: millis.map(Duration::from_millis),
                    order_by,
                    skip_if,
                    known_worker,
                    unknown,
                }
            },
        )
}

fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(json!(null)),
        Just(json!({"a": [1, "二"]})),
        any::<i64>().prop_map(Value::from)
    ];
    proptest::collection::vec(("x[a-z]{0,3}\"?", value), 0..3)
        .prop_map(|fields| fields.into_iter().collect())
}

fn workflow() -> impl Strategy<Value = WorkflowSpec> {
    let steps = proptest::collection::vec(step(), 1..4);
    let filter = ("[a-z ]{0,4}", word(), steps, unknown());
    let filter = filter.prop_map(|(name, expression, steps, unknown)| FilterSpec {
        name: name.trim().to_owned(),
        expression,
        steps,
        unknown,
    });
    let filters = proptest::collection::vec(filter, 0..4);
    (filters, step(), unknown(), unknown()).prop_map(|(filters, mut default, inner, mut outer)| {
        default.timeout = None;
        if !inner.is_empty() {
            outer.insert("task_routing".to_owned(), inner.into());
        }
        WorkflowSpec {
            filters,
            default: Some(default),
            skip_when_nobody: WhenNobody::Wait,
            unknown: outer,
            ..WorkflowSpec::new("w", "")
        }
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(workflow in workflow()) {
        let printed = serde_json::to_string(&workflow.to_document(&[])).expect("it prints");
        // Names of queues that are expressions are names all the same.
        let document = Document::parse("w", &printed).map_err(|faults| {
            TestCaseError::fail(format!("{faults:#?}\n{printed}"))
        })?;
        prop_assert_eq!(document.workflow, workflow);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Damaged documents are read or refused with a place in them; what is read can be printed,
    /// linted and checked.
    #[test]
    fn damage_is_survived(
        cuts in proptest::collection::vec((0..800usize, 0..30usize, fragment()), 1..4),
    ) {
        let mut letters: Vec<char> = OWNER_FIRST.chars().collect();
        for (from, cut, put) in cuts {
            let from = from % letters.len().max(1);
            let to = (from + cut).min(letters.len());
            letters.splice(from..to, put.chars());
        }
        let text: String = letters.into_iter().collect();
        survive(&text);
    }
}

/// A text is read, linted and printed again, or refused with places in it.
fn survive(text: &str) {
    match Document::parse("w", text) {
        Ok(document) => {
            for lint in document.workflow.lints(&Schema::default()) {
                let span = DocumentPlaces::of(text).span_of(&lint.spot);
                assert!(text.get(span).is_some(), "{lint:?}\n{text}");
            }
            let printed = document.workflow.to_document(&[]).to_string();
            let again = Document::parse("w", &printed).map(|it| it.workflow);
            assert_eq!(again, Ok(document.workflow), "{text}");
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "{text}");
            for fault in faults {
                assert!(text.get(fault.span.clone()).is_some(), "{fault:?}\n{text}");
                assert!(!fault.message.is_empty() && !fault.help.is_empty());
            }
        }
    }
}

/// One second of damaged documents, or `FUZZ_SECONDS` from `FUZZ_SEED` on.
#[test]
fn fuzz_workflow_documents() {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = variable("FUZZ_SEED").unwrap_or(0);
    let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        let seed = first.wrapping_add(count);
        let outcome = std::panic::catch_unwind(|| survive(&damaged(seed)));
        if let Err(panic) = outcome {
            eprintln!("FUZZ_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    println!("workflow documents: {count} from seed {first} on");
}

/// The document of production with some stretches of it cut, doubled, moved or overwritten.
fn damaged(seed: u64) -> String {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut letters: Vec<char> = OWNER_FIRST.chars().collect();
    for _ in 0..1 + chance.next_u32() % 4 {
        let mut below = |end: usize| chance.next_u32() as usize % end.max(1);
        let from = below(letters.len());
        let to = (from + below(60)).min(letters.len());
        let put: Vec<char> = match below(4) {
            0 => Vec::new(),
            1 => {
                let start = below(letters.len());
                letters[start..(start + below(80)).min(letters.len())].to_vec()
            }
            2 => FRAGMENTS[below(FRAGMENTS.len())].chars().collect(),
            _ => vec!['['; below(300)],
        };
        letters.splice(from..to, put);
    }
    letters.into_iter().collect()
}

const FRAGMENTS: [&str; 12] = [
    "null",
    "1e400",
    "\"\\ud800\"",
    "\"timeout\":{},",
    "\"timeout\":1e-7,",
    "\"priority\":-9223372036854775808,",
    "\"known_worker_sid\":null,",
    "\"x\":{\"\\\"\":[]},",
    "{\"expression\":\"1==1\",\"targets\":[{}]},",
    "\u{feff}",
    "佐藤\u{0}",
    "\",\"",
];

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\[\\]{}\",:0-9a-z \\\\.é佐-]{0,6}",
        Just("null".to_owned()),
        Just("1e400".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("[[[[[[[[".to_owned()),
        Just("\"timeout\":{},".to_owned()),
        Just("\"known_worker_sid\":null,".to_owned()),
    ]
}
