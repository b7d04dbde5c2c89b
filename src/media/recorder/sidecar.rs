//! The JSON beside each recording: what it is, what is missing, and its checksum.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Closed, Gap, Opening};
use crate::base::{RecordingId, Timestamp};
use crate::media::CLOCK_HZ;

/// Version of the sidecar's form.
pub const SIDECAR_SCHEMA: u32 = 1;

/// Lines about gaps in a sidecar at most.
pub(super) const MAX_GAPS: usize = 10_000;

/// What the JSON file beside a recording holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Version of this form: [`SIDECAR_SCHEMA`].
    pub schema: u32,
    /// `recording` while it runs, `published` after.
    pub state: String,
    /// Id.
    pub recording: RecordingId,
    /// First instant, RFC 3339.
    pub started: String,
    /// Length.
    pub duration_ms: u64,
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// Who is on the left and on the right.
    pub channels: Vec<String>,
    /// Whatever else is to be known (call, numbers, agent).
    pub labels: Map<String, Value>,
    /// Name of the sound file, in the same directory.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Stretches without sound, by channel and time.
    pub gaps: Vec<Gap>,
    /// How many more there were.
    pub gaps_left_out: u64,
    /// Why the recording is incomplete, when it is.
    pub defect: Option<String>,
}

/// Why a recording does not agree with its sidecar.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The sound file has another content than when it was published.
    #[error("{}: the file was changed after it was published", path.display())]
    Changed {
        /// Sound file.
        path: PathBuf,
    },
    /// One of the files cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The sidecar is not one.
    #[error("{}: not a sidecar: {source}", path.display())]
    Json {
        /// File.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Sidecar {
    /// What can be said when a recording begins.
    pub(super) fn draft(opening: &Opening, file: String) -> Self {
        Self {
            schema: SIDECAR_SCHEMA,
            state: "recording".to_owned(),
            recording: opening.recording.clone(),
            started: opening.started.to_rfc3339(),
            duration_ms: 0,
            sample_rate_hz: CLOCK_HZ,
            channels: opening.channels.to_vec(),
            labels: opening.labels.clone(),
            file,
            bytes: 0,
            sha256: String::new(),
            gaps: Vec::new(),
            gaps_left_out: 0,
            defect: None,
        }
    }

    /// First instant of the recording.
    pub fn started_at(&self) -> Timestamp {
        Timestamp::parse_rfc3339(&self.started).unwrap_or(Timestamp::ZERO)
    }

    /// Takes in what the recording became.
    pub(super) fn publish(&mut self, closed: &Closed) {
        self.state = "published".to_owned();
        self.duration_ms = closed.duration_ms;
        self.bytes = closed.bytes;
        self.sha256 = closed.sha256.clone();
        self.gaps = closed.gaps.clone();
        self.defect = closed.defect.clone();
    }

    /// Reads a sidecar.
    pub fn read(path: &Path) -> Result<Self, SidecarError> {
        let text = std::fs::read(path).map_err(|source| SidecarError::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|source| SidecarError::Json {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the sidecar at `path` and compares the sound file beside it with its checksum.
    pub fn verify(path: &Path) -> Result<Self, SidecarError> {
        let sidecar = Self::read(path)?;
        // Only the name counts: a sidecar cannot send its reader elsewhere.
        let name = Path::new(&sidecar.file).file_name().unwrap_or_default();
        let sound = path.with_file_name(name);
        let sum = File::open(&sound)
            .and_then(|mut file| checksum(&mut file))
            .map_err(|source| SidecarError::Io {
                path: sound.clone(),
                source,
            })?;
        if sum == sidecar.sha256 {
            Ok(sidecar)
        } else {
            Err(SidecarError::Changed { path: sound })
        }
    }

    /// Writes the sidecar to `path`, without making it durable.
    pub(super) fn write(&self, path: &Path) -> io::Result<File> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(path)?;
        file.write_all(&text)?;
        Ok(file)
    }
}

/// SHA-256 of what is left of a file, hex.
pub(super) fn checksum(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hash.finalize())),
            Ok(length) => hash.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Recordings are for the switch and its group, not for everyone on the machine.
pub(super) const FILE_MODE: u32 = 0o640;
