//! Documents that are long, deep, or wrong in thousands of places.

use super::*;

#[test]
fn every_mistake_is_told_at_once_but_not_without_end() {
    let text = "{\"task_routing\": {\"filters\": [1, {\"targets\": 2}, {\"expression\": \"a b\", \
                \"targets\": [{\"queue\": 3}]}], \"default_filter\": []}}";
    assert_eq!(wrong(text).len(), 6, "{:#?}", wrong(text));
    let filters = vec!["1"; 100_000].join(",");
    let said = wrong(&format!("{{\"task_routing\":{{\"filters\":[{filters}]}}}}"));
    assert_eq!(said.len(), 100);
}

/// However many mistakes there are, the text is walked through once for their places.
#[test]
fn places_cost_one_walk_however_many_mistakes_there_are() {
    let good = "{\"expression\":\"1==1\",\"targets\":[{\"queue\":\"q\"}]}";
    let bad = good.replace("==1", "==");
    let filters = format!("{good},{}", vec![bad.as_str(); 9_999].join(","));
    let text = format!("{{\"task_routing\":{{\"filters\":[{filters}]}}}}");
    let before = DocumentPlaces::walks();
    let faults = Document::parse("w", &text).expect_err("9,999 are wrong");
    assert_eq!((faults.len(), DocumentPlaces::walks() - before), (100, 1));
    assert_eq!(faults[99].path, "task_routing.filters[100].expression");
    // Doubts are bounded as well.
    let doubtful = text.replace("==\"", "=1\"");
    let workflow = Document::parse("w", &doubtful)
        .expect("it is read")
        .workflow;
    let lints = workflow.lints(&Schema::default());
    let places = DocumentPlaces::of(&doubtful);
    for lint in &lints {
        let start = places.span_of(&lint.spot).start;
        assert!(doubtful[..start].ends_with("\"1") || doubtful[start..].starts_with('{'));
    }
    assert_eq!((lints.len(), DocumentPlaces::walks() - before), (100, 2));
}

#[test]
fn names_too_long_for_a_slip_are_not_compared() {
    let long = "timeoutt".repeat(1 << 16);
    let document = read(one_step(json!({"queue": "q", long: 1, "Timeoutt": 1})));
    let said: Vec<&str> = document
        .doubts
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    assert_eq!(said, ["`Timeoutt` means nothing here and is only kept"]);
}

/// What is kept of a document stands deeper in the fact of a new plan.
#[test]
fn what_is_kept_can_be_read_back_from_a_fact() {
    let nested = |levels: usize| {
        let text = format!(
            "{{\"task_routing\":{{\"filters\":[{{\"expression\":\"1==1\",\"targets\":[\
             {{\"queue\":\"q\",\n\"note\":{}\"]\"{}}}]}}]}}}}",
            "[".repeat(levels),
            "]".repeat(levels)
        );
        Document::parse("w", &text).map(|document| document.workflow)
    };
    let workflow = nested(Document::DEEPEST - 6).expect("as deep as may be");
    let mut plan = crate::router::Plan::default();
    plan.workflows.push(workflow);
    // As deep again as the facts and snapshots around it are.
    let written = json!([[[[[[[[{"plan": plan}]]]]]]]]).to_string();
    let read: Value = serde_json::from_str(&written).expect("it can be read");
    assert_eq!(read.to_string(), written);
    let faults = nested(Document::DEEPEST - 5).expect_err("too deep");
    assert_eq!(faults[0].message, "nested deeper than 64");
    assert_eq!((faults[0].line, faults[0].column), (2, 8 + 58));
}

#[test]
fn long_and_deep_documents_are_read_or_refused() {
    let filter = "{\"expression\":\"a==1\",\"targets\":[{\"queue\":\"q\",\"expression\":\"task.a==worker.a\"}]}";
    let many = |count: usize| {
        let filters = vec![filter; count].join(",");
        format!("{{\"task_routing\":{{\"filters\":[{filters}]}}}}")
    };
    let full = many(10_000);
    assert!(
        full.len() > 800_000 && full.len() < Document::LONGEST,
        "{}",
        full.len()
    );
    let document = Document::parse("w", &full).expect("it is read");
    assert_eq!(document.workflow.filters.len(), 10_000);
    assert!(wrong(&many(10_001))[0].contains("more than 10000 steps"));
    assert!(wrong(&many(20_000))[0].contains("longer than 1048576 bytes"));
    for deep in [
        "[".repeat(1 << 19),
        "{\"a\":".repeat(1 << 17),
        "[{\"a\":".repeat(1 << 16),
    ] {
        assert_eq!(wrong(&deep), wrong(&deep[..]));
        assert!(
            wrong(&deep)[0].contains("nested deeper than 64"),
            "{:?}",
            wrong(&deep)
        );
    }
    let nested = format!("{}1==1{}", "(".repeat(3000), ")".repeat(3000));
    let deep = one_step(json!({"queue": "q", "expression": nested}));
    assert!(wrong(&deep.to_string())[0].contains("nested deeper than 64"));
    let long = one_step(json!({"queue": "q", "expression": "a".repeat(1_000_000)}));
    assert!(wrong(&long.to_string())[0].contains("longer than 32768 bytes"));
    let unknown = one_step(json!({"queue": "q", "note": "x".repeat(1_000_000)}));
    assert_eq!(
        read(unknown.clone()).workflow.to_document(&[])["task_routing"]["filters"],
        unknown["task_routing"]["filters"]
    );
}
