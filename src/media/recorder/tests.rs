//! The recorder as a whole, without threads unless they are what is tested.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::base::{RecordingId, Timestamp};
use crate::media::rtp::Header;
use crate::media::{FRAME_SAMPLES, Frame, Rate, Tone};

const START: Timestamp = Timestamp::from_millis(1_795_136_523_456);

struct Studio {
    directory: TempDir,
    disk: Disk,
    closed: Arc<Mutex<Vec<Closed>>>,
}

impl Studio {
    fn new(max_recordings: usize) -> Self {
        Self::with(max_recordings, Format::Wav)
    }

    fn with(max_recordings: usize, format: Format) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let closed = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&closed);
        let config = DiskConfig {
            directory: directory.path().to_owned(),
            max_recordings,
            format,
        };
        let disk = Disk::inline(config, move |done| sink.lock().unwrap().push(done)).unwrap();
        Self {
            directory,
            disk,
            closed,
        }
    }

    fn open(&self, stem: &str) -> Tap {
        self.disk.open(opening(stem)).unwrap()
    }

    fn closed(&self) -> Closed {
        self.disk.pump();
        let mut closed = self.closed.lock().unwrap();
        assert_eq!(closed.len(), 1);
        closed.remove(0)
    }
}

fn opening(stem: &str) -> Opening {
    let mut labels = Map::new();
    labels.insert("agent".to_owned(), json!("田中 由美"));
    Opening {
        recording: RecordingId::new("r-1"),
        stem: stem.to_owned(),
        started: START,
        channels: vec!["caller".to_owned(), "agent".to_owned()],
        rate: Rate::Narrow,
        format: None,
        labels,
    }
}

fn at(ms: u64) -> Timestamp {
    START + Duration::from_millis(ms)
}

fn heard<'a>(header: &'a Header, samples: &'a [i16]) -> Heard<'a> {
    Heard {
        header,
        clock_hz: 8000,
        rate: Rate::Narrow,
        samples,
    }
}

/// Packet `i` of the stream `ssrc`, whose clock has an origin of its own.
fn header(ssrc: u32, i: u64) -> Header {
    Header {
        ssrc,
        sequence: (i as u16).wrapping_add(65_000),
        timestamp: (i as u32 * 160).wrapping_sub(4000 * ssrc),
        ..Header::default()
    }
}

fn channels(path: &Path) -> [Vec<i16>; 2] {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(reader.spec().channels, 2);
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

/// Power of `hz` in `samples`, relative to a tone at 0 dBm0, in dB.
fn power_db(samples: &[i16], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 8000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let phase = step * i as f64;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
    }
    let amplitude = 2.0 * (re * re + im * im).sqrt() / samples.len() as f64;
    20.0 * (amplitude / 22_302.0).log10()
}

