//! What a recording's file is made of while it grows: one of three formats, each valid after
//! every write. A file is written in its order as far as it can be, and corrected where a packet
//! came late.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::closed::{Format, Shape};
use super::flac::Flac;
use super::opus::Opus;
use super::wav::Wav;

/// Sound of one channel on its way into the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) channel: usize,
    pub(super) at: u64,
    pub(super) samples: &'a [i16],
}

/// A place where the file can be cut: so many samples of each channel are in so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) samples: u64,
    pub(super) bytes: u64,
}

/// What is in a file that its writer left in the middle.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) shape: Shape,
    pub(super) samples: u64,
    pub(super) cuts: Vec<Cut>,
}

/// One file's format and how far it is written.
#[derive(Debug)]
pub(super) enum Form {
    Flac(Box<Flac>),
    Opus(Box<Opus>),
    Wav(Wav),
}

impl Form {
    /// Makes an empty file of the format.
    pub(super) fn begin(format: Format, shape: Shape, file: &File) -> io::Result<Self> {
        Ok(match format {
            Format::Flac => Self::Flac(Box::new(Flac::begin(shape, file)?)),
            Format::Opus => Self::Opus(Box::new(Opus::begin(shape, file)?)),
            Format::Wav => Self::Wav(Wav::begin(shape, file)?),
        })
    }

    /// Adds sound between `low` and `high`. An error is about this sound alone.
    pub(super) fn add(
        &mut self,
        file: &File,
        (low, high): (u64, u64),
        pieces: &[Piece<'_>],
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        match self {
            Self::Flac(form) => form.add(high, pieces),
            Self::Opus(form) => form.add(high, pieces),
            Self::Wav(form) => return form.add(file, (low, high), pieces, scratch),
        }
        Ok(())
    }

    /// The call clock has run until `to`: what is settled by then is written, and the file made to
    /// reach there as far as its format allows. After an error it can be tried again.
    pub(super) fn extend(&mut self, file: &File, to: u64, scratch: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Flac(form) => form.extend(file, to, scratch),
            Self::Opus(form) => form.extend(file, to),
            Self::Wav(form) => form.extend(file, to),
        }
    }

    /// Makes the file exactly `total` samples of each channel long.
    pub(super) fn finish(&mut self, file: &File, total: u64) -> io::Result<()> {
        match self {
            Self::Flac(form) => form.finish(file, total),
            Self::Opus(form) => form.finish(file, total),
            Self::Wav(form) => form.finish(file, total),
        }
    }

    /// Samples of each channel that the file can hold at most.
    pub(super) fn limit(&self) -> u64 {
        match self {
            Self::Flac(_) => super::flac::MOST_SAMPLES,
            // Years; as long as anybody talks.
            Self::Opus(_) => 1 << 40,
            Self::Wav(form) => form.limit(),
        }
    }

    /// Sound that waited for the file until there was no more room for it, since the last time.
    pub(super) fn take_lost(&mut self) -> Option<(u64, u64)> {
        match self {
            Self::Flac(form) => form.take_lost(),
            Self::Opus(form) => form.take_lost(),
            Self::Wav(_) => None,
        }
    }

    /// Where the finished file can be cut, about once a second, its end included.
    pub(super) fn cuts(&self) -> Vec<Cut> {
        match self {
            Self::Flac(form) => form.cuts(),
            Self::Opus(form) => form.cuts(),
            Self::Wav(form) => form.cuts(),
        }
    }

    /// Mends a file whose writer died: what is whole stays, the rest goes.
    pub(super) fn repair(format: Format, shape: Shape, file: &File) -> io::Result<Found> {
        match format {
            Format::Flac => Flac::repair(shape, file),
            Format::Opus => Opus::repair(shape, file),
            Format::Wav => Wav::repair(shape, file),
        }
    }
}

/// Of the places where a file can be cut, those about a second apart, and the last.
pub(super) fn by_second(cuts: impl IntoIterator<Item = Cut>, shape: Shape) -> Vec<Cut> {
    let mut chosen: Vec<Cut> = Vec::new();
    let mut last = None;
    for cut in cuts {
        let since = chosen.last().map_or(0, |cut| cut.samples);
        if cut.samples >= since + u64::from(shape.hz) {
            chosen.push(cut);
        }
        last = Some(cut);
    }
    if last != chosen.last().copied() {
        chosen.extend(last);
    }
    chosen
}

/// Reads what there is; beyond the end of the file `buffer` stays as it was. How much was read.
pub(super) fn read_some(file: &File, mut buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while !buffer.is_empty() {
        match file.read_at(buffer, offset + read as u64) {
            Ok(0) => break,
            Ok(length) => {
                buffer = &mut buffer[length..];
                read += length;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
