//! Keys that come before their question, and one that comes after its answer.

use super::*;
use crate::flow::Opening;
use crate::flow::step::Pausing;

fn menu(prompt: &str, key: &str, to: &str) -> Step {
    Step::Menu(Menu {
        patience: Patience {
            prompt: vec![text(prompt)],
            ..patience()
        },
        choices: [(text(key), text(to))].into_iter().collect(),
    })
}

fn must_be_heard(sound: &str, next: &str) -> Step {
    Step::Play(Speech {
        sounds: vec![text(sound)],
        greeting: false,
        barge_in: BargeIn::Ignored,
        next: text(next),
    })
}

/// A caller in a pause, in which he presses keys; then its end. What is wanted since.
fn typed_in_a_pause(keys: &str, next: &str, steps: &[(&str, Step)]) -> (Run, Vec<Action>) {
    let pause = Step::Pause(Pausing {
        length: Duration::from_secs(1),
        next: text(next),
    });
    let mut all: IndexMap<String, Step> = steps
        .iter()
        .map(|(name, step)| (text(name), step.clone()))
        .collect();
    all.insert(text("pause"), pause);
    all.insert(text("goodbye"), play("goodbye", HANG_UP));
    all.insert(text("nobody"), play("nobody", HANG_UP));
    let document = Document {
        start: text("pause"),
        steps: all,
        ..Document::new("main")
    };
    assert!(document.check().iter().all(|fault| !fault.fatal));
    let mut run = Run::new(Arc::new(document), Context::default());
    run.start(at(0));
    drain(&mut run);
    for key in keys.chars() {
        run.handle(at(0), Input::Digit(key));
    }
    assert_eq!(drain(&mut run), []);
    run.handle_timeout(at(1));
    let wanted = drain(&mut run);
    (run, wanted)
}

fn three_menus(between: Step) -> [(&'static str, Step); 5] {
    [
        ("one", menu("one", "1", "between")),
        ("between", between),
        ("two", menu("two", "2", "three")),
        ("three", menu("three", "3", "sales")),
        ("sales", queue("sales")),
    ]
}

#[test]
fn who_knows_the_way_types_through_three_menus_and_hears_nothing() {
    let steps = three_menus(play("news", "two"));
    let (run, wanted) = typed_in_a_pause("1239", "one", &steps);
    assert_eq!(run.step(), Some("sales"));
    assert!(
        !wanted.iter().any(|it| matches!(it, Action::Play { .. })),
        "{wanted:?}"
    );
    // What is left over is for no question after the queue.
    let mut run = run;
    run.handle(at(9), Input::QueueLeft(QueueOutcome::Nobody));
    assert_eq!(drain(&mut run).len(), 1);
    assert_eq!(run.step(), Some("nobody"));
}

#[test]
fn keys_before_what_must_be_heard_are_for_no_question() {
    let steps = three_menus(must_be_heard("news", "two"));
    let (mut run, wanted) = typed_in_a_pause("123", "one", &steps);
    assert_eq!(run.step(), Some("between"));
    let Some(Action::Play { play, .. }) = wanted.last() else {
        panic!("{wanted:?}")
    };
    run.handle(at(3), Input::PlayDone { play: *play });
    assert_eq!(run.step(), Some("two"));
    assert!(matches!(drain(&mut run)[..], [Action::Play { .. }]));
    // The same of a question whose prompt must be heard.
    let deaf = Step::Menu(Menu {
        patience: Patience {
            barge_in: BargeIn::Ignored,
            ..patience()
        },
        choices: [(text("1"), text("hangup"))].into_iter().collect(),
    });
    let (run, wanted) = typed_in_a_pause("11", "one", &[("one", deaf)]);
    assert_eq!(run.step(), Some("one"));
    assert!(matches!(wanted.last(), Some(Action::Play { .. })));
}

#[test]
fn keys_behind_a_wrong_answer_or_a_failure_are_for_no_question() {
    let steps = three_menus(play("news", "two"));
    let (run, wanted) = typed_in_a_pause("7123", "one", &steps);
    assert_eq!(run.step(), Some("one"));
    assert_eq!(wanted.last(), Some(&said(2, &["no-match", "one"])));

    let hours = Step::Hours(Opening {
        calendar: None,
        queue: None,
        open: text("one"),
        closed: text("one"),
        error: Some(text("sorry")),
    });
    let steps = [
        ("hours", hours),
        ("sorry", play("sorry", "one")),
        ("one", menu("one", "1", "hangup")),
    ];
    let (mut run, wanted) = typed_in_a_pause("1", "hours", &steps);
    let Some(Action::Consult { request, .. }) = wanted.last() else {
        panic!("{wanted:?}")
    };
    let (request, reply) = (*request, Reply::Failed(text("no calendar")));
    run.handle(at(1), Input::Told { request, reply });
    assert_eq!(run.step(), Some("sorry"));
    let reply = Reply::Hours {
        open: true,
        why: text("weekly"),
    };
    let (mut run, _) = typed_in_a_pause("1", "hours", &steps);
    run.handle(at(1), Input::Told { request, reply });
    assert!(run.is_over(), "the key was for the question");
}

#[test]
fn announcements_that_lead_to_no_question_are_passed_over_once() {
    let steps = [("a", play("a", "b")), ("b", play("b", "a"))];
    let (mut run, wanted) = typed_in_a_pause("1", "a", &steps);
    assert_eq!(run.step(), Some("a"));
    assert_eq!(wanted.last(), Some(&said(1, &["a"])));
    run.handle(at(2), Input::Digit('2'));
    assert_eq!((run.step(), run.is_over()), (Some("a"), false));
    assert_eq!(drain(&mut run), [Action::StopPlay, said(2, &["a"])]);
}

#[test]
fn a_terminator_after_the_last_digit_does_not_answer_the_next_question() {
    let number = Step::Collect(Collecting {
        patience: patience(),
        min: 2,
        max: 4,
        terminators: text("#"),
        into: text("customer"),
        secure: false,
        seal: None,
        pattern: None,
        confirm: None,
        next: text("menu"),
    });
    let steps = [
        ("number", number),
        ("menu", menu("menu", "#", "sales")),
        ("sales", queue("sales")),
    ];
    let asked = |second: u64, more: &str| {
        let (mut run, _) = typed_in_a_pause("", "number", &steps);
        for key in "1234".chars() {
            run.handle(at(2), Input::Digit(key));
        }
        drain(&mut run);
        for key in more.chars() {
            run.handle(at(second), Input::Digit(key));
        }
        (text(run.step().unwrap_or_default()), drain(&mut run))
    };
    assert_eq!(asked(4, "#"), (text("menu"), vec![]));
    assert_eq!(asked(4, "##").0, "sales");
    assert_eq!(asked(6, "#").0, "sales", "too late to belong to the number");
    for typed in ["1234#", "12#"] {
        let (run, _) = typed_in_a_pause(typed, "number", &steps);
        assert_eq!(run.step(), Some("menu"), "{typed}");
    }
    let (run, _) = typed_in_a_pause("1234##", "number", &steps);
    assert_eq!(run.step(), Some("sales"));
}
