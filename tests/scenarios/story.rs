//! The whole story: trunk call, greeting, digit, music, the agent's phone, two-way audio, BYE.
//! SIPp is the trunk with its own digits, baresip the agent's phone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tsunagu::media::{Codec, FRAME_SAMPLES, Library, Sound};

use super::address::CARRIER;
use super::capture_file::Stream;
use super::office::Office;
use super::phone::{Answering, Phone};
use super::record::{assert_whole, digits, list, stretch, stretches, time};
use super::sipp::{Running, Step};
use super::sound::{Searched, find, level_db, loudest, loudness_db, seconds_of, tone};
use super::tap::{Heard, Tap};
use super::{quiet, wait};

#[test]
fn a_caller_is_greeted_chooses_waits_talks_and_hangs_up() {
    let _turn = quiet::shared();
    let mut story = Story::begin(Duration::from_secs(12));
    story.ring_and_talk();
    story.caller.take().expect("begun").succeed(wait::PATIENCE);
    story.phone.event("CALL_CLOSED");
    story.judge("caller");
}

#[test]
fn an_agent_hangs_up_and_the_caller_hears_of_it() {
    let _turn = quiet::shared();
    let mut story = Story::begin(Duration::from_secs(60));
    story.ring_and_talk();
    story.phone.hang_up();
    story.caller.take().expect("begun").succeed(wait::PATIENCE);
    story.judge("agent");
}

/// One call with everything that listens to it.
struct Story {
    office: Office,
    tap: Tap,
    phone: Phone,
    caller: Option<Running>,
}

impl Story {
    /// An office, agent 1001 at the phone, and a caller who will hang up `patience` after the
    /// last of its steps.
    fn begin(patience: Duration) -> Self {
        let office = Office::open();
        let tap = Tap::on(office.block);
        let phone = office.phone(1001, Answering::Manual, &tone(880.0, 120.0));
        let wish = r#"{"language": "ja"}"#;
        let who = ["who", "--queue", "sales", "--attributes", wish];
        let who = office.ask(&[&who[..], &["--language", "en"]].concat());
        assert!(who.contains("would get it"), "{who}");
        let voice = voice(office.folder(), 440.0, 60.0);
        let caller = office
            .carrier("caller")
            .steps(&[
                Step::Pause(LISTENING_MS),
                Step::Press("1"),
                Step::Pause(1_500),
                Step::Play(&voice),
            ])
            .set("patience_ms", patience.as_millis())
            .start();
        Self {
            office,
            tap,
            phone,
            caller: Some(caller),
        }
    }

    /// Lets the phone ring for two seconds of music, then answers and listens both ways.
    #[track_caller]
    fn ring_and_talk(&mut self) {
        self.phone.event("CALL_INCOMING");
        let before = self.heard().samples.len();
        wait::until_true("two seconds of music", wait::PATIENCE, || {
            self.heard().samples.len() > before + 16_000
        });
        self.phone.answer();
        self.phone.event("CALL_ESTABLISHED");
        wait::until_true("tones both ways", wait::PATIENCE, || {
            let agent = self.phone.heard().pop().unwrap_or_default();
            seconds_of(&agent, 440.0) > 3.0 && seconds_of(&self.heard().samples, 880.0) > 3.0
        });
    }

    fn heard(&self) -> Heard {
        self.tap.heard_at(self.office.block.at(CARRIER, 6_000))
    }

    /// Everything the record says, beside what was heard.
    #[track_caller]
    fn judge(&self, hung_up_by: &str) {
        let record = self.office.records(1).remove(0);
        assert_whole(&record, &self.office.recordings());
        assert_eq!(record["hung_up_by"], hung_up_by, "{record:#}");
        assert_eq!(
            (&record["region"], &record["node"], &record["direction"]),
            (&"jp1".into(), &"tokyo1".into(), &"inbound".into())
        );
        assert_eq!(digits(&record), "1");
        let order: Vec<&str> = stretches(&record)
            .into_iter()
            .filter(|name| ["ivr", "queue", "talk"].contains(name))
            .collect();
        assert_eq!(order, ["ivr", "queue", "talk"], "{record:#}");
        assert_eq!(list(&record["offers"]).len(), 1);
        assert_eq!(list(&record["recordings"]).len(), 1);
        let heard = self.heard();
        assert_eq!(heard.ssrcs.len(), 1, "one stream from answer to end");
        assert_eq!(heard.sequence_breaks, 0);
        Self::judge_greeting(&heard, &record);
        Self::judge_music(&heard, &record);
        self.judge_ring(&record);
        self.judge_journal(&record);
        self.judge_talk(&heard, &record);
    }

