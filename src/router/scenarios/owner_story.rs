//! The caller's owner for ten seconds, then his department, then anybody present, then a machine:
//! requirements R60 to R64, R66, R76.

use super::*;

const CALL: u64 = 2_000;

/// Three departments of three; the caller's owner is "owner" of department 1.
fn people() -> Vec<(&'static str, Value)> {
    let of = |department: u32, email: &str| json!({"department": department, "email": email});
    vec![
        ("owner", of(1, "owner@example.jp")),
        ("near", of(1, "near@example.jp")),
        ("also near", of(1, "also.near@example.jp")),
        ("far", of(2, "far@example.jp")),
    ]
}

fn workflow() -> WorkflowSpec {
    let filters = json!([{"filter_friendly_name": "customer", "expression": "owner != null",
        "targets": [
            {"queue": "all", "expression": "worker.email == task.owner", "timeout": 10},
            {"queue": "all", "expression": "worker.department == task.department"}]}]);
    let mut workflow = routing("w", filters, json!({"queue": "all"}));
    // R63: our own default, where TaskRouter waits.
    workflow.skip_when_nobody = WhenNobody::NoneOnDuty;
    workflow
}

fn open() -> Office {
    Office::new(&office_of(&people(), workflow()))
}

fn call(office: &mut Office, id: &str) -> Vec<Output> {
    office.until(CALL);
    let known = json!({"owner": "owner@example.jp", "department": 1});
    office.enter(id, "w", known)
}

fn busy(office: &mut Office, names: &[&str]) {
    for name in names {
        office.tell(Command::SetBusy {
            worker: (*name).to_owned(),
            shard: 0,
            busy: true,
        });
    }
}

fn away(office: &mut Office, names: &[&str]) {
    for name in names {
        office.activity(name, "away");
    }
}

/// R60: the table of who is chosen, and after how long, to the millisecond.
#[test]
fn r60_owner_present_busy_away_unknown() {
    let mut office = open();
    call(&mut office, "a");
    assert_eq!(
        office.story("a"),
        ["2000 0.0 Entered", "2000 > owner"],
        "present"
    );

    let mut office = open();
    busy(&mut office, &["owner"]);
    call(&mut office, "a");
    office.until(60_000);
    let story = [
        "2000 0.0 Entered",
        "2000 waits",
        "12000 0.1 TimedOut",
        "12000 > near",
    ];
    assert_eq!(office.story("a"), story, "busy");

    let mut office = open();
    away(&mut office, &["owner"]);
    call(&mut office, "a");
    let story = [
        "2000 0.0 Entered",
        "2000 0.1 Skipped(NoneOnDuty)",
        "2000 > near",
    ];
    assert_eq!(office.story("a"), story, "away: 0 ms");

    let mut office = open();
    office.until(CALL);
    office.enter(
        "a",
        "w",
        json!({"owner": "nobody@example.jp", "department": 1}),
    );
    let story = [
        "2000 0.0 Entered",
        "2000 0.1 Skipped(NoMatch)",
        "2000 > owner",
    ];
    assert_eq!(
        office.story("a"),
        story,
        "an owner we do not know: the longest idle"
    );

    let mut office = open();
    office.until(CALL);
    office.enter("a", "w", json!({"department": 1}));
    assert_eq!(
        office.story("a"),
        ["2000 default Entered", "2000 > owner"],
        "a new customer"
    );
}

/// R60: the department is not there either: anybody present.
#[test]
fn r60_then_anybody_present() {
    let mut office = open();
    away(&mut office, &["owner", "near", "also near"]);
    call(&mut office, "a");
    let story = [
        "2000 0.0 Entered",
        "2000 0.1 Skipped(NoneOnDuty)",
        "2000 default Skipped(NoneOnDuty)",
        "2000 > far",
    ];
    assert_eq!(office.story("a"), story);
}

/// R61: escalation at 10.000 s while the owner's phone rings no longer; the department waits
/// without limit.
#[test]
fn r61_escalation_at_ten_seconds_and_a_department_without_limit() {
    let mut office = open();
    busy(&mut office, &["owner", "near", "also near"]);
    call(&mut office, "a");
    office.until(CALL + 9_999);
    assert_eq!(office.task("a").at, Some(At::Filter(0, 0)));
    office.until(CALL + 10_000);
    assert_eq!(office.task("a").at, Some(At::Filter(0, 1)));
    office.until(CALL + 10_000 + 3_600_000);
    assert_eq!(office.task("a").at, Some(At::Filter(0, 1)), "an hour later");
    office.tell(Command::SetBusy {
        worker: "also near".to_owned(),
        shard: 0,
        busy: false,
    });
    assert_eq!(offers(&office.heard()), ["a>also near"]);
}

