//! Workflows in both forms, profiles, channels and what queues say of routing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::router::{
    At, Destination as Way, Document, KnownWorker, OtherChannels, ProfileEntry, QueueOrder,
    StepSpec, Strategy, WhenNobody, WorkerKey,
};

pub(super) const OWNER_FIRST: &str = include_str!("../../../tests/data/workflows/owner-first.json");

/// An office of a few lines; `more` are files beside the least it needs.
pub(super) fn office(more: &[(&str, &str)]) -> Result<Office, Report> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut files = vec![
        ("node.toml", "name = \"a\"\nregion = \"b\"\n"),
        (
            "phones.toml",
            "[[phone]]\nnumber = \"10\"\npassword = \"demo\"\n[[phone]]\nnumber = \"11\"\n\
             password = \"demo\"\n",
        ),
        (
            "agents.toml",
            "[[agent]]\nname = \"sato\"\nphone = \"10\"\n\
             attributes = { email = \"sato@example.com\", department_id = 1 }\n",
        ),
        (
            "queues.toml",
            "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\nsid = \"WQ1\"\n\
             [[queue]]\nname = \"support\"\nagents = \"1==1\"\n",
        ),
    ];
    for (name, text) in more {
        files.retain(|(other, _)| other != name);
        files.push((*name, *text));
    }
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }
    load_with(directory.path(), &[])
}

pub(super) fn good(more: &[(&str, &str)]) -> Office {
    office(more).unwrap_or_else(|report| panic!("{report}"))
}

/// What is warned of, or wrong: `file:line:column: level: what`.
pub(super) fn said(more: &[(&str, &str)]) -> Vec<String> {
    let report = match office(more) {
        Ok(office) => office.warnings,
        Err(report) => report,
    };
    let text = report.to_string();
    let lines = text.lines().filter(|line| !line.starts_with("    help:"));
    let all: Vec<String> = lines.map(str::to_owned).collect();
    all[..all.len() - 1].to_vec()
}

/// A flow that leads into a workflow.
pub(super) fn flow(workflow: &str) -> String {
    format!(
        "start = \"in\"\n[steps.in]\ndo = \"queue\"\nworkflow = \"{workflow}\"\n\
         nobody = \"hangup\"\n"
    )
}

#[test]
fn a_document_and_our_own_form_say_the_same() {
    let ours = r#"
        [[workflow]]
        name = "ours"
        skip_when_nobody = "wait"
        [[workflow.filter]]
        name = "email"
        expression = "filter=='email'"
        [[workflow.filter.step]]
        queue = "sales"
        expression = "task.email==worker.email"
        priority = 1
        timeout = "10s"
        [[workflow.filter.step]]
        expression = "task.department_id==worker.department_id"
        priority = 2
        [[workflow.filter]]
        name = "department_id"
        expression = "filter=='department_id'"
        step = [{ queue = "sales", expression = "worker.department_id IN task.department_id", priority = 3 }]
        [workflow.default]
        queue = "sales"

        [[workflow]]
        name = "lenient"
        document = "owner-first"
        lenient = true
        reservation_timeout = "30s"
    "#;
    let office = good(&[
        ("workflows.toml", ours),
        ("workflows/owner-first.json", OWNER_FIRST),
        ("workflows/strict.json", OWNER_FIRST),
    ]);
    let [ours, lenient, strict] = &office.plan.workflows[..] else {
        panic!("{:#?}", office.plan.workflows)
    };
    assert_eq!((&*lenient.name, &*strict.name), ("lenient", "strict"));
    assert_eq!(
        (&ours.filters, &ours.default),
        (&strict.filters, &strict.default)
    );
    assert_eq!(
        (&ours.filters, &ours.default),
        (&lenient.filters, &lenient.default)
    );
    assert_eq!(ours.skip_when_nobody, strict.skip_when_nobody);
    assert_eq!((lenient.lenient, strict.lenient), (true, false));
    assert_eq!(lenient.reservation_timeout, Some(Duration::from_secs(30)));
    // Printed with the sid of the queue, as it was written; its numbers are numbers.
    let mut written: serde_json::Value = serde_json::from_str(OWNER_FIRST).expect("JSON");
    for pointer in ["/0/targets/0", "/0/targets/1", "/1/targets/0"] {
        let target = written["task_routing"]["filters"]
            .pointer_mut(pointer)
            .expect("there");
        for key in ["priority", "timeout"] {
            if let Some(number) = target[key].as_str().map(str::parse::<u64>) {
                target[key] = number.expect("a number").into();
            }
        }
    }
    assert_eq!(strict.to_document(&office.plan.queues), written);
    assert_eq!(office.plan.check(), []);
}

