//! Opus in Ogg (RFC 7845): each channel a mono stream of its own, so that nothing of one is heard
//! on another; a page for each write.
//!
//! What is encoded cannot be changed, so a packet that comes later than [`SETTLE_MS`] is not in
//! the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use opus::{Application, Bitrate, MSEncoder};

use super::closed::Shape;
use super::form::{Cut, Found, Piece, by_second};
use super::ogg::{self, Page, Place};
use super::window::Window;

/// How late a packet may come. With this, the quarter of a second in a block and the disk's pace,
/// a killed process misses less than a second.
const SETTLE_MS: u64 = 500;

/// Length of a packet.
const FRAME_MS: u64 = 20;

/// Bits a second of one channel at 8 and at 16 kHz: speech that a listener takes for the original.
const BITRATES: [(u32, i32); 2] = [(8000, 16_000), (16_000, 24_000)];

/// Of 0 to 10: as much as ten times the time would gain is not heard at these rates.
const COMPLEXITY: i32 = 5;

/// Bytes of one channel's packet at most (RFC 6716 §3.4), its own length field included.
const LONGEST_PACKET: usize = 1277;

/// 20 ms of nothing: a SILK narrow-band packet without data (RFC 6716 §3.1), which a decoder plays
/// as it plays discontinuous transmission.
const NOTHING: u8 = 1 << 3;

/// An Opus file that grows.
pub(super) struct Opus {
    shape: Shape,
    window: Window,
    encoder: MSEncoder,
    /// Samples of each channel that the encoder looks ahead.
    lookahead: u64,
    /// Samples of each channel in a packet.
    frame: u64,
    /// Packets made.
    made: u64,
    page: Page,
    /// Encoded, and still to be written at `end`.
    pending: Vec<u8>,
    /// Packets in `pending`, and before.
    paged: u64,
    /// Packets in the file.
    written: u64,
    end: u64,
    cuts: Vec<Cut>,
    packet: Vec<u8>,
}

impl std::fmt::Debug for Opus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opus({} packets)", self.written)
    }
}

impl Opus {
    pub(super) fn begin(shape: Shape, file: &File) -> io::Result<Self> {
        let channels = shape.channels as u8;
        let mapping: Vec<u8> = (0..channels).collect();
        let audio = Application::Audio;
        let mut encoder = MSEncoder::new(shape.hz, channels, 0, &mapping, audio).map_err(failed)?;
        let bitrate = BITRATES.iter().find(|(hz, _)| *hz == shape.hz);
        let bitrate = bitrate.map_or(24_000, |(_, bitrate)| *bitrate) * i32::from(channels);
        encoder
            .set_bitrate(Bitrate::Bits(bitrate))
            .map_err(failed)?;
        encoder.set_complexity(COMPLEXITY).map_err(failed)?;
        // Discontinuous transmission takes a tone, and music on hold, for silence.
        encoder.set_dtx(false).map_err(failed)?;
        let lookahead = encoder.get_lookahead().map_err(failed)?.max(0) as u64;
        let mut page = Page::new(std::process::id() ^ 0x7473_756e);
        let mut pending = Vec::new();
        let skip = lookahead * per_sample(shape);
        page.push(&identification(shape, skip as u16));
        page.end(0, Place::First, &mut pending);
        page.push(COMMENTS);
        page.end(0, Place::Middle, &mut pending);
        file.write_all_at(&pending, 0)?;
        let end = pending.len() as u64;
        pending.clear();
        Ok(Self {
            shape,
            window: Window::new(shape),
            encoder,
            lookahead,
            frame: shape.samples(FRAME_MS),
            made: 0,
            page,
            pending,
            paged: 0,
            written: 0,
            end,
            cuts: Vec::new(),
            packet: vec![0; LONGEST_PACKET * shape.channels],
        })
    }

