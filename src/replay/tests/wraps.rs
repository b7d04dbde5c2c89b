//! After-call work in a model: what follows a conversation, and what is begun by hand.

use super::*;

/// A day of one agent, told at these seconds; deadlines pass in between.
fn day_of(plan: Plan, commands: Vec<(u64, Command)>) -> Past {
    let (mut journal, mut router) = (MemoryJournal::new(), Router::new(0));
    let (worker, plan) = ("担当0".to_owned(), Box::new(plan));
    let reachable = true;
    let opening = [
        (0, Command::activate(plan)),
        (0, Command::SetReachable { worker, reachable }),
    ];
    for (second, command) in opening.into_iter().chain(commands) {
        let now = START + Duration::from_secs(second);
        while let Some(due) = router.poll_timeout().filter(|due| *due <= now) {
            router.handle_timeout(due);
        }
        let told = router.carry_out(now, command);
        assert!(told.is_ok(), "{told:?}");
    }
    journal.append(&router.take_facts()).unwrap();
    Past::read(&mut journal, 0, None, None).unwrap()
}

fn call(at: u64, id: &str, answered: u64, ended: u64) -> [(u64, Command); 3] {
    let task = TaskId::new(id);
    let new = NewTask::of_call(task.clone(), CallId::new(id), "sales");
    let reservation = ReservationId::new(format!("{id}.1"));
    let code = None;
    [
        (at, Command::CreateTask(Box::new(new))),
        (answered, Command::Accept { reservation }),
        (ended, Command::Complete { task, code }),
    ]
}

fn him() -> String {
    "担当0".to_owned()
}

fn end(code: Option<&str>) -> Command {
    happening::end_wrap(him(), code.map(str::to_owned))
}

/// Both columns say the same of the day's own plan.
fn is_as_it_was(past: &Past) -> Figures {
    let terms = Terms::default();
    let was = Figures::of(past, &terms).unwrap();
    let behaviour = Behaviour::of(past, &terms.owner).unwrap();
    let same = model(past, &behaviour, None, &terms).unwrap().figures;
    assert_eq!((same.answered, same.wait), (was.answered, was.wait));
    let again = model(past, &behaviour, Some(&plan(1)), &terms).unwrap();
    assert_eq!(again.figures.answered, was.answered);
    same
}

#[test]
fn after_call_work_begun_by_hand_ends_as_it_did() {
    let (worker, lasts) = (him(), None);
    let mut story = vec![(2, Command::StartWrap { worker, lasts })];
    story.extend(call(3, "a", 65, 100));
    story.push((60, end(None)));
    story.sort_by_key(|(second, _)| *second);
    let same = is_as_it_was(&day_of(plan(1), story));
    assert_eq!((same.answered, same.wait.p50_ms), (1, 62_000));
}

#[test]
fn after_call_work_is_extended_as_it_was() {
    let extend = |by| happening::extend_wrap(him(), Duration::from_secs(by));
    // What follows a conversation: fifteen seconds, then a minute more.
    let mut story = Vec::from(call(5, "a", 10, 100));
    story.push((110, extend(60)));
    story.extend(call(120, "b", 178, 190));
    let same = is_as_it_was(&day_of(plan(1), story));
    assert_eq!((same.answered, same.wait.p99_ms), (2, 58_000));
    // What was begun by hand.
    let (worker, lasts) = (him(), Some(Duration::from_secs(10)));
    let mut story = vec![(2, Command::StartWrap { worker, lasts }), (4, extend(30))];
    story.extend(call(5, "a", 45, 60));
    let same = is_as_it_was(&day_of(plan(1), story));
    assert_eq!((same.answered, same.wait.p50_ms), (1, 40_000));
}

/// The code the agent gave is given again, and where there is no such code another one is.
#[test]
fn a_code_that_is_needed_is_given() {
    let open = |codes: &[&str]| {
        let mut plan = plan(1);
        plan.queues[0].wrap_up_open = true;
        plan.queues[0].wrap_up_code_required = true;
        plan.queues[0].wrap_up_codes = codes.iter().map(|code| code.to_string()).collect();
        plan
    };
    let mut story = Vec::from(call(5, "a", 10, 50));
    story.push((60, end(Some("sold"))));
    story.extend(call(70, "b", 75, 90));
    let past = day_of(open(&["lost", "sold"]), story);
    is_as_it_was(&past);
    let terms = Terms::default();
    let behaviour = Behaviour::of(&past, &terms.owner).unwrap();
    let other = open(&["won"]);
    let modelled = model(&past, &behaviour, Some(&other), &terms).unwrap();
    assert_eq!(modelled.figures.answered, 2);
}
