//! The plan found in production (requirements, section 2.2a), unchanged, on 300 workers: owner
//! first for 10 s, then his department.

use super::*;

const DOCUMENT: &str = include_str!("../../../tests/data/workflows/owner-first.json");
const WORKERS: usize = 300;
const DEPARTMENTS: usize = 20;

fn name(n: usize) -> String {
    format!("agent{n:03}")
}

fn open(is_lenient: bool) -> Office {
    let mut workflow = Document::parse("w", DOCUMENT).expect("it loads").workflow;
    workflow.lenient = is_lenient;
    let queue = QueueSpec {
        sid: Some("WQ1".to_owned()),
        ring_timeout: seconds(120),
        ..QueueSpec::new("everybody", "1==1")
    };
    let queues = vec![queue];
    workflow.resolve(&queues);
    let workers = (0..WORKERS).map(|n| {
        let name = name(n);
        let attributes = json!({
            "email": format!("{name}@example.com"),
            "contact_uri": format!("client:{name}"),
            "department_id": n % DEPARTMENTS,
        });
        worker(&name, attributes)
    });
    Office::new(&Plan {
        workers: workers.collect(),
        queues,
        workflows: vec![workflow],
        ..plan()
    })
}

/// A call for somebody, by his address or by his department.
fn call(id: &str, n: usize, filter: &str) -> Command {
    let email = format!("{}@example.com", name(n));
    let department = n % DEPARTMENTS;
    enter(
        id,
        "w",
        json!({"person_name": "Alice", "email": email, "department_id": department,
               "filter": filter}),
    )
}

/// Who of the department is next: all are idle in the order of their numbers.
fn colleague(n: usize, except: &[usize]) -> String {
    let mut department = (n % DEPARTMENTS..WORKERS).step_by(DEPARTMENTS);
    let found = department.find(|other| *other != n && !except.contains(other));
    name(found.expect("somebody"))
}

/// Bar 2: present, busy, away, unknown; the waiting time is exact.
#[test]
fn the_owner_then_his_department_lenient_and_strict() {
    for is_lenient in [false, true] {
        for n in [0, 17, 142, 299] {
            let mut office = open(is_lenient);
            office.ask(call("present", n, "email"));
            let story = ["0 0.0 Entered".to_owned(), format!("0 > {}", name(n))];
            assert_eq!(office.story("present"), story);
            assert_eq!(office.task("present").priority, 1, "from a numeric string");

            // The owner now has an offer: he is busy.
            office.until(1_000);
            office.accept("present.1");
            office.ask(call("busy", n, "email"));
            office.until(20_000);
            let story = [
                "1000 0.0 Entered".to_owned(),
                "1000 waits".to_owned(),
                "11000 0.1 TimedOut".to_owned(),
                format!("11000 > {}", colleague(n, &[])),
            ];
            assert_eq!(office.story("busy"), story);
            assert_eq!(office.task("busy").priority, 2);

            // Away: the document has no `skip_if`, so its step is waited for.
            office.activity(&name(n), "away");
            let free: usize = colleague(n, &[])[5..].parse().expect("a number");
            office.ask(call("away", n, "email"));
            office.until(40_000);
            let story = [
                "20000 0.0 Entered".to_owned(),
                "20000 waits".to_owned(),
                "30000 0.1 TimedOut".to_owned(),
                format!("30000 > {}", colleague(n, &[free])),
            ];
            assert_eq!(office.story("away"), story);

            // An owner nobody knows, of a department that exists.
            let mut unknown = call("unknown", 3, "email");
            if let Command::CreateTask(new) = &mut unknown {
                new.attributes["email"] = json!("former.colleague@example.com");
            }
            office.ask(unknown);
            office.until(60_000);
            let wanted = colleague(3, &[3, n, free]);
            let story = office.story("unknown");
            assert_eq!(story[2], "50000 0.1 TimedOut");
            // Of department 3 everybody is free here but those of the calls before.
            let all = (3..WORKERS).step_by(DEPARTMENTS).map(name);
            let busy = ["present", "busy", "away"].map(|id| office.task(id).worker);
            let first = all
                .into_iter()
                .find(|name| !busy.contains(&Some(name.clone())));
            let first = first.unwrap_or(wanted);
            assert_eq!(story[3], format!("50000 > {first}"));
        }
    }
}

/// R69: `worker.department_id IN task.department_id` with a single number on the right.
#[test]
fn the_department_filter_is_for_nobody_when_strict_and_works_when_lenient() {
    for is_lenient in [false, true] {
        let mut office = open(is_lenient);
        office.ask(call("a", 42, "department_id"));
        office.until(86_399_999);
        let story = office.story("a");
        if is_lenient {
            assert_eq!(
                story[..2],
                ["0 1.0 Entered".to_owned(), format!("0 > {}", name(2))]
            );
            assert_eq!(office.task("a").priority, 3);
        } else {
            assert_eq!(
                story,
                ["0 1.0 Entered", "0 waits"],
                "it waits as long as it lives"
            );
        }
        // With a list there, as the language wants it, both take it.
        let mut office = open(is_lenient);
        let mut listed = call("a", 42, "department_id");
        if let Command::CreateTask(new) = &mut listed {
            new.attributes["department_id"] = json!([19, 2]);
        }
        office.ask(listed);
        assert_eq!(office.story("a")[1], format!("0 > {}", name(2)));
    }
}

/// Neither filter matches: the default filter without targets takes it.
#[test]
fn who_names_neither_comes_to_everybody() {
    let mut office = open(false);
    office.ask(call("a", 42, "nothing of that kind"));
    assert_eq!(
        office.story("a"),
        ["0 default Entered".to_owned(), format!("0 > {}", name(0))]
    );
}
