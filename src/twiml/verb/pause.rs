//! `<Pause>`: silence.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::Fault;
use super::super::xml::Element;
use super::nothing_inside;

/// Silence. Before anything was heard it leaves the call unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// How long; whole seconds, default 1.
    pub length: Duration,
}

/// No pause outlasts a call.
const MAX_SECONDS: u32 = 86_400;

impl Pause {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let length = attributes.seconds("length", 1, MAX_SECONDS, 13910);
        attributes.finish();
        nothing_inside(element, 13910)?;
        Ok(Self {
            length: length.unwrap_or(Duration::from_secs(1)),
        })
    }
}
