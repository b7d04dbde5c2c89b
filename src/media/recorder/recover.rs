//! After a crash: what was being recorded is repaired and published, with the defect noted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::closed::Shape;
use super::file::Paths;
use super::form::{Form, Found};
use super::publish::complete;
use super::{Closed, MAX_CHANNELS, Opening, Sidecar};
use crate::base::{RecordingId, Timestamp};
use crate::media::Rate;

/// Directories below the recordings directory that are searched.
const MAX_DEPTH: usize = 6;

/// What every recovered recording is told to lack.
const DEFECT: &str = "the switch stopped while recording: up to the last second is missing, \
                      and gaps are not listed";

/// Repairs and publishes every `.part` below `directory` that no running process writes to.
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
    let mut sidecar = told(paths);
    let shape = Shape {
        channels: sidecar.channels.len().clamp(1, MAX_CHANNELS),
        hz: sidecar.sample_rate_hz,
    };
    let Found {
        shape,
        samples,
        cuts,
    } = Form::repair(paths.format, shape, &file)?;
    sidecar.sample_rate_hz = shape.hz;
    let closed = Closed {
        recording: sidecar.recording.clone(),
        started: sidecar.started_at(),
        duration_ms: shape.to_ms(samples),
        path: paths.sound(),
        bytes: 0,
        sha256: String::new(),
        channels: sidecar.channels.clone(),
        gaps: Vec::new(),
        marks: sidecar.marks.clone(),
        seal: String::new(),
        defect: Some(DEFECT.to_owned()),
    };
    Ok(complete(paths, &mut file, sidecar, closed, &cuts))
}

/// What was known when it began; what the file's name tells when that is lost too.
fn told(paths: &Paths) -> Sidecar {
    let file = paths.file_name();
    for draft in [".json.part", ".json"] {
        let read = Sidecar::read(&paths.with(draft)).ok();
        if let Some(sidecar) = read.filter(|it| [8000, 16_000].contains(&it.sample_rate_hz)) {
            return Sidecar { file, ..sidecar };
        }
    }
    let opening = Opening {
        recording: RecordingId::new(paths.name()),
        stem: String::new(),
        started: Timestamp::ZERO,
        channels: vec!["unknown".to_owned(), "unknown".to_owned()],
        rate: Rate::Narrow,
        format: None,
        labels: Map::new(),
    };
    Sidecar::draft(&opening, file)
}
