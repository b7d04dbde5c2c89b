//! One caller's walk, action by action.

mod early;

use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::json;

use super::super::document::HANG_UP;
use super::super::step::{Collecting, Dialling, HangingUp, Menu, Patience, Queueing, Speech, Step};
use super::super::{Rejection, Template};
use super::*;
use crate::router::Destination;

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn play(sound: &str, next: &str) -> Step {
    Step::Play(Speech {
        sounds: vec![text(sound)],
        greeting: false,
        barge_in: BargeIn::Interrupts,
        next: text(next),
    })
}

fn patience() -> Patience {
    Patience {
        prompt: vec![text("menu")],
        barge_in: BargeIn::Interrupts,
        timeout: Duration::from_secs(5),
        digit_timeout: Duration::from_secs(3),
        tries: 2,
        no_input: vec![text("no-input")],
        no_match: vec![text("no-match")],
        failed: text("goodbye"),
    }
}

fn queue(name: &str) -> Step {
    Step::Queue(Queueing {
        to: Destination::Queue(text(name)),
        attributes: map(json!({"topic": name})),
        priority: 3,
        nobody: text("nobody"),
        timeout: text("nobody"),
        left: None,
        after: text(HANG_UP),
    })
}

fn document() -> Arc<Document> {
    let choices = [
        ("1", "sales"),
        ("2", "number"),
        ("9", "menu"),
        ("0", "desk"),
    ];
    let choices = choices.iter().map(|(key, to)| (text(key), text(to)));
    let steps = [
        ("greeting", play("greeting", "menu")),
        (
            "menu",
            Step::Menu(Menu {
                patience: patience(),
                choices: choices.collect(),
            }),
        ),
        ("sales", queue("sales")),
        (
            "number",
            Step::Collect(Collecting {
                patience: patience(),
                min: 2,
                max: 4,
                terminators: text("#"),
                into: text("customer"),
                secure: false,
                seal: None,
                pattern: None,
                confirm: None,
                next: text("support"),
            }),
        ),
        ("support", queue("support")),
        (
            "desk",
            Step::Dial(Dialling::new(Template::new("1001"), "busy")),
        ),
        (
            "busy",
            Step::Hangup(HangingUp {
                cause: Rejection::Busy,
            }),
        ),
        ("nobody", play("nobody-available", HANG_UP)),
        ("goodbye", play("goodbye", HANG_UP)),
    ];
    let steps = steps.into_iter().map(|(name, step)| (text(name), step));
    let document = Document {
        start: text("greeting"),
        attributes: map(json!({"language": "ja"})),
        steps: steps.collect::<IndexMap<_, _>>(),
        ..Document::new("main")
    };
    assert_eq!(document.check(), []);
    Arc::new(document)
}

fn context() -> Context {
    Context {
        from: text("+819012345678"),
        from_name: Some(text("Yuki 山田")),
        to: text("+81312345678"),
        trunk: Some(text("demo")),
        attributes: map(json!({"vip": true})),
        ..Context::default()
    }
}

fn started() -> Run {
    let mut run = Run::new(document(), context());
    run.start(at(0));
    run
}

fn drain(run: &mut Run) -> Vec<Action> {
    let actions = std::iter::from_fn(|| run.poll_action());
    actions
        .filter(|action| !matches!(action, Action::Enter { .. }))
        .collect()
}

fn said(play: u64, sounds: &[&str]) -> Action {
    Action::Play {
        play,
        sounds: sounds.iter().map(|&sound| text(sound)).collect(),
    }
}

fn hung_up() -> Action {
    Action::HangUp {
        cause: Cause::normal(),
    }
}

#[test]
fn a_caller_is_greeted_asked_and_queued_with_attributes() {
    let mut run = started();
    assert_eq!(
        drain(&mut run),
        [
            Action::SetAttributes(map(json!({"language": "ja", "vip": true}))),
            Action::Answer,
            said(1, &["greeting"])
        ]
    );
    run.handle(at(3), Input::PlayDone { play: 1 });
    assert_eq!(drain(&mut run), [said(2, &["menu"])]);
    run.handle(at(4), Input::Digit('1'));
    let expected = json!({
        "from": "+819012345678", "from_name": "Yuki 山田", "to": "+81312345678",
        "trunk": "demo", "flow": "main",
        "language": "ja", "vip": true, "topic": "sales"
    });
    assert_eq!(
        drain(&mut run),
        [
            Action::StopPlay,
            Action::SetAttributes(map(json!({"topic": "sales"}))),
            Action::Enqueue {
                to: Destination::Queue(text("sales")),
                attributes: map(expected),
                priority: 3
            }
        ]
    );
    run.handle(at(9), Input::QueueLeft(QueueOutcome::Answered));
    assert_eq!((drain(&mut run), run.is_over()), (vec![], false));
    run.handle(at(60), Input::TalkEnded);
    assert_eq!((drain(&mut run), run.is_over()), (vec![hung_up()], true));
}

