//! What somebody sees who plays a flow.

use super::*;
use crate::flow::{Menu, Patience, Queueing, Setting, Speech, Step, Watching};
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
    let context = Context {
        from: text("+8190"),
        ..Context::default()
    };
    let texts = Texts(HashMap::from([(text("menu"), text("Press 1."))]));
    let mut stage = Stage::new(document(), context, Timestamp::ZERO, texts);
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
