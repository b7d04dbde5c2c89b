//! FLAC (RFC 9639) frame by frame: a quarter of a second each, written when it is settled, and
//! written again with all that follow it when a packet comes late.
//!
//! The number of samples is filled in at the end; until then it is 0, which means unknown (§8.2).
//! The MD5 of the samples stays 0, "not computed": the sidecar has better.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, StreamInfo, parser};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Fill, FrameBuf};

use super::closed::Shape;
use super::form::{Cut, Found, Piece, by_second, read_some};
use super::window::Window;

/// Bytes before the first frame: the marker, and the stream information with its header.
pub(super) const HEADER_BYTES: u64 = 42;

/// Samples of each channel that a header can tell of: 36 bits (§8.2).
pub(super) const MOST_SAMPLES: u64 = (1 << 36) - 1;

/// How long a frame may still change before it is written the first time: what most packets'
/// delay varies by.
const SETTLE_MS: u64 = 100;

/// Bytes encoded before they are written: frames that a full disk has held up go in portions.
const PORTION: usize = 1 << 20;

/// A FLAC file that grows.
pub(super) struct Flac {
    shape: Shape,
    window: Window,
    encoder: FrameEncoder,
    /// Samples of each channel in a frame.
    frame: u64,
    /// Frames written.
    written: u64,
    /// Where the frames begin that may still be written again; the last is the next one's place.
    offsets: VecDeque<u64>,
    /// Length of the file.
    size: u64,
    /// Where a second ends.
    cuts: Vec<Cut>,
}

impl std::fmt::Debug for Flac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flac({} frames)", self.written)
    }
}

impl Flac {
    pub(super) fn begin(shape: Shape, file: &File) -> io::Result<Self> {
        // A power of two close to a quarter of a second: its header needs no length.
        let frame = u64::from(shape.hz / 8000) * 2048;
        file.write_all_at(&header(shape, frame, 0), 0)?;
        Ok(Self {
            shape,
            window: Window::new(shape),
            encoder: FrameEncoder::new(shape, frame)?,
            frame,
            written: 0,
            offsets: VecDeque::from([HEADER_BYTES]),
            size: HEADER_BYTES,
            cuts: Vec::new(),
        })
    }

    fn length(&self) -> u64 {
        self.written * self.frame
    }

    pub(super) fn cuts(&self) -> Vec<Cut> {
        by_second(self.cuts.iter().copied(), self.shape)
    }

    pub(super) fn take_lost(&mut self) -> Option<(u64, u64)> {
        self.window.take_lost()
    }

