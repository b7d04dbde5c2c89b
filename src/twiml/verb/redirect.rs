//! `<Redirect>`: another document takes over.

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::Fault;
use super::super::link::{Link, Method};
use super::super::xml::Element;
use super::nothing_inside;

/// Where the call goes on. What stands behind it is never reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The other document; an empty URL is the same one again.
    pub to: Link,
}

impl Redirect {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let method = attributes
            .word::<Method>("method", 13710)
            .unwrap_or_default();
        attributes.finish();
        nothing_inside(element, 13710)?;
        let url = element.text();
        Ok(Self {
            to: Link { url, method },
        })
    }
}