/// R61: the owner's own phone rings for as long as the queue says; the step ends while it rings,
/// and the task moves on when the offer ends.
#[test]
fn r61_a_ringing_owner_is_not_cut_off_by_the_step() {
    let mut plan = office_of(&people(), workflow());
    plan.queues[0].ring_timeout = seconds(15);
    let mut office = Office::new(&plan);
    call(&mut office, "a");
    office.until(CALL + 15_000);
    let story = [
        "2000 0.0 Entered",
        "2000 > owner",
        "17000 0.1 TimedOut",
        "17000 > near",
    ];
    assert_eq!(office.story("a"), story);
    assert_eq!(office.worker("owner").activity, NOT_ANSWERING);

    // To be cut off at 10.000 s, offers of the workflow last as long as its step.
    let mut plan = office_of(&people(), workflow());
    plan.workflows[0].reservation_timeout = Some(seconds(10));
    let mut office = Office::new(&plan);
    call(&mut office, "a");
    office.until(CALL + 10_000);
    let story = office.story("a");
    assert_eq!(story[1], "2000 > owner");
    assert_eq!(
        story.last().map(String::as_str),
        Some("12000 > near"),
        "{story:?}"
    );
}

/// R62: with nobody there at all the task is out at once: the flow's machine speaks.
#[test]
fn r62_with_nobody_present_the_machine_speaks_at_once() {
    let mut office = open();
    away(&mut office, &["owner", "near", "also near", "far"]);
    let heard = call(&mut office, "a");
    assert_eq!(endings(&heard), [left("a", LeftWhy::WorkflowSkipped)]);
    assert_eq!(
        office.story("a").last().map(String::as_str),
        Some("2000 out WorkflowSkipped")
    );
}

/// R63: whoever goes while a task waits for him alone sends it on, and the reason is kept.
#[test]
fn r63_a_step_deserted_while_a_task_waits_is_left_at_once() {
    let mut office = open();
    busy(&mut office, &["owner"]);
    call(&mut office, "a");
    office.until(CALL + 4_000);
    away(&mut office, &["owner"]);
    let story = [
        "2000 0.0 Entered",
        "2000 waits",
        "6000 0.1 Skipped(NoneOnDuty)",
        "6000 > near",
    ];
    assert_eq!(office.story("a"), story);
}

/// R63: TaskRouter's way, for documents that rely on it: an absent owner's step waits.
#[test]
fn r63_a_document_waits_for_an_absent_owner_as_it_does_in_taskrouter() {
    let mut workflow = workflow();
    workflow.skip_when_nobody = WhenNobody::Wait;
    let mut office = Office::new(&office_of(&people(), workflow));
    away(&mut office, &["owner"]);
    call(&mut office, "a");
    office.until(60_000);
    let story = [
        "2000 0.0 Entered",
        "2000 waits",
        "12000 0.1 TimedOut",
        "12000 > near",
    ];
    assert_eq!(office.story("a"), story);
}

/// R64: at a queue itself.
#[test]
fn r64_a_queue_says_at_once_that_nobody_is_there_unless_it_waits() {
    for (when_nobody, is_told) in [
        (WhenNobody::NoneOnDuty, true),
        (WhenNobody::NoMatch, false),
        (WhenNobody::Wait, false),
    ] {
        let mut plan = office_of(&people(), workflow());
        plan.queues[0].when_nobody = when_nobody;
        let mut office = Office::new(&plan);
        away(&mut office, &["owner", "near", "also near", "far"]);
        office.until(CALL);
        let heard = office.create("a", "all", 0);
        let told = nobody(&heard).len() == 1;
        assert_eq!(told, is_told, "{when_nobody:?}");
        let story = office.story("a");
        let wanted = match is_told {
            true => "2000 nobody NoneOnDuty",
            false => "2000 waits",
        };
        assert_eq!(story, [wanted], "0 ms");
    }
}
