//! Sounds to be played: loaded once, encoded once for each codec, shared by all who hear them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hound::{SampleFormat, WavReader};

use super::{CLOCK_HZ, Codec, FRAME_SAMPLES, Tone};

/// Largest file we load: ten minutes.
const MAX_SAMPLES: u32 = 600 * CLOCK_HZ;

/// A sound, whole frames long (padded with silence), so that a loop of it stays on the tick.
#[derive(Clone, PartialEq, Eq)]
pub struct Sound {
    /// Name, the file's without `.wav`.
    pub name: String,
    /// Linear samples, a whole number of frames.
    pub samples: Arc<[i16]>,
    /// The same in mu-law.
    pub pcmu: Arc<[u8]>,
    /// The same in A-law.
    pub pcma: Arc<[u8]>,
}

impl Sound {
    /// Encodes `samples`, padded with silence to whole frames.
    pub fn new(name: impl Into<String>, mut samples: Vec<i16>) -> Self {
        samples.resize(samples.len().next_multiple_of(FRAME_SAMPLES), 0);
        let encode = |codec: Codec| {
            let mut bytes = vec![0; samples.len()];
            codec.encode(&samples, &mut bytes);
            Arc::from(bytes)
        };
        Self {
            name: name.into(),
            pcmu: encode(Codec::Pcmu),
            pcma: encode(Codec::Pcma),
            samples: Arc::from(samples),
        }
    }

    /// The whole sound in a codec.
    pub fn encoded(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcma => &self.pcma,
            Codec::Pcmu => &self.pcmu,
            // What depends on what went before cannot be cut into.
            Codec::G722 | Codec::Opus => &[],
        }
    }

    /// Frames it lasts.
    pub fn frames(&self) -> usize {
        self.samples.len() / FRAME_SAMPLES
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({:?}, {} frames)", self.name, self.frames())
    }
}

/// Why a sound cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The directory cannot be read.
    #[error("{}: cannot read the sounds directory: {source}", path.display())]
    Directory {
        /// Directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a WAV file we can read.
    #[error("{}: {source}", path.display())]
    File {
        /// File.
        path: PathBuf,
        /// Why.
        source: hound::Error,
    },
    /// The file has another format than 8 kHz, mono, 16-bit.
    #[error(
        "{}: is {rate} Hz, {channels} channels, {bits} bits; \
         convert it: sox IN.wav -r 8000 -c 1 -b 16 OUT.wav",
        path.display()
    )]
    Format {
        /// File.
        path: PathBuf,
        /// Its sampling rate.
        rate: u32,
        /// Its channels.
        channels: u16,
        /// Its bits a sample.
        bits: u16,
    },
    /// Longer than ten minutes.
    #[error("{}: longer than ten minutes", path.display())]
    Long {
        /// File.
        path: PathBuf,
    },
}

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
            all.map(|sound| (sound.name.clone(), Arc::new(sound)))
                .collect(),
        ))
    }

    /// The built-in sounds and every `*.wav` in `directory` (8 kHz, mono, 16-bit PCM); a file may
    /// replace a built-in sound. Reports every file that cannot be used.
    pub fn load(directory: &Path) -> Result<Self, Vec<SoundError>> {
        let broken = |source| {
            vec![SoundError::Directory {
                path: directory.to_owned(),
                source,
            }]
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            if path.extension().is_some_and(|extension| extension == "wav") {
                paths.push(path);
            }
        }
        paths.sort();
        let (mut sounds, mut errors) = (Vec::new(), Vec::new());
        for path in paths {
            match read(&path) {
                Ok(sound) => sounds.push(sound),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self::from_sounds(sounds))
        } else {
            Err(errors)
        }
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

fn read(path: &Path) -> Result<Sound, SoundError> {
    let fail = |source| SoundError::File {
        path: path.to_owned(),
        source,
    };
    let mut reader = WavReader::open(path).map_err(fail)?;
    let spec = reader.spec();
    let pcm = spec.sample_format == SampleFormat::Int && spec.bits_per_sample == 16;
    if !pcm || spec.sample_rate != CLOCK_HZ || spec.channels != 1 {
        return Err(SoundError::Format {
            path: path.to_owned(),
            rate: spec.sample_rate,
            channels: spec.channels,
            bits: spec.bits_per_sample,
        });
    }
    if reader.duration() > MAX_SAMPLES {
        return Err(SoundError::Long {
            path: path.to_owned(),
        });
    }
    let samples: Result<Vec<i16>, _> = reader.samples().collect();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Sound::new(name, samples.map_err(fail)?))
}

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
    use hound::{WavSpec, WavWriter};

    use super::*;

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
        assert_eq!(hello.samples[199..201], [1000, 0]);
        assert_eq!(hello.encoded(Codec::Pcmu)[200], Codec::Pcmu.silence());
        assert_eq!(library.names(), ["busy", "hello", "ringback", "tone-1004"]);
        assert!(library.sound("bye").is_none());
    }

    #[test]
    fn reports_every_file_that_cannot_be_used() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("a.wav"), 44_100, &[0; 10]);
        std::fs::write(directory.path().join("b.wav"), b"not a wav").unwrap();
        let errors = Library::load(directory.path()).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(errors[0].to_string().contains("sox IN.wav -r 8000"));
        assert!(Library::load(&directory.path().join("none")).is_err());
    }

    #[test]
    fn built_in_tones_loop_without_a_step() {
        let library = Library::built_in();
        for name in ["tone-1004", "ringback", "busy"] {
            let samples = library.sound(name).unwrap().samples.clone();
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
                .samples
                .iter()
                .map(|sample| sample.unsigned_abs())
                .max();
            assert!((6000..25_000).contains(&loudest.unwrap()), "{name}");
        }
        let music = library.sound("music").unwrap().samples.clone();
        assert_eq!(music.len(), 16 * 8000);
        let seam = i32::from(music[0]) - i32::from(*music.last().unwrap());
        assert!(seam.abs() < 1000, "{seam}");
    }
}
