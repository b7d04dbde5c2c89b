//! Cutting messages out of a byte stream (RFC 3261 §18.3, keep-alives of RFC 5626 §3.5.1).
//!
//! Apart from parsing, and by the same rules: what is cut out here parses there with the same
//! body. After an error the stream cannot be followed any more and is to be closed.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr_iter;
use thiserror::Error;

use super::message::{MAX_MESSAGE, content_length};

/// What a stream may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Octets of start line and headers, at most.
    pub max_head: usize,
    /// Octets of a whole message, at most; never more than [`MAX_MESSAGE`].
    pub max_message: usize,
}

impl Default for StreamLimits {
    /// 16 KiB of headers, 64 KiB in all.
    fn default() -> Self {
        Self {
            max_head: 16 * 1024,
            max_message: MAX_MESSAGE,
        }
    }
}

/// One thing found in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The peer asks for a sign of life: two empty lines, to be answered with one.
    KeepAlive,
    /// The answer to our own request for one (RFC 5626 §4.4.1), when it was expected.
    Pong,
    /// One whole message.
    Message(Bytes),
}

/// Whether a datagram only keeps a NAT open: RFC 5626 §4.4.2 wants STUN over UDP, many phones send
/// empty lines or zeros.
pub fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram
        .iter()
        .all(|octet| matches!(octet, b'\r' | b'\n' | 0))
}

/// Why the stream cannot be followed. Always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The headers do not end within the limit.
    #[error("headers do not end within {0} bytes")]
    HeadTooLong(usize),
    /// Content-Length is no number, or there are several that differ.
    #[error("{0}")]
    Length(&'static str),
    /// Headers and Content-Length together pass the limit.
    #[error("message of {0} bytes is too large")]
    TooLarge(usize),
}

/// Collects a stream's octets and yields whole messages.
///
/// Holds at most one incomplete message and what was pushed behind it: take frames until there is
/// none before pushing more.
#[derive(Debug)]
pub struct StreamFramer {
    limits: StreamLimits,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of headers.
    searched: usize,
    /// Size of the message at the front, once its headers are there.
    expected: Option<usize>,
    is_lost: bool,
    is_pong_due: bool,
}

