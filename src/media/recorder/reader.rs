//! Reads a published recording, whatever its format, a piece at a time.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use flacenc::component::parser;
use flacenc::component::{Decode, StreamInfo};
use opus::MSDecoder;

use super::Format;
use super::flac::{Flac, Frames};
use super::ogg;
use super::opus::identified;

/// Samples of each channel in a piece at most: the longest frame there is.
const PIECE: usize = 4096;

/// An open recording.
pub struct Reader {
    channels: usize,
    hz: u32,
    source: Source,
}

enum Source {
    Flac(Box<(Frames, StreamInfo)>),
    Opus {
        file: File,
        decoder: MSDecoder,
        at: u64,
        /// Samples of each channel before the first that was recorded.
        lead: u64,
        /// Those of them still to be left out.
        skip: u64,
        /// Samples of each channel given so far, the skipped ones included.
        given: u64,
    },
    Wav(hound::WavReader<BufReader<File>>),
}

impl Reader {
    /// Opens a file by its ending.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none of ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        let format = Format::of(path).ok_or_else(|| wrong("not a .wav, .flac or .opus file"))?;
        Self::open_as(path, format)
    }

    /// Opens a file of a format.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none of ours.
    pub fn open_as(path: &Path, format: Format) -> io::Result<Self> {
        let file = File::open(path)?;
        match format {
            Format::Flac => {
                let shape =
                    Flac::shape_of(&file)?.ok_or_else(|| wrong("not a FLAC file of ours"))?;
                let info = StreamInfo::new(shape.hz as usize, shape.channels, 16);
                let frames = Frames::from(file, super::flac::HEADER_BYTES, 0)?;
                let source = Source::Flac(Box::new((frames, info.map_err(wrong)?)));
                Ok(Self {
                    channels: shape.channels,
                    hz: shape.hz,
                    source,
                })
            }
            Format::Opus => {
                let none = || wrong("not an Opus file of ours");
                let head = ogg::read(&file, 0)?.ok_or_else(none)?;
                let found = head.packets.first().and_then(|head| identified(head));
                let (shape, skip) = found.ok_or_else(none)?;
                let tags = ogg::read(&file, head.to)?.ok_or_else(none)?;
                let channels = shape.channels as u8;
                let mapping: Vec<u8> = (0..channels).collect();
                let decoder = MSDecoder::new(shape.hz, channels, 0, &mapping).map_err(wrong)?;
                let lead = skip * u64::from(shape.hz) / 48_000;
                let source = Source::Opus {
                    file,
                    decoder,
                    at: tags.to,
                    lead,
                    skip: lead,
                    given: 0,
                };
                Ok(Self {
                    channels: shape.channels,
                    hz: shape.hz,
                    source,
                })
            }
            Format::Wav => {
                let reader = hound::WavReader::new(BufReader::new(file)).map_err(wrong)?;
                let spec = reader.spec();
                if spec.bits_per_sample != 16 || spec.channels == 0 {
                    return Err(wrong("not a WAV file of 16-bit samples"));
                }
                Ok(Self {
                    channels: spec.channels.into(),
                    hz: spec.sample_rate,
                    source: Source::Wav(reader),
                })
            }
        }
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples a second.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Samples of each channel in the whole file, as its headers tell: nothing is decoded. Of a file
    /// that is damaged fewer may be read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn length(&self) -> io::Result<u64> {
        match &self.source {
            Source::Wav(reader) => Ok(reader.duration().into()),
            Source::Flac(source) => source.0.samples(),
            Source::Opus { file, lead, .. } => {
                let last = ogg::last(file)?;
                let end = last.map_or(0, |last| samples_at(last.granule, self.hz));
                Ok(end.saturating_sub(*lead))
            }
        }
    }

    /// Appends the next piece, interleaved; `false` at the end of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or decoded.
    pub fn read(&mut self, out: &mut Vec<i16>) -> io::Result<bool> {
        let channels = self.channels;
        match &mut self.source {
            Source::Wav(reader) => {
                let before = out.len();
                for sample in reader.samples::<i16>().take(PIECE * channels) {
                    out.push(sample.map_err(wrong)?);
                }
                Ok(out.len() > before)
            }
            Source::Flac(source) => {
                let (frames, info) = &mut **source;
                let Some((_, bytes)) = frames.next_with_bytes()? else {
                    return Ok(false);
                };
                let parsed = parser::frame::<()>(info, true)(&bytes);
                let (_, frame) = parsed.map_err(|_| wrong("a FLAC frame that is none"))?;
                out.extend(frame.decode().into_iter().map(|sample| sample as i16));
                Ok(true)
            }
            Source::Opus {
                file,
                decoder,
                at,
                skip,
                given,
                ..
            } => {
                let Some(page) = ogg::read(file, *at)? else {
                    return Ok(false);
                };
                *at = page.to;
                let end = samples_at(page.granule, self.hz);
                let mut buffer = vec![0; self.hz as usize * 120 / 1000 * channels];
                for packet in &page.packets {
                    let length = decoder.decode(packet, &mut buffer, false).map_err(wrong)?;
                    // The last page says where the sound ends (RFC 7845 §4.4).
                    let length = (length as u64).min(end.saturating_sub(*given));
                    let late = (*skip).min(length);
                    *skip -= late;
                    *given += length;
                    let from = late as usize * channels;
                    out.extend_from_slice(&buffer[from..length as usize * channels]);
                }
                Ok(true)
            }
        }
    }

    /// All that is left of each channel.
    ///
    /// # Errors
    ///
    /// As [`Reader::read`].
    pub fn read_all(&mut self) -> io::Result<Vec<Vec<i16>>> {
        let mut samples = Vec::new();
        while self.read(&mut samples)? {}
        let channel = |channel| {
            let own = samples.iter().skip(channel).step_by(self.channels);
            own.copied().collect()
        };
        Ok((0..self.channels).map(channel).collect())
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} channels, {} Hz)", self.channels, self.hz)
    }
}

/// Where a place on Opus' own clock is at a rate.
fn samples_at(granule: u64, hz: u32) -> u64 {
    granule.saturating_mul(u64::from(hz)) / 48_000
}

fn wrong(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