#[test]
fn each_party_is_alone_on_its_channel_aligned_to_the_end_though_packets_are_lost() {
    let studio = Studio::new(1);
    let mut tap = studio.open("2026-11-20/call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    let agent = tap.add_source(Channel::RIGHT).unwrap();
    let (mut low, mut high) = (Tone::new(440.0, -6.0), Tone::new(880.0, -6.0));
    let seconds = 20;
    let mut frame: Frame = [0; FRAME_SAMPLES];
    for i in 0..seconds * 50 {
        low.fill(&mut frame);
        tap.packet(caller, at(i * 20), heard(&header(1, i), &frame));
        high.fill(&mut frame);
        // Both make a click in the last second, to be found at the same place.
        if i % 20 != 9 {
            tap.packet(agent, at(i * 20 + 3), heard(&header(2, i), &frame));
        }
        tap.tick(at(i * 20 + 10));
        studio.disk.pump();
    }
    tap.stop(at(seconds * 1000 + 7));
    let closed = studio.closed();
    assert_eq!(closed.defect, None);
    assert_eq!(closed.duration_ms, seconds * 1000);
    assert_eq!(
        closed.path,
        studio.directory.path().join("2026-11-20/call.wav")
    );
    let [left, right] = channels(&closed.path);
    assert_eq!(left.len() as u64, seconds * 8000);
    assert!((power_db(&left, 440.0) + 6.0).abs() < 0.1);
    assert!(power_db(&left, 880.0) < -80.0);
    assert!(power_db(&right, 440.0) < -60.0);
    // The right channel has kept its place: its last packet is where it was spoken.
    let mut spoken = Tone::new(880.0, -6.0);
    let mut expected = vec![0; right.len()];
    spoken.fill(&mut expected);
    let last = right.len() - 800..right.len() - 100;
    assert_eq!(
        right[last.clone()],
        expected[last.start - 24..last.end - 24]
    );

    let lost: Vec<_> = closed
        .gaps
        .iter()
        .filter(|gap| gap.cause == GapCause::Lost)
        .collect();
    assert_eq!(lost.len() as u64, seconds * 50 / 20);
    assert_eq!(
        lost[0],
        &Gap {
            channel: Channel::RIGHT,
            at_ms: 183,
            length_ms: 20,
            cause: GapCause::Lost
        }
    );
    let sidecar = Sidecar::verify(&closed.path.with_extension("json")).unwrap();
    assert_eq!(sidecar.sha256, closed.sha256);
    assert_eq!(sidecar.gaps, closed.gaps);
    assert_eq!(sidecar.labels["agent"], "田中 由美");
    assert_eq!(
        (sidecar.bytes, sidecar.state.as_str()),
        (44 + seconds * 32_000, "published")
    );
    assert_eq!(
        std::fs::read_dir(closed.path.parent().unwrap())
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn packets_that_waited_for_the_worker_are_where_they_were_spoken() {
    let studio = Studio::new(1);
    let mut tap = studio.open("burst");
    let agent = tap.add_source(Channel::RIGHT).unwrap();
    let mut tone = Tone::new(880.0, -6.0);
    let mut expected = Vec::new();
    for i in 0..100 {
        let mut frame: Frame = [0; FRAME_SAMPLES];
        tone.fill(&mut frame);
        expected.extend(frame);
        // The first packets were spoken from 40 ms before the recording on, and are read at 60 ms.
        let read = (i * 20).max(100);
        tap.packet(
            agent,
            at(read) - Duration::from_millis(40),
            heard(&header(1, i), &frame));
        tap.tick(at(read));
        studio.disk.pump();
    }
    tap.stop(at(1900));
    let [_, right] = channels(&studio.closed().path);
    assert_eq!(right[..], expected[320..320 + right.len()]);
}

#[test]
fn a_changed_file_does_not_pass_for_the_recording() {
    let studio = Studio::new(1);
    let tap = studio.open("call");
    tap.stop(at(100));
    let closed = studio.closed();
    let sidecar = closed.path.with_extension("json");
    Sidecar::verify(&sidecar).unwrap();
    let mut bytes = std::fs::read(&closed.path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&closed.path, bytes).unwrap();
    assert!(matches!(
        Sidecar::verify(&sidecar),
        Err(SidecarError::Changed { .. })
    ));
}

#[test]
fn the_part_is_a_valid_file_at_any_time_and_misses_half_a_second_at_most() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    for i in 0..500u64 {
        tap.packet(caller, at(i * 20), heard(&header(1, i), &[1000; FRAME_SAMPLES]));
        tap.tick(at(i * 20));
        studio.disk.pump();
        if i % 17 == 1 {
            let [left, right] = channels(&studio.directory.path().join("call.wav.part"));
            assert!(left.len() as u64 + 4000 > i * 160, "{i}");
            assert!(left.iter().all(|sample| *sample == 1000));
            assert!(right.iter().all(|sample| *sample == 0));
        }
    }
    tap.stop(at(10_000));
    assert_eq!(studio.closed().duration_ms, 10_000);
}

#[test]
fn what_a_crash_left_is_repaired_and_published_with_the_defect() {
    let studio = Studio::new(1);
    let mut tap = studio.open("day/call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    for i in 0..100u64 {
        tap.packet(caller, at(i * 20), heard(&header(1, i), &[1000; FRAME_SAMPLES]));
        tap.tick(at(i * 20));
        studio.disk.pump();
    }
    // A running process keeps its files.
    assert_eq!(recover(studio.directory.path()), []);

    let after = tempfile::tempdir().unwrap();
    std::fs::create_dir(after.path().join("day")).unwrap();
    for name in ["day/call.wav.part", "day/call.json.part"] {
        std::fs::copy(studio.directory.path().join(name), after.path().join(name)).unwrap();
    }
    // A sound file cut in the middle of a sample, whose header never saw the last write.
    let part = after.path().join("day/call.wav.part");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[40..44].fill(0);
    bytes.extend([1, 2, 3]);
    std::fs::write(&part, bytes).unwrap();

    let recovered = recover(after.path());
    assert_eq!(recovered.len(), 1);
    let closed = &recovered[0];
    assert_eq!((closed.recording.as_str(), closed.started), ("r-1", START));
    assert!(
        closed
            .defect
            .as_ref()
            .unwrap()
            .contains("stopped while recording")
    );
    assert!((1500..=2000).contains(&closed.duration_ms));
    let [left, _] = channels(&closed.path);
    assert!(left.iter().all(|sample| *sample == 1000));
    let sidecar = Sidecar::verify(&closed.path.with_extension("json")).unwrap();
    assert_eq!(sidecar.channels, ["caller", "agent"]);
    assert_eq!(sidecar.defect, closed.defect);
    assert_eq!(recover(after.path()), []);
    assert_eq!(recover(&after.path().join("nowhere")), []);
}

#[test]
fn an_empty_part_without_a_draft_is_recovered_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.wav.part"), b"RI").unwrap();
    let recovered = recover(directory.path());
    assert_eq!(recovered[0].recording.as_str(), "x");
    assert_eq!(recovered[0].duration_ms, 0);
    channels(&recovered[0].path);
}

#[test]
fn a_disk_that_stalls_costs_silence_and_a_line_but_never_shifts_what_follows() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    for i in 0..1500u64 {
        tap.packet(
            caller,
            at(i * 20),
            heard(&header(1, i), &[i as i16 + 1; FRAME_SAMPLES]));
        tap.tick(at(i * 20));
        if !(100..1200).contains(&i) {
            studio.disk.pump();
        }
    }
    tap.stop(at(30_000));
    let closed = studio.closed();
    assert!(closed.defect.as_ref().unwrap().contains("too slow"));
    let [left, _] = channels(&closed.path);
    assert_eq!(left.len(), 240_000);
    for (i, sample) in left.iter().enumerate() {
        assert!([0, (i / 160) as i16 + 1].contains(sample), "{i}");
    }
    assert_eq!(left[239_999], 1500);
    let disk: u64 = closed
        .gaps
        .iter()
        .filter(|gap| gap.cause == GapCause::Disk)
        .map(|gap| gap.length_ms)
        .sum();
    assert!((10_000..23_000).contains(&disk), "{disk}");
}

