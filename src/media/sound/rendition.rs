//! A sound in one codec, second by second.
//!
//! A codec with a memory is encoded in one go from the first frame to the last and once more into
//! the beginning, so that a loop has no seam. It is done a second at a time and can be played as
//! far as it is done: even ten minutes of Opus, three seconds of work, begin at once.

use std::sync::{Arc, OnceLock};

use super::conversion::Conversion;
use super::{FRAMES_A_SECOND, SETTLED, Sound, place};
use crate::media::{Codec, Encoder, MAX_FRAME};

/// What one codec makes of a sound.
#[derive(Debug)]
pub(super) struct Rendition {
    seconds: Box<[OnceLock<Second>]>,
    /// The first frames as they follow the last.
    again: OnceLock<Second>,
}

/// Up to a second of it.
#[derive(Debug, Default)]
struct Second {
    octets: Vec<u8>,
    /// Where each frame's octets end.
    ends: Vec<u32>,
    /// The same before it was encoded, where no decoder without a past could tell.
    samples: Vec<i16>,
}

impl Rendition {
    pub(super) fn new(frames: usize) -> Self {
        let seconds = frames.div_ceil(FRAMES_A_SECOND);
        Self {
            seconds: (0..seconds).map(|_| OnceLock::new()).collect(),
            again: OnceLock::new(),
        }
    }

    /// All of it.
    pub(super) fn of(sound: &Sound, codec: Codec) -> Self {
        let rendition = Self::new(sound.frames);
        let mut pen = Pen::new(sound, codec);
        while pen.write(sound, &rendition) {}
        rendition
    }

    pub(super) fn frame(&self, frame: usize) -> Option<&[u8]> {
        let second = self.seconds.get(frame / FRAMES_A_SECOND)?.get()?;
        second.frame(frame % FRAMES_A_SECOND)
    }

    pub(super) fn frame_again(&self, frame: usize) -> Option<&[u8]> {
        self.again.get()?.frame(frame)
    }

    pub(super) fn linear(&self, codec: Codec, frame: usize, samples: &mut [i16]) -> bool {
        let second = self.seconds.get(frame / FRAMES_A_SECOND);
        let Some(second) = second.and_then(OnceLock::get) else {
            return false;
        };
        let (frame, length) = (frame % FRAMES_A_SECOND, codec.rate().frame());
        if !codec.has_memory() {
            let payload = second.frame(frame);
            return payload.is_some_and(|payload| codec.decode(payload, samples) == length);
        }
        let rest = second.samples.get(frame * length..);
        let linear = rest.and_then(|rest| rest.get(..length.min(samples.len())));
        linear.is_some_and(|linear| {
            samples[..linear.len()].copy_from_slice(linear);
            linear.len() == length
        })
    }
}

impl Second {
    fn frame(&self, frame: usize) -> Option<&[u8]> {
        let end = *self.ends.get(frame)? as usize;
        let start = match frame.checked_sub(1) {
            Some(before) => self.ends[before] as usize,
            None => 0,
        };
        self.octets.get(start..end)
    }
}

/// A sound being rendered for a codec.
#[derive(Debug)]
pub(crate) struct Rendering {
    sound: Arc<Sound>,
    pen: Pen,
}

impl Rendering {
    /// Begins what was ordered.
    pub(crate) fn new(sound: Arc<Sound>, codec: Codec) -> Self {
        let pen = Pen::new(&sound, codec);
        Self { sound, pen }
    }

    /// Renders the next second: 0.2 ms of work for G.722, 5 ms for Opus; says whether there is more.
    pub(crate) fn step(&mut self) -> bool {
        let rendition = self.sound.renditions[place(self.pen.encoder.codec())].get();
        rendition.is_some_and(|rendition| self.pen.write(&self.sound, rendition))
    }
}

/// What goes through a sound.
#[derive(Debug)]
struct Pen {
    encoder: Encoder,
    conversion: Conversion,
    /// The second that comes next.
    second: usize,
}

impl Pen {
    fn new(sound: &Sound, codec: Codec) -> Self {
        Self {
            encoder: Encoder::new(codec),
            conversion: Conversion::new(sound.hz, codec.rate().hz()),
            second: 0,
        }
    }

    /// Writes the next second; says whether there is more.
    fn write(&mut self, sound: &Sound, rendition: &Rendition) -> bool {
        let first = self.second * FRAMES_A_SECOND;
        self.second += 1;
        if first < sound.frames {
            let count = FRAMES_A_SECOND.min(sound.frames - first);
            let second = self.encode(sound, first, count);
            if let Some(place) = rendition.seconds.get(first / FRAMES_A_SECOND) {
                // Nobody else writes here.
                let _ = place.set(second);
            }
            return true;
        }
        if self.encoder.codec().has_memory() {
            let _ = rendition
                .again
                .set(self.encode(sound, 0, SETTLED.min(sound.frames)));
        }
        false
    }

    fn encode(&mut self, sound: &Sound, first: usize, count: usize) -> Second {
        let length = self.encoder.rate().frame();
        let samples = self
            .conversion
            .convert(&sound.samples, first * length..(first + count) * length);
        let mut second = Second::default();
        // Twice a frame of 16-bit samples: no codec makes more of it than there was.
        let mut payload = [0; 2 * MAX_FRAME];
        for frame in samples.chunks(length) {
            let octets = self.encoder.encode(frame, &mut payload);
            second.octets.extend_from_slice(&payload[..octets]);
            second.ends.push(second.octets.len() as u32);
        }
        second.octets.shrink_to_fit();
        if self.encoder.codec().has_memory() {
            second.samples = samples;
        }
        second
    }
}
