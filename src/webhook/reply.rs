//! What comes of a question: a reply that is what was expected, or a failure of a known kind.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::overrides::RetryOn;

/// The endpoint's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// Media type as it was sent, parameters included.
    pub content_type: Option<String>,
    /// What it says; no longer than the endpoint's limit.
    pub body: Bytes,
    /// The URL that answered when redirects led to another than was asked: what relative URLs in the
    /// reply start from. Without name and password.
    pub url: Option<String>,
    /// From the question to the end of the answer.
    pub took: Duration,
    /// Requests that were sent, redirects not counted; 0 when it came from the cache.
    pub attempts: u32,
}

impl Reply {
    /// The media type without parameters, in lower case; empty when there is none.
    pub fn media_type(&self) -> String {
        media_type(self.content_type.as_deref())
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {words}")]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// What happened, for people; free of secrets.
    pub words: String,
    /// Requests that were tried.
    pub attempts: u32,
    /// From the question to here.
    pub took: Duration,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The reply is not what was expected: another media type, no JSON, encoded, malformed.
    BadContent,
    /// The status is not one of success.
    BadStatus,
    /// The endpoint failed too often; it is left alone for a while.
    BreakerOpen,
    /// The connection broke off, or what came is no HTTP.
    BrokenOff,
    /// The time allowed is over; always told with what was waited for.
    BudgetSpent,
    /// No connection in time.
    ConnectTimeout,
    /// The address may not be reached: see `networks`. So is a redirect from https to http.
    DeniedAddress,
    /// The name leads to no address.
    Dns,
    /// The URL or the endpoint's name is no good.
    NoEndpoint,
    /// The endpoint sent nothing for too long.
    ReadTimeout,
    /// More redirects than 10, or one that leads nowhere.
    RedirectLoop,
    /// Nobody listens there.
    Refused,
    /// TLS could not be agreed on: an unknown certificate, another name, no client certificate.
    Tls,
    /// As many requests as may are under way.
    TooBusy,
    /// The reply is longer than the limit.
    TooLarge,
    /// No way to the address.
    Unreachable,
}

impl FailureKind {
    /// Every kind, in the order of their names.
    pub const ALL: [Self; 16] = [
        Self::BadContent,
        Self::BadStatus,
        Self::BreakerOpen,
        Self::BrokenOff,
        Self::BudgetSpent,
        Self::ConnectTimeout,
        Self::DeniedAddress,
        Self::Dns,
        Self::NoEndpoint,
        Self::ReadTimeout,
        Self::RedirectLoop,
        Self::Refused,
        Self::Tls,
        Self::TooBusy,
        Self::TooLarge,
        Self::Unreachable,
    ];

    /// The word for it in records, metrics and flows, such as `read_timeout`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadContent => "bad_content",
            Self::BadStatus => "bad_status",
            Self::BreakerOpen => "breaker_open",
            Self::BrokenOff => "broken_off",
            Self::BudgetSpent => "budget_spent",
            Self::ConnectTimeout => "connect_timeout",
            Self::DeniedAddress => "denied_address",
            Self::Dns => "dns",
            Self::NoEndpoint => "no_endpoint",
            Self::ReadTimeout => "read_timeout",
            Self::RedirectLoop => "redirect_loop",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::TooBusy => "too_busy",
            Self::TooLarge => "too_large",
            Self::Unreachable => "unreachable",
        }
    }

    /// The number Twilio's error dictionary has for it, as `ErrorCode` of a fallback request.
    pub fn twilio_code(self) -> u16 {
        match self {
            Self::BadContent => 12300,
            Self::BadStatus | Self::BreakerOpen | Self::NoEndpoint | Self::TooBusy => 11200,
            Self::BrokenOff
            | Self::BudgetSpent
            | Self::ConnectTimeout
            | Self::DeniedAddress
            | Self::ReadTimeout
            | Self::Refused
            | Self::Unreachable => 11205,
            Self::Dns => 11210,
            Self::RedirectLoop => 11215,
            Self::Tls => 11220,
            Self::TooLarge => 11750,
        }
    }

    /// Whether it is tried again by a policy; a failing `status` says of itself which it is.
    pub(super) fn is_retried(self, status: Option<u16>, on: RetryOn) -> bool {
        match self {
            Self::BadStatus => match status {
                Some(400..=499) => on.client_errors,
                Some(500..=599) => on.server_errors,
                _ => false,
            },
            Self::ConnectTimeout | Self::Dns | Self::Refused | Self::Tls | Self::Unreachable => {
                on.connect
            }
            Self::BrokenOff | Self::ReadTimeout => on.read,
            Self::BadContent
            | Self::BreakerOpen
            | Self::BudgetSpent
            | Self::DeniedAddress
            | Self::NoEndpoint
            | Self::RedirectLoop
            | Self::TooBusy
            | Self::TooLarge => false,
        }
    }

    /// Whether it says that the endpoint is not well: what a breaker counts.
    pub(super) fn is_trouble(self, status: Option<u16>) -> bool {
        match self {
            Self::BadStatus => status.is_none_or(|status| status >= 500),
            Self::BrokenOff
            | Self::BudgetSpent
            | Self::ConnectTimeout
            | Self::Dns
            | Self::ReadTimeout
            | Self::Refused
            | Self::Tls
            | Self::Unreachable => true,
            Self::BadContent
            | Self::BreakerOpen
            | Self::DeniedAddress
            | Self::NoEndpoint
            | Self::RedirectLoop
            | Self::TooBusy
            | Self::TooLarge => false,
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reply must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expects {
    /// Anything, nothing included.
    #[default]
    Anything,
    /// `application/json` or `...+json`; nothing with status 204.
    Json,
    /// A sound, `audio/wav` or one of its other names.
    Sound,
    /// Nothing but a status of success: the body is not read beyond a few octets.
    Status,
    /// What can be a TwiML document: XML, HTML, plain text, sound.
    Twiml,
}

impl Expects {
    /// What is asked for in `Accept`.
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Anything | Self::Status => "*/*",
            Self::Json => "application/json",
            Self::Sound => "audio/wav, audio/x-wav, audio/wave, audio/vnd.wave",
            Self::Twiml => "application/xml, text/xml, audio/*, text/plain, text/html;q=0.5",
        }
    }

    /// Whether a reply will do.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(super) fn check(
        self,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(), String> {
        let found = media_type(content_type);
        let is_known = match self {
            Self::Anything | Self::Status => return Ok(()),
            Self::Json if body.is_empty() && status == 204 => return Ok(()),
            Self::Json => {
                found == "application/json"
                    || (found.starts_with("application/") && found.ends_with("+json"))
            }
            Self::Sound => matches!(
                found.as_str(),
                "audio/vnd.wave" | "audio/wav" | "audio/wave" | "audio/x-wav"
            ),
            Self::Twiml => {
                matches!(
                    found.as_str(),
                    "application/xml" | "text/html" | "text/plain" | "text/xml"
                ) || found.starts_with("audio/")
                    || (found.starts_with("application/") && found.ends_with("+xml"))
            }
        };
        if is_known {
            return Ok(());
        }
        let wanted = match self {
            Self::Json => "application/json",
            Self::Sound => "audio/wav",
            Self::Anything | Self::Status | Self::Twiml => "XML, plain text or sound",
        };
        Err(match found.as_str() {
            "" => format!("the reply says no Content-Type; {wanted} was expected"),
            found => format!("the reply is {found}; {wanted} was expected"),
        })
    }
}

