//! `<Reject>`: the call is refused without being answered.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::xml::Element;
use super::nothing_inside;

/// A refusal; an answered call is hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// What the caller is told.
    pub reason: RejectReason,
}

/// How a call is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// 486 Busy Here.
    Busy,
    /// 603 Decline.
    #[default]
    Rejected,
}

impl RejectReason {
    /// SIP status of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Self::Busy => 486,
            Self::Rejected => 603,
        }
    }
}

impl FromStr for RejectReason {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "busy" => Ok(Self::Busy),
            "rejected" => Ok(Self::Rejected),
            _ => Err("\"busy\" or \"rejected\""),
        }
    }
}

impl Reject {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let reason = attributes.word("reason", code::SCHEMA).unwrap_or_default();
        attributes.finish();
        nothing_inside(element, code::SCHEMA)?;
        Ok(Self { reason })
    }
}