    pub(super) fn add(&mut self, high: u64, pieces: &[Piece<'_>]) {
        self.advance(high);
        for piece in pieces {
            self.window.add(piece);
            self.roll_back(piece.at.max(self.window.base()) / self.frame);
        }
    }

    pub(super) fn extend(&mut self, file: &File, to: u64, scratch: &mut Vec<u8>) -> io::Result<()> {
        self.advance(to);
        self.window.grow(to);
        let settled = to.saturating_sub(self.shape.samples(SETTLE_MS));
        self.write(file, settled / self.frame, scratch)
    }

    pub(super) fn finish(&mut self, file: &File, total: u64) -> io::Result<()> {
        let mut scratch = Vec::new();
        self.advance(total);
        self.window.grow(total);
        self.roll_back(total / self.frame);
        self.write(file, total / self.frame, &mut scratch)?;
        let whole = self.written * self.frame;
        let mut end = self.end();
        if whole < total {
            let rest = self.window.between(whole, total);
            scratch.clear();
            self.encoder.encode(self.written, rest, &mut scratch)?;
            file.write_all_at(&scratch, end)?;
            end += scratch.len() as u64;
            self.cuts.push(Cut {
                samples: total,
                bytes: end,
            });
        }
        file.set_len(end)?;
        file.write_all_at(&header(self.shape, self.frame, total), 0)
    }

    fn advance(&mut self, to: u64) {
        if !self.window.advance(to, self.frame, self.length()) {
            return;
        }
        // Only frames that begin in the window can be written again.
        let first = self.written + 1 - self.offsets.len() as u64;
        let gone = (self.window.base() / self.frame)
            .min(self.written)
            .saturating_sub(first);
        self.offsets.drain(..gone as usize);
    }

    /// Frame `number` and what follows it are to be written again.
    fn roll_back(&mut self, number: u64) {
        while self.written > number && self.offsets.len() > 1 {
            self.offsets.pop_back();
            self.written -= 1;
        }
        let end = self.end();
        while self.cuts.last().is_some_and(|cut| cut.bytes > end) {
            self.cuts.pop();
        }
    }

    /// Where the next frame belongs.
    fn end(&self) -> u64 {
        self.offsets.back().copied().unwrap_or(HEADER_BYTES)
    }

    /// Writes frames up to number `until`.
    fn write(&mut self, file: &File, until: u64, scratch: &mut Vec<u8>) -> io::Result<()> {
        while self.written < until {
            scratch.clear();
            let (begin, mut number) = (self.end(), self.written);
            let mut offsets = Vec::new();
            while number < until && scratch.len() < PORTION {
                let from = number * self.frame;
                let samples = self.window.between(from, from + self.frame);
                self.encoder.encode(number, samples, scratch)?;
                number += 1;
                offsets.push(begin + scratch.len() as u64);
            }
            file.write_all_at(scratch, begin)?;
            for end in offsets {
                self.written += 1;
                self.offsets.push_back(end);
                self.cuts.push(Cut {
                    samples: self.length(),
                    bytes: end,
                });
            }
        }
        let end = self.end();
        if end < self.size {
            file.set_len(end)?;
        }
        self.size = end;
        Ok(())
    }

    /// What a header of ours says, if it is one.
    pub(super) fn shape_of(file: &File) -> io::Result<Option<Shape>> {
        let mut header = [0; HEADER_BYTES as usize];
        read_some(file, &mut header, 0)?;
        let packed = header[18..26]
            .iter()
            .fold(0, |packed, byte| packed << 8 | u64::from(*byte));
        let hz = (packed >> 44) as u32;
        let is_ours = header.starts_with(b"fLaC") && [8000, 16_000].contains(&hz);
        Ok(is_ours.then_some(Shape {
            channels: (packed >> 41 & 7) as usize + 1,
            hz,
        }))
    }

    pub(super) fn repair(shape: Shape, file: &File) -> io::Result<Found> {
        let shape = Self::shape_of(file)?.unwrap_or(shape);
        let frame = u64::from(shape.hz / 8000) * 2048;
        let mut frames = Frames::from(file.try_clone()?, HEADER_BYTES, 0)?;
        let (mut samples, mut cuts) = (0, Vec::new());
        while let Some(length) = frames.next()? {
            samples += length;
            cuts.push(Cut {
                samples,
                bytes: frames.at,
            });
        }
        file.set_len(frames.at.max(HEADER_BYTES))?;
        file.write_all_at(&header(shape, frame, samples), 0)?;
        Ok(Found {
            shape,
            samples,
            cuts: by_second(cuts, shape),
        })
    }
}

/// The encoder and what it needs for a frame.
struct FrameEncoder {
    config: Verified<Encoder>,
    info: StreamInfo,
    shape: Shape,
    frame: usize,
    wide: Vec<i32>,
    sink: ByteSink,
}

impl FrameEncoder {
    fn new(shape: Shape, frame: u64) -> io::Result<Self> {
        let frame = frame as usize;
        let mut config = Encoder::default();
        config.block_size = frame;
        // Two people are not alike: taking one from the other saves nothing. Linear prediction
        // takes four times as long as the fixed predictors for 3 % less.
        config.stereo_coding.use_leftside = false;
        config.stereo_coding.use_rightside = false;
        config.stereo_coding.use_midside = false;
        config.subframe_coding.use_lpc = false;
        let config = config.into_verified().map_err(|(_, why)| failed(why))?;
        let mut info = StreamInfo::new(shape.hz as usize, shape.channels, 16).map_err(failed)?;
        info.set_block_sizes(frame, frame).map_err(failed)?;
        Ok(Self {
            config,
            info,
            shape,
            frame,
            wide: Vec::new(),
            sink: ByteSink::new(),
        })
    }