impl StreamFramer {
    /// A framer at the beginning of a stream.
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            limits: StreamLimits {
                max_message: limits.max_message.min(MAX_MESSAGE),
                ..limits
            },
            buffer: BytesMut::new(),
            searched: 0,
            expected: None,
            is_lost: false,
            is_pong_due: false,
        }
    }

    /// Adds octets as they were received; ignored once the stream is lost.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.is_lost {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The next frame; `None` when more octets are needed, and for ever after an error.
    #[expect(
        clippy::should_implement_trait,
        reason = "more may come after None, unlike an iterator"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if self.is_lost {
            return None;
        }
        let found = self.find().transpose()?;
        if found.is_err() {
            self.is_lost = true;
            self.buffer = BytesMut::new();
        }
        Some(found)
    }

    /// How many octets wait for the rest of their message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether a message began and has not ended: what waits is more than an empty line.
    pub fn is_inside_message(&self) -> bool {
        let is_line_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
        !self.buffer.iter().all(is_line_end)
    }

    /// The next lone empty line answers a request for a sign of life.
    pub fn expect_pong(&mut self) {
        self.is_pong_due = true;
    }

    fn find(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.expected.is_none() {
            if let Some(sign) = self.skip_empty_lines() {
                return Ok(Some(sign));
            }
            let Some(head) = self.find_head()? else {
                return Ok(None);
            };
            let headers = self.buffer.get(..head).unwrap_or_default();
            // A stream needs Content-Length; without one there is no body.
            let body = content_length(headers).map_err(FrameError::Length)?;
            let size = head.saturating_add(body.unwrap_or(0));
            if size > self.limits.max_message {
                return Err(FrameError::TooLarge(size));
            }
            self.expected = Some(size);
        }
        match self.expected {
            Some(size) if self.buffer.len() >= size => {
                self.expected = None;
                self.searched = 0;
                Ok(Some(Frame::Message(self.buffer.split_to(size).freeze())))
            }
            _ => Ok(None),
        }
    }

    /// Skips empty lines before a message; says what they meant.
    fn skip_empty_lines(&mut self) -> Option<Frame> {
        loop {
            match &*self.buffer {
                [b'\r', b'\n', ..] if self.is_pong_due => {
                    self.buffer.advance(2);
                    self.searched = 0;
                    self.is_pong_due = false;
                    return Some(Frame::Pong);
                }
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    self.searched = 0;
                    return Some(Frame::KeepAlive);
                }
                // The second half of a keep-alive may be on its way.
                [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                [b'\n', ..] => self.buffer.advance(1),
                _ => return None,
            }
            self.searched = 0;
        }
    }

    /// Where the headers of the message at the front end, behind the empty line.
    fn find_head(&mut self) -> Result<Option<usize>, FrameError> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        for at in memchr_iter(b'\n', unsearched) {
            let end = match unsearched.get(at + 1..) {
                Some([b'\n', ..]) => at + 2,
                Some([b'\r', b'\n', ..]) => at + 3,
                _ => continue,
            };
            let head = self.searched + end;
            return match head > self.limits.max_head {
                true => Err(FrameError::HeadTooLong(self.limits.max_head)),
                false => Ok(Some(head)),
            };
        }
        if self.buffer.len() > self.limits.max_head {
            return Err(FrameError::HeadTooLong(self.limits.max_head));
        }
        // The empty line may have begun: look at its last two octets again.
        self.searched = self.buffer.len().saturating_sub(2);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;
    use crate::sip::Message;

    const ONE: &str = "OPTIONS sip:a@b SIP/2.0\r\nl : 3\r\nCall-ID: 1\r\n\r\nabc";
    const TWO: &str = "SIP/2.0 200 OK\nContent-Length:\n  0\n\n";
    const THREE: &str = "BYE sip:a@b SIP/2.0\r\nCall-ID: content-length\r\n\r\n";

    fn drain(framer: &mut StreamFramer, into: &mut Vec<Frame>) {
        while let Some(frame) = framer.next() {
            into.push(frame.unwrap());
        }
    }

    #[test]
    fn however_the_stream_is_cut_the_messages_are_the_same() {
        let stream = format!("\r\n{ONE}{TWO}\r\n\r\n{THREE}{ONE}");
        let message = |text: &'static str| Frame::Message(Bytes::from_static(text.as_bytes()));
        let wanted = [
            message(ONE),
            message(TWO),
            Frame::KeepAlive,
            message(THREE),
            message(ONE),
        ];
        let mut entropy = Entropy::from_seed(1);
        for round in 0..200 {
            let mut framer = StreamFramer::new(StreamLimits::default());
            let mut frames = Vec::new();
            let mut rest = stream.as_bytes();
            while !rest.is_empty() {
                let longest = if round == 0 {
                    rest.len()
                } else {
                    1 + round / 4
                };
                let cut = 1 + entropy.below(longest as u64) as usize;
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                framer.push(chunk);
                drain(&mut framer, &mut frames);
                rest = after;
            }
            assert_eq!(frames, wanted);
            assert_eq!(framer.buffered(), 0);
        }
    }

    #[test]
    fn what_is_framed_parses_with_the_same_body() {
        let mut framer = StreamFramer::new(StreamLimits::default());
        framer.push(ONE.as_bytes());
        let Some(Ok(Frame::Message(bytes))) = framer.next() else {
            panic!("no message");
        };
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.body(), b"abc");
        assert_eq!(message.defect(), None);
    }

    #[test]
    fn a_stream_that_cannot_be_followed_ends() {
        let limits = StreamLimits {
            max_head: 100,
            max_message: 200,
        };
        for (text, error) in [
            ("a".repeat(101), FrameError::HeadTooLong(100)),
            (
                format!("OPTIONS sip:a SIP/2.0\r\nA: {}\r\n\r\n", "b".repeat(100)),
                FrameError::HeadTooLong(100),
            ),
            (
                "OPTIONS sip:a SIP/2.0\r\nl: 4000000000\r\n\r\n".to_owned(),
                FrameError::TooLarge(4_000_000_040),
            ),
            (
                "OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n".to_owned(),
                FrameError::Length("malformed Content-Length"),
            ),
            (
                "OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
                FrameError::Length("Content-Lengths that differ"),
            ),
        ] {
            let mut framer = StreamFramer::new(limits);
            framer.push(text.as_bytes());
            assert_eq!(framer.next(), Some(Err(error)));
            framer.push(ONE.as_bytes());
            assert_eq!(framer.next(), None);
            assert_eq!(framer.buffered(), 0);
        }
    }
}
