//! What a number reaches, as far as its plan says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a number reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    /// Police, fire brigade, ambulance, coast guard.
    Emergency,
    /// Whom the called party pays for.
    Freephone,
    /// A line at a place.
    Geographic,
    /// Something of this switch: a phone, a service, a conference.
    Internal,
    /// Another country.
    International,
    /// A telephone over IP that belongs to no place.
    Ip,
    /// A mobile telephone or another device that moves.
    Mobile,
    /// Whom the caller pays more for, or a share.
    Premium,
    /// A short number or a service of the network: time, directory, weather.
    Special,
}

impl NumberKind {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, NumberKind); 9] = [
        ("emergency", NumberKind::Emergency),
        ("freephone", NumberKind::Freephone),
        ("geographic", NumberKind::Geographic),
        ("internal", NumberKind::Internal),
        ("international", NumberKind::International),
        ("ip", NumberKind::Ip),
        ("mobile", NumberKind::Mobile),
        ("premium", NumberKind::Premium),
        ("special", NumberKind::Special),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("special", |(word, _)| word)
    }
}

impl fmt::Display for NumberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
