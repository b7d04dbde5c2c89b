//! From `.wav.part` to a file that stands: length, fsync, checksum, sidecar, rename, fsync.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use super::coverage::to_ms;
use super::file::{PartFile, Paths};
use super::sidecar::{MAX_GAPS, checksum};
use super::{Closed, Sidecar};

/// A recording whose last sample is known.
pub(super) struct Finished {
    pub(super) part: PartFile,
    /// Length of the file.
    pub(super) pairs: u64,
    /// What is wrong with it apart from its file.
    pub(super) defect: Option<String>,
}

/// Publishes; what fails is told in the result, and the `.part` left for recovery.
pub(super) fn publish(finished: Finished) -> Closed {
    let Finished {
        mut part,
        pairs,
        defect,
    } = finished;
    let gaps = part.gaps(pairs);
    let length = part.finish(pairs).err();
    let length = length.map(|error| format!("cannot set the length: {error}"));
    let failure = part.failure.take();
    let defects = [failure, defect, length];
    let closed = Closed {
        recording: part.opening.recording.clone(),
        started: part.opening.started,
        duration_ms: to_ms(pairs),
        path: part.paths.with(".wav"),
        bytes: 0,
        sha256: String::new(),
        channels: part.opening.channels.to_vec(),
        gaps,
        defect: join(defects.into_iter().flatten()),
    };
    let draft = Sidecar::draft(&part.opening, part.paths.name() + ".wav");
    complete(&part.paths, part.file.as_mut(), draft, closed)
}

/// The steps that publishing and recovery share; the file has its final length and header.
pub(super) fn complete(
    paths: &Paths,
    file: Option<&mut File>,
    mut sidecar: Sidecar,
    mut closed: Closed,
) -> Closed {
    let published = file
        .ok_or_else(|| io::Error::other("there is no file"))
        .and_then(|file| seal(paths, file, &mut sidecar, &mut closed));
    if let Err(error) = published {
        closed.path = paths.with(".wav.part");
        let defects = closed.defect.take().into_iter();
        closed.defect = join(defects.chain([format!("not published: {error}")]));
    }
    closed
}

/// The sidecar gets its name before the sound file does: whoever sees a `.wav` finds its sidecar.
fn seal(
    paths: &Paths,
    file: &mut File,
    sidecar: &mut Sidecar,
    closed: &mut Closed,
) -> io::Result<()> {
    file.sync_all()?;
    file.rewind()?;
    closed.sha256 = checksum(file)?;
    closed.bytes = file.metadata()?.len();
    let left_out = closed.gaps.len().saturating_sub(MAX_GAPS);
    closed.gaps.truncate(MAX_GAPS);
    sidecar.gaps_left_out = left_out as u64;
    sidecar.publish(closed);
    let draft = paths.with(".json.part");
    sidecar.write(&draft)?.sync_all()?;
    std::fs::rename(&draft, paths.with(".json"))?;
    std::fs::rename(paths.with(".wav.part"), &closed.path)?;
    let directory = closed.path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Several defects as one sentence.
fn join(defects: impl Iterator<Item = String>) -> Option<String> {
    let defects: Vec<String> = defects.collect();
    (!defects.is_empty()).then(|| defects.join("; "))
}
