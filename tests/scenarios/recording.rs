//! Recordings as evidence: channels apart, aligned to one frame under loss, valid after `kill -9`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::address::CARRIER;
use super::capture_file::Stream;
use super::office::Office;
use super::phone::{Answering, Phone};
use super::record::{assert_whole, stretch};
use super::sipp::{Running, Step};
use super::sound::{FRAME, Searched, level_db, read_wav, seconds_of, slopes, tone};
use super::tap::{Heard, Tap};
use super::{quiet, wait};

#[test]
fn each_party_is_on_its_own_channel_and_both_are_aligned() {
    let _turn = quiet::shared();
    let talk = Talk::begin(None);
    talk.run(Duration::from_secs(8)).judge();
}

#[test]
fn channels_stay_aligned_when_one_side_loses_one_packet_in_twenty() {
    let _turn = quiet::shared();
    let talk = Talk::begin(Some(20));
    talk.run(Duration::from_secs(14)).judge();
}

#[test]
fn a_recording_survives_kill_9_but_for_its_last_second() {
    survives_kill_9("wav", 6.0);
}

#[test]
fn so_does_one_in_flac() {
    survives_kill_9("flac", 5.3);
}

#[test]
fn so_does_one_in_opus() {
    survives_kill_9("opus", 4.6);
}

/// Instants of all kinds; as many as `RECORDING_KILLS` says, 20 for the whole proof.
#[test]
fn kill_9_is_survived_at_any_instant() {
    let kills = std::env::var("RECORDING_KILLS").ok();
    let kills: u32 = kills.and_then(|text| text.parse().ok()).unwrap_or(1);
    let seed = std::process::id().wrapping_mul(0x9e37_79b9);
    for kill in 0..kills {
        let format = ["wav", "flac", "opus"][kill as usize % 3];
        let random = seed
            .wrapping_add(kill.wrapping_mul(0x85eb_ca6b))
            .rotate_left(13);
        let seconds = 1.5 + 6.0 * f64::from(random) / f64::from(u32::MAX);
        println!("{format} after {seconds:.3} s");
        survives_kill_9(format, seconds);
    }
}

#[track_caller]
fn survives_kill_9(format: &str, seconds: f64) {
    let _turn = quiet::shared();
    let mut talk = Talk::begin_in(None, |office| {
        office.set("TSUNAGU_RECORDING_FORMAT", format)
    });
    let began = talk.connect();
    wait::until_true("some seconds of talk", wait::PATIENCE, || {
        began
            .elapsed()
            .is_ok_and(|talked| talked > Duration::from_secs_f64(seconds))
    });
    talk.office.kill();
    let talked = began.elapsed().expect("a clock that runs forwards");
    let file = the_only_recording(&talk.office);
    let folder = talk.office.folder().to_owned();
    let judge = |file: &PathBuf, when: &str| {
        let channels = decode(file, &folder);
        assert_eq!(channels.len(), 2, "{when}");
        let kept = channels[0].len() as f64 / 8_000.0;
        let missing = talked.as_secs_f64() - kept;
        assert!(
            missing < 1.0,
            "{when}: {missing:.2} s of {talked:?} are missing"
        );
        assert!(
            seconds_of(&channels[0], 440.0) > 0.3 * kept,
            "{when}: the caller"
        );
        // baresip binds no address and speaks from another than it announces: it is believed after
        // a second.
        assert!(
            seconds_of(&channels[1], 880.0) > 0.3 * (kept - 1.1),
            "{when}: the agent"
        );
    };
    judge(&file, "as the dead process left it");
    drop(talk.caller);
    talk.office.start();
    let found = wait::until("the recovered recording", wait::PATIENCE, || {
        let files = wav_files(&talk.office);
        files
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == format))
    });
    judge(&found, "as the next process published it");
    let report = talk.office.ask_files(&["recording", "verify"], &found);
    assert!(report.contains("1 as they were published"), "{report}");
}

