//! WAV: a header with the length it has at the moment, and samples that can be written in any
//! order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::closed::{MAX_CHANNELS, Shape};
use super::form::{Cut, Found, Piece, by_second, read_some};

/// Bytes before the first sample.
pub(super) const HEADER_BYTES: u64 = 44;

/// A WAV file that grows.
#[derive(Debug)]
pub(super) struct Wav {
    shape: Shape,
    /// Instants the header tells of.
    told: u64,
    /// Instants the file holds, told of or not.
    held: u64,
}

impl Wav {
    pub(super) fn begin(shape: Shape, file: &File) -> io::Result<Self> {
        file.write_all_at(&header(shape, 0), 0)?;
        Ok(Self {
            shape,
            told: 0,
            held: 0,
        })
    }

    /// Bytes of one instant: a sample of each channel.
    fn step(&self) -> u64 {
        step(self.shape)
    }

    pub(super) fn limit(&self) -> u64 {
        limit(self.shape)
    }

    pub(super) fn add(
        &mut self,
        file: &File,
        (low, high): (u64, u64),
        pieces: &[Piece<'_>],
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        let step = self.step();
        let offset = HEADER_BYTES + low * step;
        scratch.clear();
        scratch.resize(((high - low) * step) as usize, 0);
        if low < self.held {
            read_some(file, scratch, offset)?;
        }
        for piece in pieces {
            let first = ((piece.at - low) * step) as usize + 2 * piece.channel;
            let slots = scratch[first..].chunks_mut(step as usize);
            for (slot, sample) in slots.zip(piece.samples) {
                let sum = i16::from_le_bytes([slot[0], slot[1]]).saturating_add(*sample);
                slot[..2].copy_from_slice(&sum.to_le_bytes());
            }
        }
        file.write_all_at(scratch, offset)?;
        self.held = self.held.max(high);
        self.extend(file, high)
    }

    /// Makes the header tell of `to`, growing the file with silence where it must.
    pub(super) fn extend(&mut self, file: &File, to: u64) -> io::Result<()> {
        if to <= self.told {
            return Ok(());
        }
        if self.held < to {
            file.set_len(HEADER_BYTES + to * self.step())?;
            self.held = to;
        }
        file.write_all_at(&header(self.shape, to), 0)?;
        self.told = to;
        Ok(())
    }

    pub(super) fn finish(&mut self, file: &File, total: u64) -> io::Result<()> {
        file.set_len(HEADER_BYTES + total * self.step())?;
        file.write_all_at(&header(self.shape, total), 0)?;
        (self.told, self.held) = (total, total);
        Ok(())
    }

    pub(super) fn cuts(&self) -> Vec<Cut> {
        cuts(self.shape, self.told)
    }

    /// Sound is written before the header that tells of it, so the file knows better.
    pub(super) fn repair(shape: Shape, file: &File) -> io::Result<Found> {
        let shape = shape_of(file)?.unwrap_or(shape);
        let sound = file.metadata()?.len().saturating_sub(HEADER_BYTES);
        let samples = (sound / step(shape)).min(limit(shape));
        file.set_len(HEADER_BYTES + samples * step(shape))?;
        file.write_all_at(&header(shape, samples), 0)?;
        let cuts = cuts(shape, samples);
        Ok(Found {
            shape,
            samples,
            cuts,
        })
    }
}

fn cuts(shape: Shape, samples: u64) -> Vec<Cut> {
    let second = u64::from(shape.hz);
    let ends = (1..=samples / second).map(|n| n * second).chain([samples]);
    let cut = |samples| Cut {
        samples,
        bytes: HEADER_BYTES + samples * step(shape),
    };
    by_second(ends.map(cut), shape)
}

fn step(shape: Shape) -> u64 {
    shape.channels as u64 * 2
}

/// RIFF lengths have 32 bits: 37 hours of a telephone call.
fn limit(shape: Shape) -> u64 {
    (u64::from(u32::MAX) - HEADER_BYTES) / step(shape)
}

/// The header of a file of `samples` samples of each channel.
fn header(shape: Shape, samples: u64) -> [u8; HEADER_BYTES as usize] {
    let step = step(shape) as u32;
    let data = (samples.min(limit(shape)) * u64::from(step)) as u32;
    let mut header = [0; HEADER_BYTES as usize];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(data + HEADER_BYTES as u32 - 8).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&1u16.to_le_bytes()); // PCM
    header[22..24].copy_from_slice(&(shape.channels as u16).to_le_bytes());
    header[24..28].copy_from_slice(&shape.hz.to_le_bytes());
    header[28..32].copy_from_slice(&(shape.hz * step).to_le_bytes());
    header[32..34].copy_from_slice(&(step as u16).to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&data.to_le_bytes());
    header
}

/// What a header of ours says, if it is one.
fn shape_of(file: &File) -> io::Result<Option<Shape>> {
    let mut start = [0; HEADER_BYTES as usize];
    let read = read_some(file, &mut start, 0)?;
    let channels = usize::from(u16::from_le_bytes([start[22], start[23]]));
    let hz = u32::from_le_bytes([start[24], start[25], start[26], start[27]]);
    let is_ours = read == start.len()
        && start.starts_with(b"RIFF")
        && (1..=MAX_CHANNELS).contains(&channels)
        && [8000, 16_000].contains(&hz);
    Ok(is_ours.then_some(Shape { channels, hz }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_understands_the_header() {
        let shape = Shape {
            channels: 2,
            hz: 8000,
        };
        let mut file = header(shape, 2).to_vec();
        for sample in [1i16, -2, 3, -4] {
            file.extend(sample.to_le_bytes());
        }
        let mut reader = hound::WavReader::new(&file[..]).unwrap();
        let spec = reader.spec();
        assert_eq!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample),
            (2, 8000, 16)
        );
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, -2, 3, -4]);
        assert_eq!(header(shape, u64::MAX), header(shape, limit(shape)));
    }
}
