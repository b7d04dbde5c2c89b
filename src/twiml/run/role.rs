//! What documents are for, and which verbs that leaves them.

use serde::{Deserialize, Serialize};

use super::super::fault::code;
use super::super::verb::Verb;

/// What the documents of a run are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// A caller hears them once in place of a conference.
    Announcement,
    /// They say what becomes of the call.
    Call,
    /// A caller hears them before a conference begins; they end in silence.
    ConferenceWait,
    /// A caller hears them on hold in a conference; they begin again at their end.
    Hold,
    /// A caller hears them in a line; they begin again at their end.
    QueueWait,
    /// A caller who waited hears them before he is connected.
    QueueWhisper,
    /// A called party hears them before it is connected.
    Whisper,
}

impl Role {
    /// Whether a verb has a place in such documents.
    pub(super) fn executes(self, verb: &Verb) -> bool {
        match self {
            Self::Call => !matches!(verb, Verb::Leave),
            Self::Announcement | Self::ConferenceWait | Self::Hold | Self::QueueWhisper => {
                matches!(
                    verb,
                    Verb::Pause(_) | Verb::Play(_) | Verb::Redirect(_) | Verb::Say(_)
                )
            }
            Self::QueueWait => matches!(
                verb,
                Verb::Gather(_)
                    | Verb::Hangup
                    | Verb::Leave
                    | Verb::Pause(_)
                    | Verb::Play(_)
                    | Verb::Redirect(_)
                    | Verb::Say(_)
            ),
            Self::Whisper => matches!(
                verb,
                Verb::Gather(_)
                    | Verb::Hangup
                    | Verb::Pause(_)
                    | Verb::Play(_)
                    | Verb::Redirect(_)
                    | Verb::Say(_)
            ),
        }
    }

    /// Number in Twilio's error dictionary of a verb that has no place.
    pub(super) fn misfit(self, verb: &Verb) -> u16 {
        match (self, verb) {
            (Self::ConferenceWait, _) => 13238,
            (Self::Whisper, Verb::Dial(_)) => 13201,
            _ => code::SCHEMA,
        }
    }
}
