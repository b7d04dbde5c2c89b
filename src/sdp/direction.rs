//! Which way media flows (RFC 3264 §6.1).

use serde::{Deserialize, Serialize};

/// Direction, from the side of whoever says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Neither.
    Inactive,
    /// Receives only.
    RecvOnly,
    /// Sends only.
    SendOnly,
    /// Both; what is meant when nothing is said.
    #[default]
    SendRecv,
}

impl Direction {
    const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (false, false) => Direction::Inactive,
            (false, true) => Direction::RecvOnly,
            (true, false) => Direction::SendOnly,
            (true, true) => Direction::SendRecv,
        }
    }

    /// Reads an attribute's name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Direction::Inactive,
            Direction::RecvOnly,
            Direction::SendOnly,
            Direction::SendRecv,
        ]
        .into_iter()
        .find(|direction| direction.as_str() == text)
    }

    /// As written in an attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Inactive => "inactive",
            Direction::RecvOnly => "recvonly",
            Direction::SendOnly => "sendonly",
            Direction::SendRecv => "sendrecv",
        }
    }

    /// Whether the speaker may send.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendOnly | Direction::SendRecv)
    }

    /// Whether the speaker receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::RecvOnly | Direction::SendRecv)
    }

    /// The same seen from the other side.
    pub const fn reversed(self) -> Self {
        Direction::of(self.receives(), self.sends())
    }

    /// What both allow.
    pub const fn and(self, other: Direction) -> Self {
        Direction::of(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_mirror_and_combine() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        for (one, other) in [
            (SendOnly, RecvOnly),
            (SendRecv, SendRecv),
            (Inactive, Inactive),
        ] {
            assert_eq!(one.reversed(), other);
            assert_eq!(other.reversed(), one);
            assert_eq!(Direction::parse(one.as_str()), Some(one));
        }
        assert_eq!(SendOnly.and(RecvOnly), Inactive);
        assert_eq!(SendRecv.and(RecvOnly), RecvOnly);
        assert_eq!(Direction::parse("both"), None);
    }
}
