//! `set`: attributes of the call.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Kind, Mention, Part, Run, See, Turn, see_sets, see_values};
use crate::base::Timestamp;
use crate::flow::template::render_map;

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
        see_values("attributes", &self.attributes, see);
        see_sets("attributes", &self.attributes, see);
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, _at: &str) -> Turn {
        let attributes = render_map(&self.attributes, &run.names(now));
        run.set(&attributes);
        Turn::Go(self.next.clone())
    }
}