    #[track_caller]
    fn judge_greeting(heard: &Heard, record: &Value) {
        let prompt = sounds("ja/greeting").swap_remove(0);
        let (_, piece) = loudest(&prompt, 4_000);
        let ivr = stretch(record, "ivr");
        let listened = heard.between(time(&ivr["from"]), time(&ivr["until"]));
        let (_, score) = find(piece, listened).expect("a second of greeting at least");
        assert!(
            score > 0.9,
            "the greeting was heard with correlation {score:.3}"
        );
    }

    #[track_caller]
    fn judge_music(heard: &Heard, record: &Value) {
        let queue = stretch(record, "queue");
        assert_music(heard.between(time(&queue["from"]), time(&queue["until"])));
    }

    /// The journal, read beside the running switch, tells the same, and decides it once more.
    #[track_caller]
    fn judge_journal(&self, record: &Value) {
        let id = record["id"].as_str().expect("an id");
        let file = self.office.folder().join("var/journal.db");
        let ask = |arguments: &[&str]| {
            let arguments = [arguments, &["--language", "en", "--journal"]].concat();
            self.office.ask_files(&arguments, &file)
        };
        for (arguments, words) in [
            (&["journal", "--task", id][..], "is offered to"),
            (&["why", id, "--verify"], "decided once more: the same"),
            (&["replay"], "the same, byte for byte"),
        ] {
            let text = ask(arguments);
            assert!(
                text.contains(words),
                "{arguments:?}: no {words:?} in\n{text}"
            );
        }
    }

    #[track_caller]
    fn judge_ring(&self, record: &Value) {
        let decided = time(&record["offers"][0]["offered"]);
        let invites = self.tap.sip_to(self.phone.address, "INVITE sip:");
        let rung = invites.first().expect("an INVITE on the wire").at;
        let took = rung.duration_since(decided).unwrap_or_default();
        println!("decision to INVITE on the agent's wire: {took:?}");
        assert!(
            took <= Duration::from_millis(200),
            "the agent rang after {took:?}"
        );
    }

    #[track_caller]
    fn judge_talk(&self, heard: &Heard, record: &Value) {
        let talk = stretch(record, "talk");
        let listened = heard.between(time(&talk["from"]), time(&talk["until"]));
        let last = &listened[listened.len().saturating_sub(8_000)..];
        assert!(level_db(last, 880.0) > -12.0, "the caller hears the agent");
        assert!(level_db(last, 440.0) < -40.0, "nobody hears himself");
        let agent = self.phone.heard().pop().expect("one call");
        let last = &agent[agent.len().saturating_sub(8_000)..];
        assert!(level_db(last, 440.0) > -12.0, "the agent hears the caller");
        assert!(level_db(last, 880.0) < -40.0, "nobody hears himself");
        let before = self.office.api.agents();
        assert!(!before.is_empty(), "agents are shown");
    }
}

/// Wherever no announcement is speaking, a piece of the demo office's music is heard.
#[track_caller]
pub(crate) fn assert_music(listened: &[i16]) {
    assert!(loudness_db(listened) > -60.0, "silence instead of music");
    let music = sounds(MUSIC).swap_remove(0);
    let music = Searched::new(&music.repeat(2));
    let mut best = 0.0f64;
    for piece in listened.chunks_exact(3_200) {
        if let Some((_, score)) = music.find(piece) {
            best = best.max(score);
        }
        if best > 0.9 {
            return;
        }
    }
    panic!("music was heard with correlation {best:.3}");
}

/// A capture file of one tone.
pub(crate) fn voice(folder: &Path, hz: f64, seconds: f64) -> PathBuf {
    let path = folder.join(format!("voice-{hz}.pcap"));
    Stream::new(hz as u32)
        .speak(&tone(hz, seconds))
        .write(&path);
    path
}

/// The channels of one of the demo office's sounds.
fn sounds(name: &str) -> Vec<Vec<i16>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/sounds"));
    let library = Library::open(&[folder], "en").expect("sounds");
    let sound = library.sound(name).expect("a sound of the demo office");
    // As a phone with G.711 hears it.
    let sound = Sound::at(sound.hz(), name, sound.samples().to_vec());
    let mut samples = vec![0; sound.frames() * FRAME_SAMPLES];
    for (frame, samples) in samples.chunks_mut(FRAME_SAMPLES).enumerate() {
        assert!(sound.linear(Codec::Pcmu, frame, samples));
    }
    vec![samples]
}

/// How long the caller listens before pressing a key.
const LISTENING_MS: u32 = 3_500;
/// The demo office's music on hold.
const MUSIC: &str = "music";
