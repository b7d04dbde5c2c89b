//! Finding the parts of a message: one pass over the lines, offsets only.

use memchr::memchr;

use super::views::Views;
use super::{Method, ParseError};
use crate::sip::HeaderName;
use crate::sip::header::scan;

/// Largest message read: offsets fit 16 bits, and no datagram can be larger.
pub const MAX_MESSAGE: usize = 65_535;

/// Most header lines read; ordinary messages have about twenty.
pub const MAX_HEADERS: usize = 256;

/// Where the parts are.
pub(super) struct Index {
    pub(super) start: Start,
    pub(super) lines: Vec<Line>,
    pub(super) body: Span,
    pub(super) defect: Option<&'static str>,
    pub(super) views: Views,
}

/// The start line.
pub(super) enum Start {
    Request {
        method: Method,
        uri: Span,
        is_version_2: bool,
    },
    Response {
        status: u16,
        reason: Span,
    },
}

/// A header line with its continuations.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// [`HeaderName::index`] of the name.
    pub(super) known: u8,
    /// Whether the value goes over a line break.
    pub(super) is_folded: bool,
    pub(super) name: Span,
    /// Trimmed on both ends.
    pub(super) value: Span,
}

/// A part of the message.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Both ends are within [`MAX_MESSAGE`], which [`Index::read`] checks first.
    fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u16,
            end: end as u16,
        }
    }

    /// The octets; empty should the span not fit, which cannot be.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    /// The same without white space on either end.
    fn trimmed(start: usize, end: usize, bytes: &[u8]) -> Self {
        let octets = bytes.get(start..end).unwrap_or_default();
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match octets.iter().position(|byte| !is_space(byte)) {
            None => Self::new(start, start),
            Some(first) => {
                let last = octets.iter().rposition(|byte| !is_space(byte));
                Self::new(start + first, start + last.map_or(first, |last| last + 1))
            }
        }
    }
}

impl Index {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(ParseError::TooLarge { bytes: bytes.len() });
        }
        let first = bytes
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'))
            .ok_or(ParseError::Empty)?;
        let (end, after) = line_end(bytes, first);
        let mut defect = None;
        let start = read_start(bytes, first, end, &mut defect)?;
        let mut index = Self {
            start,
            lines: Vec::with_capacity(USUAL_HEADERS),
            body: Span::default(),
            defect,
            views: Views::default(),
        };
        let body = index.read_lines(bytes, after)?;
        index.read_body(bytes, body);
        Ok(index)
    }

    /// Indexes header lines from `at`; returns where the body begins.
    fn read_lines(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, ParseError> {
        loop {
            let (end, after, is_continued) = whole_line(bytes, at);
            if end == at {
                if after == at {
                    self.note("no empty line after the headers");
                }
                return Ok(after);
            }
            if self.lines.len() == MAX_HEADERS {
                return Err(ParseError::TooManyHeaders);
            }
            match read_line(bytes, at, end, is_continued) {
                Some(line) => self.lines.push(line),
                None => self.note("header line without a name"),
            }
            at = after;
        }
    }

    /// Bounds the body by Content-Length (RFC 3261 §18.3).
    fn read_body(&mut self, bytes: &[u8], start: usize) {
        let there = bytes.len().saturating_sub(start);
        let lengths = self.lines.iter().map(|line| length_of(*line, bytes));
        let length = match single_length(lengths) {
            Ok(None) => there,
            Ok(Some(length)) if length > there => {
                self.note("body shorter than Content-Length");
                there
            }
            Ok(Some(length)) => length,
            Err(defect) => {
                self.note(defect);
                there
            }
        };
        self.body = Span::new(start, start + length);
    }

    fn note(&mut self, defect: &'static str) {
        self.defect.get_or_insert(defect);
    }
}

/// What Content-Length says in `headers`, the octets from the start line to the empty line.
///
/// Read by the same rules as [`Index::read`], so that framing and parsing never disagree.
pub(in crate::sip) fn content_length(headers: &[u8]) -> Result<Option<usize>, &'static str> {
    let (_, mut at) = line_end(headers, 0);
    let lines = std::iter::from_fn(|| {
        let (start, (end, after, is_continued)) = (at, whole_line(headers, at));
        at = after;
        (end > start).then_some((start, end, is_continued))
    });
    single_length(lines.map(|(start, end, is_continued)| {
        // Most lines need no closer look.
        match headers.get(start)? {
            b'C' | b'L' | b'c' | b'l' => {
                length_of(read_line(headers, start, end, is_continued)?, headers)
            }
            _ => None,
        }
    }))
}

/// The length a Content-Length line gives; `None` for other lines.
fn length_of(line: Line, bytes: &[u8]) -> Option<Result<usize, &'static str>> {
    (line.known == HeaderName::ContentLength.index()).then(|| {
        scan::number(line.value.of(bytes))
            .map(|length| length as usize)
            .ok_or("malformed Content-Length")
    })
}

/// The one length; several must agree (RFC 4475 §3.3.9).
fn single_length(
    lengths: impl Iterator<Item = Option<Result<usize, &'static str>>>,
) -> Result<Option<usize>, &'static str> {
    lengths.flatten().try_fold(None, |found, length| {
        let length = length?;
        match found {
            Some(before) if before != length => Err("Content-Lengths that differ"),
            _ => Ok(Some(length)),
        }
    })
}

/// The end of the header line that begins at `at`, where the next begins, and whether lines that
/// begin with white space continue it.
fn whole_line(bytes: &[u8], at: usize) -> (usize, usize, bool) {
    let (mut end, mut after) = line_end(bytes, at);
    let mut is_continued = false;
    // An empty line ends the headers whatever follows it.
    while end > at && matches!(bytes.get(after), Some(b' ' | b'\t')) {
        (end, after) = line_end(bytes, after);
        is_continued = true;
    }
    (end, after, is_continued)
}

