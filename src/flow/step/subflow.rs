//! `flow`: another flow as a part of this one; `return`: back to the flow that asked for it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_values};
use crate::base::Timestamp;
use crate::flow::template::render_map;

/// A part of the way through another flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calling {
    /// The flow.
    pub flow: String,
    /// What it is given; it sees them as `parameters.NAME`.
    pub parameters: Map<String, Value>,
    /// Step when it returns.
    pub next: String,
}

/// The way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returning {}

impl Kind for Calling {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("flow", Part::Whole, Mention::Flow(&self.flow));
        see_values("parameters", &self.parameters, see);
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        // The other flow may only set attributes.
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, _at: &str) -> Turn {
        let parameters = render_map(&self.parameters, &run.names(now));
        run.call(&self.flow, parameters, &self.next)
    }

    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, _heard: Heard) -> Turn {
        Turn::Stay
    }
}

impl Kind for Returning {
    fn mentions<'a>(&'a self, _see: See<'_, 'a>) {}

    fn enter(&self, run: &mut Run, _now: Timestamp, _at: &str) -> Turn {
        run.return_to_caller()
    }
}
