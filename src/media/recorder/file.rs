//! One `.part` while it grows: a valid file of its format after every block.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::block::{Block, Content, EVERY_CHANNEL, Segment};
use super::closed::Shape;
use super::coverage::Coverage;
use super::form::{Cut, Form, Piece};
use super::sidecar::FILE_MODE;
use super::{Channel, Format, Gap, GapCause, Mark, MarkEvent, News, Opening, Sidecar, Stats};

/// Samples of each channel read, changed and written at once: two seconds at 8 kHz, so that a
/// block is one write.
const SPAN: u64 = 16_000;

/// Files of the same name we make room for.
const MAX_NAMESAKES: u32 = 1000;

/// Marks kept of a recording.
const MAX_MARKS: usize = 10_000;

/// Where the files of one recording are.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// Without extension.
    stem: PathBuf,
    pub(super) format: Format,
}

impl Paths {
    pub(super) fn new(stem: PathBuf, format: Format) -> Self {
        Self { stem, format }
    }

    /// The paths of a `.wav.part` or the like.
    pub(super) fn of_part(part: &Path) -> Option<Self> {
        let name = part.file_name()?.to_str()?.strip_suffix(".part")?;
        let format = Format::of(Path::new(name))?;
        let name = name.strip_suffix(format.extension())?.strip_suffix('.')?;
        Some(Self::new(part.with_file_name(name), format))
    }

