//! `<Refer>`: the caller's own SIP side is asked to call somebody else (RFC 3515).

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code, shown};
use super::super::link::Link;
use super::super::xml::Element;
use super::{misplaced, nothing_inside};

/// Whom the caller is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refer {
    /// SIP URI.
    pub to: String,
    /// Who is told how it went.
    pub action: Option<Link>,
}

impl Refer {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let action = attributes.link("action", "method", code::SCHEMA);
        attributes.finish();
        let mut targets = element.elements();
        let (Some(target), None) = (targets.next(), targets.next()) else {
            let words = "<Refer> needs one <Sip>";
            return Err(Fault::new(code::SCHEMA, words).at(element.at));
        };
        if target.name != "Sip" {
            return Err(misplaced(element, target, code::SCHEMA));
        }
        Attributes::of(target, remarks).finish();
        nothing_inside(target, code::SCHEMA)?;
        let to = target.text();
        if !is_sip_uri(&to) {
            let words = format!(
                "\"{}\" is no SIP URI; it begins with sip: or sips:",
                shown(&to)
            );
            return Err(Fault::new(code::SCHEMA, words).at(target.at));
        }
        Ok(Self { to, action })
    }
}

/// Octets of the longest SIP URI; the limit of the public platform for its headers part alone.
const MAX_URI: usize = 1_024;

/// Whether a text can be a SIP URI; the SIP room says whether it is.
pub(super) fn is_sip_uri(text: &str) -> bool {
    let rest = text
        .strip_prefix("sips:")
        .or_else(|| text.strip_prefix("sip:"));
    rest.is_some_and(|rest| !rest.is_empty())
        && text.len() <= MAX_URI
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
}