#[test]
fn a_file_that_cannot_be_made_is_told_at_the_end_and_costs_nothing_else() {
    let studio = Studio::new(2);
    std::fs::write(studio.directory.path().join("day"), b"in the way").unwrap();
    let mut tap = studio.open("day/call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    for i in 0..100u64 {
        tap.packet(caller, at(i * 20), heard(&header(1, i), &[1; FRAME_SAMPLES]));
        tap.tick(at(i * 20));
        studio.disk.pump();
    }
    tap.stop(at(2000));
    let closed = studio.closed();
    assert!(closed.defect.unwrap().contains("cannot create the file"));
    assert_eq!(closed.sha256, "");
}

#[test]
fn parties_who_join_and_leave_a_channel_are_summed_into_it() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let agent = tap.add_source(Channel::RIGHT).unwrap();
    let mut third = None;
    for i in 0..150u64 {
        tap.packet(agent, at(i * 20), heard(&header(1, i), &[1000; FRAME_SAMPLES]));
        match i {
            50 => third = tap.add_source(Channel::RIGHT),
            100 => tap.remove_source(third.take().unwrap()),
            _ => {}
        }
        if let Some(third) = third {
            tap.packet(third, at(i * 20), heard(&header(3, i), &[200; FRAME_SAMPLES]));
        }
    }
    tap.stop(at(3000));
    let [left, right] = channels(&studio.closed().path);
    assert!(left.iter().all(|sample| *sample == 0));
    for (i, sample) in right.iter().enumerate() {
        let third = (8000..16_000).contains(&i);
        assert_eq!(*sample, if third { 1200 } else { 1000 }, "{i}");
    }
}

#[test]
fn frames_of_our_own_follow_each_other_however_the_tick_trembles() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let sent = tap.add_source(Channel::RIGHT).unwrap();
    for i in 0..100u64 {
        tap.frame(sent, at(i * 20 + i * 7 % 9), &[5; FRAME_SAMPLES]);
    }
    tap.frame(sent, at(4000), &[6; FRAME_SAMPLES]);
    tap.stop(at(5000));
    let [_, right] = channels(&studio.closed().path);
    assert!(right[..16_000].iter().all(|sample| *sample == 5));
    assert!(right[16_000..32_000].iter().all(|sample| *sample == 0));
    assert_eq!((right[32_000], right[32_160]), (6, 0));
}

