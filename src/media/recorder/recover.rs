//! After a crash: what was being recorded is repaired and published, with the defect noted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::coverage::to_ms;
use super::file::Paths;
use super::publish::complete;
use super::wav::{self, HEADER_BYTES, MAX_PAIRS, PAIR_BYTES};
use super::{Closed, Opening, Sidecar};
use crate::base::{RecordingId, Timestamp};

/// Directories below the recordings directory that are searched.
const MAX_DEPTH: usize = 6;

/// What every recovered recording is told to lack.
const DEFECT: &str = "the switch stopped while recording: up to the last second is missing, \
                      and gaps are not listed";

/// Repairs and publishes every `.wav.part` below `directory` that no running process writes to.
///
/// To be called at start, before [`super::Disk::start`]. Reads every byte of what it finds. Files
/// that cannot be repaired are logged and left as they are; a missing directory holds none.
pub fn recover(directory: &Path) -> Vec<Closed> {
    let mut parts = Vec::new();
    find(directory, MAX_DEPTH, &mut parts);
    parts.sort();
    parts.iter().filter_map(|part| repair(part)).collect()
}

fn find(directory: &Path, depth: usize, parts: &mut Vec<PathBuf>) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::error!(path = %directory.display(), %error, "recording.recovery_failed");
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && depth > 0 {
            find(&path, depth - 1, parts);
        } else if !is_directory && Paths::of_part(&path).is_some() {
            parts.push(path);
        }
    }
}

fn repair(part: &Path) -> Option<Closed> {
    let paths = Paths::of_part(part)?;
    let repaired = open(part).and_then(|file| file.map(|file| mend(&paths, file)).transpose());
    match repaired {
        Ok(closed) => closed,
        Err(error) => {
            tracing::error!(path = %part.display(), %error, "recording.recovery_failed");
            None
        }
    }
}

/// Opens a part for ourselves alone; `None` when another process has it.
fn open(part: &Path) -> io::Result<Option<File>> {
    let file = File::options().read(true).write(true).open(part)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn mend(paths: &Paths, mut file: File) -> io::Result<Closed> {
    // Sound is written before the header that tells of it, so the file knows better.
    let sound = file.metadata()?.len().saturating_sub(HEADER_BYTES);
    let pairs = (sound / PAIR_BYTES).min(MAX_PAIRS);
    file.set_len(HEADER_BYTES + pairs * PAIR_BYTES)?;
    file.write_all_at(&wav::header(pairs), 0)?;
    let sidecar = told(paths);
    let closed = Closed {
        recording: sidecar.recording.clone(),
        started: sidecar.started_at(),
        duration_ms: to_ms(pairs),
        path: paths.with(".wav"),
        bytes: 0,
        sha256: String::new(),
        channels: sidecar.channels.clone(),
        gaps: Vec::new(),
        defect: Some(DEFECT.to_owned()),
    };
    Ok(complete(paths, Some(&mut file), sidecar, closed))
}

/// What was known when it began; what the file's name tells when that is lost too.
fn told(paths: &Paths) -> Sidecar {
    let file = paths.name() + ".wav";
    for draft in [".json.part", ".json"] {
        if let Ok(sidecar) = Sidecar::read(&paths.with(draft)) {
            return Sidecar { file, ..sidecar };
        }
    }
    let opening = Opening {
        recording: RecordingId::new(paths.name()),
        stem: String::new(),
        started: Timestamp::ZERO,
        channels: ["unknown".to_owned(), "unknown".to_owned()],
        labels: Map::new(),
    };
    Sidecar::draft(&opening, file)
}
