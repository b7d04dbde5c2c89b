//! `<Play>`: a sound by URL, or keys as tones.

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::xml::Element;
use super::{nothing_inside, times};

/// What is played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// Sound or keys; `None` when neither was given, and nothing is heard.
    pub what: Option<Playable>,
    /// How often, 1 to 1000.
    pub times: u32,
}

/// A sound or keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Playable {
    /// Keys `0`-`9`, `A`-`D`, `*`, `#`; `w` is a pause of 0.5 s, `W` of 1 s.
    Digits(String),
    /// A sound, fetched by GET.
    Url(String),
}

/// Most keys of one Play.
const MAX_KEYS: usize = 256;

impl Play {
    pub(in super::super) fn of_url(url: &str) -> Self {
        Self {
            what: Some(Playable::Url(url.to_owned())),
            times: 1,
        }
    }

    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let times = times(&mut attributes, 13410);
        let url = Link::post(element.text());
        let mut what = (!url.url.is_empty()).then_some(Playable::Url(url.url));
        if let Some(digits) = attributes.short("digits", MAX_KEYS, code::SCHEMA) {
            if is_dialable(&digits) {
                what = Some(Playable::Digits(digits));
            } else {
                attributes.doubt(
                    code::SCHEMA,
                    "digits",
                    &digits,
                    "of 0-9, A-D, *, #, w and W",
                );
            }
        }
        if what.is_none() {
            attributes.remark(
                code::SCHEMA,
                "<Play> has neither URL nor digits and plays nothing",
            );
        }
        attributes.finish();
        nothing_inside(element, code::SCHEMA)?;
        Ok(Self { what, times })
    }
}

/// Whether a text is of keys and pauses, and not empty.
pub(super) fn is_dialable(digits: &str) -> bool {
    let good = |c| matches!(c, '0'..='9' | 'A'..='D' | '*' | '#' | 'w' | 'W');
    !digits.is_empty() && digits.chars().all(good)
}