fn media_type(content_type: Option<&str>) -> String {
    let found = content_type.unwrap_or_default().split(';').next();
    let found = found.unwrap_or_default().trim();
    // What others send is shown: short, and without what steers a terminal.
    let shown = found.chars().filter(|c| !c.is_control()).take(100);
    shown.collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_what_was_expected() {
        for (expects, content_type, good) in [
            (Expects::Json, Some("application/json; charset=utf-8"), true),
            (Expects::Json, Some("Application/Problem+JSON"), true),
            (Expects::Json, Some("text/html"), false),
            (Expects::Json, None, false),
            (Expects::Twiml, Some("text/xml"), true),
            (Expects::Twiml, Some("application/xml;charset=utf-8"), true),
            (Expects::Twiml, Some("text/plain"), true),
            (Expects::Twiml, Some("text/html"), true),
            (Expects::Twiml, Some("audio/mpeg"), true),
            (Expects::Twiml, Some("application/json"), false),
            (Expects::Twiml, Some("video/mp4"), false),
            (Expects::Twiml, None, false),
            (Expects::Anything, None, true),
        ] {
            let checked = expects.check(200, content_type, b"{}");
            assert_eq!(checked.is_ok(), good, "{expects:?} {content_type:?}");
        }
        assert_eq!(Expects::Json.check(204, None, b""), Ok(()));
        let words = Expects::Json
            .check(200, Some("text/html"), b"")
            .unwrap_err();
        assert_eq!(
            words,
            "the reply is text/html; application/json was expected"
        );
    }

    #[test]
    fn policies_retry_what_they_name() {
        let connect = RetryOn::CONNECT;
        let all = RetryOn::parse("all").unwrap();
        for (kind, status, by_connect, by_all) in [
            (FailureKind::Refused, None, true, true),
            (FailureKind::Unreachable, None, true, true),
            (FailureKind::Dns, None, true, true),
            (FailureKind::ConnectTimeout, None, true, true),
            (FailureKind::Tls, None, true, true),
            (FailureKind::ReadTimeout, None, false, true),
            (FailureKind::BrokenOff, None, false, true),
            (FailureKind::BadStatus, Some(404), false, true),
            (FailureKind::BadStatus, Some(503), false, true),
            (FailureKind::DeniedAddress, None, false, false),
            (FailureKind::TooLarge, None, false, false),
            (FailureKind::BadContent, None, false, false),
            (FailureKind::RedirectLoop, None, false, false),
            (FailureKind::BreakerOpen, None, false, false),
            (FailureKind::TooBusy, None, false, false),
            (FailureKind::BudgetSpent, None, false, false),
        ] {
            assert_eq!(kind.is_retried(status, connect), by_connect, "{kind}");
            assert_eq!(kind.is_retried(status, all), by_all, "{kind}");
        }
        let server = RetryOn::parse("5xx").unwrap();
        assert!(FailureKind::BadStatus.is_retried(Some(500), server));
        assert!(!FailureKind::BadStatus.is_retried(Some(499), server));
    }

    #[test]
    fn too_many_redirects_have_their_number() {
        assert_eq!(FailureKind::RedirectLoop.twilio_code(), 11215);
        assert_eq!(FailureKind::ALL.len(), 16);
        let mut words: Vec<&str> = FailureKind::ALL.map(FailureKind::as_str).into();
        words.dedup();
        assert!(words.is_sorted() && words.len() == 16);
    }
}
