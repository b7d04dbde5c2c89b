//! What a recording is asked to be, and what it became.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{RecordingId, Timestamp};
use crate::events::RecordingFacts;

/// One of the two channels of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The customer; or what a leg receives.
    Left,
    /// The agent, and whoever else takes part; or what is sent to a leg.
    Right,
}

impl Channel {
    /// 0 for left, 1 for right: the place in a sample pair.
    pub fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
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
    /// Who is on the left and on the right.
    pub channels: [String; 2],
    /// Whatever else the sidecar is to tell (call, numbers, agent).
    pub labels: Map<String, Value>,
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
}

/// A stretch of a channel without sound; it is silent in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who is on the left and on the right.
    pub channels: Vec<String>,
    /// Stretches without sound, by channel and time; at most 10,000.
    pub gaps: Vec<Gap>,
    /// Why the recording is incomplete, when it is.
    pub defect: Option<String>,
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
            channels: self.channels.clone(),
            defect: self.defect.clone(),
        }
    }
}
