//! A key in the body of an INFO: `application/dtmf-relay` and the older `application/dtmf`.
//!
//! Neither is an RFC's; both are what everybody has sent since RFC 2976, without an Info-Package
//! (RFC 6086 §9.1 calls it legacy usage).

use std::fmt;

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfRelay {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// How long it was held, ms, when that is said.
    pub duration_ms: Option<u32>,
}

/// The content type we write.
pub const DTMF_RELAY: &str = "application/dtmf-relay";

impl DtmfRelay {
    /// Reads the body of an INFO; `None` when it holds no key, or something else.
    pub fn read(content_type: &str, body: &[u8]) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or("").trim();
        let text = std::str::from_utf8(body).ok()?;
        if kind.eq_ignore_ascii_case("application/dtmf") {
            // Some write the lines of dtmf-relay here.
            return Self::lines(text).or_else(|| Self::pressed(text));
        }
        kind.eq_ignore_ascii_case(DTMF_RELAY)
            .then(|| Self::lines(text))
            .flatten()
    }

    fn pressed(signal: &str) -> Option<Self> {
        Some(Self {
            digit: digit(signal.trim())?,
            duration_ms: None,
        })
    }

    fn lines(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        Some(Self {
            digit: digit(value("Signal")?)?,
            duration_ms: value("Duration").and_then(|ms| ms.parse().ok()),
        })
    }
}

impl fmt::Display for DtmfRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal={}\r\n", self.digit)?;
        match self.duration_ms {
            Some(ms) => write!(f, "Duration={ms}\r\n"),
            None => Ok(()),
        }
    }
}

/// The key of a signal: itself, or its event code (RFC 4733 §3.2) as some gateways write `*`, `#`
/// and the letters.
fn digit(signal: &str) -> Option<char> {
    let mut characters = signal.chars();
    if let (Some(key), None) = (characters.next(), characters.next()) {
        let key = key.to_ascii_uppercase();
        return matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key);
    }
    let code: u8 = signal.parse().ok()?;
    let letters = ['*', '#', 'A', 'B', 'C', 'D'];
    letters.get(usize::from(code.checked_sub(10)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_however_it_is_written() {
        for (kind, body, digit, duration_ms) in [
            (
                "application/dtmf-relay",
                "Signal=5\r\nDuration=160\r\n",
                '5',
                Some(160),
            ),
            (
                "Application/DTMF-Relay;x=y",
                "signal= *\nduration = 250",
                '*',
                Some(250),
            ),
            ("application/dtmf-relay", "Signal=11\r\n", '#', None),
            (
                "application/dtmf-relay",
                "Duration=1\r\nSignal=d\r\n",
                'D',
                Some(1),
            ),
            ("application/dtmf", "#", '#', None),
            ("application/dtmf", " 7\r\n", '7', None),
            ("application/dtmf", "Signal=7\r\nDuration=x\r\n", '7', None),
        ] {
            let heard = DtmfRelay::read(kind, body.as_bytes());
            assert_eq!(
                heard,
                Some(DtmfRelay { digit, duration_ms }),
                "{kind} {body}"
            );
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for (kind, body) in [
            ("application/dtmf-relay", ""),
            ("application/dtmf-relay", "5"),
            ("application/dtmf-relay", "Signal=16\r\n"),
            ("application/dtmf-relay", "Signal=9999999999\r\n"),
            ("application/dtmf-relay", "Signal=\r\n"),
            ("application/dtmf-relay", "Signal=x\r\n"),
            ("application/dtmf", "16"),
            ("application/media_control+xml", "Signal=5\r\n"),
            ("", "Signal=5\r\n"),
        ] {
            assert_eq!(
                DtmfRelay::read(kind, body.as_bytes()),
                None,
                "{kind} {body}"
            );
        }
        assert_eq!(DtmfRelay::read(DTMF_RELAY, b"Signal=\xff"), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for digit in "0123456789*#ABCD".chars() {
            for duration_ms in [None, Some(100)] {
                let written = DtmfRelay { digit, duration_ms };
                let read = DtmfRelay::read(DTMF_RELAY, written.to_string().as_bytes());
                assert_eq!(read, Some(written));
            }
        }
    }
}