    pub(super) fn with(&self, extension: &str) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(extension);
        path.into()
    }

    /// The sound file when it is published.
    pub(super) fn sound(&self) -> PathBuf {
        self.with(&format!(".{}", self.format.extension()))
    }

    /// The sound file until then.
    pub(super) fn part(&self) -> PathBuf {
        self.with(&format!(".{}.part", self.format.extension()))
    }

    /// Name of the published sound file.
    pub(super) fn file_name(&self) -> String {
        let path = self.sound();
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Name without extension.
    pub(super) fn name(&self) -> String {
        let name = self.stem.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// A recording in progress. Whatever goes wrong with the file is remembered, and tried again with
/// the next block: a disk that was full may have room later.
pub(super) struct PartFile {
    pub(super) opening: Box<Opening>,
    pub(super) shape: Shape,
    pub(super) paths: Paths,
    directory: PathBuf,
    pub(super) file: Option<File>,
    form: Option<Form>,
    coverage: Vec<Coverage>,
    marks: Vec<Mark>,
    /// Since when a channel is paused.
    paused: Vec<Option<u64>>,
    /// How far the call clock has run.
    reach: u64,
    /// What went wrong first.
    pub(super) failure: Option<String>,
    /// Whether the last write failed.
    is_failing: bool,
    /// What is to be told of that.
    trouble: Option<Option<String>>,
}

impl PartFile {
    /// Creates the file; a failure is kept for the end, and tried again.
    pub(super) fn create(
        directory: &Path,
        opening: Box<Opening>,
        format: Format,
        stats: &Stats,
    ) -> Self {
        let shape = opening.shape();
        let format = opening.format.unwrap_or(format);
        let stem = directory.join(&opening.stem);
        let channels = (0..).map(Channel).take(shape.channels);
        let mut part = Self {
            opening,
            shape,
            paths: Paths::new(stem, format),
            directory: directory.to_owned(),
            file: None,
            form: None,
            coverage: channels.map(Coverage::new).collect(),
            marks: Vec::new(),
            paused: vec![None; shape.channels],
            reach: 0,
            failure: None,
            is_failing: false,
            trouble: None,
        };
        let begun = part.begin();
        part.note(begun, stats);
        part
    }

    /// Makes the file, unless there is one.
    fn begin(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let stem = self.directory.join(&self.opening.stem);
        let cannot = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot create the file: {error}"))
        };
        let (paths, file) = create(&stem, self.paths.format).map_err(cannot)?;
        let form = Form::begin(self.paths.format, self.shape, &file).inspect_err(|_| {
            // It is tried again under the same name.
            let _ = std::fs::remove_file(paths.part());
        });
        self.form = Some(form.map_err(cannot)?);
        (self.paths, self.file) = (paths, Some(file));
        self.write_draft();
        Ok(())
    }

    /// What is known so far, for recovery alone, which does without when it must.
    fn write_draft(&self) {
        let mut draft = Sidecar::draft(&self.opening, self.paths.file_name());
        draft.marks.clone_from(&self.marks);
        if let Err(error) = draft.write(&self.paths.with(".json.part")) {
            tracing::warn!(%error, "recording.draft_failed");
        }
    }

    /// Writes a block's sound in its place, and whatever tells of it.
    pub(super) fn apply(&mut self, block: &Block, scratch: &mut Vec<u8>, stats: &Stats) {
        let begun = self.begin();
        let segments = block.segments();
        let mut is_marked = false;
        for segment in segments {
            match segment.content {
                Content::Nothing(cause) => {
                    let (from, to) = self.bounds(segment);
                    if cause == GapCause::Disk && !self.is_failing {
                        let ms = self.shape.to_ms(to - from);
                        let what = format!("the disk was too slow: {ms} ms are missing");
                        tracing::error!(path = %self.paths.part().display(), ms, "recording.gap");
                        // It is over by now, or we would not know of it.
                        self.trouble.get_or_insert(Some(what));
                    }
                    if let Some(coverage) = self.coverage.get_mut(segment.channel.index()) {
                        coverage.miss(from, to, cause);
                    }
                }
                Content::Mark(event, leg) => {
                    self.mark(segment, event, leg);
                    is_marked = true;
                }
                Content::Audio(_) => {}
            }
        }
        if is_marked && self.file.is_some() {
            self.write_draft();
        }
        let written = match begun {
            Ok(()) => self.write(segments, block, scratch),
            Err(error) => {
                self.conclude(segments, false);
                Err(error)
            }
        };
        self.note(written, stats);
    }

    fn write(
        &mut self,
        segments: &[Segment],
        block: &Block,
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        let is_audio = |segment: &&Segment| matches!(segment.content, Content::Audio(_));
        let mut outcome = Ok(());
        let mut rest = segments;
        while !rest.is_empty() {
            // As many as lie close together; all, unless somebody plays tricks with timestamps.
            let (mut low, mut high, mut count) = (u64::MAX, 0, 0);
            for segment in rest {
                if is_audio(&segment) {
                    let (from, to) = self.bounds(segment);
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
            if low >= high {
                continue;
            }
            self.reach = self.reach.max(high);
            let pieces: Vec<Piece<'_>> = group
                .iter()
                .filter_map(|segment| self.piece(segment, block))
                .collect();
            let (Some(form), Some(file)) = (&mut self.form, &self.file) else {
                continue;
            };
            let added = form.add(file, (low, high), &pieces, scratch);
            self.conclude(group, added.is_ok());
            outcome = outcome.and(added);
        }
        let until = block.until.min(self.limit());
        self.reach = self.reach.max(until);
        if let (Some(form), Some(file)) = (&mut self.form, &self.file) {
            let extended = form.extend(file, until, scratch);
            if let Some((from, to)) = form.take_lost() {
                for coverage in &mut self.coverage {
                    coverage.unhear(from, to, GapCause::Disk);
                }
            }
            outcome = outcome.and(extended);
        }
        outcome
    }

    fn piece<'b>(&self, segment: &Segment, block: &'b Block) -> Option<Piece<'b>> {
        let Content::Audio(start) = segment.content else {
            return None;
        };
        let (from, to) = self.bounds(segment);
        let start = usize::from(start);
        let channel = segment.channel.index();
        let samples = block.samples.get(start..start + (to - from) as usize)?;
        (channel < self.shape.channels).then_some(Piece {
            channel,
            at: from,
            samples,
        })
    }

    /// A segment's first and last position, within what the file can hold.
    fn bounds(&self, segment: &Segment) -> (u64, u64) {
        let limit = self.limit();
        let from = segment.at.min(limit);
        (from, (from + u64::from(segment.length)).min(limit))
    }

    /// Samples of each channel the file can hold.
    pub(super) fn limit(&self) -> u64 {
        self.form.as_ref().map_or(u64::MAX >> 1, Form::limit)
    }

    fn mark(&mut self, segment: &Segment, event: MarkEvent, leg: Option<u64>) {
        let is_for_all = segment.channel == EVERY_CHANNEL;
        let channel = (!is_for_all).then_some(segment.channel);
        if matches!(event, MarkEvent::Paused | MarkEvent::Resumed) {
            for (place, paused) in self.paused.iter_mut().enumerate() {
                if channel.is_some_and(|channel| channel.index() != place) {
                    continue;
                }
                let since = match event {
                    MarkEvent::Paused => {
                        paused.get_or_insert(segment.at);
                        continue;
                    }
                    _ => paused.take(),
                };
                if let Some(since) = since {
                    self.coverage[place].pause(since, segment.at);
                }
            }
        }
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Mark {
                at_ms: self.shape.to_ms(segment.at),
                event,
                channel,
                leg,
            });
        }
    }

    /// How far the call clock had run when it was last heard of.
    pub(super) fn reach(&self) -> u64 {
        self.reach
    }

    /// Makes the file exactly `total` samples long.
    pub(super) fn finish(&mut self, total: u64) -> io::Result<()> {
        self.begin()?;
        let (Some(form), Some(file)) = (&mut self.form, &self.file) else {
            return Err(io::Error::other("there is no file"));
        };
        let finished = form.finish(file, total);
        if let Some((from, to)) = form.take_lost() {
            for coverage in &mut self.coverage {
                coverage.unhear(from, to, GapCause::Disk);
            }
        }
        finished
    }

    /// Where the finished file can be cut.
    pub(super) fn cuts(&self) -> Vec<Cut> {
        self.form.as_ref().map_or_else(Vec::new, Form::cuts)
    }

    /// The stretches without sound of a file of `total` samples.
    pub(super) fn gaps(&mut self, total: u64) -> Vec<Gap> {
        for (coverage, paused) in self.coverage.iter_mut().zip(&mut self.paused) {
            if let Some(since) = paused.take() {
                coverage.pause(since, total);
            }
        }
        let coverage = std::mem::take(&mut self.coverage);
        coverage
            .into_iter()
            .flat_map(|channel| channel.gaps(total, self.shape))
            .collect()
    }

    /// What happened, in order.
    pub(super) fn take_marks(&mut self) -> Vec<Mark> {
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_by_key(|mark| mark.at_ms);
        marks
    }

    /// Takes in what could not be handed over at the end.
    pub(super) fn missed<'s>(
        &mut self,
        missed: &[Option<(u64, u64)>],
        marks: impl Iterator<Item = &'s Segment>,
    ) {
        for (coverage, missed) in self.coverage.iter_mut().zip(missed) {
            if let Some((from, to)) = missed {
                coverage.miss(*from, *to, GapCause::Disk);
            }
        }
        for segment in marks {
            if let Content::Mark(event, leg) = segment.content {
                self.mark(segment, event, leg);
            }
        }
    }

    fn conclude(&mut self, group: &[Segment], is_written: bool) {
        for segment in group {
            if let Content::Audio(_) = segment.content {
                let (from, to) = self.bounds(segment);
                let Some(coverage) = self.coverage.get_mut(segment.channel.index()) else {
                    continue;
                };
                match is_written {
                    true => coverage.hear(from, to),
                    false => coverage.miss(from, to, GapCause::Disk),
                }
            }
        }
    }

    /// Takes note of how a write went.
    fn note(&mut self, result: io::Result<()>, stats: &Stats) {
        let path = self.paths.part();
        let path = path.display();
        match result {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                self.trouble = Some(None);
                stats.failing.fetch_sub(1, Ordering::Relaxed);
                tracing::warn!(%path, "recording.resumed");
            }
            Ok(()) => {}
            Err(error) => {
                stats.failed_writes.fetch_add(1, Ordering::Relaxed);
                let what = match self.file {
                    Some(_) => format!("cannot write: {error}"),
                    None => error.to_string(),
                };
                if !self.is_failing {
                    self.is_failing = true;
                    self.trouble = Some(Some(what.clone()));
                    stats.failing.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%path, %error, "recording.write_failed");
                }
                self.failure.get_or_insert(what);
            }
        }
    }

    /// Trouble that began or ended since the last time.
    pub(super) fn take_news(&mut self) -> Option<News> {
        let why = self.trouble.take()?;
        Some(News::Trouble {
            recording: self.opening.recording.clone(),
            why,
        })
    }

    /// The recording is over: it does not fail any more.
    pub(super) fn rest(&mut self, stats: &Stats) {
        if std::mem::take(&mut self.is_failing) {
            stats.failing.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Creates an empty, locked `.part` whose name no other recording has.
fn create(stem: &Path, format: Format) -> io::Result<(Paths, File)> {
    if let Some(directory) = stem.parent()
        && !directory.is_dir()
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)?;
        // A new folder is in its parent after a power cut, too; the recording is not kept from
        // beginning by a file system that cannot say so.
        if let Some(parent) = directory.parent()
            && let Err(error) = File::open(parent).and_then(|parent| parent.sync_all())
        {
            tracing::warn!(directory = %directory.display(), %error, "recording.folder_not_synced");
        }
    }
    for namesake in 1..=MAX_NAMESAKES {
        let mut stem = stem.as_os_str().to_owned();
        if namesake > 1 {
            stem.push(format!("-{namesake}"));
        }
        let paths = Paths::new(stem.into(), format);
        // The sidecar has no format in its name: one stem, one recording.
        if paths.sound().exists() || paths.with(".json").exists() {
            continue;
        }
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE);
        match options.open(paths.part()) {
            Ok(file) => {
                // Held while we write: recovery of another process leaves the file alone.
                file.try_lock().map_err(io::Error::from)?;
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
    use std::os::unix::fs::FileExt;

    use serde_json::Map;

    use super::super::block::Shared;
    use super::*;
    use crate::base::{RecordingId, Timestamp};
    use crate::media::Rate;

    fn part(directory: &Path, format: Format, stats: &Stats) -> PartFile {
        let opening = Opening {
            recording: RecordingId::new("r"),
            stem: "call".to_owned(),
            started: Timestamp::ZERO,
            channels: vec!["a".to_owned(), "b".to_owned()],
            rate: Rate::Narrow,
            format: None,
            labels: Map::new(),
        };
        PartFile::create(directory, Box::new(opening), format, stats)
    }

    #[test]
    fn a_full_disk_is_noted_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::new(1);
        let mut part = part(directory.path(), Format::Wav, &shared.stats);
        shared.enter(part.shape).unwrap();
        let mut block = shared.take().unwrap();
        let mut apply = |part: &mut PartFile, at: u64| {
            block.clear(1);
            assert!(block.push((0, Channel::LEFT), at, 0, &[7; 160]));
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
        assert_eq!(shared.stats.failing.load(Ordering::Relaxed), 1);
        part.file = good;
        apply(&mut part, 480);
        assert_eq!(shared.stats.failing.load(Ordering::Relaxed), 0);
        assert_eq!(shared.stats.failed_writes.load(Ordering::Relaxed), 2);
        assert!(part.failure.as_ref().unwrap().contains("cannot write"));
        assert_eq!(part.reach(), 640);
        let gaps = part.gaps(640);
        assert_eq!(gaps[0].cause, GapCause::Disk);
        assert_eq!((gaps[0].at_ms, gaps[0].length_ms), (20, 40));
        let path = directory.path().join("call.wav.part");
        let mut reader = hound::WavReader::open(path).unwrap();
        let left: Vec<i16> = reader.samples().step_by(2).map(Result::unwrap).collect();
        assert_eq!([left[0], left[160], left[479], left[480]], [7, 0, 0, 7]);
    }

    #[test]
    fn what_a_full_disk_held_up_for_a_moment_is_written_in_the_formats_that_wait() {
        for format in [Format::Flac, Format::Opus] {
            let directory = tempfile::tempdir().unwrap();
            let shared = Shared::new(1);
            let mut part = part(directory.path(), format, &shared.stats);
            shared.enter(part.shape).unwrap();
            let mut block = shared.take().unwrap();
            let mut good = None;
            for i in 0..500u64 {
                match i {
                    // One second, and later five.
                    100 | 250 => {
                        let full = File::options().read(true).write(true).open("/dev/full");
                        good = part.file.replace(full.unwrap());
                    }
                    150 | 400 => part.file = good.take(),
                    _ => {}
                }
                block.clear(1);
                block.until = (i + 1) * 160;
                assert!(block.push((0, Channel::LEFT), i * 160, 0, &[2000; 160]));
                part.apply(&block, &mut Vec::new(), &shared.stats);
            }
            part.finish(80_000).unwrap();
            let gaps = part.gaps(80_000);
            let disk: Vec<_> = gaps
                .iter()
                .filter(|gap| gap.cause == GapCause::Disk)
                .collect();
            // The second stop was longer than what waits; both channels wait together.
            assert_eq!(disk.len(), 2, "{format:?} {gaps:?}");
            assert!((4000..6000).contains(&disk[0].at_ms), "{format:?} {disk:?}");
            assert!(disk[0].length_ms < 1500, "{format:?} {disk:?}");
            let mut start = [0; 4];
            let file = File::open(part.paths.part()).unwrap();
            file.read_exact_at(&mut start, 0).unwrap();
            assert!([*b"fLaC", *b"OggS"].contains(&start));
        }
    }
}
