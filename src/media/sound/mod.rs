//! Sounds to be played: read once, encoded once for each codec, shared by all who hear them.
//!
//! Files of the usual formats become a [`Sound`] at the rate they were made at; a rendition of it
//! for each codec is made frame by frame beforehand, so that who plays it does nothing but send.

mod conversion;
mod import;
mod kept;
mod library;
mod progress;
mod rendition;
mod shelf;
mod studio;

pub use import::SoundError;
pub use kept::Kept;
pub use library::Library;
pub(crate) use studio::Studio;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::OnceLock;

use super::{CLOCK_HZ, Codec, FRAME_MS};
use rendition::Rendition;

/// A sound, whole frames long (padded with silence), so that a loop of it stays on the tick.
pub struct Sound {
    name: String,
    hz: u32,
    samples: Box<[i16]>,
    frames: usize,
    /// What each codec makes of it, in the order of [`Codec::ALL`].
    renditions: [OnceLock<Rendition>; Codec::ALL.len()],
}

impl Sound {
    /// A sound of samples at 8 kHz.
    pub fn new(name: impl Into<String>, samples: Vec<i16>) -> Self {
        Self::at(CLOCK_HZ, name, samples)
    }

    /// A sound of samples at a rate of 4 to 48 kHz. It is encoded for G.711 here and now; for
    /// other codecs when the first listener asks for it.
    pub fn at(hz: u32, name: impl Into<String>, samples: Vec<i16>) -> Self {
        let mut sound = Self::plain(hz, name, samples);
        for codec in Codec::ALL.into_iter().filter(|codec| !codec.has_memory()) {
            sound.renditions[place(codec)] = Rendition::of(&sound, codec).into();
        }
        sound
    }

    /// One that is not encoded for any codec yet.
    fn plain(hz: u32, name: impl Into<String>, mut samples: Vec<i16>) -> Self {
        let hz = hz.clamp(*RATES.start(), *RATES.end());
        let frames = (samples.len() * FRAMES_A_SECOND).div_ceil(hz as usize);
        samples.resize((frames * hz as usize).div_ceil(FRAMES_A_SECOND), 0);
        Self {
            name: name.into(),
            hz,
            samples: samples.into(),
            frames,
            renditions: Default::default(),
        }
    }

    /// Reads a file: WAV, AIFF, MP3, FLAC or Ogg, at any rate, with any channels, ten minutes at most. It is
    /// encoded, for whatever codec, when the first listener asks for it.
    pub fn read(path: &Path) -> Result<Self, SoundError> {
        import::read(path)
    }

    /// Reads a WAV file, however its name ends.
    ///
    /// # Errors
    ///
    /// As [`Sound::read`].
    pub fn read_wav(path: &Path) -> Result<Self, SoundError> {
        import::read_as(path, Some("wav"))
    }

    /// Reads a file that is what this ending says; what is inside decides where it says nothing.
    ///
    /// # Errors
    ///
    /// As [`Sound::read`].
    pub fn read_as(path: &Path, ending: Option<&str>) -> Result<Self, SoundError> {
        import::read_as(path, ending)
    }

    /// Whether it is rendered for a codec, or will be.
    fn is_ordered(&self, codec: Codec) -> bool {
        self.renditions[place(codec)].get().is_some()
    }

    /// Orders it for a codec; says whether nobody did before.
    fn order(&self, codec: Codec) -> bool {
        let rendition = &self.renditions[place(codec)];
        rendition.set(Rendition::new(self.frames)).is_ok()
    }

    /// Name, the file's without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Samples a second of [`Sound::samples`], 4000 to 48,000.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Linear samples as they were read, padded to whole frames.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Frames of 20 ms it lasts.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The payload of a frame; `None` beyond the end, and where the sound is not rendered for this
    /// codec yet.
    pub fn frame(&self, codec: Codec, frame: usize) -> Option<&[u8]> {
        self.renditions[place(codec)].get()?.frame(frame)
    }

    /// The payload of a frame in the first `SETTLED` when the end of the sound was heard just
    /// before: a codec with a memory goes on as if there was no seam.
    pub fn frame_again(&self, codec: Codec, frame: usize) -> Option<&[u8]> {
        self.renditions[place(codec)].get()?.frame_again(frame)
    }

    /// Writes the samples of a frame at the codec's rate, where there is a [`Sound::frame`]; says
    /// whether there is.
    pub fn linear(&self, codec: Codec, frame: usize, samples: &mut [i16]) -> bool {
        let rendition = self.renditions[place(codec)].get();
        rendition.is_some_and(|rendition| rendition.linear(codec, frame, samples))
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({:?}, {} frames)", self.name, self.frames)
    }
}

/// Frames after which two encoders that hear the same have forgotten what they heard before
/// (measured in `rendition`).
pub(crate) const SETTLED: usize = 10;

/// Rates a sound may have; what is above is of no use, what is below no telephone's.
const RATES: RangeInclusive<u32> = 4000..=48_000;
const FRAMES_A_SECOND: usize = 1000 / FRAME_MS as usize;

fn place(codec: Codec) -> usize {
    let place = Codec::ALL.iter().position(|other| *other == codec);
    place.expect("every codec is in the list")
}
