//! Plans are refused whole, and told why; and of what no task can reach.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::expr::{Schema, Scope};

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn read(value: Value) -> Document {
    let text = serde_json::to_string_pretty(&value).expect("it prints");
    Document::parse("w", &text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn check_names_every_error_with_a_remedy() {
    let mut queue = QueueSpec::new("sales", "skills HAS");
    queue.no_answer_activity = "ready".to_owned();
    queue.ring_timeout = Duration::ZERO;
    let plan = Plan {
        generation: 1,
        workers: vec![
            WorkerSpec::new("花子", "1001"),
            WorkerSpec::new("花子", "1001"),
        ],
        queues: vec![queue],
        activities: vec![ActivitySpec::available("ready")],
        ..Plan::default()
    };
    let errors = plan.check();
    assert_eq!(errors.len(), 5, "{errors:#?}");
    assert!(errors.iter().all(|error| error.help.is_some()));
    assert!(errors.iter().any(|error| error.span.is_some()));
}

#[test]
fn the_hash_ignores_the_generation_alone() {
    let mut plan = Plan {
        queues: vec![QueueSpec::new("sales", "1==1")],
        ..Plan::default()
    };
    let before = plan.hash();
    plan.generation = 9;
    assert_eq!(plan.hash(), before);
    plan.queues[0].wrap_up = Duration::from_secs(1);
    assert_ne!(plan.hash(), before);
}

/// A plan in which everything refers to something that is there.
fn whole_plan() -> Plan {
    let mut workflow = WorkflowSpec::new("owner first", "sales");
    workflow.filters.push(FilterSpec {
        name: "vip".to_owned(),
        expression: "tier == 'gold'".to_owned(),
        steps: vec![StepSpec {
            expression: Some("task.owner == worker.name".to_owned()),
            timeout: seconds(10),
            priority: Some(5),
            order_by: Some("worker.level DESC, worker.age".to_owned()),
            skip_if: Some("workers.available == 0".to_owned()),
            known_worker: Some(KnownWorker {
                path: "task.owner".to_owned(),
                by: WorkerKey::Name,
            }),
            ..StepSpec::new("sales")
        }],
        ..FilterSpec::default()
    });
    let entry = |queue: &str, channel: &str, priority, delay| ProfileEntry {
        queue: queue.to_owned(),
        channel: channel.to_owned(),
        priority,
        delay: Duration::from_secs(delay),
    };
    let profile = ProfileSpec {
        name: "seller".to_owned(),
        entries: vec![
            entry("sales", "voice", 1, 0),
            entry("sales", "chat", 99, 9_999),
        ],
        channels: BTreeMap::from([(
            "chat".to_owned(),
            ProfileChannel {
                capacity: 3,
                others: OtherChannels::Barred,
            },
        )]),
    };
    Plan {
        workers: vec![WorkerSpec {
            profile: Some("seller".to_owned()),
            capacity: BTreeMap::from([("chat".to_owned(), 2)]),
            ..WorkerSpec::new("花子", "1001")
        }],
        queues: vec![QueueSpec {
            sid: Some("WQ1".to_owned()),
            strategy: Strategy::OrderBy("worker.level DESC".to_owned()),
            sticky: Some("from".to_owned()),
            max_reserved: 50,
            wrap_up_codes: vec!["order".to_owned()],
            wrap_up_code_required: true,
            ..QueueSpec::new("sales", "1==1")
        }],
        activities: vec![ActivitySpec::available("ready")],
        channels: vec![ChannelSpec {
            name: "chat".to_owned(),
            capacity: 3,
        }],
        workflows: vec![workflow],
        profiles: vec![profile],
        ..Plan::default()
    }
}

#[test]
fn a_reference_bound_or_expression_that_is_wrong_is_named() {
    assert_eq!(whole_plan().check(), []);
    type Damage = fn(&mut Plan);
    let damages: [(&str, Damage); 28] = [
        ("worker \"花子\": unknown profile", |plan| {
            plan.workers[0].profile = Some("buyer".to_owned());
        }),
        ("worker \"花子\": unknown channel", |plan| {
            plan.workers[0].capacity.insert("fax".to_owned(), 1);
        }),
        ("worker \"花子\": a capacity of 1001", |plan| {
            plan.workers[0].capacity.insert("chat".to_owned(), 1001);
        }),
        ("channel \"chat\": name is empty or taken", |plan| {
            plan.channels.push(plan.channels[0].clone());
        }),
        ("queue \"sales\": 51 offers", |plan| {
            plan.queues[0].max_reserved = 51
        }),
        ("queue \"sales\": 0 offers", |plan| {
            plan.queues[0].max_reserved = 0
        }),
        ("queue \"sales\": nobody misses", |plan| {
            plan.queues[0].misses = 0
        }),
        ("queue \"sales\": a wrap-up code", |plan| {
            plan.queues[0].wrap_up_codes.clear()
        }),
        ("queue \"sales\": \"worker.x\" is no path", |plan| {
            plan.queues[0].sticky = Some("worker.x".to_owned());
        }),
        ("queue \"sales\": expected ASC, DESC", |plan| {
            plan.queues[0].strategy = Strategy::OrderBy("worker.level DOWN".to_owned());
        }),
        ("queue \"b\": sid \"sales\" is empty or taken", |plan| {
            let mut other = QueueSpec::new("b", "1==1");
            other.sid = Some("sales".to_owned());
            plan.queues.push(other);
        }),
        ("queue \"sales\": sid \"WQ1\"", |plan| {
            let mut other = QueueSpec::new("b", "1==1");
            other.sid = Some("WQ1".to_owned());
            plan.queues.insert(0, other);
        }),
        (
            "profile \"seller\", queue \"fish\": unknown queue",
            |plan| {
                plan.profiles[0].entries[0].queue = "fish".to_owned();
            },
        ),
        (
            "profile \"seller\", queue \"sales\": unknown channel",
            |plan| {
                plan.profiles[0].entries[0].channel = "fax".to_owned();
            },
        ),
        (
            "profile \"seller\", queue \"sales\": listed twice",
            |plan| {
                plan.profiles[0].entries[0].channel = "chat".to_owned();
            },
        ),
        (
            "profile \"seller\", queue \"sales\": a priority of 100",
            |plan| {
                plan.profiles[0].entries[0].priority = 100;
            },
        ),
        (
            "profile \"seller\", queue \"sales\": a priority of 0",
            |plan| {
                plan.profiles[0].entries[0].priority = 0;
            },
        ),
        (
            "profile \"seller\", queue \"sales\": a delay of 10000 s",
            |plan| {
                plan.profiles[0].entries[0].delay = Duration::from_secs(10_000);
            },
        ),
        ("profile \"seller\": name is empty", |plan| {
            plan.profiles.push(plan.profiles[0].clone());
        }),
        ("workflow \"owner first\": name is empty", |plan| {
            plan.workflows.push(plan.workflows[0].clone());
        }),
        (
            "workflow \"owner first\", filter 1: expression: expected a value",
            |plan| {
                plan.workflows[0].filters[0].expression = "tier ==".to_owned();
            },
        ),
        (
            "workflow \"owner first\", filter 1: steps: a filter without",
            |plan| {
                plan.workflows[0].filters[0].steps.clear();
            },
        ),
        (
            "workflow \"owner first\", filter 1, step 1: skip_if: expected",
            |plan| {
                plan.workflows[0].filters[0].steps[0].skip_if =
                    Some("workers.available =".to_owned());
            },
        ),
        (
            "workflow \"owner first\", filter 1, step 1: order_by: expected",
            |plan| {
                plan.workflows[0].filters[0].steps[0].order_by = Some("a, =b".to_owned());
            },
        ),
        (
            "workflow \"owner first\", filter 1, step 1: known_worker:",
            |plan| {
                let known = plan.workflows[0].filters[0].steps[0].known_worker.as_mut();
                known.expect("there").path = "'WK1'".to_owned();
            },
        ),
        (
            "workflow \"owner first\", filter 1, step 1: timeout: a timeout of",
            |plan| {
                plan.workflows[0].filters[0].steps[0].timeout = seconds(1_209_601);
            },
        ),
        (
            "workflow \"owner first\", default: timeout: the default has",
            |plan| {
                plan.workflows[0].default.as_mut().expect("there").timeout = seconds(1);
            },
        ),
        (
            "workflow \"owner first\", default: unknown queue \"fish\"",
            |plan| {
                plan.workflows[0].default.as_mut().expect("there").queue = "fish".to_owned();
            },
        ),
    ];
    for (expected, damage) in damages {
        let mut plan = whole_plan();
        damage(&mut plan);
        let errors: Vec<String> = plan.check().iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{expected}: {errors:#?}");
        assert!(errors[0].starts_with(expected), "{expected}: {errors:#?}");
        assert!(plan.check()[0].help.is_some());
    }
}

#[test]
fn bounds_of_a_workflow_are_held() {
    let mut workflow = WorkflowSpec::new("w", "q");
    workflow.reservation_timeout = seconds(86_401);
    workflow.time_to_live = Duration::ZERO;
    workflow.most_offers = 0;
    let step = workflow.default.as_mut().expect("there");
    step.priority = Some(i64::from(i32::MAX) + 1);
    step.queue.clear();
    let said: Vec<String> = workflow
        .faults()
        .iter()
        .map(|it| it.spot.to_string())
        .collect();
    assert_eq!(
        said,
        [
            "reservation_timeout",
            "time_to_live",
            "most_offers",
            "default",
            "default: priority"
        ]
    );
    workflow.default = None;
    assert_eq!(workflow.faults()[0].message, "it leads nowhere");
    let filter = FilterSpec {
        expression: "1==1".to_owned(),
        steps: vec![StepSpec::new("q"); 2],
        ..FilterSpec::default()
    };
    workflow.filters = vec![filter; WorkflowSpec::MOST_STEPS / 2 + 1];
    assert!(
        workflow.faults()[0]
            .message
            .contains("more than 10000 steps")
    );
}

/// What `lints` says: place and message.
fn lints(workflow: &WorkflowSpec) -> Vec<String> {
    assert_eq!(workflow.faults(), []);
    let lints = workflow.lints(&Schema::default()).into_iter();
    let said = lints.filter(|lint| !lint.is_note).map(|lint| {
        assert!(!lint.help.is_empty());
        format!("{}: {}", lint.spot, lint.message)
    });
    said.collect()
}

#[test]
fn what_no_task_can_reach_is_told() {
    let filter =
        |expression: &str, targets: Value| json!({"expression": expression, "targets": targets});
    let workflow = |filters: Value| {
        read(json!({"task_routing": {"filters": filters, "default_filter": {"queue": "q"}}}))
            .workflow
    };
    let stays = || json!([{"queue": "q"}]);
    let goes = || json!([{"queue": "q", "timeout": 5}]);
    let found = lints(&workflow(json!([
        filter("a == 'x'", stays()),
        filter("a==\"x\"", stays()),
        filter("a == 'x '", stays()),
    ])));
    assert_eq!(
        found,
        [
            "filter 2: expression: no task comes here: filter 1 has the same expression and keeps \
          its tasks"
        ]
    );
    // Who times out goes on to the next filter that matches.
    let twice = workflow(json!([filter("a==1", goes()), filter("a == 1", stays())]));
    assert_eq!(lints(&twice), Vec::<String>::new());
    let found = lints(&workflow(json!([filter(
        "a==1",
        json!([
            {"queue": "q", "timeout": 5}, {"queue": "q"}, {"queue": "q"}, {"queue": "q"}
        ])
    )])));
    assert_eq!(
        found,
        ["filter 1, step 3: no task comes here: step 2 has neither timeout nor skip_if"]
    );
    let found = lints(&workflow(json!([
        filter("1 == 1", stays()),
        filter("b==1", stays())
    ])));
    assert_eq!(
        found,
        [
            "filter 2: no task comes here: filter 1 takes all",
            "default: no task comes here: filter 1 takes all"
        ]
    );
    // A workflow that goes on when nobody is there comes everywhere.
    let mut all = workflow(json!([filter("1 == 1", stays()), filter("b==1", stays())]));
    all.skip_when_nobody = WhenNobody::NoneOnDuty;
    assert_eq!(lints(&all), Vec::<String>::new());
    let found = lints(&workflow(json!([filter("a = 1", stays())])));
    assert_eq!(found, ["filter 1: expression: `=` is read as `==`"]);
}

#[test]
fn a_workflow_says_how_its_expressions_are_read() {
    let mut workflow = WorkflowSpec::new("w", "q");
    let step = workflow.default.as_mut().expect("there");
    step.expression = Some("task.email == worker.email OR worker.a STARTSWITH 'b'".to_owned());
    let judge = |workflow: &WorkflowSpec| {
        let text = workflow
            .default
            .as_ref()
            .and_then(|it| it.expression.as_ref());
        let expression = workflow.parse(text.expect("there"))?;
        let nothing = serde_json::Map::new();
        Ok::<bool, crate::expr::Error>(expression.eval(&Scope::new(&nothing, &nothing)))
    };
    assert_eq!(judge(&workflow), Ok(false));
    workflow.missing_equals_missing = true;
    assert_eq!(judge(&workflow), Ok(true));
    workflow.extensions = false;
    assert!(judge(&workflow).is_err());
    let faults: Vec<String> = workflow
        .faults()
        .iter()
        .map(|it| it.message.clone())
        .collect();
    assert_eq!(faults, ["STARTSWITH is no part of TaskRouter's language"]);
    // A fact of before does not say it.
    let mut written = serde_json::to_value(WorkflowSpec::new("w", "q")).expect("it prints");
    for key in ["missing_equals_missing", "extensions"] {
        let fields = written.as_object_mut().expect("an object");
        assert!(fields.remove(key).is_some(), "{key}");
    }
    let read: WorkflowSpec = serde_json::from_value(written).expect("it is read");
    assert_eq!(read, WorkflowSpec::new("w", "q"));
}
