//! By which method a far end presses keys, and is to hear of them.

use serde::{Deserialize, Serialize};

/// A method, as configured for a trunk or phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Telephone events when the far end takes them; else INFO from the time it sends one, and
    /// until then tones in the sound.
    #[default]
    Auto,
    /// Tones in the sound (ITU-T Q.23).
    Inband,
    /// SIP INFO with `application/dtmf-relay`.
    Info,
    /// Telephone events (RFC 4733), and nothing without them.
    Rfc4733,
}

impl Method {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, Method); 4] = [
        ("auto", Method::Auto),
        ("rfc4733", Method::Rfc4733),
        ("info", Method::Info),
        ("inband", Method::Inband),
    ];

    /// Whether telephone events are offered.
    pub fn offers_events(self) -> bool {
        matches!(self, Self::Auto | Self::Rfc4733)
    }
}
