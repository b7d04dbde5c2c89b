//! The JSON beside each recording: what it is, what is missing, what happened, and the proof that
//! neither of the two files was changed.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::chain::{Chain, Damage};
use super::{Closed, Gap, Mark, Opening};
use crate::base::{RecordingId, Timestamp};

/// Version of the sidecar's form.
pub const SIDECAR_SCHEMA: u32 = 2;

/// Lines about gaps in a sidecar at most.
pub(super) const MAX_GAPS: usize = 10_000;

/// What the JSON file beside a recording holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Who is on which channel, left first.
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
    /// What happened, in order.
    pub marks: Vec<Mark>,
    /// Hashes of the sound file by the second.
    pub chain: Chain,
    /// SHA-256, hex, of this sidecar as compact JSON with nothing here. The call record has it,
    /// too.
    pub seal: String,
    /// Why the recording is incomplete, when it is.
    pub defect: Option<String>,
}

/// Why a recording does not agree with its sidecar.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// One of the files has another content than when it was published.
    #[error("{}: {}", path.display(), told(*is_sealed, damages))]
    Changed {
        /// Sound file.
        path: PathBuf,
        /// Whether the sidecar is what it was.
        is_sealed: bool,
        /// What of the sound file is not.
        damages: Vec<Damage>,
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

fn told(is_sealed: bool, damages: &[Damage]) -> String {
    let sidecar = (!is_sealed).then(|| "the sidecar was changed after it was published".to_owned());
    let sound = damages.iter().map(|Damage { bytes, ms }| {
        let (from, to) = (ms.start as f64 / 1e3, ms.end as f64 / 1e3);
        format!(
            "bytes {} to {} ({from:.1} s to {to:.1} s) were changed after it was published",
            bytes.start, bytes.end
        )
    });
    let told: Vec<String> = sidecar.into_iter().chain(sound).collect();
    told.join("; ")
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
            sample_rate_hz: opening.shape().hz,
            channels: opening.channels.clone(),
            labels: opening.labels.clone(),
            file,
            bytes: 0,
            sha256: String::new(),
            gaps: Vec::new(),
            gaps_left_out: 0,
            marks: Vec::new(),
            chain: Chain::default(),
            seal: String::new(),
            defect: None,
        }
    }

    /// First instant of the recording.
    pub fn started_at(&self) -> Timestamp {
        Timestamp::parse_rfc3339(&self.started).unwrap_or(Timestamp::ZERO)
    }

    /// Takes in what the recording became.
    pub(super) fn publish(&mut self, closed: &Closed, chain: Chain) {
        self.state = "published".to_owned();
        self.duration_ms = closed.duration_ms;
        self.bytes = closed.bytes;
        self.sha256 = closed.sha256.clone();
        self.gaps = closed.gaps.clone();
        self.marks = closed.marks.clone();
        self.chain = chain;
        self.defect = closed.defect.clone();
        self.seal = self.sum();
    }

    /// What the seal must be.
    fn sum(&self) -> String {
        let open = Self {
            seal: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_vec(&open).unwrap_or_default();
        hex::encode(Sha256::digest(&text))
    }

    /// The sound file that belongs to the sidecar at `path`. Only the name in it counts: a sidecar
    /// cannot send its reader elsewhere.
    pub fn sound(&self, path: &Path) -> PathBuf {
        let name = Path::new(&self.file).file_name().unwrap_or_default();
        path.with_file_name(name)
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

    /// Reads the sidecar at `path` and compares it and the sound file beside it with what was
    /// published.
    pub fn verify(path: &Path) -> Result<Self, SidecarError> {
        let sidecar = Self::read(path)?;
        let sound = sidecar.sound(path);
        let damages = File::open(&sound)
            .and_then(|file| sidecar.chain.damages(&file, &sidecar.marks))
            .map_err(|source| SidecarError::Io {
                path: sound.clone(),
                source,
            })?;
        let is_sealed = sidecar.seal == sidecar.sum();
        if is_sealed && damages.is_empty() {
            Ok(sidecar)
        } else {
            Err(SidecarError::Changed {
                path: sound,
                is_sealed,
                damages,
            })
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

/// Recordings are for the switch and its group, not for everyone on the machine.
pub(super) const FILE_MODE: u32 = 0o640;