#[test]
fn a_full_disk_costs_silence_in_the_file_and_nothing_in_the_call() {
    let _turn = quiet::shared();
    let mut volume = None;
    let mut talk = Talk::begin_in(None, |office| {
        volume = Volume::small(&office.recordings());
    });
    let Some(volume) = volume else {
        println!("skipped: a small volume cannot be mounted here (that takes root)");
        talk.office.kill();
        return;
    };
    let began = talk.connect();
    let talked = |seconds: u64| {
        wait::until_true("some seconds of talk", wait::PATIENCE, || {
            began
                .elapsed()
                .is_ok_and(|it| it > Duration::from_secs(seconds))
        });
    };
    talked(3);
    volume.fill();
    wait::until_true("the alarm", wait::PATIENCE, || {
        talk.office.api.metric("tsunagu_recordings_failing") == 1.0
    });
    talked(8);
    volume.empty();
    wait::until_true("the end of the alarm", wait::PATIENCE, || {
        talk.office.api.metric("tsunagu_recordings_failing") == 0.0
    });
    talked(14);
    talk.hang_up();
    let log = talk.office.log();
    assert!(log.contains("recording.write_failed") && log.contains("recording.resumed"));

    // Nobody heard of it: not one packet of twenty milliseconds is missing on the wire.
    let carrier = talk.carrier();
    let to_caller = talk.tap.packets(|packet| packet.to == carrier).len() as f64;
    let seconds = began.elapsed().expect("forwards").as_secs_f64();
    println!("{to_caller} packets to the caller in {seconds:.1} s");
    assert!(to_caller > 13.0 * 50.0, "{to_caller}");

    let record = talk.office.records(1).remove(0);
    let recording = &record["recordings"][0];
    let defect = recording["defect"].as_str().expect("told");
    assert!(defect.contains("cannot write"), "{defect}");
    let path = recording["path"].as_str().expect("published");
    let path = talk.office.recordings().join(path);
    let channels = read_wav(&path);
    let part = |from: usize, to: usize| &channels[1][from * 8_000..to * 8_000];
    assert!(seconds_of(part(0, 3), 880.0) > 0.5);
    assert!(seconds_of(part(9, 13), 880.0) > 0.5, "it goes on by itself");
    let sidecar = std::fs::read_to_string(path.with_extension("json")).expect("beside it");
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).expect("JSON");
    let gaps = sidecar["gaps"].as_array().expect("gaps");
    let disk = gaps.iter().filter(|gap| gap["cause"] == "disk");
    let missing: u64 = disk.filter_map(|gap| gap["length_ms"].as_u64()).sum();
    assert!((2_000..20_000).contains(&missing), "{missing} ms");
    talk.office.ask_files(&["recording", "verify"], &path);
}

#[test]
fn no_recording_no_call_where_that_is_wanted() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    let Some(volume) = Volume::small(&office.recordings()) else {
        println!("skipped: a small volume cannot be mounted here (that takes root)");
        return;
    };
    office.set("TSUNAGU_RECORDING_WITHOUT_RECORDING", "no_call");
    office.start();
    volume.fill();
    // It asks for room once a second.
    let refused = office.carrier("refused").set("status", 503).start();
    refused.succeed(wait::PATIENCE);
    assert!(office.log().contains("recorder not ready"));
}

/// A volume of a few megabytes, for recordings or for everything.
pub(crate) struct Volume(PathBuf);

impl Volume {
    pub(crate) fn small(place: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(place).expect("a folder");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(place)
            .stderr(std::process::Stdio::null())
            .status();
        mount
            .is_ok_and(|status| status.success())
            .then(|| Self(place.to_owned()))
    }

    /// Not a byte is free afterwards.
    pub(crate) fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("there");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: the switch may still have a file in it.
        let umount = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
        assert!(umount.is_ok_and(|status| status.success()));
    }
}

/// All channels of a recording, whatever its format and whether it is finished, by ffmpeg.
#[track_caller]
fn decode(file: &std::path::Path, folder: &std::path::Path) -> Vec<Vec<i16>> {
    let name = file.to_string_lossy();
    if name.contains(".wav") {
        return read_wav(file);
    }
    let decoded = folder.join("decoded.wav");
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(file)
        .args(["-ar", "8000", "-c:a", "pcm_s16le"])
        .arg(&decoded)
        .output()
        .expect("ffmpeg, see scripts/set-up");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    read_wav(&decoded)
}

/// A caller on 440 Hz and agent 1001 on 880 Hz, each keyed in a pattern of its own.
pub(crate) struct Talk {
    pub(crate) office: Office,
    pub(crate) tap: Tap,
    pub(crate) phone: Phone,
    caller: Option<Running>,
    is_lossy: bool,
}

impl Talk {
    /// The call is placed; the agent answers by himself.
    pub(crate) fn begin(losing_one_in: Option<usize>) -> Self {
        Self::begin_in(losing_one_in, |_| ())
    }

