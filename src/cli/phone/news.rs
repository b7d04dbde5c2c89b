//! What the phone tells: lines for people, or one JSON object a line for scripts.

use std::fmt;
use std::io::Write as _;

use serde::Serialize;

use crate::base::Timestamp;
use crate::cli::text::{faint, local, print};

/// One thing that happened to the phone. `docs/phone.md` lists them for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum News {
    /// We answered, or were answered.
    Answered { codec: &'static str },
    /// Our INVITE is on its way.
    Calling { number: String },
    /// The phone ends.
    Done { outcome: String, exit_code: u8 },
    /// The other side sent a key.
    Heard { key: char },
    /// The call is over.
    HungUp { by: Side },
    /// What media counted; after `hung_up`.
    Media {
        received: u64,
        sent: u64,
        lost: u64,
        refused: u64,
        jitter_ms: f64,
    },
    /// A sound came to its end.
    Played,
    /// Keys are on their way.
    Pressed { keys: String },
    /// A provisional answer to our call.
    Progress { status: u16, phrase: String },
    /// A file is written.
    Recorded { path: String, duration_ms: u64 },
    /// We refused a call.
    Refused { status: u16 },
    /// The switch knows where we are; again at every renewal.
    Registered { user: String, expires_s: u64 },
    /// A renewal failed; it is tried again.
    RegistrationLost { status: u16 },
    /// Somebody calls us.
    Ringing { from: String },
    /// Something that should not be, and does not end the phone.
    Trouble { words: String },
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// Nobody: it broke.
    Nobody,
    /// The other side, with BYE or CANCEL.
    Them,
    /// This phone.
    Us,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Answered { codec } => write!(f, "answered ({codec})"),
            News::Calling { number } => write!(f, "calling {number}"),
            News::Done { outcome, .. } => f.write_str(outcome),
            News::Heard { key } => write!(f, "heard key {key}"),
            News::HungUp { by: Side::Nobody } => f.write_str("the call broke"),
            News::HungUp { by: Side::Them } => f.write_str("the other side hung up"),
            News::HungUp { by: Side::Us } => f.write_str("hung up"),
            News::Media {
                received,
                sent,
                lost,
                refused,
                jitter_ms,
            } => write!(
                f,
                "media: {received} packets heard, {sent} said, {lost} lost, {refused} refused, \
                 jitter {jitter_ms:.1} ms"
            ),
            News::Played => f.write_str("said all of it"),
            News::Pressed { keys } => write!(f, "pressed {keys}"),
            News::Progress { status, phrase } => write!(f, "{status} {phrase}"),
            News::Recorded { path, duration_ms } => {
                write!(f, "recorded {path}, {:.1} s", *duration_ms as f64 / 1e3)
            }
            News::Refused { status } => write!(f, "refused it with {status}"),
            News::Registered { user, expires_s } => {
                write!(f, "registered as {user} for {expires_s} s")
            }
            News::RegistrationLost { status } => {
                write!(f, "registration not renewed: {status}; trying again")
            }
            News::Ringing { from } => write!(f, "ringing: {from} calls"),
            News::Trouble { words } => f.write_str(words),
        }
    }
}

/// Where news go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object a line.
    Json,
    /// Nowhere, but for trouble.
    Quiet,
    /// A time and words.
    Words,
}

impl Form {
    /// Tells it, at once.
    pub(super) fn tell(self, at: Timestamp, news: &News) {
        match (self, news) {
            (Form::Json, _) => print(&format!("{}\n", line(at, news))),
            (Form::Words, _) => {
                let words: String = news
                    .to_string()
                    .chars()
                    .filter(|c| !c.is_control())
                    .collect();
                print(&format!("{} {words}\n", faint(local(at, "%H:%M:%S%.3f"))));
            }
            (Form::Quiet, News::Trouble { words }) => eprintln!("{words}"),
            (Form::Quiet, _) => return,
        }
        // Whoever reads line by line must not wait; whoever closed the pipe has seen enough.
        let _ = std::io::stdout().flush();
    }
}

/// The JSON line: time, event, and what belongs to it.
fn line(at: Timestamp, news: &News) -> serde_json::Value {
    let mut line = serde_json::json!({"at": at.to_rfc3339()});
    if let (Some(line), Ok(serde_json::Value::Object(fields))) =
        (line.as_object_mut(), serde_json::to_value(news))
    {
        line.extend(fields);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_has_time_event_and_facts() {
        let news = News::HungUp { by: Side::Them };
        let text = line(Timestamp::from_millis(0), &news).to_string();
        assert_eq!(
            text,
            r#"{"at":"1970-01-01T00:00:00.000Z","event":"hung_up","by":"them"}"#
        );
        let news = News::Registered {
            user: "1001".into(),
            expires_s: 60,
        };
        let text = line(Timestamp::from_millis(0), &news).to_string();
        assert!(
            text.ends_with(r#""event":"registered","user":"1001","expires_s":60}"#),
            "{text}"
        );
    }
}