    /// Appends a frame; silence where there are no samples.
    fn encode(&mut self, number: u64, samples: &[i16], out: &mut Vec<u8>) -> io::Result<()> {
        self.wide.clear();
        self.wide
            .extend(samples.iter().map(|sample| i32::from(*sample)));
        if self.wide.is_empty() {
            self.wide.resize(self.frame * self.shape.channels, 0);
        }
        let length = self.wide.len() / self.shape.channels;
        let mut buffer = FrameBuf::with_size(self.shape.channels, length).map_err(failed)?;
        buffer.fill_interleaved(&self.wide).map_err(failed)?;
        let number = number as usize;
        let frame = encode_fixed_size_frame(&self.config, &buffer, number, &self.info);
        self.sink.clear();
        frame
            .map_err(failed)?
            .write(&mut self.sink)
            .map_err(failed)?;
        out.extend_from_slice(self.sink.as_slice());
        Ok(())
    }
}

fn failed(why: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("FLAC: {why}"))
}

/// The marker and the stream information (RFC 9639 §8.2), its last metadata block.
fn header(shape: Shape, frame: u64, total: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[0..4].copy_from_slice(b"fLaC");
    header[4..8].copy_from_slice(&[0x80, 0, 0, 34]);
    header[8..10].copy_from_slice(&(frame as u16).to_be_bytes());
    header[10..12].copy_from_slice(&(frame as u16).to_be_bytes());
    // 20 bits of rate, 3 of channels less one, 5 of bits less one, 36 of samples.
    let packed = u64::from(shape.hz) << 44
        | (shape.channels as u64 - 1) << 41
        | 15 << 36
        | total & MOST_SAMPLES;
    header[18..26].copy_from_slice(&packed.to_be_bytes());
    header
}

/// Finds the whole frames of a file.
pub(super) struct Frames {
    file: File,
    /// End of the last whole frame.
    at: u64,
    number: u64,
    length: u64,
    buffer: Vec<u8>,
    /// Place of the buffer in the file.
    base: u64,
}

/// Longest frame we write: eight channels of 4096 samples as they are, and its header.
const LONGEST_FRAME: usize = 8 * 4096 * 2 + 64;

impl Frames {
    /// From the place where a frame of that number begins.
    pub(super) fn from(file: File, at: u64, number: u64) -> io::Result<Self> {
        Ok(Self {
            length: file.metadata()?.len(),
            file,
            at,
            number,
            buffer: Vec::new(),
            base: 0,
        })
    }

    /// Samples of each channel in the whole file: what its header says, and where that is not filled
    /// in what its frames do.
    pub(super) fn samples(&self) -> io::Result<u64> {
        let mut header = [0; HEADER_BYTES as usize];
        read_some(&self.file, &mut header, 0)?;
        let total = header[21..26]
            .iter()
            .fold(0, |total, byte| total << 8 | u64::from(*byte))
            & MOST_SAMPLES;
        if total > 0 {
            return Ok(total);
        }
        let mut frames = Self::from(self.file.try_clone()?, HEADER_BYTES, 0)?;
        let mut sum = 0;
        while let Some(samples) = frames.next()? {
            sum += samples;
        }
        Ok(sum)
    }

    /// Samples of the next frame, and the frame; `None` when there is no whole one.
    pub(super) fn next_with_bytes(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let from = self.at;
        let Some(samples) = self.next()? else {
            return Ok(None);
        };
        let bytes = &self.buffer[(from - self.base) as usize..(self.at - self.base) as usize];
        Ok(Some((samples, bytes.to_vec())))
    }

