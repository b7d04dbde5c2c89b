//! Pages of an Ogg stream (RFC 3533 §6), as far as our own files have them: one stream, packets
//! that end on their page.

use std::fs::File;
use std::io;

use super::form::read_some;

/// Bytes of a page's header before its table of segments.
const HEADER_BYTES: usize = 27;

/// Segments of a page at most.
const MAX_SEGMENTS: usize = 255;

/// Bytes of a page at most: each segment has up to 255.
const LONGEST_PAGE: usize = HEADER_BYTES + MAX_SEGMENTS + MAX_SEGMENTS * 255;

const FIRST: u8 = 2;
const LAST: u8 = 4;

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct Page {
    serial: u32,
    number: u32,
    segments: Vec<u8>,
    body: Vec<u8>,
}

/// What a page is in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Last,
    Middle,
}

impl Page {
    /// The first page of a stream.
    pub(super) fn new(serial: u32) -> Self {
        Self {
            serial,
            number: 0,
            segments: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Whether there is nothing on it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether a packet of this length still fits.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.segments.len() + length / 255 < MAX_SEGMENTS
    }

    /// Puts a packet on it; what does not fit on a page is left out.
    pub(super) fn push(&mut self, packet: &[u8]) {
        if self.has_room(packet.len()) {
            self.segments
                .extend(std::iter::repeat_n(255, packet.len() / 255));
            self.segments.push((packet.len() % 255) as u8);
            self.body.extend_from_slice(packet);
        }
    }

    /// Appends the page to `out` and begins the next; `granule` is where its last packet ends.
    pub(super) fn end(&mut self, granule: u64, place: Place, out: &mut Vec<u8>) {
        let begin = out.len();
        let flags = match place {
            Place::First => FIRST,
            Place::Last => LAST,
            Place::Middle => 0,
        };
        out.extend_from_slice(b"OggS");
        out.extend_from_slice(&[0, flags]);
        out.extend_from_slice(&granule.to_le_bytes());
        out.extend_from_slice(&self.serial.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(self.segments.len() as u8);
        out.extend_from_slice(&self.segments);
        out.extend_from_slice(&self.body);
        sign(&mut out[begin..]);
        self.number = self.number.wrapping_add(1);
        self.segments.clear();
        self.body.clear();
    }
}

/// A page of a file.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) granule: u64,
    /// Where it begins and ends in the file.
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) packets: Vec<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Read {
    /// The same page as the last of its stream.
    pub(super) fn into_last(mut self) -> Vec<u8> {
        self.bytes[5] |= LAST;
        sign(&mut self.bytes);
        self.bytes
    }
}

/// The page at `from`; `None` when there is no whole one.
pub(super) fn read(file: &File, from: u64) -> io::Result<Option<Read>> {
    let mut bytes = vec![0; HEADER_BYTES + MAX_SEGMENTS];
    let read = read_some(file, &mut bytes, from)?;
    bytes.truncate(read);
    let Some(count) = bytes.get(26).copied().map(usize::from) else {
        return Ok(None);
    };
    let Some(segments) = bytes.get(HEADER_BYTES..HEADER_BYTES + count) else {
        return Ok(None);
    };
    let segments = segments.to_vec();
    let body: usize = segments.iter().copied().map(usize::from).sum();
    bytes.resize(HEADER_BYTES + count + body, 0);
    let read = read_some(file, &mut bytes, from)?;
    let told = crc_of(&bytes);
    let is_whole = read == bytes.len() && bytes.starts_with(b"OggS");
    if !is_whole || told != checksum(&bytes) {
        return Ok(None);
    }
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    let mut at = HEADER_BYTES + count;
    for length in segments {
        packet.extend_from_slice(&bytes[at..at + usize::from(length)]);
        at += usize::from(length);
        if length < 255 {
            packets.push(std::mem::take(&mut packet));
        }
    }
    Ok(Some(Read {
        granule: u64::from(number(6)) | u64::from(number(10)) << 32,
        from,
        to: from + bytes.len() as u64,
        packets,
        bytes,
    }))
}

/// The last page of a file; `None` when there is none at all. Read from the end of the file; from its
/// beginning where something else is behind the last page.
pub(super) fn last(file: &File) -> io::Result<Option<Read>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_PAGE as u64);
    let mut tail = vec![0; LONGEST_PAGE];
    let count = read_some(file, &mut tail, from)?;
    tail.truncate(count);
    // Sound may have the marker in it, too: a page has its checksum, and here ends with the file.
    for at in (0..tail.len()).rev() {
        if tail[at..].starts_with(b"OggS")
            && let Some(page) = read(file, from + at as u64)?
            && page.to == length
        {
            return Ok(Some(page));
        }
    }
    let (mut at, mut last) = (0, None);
    while let Some(page) = read(file, at)? {
        at = page.to;
        last = Some(page);
    }
    Ok(last)
}

fn crc_of(page: &[u8]) -> u32 {
    u32::from_le_bytes([page[22], page[23], page[24], page[25]])
}

fn sign(page: &mut [u8]) {
    let crc = checksum(page);
    page[22..26].copy_from_slice(&crc.to_le_bytes());
}

/// CRC over the page with its own field as zeros (RFC 3533 §6, field 7).
fn checksum(page: &[u8]) -> u32 {
    let bytes = page.iter().enumerate();
    bytes.fold(0, |crc, (at, byte)| {
        let byte = if (22..26).contains(&at) { 0 } else { *byte };
        crc << 8 ^ CRC[usize::from((crc >> 24) as u8 ^ byte)]
    })
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1
                ^ if crc & 0x8000_0000 != 0 {
                    0x04c1_1db7
                } else {
                    0
                };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};