#[test]
fn a_key_during_the_greeting_answers_the_menu() {
    let mut run = started();
    drain(&mut run);
    run.handle(at(1), Input::Digit('1'));
    let actions = drain(&mut run);
    assert_eq!(actions[0], Action::StopPlay);
    assert!(
        matches!(actions.last(), Some(Action::Enqueue { to: Destination::Queue(queue), .. }) if queue == "sales")
    );
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Play { .. }))
    );
}

#[test]
fn the_end_of_an_older_play_is_ignored() {
    let mut run = started();
    drain(&mut run);
    run.handle(at(1), Input::PlayDone { play: 1 });
    run.handle(at(1), Input::PlayDone { play: 1 });
    drain(&mut run);
    assert!(run.poll_timeout() > Some(at(100)), "the menu still plays");
    run.handle(at(2), Input::PlayDone { play: 2 });
    assert_eq!(run.poll_timeout(), Some(at(7)));
}

#[test]
fn nine_repeats_the_menu_with_all_its_tries() {
    let mut run = started();
    run.handle(at(1), Input::PlayDone { play: 1 });
    drain(&mut run);
    for _ in 0..5 {
        run.handle(at(2), Input::Digit('9'));
        assert_eq!(run.step(), Some("menu"));
    }
    drain(&mut run);
    run.handle(at(3), Input::Digit('7'));
    assert!(
        drain(&mut run)
            .iter()
            .any(|action| matches!(action, Action::Play { sounds, .. } if sounds[0] == "no-match"))
    );
}

#[test]
fn silence_ends_in_goodbye() {
    let mut run = started();
    run.handle(at(1), Input::PlayDone { play: 1 });
    run.handle(at(2), Input::PlayDone { play: 2 });
    run.handle_timeout(at(7));
    drain(&mut run);
    run.handle(at(9), Input::PlayDone { play: 3 });
    run.handle_timeout(at(14));
    assert_eq!(drain(&mut run), [said(4, &["goodbye"])]);
    run.handle(at(15), Input::PlayDone { play: 4 });
    assert_eq!(drain(&mut run), [hung_up()]);
}

#[test]
fn digits_become_an_attribute() {
    let mut run = started();
    drain(&mut run);
    for key in "2".chars().chain("123#".chars()) {
        run.handle(at(1), Input::Digit(key));
    }
    assert_eq!(run.attributes()["customer"], json!("123"));
    assert_eq!(run.step(), Some("support"));
}

#[test]
fn a_queue_nobody_serves_ends_in_an_announcement() {
    let mut run = started();
    run.handle(at(1), Input::Digit('1'));
    drain(&mut run);
    run.handle(at(2), Input::QueueLeft(QueueOutcome::Nobody));
    assert_eq!(drain(&mut run), [said(3, &["nobody-available"])]);
}

#[test]
fn an_unanswered_call_is_refused_not_hung_up_normally() {
    for (step, status) in [(HANG_UP, 480), ("busy", 486)] {
        let mut document = (*document()).clone();
        document.start = text(step);
        document.attributes.clear();
        let mut run = Run::new(Arc::new(document), Context::default());
        run.start(at(0));
        let cause = Cause::from_status(status);
        assert_eq!(drain(&mut run), [Action::HangUp { cause }]);
    }
}

#[test]
fn a_dialled_number_that_is_busy_leads_on() {
    let mut run = started();
    run.handle(at(1), Input::Digit('0'));
    assert!(
        matches!(drain(&mut run).last(), Some(Action::Dial(terms)) if terms.numbers == ["1001"])
    );
    run.handle(at(2), Input::DialEnded(DialOutcome::Failed));
    assert!(matches!(&drain(&mut run)[..], [Action::HangUp { cause }] if cause.q850 == 17));
}

