//! What becomes of a redirection by whom we call (RFC 3261 §8.1.3.4, §21.3).

use serde::{Deserialize, Serialize};

/// Whether a 3xx is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// The switch calls where it points, as far as the number plan and the configuration permit.
    Follow,
    /// The caller hears it, Contacts and all.
    Pass,
    /// The caller hears 480.
    Refuse,
}

impl Redirects {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, Redirects); 3] = [
        ("follow", Redirects::Follow),
        ("pass", Redirects::Pass),
        ("refuse", Redirects::Refuse),
    ];
}
