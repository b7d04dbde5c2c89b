//! From `.part` to a file that stands: length, fsync, checksum and chain, sidecar, rename, fsync.

use std::fs::File;
use std::io;
use std::path::Path;

use super::chain::Chain;
use super::file::{PartFile, Paths};
use super::form::Cut;
use super::sidecar::MAX_GAPS;
use super::{Closed, Sidecar};

/// A recording whose last sample is known.
pub(super) struct Finished {
    pub(super) part: PartFile,
    /// Samples of each channel.
    pub(super) samples: u64,
    /// What is wrong with it apart from its file.
    pub(super) defect: Option<String>,
}

/// Publishes; what fails is told in the result, and the `.part` left for recovery.
pub(super) fn publish(finished: Finished) -> Closed {
    let Finished {
        mut part,
        samples,
        defect,
    } = finished;
    let length = part.finish(samples).err();
    let length = length.map(|error| format!("cannot set the length: {error}"));
    let failure = part.failure.take();
    let defects = [failure, defect, length];
    let closed = Closed {
        recording: part.opening.recording.clone(),
        started: part.opening.started,
        duration_ms: part.shape.to_ms(samples),
        path: part.paths.sound(),
        bytes: 0,
        sha256: String::new(),
        channels: part.opening.channels.clone(),
        gaps: part.gaps(samples),
        marks: part.take_marks(),
        seal: String::new(),
        defect: join(defects.into_iter().flatten()),
    };
    let draft = Sidecar::draft(&part.opening, part.paths.file_name());
    let cuts = part.cuts();
    complete(&part.paths, part.file.as_mut(), draft, closed, &cuts)
}

/// The steps that publishing and recovery share; the file has its final length and header.
pub(super) fn complete(
    paths: &Paths,
    file: Option<&mut File>,
    mut sidecar: Sidecar,
    mut closed: Closed,
    cuts: &[Cut],
) -> Closed {
    let published = file
        .ok_or_else(|| io::Error::other("there is no file"))
        .and_then(|file| seal(paths, file, &mut sidecar, &mut closed, cuts));
    if let Err(error) = published {
        closed.path = paths.part();
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
    cuts: &[Cut],
) -> io::Result<()> {
    file.sync_all()?;
    closed.bytes = file.metadata()?.len();
    let left_out = closed.gaps.len().saturating_sub(MAX_GAPS);
    closed.gaps.truncate(MAX_GAPS);
    sidecar.gaps_left_out = left_out as u64;
    let hz = sidecar.sample_rate_hz;
    let (chain, sha256) = Chain::of(file, cuts, hz, &closed.marks)?;
    closed.sha256 = sha256;
    sidecar.publish(closed, chain);
    closed.seal.clone_from(&sidecar.seal);
    let draft = paths.with(".json.part");
    sidecar.write(&draft)?.sync_all()?;
    std::fs::rename(&draft, paths.with(".json"))?;
    std::fs::rename(paths.part(), &closed.path)?;
    let directory = closed.path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Several defects as one sentence.
fn join(defects: impl Iterator<Item = String>) -> Option<String> {
    let defects: Vec<String> = defects.collect();
    (!defects.is_empty()).then(|| defects.join("; "))
}
