//! After the story: is what is left of it what it should be?

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::cast::{self, Cast};
use super::plot::Who;
use crate::base::Party;
use crate::cli::text::length;
use crate::events::{CallRecord, Stretch};

/// One thing that had to be.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) wanted: &'static str,
    pub(super) is_good: bool,
    pub(super) found: String,
}

/// What the user keeps.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) stereo: PathBuf,
    pub(super) record: PathBuf,
    pub(super) caller: PathBuf,
    pub(super) agent: PathBuf,
    pub(super) log: PathBuf,
}

/// Speech of a phone is far louder, comfort noise and codec noise far quieter.
const AUDIBLE: u16 = 1000;
/// A recording begins and ends with the talk, to a frame; this leaves room for the BYE's way.
const LENGTHS_MEET_MS: u64 = 100;

impl Files {
    /// Puts the stereo file and the record beside what the phones recorded; the record then says
    /// where the file is now.
    pub(super) fn collect(record: &mut CallRecord, cast: &Cast) -> anyhow::Result<Self> {
        let files = Self {
            stereo: cast.keep.join("conversation.wav"),
            record: cast.keep.join("record.json"),
            caller: cast.heard_by(Who::Caller),
            agent: cast.heard_by(Who::Suzuki),
            log: cast.log(),
        };
        let recording = record
            .recordings
            .first_mut()
            .and_then(|one| one.path.as_mut());
        let path = recording.context("the conversation was not recorded")?;
        cast::keep(&cast.recordings().join(&*path), &files.stereo)?;
        *path = files.stereo.display().to_string();
        let text = format!("{:#}\n", record.to_json());
        std::fs::write(&files.record, text)
            .with_context(|| format!("cannot write {}", files.record.display()))?;
        Ok(files)
    }
}

/// Looks at everything.
pub(super) fn look(record: &CallRecord, files: &Files) -> Vec<Finding> {
    let mut findings = in_record(record);
    findings.push(heard("the caller heard the office", &files.caller, 0));
    findings.push(heard("the agent heard the caller", &files.agent, 0));
    findings.push(heard("the caller is on the left channel", &files.stereo, 0));
    findings.push(heard("the agent is on the right channel", &files.stereo, 1));
    findings.push(whole(record, &files.stereo));
    findings
}

fn in_record(record: &CallRecord) -> Vec<Finding> {
    let finding = |wanted, is_good, found| Finding {
        wanted,
        is_good,
        found,
    };
    let keys: String = record.digits.iter().map(|digit| digit.digit).collect();
    let visit = record.queues.first();
    let visit = visit.map(|visit| (visit.queue.as_str(), visit.outcome.as_deref()));
    let offers = record.offers.iter();
    let offers: Vec<(&str, Option<&str>)> = offers
        .map(|offer| (offer.agent.as_str(), offer.outcome.as_deref()))
        .collect();
    let told = |(name, outcome): &(&str, Option<&str>)| {
        format!("{name}: {}", outcome.unwrap_or("open").replace('_', " "))
    };
    let sum: u64 = record
        .caller_timeline
        .iter()
        .filter_map(|part| part.duration_ms)
        .sum();
    let total = record.duration_ms.unwrap_or_default();
    vec![
        finding(
            "the menu took the key",
            keys.contains('1'),
            format!("pressed {keys}"),
        ),
        finding(
            "the caller waited in line, and was served",
            visit == Some(("sales", Some("answered"))),
            visit.iter().map(told).collect(),
        ),
        finding(
            "who was busy was passed over, the next one answered",
            matches!(offers[..], [("sato", Some(no)), ("suzuki", Some("accepted"))]
                if no != "accepted"),
            offers.iter().map(told).collect::<Vec<_>>().join(", "),
        ),
        finding(
            "the caller hung up",
            record.hung_up_by == Some(Party::Caller) && record.sip == Some(200),
            record.cause.clone().unwrap_or_default(),
        ),
        finding(
            "the caller's time adds up",
            sum == total && total > 0,
            format!("{} in all", length(total)),
        ),
    ]
}

/// Whether a channel of a file has something on it.
fn heard(wanted: &'static str, path: &Path, channel: usize) -> Finding {
    match loudest(path, channel) {
        Ok(peak) => Finding {
            wanted,
            is_good: peak >= AUDIBLE,
            found: format!("loudest sample {} %", u32::from(peak) * 100 / 32_768),
        },
        Err(error) => Finding {
            wanted,
            is_good: false,
            found: format!("{error:#}"),
        },
    }
}

fn loudest(path: &Path, channel: usize) -> anyhow::Result<u16> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("{}", path.display()))?;
    let channels = usize::from(reader.spec().channels);
    anyhow::ensure!(
        channels == 2,
        "{} has {channels} channel, not 2",
        path.display()
    );
    let samples = reader.samples::<i16>().skip(channel).step_by(channels);
    samples
        .map(|sample| Ok(sample?.unsigned_abs()))
        .try_fold(0, |most, one| one.map(|it| most.max(it)))
}

/// Whether the stereo file is as long as the talk, and the one the record speaks of.
fn whole(record: &CallRecord, stereo: &Path) -> Finding {
    let wanted = "the recording is whole and the record's own";
    let talk = record.total_ms(Stretch::Talk);
    let one = record.recordings.first();
    let long = one.and_then(|one| one.duration_ms).unwrap_or_default();
    let sum = std::fs::read(stereo).map(|bytes| hex::encode(Sha256::digest(bytes)));
    let is_same = one.and_then(|one| one.sha256.as_ref()) == sum.ok().as_ref();
    let is_whole =
        talk.abs_diff(long) <= LENGTHS_MEET_MS && one.is_some_and(|one| one.defect.is_none());
    let checksum = if is_same {
        "checksum right"
    } else {
        "checksum wrong"
    };
    Finding {
        wanted,
        is_good: is_same && is_whole,
        found: format!("{} of {} talk, {checksum}", length(long), length(talk)),
    }
}
