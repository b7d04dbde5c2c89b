//! Every kind of fact has words, in two languages.

use std::collections::BTreeSet;

use super::*;
use crate::router::{Explanation, LeftWhy, NobodyWhy, Timer};

/// The word for a kind of fact. Whoever adds one adds a fact to [`others`] as well, unless a day
/// has it.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Input(command) => match command {
            Command::Accept { .. } => "accept",
            Command::ActivatePlan { .. } => "activate_plan",
            Command::CancelTask { .. } => "cancel_task",
            Command::Complete { .. } => "complete",
            Command::CreateTask(_) => "create_task",
            Command::EndWrap { .. } => "end_wrap",
            Command::ExtendWrap { .. } => "extend_wrap",
            Command::GiveBack { .. } => "give_back",
            Command::Recover { .. } => "recover",
            Command::Reject { .. } => "reject",
            Command::SetActivity { .. } => "set_activity",
            Command::SetBusy { .. } => "set_busy",
            Command::SetNextActivity { .. } => "set_next_activity",
            Command::SetReachable { .. } => "set_reachable",
            Command::StartWrap { .. } => "start_wrap",
            Command::UpdateTask { .. } => "update_task",
        },
        Fact::Timer(timer) => match timer {
            Timer::CoolDownOver { .. } => "cool_down_over",
            Timer::NewDay => "new_day",
            Timer::PauseOver { .. } => "pause_over",
            Timer::RingTimeout { .. } => "ring_timeout",
            Timer::StepOver { .. } => "step_over",
            Timer::TaskOver { .. } => "task_over",
            Timer::Visible { .. } => "visible",
            Timer::WrapOver { .. } => "wrap_over",
        },
        Fact::Decision(decision) => match decision {
            Decision::Moved { .. } => "moved",
            Decision::NobodyCanTake { .. } => "nobody_can_take",
            Decision::Offered { .. } => "offered",
            Decision::TaskDropped { .. } => "task_dropped",
            Decision::Waits { .. } => "waits",
        },
    }
}

/// How many kinds there are: those of [`kind`].
const KINDS: usize = 16 + 8 + 5;

/// Facts that no made up day has, or not for sure.
fn others(why: &Explanation) -> Vec<Fact> {
    let (task, worker) = (TaskId::new("t0"), "担当0".to_owned());
    let (explanation, minute) = (Box::new(why.clone()), Duration::from_secs(60));
    let update = |reevaluate| Command::UpdateTask {
        task: task.clone(),
        attributes: None,
        priority: Some(2),
        started: None,
        reevaluate,
    };
    let start = |lasts| Command::StartWrap {
        worker: worker.clone(),
        lasts,
    };
    let busy = |busy| Command::SetBusy {
        worker: worker.clone(),
        shard: 0,
        busy,
    };
    let next = |activity: Option<&str>| Command::SetNextActivity {
        worker: worker.clone(),
        activity: activity.map(str::to_owned),
        by: "himself".to_owned(),
    };
    let inputs = [
        update(false),
        update(true),
        start(None),
        start(Some(minute)),
        busy(true),
        busy(false),
        next(Some("lunch")),
        next(None),
        Command::ExtendWrap {
            worker: worker.clone(),
            by: minute,
        },
        Command::EndWrap {
            worker: worker.clone(),
            task: None,
            code: Some("sold".to_owned()),
        },
        Command::GiveBack {
            reservation: ReservationId::new("t0.1"),
            why: Rejection::Unreachable,
        },
        Command::Complete {
            task: task.clone(),
            code: Some("sold".to_owned()),
        },
    ];
    let timers = [
        Timer::CoolDownOver {
            task: task.clone(),
            worker: worker.clone(),
        },
        Timer::NewDay,
        Timer::PauseOver {
            worker: worker.clone(),
        },
        Timer::StepOver { task: task.clone() },
        Timer::TaskOver { task: task.clone() },
        Timer::Visible { task: task.clone() },
        Timer::WrapOver { worker, task: None },
    ];
    let decisions = [
        Decision::NobodyCanTake {
            task: task.clone(),
            why: NobodyWhy::NoneOnDuty,
            explanation: explanation.clone(),
        },
        Decision::TaskDropped {
            task: task.clone(),
            why: LeftWhy::TimeToLive,
            passed: Vec::new(),
        },
        Decision::Waits { task, explanation },
    ];
    let inputs = inputs.into_iter().map(Fact::Input);
    let timers = timers.into_iter().map(Fact::Timer);
    inputs
        .chain(timers)
        .chain(decisions.into_iter().map(Fact::Decision))
        .collect()
}

#[test]
fn every_fact_reads_in_two_languages() {
    let mut journal = Day::of(200, length(200));
    let past = Past::read(&mut journal, 0, None, None).unwrap();
    let facts = past.facts().iter();
    let mut facts: Vec<Fact> = facts.map(|entry| Fact::decode(entry).unwrap()).collect();
    let explanation = facts.iter().find_map(|fact| match fact {
        Fact::Decision(Decision::Offered { explanation, .. }) => Some(explanation.clone()),
        _ => None,
    });
    facts.extend(others(&explanation.unwrap()));
    let mut names = Names::default();
    let mut kinds = BTreeSet::new();
    for fact in &facts {
        names.learn(fact);
        let english = Told::of(fact, &names, Language::English);
        let japanese = Told::of(fact, &names, Language::Japanese);
        assert_eq!(english.kind, kind(fact));
        let body = fact.encode(0, 1, START).body;
        let tag = format!(":\"{}\"", english.kind);
        assert!(body.contains(&tag), "{} in {body}", english.kind);
        assert!(!english.words.is_empty());
        assert_ne!(english.words, japanese.words);
        assert_eq!(
            (&english.task, &english.workers),
            (&japanese.task, &japanese.workers)
        );
        let is_of_task = english.task.is_some();
        assert_eq!(is_of_task, english.call.is_some(), "{english:?}");
        kinds.insert(english.kind);
    }
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
    let offer = facts
        .iter()
        .find(|fact| kind(fact) == "offered")
        .expect("a day has offers");
    let words = Told::of(offer, &names, Language::English).words;
    assert!(words.contains(" is offered to 担当"), "{words}");
    let reservation = ReservationId::new("elder.1");
    let fact = Fact::Input(Command::Accept { reservation });
    let words = Told::of(&fact, &names, Language::Japanese).words;
    assert_eq!(words, "担当者がelder.1に応答");
}
