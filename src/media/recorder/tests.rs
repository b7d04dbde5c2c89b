//! The recorder as a whole, without threads unless they are what is tested.

use std::fs::File;
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
        let disk = Disk::inline(config, move |news| {
            if let News::Closed(done) = news {
                sink.lock().unwrap().push(*done);
            }
        })
        .unwrap();
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

/// The same, whatever the format; for files that still grow, too.
fn decoded(path: &Path, format: Format) -> Vec<Vec<i16>> {
    let mut reader = Reader::open_as(path, format).unwrap();
    let told = reader.length().unwrap();
    let channels = reader.read_all().unwrap();
    let lengths: Vec<u64> = channels.iter().map(|one| one.len() as u64).collect();
    assert_eq!(lengths, vec![told; reader.channels()], "as told before");
    channels
}

/// What a foreign decoder makes of a file; `None` where there is none on this machine.
fn judged(path: &Path, channels: usize, hz: u32) -> Option<Vec<Vec<i16>>> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ar", &hz.to_string(), "-"])
        .output()
        .ok()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let samples: Vec<i16> = output
        .stdout
        .chunks_exact(2)
        .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]))
        .collect();
    let channel = |channel| {
        samples
            .iter()
            .skip(channel)
            .step_by(channels)
            .copied()
            .collect()
    };
    Some((0..channels).map(channel).collect())
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
            heard(&header(1, i), &frame),
        );
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
        tap.packet(
            caller,
            at(i * 20),
            heard(&header(1, i), &[1000; FRAME_SAMPLES]),
        );
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
        tap.packet(
            caller,
            at(i * 20),
            heard(&header(1, i), &[1000; FRAME_SAMPLES]),
        );
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
            heard(&header(1, i), &[i as i16 + 1; FRAME_SAMPLES]),
        );
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
        tap.packet(
            caller,
            at(i * 20),
            heard(&header(1, i), &[1; FRAME_SAMPLES]),
        );
        tap.tick(at(i * 20));
        studio.disk.pump();
    }
    tap.stop(at(2000));
    let closed = studio.closed();
    assert!(closed.defect.unwrap().contains("cannot create the file"));
    assert_eq!(closed.sha256, "");
}

#[test]
fn what_could_not_be_published_is_tried_again_with_longer_pauses() {
    let studio = Studio::new(2);
    let path = studio.directory.path().join("call.wav");
    let now = std::time::Instant::now();
    let after = |ms| studio.disk.pump_at(now + Duration::from_millis(ms));
    let told = || std::mem::take(&mut *studio.closed.lock().unwrap());
    let unpublished = || {
        let stats = studio.disk.stats();
        stats.unpublished.load(std::sync::atomic::Ordering::Relaxed)
    };
    let mut tap = studio.open("call");
    let caller = tap.add_source(Channel::LEFT).unwrap();
    tap.packet(caller, at(0), heard(&header(1, 0), &[9; FRAME_SAMPLES]));
    after(0);
    // Nothing can be renamed to what is a directory.
    std::fs::create_dir(&path).unwrap();
    tap.stop(at(1000));
    after(0);
    let closed = told().remove(0);
    assert!(closed.defect.unwrap().starts_with("not published: "));
    assert_eq!(closed.path, path.with_extension("wav.part"));
    assert_eq!(unpublished(), 1);
    // Tried and failed at 1 s, 3 s, 7 s: then nothing before 15 s.
    for ms in [1000, 3000, 7000] {
        after(ms);
        assert_eq!((told().len(), unpublished()), (0, 1), "{ms}");
    }
    std::fs::remove_dir(&path).unwrap();
    after(14_999);
    assert_eq!((told().len(), unpublished()), (0, 1));
    after(15_000);
    let closed = told().remove(0);
    assert_eq!((closed.defect, &closed.path), (None, &path));
    assert_eq!((closed.duration_ms, unpublished()), (1000, 0));
    Sidecar::verify(&path.with_extension("json")).unwrap();
    after(1_000_000);
    assert_eq!(told(), []);
}