/// The end of the line that begins at `at`, and where the next begins.
fn line_end(bytes: &[u8], at: usize) -> (usize, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    match memchr(b'\n', rest) {
        None => (bytes.len(), bytes.len()),
        Some(length) => {
            let end = at + length;
            let has_return = length > 0 && bytes.get(end - 1) == Some(&b'\r');
            (end - usize::from(has_return), end + 1)
        }
    }
}

fn read_line(bytes: &[u8], at: usize, end: usize, is_continued: bool) -> Option<Line> {
    let line = bytes.get(at..end)?;
    let name_length = line.iter().position(|byte| !scan::is_token_byte(*byte))?;
    let colon = match line.get(name_length)? {
        b':' => name_length,
        // White space, even a fold, may stand before the colon.
        b' ' | b'\t' => {
            let spaces = line.get(name_length..)?;
            name_length
                + spaces
                    .iter()
                    .position(|byte| !matches!(byte, b' ' | b'\t'))?
        }
        _ => return None,
    };
    if name_length == 0 || line.get(colon) != Some(&b':') {
        return None;
    }
    let value = Span::trimmed(at + colon + 1, end, bytes);
    Some(Line {
        known: HeaderName::index_of(line.get(..name_length)?),
        is_folded: is_continued && memchr(b'\n', value.of(bytes)).is_some(),
        name: Span::new(at, at + name_length),
        value,
    })
}

fn read_start(
    bytes: &[u8],
    at: usize,
    end: usize,
    defect: &mut Option<&'static str>,
) -> Result<Start, ParseError> {
    let line = bytes.get(at..end).unwrap_or_default();
    match line.get(..4) {
        Some(start) if start.eq_ignore_ascii_case(b"SIP/") => read_status(line, at),
        _ => read_request(line, at, defect),
    }
}

/// `SIP/2.0 200 OK`; the phrase may be missing.
fn read_status(line: &[u8], at: usize) -> Result<Start, ParseError> {
    let error = ParseError::StartLine;
    if !is_version_2(line.get(..7).unwrap_or_default()) || line.get(7) != Some(&b' ') {
        return Err(error("version"));
    }
    let status = line.get(8..11).and_then(scan::number);
    let status = status.filter(|status| (100..700).contains(status));
    let status = status.ok_or(error("status"))? as u16;
    let reason = match line.get(11) {
        None => line.len(),
        Some(b' ') => 12,
        Some(_) => return Err(error("status")),
    };
    Ok(Start::Response {
        status,
        reason: Span::new(at + reason, at + line.len()),
    })
}

/// `METHOD uri SIP/2.0`. Stray white space is noted, not refused: the request can be answered.
fn read_request(
    line: &[u8],
    at: usize,
    defect: &mut Option<&'static str>,
) -> Result<Start, ParseError> {
    let error = ParseError::StartLine;
    let method_end = memchr(b' ', line).ok_or(error("no request line"))?;
    let method = line.get(..method_end).and_then(Method::parse);
    let method = method.ok_or(error("method"))?;
    let trimmed = line.trim_ascii_end();
    let version = memchr::memrchr(b' ', trimmed).map_or(0, |space| space + 1);
    let version_text = trimmed.get(version..).unwrap_or_default();
    let is_sip = version_text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    if version <= method_end + 1 || !is_sip {
        return Err(error("no version"));
    }
    let uri = (method_end + 1, version - 1);
    let uri_text = line.get(uri.0..uri.1).unwrap_or_default();
    if trimmed.len() != line.len() || uri_text.trim_ascii().len() != uri_text.len() {
        *defect = Some("stray white space in the request line");
    }
    Ok(Start::Request {
        method,
        uri: Span::new(at + uri.0, at + uri.1),
        is_version_2: is_version_2(version_text),
    })
}

fn is_version_2(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"SIP/2.0")
}

/// Room made at once: what ordinary messages need.
const USUAL_HEADERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn defect(text: &str) -> Option<&'static str> {
        Index::read(text.as_bytes()).unwrap().defect
    }

    #[test]
    fn what_is_wrong_but_answerable_is_noted() {
        for text in [
            "INVITE  sip:a@b SIP/2.0\r\nA: b\r\n\r\n",
            "INVITE sip:a@b  SIP/2.0\r\nA: b\r\n\r\n",
            "INVITE sip:a@b SIP/2.0 \r\nA: b\r\n\r\n",
            "INVITE sip:a@b SIP/2.0\r\nA: b\r\n",
            "INVITE sip:a@b SIP/2.0\r\nno colon\r\n\r\n",
            "INVITE sip:a@b SIP/2.0\r\n: nameless\r\n\r\n",
            "INVITE sip:a@b SIP/2.0\r\nl: -1\r\n\r\n",
            "INVITE sip:a@b SIP/2.0\r\nl: 9\r\n\r\nshort",
            "INVITE sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\nabc",
            "INVITE sip:a@b SIP/2.0\r\nl: 99999999999999999999\r\n\r\nshort",
        ] {
            assert!(defect(text).is_some(), "{text}");
        }
        assert_eq!(defect("A sip:a@b SIP/2.0\nB :\n\tc\nl: 1\n\nab"), None);
    }

    #[test]
    fn a_value_that_begins_on_the_next_line_is_not_folded() {
        let text = b"A sip:a@b SIP/2.0\r\nRoute:\r\n <sip:x>\r\n\r\n";
        let index = Index::read(text).unwrap();
        assert!(!index.lines[0].is_folded);
        assert_eq!(index.lines[0].value.of(text), b"<sip:x>");
    }
}