    /// Samples of the next frame; `None` when there is no whole one.
    fn next(&mut self) -> io::Result<Option<u64>> {
        if self.at >= self.length {
            return Ok(None);
        }
        let wanted = LONGEST_FRAME + 32;
        if self.at + wanted as u64 > self.base + self.buffer.len() as u64 {
            self.base = self.at;
            self.buffer.resize(PORTION, 0);
            let read = read_some(&self.file, &mut self.buffer, self.base)?;
            self.buffer.truncate(read);
        }
        let from = (self.at - self.base) as usize;
        let rest = self.buffer.get(from..).unwrap_or_default();
        let Some(samples) = frame_header(rest, self.number) else {
            return Ok(None);
        };
        let mut crc = 0u16;
        let mut candidates = Vec::new();
        for (place, byte) in rest.iter().enumerate().take(LONGEST_FRAME) {
            crc = crc16(crc, *byte);
            // The CRC over a frame with its own CRC is nothing (§9.3).
            let end = place + 1;
            if crc != 0 || end < 8 {
                continue;
            }
            let is_last = self.at + end as u64 == self.length;
            if is_last || frame_header(&rest[end..], self.number + 1).is_some() {
                self.at += end as u64;
                self.number += 1;
                return Ok(Some(samples));
            }
            candidates.push(end);
        }
        // Nothing of sense follows: the next write was torn. One place in 65,536 looks like an end
        // by chance, so the frame must be read as one.
        let info = StreamInfo::new(8000, usize::from(rest[3] >> 4) + 1, 16).map_err(failed)?;
        let is_frame = |end: &usize| {
            let frame = parser::frame::<()>(&info, true)(&rest[..*end]);
            frame.is_ok_and(|(after, _)| after.is_empty())
        };
        if let Some(end) = candidates.into_iter().find(is_frame) {
            self.at += end as u64;
            self.number += 1;
            return Ok(Some(samples));
        }
        Ok(None)
    }
}

/// Samples of the frame that begins here, if it is one of ours with that number (§9.1).
fn frame_header(bytes: &[u8], number: u64) -> Option<u64> {
    let mut expected = Vec::with_capacity(8);
    utf8_like(number, &mut expected);
    let (start, rest) = bytes.split_at_checked(4)?;
    let rest_of_number = rest.get(..expected.len())?;
    if start[..2] != [0xff, 0xf8] || rest_of_number != expected {
        return None;
    }
    let mut at = 4 + expected.len();
    let code = start[2] >> 4;
    let samples = match code {
        6 => u64::from(*bytes.get(at)?) + 1,
        7 => u64::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])) + 1,
        8.. => 256 << (code - 8),
        2..=5 => 576 << (code - 2),
        1 => 192,
        0 => return None,
    };
    at += match code {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let crc = bytes
        .get(..at)?
        .iter()
        .fold(0, |crc, byte| crc8(crc, *byte));
    (*bytes.get(at)? == crc).then_some(samples)
}

/// A frame's number as UTF-8 would write it, in up to seven bytes (§9.1.5).
fn utf8_like(number: u64, out: &mut Vec<u8>) {
    if number < 0x80 {
        return out.push(number as u8);
    }
    let mut more = 1;
    while more < 6 && number >> (6 * more + 6 - more) != 0 {
        more += 1;
    }
    let lead = !(0x7fu8 >> more);
    out.push(lead | (number >> (6 * more)) as u8);
    for place in (0..more).rev() {
        out.push(0x80 | (number >> (6 * place) & 0x3f) as u8);
    }
}

fn crc8(crc: u8, byte: u8) -> u8 {
    CRC8[usize::from(crc ^ byte)]
}

fn crc16(crc: u16, byte: u8) -> u16 {
    crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)]
}

/// x^8 + x^2 + x + 1 (§9.1.8).
const CRC8: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x80 != 0 { 0x07 } else { 0 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

/// x^16 + x^15 + x^2 + 1 (§9.3).
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 != 0 { 0x8005 } else { 0 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_utf8_would() {
        for number in [0u32, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff] {
            let mut bytes = Vec::new();
            utf8_like(number.into(), &mut bytes);
            if let Some(letter) = char::from_u32(number) {
                assert_eq!(bytes, letter.to_string().as_bytes(), "{number:x}");
            }
        }
        let mut bytes = Vec::new();
        utf8_like(0x7fff_ffff, &mut bytes);
        assert_eq!(bytes, [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
    }
}