#[test]
fn a_secret_number_becomes_stars_and_takes_nothing_typed_before() {
    let mut document = Document::clone(&document());
    let Some(Step::Collect(collecting)) = document.steps.get_mut("number") else {
        panic!("it collects")
    };
    collecting.secure = true;
    document.start = text("greeting");
    if let Some(Step::Play(speech)) = document.steps.get_mut("greeting") {
        speech.next = text("number");
    }
    let mut run = Run::new(Arc::new(document), Context::default());
    run.start(at(0));
    assert!(!run.is_secret());
    run.handle(at(1), Input::Digit('9'));
    assert!(run.is_secret());
    for key in "1234".chars() {
        run.handle(at(2), Input::Digit(key));
    }
    assert!(!run.is_secret());
    assert_eq!(run.attributes()["customer"], "****");
    assert!(!format!("{run:?}").contains("1234"));
}

#[test]
fn a_caller_who_left_is_asked_nothing_more() {
    let mut run = started();
    run.handle(at(1), Input::CallerLeft);
    run.handle(at(2), Input::PlayDone { play: 1 });
    run.handle(at(2), Input::Digit('1'));
    run.handle_timeout(at(9999));
    assert_eq!((drain(&mut run), run.is_over()), (vec![], true));
    assert_eq!(run.poll_timeout(), None);
}

fn any_input() -> impl Strategy<Value = Option<Input>> {
    prop_oneof![
        Just(None),
        prop::sample::select("0123456789*#x".chars().collect::<Vec<_>>())
            .prop_map(|key| Some(Input::Digit(key))),
        (0u64..30).prop_map(|play| Some(Input::PlayDone { play })),
        Just(Some(Input::QueueLeft(QueueOutcome::Answered))),
        Just(Some(Input::QueueLeft(QueueOutcome::Nobody))),
        Just(Some(Input::QueueLeft(QueueOutcome::TimedOut))),
        Just(Some(Input::DialEnded(DialOutcome::Answered))),
        Just(Some(Input::DialEnded(DialOutcome::Failed))),
        Just(Some(Input::TalkEnded)),
    ]
}

proptest! {
    /// A run stored and read back at every step behaves as the one that was not; it answers at
    /// most once, before anything else is heard; after the hang-up nothing follows; and as
    /// long as it is not over, something will move it: a deadline or a report it waits for.
    #[test]
    fn any_inputs_keep_the_promises(inputs in prop::collection::vec(any_input(), 0..60)) {
        let mut run = started();
        let mut twin = run.clone();
        let (mut now, mut answered, mut over) = (at(0), false, false);
        for input in inputs {
            for action in drain(&mut run) {
                prop_assert!(!over);
                match action {
                    Action::Answer => prop_assert!(!std::mem::replace(&mut answered, true)),
                    Action::Play { .. } | Action::Enqueue { .. } => prop_assert!(answered),
                    Action::HangUp { .. } => over = true,
                    _ => {}
                }
            }
            drain(&mut twin);
            let stored = serde_json::to_string(&twin).expect("a run can be stored");
            twin = serde_json::from_str(&stored).expect("and read back");
            prop_assert_eq!(&run, &twin);
            for run in [&mut run, &mut twin] {
                match &input {
                    Some(input) => run.handle(now, input.clone()),
                    None => {
                        now = now.max(run.poll_timeout().unwrap_or(now));
                        run.handle_timeout(now);
                    }
                }
            }
            let waits = matches!(run.step(), Some("sales" | "support" | "desk"));
            prop_assert!(run.is_over() || waits || run.poll_timeout().is_some());
        }
    }
}

/// What the version before parts, templates and requests had no words for is taken as it was meant.
#[test]
fn a_run_of_an_earlier_version_is_read_and_goes_on() {
    let mut run = started();
    run.handle(at(1), Input::PlayDone { play: 1 });
    drain(&mut run);
    let mut stored = serde_json::to_value(&run).expect("stored");
    let later: [(&str, &[&str]); 5] = [
        (
            "",
            &[
                "frames", "part", "reply", "figures", "requests", "draws", "refusals",
            ],
        ),
        ("/context", &["id", "started", "seed", "language"]),
        ("/document", &["error", "parameters", "expects", "flows"]),
        ("/document/steps/number", &["seal", "pattern", "confirm"]),
        ("/position/Asking", &["confirming"]),
    ];
    for (place, keys) in later {
        let object = stored.pointer_mut(place).and_then(Value::as_object_mut);
        let object = object.unwrap_or_else(|| panic!("there is {place}"));
        for key in keys {
            object
                .remove(*key)
                .unwrap_or_else(|| panic!("{place}/{key}"));
        }
    }
    let mut twin: Run = serde_json::from_value(stored).expect("read back");
    assert_eq!(twin, run);
    for run in [&mut run, &mut twin] {
        run.handle(at(2), Input::Digit('1'));
    }
    assert_eq!(drain(&mut twin), drain(&mut run));
}
