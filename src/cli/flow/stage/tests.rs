//! What somebody sees who plays a flow.

use super::*;
use crate::calendar::{Calendar, Hours, Spot, Week};
use crate::flow::{Menu, Opening, Patience, Pausing, Queueing, Setting, Speech, Step, Watching};
use crate::ivr::BargeIn;
use serde_json::json;

fn text(word: &str) -> String {
    word.to_owned()
}

fn document() -> Arc<Document> {
    let steps = [
        (
            "greeting",
            Step::Play(Speech {
                greeting: false,
                sounds: vec![text("greeting")],
                barge_in: BargeIn::Interrupts,
                next: text("menu"),
            }),
        ),
        (
            "menu",
            Step::Menu(Menu {
                patience: Patience {
                    prompt: vec![text("menu")],
                    barge_in: BargeIn::Interrupts,
                    timeout: Duration::from_secs(5),
                    digit_timeout: Duration::from_secs(3),
                    tries: 2,
                    no_input: Vec::new(),
                    no_match: Vec::new(),
                    failed: text("hangup"),
                },
                choices: [("1", "busy"), ("2", "set")]
                    .map(|(key, to)| (text(key), text(to)))
                    .into_iter()
                    .collect(),
            }),
        ),
        (
            "busy",
            Step::QueueStatus(Watching {
                queue: text("sales"),
                cases: vec![crate::flow::Case {
                    condition: crate::flow::Condition::parse("queue.waiting > 3").expect("good"),
                    next: text("hangup"),
                }],
                otherwise: text("set"),
                error: Some(text("hangup")),
            }),
        ),
        (
            "set",
            Step::Set(Setting {
                attributes: json!({"who": "{{ call.from }}"})
                    .as_object()
                    .cloned()
                    .unwrap_or_default(),
                next: text("sales"),
            }),
        ),
        (
            "sales",
            Step::Queue(Queueing {
                to: Destination::Queue(text("sales")),
                attributes: Map::new(),
                priority: 0,
                nobody: text("hangup"),
                timeout: text("hangup"),
                left: None,
                after: text("hangup"),
            }),
        ),
    ];
    let steps = steps.map(|(name, step)| (text(name), step));
    Arc::new(Document {
        start: text("greeting"),
        steps: steps.into_iter().collect(),
        ..Document::new("main")
    })
}

fn shown(lines: &[&str]) -> String {
    let texts = Texts(HashMap::from([(text("menu"), text("Press 1."))]));
    let stage = Stage::new(
        document(),
        context(None),
        Timestamp::ZERO,
        (texts, Calendars::default()),
    );
    shown_on(stage, lines)
}

fn context(calendar: Option<&str>) -> Context {
    Context {
        from: text("+8190"),
        calendar: calendar.map(text),
        ..Context::default()
    }
}

fn shown_on(mut stage: Stage, lines: &[&str]) -> String {
    let mut shown = String::new();
    let lines = lines.iter().map(|&line| line.to_owned());
    stage.play(lines, |part| shown.push_str(part));
    anstream::adapter::strip_str(&shown).to_string()
}

#[test]
fn a_flow_is_played_by_typing() {
    let shown = shown(&["", "9", "wait 2s", "1", "waiting=1 available=2", "nobody"]);
    for words in [
        "♪ greeting",
        "♪ menu «Press 1.»",
        "asks how queue sales is",
        "sets who = \"+8190\"",
        "queue sales",
        "hangs up normal",
    ] {
        assert!(shown.contains(words), "{words} in\n{shown}");
    }
}

#[test]
fn what_is_not_understood_is_said_so_and_changes_nothing() {
    let shown = shown(&["x", "wait", "at noon", "?", "", "1", "many", "error"]);
    assert!(shown.contains("that is nothing I know"), "{shown}");
    assert!(shown.contains("at takes a time"));
    assert!(shown.contains("hang up         the caller hangs up"));
    assert!(shown.contains("that is no reply"));
    assert!(shown.contains("hangs up"));
}

#[test]
fn at_the_end_of_the_lines_the_caller_is_silent() {
    let shown = shown(&[]);
    assert_eq!(shown.matches("♪ menu").count(), 2, "{shown}");
    assert!(
        shown.trim_end().ends_with("(200)") || shown.contains("hangs up"),
        "{shown}"
    );
}

/// A minute of silence, then whether it is open; over and over.
fn doorman() -> Arc<Document> {
    let steps = [
        (
            "wait",
            Step::Pause(Pausing {
                length: Duration::from_secs(60),
                next: text("hours"),
            }),
        ),
        (
            "hours",
            Step::Hours(Opening {
                calendar: None,
                queue: None,
                open: text("hangup"),
                closed: text("wait"),
                error: Some(text("wait")),
            }),
        ),
    ];
    let steps = steps.map(|(name, step)| (text(name), step));
    Arc::new(Document {
        start: text("wait"),
        steps: steps.into_iter().collect(),
        ..Document::new("main")
    })
}

/// Open from nine to five, every day, by the clock of Tokyo.
fn office() -> Calendars {
    let day = Hours::parse("09:00-17:00").expect("hours");
    let week = Week {
        days: std::array::from_fn(|_| (day.clone(), None)),
        spot: Spot {
            file: "calendars.toml".into(),
            line: 7,
        },
    };
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").expect("a zone");
    let calendar = Calendar::new("office", zone, week, Vec::new());
    Calendars {
        calendars: [(text("office"), Arc::new(calendar))].into_iter().collect(),
        ..Calendars::default()
    }
}

#[test]
fn calendars_say_whether_it_is_open_when_the_clock_is_turned() {
    let at = Timestamp::parse_rfc3339("2026-11-20T08:57:30+09:00").expect("a time");
    let play = |calendar, lines: &[&str]| {
        let named = (Texts::default(), office());
        shown_on(Stage::new(doorman(), context(calendar), at, named), lines)
    };
    let shown = play(Some("office"), &[]);
    assert_eq!(
        shown
            .matches("it is closed (weekly, calendars.toml:7)")
            .count(),
        2,
        "{shown}"
    );
    assert_eq!(shown.matches("it is open").count(), 1, "{shown}");
    let shown = play(Some("office"), &["at 2026-11-20T18:00:00+09:00"]);
    assert!(shown.contains("it is open (weekly") && shown.contains("hangs up"));
    // Who types may know better, and is asked where no calendar is.
    let shown = play(Some("office"), &["hours open", ""]);
    assert!(shown.contains("it is open (as typed)"), "{shown}");
    assert!(!shown.contains("it is closed"), "{shown}");
    let shown = play(None, &["", "closed", "", "open"]);
    assert!(shown.contains("hours: open, closed, error?"), "{shown}");
    assert!(shown.contains("hangs up"), "{shown}");
}
