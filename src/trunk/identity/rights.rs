//! What a phone may show of numbers, and what it may see.

use serde::{Deserialize, Serialize};

use super::CallerIds;

/// What a phone may show of numbers, and what it may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerRights {
    /// Numbers it may show; empty: those of the office.
    pub permitted: CallerIds,
    /// The number it shows when nothing is asked for.
    pub usual: Option<String>,
    /// Whether it withholds its number unless it asks to show it.
    pub withholds: bool,
    /// Whether it is shown the numbers of callers who withhold them.
    pub sees_withheld: bool,
}
