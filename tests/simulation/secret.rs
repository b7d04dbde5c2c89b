//! Keys that nobody may keep: a card number asked for by a flow, or told in a conversation whose
//! recording is paused.

use tsunagu::call::Control;
use tsunagu::events::Fact;
use tsunagu::media::Rate;
use tsunagu::media::dtmf::Detector;

use crate::ear::level;
use crate::office::changed;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::story::channels;
use crate::world::World;

const CARD: &str = "4929710386650429";
const CARRIER: usize = 0;

/// The office asks every caller for a card number, and then puts him in line.
const ASKS: &str = r#"[steps.card]
do = "collect"
prompt = []
min = 16
max = 16
into = "card"
secure = true
next = "sales-queue"
failed = "goodbye"

[steps.greeting]"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Event,
    Info,
    Tone,
}

fn press(world: &mut World, form: Form, keys: &str) {
    for key in keys.chars() {
        let text = key.to_string();
        match form {
            Form::Event => world.peers[CARRIER].talks[0].voice.press(&text),
            Form::Tone => world.peers[CARRIER].talks[0].voice.press_in_band(&text),
            Form::Info => world.with_peer(CARRIER, |peer, now| peer.press_by_info(now, 0, key)),
        }
        world.run_for(300);
    }
}

/// The keys of the record.
fn recorded(world: &World) -> String {
    let digits = world.record().digits.iter();
    digits.map(|digit| digit.digit).collect()
}

/// The tones in a channel of a recording.
fn tones(samples: &[i16]) -> String {
    let mut detector = Detector::new();
    let mut tones = String::new();
    for frame in samples.chunks(160) {
        detector.hear(frame, Rate::Narrow, |key| tones.push(key));
    }
    tones
}

fn check_secret(what: &str, text: &str) {
    for part in [&CARD[..6], &CARD[5..11], &CARD[10..]] {
        assert!(!text.contains(part), "{what} shows {part}: {text}");
    }
}

#[test]
fn what_a_flow_asks_in_secret_is_kept_nowhere() {
    let office = changed(&[
        (
            "flows/main.toml",
            "start = \"greeting\"",
            "start = \"card\"",
        ),
        ("flows/main.toml", "[steps.greeting]", ASKS),
    ]);
    for (seed, form) in [(331, Form::Event), (332, Form::Info), (333, Form::Tone)] {
        let mut world = World::with(seed, office.clone());
        let carrier = world.carrier();
        world.peers[carrier].has_events = form == Form::Event;
        world.phone("1001", Manners::Answers(300));
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(1000);
        press(&mut world, form, &CARD[..8]);
        let call = world.events[0].call.clone();
        let checkpoint = world.switch.checkpoint(world.now, &call);
        let checkpoint = serde_json::to_string(&checkpoint.expect("stable")).expect("stored");
        check_secret("the checkpoint", &checkpoint);
        press(&mut world, form, &CARD[8..]);
        world.until_talking();
        world.run_for(1000);
        // In the conversation keys are keys again.
        press(&mut world, form, "7");
        world.run_for(2000);
        world.hang_up(CARRIER, 0);
        world.finish();
        let stars = "*".repeat(CARD.len());
        assert_eq!(recorded(&world), format!("{stars}7"), "{form:?}");
        let record = world.record();
        assert_eq!(record.attributes["card"], stars);
        check_secret("the record", &format!("{record:?}"));
        for event in &world.events {
            check_secret("an event", &format!("{event:?}"));
        }
        let [left, _] = channels(record);
        let expected = if form == Form::Tone { "7" } else { "" };
        assert_eq!(tones(&left), expected, "{form:?}");
    }
}

#[test]
fn a_paused_recording_has_no_key_and_no_word_whatever_the_form() {
    for (seed, form) in [(334, Form::Event), (335, Form::Info), (336, Form::Tone)] {
        let mut world = World::new(seed);
        let carrier = world.carrier();
        world.peers[carrier].has_events = form == Form::Event;
        world.phone("1001", Manners::Answers(300));
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(4000);
        press(&mut world, form, "1");
        world.until_talking();
        world.run_for(2000);
        let (paused, digits) = (world.now, &CARD[..4]);
        let pause = Control::PauseRecording { channel: None };
        world.control(pause).expect("paused");
        press(&mut world, form, digits);
        world.run_for(800);
        let resumed = world.now;
        let resume = Control::ResumeRecording { channel: None };
        world.control(resume).expect("goes on");
        world.run_for(1000);
        press(&mut world, form, "5");
        world.run_for(1000);
        world.hang_up(CARRIER, 0);
        world.finish();
        let marks = world.facts(|fact| match fact {
            Fact::RecordingPaused { .. } => Some(true),
            Fact::RecordingResumed { .. } => Some(false),
            _ => None,
        });
        assert_eq!(marks, [true, false]);
        // The key that chose the flow's menu, then what was pressed.
        assert!(recorded(&world).ends_with("****5"), "{}", recorded(&world));
        let [left, right] = channels(world.record());
        let samples = |from: usize, until: usize| 8 * from..8 * until;
        let length = resumed.since(paused).as_millis() as usize;
        // Two seconds of talk came before.
        for side in [&left, &right] {
            let silent = side
                .chunks(160)
                .filter(|frame| frame.iter().all(|it| *it == 0));
            let silent_ms = 20 * silent.count();
            assert!(silent_ms + 100 >= length, "{silent_ms} of {length} ms");
        }
        assert!(level(&left[samples(200, 1700)], 440.0) > -14.0);
        let expected = if form == Form::Tone { "5" } else { "" };
        assert_eq!(tones(&left), expected, "{form:?}");
    }
}
