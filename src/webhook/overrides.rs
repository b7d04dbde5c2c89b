//! Figures of one request in the fragment of its URL, as in `#rc=2&rp=5xx,ct`. The fragment is
//! neither sent nor signed.
//!
//! Keys, ranges and defaults are those of Twilio's connection overrides. A fragment that names none
//! of the keys is an ordinary one and says nothing.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What a fragment says; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `ct`: how long a connection may take to be made, 100 ms to 10 s.
    pub connect: Option<Duration>,
    /// `rt`: how long each read may take, 100 ms to 15 s.
    pub read: Option<Duration>,
    /// `tt`: how long all of it may take, 100 ms to 15 s.
    pub total: Option<Duration>,
    /// `rc`: how often it is tried again, 0 to 5.
    pub retries: Option<u32>,
    /// `rp`: after what it is tried again.
    pub retry_on: Option<RetryOn>,
    /// `sni`: whether TLS names the server it wants, `y` or `n`.
    pub sni: Option<bool>,
    /// `edge`: from where it is to be sent. Kept for those who look; a node sends from where it is.
    pub edge: Option<String>,
}

/// After what a request is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// `4xx`: a reply that says the request is wrong.
    pub client_errors: bool,
    /// `5xx`: a reply that says the server failed.
    pub server_errors: bool,
    /// `ct`: no connection: name unknown, refused, unreachable, too slow, TLS failed.
    pub connect: bool,
    /// `rt`: no reply, or half of one.
    pub read: bool,
}

/// Why a pair of a fragment is not heeded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No such word in `rp`.
    #[error("`rp` knows 4xx, 5xx, ct, rt and all, not \"{0}\"")]
    Policy(String),
    /// Not a number, or out of range.
    #[error("`{key}` goes from {from} to {to}, not \"{given}\"")]
    Range {
        /// Key.
        key: &'static str,
        /// Least.
        from: u64,
        /// Most.
        to: u64,
        /// What is written.
        given: String,
    },
    /// Neither `y` nor `n`.
    #[error("`sni` is y or n, not \"{0}\"")]
    Sni(String),
}

impl RetryOn {
    /// Where no connection was made; the default.
    pub const CONNECT: Self = Self {
        client_errors: false,
        server_errors: false,
        connect: true,
        read: false,
    };

    /// Reads words such as `5xx,ct`.
    ///
    /// # Errors
    ///
    /// The first word that is none.
    pub fn parse(words: &str) -> Result<Self, OverrideError> {
        let mut on = Self::default();
        for word in words.split(',').map(str::trim) {
            match word {
                "4xx" => on.client_errors = true,
                "5xx" => on.server_errors = true,
                "all" => {
                    on = Self {
                        client_errors: true,
                        server_errors: true,
                        connect: true,
                        read: true,
                    };
                }
                "ct" => on.connect = true,
                "rt" => on.read = true,
                other => return Err(OverrideError::Policy(other.to_owned())),
            }
        }
        Ok(on)
    }
}

impl Overrides {
    /// Reads a fragment, without its `#`. What is wrong in it is left at its default, and told.
    pub fn parse(fragment: &str) -> (Self, Vec<OverrideError>) {
        let (mut all, mut wrong) = (Self::default(), Vec::new());
        for pair in fragment.split('&') {
            let Some((key, value)) = pair.split_once('=') else {
                continue;
            };
            if let Err(error) = all.take(key, value) {
                wrong.push(error);
            }
        }
        (all, wrong)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), OverrideError> {
        let time = |key, range| number(key, value, range).map(Duration::from_millis);
        match key {
            "ct" => self.connect = Some(time("ct", CONNECT)?),
            "rt" => self.read = Some(time("rt", READ)?),
            "tt" => self.total = Some(time("tt", TOTAL)?),
            "rc" => {
                let retries = number("rc", value, RETRIES)?;
                self.retries = u32::try_from(retries).ok();
            }
            "rp" => self.retry_on = Some(RetryOn::parse(value)?),
            "sni" => {
                self.sni = Some(match value {
                    "y" => true,
                    "n" => false,
                    other => return Err(OverrideError::Sni(other.to_owned())),
                });
            }
            "edge" => self.edge = Some(value.chars().take(LONGEST_EDGE).collect()),
            // Somebody else's fragment.
            _ => {}
        }
        Ok(())
    }
}

fn number(
    key: &'static str,
    value: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, OverrideError> {
    let parsed = value.parse().ok().filter(|number| range.contains(number));
    parsed.ok_or_else(|| OverrideError::Range {
        key,
        from: *range.start(),
        to: *range.end(),
        given: value.chars().take(LONGEST_EDGE).collect(),
    })
}

/// Milliseconds of `ct`.
const CONNECT: RangeInclusive<u64> = 100..=10_000;
/// Milliseconds of `rt`.
const READ: RangeInclusive<u64> = 100..=15_000;
/// Milliseconds of `tt`.
const TOTAL: RangeInclusive<u64> = 100..=15_000;
/// Range of `rc`.
const RETRIES: RangeInclusive<u64> = 0..=5;
/// Names of edges are a word; no more of it is kept or shown.
const LONGEST_EDGE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_within_its_range() {
        let text = "rc=2&rp=5xx,ct&ct=100&rt=15000&tt=14999&sni=n&edge=ashburn";
        let (all, wrong) = Overrides::parse(text);
        assert_eq!(wrong, []);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(
            (all.connect, all.read, all.total),
            (ms(100), ms(15_000), ms(14_999))
        );
        assert_eq!((all.retries, all.sni), (Some(2), Some(false)));
        let retry_on = RetryOn {
            server_errors: true,
            ..RetryOn::CONNECT
        };
        assert_eq!(all.retry_on, Some(retry_on));
        assert_eq!(all.edge.as_deref(), Some("ashburn"));
    }

    #[test]
    fn what_is_out_of_range_is_told_and_left_alone() {
        for (text, words) in [
            ("ct=99", "`ct` goes from 100 to 10000, not \"99\""),
            ("ct=10001", "`ct` goes from 100 to 10000, not \"10001\""),
            ("rt=15001", "`rt` goes from 100 to 15000, not \"15001\""),
            ("tt=99", "`tt` goes from 100 to 15000, not \"99\""),
            ("rc=6", "`rc` goes from 0 to 5, not \"6\""),
            ("rc=-1", "`rc` goes from 0 to 5, not \"-1\""),
            ("rp=3xx", "`rp` knows 4xx, 5xx, ct, rt and all, not \"3xx\""),
            ("sni=yes", "`sni` is y or n, not \"yes\""),
        ] {
            let (all, wrong) = Overrides::parse(text);
            assert_eq!(all, Overrides::default(), "{text}");
            assert_eq!(wrong.len(), 1, "{text}");
            assert_eq!(wrong[0].to_string(), words);
        }
    }

    #[test]
    fn a_fragment_of_another_kind_says_nothing() {
        for text in ["", "top", "a=b&c", "RC=2"] {
            assert_eq!(Overrides::parse(text), (Overrides::default(), Vec::new()));
        }
    }
}
