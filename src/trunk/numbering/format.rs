//! Forms in which carriers want numbers.

use serde::{Deserialize, Serialize};

/// How a number is written for a carrier. Short numbers have one form only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberFormat {
    /// As it was dialled, or as the configuration has it.
    #[default]
    AsDialled,
    /// `+81312345678`.
    E164,
    /// `81312345678`.
    International,
    /// `0312345678` (0AB-J); numbers of other countries behind the international prefix.
    National,
    /// `12345678` within the site's own area, national elsewhere.
    Subscriber,
}

impl NumberFormat {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, NumberFormat); 5] = [
        ("as-dialled", NumberFormat::AsDialled),
        ("e164", NumberFormat::E164),
        ("international", NumberFormat::International),
        ("national", NumberFormat::National),
        ("subscriber", NumberFormat::Subscriber),
    ];
}