#[test]
fn the_length_is_from_start_to_stop_rounded_to_a_frame() {
    for (stop, length) in [
        (0, 0),
        (9, 0),
        (10, 20),
        (29, 20),
        (1234, 1240),
        (1229, 1220),
    ] {
        let studio = Studio::new(1);
        let mut tap = studio.open("call");
        let caller = tap.add_source(Channel::LEFT).unwrap();
        tap.packet(caller, at(0), heard(&header(1, 0), &[1; 1460]));
        tap.stop(at(stop));
        let closed = studio.closed();
        assert_eq!(closed.duration_ms, length);
        assert_eq!(closed.bytes, 44 + length * 32);
    }
}

#[test]
fn a_tap_that_is_dropped_ends_its_recording_with_a_defect() {
    let studio = Studio::new(1);
    drop(studio.open("call"));
    assert!(studio.closed().defect.unwrap().contains("cut off"));
}

#[test]
fn recordings_of_one_name_get_names_of_their_own() {
    let studio = Studio::new(3);
    let taps = [
        studio.open("call"),
        studio.open("call"),
        studio.open("call"),
    ];
    studio.disk.pump();
    taps.into_iter().for_each(|tap| tap.stop(at(20)));
    studio.disk.pump();
    let paths: Vec<PathBuf> = studio
        .closed
        .lock()
        .unwrap()
        .iter()
        .map(|closed| {
            closed
                .path
                .strip_prefix(studio.directory.path())
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        paths,
        ["call.wav", "call-2.wav", "call-3.wav"].map(PathBuf::from)
    );
}

#[test]
fn a_path_that_leaves_the_directory_is_refused_and_so_is_one_too_many() {
    let studio = Studio::new(1);
    for stem in ["", "/etc/passwd", "../x", "a/../../b", "a/", ".", "a\0b"] {
        assert_eq!(
            studio.disk.open(opening(stem)).unwrap_err(),
            Refused::BadStem,
            "{stem}"
        );
    }
    let tap = studio.open("call");
    assert_eq!(
        studio.disk.open(opening("more")).unwrap_err(),
        Refused::TooMany
    );
    tap.stop(at(20));
    studio.closed();
    drop(studio.open("more"));
}

#[test]
fn hostile_timestamps_cost_no_more_than_their_packets() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    for i in 0..2000u64 {
        let header = Header {
            ssrc: (i % 3) as u32,
            sequence: (i * 7919) as u16,
            timestamp: (i as u32).wrapping_mul(0x9e37_79b9),
            ..Header::default()
        };
        tap.packet(caller, at(i * 5), heard(&header, &[1; 2000]));
        tap.tick(at(i * 5));
        studio.disk.pump();
        if i % 100 > 0 {
            continue;
        }
        let length = std::fs::metadata(studio.directory.path().join("call.wav.part"));
        assert!(length.unwrap().len() < 44 + (i * 5 + 2000) * 32);
    }
    tap.stop(at(10_000));
    assert_eq!(studio.closed().bytes, 44 + 320_000);
}

#[test]
fn the_threads_publish_what_is_stopped_and_what_is_left_over() {
    let directory = tempfile::tempdir().unwrap();
    let config = DiskConfig {
        directory: directory.path().to_owned(),
        max_recordings: 100,
        format: Format::Wav,
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let disk = Disk::start(config, move |closed| drop(sender.send(closed))).unwrap();
    let mut left_over = disk.open(opening("left-over")).unwrap();
    left_over.tick(at(1000));
    for i in 0..20 {
        let mut tap = disk.open(opening(&format!("call-{i}"))).unwrap();
        let caller = tap.add_source(Channel::LEFT).unwrap();
        for i in 0..50u64 {
            tap.packet(caller, at(i * 20), heard(&header(1, i), &[1000; FRAME_SAMPLES]));
        }
        tap.stop(at(1000));
    }
    disk.stop();
    assert_eq!(disk.open(opening("late")).unwrap_err(), Refused::Stopped);
    drop(left_over);
    drop(disk);
    let closed: Vec<Closed> = receiver.iter().collect();
    assert_eq!(closed.len(), 21);
    let defective: Vec<_> = closed
        .iter()
        .filter(|closed| closed.defect.is_some())
        .collect();
    assert_eq!(defective.len(), 1);
    assert_eq!(defective[0].duration_ms, 1000);
    for closed in &closed {
        Sidecar::verify(&closed.path.with_extension("json")).unwrap();
    }
}
