//! From `.part` to a file that stands: length, fsync, checksum and chain, sidecar, rename, fsync.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

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

/// What became of a recording.
pub(super) struct Outcome {
    /// What it is, and what is wrong with it.
    pub(super) closed: Closed,
    /// What is left to do when it could not be published.
    pub(super) left: Option<Box<Ready>>,
}

/// A finished file that only has to be sealed and named.
pub(super) struct Ready {
    paths: Paths,
    file: File,
    draft: Sidecar,
    closed: Closed,
    cuts: Vec<Cut>,
}

impl Ready {
    /// Publishes it, or fails; as often as is wished.
    pub(super) fn publish(&mut self) -> io::Result<Closed> {
        let (mut sidecar, mut closed) = (self.draft.clone(), self.closed.clone());
        seal(
            &self.paths,
            &mut self.file,
            &mut sidecar,
            &mut closed,
            &self.cuts,
        )?;
        Ok(closed)
    }

    /// Where it is until then.
    pub(super) fn path(&self) -> PathBuf {
        self.paths.part()
    }
}

/// Publishes; what fails is told in the result, with what it takes to try again.
pub(super) fn publish(finished: Finished) -> Outcome {
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
    let paths = part.paths.clone();
    let Some(file) = part.file.take() else {
        let error = io::Error::other("there is no file");
        let closed = unpublished(&paths, closed, &error);
        return Outcome { closed, left: None };
    };
    let mut ready = Box::new(Ready {
        paths,
        file,
        draft,
        closed,
        cuts,
    });
    match ready.publish() {
        Ok(closed) => Outcome { closed, left: None },
        Err(error) => Outcome {
            closed: unpublished(&ready.paths, ready.closed.clone(), &error),
            left: Some(ready),
        },
    }
}

/// Seals a repaired file, which has its final length and header; it is not tried again.
pub(super) fn complete(
    paths: &Paths,
    file: &mut File,
    mut sidecar: Sidecar,
    mut closed: Closed,
    cuts: &[Cut],
) -> Closed {
    match seal(paths, file, &mut sidecar, &mut closed, cuts) {
        Ok(()) => closed,
        Err(error) => unpublished(paths, closed, &error),
    }
}

/// What is told of a recording that could not be published.
fn unpublished(paths: &Paths, mut closed: Closed, error: &io::Error) -> Closed {
    closed.path = paths.part();
    let defects = closed.defect.take().into_iter();
    closed.defect = join(defects.chain([format!("not published: {error}")]));
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
    match std::fs::rename(paths.part(), &closed.path) {
        // A try before came as far as this.
        Err(error) if error.kind() == io::ErrorKind::NotFound && closed.path.is_file() => {}
        renamed => renamed?,
    }
    let directory = closed.path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Several defects as one sentence.
fn join(defects: impl Iterator<Item = String>) -> Option<String> {
    let defects: Vec<String> = defects.collect();
    (!defects.is_empty()).then(|| defects.join("; "))
}
