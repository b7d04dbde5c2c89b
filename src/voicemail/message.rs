//! One message, and what can happen to it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Mailing;
use crate::base::{CallId, Timestamp};
use crate::events::{Event, Fact};

/// One message of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Names it: the recording's id.
    pub id: String,
    /// Mailbox.
    pub mailbox: String,
    /// Number of whoever left it; empty when it is not known.
    pub from: String,
    /// His name, when it is known.
    pub from_name: Option<String>,
    /// The call it was left in.
    pub call: CallId,
    /// When its first sample was spoken.
    pub at: Timestamp,
    /// Length, milliseconds.
    pub length_ms: u64,
    /// Size of its file.
    pub bytes: u64,
    /// Whether it was heard.
    pub heard: bool,
    /// Whether it is to stay, whatever its age.
    pub saved: bool,
    /// Its file.
    pub path: PathBuf,
    /// Why it is incomplete, when it is.
    pub defect: Option<String>,
    /// Its e-mail.
    #[serde(default)]
    pub mailing: Box<Mailing>,
}

/// How many messages a mailbox has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not heard yet.
    pub new: usize,
    /// Heard.
    pub old: usize,
}

/// Something happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub kind: ChangeKind,
    /// The message, as it is now, or was.
    pub message: Message,
    /// What its mailbox holds now.
    pub counts: Counts,
}

/// What can happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was left.
    Left,
    /// It was heard, or is to count as new again, or was saved.
    Marked,
    /// It was deleted.
    Deleted,
}

impl Change {
    /// As those hear it who listen for events: it is about the call that left the message.
    pub fn event(self, at: Timestamp) -> Event {
        let Counts { new, old } = self.counts;
        let Message {
            id: message,
            mailbox,
            call,
            length_ms,
            heard,
            saved,
            ..
        } = self.message;
        let fact = match self.kind {
            ChangeKind::Left => Fact::MessageLeft {
                mailbox,
                message,
                length_ms,
                new,
                old,
            },
            ChangeKind::Marked => Fact::MessageMarked {
                mailbox,
                message,
                heard,
                saved,
                new,
                old,
            },
            ChangeKind::Deleted => Fact::MessageDeleted {
                mailbox,
                message,
                new,
                old,
            },
        };
        Event { at, call, fact }
    }
}
