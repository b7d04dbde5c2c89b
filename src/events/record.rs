//! The call record: one per logical call, a pure fold of its events.

use serde::{Deserialize, Serialize};

use super::Event;

/// Everything worth keeping about one call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {}

impl CallRecord {
    /// Takes one more event into account.
    pub fn apply(&mut self, _event: &Event) {}
}