#[test]
fn every_field_of_a_workflow_is_read() {
    let text = r#"
        [[workflow]]
        name = "w"
        skip_when_nobody = "no_match"
        time_to_live = "2h"
        most_offers = 7
        [[workflow.filter]]
        expression = "1 == 1"
        [[workflow.filter.step]]
        queue = "WQ1"
        order_by = "worker.level DESC"
        skip_if = "workers.available == 0"
        known_worker = "task.owner"
        timeout = "500ms"
        [[workflow.filter.step]]
        known_worker_sid = "task.owner_sid"
        priority = -5
    "#;
    let office = good(&[("workflows.toml", text)]);
    let workflow = &office.plan.workflows[0];
    let known = |path: &str, by| {
        let path = path.to_owned();
        Some(KnownWorker { path, by })
    };
    assert_eq!(
        workflow.filters[0].steps,
        [
            StepSpec {
                order_by: Some("worker.level DESC".to_owned()),
                skip_if: Some("workers.available == 0".to_owned()),
                known_worker: known("task.owner", WorkerKey::Name),
                timeout: Some(Duration::from_millis(500)),
                ..StepSpec::new("sales")
            },
            StepSpec {
                known_worker: known("task.owner_sid", WorkerKey::Sid),
                priority: Some(-5),
                ..StepSpec::new("sales")
            },
        ]
    );
    assert_eq!(workflow.default, None);
    assert_eq!(
        (
            workflow.skip_when_nobody,
            workflow.time_to_live,
            workflow.most_offers
        ),
        (WhenNobody::NoMatch, Duration::from_secs(7200), 7)
    );
}

#[test]
fn queues_agents_and_profiles_say_how_calls_are_shared() {
    let queues = r#"
        [[queue]]
        name = "sales"
        agents = "1==1"
        sid = "WQ1"
        strategy = "least_calls"
        max_reserved = 3
        sticky = "from"
        wrap_up = "open"
        wrap_up_codes = ["order", "その他"]
        wrap_up_code_required = true
        misses = 2
        [[queue]]
        name = "all"
        agents = "1==1"
        ring_all = true
        order_by = "worker.level DESC"
        agent_queue = true
    "#;
    let agents = r#"
        [[agent]]
        name = "sato"
        phone = "10"
        profile = "seller"
        capacity = { chat = 2 }
    "#;
    let profiles = r#"
        [[channel]]
        name = "chat"
        capacity = 3
        [[profile]]
        name = "seller"
        serves = [{ queue = "sales" }, { queue = "sales", channel = "chat", priority = 2, delay = "30s" }]
        channels = { chat = { others = "barred" } }
    "#;
    let files = [
        ("queues.toml", queues),
        ("agents.toml", agents),
        ("profiles.toml", profiles),
    ];
    let office = good(&files);
    assert_eq!(said(&files), Vec::<String>::new());
    let [sales, all] = &office.plan.queues[..] else {
        panic!("{:#?}", office.plan.queues)
    };
    assert_eq!((sales.sid.as_deref(), sales.agent), (Some("WQ1"), false));
    assert_eq!(
        (&sales.strategy, sales.max_reserved),
        (&Strategy::LeastCalls, 3)
    );
    assert_eq!((sales.sticky.as_deref(), sales.misses), (Some("from"), 2));
    assert_eq!((sales.wrap_up_open, sales.wrap_up), (true, Duration::ZERO));
    assert_eq!(sales.wrap_up_codes, ["order", "その他"]);
    assert!(sales.wrap_up_code_required);
    assert_eq!(
        all.strategy,
        Strategy::OrderBy("worker.level DESC".to_owned())
    );
    assert_eq!((all.max_reserved, all.agent, all.misses), (50, true, 1));
    let worker = &office.plan.workers[0];
    assert_eq!(worker.profile.as_deref(), Some("seller"));
    assert_eq!(worker.capacity, BTreeMap::from([("chat".to_owned(), 2)]));
    let profile = &office.plan.profiles[0];
    let entry = |channel: &str, priority, delay| ProfileEntry {
        queue: "sales".to_owned(),
        channel: channel.to_owned(),
        priority,
        delay: Duration::from_secs(delay),
    };
    assert_eq!(
        profile.entries,
        [entry("voice", 1, 0), entry("chat", 2, 30)]
    );
    let chat = profile.channels["chat"];
    assert_eq!((chat.capacity, chat.others), (3, OtherChannels::Barred));
    assert_eq!(office.plan.check(), []);
}