    /// What a player hears; the encoder's delay is skipped at the beginning.
    fn length(&self) -> u64 {
        (self.written * self.frame).saturating_sub(self.lookahead)
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
        }
    }

    pub(super) fn extend(&mut self, file: &File, to: u64) -> io::Result<()> {
        self.advance(to);
        self.window.grow(to);
        let settled = to.saturating_sub(self.shape.samples(SETTLE_MS)) / self.frame;
        self.flush(file)?;
        self.encode(settled)?;
        self.end_page(self.made, Place::Middle);
        self.flush(file)
    }

    pub(super) fn finish(&mut self, file: &File, total: u64) -> io::Result<()> {
        self.advance(total);
        let until = (total + self.lookahead).div_ceil(self.frame);
        self.window.grow(until * self.frame);
        self.flush(file)?;
        // The last page is written in any case, for it says where the sound ends.
        if self.made < until {
            self.encode(until - 1)?;
            self.end_page(self.made, Place::Middle);
            self.encode(until)?;
        } else if self.page.is_empty() {
            self.page.push(&nothing(self.shape));
        }
        let granule = self.granule(total);
        self.page.end(granule, Place::Last, &mut self.pending);
        self.paged = self.made;
        self.flush(file)?;
        if let Some(last) = self.cuts.last_mut() {
            last.samples = total;
        }
        file.set_len(self.end)
    }

    fn advance(&mut self, to: u64) {
        let made = self.made * self.frame;
        self.window.advance(to, self.frame, made);
    }

    /// Where a sample is on the format's clock: the encoder's delay counts (§4.3).
    fn granule(&self, samples: u64) -> u64 {
        (samples + self.lookahead) * per_sample(self.shape)
    }

    /// Makes packets up to number `until`.
    fn encode(&mut self, until: u64) -> io::Result<()> {
        while self.made < until {
            let from = self.made * self.frame;
            let samples = self.window.between(from, from + self.frame);
            let nothing = nothing(self.shape);
            let packet = if samples.len() == self.frame as usize * self.shape.channels {
                let length = self.encoder.encode(samples, &mut self.packet);
                &self.packet[..length.map_err(failed)?]
            } else {
                &nothing[..]
            };
            if !self.page.has_room(packet.len()) {
                let granule = self.made * self.frame * per_sample(self.shape);
                self.page.end(granule, Place::Middle, &mut self.pending);
                self.paged = self.made;
            }
            self.page.push(packet);
            self.made += 1;
        }
        Ok(())
    }

    /// Ends the page after packet number `packets`, if there is anything on it.
    fn end_page(&mut self, packets: u64, place: Place) {
        if !self.page.is_empty() {
            let granule = packets * self.frame * per_sample(self.shape);
            self.page.end(granule, place, &mut self.pending);
            self.paged = packets;
        }
    }

    fn flush(&mut self, file: &File) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        file.write_all_at(&self.pending, self.end)?;
        self.end += self.pending.len() as u64;
        self.pending.clear();
        self.written = self.paged;
        self.cuts.push(Cut {
            samples: self.length(),
            bytes: self.end,
        });
        Ok(())
    }

    pub(super) fn repair(shape: Shape, file: &File) -> io::Result<Found> {
        let nobody = Found {
            shape,
            samples: 0,
            cuts: Vec::new(),
        };
        let Some(first) = ogg::read(file, 0)? else {
            // Not even begun: an empty file of its kind is better than none.
            file.set_len(0)?;
            Self::begin(shape, file)?.finish(file, 0)?;
            return Ok(nobody);
        };
        let (shape, skip) = first
            .packets
            .first()
            .and_then(|head| identified(head))
            .unwrap_or((shape, 0));
        let (mut at, mut pages, mut last) = (first.to, 1, first);
        let mut cuts = Vec::new();
        let per_sample = per_sample(shape);
        while let Some(page) = ogg::read(file, at)? {
            at = page.to;
            pages += 1;
            cuts.push(Cut {
                samples: page.granule.saturating_sub(skip) / per_sample,
                bytes: at,
            });
            last = page;
        }
        file.set_len(at)?;
        let from = last.from;
        if pages > 1 {
            file.write_all_at(&last.into_last(), from)?;
        }
        let samples = cuts.last().map_or(0, |cut| cut.samples);
        Ok(Found {
            shape,
            samples,
            cuts: by_second(cuts, shape),
        })
    }
}

/// Ticks of the format's own clock for a sample (RFC 7845 §4): it always has 48 kHz.
fn per_sample(shape: Shape) -> u64 {
    48_000 / u64::from(shape.hz)
}

/// A packet in which no channel says anything (RFC 6716 appendix B: all but the last stream have
/// their length before them).
fn nothing(shape: Shape) -> Vec<u8> {
    let mut packet = [NOTHING, 0].repeat(shape.channels - 1);
    packet.push(NOTHING);
    packet
}

/// The identification header (RFC 7845 §5.1). Family 1 has the channels in an order of its own
/// for loudspeakers; we keep ours, for nobody is in front or behind.
fn identification(shape: Shape, skip: u16) -> Vec<u8> {
    let channels = shape.channels as u8;
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&skip.to_le_bytes());
    head.extend_from_slice(&shape.hz.to_le_bytes());
    head.extend_from_slice(&[0, 0]);
    // Two channels and one are played by everything; more than that by family 255, "no meaning".
    head.push(if channels <= 2 { 1 } else { 255 });
    head.extend_from_slice(&[channels, 0]);
    head.extend(0..channels);
    head
}

/// Shape and skip of an identification header.
pub(super) fn identified(head: &[u8]) -> Option<(Shape, u64)> {
    let channels = usize::from(*head.get(9)?);
    let hz = u32::from_le_bytes(head.get(12..16)?.try_into().ok()?);
    let is_ours = head.starts_with(b"OpusHead") && channels > 0 && [8000, 16_000].contains(&hz);
    let skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
    is_ours.then_some((Shape { channels, hz }, skip))
}

/// The comment header (RFC 7845 §5.2): who made it, and nothing else; the sidecar tells the rest.
const COMMENTS: &[u8] = b"OpusTags\x07\0\0\0tsunagu\0\0\0\0";

fn failed(why: opus::Error) -> io::Error {
    io::Error::other(format!("Opus: {why}"))
}
