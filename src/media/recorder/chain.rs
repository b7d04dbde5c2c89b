//! The hash chain over a recording: each link is about a second of the file and the marks in it,
//! and holds the link before. Who changes a byte changes its link and every later one.
//!
//! A link is SHA-256 over: the link before (32 bytes; nothing for the first), the file's bytes up
//! to the link's end, and each mark that lies in its time as compact JSON. A mark at the end of
//! the last link belongs to it.

use std::fmt::{self, Display};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Mark;
use super::form::{Cut, read_some};

/// Bytes read at once.
const PORTION: usize = 1 << 16;

/// The links of a file, in order; the last ends where the file does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chain(Vec<Link>);

/// One link, written as `END_MS END_BYTES HASH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Link {
    /// End of its sound, milliseconds from the start.
    end_ms: u64,
    /// End of its bytes in the file.
    end: u64,
    hash: [u8; 32],
}

/// What of a file is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes of the file.
    pub bytes: Range<u64>,
    /// The sound in them, milliseconds from the start of the file.
    pub ms: Range<u64>,
}

impl Chain {
    /// Reads a file: its chain, and its SHA-256 in hex.
    pub(super) fn of(
        file: &File,
        cuts: &[Cut],
        hz: u32,
        marks: &[Mark],
    ) -> io::Result<(Self, String)> {
        let length = file.metadata()?.len();
        let to_ms = |cut: &Cut| (cut.samples * 1000 / u64::from(hz), cut.bytes);
        let mut ends: Vec<(u64, u64)> = cuts.iter().map(to_ms).collect();
        ends.retain(|(_, end)| *end < length);
        let last = cuts.last().map_or(0, |cut| to_ms(cut).0);
        ends.push((last, length));
        let mut whole = Sha256::new();
        let mut links: Vec<Link> = Vec::with_capacity(ends.len());
        for (place, (end_ms, end)) in ends.iter().enumerate() {
            let (from_ms, from) = links.last().map_or((0, 0), |link| (link.end_ms, link.end));
            let is_last = place + 1 == ends.len();
            let before = links.last().map(|link| &link.hash);
            let marks = within(marks, from_ms..*end_ms, is_last);
            let hash = link(file, before, from..*end, marks, Some(&mut whole))?;
            links.push(Link {
                end_ms: *end_ms,
                end: *end,
                hash,
            });
        }
        Ok((Self(links), hex::encode(whole.finalize())))
    }

    /// Whether there is none, as in sidecars of before there were chains.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Links.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a file, or its marks, are not what the chain says; neighbours are told as one. What
    /// was added behind the end is the last.
    pub fn damages(&self, file: &File, marks: &[Mark]) -> io::Result<Vec<Damage>> {
        let length = file.metadata()?.len();
        let mut damages: Vec<Damage> = Vec::new();
        let (mut before, mut from_ms, mut from) = (None, 0, 0);
        for (place, expected) in self.0.iter().enumerate() {
            let is_last = place + 1 == self.0.len();
            let (ms, bytes) = (from_ms..expected.end_ms, from..expected.end);
            let marks = within(marks, ms.clone(), is_last);
            // With the link as it was written before it, so that what follows is judged alone.
            if bytes.end > length
                || link(file, before, bytes.clone(), marks, None)? != expected.hash
            {
                damages.push(Damage { bytes, ms });
            }
            before = Some(&expected.hash);
            (from_ms, from) = (expected.end_ms, expected.end);
        }
        if length > from {
            damages.push(Damage {
                bytes: from..length,
                ms: from_ms..from_ms,
            });
        }
        damages.dedup_by(|next, last| {
            let is_next = next.bytes.start == last.bytes.end;
            if is_next {
                last.bytes.end = next.bytes.end;
                last.ms.end = next.ms.end;
            }
            is_next
        });
        Ok(damages)
    }
}

/// The marks of a stretch.
fn within(marks: &[Mark], ms: Range<u64>, is_last: bool) -> impl Iterator<Item = &Mark> {
    let is_in = move |mark: &&Mark| ms.contains(&mark.at_ms) || is_last && mark.at_ms >= ms.end;
    marks.iter().filter(is_in)
}

fn link<'m>(
    file: &File,
    before: Option<&[u8; 32]>,
    bytes: Range<u64>,
    marks: impl Iterator<Item = &'m Mark>,
    mut whole: Option<&mut Sha256>,
) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    if let Some(before) = before {
        hash.update(before);
    }
    let mut buffer = vec![0; PORTION];
    let mut at = bytes.start;
    while at < bytes.end {
        let wanted = PORTION.min((bytes.end - at) as usize);
        let read = read_some(file, &mut buffer[..wanted], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(&buffer[..read]);
        if let Some(whole) = &mut whole {
            whole.update(&buffer[..read]);
        }
        at += read as u64;
    }
    for mark in marks {
        hash.update(serde_json::to_vec(mark)?);
    }
    Ok(hash.finalize().into())
}

impl Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.end_ms, self.end, hex::encode(self.hash))
    }
}

impl FromStr for Link {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(' ');
        let mut link = Self {
            end_ms: 0,
            end: 0,
            hash: [0; 32],
        };
        let mut number = || parts.next()?.parse().ok();
        link.end_ms = number().ok_or("a link begins with its end in ms")?;
        link.end = number().ok_or("a link's end in bytes is missing")?;
        let hash = parts.next().unwrap_or_default();
        hex::decode_to_slice(hash, &mut link.hash).map_err(|_| "a link's hash is wrong")?;
        match parts.next() {
            None => Ok(link),
            Some(_) => Err("a link has three parts"),
        }
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.to_string()
    }
}

impl TryFrom<String> for Link {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