#[test]
fn a_flow_leads_into_a_workflow() {
    let text = "[[workflow]]\nname = \"w\"\n[workflow.default]\nqueue = \"sales\"\n";
    let flow = flow("w");
    let files = [("workflows.toml", text), ("flows/main.toml", flow.as_str())];
    let office = good(&files);
    assert_eq!(said(&files), Vec::<String>::new());
    let crate::flow::Step::Queue(queueing) = &office.flows["main"].steps["in"] else {
        panic!("no queue step")
    };
    assert_eq!(queueing.to, Way::Workflow("w".to_owned()));
    let written = serde_json::to_value(&*office.flows["main"]).expect("it prints");
    assert_eq!(written["steps"]["in"]["workflow"], "w");
    let read: crate::flow::Document = serde_json::from_value(written).expect("it is read");
    assert_eq!(read, *office.flows["main"]);
}

#[test]
fn a_changed_workflow_profile_or_channel_is_told_at_a_reload() {
    let workflows = |queue: &str| {
        format!("[[workflow]]\nname = \"w\"\n[workflow.default]\nqueue = \"{queue}\"\n")
    };
    let profiles = |queue: &str| {
        format!(
            "[[channel]]\nname = \"chat\"\ncapacity = {}\n[[profile]]\nname = \"p\"\n\
             serves = [{{ queue = \"{queue}\" }}]\n",
            queue.len()
        )
    };
    let with = |queue: &str| {
        good(&[
            ("workflows.toml", &workflows(queue)),
            ("profiles.toml", &profiles(queue)),
            (
                "workflows/d.json",
                &OWNER_FIRST.replace("\"10\"", &format!("\"{}\"", queue.len())),
            ),
        ])
    };
    let (before, after) = (with("sales"), with("support"));
    assert_eq!(
        before.changes_to(&after).changed,
        ["channel chat", "profile p", "workflow d", "workflow w"]
    );
    assert_ne!(before.hash, after.hash);
}

#[test]
fn what_is_doubtful_is_warned_of_in_both_forms() {
    let toml = "[[workflow]]\nname = \"w\"\nskip_when_nobody = \"wait\"\n\
        [[workflow.filter]]\nexpression = \"a == 1\"\n\
        step = [{ queue = \"sales\" }, { queue = \"sales\" }]\n\
        [[workflow.filter]]\nexpression = \"a==1\"\n\
        step = [{ queue = \"sales\", expression = \"worker.department_id == 7\" }]\n";
    let json = "{\"task_routing\": {\"filters\": [\n\
        {\"expression\": \"a == 1\", \"targets\": [{\"queue\": \"WQ1\"},\n {\"queue\": \"WQ1\"}]},\n\
        {\"expression\": \"a = 1\", \"targets\": [{\"queue\": \"WQ1\"}]},\n\
        {\"expression\": \"1==1\", \"targets\": [{\"timout\": 5, \"queue\": \"support\"}]}],\n\
        \"default_filter\": {\"queue\": \"WQ1\", \"timeout\": 5}}}\n";
    let found = said(&[
        ("workflows.toml", toml),
        ("workflows/d.json", json),
        ("flows/main.toml", &flow("d")),
    ]);
    assert_eq!(
        found,
        [
            "workflows.toml:2:8: warning: no flow leads to the workflow \"w\"",
            "workflows.toml:6:30: warning: no task comes here: step 1 has neither timeout nor \
             skip_if",
            "workflows.toml:8:14: warning: no task comes here: filter 1 has the same expression \
             and keeps its tasks",
            "workflows.toml:9:41: warning: no agent of \"sales\" can take this step",
            "workflows/d.json:3:2: warning: no task comes here: step 1 has neither timeout nor \
             skip_if",
            "workflows/d.json:4:19: warning: `=` is read as `==`",
            "workflows/d.json:5:47: warning: `timout` means nothing here and is only kept",
            "workflows/d.json:6:19: warning: no task comes here: filter 3 takes all",
            "workflows/d.json:6:47: warning: the default filter has no timeout: this one is not \
             looked at",
        ]
    );
}

