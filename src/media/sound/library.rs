//! All sounds of an office: its files, and the tones that need none.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::import::{ENDINGS, SoundError, read};
use super::{CLOCK_HZ, Sound};
use crate::media::Tone;

/// All sounds of the office. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library(Arc<HashMap<String, Arc<Sound>>>);

impl Library {
    /// The sounds that need no file: `tone-1004`, `ringback`, `busy`. One second or one cadence
    /// each, made to be looped.
    pub fn built_in() -> Self {
        Self::from_sounds([])
    }

    /// The built-in sounds and these; later ones replace earlier ones of the same name.
    pub fn from_sounds(sounds: impl IntoIterator<Item = Sound>) -> Self {
        let all = built_in().into_iter().chain(sounds);
        Self(Arc::new(
            all.map(|sound| (sound.name().to_owned(), Arc::new(sound)))
                .collect(),
        ))
    }

    /// The built-in sounds and every WAV, MP3, FLAC and Ogg file in `directory`; a file may replace
    /// a built-in sound. Reports every file that cannot be used.
    ///
    /// Reads and encodes for G.711; with 10 minutes of MP3 at 44.1 kHz, the longest there may be,
    /// that is seconds of work, with a prompt of 5 s some ms.
    pub fn load(directory: &Path) -> Result<Self, Vec<SoundError>> {
        let broken = |source| {
            vec![SoundError::Directory {
                path: directory.to_owned(),
                source,
            }]
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(broken)? {
            paths.push(entry.map_err(broken)?.path());
        }
        paths.sort();
        let (mut found, mut errors) = (HashMap::<String, PathBuf>::new(), Vec::new());
        let mut sounds = Vec::new();
        for path in paths {
            let Some(name) = sound_name(&path) else {
                continue;
            };
            if let Some(first) = found.get(&name) {
                errors.push(SoundError::Twice {
                    name,
                    first: first.clone(),
                    second: path,
                });
                continue;
            }
            match read(&path) {
                Ok(sound) => sounds.push(sound),
                Err(error) => errors.push(error),
            }
            found.insert(name, path);
        }
        if errors.is_empty() {
            Ok(Self::from_sounds(sounds))
        } else {
            Err(errors)
        }
    }

    /// The names of the sounds that [`Library::load`] would find, without a look inside; or why
    /// the directory cannot be read.
    pub fn list(directory: &Path) -> std::io::Result<Vec<String>> {
        let mut names: Vec<String> = BUILT_IN.iter().map(|&name| name.to_owned()).collect();
        for entry in std::fs::read_dir(directory)? {
            names.extend(sound_name(&entry?.path()));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// The sound of that name.
    pub fn sound(&self, name: &str) -> Option<Arc<Sound>> {
        self.0.get(name).cloned()
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// The name of the sound in a file, if it looks like one.
fn sound_name(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_str()?;
    let is_sound = ENDINGS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(ending));
    is_sound.then(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into()
    })
}

/// What [`built_in`] makes.
const BUILT_IN: [&str; 3] = ["busy", "ringback", "tone-1004"];

fn built_in() -> [Sound; 3] {
    let seconds = |seconds: f64| vec![0; (seconds * f64::from(CLOCK_HZ)) as usize];
    let mut milliwatt = seconds(1.0);
    Tone::new(1004.0, 0.0).fill(&mut milliwatt);
    // Japan (ITU-T E.180 supplement 2): ringing 400 Hz modulated by 16 Hz, 1 s on and 2 s off;
    // busy 400 Hz, 0.5 s on and off.
    let mut ringback = seconds(3.0);
    let (mut carrier, mut beat) = (Tone::new(400.0, -13.0), Tone::new(16.0, 0.0));
    for sample in &mut ringback[..CLOCK_HZ as usize] {
        let depth = 0.6 + 0.4 * f64::from(beat.sample()) / 22_302.0;
        *sample = (f64::from(carrier.sample()) * depth) as i16;
    }
    let mut busy = seconds(1.0);
    Tone::new(400.0, -13.0).fill(&mut busy[..CLOCK_HZ as usize / 2]);
    [
        Sound::new("tone-1004", milliwatt),
        Sound::new("ringback", ringback),
        Sound::new("busy", busy),
    ]
}

#[cfg(test)]
mod tests {
    use hound::{SampleFormat, WavSpec, WavWriter};

    use super::*;
    use crate::media::Codec;

    fn write(path: &Path, rate: u32, samples: &[i16]) {
        let spec = WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(path, spec).unwrap();
        samples
            .iter()
            .for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    #[test]
    fn loads_every_file_beside_the_built_in_tones() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("hello.wav"), 8000, &[1000; 200]);
        let library = Library::load(directory.path()).unwrap();
        let hello = library.sound("hello").unwrap();
        assert_eq!(hello.frames(), 2);
        assert_eq!(hello.samples()[199..201], [1000, 0]);
        let last = hello.frame(Codec::Pcmu, 1).unwrap();
        assert_eq!((last.len(), last[40]), (160, Codec::Pcmu.silence()));
        assert_eq!(library.names(), ["busy", "hello", "ringback", "tone-1004"]);
        assert_eq!(Library::list(directory.path()).unwrap(), library.names());
        assert!(library.sound("bye").is_none());
    }

    #[test]
    fn reports_every_file_that_cannot_be_used() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("a.wav"), 2000, &[0; 10]);
        std::fs::write(directory.path().join("b.wav"), b"not a wav").unwrap();
        write(&directory.path().join("c.wav"), 44_100, &[0; 10]);
        std::fs::write(directory.path().join("c.MP3"), b"another one").unwrap();
        std::fs::write(directory.path().join("notes.txt"), b"nothing").unwrap();
        let errors = Library::load(directory.path()).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(
            errors
                .iter()
                .any(|error| error.contains("both the sound \"c\""))
        );
        assert!(Library::load(&directory.path().join("none")).is_err());
        let names = Library::list(directory.path()).unwrap();
        assert_eq!(names, ["a", "b", "busy", "c", "ringback", "tone-1004"]);
    }

    #[test]
    fn built_in_tones_loop_without_a_step() {
        let library = Library::built_in();
        for name in ["tone-1004", "ringback", "busy"] {
            let sound = library.sound(name).unwrap();
            let samples = sound.samples();
            let seam = i32::from(samples[0]) - i32::from(*samples.last().unwrap());
            let largest = samples
                .windows(2)
                .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
                .max();
            assert!(Some(seam.abs()) <= largest, "{name}");
        }
    }

    #[test]
    fn the_sounds_that_come_with_the_switch_are_there_and_the_music_loops() {
        let library = Library::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds")).unwrap();
        let positions = (1..=10).map(|position| format!("position-{position}"));
        let others = "greeting menu no-input no-match connecting position-many nobody-available \
                      goodbye invalid beep music";
        for name in others
            .split_whitespace()
            .map(str::to_owned)
            .chain(positions)
        {
            let sound = library.sound(&name).expect(&name);
            let loudest = sound
                .samples()
                .iter()
                .map(|sample| sample.unsigned_abs())
                .max();
            assert!((6000..25_000).contains(&loudest.unwrap()), "{name}");
        }
        let sound = library.sound("music").unwrap();
        let music = sound.samples();
        assert_eq!(music.len(), 16 * 8000);
        let seam = i32::from(music[0]) - i32::from(*music.last().unwrap());
        assert!(seam.abs() < 1000, "{seam}");
    }
}
