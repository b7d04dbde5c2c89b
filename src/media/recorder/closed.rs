//! What a recording is asked to be, and what it became.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{RecordingId, Timestamp};
use crate::events::RecordingFacts;
use crate::media::Rate;

/// Channels a recording has at most: FLAC knows no more.
pub const MAX_CHANNELS: usize = 8;

/// One channel of a recording, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Channel(pub u8);

impl Channel {
    /// The customer; or what a leg receives.
    pub const LEFT: Self = Self(0);
    /// The agent, and whoever else takes part; or what is sent to a leg.
    pub const RIGHT: Self = Self(1);

    /// Its place among the samples of one instant.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A recording to begin.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub recording: RecordingId,
    /// Path of the file below the recordings directory, without extension, such as
    /// `2026-11-20/jp1-tokyo1-0-abc`. Each part must be a plain name.
    pub stem: String,
    /// The first instant of the file.
    pub started: Timestamp,
    /// Who is on which channel, left first; 1 to [`MAX_CHANNELS`], more are left out.
    pub channels: Vec<String>,
    /// Samples a second: [`Rate::Narrow`], or [`Rate::Wide`] for anything wider.
    pub rate: Rate,
    /// What the file is to be; `None` for what the recorder was configured for.
    pub format: Option<Format>,
    /// Whatever else the sidecar is to tell (call, numbers, agent).
    pub labels: Map<String, Value>,
}

impl Opening {
    /// The file's channels and rate.
    pub(super) fn shape(&self) -> Shape {
        let rate = self.rate.min(Rate::Wide);
        Shape {
            channels: self.channels.len().clamp(1, MAX_CHANNELS),
            hz: rate.hz(),
        }
    }
}

/// Channels and rate of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) hz: u32,
}

impl Shape {
    /// Samples of one channel as milliseconds.
    pub(super) fn to_ms(self, samples: u64) -> u64 {
        samples * 1000 / u64::from(self.hz)
    }

    /// Samples of one channel in so many milliseconds.
    pub(super) fn samples(self, ms: u64) -> u64 {
        u64::from(self.hz) * ms / 1000
    }

    /// How much of the recorder it needs, a telephone call in stereo being 1.
    pub(super) fn weight(self) -> u64 {
        (self.channels as u64 * u64::from(self.hz)).div_ceil(16_000)
    }
}

/// What a recording's file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Free Lossless Audio Codec (RFC 9639): every sample, about half the size.
    Flac,
    /// Opus in Ogg (RFC 7845): a tenth of the size, not sample by sample.
    Opus,
    /// 16-bit linear samples: what everything can read.
    #[default]
    Wav,
}

impl Format {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Flac, Self::Opus, Self::Wav];

    /// The ending of its files, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Flac => "flac",
            Self::Opus => "opus",
            Self::Wav => "wav",
        }
    }

    /// The format of a file, by its ending.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?;
        Self::ALL
            .into_iter()
            .find(|format| extension == format.extension())
    }
}

/// Why a recording cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The stem is empty, absolute, or leaves the directory.
    #[error("the recording's path must be plain names below the recordings directory")]
    BadStem,
    /// The recorder has been stopped.
    #[error("the recorder has stopped")]
    Stopped,
    /// As many recordings are open or being published as were configured.
    #[error("too many recordings at once")]
    TooMany,
}

/// Why a stretch of a channel holds no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// It was heard, but could not be stored: the disk was full or too slow.
    Disk,
    /// It was sent and never came.
    Lost,
    /// Nothing was sent: not begun, on hold, discontinuous transmission, ended.
    NotSent,
    /// The recording was paused: what was said was not to be kept.
    Paused,
}

/// A stretch of a channel without sound; it is silent in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Which channel.
    pub channel: Channel,
    /// Where it begins, milliseconds from the start of the file.
    pub at_ms: u64,
    /// How long it is, milliseconds.
    pub length_ms: u64,
    /// Why.
    pub cause: GapCause,
}

/// Something that happened while a recording ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// When, milliseconds from the start of the file.
    pub at_ms: u64,
    /// What.
    pub event: MarkEvent,
    /// On which channel; `null` for all of them.
    pub channel: Option<Channel>,
    /// The leg it is about, as the call record numbers it, if it is about one.
    pub leg: Option<u64>,
}

/// What a mark tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkEvent {
    /// The leg is heard on the channel from here on.
    Joined,
    /// The leg is not heard on it any more.
    Left,
    /// What is said from here on is not kept.
    Paused,
    /// It is kept again.
    Resumed,
}

/// A recording that has been published, or could not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Its id.
    pub recording: RecordingId,
    /// The first instant of the file.
    pub started: Timestamp,
    /// Length of the file.
    pub duration_ms: u64,
    /// The file: published, or still `.part` when that failed (see `defect`).
    pub path: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hex; empty when it could not be read.
    pub sha256: String,
    /// Who is on which channel, left first.
    pub channels: Vec<String>,
    /// Stretches without sound, by channel and time; at most 10,000.
    pub gaps: Vec<Gap>,
    /// What happened, in order; at most 10,000.
    pub marks: Vec<Mark>,
    /// SHA-256 of the sidecar, hex: kept elsewhere (in the call record), it proves both files.
    pub seal: String,
    /// Why the recording is incomplete, when it is.
    pub defect: Option<String>,
}

/// What the recorder tells while and after it records.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A recording is over.
    Closed(Box<Closed>),
    /// A recording cannot be written, and why; or it can again.
    Trouble {
        /// Recording.
        recording: RecordingId,
        /// `None` when it is over.
        why: Option<String>,
    },
}

impl Closed {
    /// What the call record keeps of it.
    pub fn facts(&self) -> RecordingFacts {
        RecordingFacts {
            recording: self.recording.clone(),
            started: self.started,
            duration_ms: self.duration_ms,
            path: self.path.to_string_lossy().into_owned(),
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            seal: self.seal.clone(),
            channels: self.channels.clone(),
            defect: self.defect.clone(),
        }
    }
}
