//! `set`: attributes of the call.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;

/// Attributes to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Names and values; they replace earlier ones of the same name.
    pub attributes: Map<String, Value>,
    /// Step after it.
    pub next: String,
}

impl Kind for Setting {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, _now: Timestamp, _at: &str) -> Turn {
        run.set(&self.attributes);
        Turn::Go(self.next.clone())
    }
}
