//! Keys as tones: speech of half an hour holds none, and what we generate and detect is what other
//! programs detect and generate.

use std::io::Write;
use std::process::{Command, Stdio};

use tsunagu::media::Rate;
use tsunagu::media::dtmf::{Detector, Generator};

use super::capture_file::Stream;
use super::office::Office;
use super::sipp::{Sipp, Step};
use super::{quiet, wait};

const KEYS: &str = "0123456789*#ABCD";

/// The keypad's tones, Hz, in the order of [`KEYS`].
const TONES: [(u16, u16); 16] = [
    (941, 1336),
    (697, 1209),
    (697, 1336),
    (697, 1477),
    (770, 1209),
    (770, 1336),
    (770, 1477),
    (852, 1209),
    (852, 1336),
    (852, 1477),
    (941, 1209),
    (941, 1477),
    (697, 1633),
    (770, 1633),
    (852, 1633),
    (941, 1633),
];

/// Voices and speeds (words a minute) that talk; the text is our own documentation, in English
/// whoever reads it, for it is sound that counts and not sense.
const TALKERS: [(&str, u32); 12] = [
    ("en-us", 140),
    ("en-gb+f4", 150),
    ("de", 130),
    ("de+f3", 160),
    ("fr-fr+f5", 150),
    ("es", 145),
    ("it+f1", 155),
    ("nl+m7", 140),
    ("ru+f2", 150),
    ("pl+m3", 135),
    ("pt-br+croak", 150),
    ("sv+whisper", 140),
];

#[test]
fn half_an_hour_of_speech_presses_no_key() {
    let _turn = quiet::shared();
    let text: String = ["trunks", "flows", "operating", "configuration"]
        .map(|page| {
            let page = format!("{}/docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(page).expect("our documentation")
        })
        .concat()
        .replace(['`', '#', '*', '|', '<', '>', '_', '='], " ");
    let (mut spoken, mut told) = (0, String::new());
    for (talker, (voice, speed)) in TALKERS.iter().enumerate() {
        let words = text.split_whitespace().cycle().skip(900 * talker).take(330);
        let words: Vec<&str> = words.collect();
        let speed = speed.to_string();
        let wav = tool(
            "espeak-ng",
            &["-v", voice, "-s", &speed, "--stdout"],
            words.join(" ").as_bytes(),
        );
        let samples = raw(tool(
            "sox",
            &[
                "-q",
                "-t",
                "wav",
                "--ignore-length",
                "-",
                "-r",
                "8000",
                "-c",
                "1",
                "-b",
                "16",
                "-e",
                "signed",
                "-t",
                "raw",
                "-",
            ],
            &wav,
        ));
        spoken += samples.len() / 8000;
        // The length of a packet, and each talker a stream of his own.
        let mut detector = Detector::new();
        for packet in samples.chunks(160) {
            detector.hear(packet, Rate::Narrow, |key| told.push(key));
        }
    }
    println!("{spoken} s of speech: {} keys {told}", told.len());
    assert!(spoken >= 1800, "{spoken} s of speech only");
    assert!(told.len() <= 1, "{told} in {spoken} s of speech");
}

#[test]
fn another_detector_hears_our_tones() {
    let _turn = quiet::shared();
    for ms in [50, 100] {
        let mut generator = Generator::new();
        assert!(KEYS.chars().all(|key| generator.push(key, ms)));
        let (mut sound, mut frame) = (Vec::new(), [0i16; 160]);
        while generator.fill(&mut frame, Rate::Narrow) {
            sound.extend(frame.iter().flat_map(|sample| sample.to_le_bytes()));
        }
        let format = ["-c", "1", "-b", "16", "-e", "signed", "-t", "raw"];
        let resample = [
            &["-q", "-r", "8000"],
            &format[..],
            &["-", "-r", "22050"],
            &format,
            &["-"],
        ];
        let sound = tool("sox", &resample.concat(), &sound);
        let heard = tool(
            "multimon-ng",
            &["-q", "-a", "DTMF", "-t", "raw", "-"],
            &sound,
        );
        let heard = String::from_utf8(heard).expect("multimon-ng writes ASCII");
        let heard: String = heard
            .lines()
            .filter_map(|line| line.strip_prefix("DTMF: "))
            .collect();
        assert_eq!(heard, KEYS, "{ms} ms");
    }
}

#[test]
fn our_detector_hears_the_tones_of_another() {
    let _turn = quiet::shared();
    let mut detector = Detector::new();
    let mut heard = String::new();
    for key in KEYS.chars() {
        detector.hear(&sound_of(key, 0.05), Rate::Narrow, |key| heard.push(key));
    }
    assert_eq!(heard, KEYS);
}

#[test]
fn a_menu_is_chosen_by_info() {
    let _turn = quiet::shared();
    let office = Office::open();
    let steps = [Step::Pause(3_500), Step::Inform("2"), Step::Pause(5_000)];
    is_chosen(&office, office.carrier("caller").steps(&steps));
}

#[test]
fn a_menu_is_chosen_by_a_tone_of_another() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("trunks.toml", |text| {
        text.replacen("[[trunk]]\n", "[[trunk]]\ndtmf = \"inband\"\n", 1)
    });
    office.start();
    let key = office.folder().join("key.pcap");
    Stream::new(9).speak(&sound_of('2', 0.1)).write(&key);
    let steps = [Step::Pause(3_500), Step::Play(&key), Step::Pause(5_000)];
    is_chosen(&office, office.carrier("caller").steps(&steps));
}

/// The caller chose "2", support, by one key.
#[track_caller]
fn is_chosen(office: &Office, caller: Sipp) {
    caller
        .set("number", "0312345678")
        .set("caller", "0901234567")
        .set("patience_ms", 500)
        .run(wait::PATIENCE);
    let record = office.records(1).remove(0);
    assert_eq!(record["queues"][0]["queue"], "support", "{record:#}");
    let digits = record["digits"].as_array().expect("digits");
    assert_eq!(digits.len(), 1, "{record:#}");
}

/// A key as sox makes it.
fn sound_of(key: char, seconds: f64) -> Vec<i16> {
    let (low, high) = TONES[KEYS.find(key).expect("a key")];
    let [low, high, seconds] = [f64::from(low), f64::from(high), seconds].map(|n| n.to_string());
    let make = [
        "-q", "-n", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-", "synth",
        &seconds, "sine", &low, "synth", &seconds, "sine", "mix", &high, "vol", "0.3", "pad", "0",
        "0.06",
    ];
    raw(tool("sox", &make, &[]))
}

fn raw(bytes: Vec<u8>) -> Vec<i16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// What a program makes of its input; `scripts/set-up test` installs all of them.
fn tool(name: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; scripts/set-up test installs it"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // It writes while it reads.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("no panic while writing");
    assert!(
        output.status.success(),
        "{name} {arguments:?}: {}",
        output.status
    );
    output.stdout
}