    /// The same in an office that is changed before it opens.
    fn begin_in(losing_one_in: Option<usize>, change: impl FnOnce(&mut Office)) -> Self {
        let mut office = Office::prepare();
        change(&mut office);
        office.start();
        let tap = Tap::on(office.block);
        let phone = office.phone(1001, Answering::Auto, &keyed(880.0, VOICE_SECONDS, 1));
        let voice = office.folder().join("keyed.pcap");
        let stream = Stream::new(3).speak(&keyed(440.0, VOICE_SECONDS, 2));
        match losing_one_in {
            Some(every) => stream.losing_one_in(every).write(&voice),
            None => stream.write(&voice),
        }
        let caller = office
            .carrier("caller")
            .steps(&[
                Step::Pause(500),
                Step::Press("1"),
                Step::Pause(1_000),
                Step::Play(&voice),
            ])
            .set("patience_ms", 1_000.0 * VOICE_SECONDS)
            .start();
        Self {
            office,
            tap,
            phone,
            caller: Some(caller),
            is_lossy: losing_one_in.is_some(),
        }
    }

    /// Waits until both speak; returns since when.
    #[track_caller]
    pub(crate) fn connect(&mut self) -> SystemTime {
        self.phone.event("CALL_ESTABLISHED");
        wait::until_true("440 Hz at the phone", wait::PATIENCE, || {
            let heard = self.phone.heard().pop().unwrap_or_default();
            seconds_of(&heard, 440.0) > 0.2
        });
        let agent = self.spoken_by_agent();
        agent.began.expect("the agent speaks")
    }

    /// Talks for so long, then lets the agent hang up.
    #[track_caller]
    fn run(mut self, length: Duration) -> Self {
        let began = self.connect();
        wait::until_true("the talk", length + wait::PATIENCE, || {
            began.elapsed().is_ok_and(|talked| talked > length)
        });
        self.hang_up();
        self
    }

    /// Lets the agent hang up.
    #[track_caller]
    pub(crate) fn hang_up(&mut self) {
        self.phone.hang_up();
        let caller = self.caller.take().expect("begun");
        caller.succeed(wait::PATIENCE);
    }

    /// Where the caller speaks and listens.
    pub(crate) fn carrier(&self) -> SocketAddr {
        self.office.block.at(CARRIER, 6_000)
    }

    /// What the caller said, from the first word.
    pub(crate) fn spoken_by_caller(&self) -> Heard {
        let carrier = self.carrier();
        self.tap.heard(|packet| packet.from == carrier)
    }

    /// What the agent said.
    pub(crate) fn spoken_by_agent(&self) -> Heard {
        self.tap.spoken_by(self.phone.address)
    }

    /// The record and its recording: length, channels, alignment.
    #[track_caller]
    pub(crate) fn judge(&self) {
        let record = self.office.records(1).remove(0);
        assert_whole(&record, &self.office.recordings());
        let recording = &record["recordings"][0];
        let path = self
            .office
            .recordings()
            .join(recording["path"].as_str().expect("a path"));
        let channels = read_wav(&path);
        let [left, right] = &channels[..] else {
            panic!("{} channels", channels.len());
        };

        let talk = stretch(&record, "talk")["duration_ms"]
            .as_f64()
            .expect("ms");
        let length = left.len() as f64 / 8.0;
        assert!(
            (length - talk).abs() <= 20.0,
            "{length} ms recorded of {talk} ms of talk"
        );

        let media = &record["legs"][0]["media"];
        let count = |name: &str| media[name].as_f64().expect("a number");
        let lost = count("lost") / (count("lost") + count("received"));
        let expected = if self.is_lossy { 0.03..0.07 } else { 0.0..0.02 };
        assert!(
            expected.contains(&lost),
            "{lost:.3} of the packets lost: {media}"
        );

        for (channel, own, other) in [(left, 440.0, 880.0), (right, 880.0, 440.0)] {
            // By the second: over a longer stretch a shift by a frame would cancel a tone. But a
            // lost packet clicks at every frequency, and only the long stretch averages that out.
            let stretch = if self.is_lossy { channel.len() } else { 8_000 };
            // The second in the middle: where a sender's clock slipped, the recorder follows by a
            // sample a packet, and that is heard at every frequency, too.
            let usual = |hz| {
                let mut levels: Vec<f64> = channel
                    .chunks_exact(stretch)
                    .map(|second| level_db(second, hz))
                    .collect();
                levels.sort_by(f64::total_cmp);
                levels[levels.len() / 2]
            };
            let (own_db, other_db) = (usual(own), usual(other));
            println!("{own} Hz at {own_db:.1} dB, {other} Hz at {other_db:.1} dB");
            assert!(own_db > -20.0);
            assert!(
                other_db < own_db - 60.0,
                "cross-talk of {other} Hz at {other_db:.1} dB"
            );
        }

        let caller = self.spoken_by_caller();
        let agent = self.spoken_by_agent();
        let caller = Spoken::new(&caller);
        let agent = Spoken::new(&agent);
        for part in [0.25, 0.9] {
            // Not the very end: the last packets of a side that hangs up are not said any more.
            let latest = left.len() - PIECE - PIECES * PIECE / 2 - 2_000;
            let from = ((left.len() as f64 * part) as usize).min(latest);
            // Where a sender's clock slips within a piece, the recorder follows for a while, and
            // the piece may fit better where it does not belong: the middle one of five tells.
            let mut apart: Vec<f64> = (0..PIECES)
                .map(|n| from + n * PIECE / 2)
                .filter_map(|at| {
                    let by_caller = caller.origin(left, at)?;
                    let by_agent = agent.origin(right, at)?;
                    let apart = (by_caller.0 - by_agent.1).max(by_agent.0 - by_caller.1);
                    Some(apart.max(0.0) * 1_000.0)
                })
                .collect();
            apart.sort_by(f64::total_cmp);
            println!(
                "at {:.0} % of the file the channels are {apart:.1?} ms apart",
                part * 100.0
            );
            assert!(
                apart.len() > PIECES / 2,
                "the recording is not what was spoken"
            );
            assert!(apart[apart.len() / 2] <= 20.0);
        }
    }
}