#[test]
fn a_queue_that_profiles_leave_out_is_served_by_nobody() {
    let agents = "[[agent]]\nname = \"sato\"\nphone = \"10\"\nprofile = \"p\"\n";
    let profiles = "[[profile]]\nname = \"p\"\nserves = [{ queue = \"sales\" }]\n";
    let mut files = vec![("agents.toml", agents), ("profiles.toml", profiles)];
    let found = said(&files);
    assert_eq!(
        found,
        ["queues.toml:6:8: warning: no agent's profile has this queue, so nobody serves it"]
    );
    let free = "[[agent]]\nname = \"emma\"\nphone = \"11\"\n";
    let both = format!("{agents}{free}");
    files[0].1 = &both;
    assert_eq!(said(&files), Vec::<String>::new());
}

#[test]
fn the_reference_shows_a_workflow_that_is_what_it_says() {
    let reference = fs::read_to_string(below("config/workflows.toml")).expect("readable");
    let live: String = reference
        .lines()
        .filter_map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)))
        .map(|line| format!("{line}\n"))
        .collect();
    let office = good(&[("workflows.toml", &live)]);
    let workflow = &office.plan.workflows[0];
    let steps: Vec<(At, &str)> = workflow
        .steps()
        .map(|(at, step)| (at, &*step.queue))
        .collect();
    assert_eq!(
        steps,
        [
            (At::Filter(0, 0), "sales"),
            (At::Filter(0, 1), "sales"),
            (At::Default, "support")
        ]
    );
    let printed = workflow.to_document(&office.plan.queues).to_string();
    assert!(Document::parse("w", &printed).is_ok());
}

#[test]
fn the_kind_of_queue_that_goes_first_is_said_once_for_all() {
    let queue = "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\n";
    let first = |text: &str| format!("prioritize_queue_order = \"{text}\"\n{queue}");
    let plan = |text: &str| good(&[("queues.toml", text)]).plan;
    assert_eq!(plan(queue).prioritize_queue_order, QueueOrder::Fifo);
    let lifo = plan(&first("lifo"));
    assert_eq!(lifo.prioritize_queue_order, QueueOrder::Lifo);
    assert_ne!(lifo.hash(), plan(queue).hash());
    let twice = said(&[
        ("queues.toml", &first("lifo")),
        ("queues/more.toml", "prioritize_queue_order = \"fifo\"\n"),
    ]);
    assert!(twice[0].contains("is given twice"), "{twice:?}");
    let wrong = said(&[("queues.toml", &first("filo"))]);
    assert!(wrong[0].starts_with("queues.toml:1:"), "{wrong:?}");
}

#[test]
fn a_code_that_is_required_where_it_can_not_be_given_is_doubted() {
    let queue = |wrap_up: &str| {
        format!(
            "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\nwrap_up_codes = [\"order\"]\n\
             wrap_up_code_required = true\n{wrap_up}"
        )
    };
    let said = |wrap_up: &str| said(&[("queues.toml", &queue(wrap_up))]);
    assert!(said("")[0].starts_with("queues.toml:5:"), "{:?}", said(""));
    assert!(said("")[0].contains("no after-call work"));
    for wrap_up in ["wrap_up = \"60s\"", "wrap_up = \"open\""] {
        assert_eq!(said(wrap_up), Vec::<String>::new());
    }
}
