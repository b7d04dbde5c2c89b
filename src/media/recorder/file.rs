//! One `.wav.part` while it grows: a valid WAV file after every block.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::block::{Block, Content, Segment};
use super::coverage::Coverage;
use super::sidecar::FILE_MODE;
use super::wav::{self, HEADER_BYTES, MAX_PAIRS, PAIR_BYTES};
use super::{Channel, Gap, GapCause, Opening, Sidecar, Stats};

/// Sample pairs read, changed and written at once: two seconds, so that a block is one write.
const SPAN: u64 = 16_000;

/// Files of the same name we make room for.
const MAX_NAMESAKES: u32 = 1000;

/// Where the files of one recording are.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// Without extension.
    stem: PathBuf,
}

impl Paths {
    pub(super) fn new(stem: PathBuf) -> Self {
        Self { stem }
    }

    /// The paths of a `.wav.part`.
    pub(super) fn of_part(part: &Path) -> Option<Self> {
        let name = part.file_name()?.to_str()?.strip_suffix(".wav.part")?;
        Some(Self::new(part.with_file_name(name)))
    }

    pub(super) fn with(&self, extension: &str) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(extension);
        path.into()
    }

    pub(super) fn name(&self) -> String {
        let name = self.stem.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// A recording in progress. Whatever goes wrong with the file is remembered, and tried again with
/// the next block: a disk that was full may have room later.
pub(super) struct PartFile {
    pub(super) opening: Box<Opening>,
    pub(super) paths: Paths,
    pub(super) file: Option<File>,
    /// Sample pairs the header tells of.
    pairs: u64,
    /// Sample pairs the file holds, told of or not.
    held: u64,
    coverage: [Coverage; 2],
    pub(super) failure: Option<String>,
}

impl PartFile {
    /// Creates the file; a failure is kept for the end.
    pub(super) fn create(directory: &Path, opening: Box<Opening>) -> Self {
        let stem = directory.join(&opening.stem);
        let (paths, file, failure) = match create(&stem) {
            Ok((paths, file)) => (paths, Some(file), None),
            Err(error) => {
                let failure = format!("cannot create the file: {error}");
                (Paths::new(stem), None, Some(failure))
            }
        };
        if file.is_some() {
            let draft = Sidecar::draft(&opening, paths.name() + ".wav");
            // Only recovery reads it, and does without when it must.
            if let Err(error) = draft.write(&paths.with(".json.part")) {
                tracing::warn!(%error, "recording.draft_failed");
            }
        }
        Self {
            opening,
            paths,
            file,
            pairs: 0,
            held: 0,
            coverage: [Coverage::new(Channel::Left), Coverage::new(Channel::Right)],
            failure,
        }
    }

    /// Writes a block's sound in its place, then the header that tells of it.
    pub(super) fn apply(&mut self, block: &Block, scratch: &mut Vec<u8>, stats: &Stats) {
        let segments = block.segments();
        for segment in segments {
            if let Content::Nothing(cause) = segment.content {
                let (from, to) = bounds(segment);
                self.coverage[segment.channel.index()].miss(from, to, cause);
            }
        }
        let audio = |segment: &&Segment| matches!(segment.content, Content::Audio(_));
        let mut rest = segments;
        while !rest.is_empty() {
            // As many as lie close together; all, unless somebody plays tricks with timestamps.
            let (mut low, mut high, mut count) = (u64::MAX, 0, 0);
            for segment in rest {
                if audio(&segment) {
                    let (from, to) = bounds(segment);
                    let (lower, higher) = (low.min(from), high.max(to));
                    if count > 0 && higher - lower > SPAN {
                        break;
                    }
                    (low, high) = (lower, higher);
                }
                count += 1;
            }
            let (group, after) = rest.split_at(count);
            rest = after;
            if low < high {
                let written = self.write(low, high, group.iter().filter(audio), block, scratch);
                self.conclude(group, written, stats);
            }
        }
        let until = block.until.min(MAX_PAIRS);
        if until > self.pairs {
            let extended = self.extend(until);
            self.note(extended, stats);
        }
    }

    /// Sample pairs the file holds at the moment.
    pub(super) fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Makes the file exactly `pairs` long and says what is missing in it.
    pub(super) fn finish(&mut self, pairs: u64) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::Error::other("there is no file"));
        };
        file.set_len(HEADER_BYTES + pairs * PAIR_BYTES)?;
        file.write_all_at(&wav::header(pairs), 0)?;
        self.pairs = pairs;
        Ok(())
    }

    /// The stretches without sound of a file of `pairs`.
    pub(super) fn gaps(&mut self, pairs: u64) -> Vec<Gap> {
        let none = [Coverage::new(Channel::Left), Coverage::new(Channel::Right)];
        let coverage = std::mem::replace(&mut self.coverage, none);
        coverage
            .into_iter()
            .flat_map(|channel| channel.gaps(pairs))
            .collect()
    }

    /// Marks what was heard but could not be handed over at the end.
    pub(super) fn missed(&mut self, missed: [Option<(u64, u64)>; 2]) {
        for (coverage, missed) in self.coverage.iter_mut().zip(missed) {
            if let Some((from, to)) = missed {
                coverage.miss(from, to, GapCause::Disk);
            }
        }
    }

    /// Adds segments, all between `low` and `high`, to what the file holds there.
    fn write<'a>(
        &mut self,
        low: u64,
        high: u64,
        segments: impl Iterator<Item = &'a Segment>,
        block: &Block,
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::Error::other("there is no file"));
        };
        let offset = HEADER_BYTES + low * PAIR_BYTES;
        scratch.clear();
        scratch.resize(((high - low) * PAIR_BYTES) as usize, 0);
        read_some(file, scratch, offset)?;
        for segment in segments {
            let Content::Audio(start) = segment.content else {
                continue;
            };
            let (from, to) = bounds(segment);
            let start = usize::from(start);
            let samples = &block.samples[start..start + (to - from) as usize];
            let first = ((from - low) * PAIR_BYTES) as usize + 2 * segment.channel.index();
            let slots = scratch[first..].chunks_mut(PAIR_BYTES as usize);
            for (slot, sample) in slots.zip(samples) {
                let sum = i16::from_le_bytes([slot[0], slot[1]]).saturating_add(*sample);
                slot[..2].copy_from_slice(&sum.to_le_bytes());
            }
        }
        file.write_all_at(scratch, offset)?;
        self.held = self.held.max(high);
        self.extend(high)
    }

    /// Makes the header tell of `pairs`, growing the file with silence where it must.
    fn extend(&mut self, pairs: u64) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::Error::other("there is no file"));
        };
        if pairs <= self.pairs {
            return Ok(());
        }
        if self.held < pairs {
            file.set_len(HEADER_BYTES + pairs * PAIR_BYTES)?;
            self.held = pairs;
        }
        file.write_all_at(&wav::header(pairs), 0)?;
        self.pairs = pairs;
        Ok(())
    }

    fn conclude(&mut self, group: &[Segment], written: io::Result<()>, stats: &Stats) {
        for segment in group {
            if let Content::Audio(_) = segment.content {
                let (from, to) = bounds(segment);
                let coverage = &mut self.coverage[segment.channel.index()];
                match &written {
                    Ok(()) => coverage.hear(from, to),
                    Err(_) => coverage.miss(from, to, GapCause::Disk),
                }
            }
        }
        self.note(written, stats);
    }

    fn note(&mut self, result: io::Result<()>, stats: &Stats) {
        let Err(error) = result else { return };
        stats.failed_writes.fetch_add(1, Ordering::Relaxed);
        if self.failure.is_none() {
            let path = self.paths.with(".wav.part");
            tracing::error!(path = %path.display(), %error, "recording.write_failed");
            self.failure = Some(format!("cannot write: {error}"));
        }
    }
}

