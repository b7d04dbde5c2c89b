//! `hangup`: the end of the call.

use serde::{Deserialize, Serialize};

use super::{Kind, Run, See, Turn};
use crate::base::{Cause, Timestamp};

/// The end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HangingUp {
    /// What the caller's side is told.
    pub cause: Rejection,
}

impl Kind for HangingUp {
    fn mentions<'a>(&'a self, _see: See<'_, 'a>) {}

    fn enter(&self, _run: &mut Run, _now: Timestamp, _at: &str) -> Turn {
        Turn::End(self.cause)
    }
}

/// How a flow ends a call: as the status an unanswered caller gets, and the same cause after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// 486.
    Busy,
    /// 603.
    Declined,
    /// 404.
    NotFound,
    /// A normal end; 480 when the call was never answered.
    Normal,
    /// 480.
    Unavailable,
}

impl Rejection {
    /// Every word a document may use, with its meaning.
    pub const WORDS: [(&'static str, Rejection); 5] = [
        ("busy", Rejection::Busy),
        ("declined", Rejection::Declined),
        ("normal", Rejection::Normal),
        ("not_found", Rejection::NotFound),
        ("unavailable", Rejection::Unavailable),
    ];

    /// The cause to end an answered call with.
    pub fn cause(self) -> Cause {
        match self {
            Self::Busy => Cause::from_status(486),
            Self::Declined => Cause::from_status(603),
            Self::NotFound => Cause::from_status(404),
            Self::Normal => Cause::normal(),
            Self::Unavailable => Cause::from_status(480),
        }
    }

    /// The cause to refuse a call with that was never answered: never a success.
    pub fn refusal(self) -> Cause {
        match self {
            Self::Normal => Self::Unavailable.cause(),
            other => other.cause(),
        }
    }
}
