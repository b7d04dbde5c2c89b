//! What became of the phone's business, for people and as an exit code.

use std::fmt;

use crate::base::reason::phrase;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All calls asked for were had, and ended in peace.
    Done,
    /// Somebody ended the phone before that.
    Interrupted,
    /// A call was answered and then broke: no ACK, no answer, no transport.
    Lost,
    /// The switch or the other side refused, with this status.
    Refused(u16),
    /// Not in time.
    TimedOut,
    /// No registration, with the status of the refusal; 408 for silence.
    Unregistered(u16),
}

impl Outcome {
    /// As `--help` and `docs/phone.md` promise it.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Refused(_) => 2,
            Outcome::Unregistered(_) => 3,
            Outcome::TimedOut => 4,
            Outcome::Lost => 5,
            // What a shell reports for a program ended by Ctrl-C.
            Outcome::Interrupted => 130,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Interrupted => f.write_str("interrupted"),
            Outcome::Lost => f.write_str("the call broke"),
            Outcome::Refused(status) => write!(f, "refused: {status} {}", phrase(*status)),
            Outcome::TimedOut => f.write_str("not in time"),
            Outcome::Unregistered(status) => {
                write!(f, "not registered: {status} {}", phrase(*status))
            }
        }
    }
}