/// A segment's first and last position, within what a file can hold.
fn bounds(segment: &Segment) -> (u64, u64) {
    let from = segment.at.min(MAX_PAIRS);
    (from, (from + u64::from(segment.length)).min(MAX_PAIRS))
}

/// Reads what there is; beyond the end of the file `buffer` stays as it was.
fn read_some(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => break,
            Ok(length) => {
                buffer = &mut buffer[length..];
                offset += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Creates an empty, valid, locked `.wav.part` whose name no other recording has.
fn create(stem: &Path) -> io::Result<(Paths, File)> {
    if let Some(directory) = stem.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)?;
    }
    for namesake in 1..=MAX_NAMESAKES {
        let mut stem = stem.as_os_str().to_owned();
        if namesake > 1 {
            stem.push(format!("-{namesake}"));
        }
        let paths = Paths::new(stem.into());
        if paths.with(".wav").exists() {
            continue;
        }
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE);
        match options.open(paths.with(".wav.part")) {
            Ok(file) => {
                // Held while we write: recovery of another process leaves the file alone.
                file.try_lock().map_err(io::Error::from)?;
                file.write_all_at(&wav::header(0), 0)?;
                return Ok((paths, file));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::block::Shared;
    use super::*;
    use crate::base::{RecordingId, Timestamp};

    #[test]
    fn a_full_disk_is_noted_once_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let opening = Opening {
            recording: RecordingId::new("r"),
            stem: "call".to_owned(),
            started: Timestamp::ZERO,
            channels: Default::default(),
            labels: Map::new(),
        };
        let mut part = PartFile::create(directory.path(), Box::new(opening));
        let shared = Shared::new(1);
        shared.enter().unwrap();
        let mut block = shared.take().unwrap();
        let mut apply = |part: &mut PartFile, at: u64| {
            block.clear(1);
            assert!(block.push((0, Channel::Left), at, 0, &[7; 160]));
            part.apply(&block, &mut Vec::new(), &shared.stats);
        };
        apply(&mut part, 0);
        let full = File::options()
            .read(true)
            .write(true)
            .open("/dev/full")
            .unwrap();
        let good = part.file.replace(full);
        apply(&mut part, 160);
        apply(&mut part, 320);
        part.file = good;
        apply(&mut part, 480);
        assert_eq!(shared.stats.failed_writes.load(Ordering::Relaxed), 2);
        assert!(part.failure.as_ref().unwrap().contains("cannot write"));
        assert_eq!(part.pairs(), 640);
        let gaps = part.gaps(640);
        assert_eq!(gaps[0].cause, GapCause::Disk);
        assert_eq!((gaps[0].at_ms, gaps[0].length_ms), (20, 40));
        let path = directory.path().join("call.wav.part");
        let mut reader = hound::WavReader::open(path).unwrap();
        let left: Vec<i16> = reader.samples().step_by(2).map(Result::unwrap).collect();
        assert_eq!([left[0], left[160], left[479], left[480]], [7, 0, 0, 7]);
    }
}