/// What one side said, in which pieces of its channel are looked for.
struct Spoken<'a> {
    heard: &'a Heard,
    slopes: Searched,
}

impl<'a> Spoken<'a> {
    fn new(heard: &'a Heard) -> Self {
        let slopes = Searched::new(&slopes(&heard.samples));
        Self { heard, slopes }
    }

    /// When, on the wall clock, the file's first sample was spoken, judged by the piece at `at`
    /// of the file and when the same sound was on the wire: earliest and latest. They differ by
    /// what the sender's own clock has slipped, which nobody can tell from delay. `None`: what
    /// stands there was not spoken.
    fn origin(&self, channel: &[i16], at: usize) -> Option<(f64, f64)> {
        let piece = slopes(&channel[at..at + PIECE]);
        let (offset, score) = self.slopes.find(&piece)?;
        let first = |began: Option<SystemTime>| {
            let began = began?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(began.as_secs_f64() + (offset as f64 - at as f64) / 8_000.0)
        };
        let origin = (
            first(self.heard.began)?,
            first(self.heard.began_by(offset..offset + PIECE))?,
        );
        (score > 0.9).then_some(origin)
    }
}

/// Samples in which two channels are compared: a second.
const PIECE: usize = 8_000;
/// Pieces that are compared about one place, each beginning in the middle of the one before.
const PIECES: usize = 5;

/// A tone whose loudness changes ten times a second and never repeats its pattern, so that it fits in one place only.
fn keyed(hz: f64, seconds: f64, seed: u32) -> Vec<i16> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut samples = tone(hz, seconds);
    for stretch in samples.chunks_mut(800) {
        // xorshift32
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let loudness = match state % 5 {
            0 => 0.0,
            _ => 0.2 + 0.8 * f64::from(state) / f64::from(u32::MAX),
        };
        // Slopes of 20 ms, or the switching itself would be heard at every frequency.
        let length = stretch.len();
        for (at, sample) in stretch.iter_mut().enumerate() {
            let to_edge = at.min(length - 1 - at).min(FRAME) as f64 / FRAME as f64;
            let slope = 0.5 - 0.5 * (std::f64::consts::PI * to_edge).cos();
            *sample = (f64::from(*sample) * loudness * slope) as i16;
        }
    }
    samples
}

#[track_caller]
fn the_only_recording(office: &Office) -> PathBuf {
    let files = wav_files(office);
    let [file] = &files[..] else {
        panic!("one recording expected: {files:?}");
    };
    file.clone()
}

/// How long both have something to say.
const VOICE_SECONDS: f64 = 180.0;

/// Published recordings and unfinished ones (`.part`), wherever below the recordings folder.
pub(crate) fn wav_files(office: &Office) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![office.recordings()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".wav", ".flac", ".opus"]
                .iter()
                .any(|ending| name.trim_end_matches(".part").ends_with(ending))
            {
                found.push(path);
            }
        }
    }
    found
}