#[test]
fn what_is_unpublished_at_the_end_is_tried_once_more() {
    let studio = Studio::new(2);
    let path = studio.directory.path().join("call.wav");
    let tap = studio.open("call");
    studio.disk.pump();
    std::fs::create_dir(&path).unwrap();
    tap.stop(at(1000));
    studio.disk.pump();
    std::fs::remove_dir(&path).unwrap();
    studio.disk.stop();
    let closed = studio.closed.lock().unwrap().pop().unwrap();
    assert_eq!((closed.defect, &closed.path), (None, &path));
}

#[test]
fn parties_who_join_and_leave_a_channel_are_summed_into_it() {
    let studio = Studio::new(1);
    let mut tap = studio.open("call");
    let agent = tap.add_source(Channel::RIGHT).unwrap();
    let mut third = None;
    for i in 0..150u64 {
        tap.packet(
            agent,
            at(i * 20),
            heard(&header(1, i), &[1000; FRAME_SAMPLES]),
        );
        match i {
            50 => third = tap.add_source(Channel::RIGHT),
            100 => tap.remove_source(third.take().unwrap()),
            _ => {}
        }
        if let Some(third) = third {
            tap.packet(
                third,
                at(i * 20),
                heard(&header(3, i), &[200; FRAME_SAMPLES]),
            );
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
    let disk = Disk::start(config, move |news| {
        if let News::Closed(closed) = news {
            drop(sender.send(*closed));
        }
    })
    .unwrap();
    let mut left_over = disk.open(opening("left-over")).unwrap();
    left_over.tick(at(1000));
    for i in 0..20 {
        let mut tap = disk.open(opening(&format!("call-{i}"))).unwrap();
        let caller = tap.add_source(Channel::LEFT).unwrap();
        for i in 0..50u64 {
            tap.packet(
                caller,
                at(i * 20),
                heard(&header(1, i), &[1000; FRAME_SAMPLES]),
            );
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

/// Two people of two tones for so many frames, one of whom loses a packet in twenty.
fn talk(
    studio: &Studio,
    tap: &mut Tap,
    [caller, agent]: [SourceId; 2],
    frames: std::ops::Range<u64>,
) {
    let tone = |hz: f64, i: u64| {
        let sample = |n: u64| {
            let phase = std::f64::consts::TAU * hz * n as f64 / 8000.0;
            (phase.sin() * 8000.0) as i16
        };
        let samples: Vec<i16> = (i * 160..(i + 1) * 160).map(sample).collect();
        samples
    };
    for i in frames {
        tap.packet(caller, at(i * 20), heard(&header(1, i), &tone(440.0, i)));
        if i % 20 != 9 {
            tap.packet(agent, at(i * 20 + 3), heard(&header(2, i), &tone(880.0, i)));
        }
        tap.tick(at(i * 20 + 10));
        studio.disk.pump();
    }
}

/// Both of them.
fn parties(tap: &mut Tap) -> [SourceId; 2] {
    [Channel::LEFT, Channel::RIGHT].map(|channel| tap.add_source(channel).unwrap())
}

#[test]
fn every_format_holds_what_was_said_and_foreign_decoders_agree() {
    let mut wav = Vec::new();
    for format in [Format::Wav, Format::Flac, Format::Opus] {
        let studio = Studio::with(1, format);
        let mut tap = studio.open("call");
        let both = parties(&mut tap);
        talk(&studio, &mut tap, both, 0..1000);
        tap.stop(at(20_000));
        let closed = studio.closed();
        assert_eq!(closed.defect, None);
        assert_eq!(closed.duration_ms, 20_000);
        let own = decoded(&closed.path, format);
        assert_eq!(own.len(), 2);
        for channel in &own {
            assert_eq!(channel.len(), 160_000, "{format:?}");
        }
        match format {
            Format::Wav => wav.clone_from(&own),
            Format::Flac => assert!(wav == own, "every sample"),
            Format::Opus => {
                for (channel, hz, other) in [(0, 440.0, 880.0), (1, 880.0, 440.0)] {
                    let level = power_db(&own[channel][8000..], hz);
                    let was = power_db(&wav[channel][8000..], hz);
                    assert!((level - was).abs() < 0.5, "{level} {was}");
                    assert!(power_db(&own[channel][8000..], other) < level - 40.0);
                }
                // In its place to a quarter of a millisecond: half a wave of 440 Hz is 9 samples.
                let (a, b) = (&own[0][16_000..24_000], &wav[0][16_000..24_000]);
                let alike: f64 = a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                let power: f64 = b.iter().map(|b| f64::from(*b).powi(2)).sum();
                assert!(alike / power > 0.9, "{}", alike / power);
                assert!(closed.bytes < 20 * 6000, "{}", closed.bytes);
            }
        }
        if let Some(foreign) = judged(&closed.path, 2, 8000) {
            for (own, foreign) in own.iter().zip(&foreign) {
                assert_eq!(own.len(), foreign.len(), "{format:?}");
                if format != Format::Opus {
                    assert!(own == foreign, "{format:?}");
                }
            }
        }
        Sidecar::verify(&closed.path.with_extension("json")).unwrap();
    }
}

#[test]
fn a_process_killed_at_any_instant_leaves_files_that_play_and_can_be_repaired() {
    for format in Format::ALL {
        let studio = Studio::with(1, format);
        let mut tap = studio.open("call");
        let both = parties(&mut tap);
        let part = format!("call.{}.part", format.extension());
        for step in 0..20u64 {
            // Instants that hit every phase of a block and of a frame.
            let (from, to) = (step * 37, (step + 1) * 37);
            talk(&studio, &mut tap, both, from..to);
            // Encoders and decoders of Opus take their time.
            let is_heard = format != Format::Opus || step % 6 == 5;
            let whole = is_heard.then(|| decoded(&studio.directory.path().join(&part), format));
            let after = tempfile::tempdir().unwrap();
            for name in [&*part, "call.json.part"] {
                let from = studio.directory.path().join(name);
                std::fs::copy(from, after.path().join(name)).unwrap();
            }
            if step % 3 == 2 {
                // Torn in the middle of the last write.
                let torn = File::options().append(true).open(after.path().join(&part));
                use std::io::Write;
                torn.unwrap()
                    .write_all(&[0xff, 0xf8, 0xc9, 0x18, 5])
                    .unwrap();
            }
            let recovered = recover(after.path());
            assert_eq!(recovered.len(), 1, "{format:?} {step}");
            let closed = &recovered[0];
            let missing = (to * 20).saturating_sub(closed.duration_ms);
            assert!(
                missing < 1000,
                "{format:?} at {to}: {missing} ms are missing"
            );
            Sidecar::verify(&closed.path.with_extension("json")).unwrap();
            let Some(whole) = whole else { continue };
            let mended = decoded(&closed.path, format);
            assert_eq!(mended[0].len() as u64 / 8, closed.duration_ms, "{format:?}");
            // What is torn off a WAV file may look like one more sample.
            assert!(mended[0].len() - whole[0].len() <= 1, "{format:?}");
            if closed.duration_ms > 2000 && step % 6 == 5 {
                assert!(power_db(&mended[0][4000..], 440.0) > -20.0, "{format:?}");
                if let Some(foreign) = judged(&closed.path, 2, 8000) {
                    assert_eq!(foreign[0].len(), mended[0].len(), "{format:?}");
                }
            }
        }
        tap.stop(at(20 * 37 * 20));
        studio.closed();
    }
}

#[test]
fn a_packet_that_comes_late_is_in_its_place() {
    for (format, late_ms) in [
        (Format::Wav, 1900),
        (Format::Flac, 1900),
        (Format::Opus, 200),
    ] {
        let studio = Studio::with(1, format);
        let mut tap = studio.open("call");
        let caller = tap.add_source(Channel::LEFT).unwrap();
        let late = 200 + late_ms / 20;
        for i in 0..500u64 {
            let mut put = |i| {
                let header = header(1, i);
                let mut samples: Frame = [0; FRAME_SAMPLES];
                Tone::new(1000.0, -6.0).fill(&mut samples);
                tap.packet(caller, at(late.max(i) * 20), heard(&header, &samples));
            };
            // Sequence numbers reach 63 back: what is later than that is another stream.
            match i {
                200 => continue,
                _ if i == late.min(260) => put(200),
                _ => {}
            }
            let header = header(1, i);
            tap.packet(caller, at(i * 20), heard(&header, &[100; FRAME_SAMPLES]));
            tap.tick(at(i * 20));
            studio.disk.pump();
        }
        tap.stop(at(10_000));
        let closed = studio.closed();
        let left = &decoded(&closed.path, format)[0];
        let level = power_db(&left[32_000..32_160], 1000.0);
        assert!(level > -9.0, "{format:?}: {level}");
        assert!(
            closed.gaps.iter().all(|gap| gap.channel == Channel::RIGHT),
            "{format:?}"
        );
    }
}

#[test]
fn a_changed_byte_is_found_and_located_wherever_it_is() {
    for format in Format::ALL {
        let studio = Studio::with(1, format);
        let mut tap = studio.open("call");
        let both = parties(&mut tap);
        talk(&studio, &mut tap, both, 0..250);
        tap.pause(at(5000), Some(Channel::RIGHT));
        talk(&studio, &mut tap, both, 250..300);
        tap.resume(at(6000), Some(Channel::RIGHT));
        talk(&studio, &mut tap, both, 300..500);
        tap.stop(at(10_000));
        let closed = studio.closed();
        let sidecar = closed.path.with_extension("json");
        let whole = Sidecar::verify(&sidecar).unwrap();
        assert!(
            (8..=12).contains(&whole.chain.len()),
            "{}",
            whole.chain.len()
        );
        let good = std::fs::read(&closed.path).unwrap();
        let length = good.len();
        // Header, first and last sample, every stretch, and bytes added or taken away.
        let places = (0..20)
            .map(|n| n * length / 20)
            .chain([1, 43, 44, length - 1]);
        for place in places {
            for bit in [0, 7] {
                let mut bad = good.clone();
                bad[place] ^= 1 << bit;
                std::fs::write(&closed.path, bad).unwrap();
                let Err(SidecarError::Changed {
                    is_sealed, damages, ..
                }) = Sidecar::verify(&sidecar)
                else {
                    panic!("{format:?}: byte {place} may change");
                };
                assert!(is_sealed && damages.len() == 1, "{damages:?}");
                let Damage { bytes, ms } = &damages[0];
                assert!(
                    bytes.contains(&(place as u64)),
                    "{format:?} {place} {bytes:?}"
                );
                assert!(ms.end - ms.start <= 2000, "{format:?} {place} {ms:?}");
                let expected = 10_000 * place as u64 / length as u64;
                if format == Format::Wav && place > 44 {
                    assert!((ms.start..=ms.end).contains(&expected), "{place} {ms:?}");
                }
            }
        }
        for changed in [&good[..length - 1], &[&good[..], &[0]].concat()] {
            std::fs::write(&closed.path, changed).unwrap();
            assert!(Sidecar::verify(&sidecar).is_err(), "{format:?}");
        }
        std::fs::write(&closed.path, &good).unwrap();
        Sidecar::verify(&sidecar).unwrap();

        // No digit and no letter of the sidecar can change without being told.
        let text = std::fs::read(&sidecar).unwrap();
        let mut changes = 0;
        for place in (0..text.len()).filter(|place| place % 13 == 0) {
            let mut bad = text.clone();
            bad[place] = match bad[place] {
                b'0'..=b'8' => bad[place] + 1,
                b'a'..=b'y' => bad[place] + 1,
                _ => continue,
            };
            changes += 1;
            std::fs::write(&sidecar, &bad).unwrap();
            assert!(Sidecar::verify(&sidecar).is_err(), "{place}");
        }
        assert!(changes > 50);
    }
}

#[test]
fn what_is_said_in_a_pause_is_not_kept_and_the_pause_is_told() {
    for format in Format::ALL {
        let studio = Studio::with(1, format);
        let mut tap = studio.open("call");
        let both = parties(&mut tap);
        talk(&studio, &mut tap, both, 0..100);
        tap.pause(at(2000), None);
        tap.pause(at(2010), None);
        talk(&studio, &mut tap, both, 100..200);
        tap.resume(at(4000), None);
        tap.pause(at(4000), Some(Channel::LEFT));
        talk(&studio, &mut tap, both, 200..300);
        tap.resume(at(6000), Some(Channel::LEFT));
        talk(&studio, &mut tap, both, 300..400);
        tap.mark(at(7000), Channel::RIGHT, MarkEvent::Joined, 17);
        tap.pause(at(8000), Some(Channel::LEFT));
        tap.stop(at(9000));
        let closed = studio.closed();
        let sound = decoded(&closed.path, format);
        let loud = |channel: usize, from_ms: usize, to_ms: usize| {
            let part = &sound[channel][from_ms * 8..to_ms * 8];
            part.iter().any(|sample| sample.abs() > 200)
        };
        assert!(loud(0, 1000, 1990) && loud(1, 1000, 1990));
        assert!(!loud(0, 2040, 5980) && !loud(1, 2040, 3980), "{format:?}");
        assert!(loud(1, 4100, 5900) && loud(0, 6100, 7900));
        let paused: Vec<_> = closed
            .gaps
            .iter()
            .filter(|gap| gap.cause == GapCause::Paused)
            .map(|gap| (gap.channel.0, gap.at_ms, gap.length_ms))
            .collect();
        // What was on its way when the pause began is heard: packets are kept or not as a whole.
        assert_eq!(paused.len(), 4, "{paused:?}");
        assert!(
            paused
                .iter()
                .zip([2000, 2000, 1000, 2000])
                .all(|(gap, ms)| gap.2.abs_diff(ms) <= 40),
            "{paused:?}"
        );
        let marks: Vec<_> = closed
            .marks
            .iter()
            .map(|mark| {
                (
                    mark.at_ms,
                    mark.event,
                    mark.channel.map(|it| it.0),
                    mark.leg,
                )
            })
            .collect();
        let left = Some(0);
        assert_eq!(
            marks,
            [
                (2000, MarkEvent::Paused, None, None),
                (4000, MarkEvent::Resumed, None, None),
                (4000, MarkEvent::Paused, left, None),
                (6000, MarkEvent::Resumed, left, None),
                (7000, MarkEvent::Joined, Some(1), Some(17)),
                (8000, MarkEvent::Paused, left, None),
            ]
        );
        let sidecar = Sidecar::verify(&closed.path.with_extension("json")).unwrap();
        assert_eq!(sidecar.marks, closed.marks);
    }
}

#[test]
fn each_of_eight_has_a_channel_in_wide_band() {
    for format in Format::ALL {
        let studio = Studio::with(1, format);
        let mut many = opening("many");
        many.channels = (0..8).map(|n| format!("member {n}")).collect();
        many.rate = Rate::Wide;
        let mut tap = studio.disk.open(many).unwrap();
        let sources: Vec<_> = (0..8)
            .map(|n| tap.add_source(Channel(n)).unwrap())
            .collect();
        for i in 0..150u64 {
            for (n, source) in sources.iter().enumerate() {
                let header = Header {
                    timestamp: i as u32 * 960,
                    ..header(n as u32, i)
                };
                let hz = 300.0 * (n + 1) as f64;
                let samples: Vec<i16> = (i * 320..(i + 1) * 320)
                    .map(|t| {
                        let phase = std::f64::consts::TAU * hz * t as f64 / 16_000.0;
                        (phase.sin() * 8000.0) as i16
                    })
                    .collect();
                let heard = Heard {
                    clock_hz: 48_000,
                    rate: Rate::Wide,
                    ..heard(&header, &samples)
                };
                tap.packet(*source, at(i * 20), heard);
            }
            tap.tick(at(i * 20));
            studio.disk.pump();
        }
        tap.stop(at(3000));
        let closed = studio.closed();
        assert_eq!(closed.defect, None);
        let all = decoded(&closed.path, format);
        assert_eq!((all.len(), all[0].len()), (8, 48_000));
        for (n, channel) in all.iter().enumerate() {
            // The same in samples as half the frequency at 8 kHz.
            let level = |n: usize| power_db(&channel[8000..], 150.0 * (n + 1) as f64);
            assert!(level(n) > -12.0, "{format:?} {n}: {}", level(n));
            let others = (0..8).filter(|other| *other != n);
            let loudest = others.map(level).fold(-200.0, f64::max);
            assert!(loudest < level(n) - 30.0, "{format:?} {n}: {loudest}");
        }
        if let Some(foreign) = judged(&closed.path, 8, 16_000) {
            assert_eq!((foreign.len(), foreign[0].len()), (8, 48_000), "{format:?}");
        }
    }
}

#[test]
fn every_rate_is_heard_in_a_file_of_another_and_in_its_place() {
    for (file, rates) in [
        (Rate::Narrow, [Rate::Wide, Rate::Full]),
        (Rate::Wide, [Rate::Narrow, Rate::Full]),
    ] {
        let studio = Studio::new(1);
        let mut mixed = opening("mixed");
        mixed.rate = file;
        let mut tap = studio.disk.open(mixed).unwrap();
        let both = parties(&mut tap);
        for i in 0..150u64 {
            for (n, (source, rate)) in both.iter().zip(rates).enumerate() {
                let frame = rate.frame() as u64;
                let header = Header {
                    timestamp: i as u32 * frame as u32,
                    ..header(n as u32, i)
                };
                let samples: Vec<i16> = (i * frame..(i + 1) * frame)
                    .map(|t| {
                        // A second of tone, a second of silence.
                        let seconds = t as f64 / f64::from(rate.hz());
                        let phase = std::f64::consts::TAU * 1000.0 * seconds;
                        if seconds % 2.0 < 1.0 {
                            (phase.sin() * 8000.0) as i16
                        } else {
                            0
                        }
                    })
                    .collect();
                let heard = Heard {
                    header: &header,
                    clock_hz: rate.hz(),
                    rate,
                    samples: &samples,
                };
                tap.packet(*source, at(i * 20), heard);
            }
            tap.tick(at(i * 20));
            studio.disk.pump();
        }
        tap.stop(at(3000));
        let closed = studio.closed();
        assert_eq!(closed.defect, None);
        let hz = file.hz() as usize;
        for channel in decoded(&closed.path, Format::Wav) {
            assert_eq!(channel.len(), 3 * hz);
            let level = power_db(&channel[hz / 10..hz * 9 / 10], 8000.0 * 1000.0 / hz as f64);
            assert!((level + 8.9).abs() < 0.5, "{file:?}: {level}");
            let begins = channel[hz * 3 / 2..]
                .iter()
                .position(|sample| sample.abs() > 4000);
            let begins = begins.unwrap() + hz * 3 / 2;
            // The filter's delay is 1.5 ms.
            let late = begins as i64 - 2 * hz as i64;
            assert!((0..hz as i64 / 400).contains(&late), "{file:?}: {late}");
        }
    }
}
