//! The configuration from outside: `check`, `serve` that refuses what `check` refuses, reload with a
//! call going on, refusals on the wire.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use super::capture_file::Stream;
use super::office::Office;
use super::record::assert_whole;
use super::sipp::Step;
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn the_demo_office_is_sound() {
    let _turn = quiet::shared();
    let office = Office::prepare();
    let output = run(&mut office.command("check"));
    let words = words(&output);
    assert!(
        output.status.success() && words.contains("is correct"),
        "{words}"
    );
}

#[test]
fn serve_refuses_what_check_refuses() {
    let _turn = quiet::shared();
    let office = Office::prepare();
    office.rewrite("node.toml", |text| format!("{NONSENSE}{text}"));
    for command in ["check", "serve"] {
        let output = run(&mut office.command(command));
        let words = words(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {words}");
        assert!(words.contains("node.toml"), "{command}: {words}");
        assert!(words.contains("nonsense_at_the_top"), "{command}: {words}");
    }
}

#[test]
fn each_broken_configuration_is_told_with_place_and_remedy() {
    let _turn = quiet::shared();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let mut seen = 0;
    for case in std::fs::read_dir(&folder).expect("tests/data/broken") {
        let case = case.expect("a readable folder").path();
        // One line an error: place, message; indented below it the remedy.
        let Ok(expected) = std::fs::read_to_string(case.join("expected.txt")) else {
            continue;
        };
        let mut check = Command::new(env!("CARGO_BIN_EXE_tsunagu"));
        check
            .args(["check", "--config"])
            .arg(&case)
            .env("NO_COLOR", "1");
        let output = run(&mut check);
        let words = words(&output);
        assert_eq!(output.status.code(), Some(1), "{}: {words}", case.display());
        let told = letters(&words);
        let expected = expected.replace("DIRECTORY", &case.display().to_string());
        for line in expected.lines().filter(|line| !line.trim().is_empty()) {
            let text = match line.trim_start().strip_prefix("help: ") {
                Some(remedy) => remedy.to_owned(),
                None => {
                    let (place, message) = line.split_once(": ").expect("place: message");
                    assert!(
                        words.contains(place),
                        "{}: no {place} in\n{words}",
                        case.display()
                    );
                    let severity = ["error: ", "warning: "];
                    let bare = severity.iter().find_map(|word| message.strip_prefix(word));
                    bare.unwrap_or(message).to_owned()
                }
            };
            assert!(
                told.contains(&letters(&text)),
                "{}: no {text:?} in\n{words}",
                case.display()
            );
        }
        seen += 1;
    }
    assert!(
        seen >= 12,
        "twelve broken configurations are promised, {seen} found"
    );
}

#[test]
fn a_reload_drops_no_call_and_a_wrong_one_changes_nothing() {
    let _turn = quiet::shared();
    let office = Office::open();
    let sound = office.folder().join("listener.pcap");
    Stream::new(13).speak(&tone(440.0, 20.0)).write(&sound);
    let caller = office
        .carrier("caller")
        .steps(&[Step::Play(&sound)])
        .set("patience_ms", 6_000)
        .start();
    wait::until_true("a live call", wait::PATIENCE, || {
        !office.api.live_calls().is_empty()
    });
    let before = office.api.live_calls()[0]["generation"].clone();

    office.rewrite("queues.toml", |text| format!("{NONSENSE}{text}"));
    let (status, answer) = office.api.post("/v1/reload");
    assert!((400..500).contains(&status), "{status}: {answer}");
    assert!(answer.contains("nonsense_at_the_top"), "{answer}");

    office.rewrite("queues.toml", |text| text.replace(NONSENSE, "# touched\n"));
    let (status, answer) = office.api.post("/v1/reload");
    assert_eq!(status, 200, "{answer}");
    office.signal(Signal::HUP);
    caller.succeed(wait::PATIENCE);

    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(record["generation"], before, "a call keeps its generation");
    office
        .carrier("caller")
        .steps(&[])
        .set("patience_ms", 200)
        .run(wait::PATIENCE);
    let newest = office.records(2).remove(0);
    assert!(
        newest["generation"].as_u64() > before.as_u64(),
        "{newest:#}"
    );
}

#[test]
fn strangers_and_wrong_numbers_are_refused_by_the_book() {
    let _turn = quiet::shared();
    let office = Office::open();
    // An unknown number from the trunk, a codec nobody has, and a From that is one of our phones.
    for (number, caller, payloads, status) in [
        ("+81399999999", "+81901", "0", 404),
        (super::office::MAIN_NUMBER, "+81901", "18", 488),
        (super::office::MAIN_NUMBER, "1001", "0", 401),
    ] {
        office
            .carrier("refused")
            .set("number", number)
            .set("caller", caller)
            .set("payloads", payloads)
            .set("status", status)
            .run(wait::PATIENCE);
    }
}

#[test]
fn a_trunk_that_requires_secure_audio_refuses_a_plain_offer() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("trunks.toml", |text| {
        text.replacen("\"demo\"\n", "\"demo\"\nsrtp = \"required\"\n", 1)
    });
    office.start();
    office
        .carrier("refused")
        .set("number", super::office::MAIN_NUMBER)
        .set("caller", "+81901")
        .set("payloads", "0")
        .set("status", 488)
        .run(wait::PATIENCE);
}

fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .expect("the binary under test")
}

/// Letters and digits alone: a report is wrapped and framed for people.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A key that no section knows.
const NONSENSE: &str = "nonsense_at_the_top = 1\n";
