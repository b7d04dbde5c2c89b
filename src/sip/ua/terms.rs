//! The terms of an INVITE usage: which extensions we offer, demand and do without. A trunk's come
//! from its profile, a phone's from the node.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which extensions one INVITE usage is held under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Reliable provisional responses and PRACK (RFC 3262).
    pub reliable: Reliable,
    /// Session timer (RFC 4028); `None` neither asks for one nor agrees to one.
    pub timer: Option<SessionTimer>,
    /// UPDATE (RFC 3311): offered in Allow, taken and sent.
    pub update: bool,
}

/// How far reliable provisional responses go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reliable {
    /// Not at all: who requires them hears 420.
    Off,
    /// Where the other side can: provisional responses with a session description.
    #[default]
    Supported,
    /// Always: who cannot hears 421, and our INVITE requires them.
    Required,
}

/// What we ask of a session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTimer {
    /// Longest time between refreshes that we offer, whole seconds. Default 1800 s.
    pub expires: Duration,
    /// Shortest that we agree to, whole seconds; less is refused with 422. Default 90 s, the least
    /// that RFC 4028 §4 allows.
    pub min_se: Duration,
    /// Who is to refresh, where we may say so.
    pub refresher: Refresher,
    /// Whether our INVITE requires the other side's support, and theirs without it hears 421.
    pub required: bool,
}

/// Who is to refresh a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresher {
    /// Whoever the other side chooses, else who called.
    #[default]
    Any,
    /// The other side, when it can.
    Peer,
    /// We.
    Us,
}

impl Terms {
    /// Plain RFC 3261: no extension at all.
    pub const PLAIN: Self = Self {
        reliable: Reliable::Off,
        timer: None,
        update: false,
    };
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            reliable: Reliable::Supported,
            timer: Some(SessionTimer::default()),
            update: true,
        }
    }
}

impl Default for SessionTimer {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            refresher: Refresher::Any,
            required: false,
        }
    }
}
