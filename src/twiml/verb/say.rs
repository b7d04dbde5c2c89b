//! `<Say>`: text spoken by whatever voice the switch has.

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, shown};
use super::super::xml::Element;
use super::times;

/// What is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// Text without any mark-up; at most 4096 characters.
    pub text: String,
    /// The same as SSML, what would stand inside of `<speak>`, when there is mark-up.
    pub ssml: Option<String>,
    /// Voice, as the document names it; the configuration says what speaks it.
    pub voice: Option<String>,
    /// Language (BCP 47).
    pub language: Option<String>,
    /// How often, 1 to 1000.
    pub times: u32,
}

/// Characters of the longest text.
const MAX_TEXT: usize = 4_096;

const SSML: [&str; 11] = [
    "amazon:effect",
    "break",
    "emphasis",
    "lang",
    "p",
    "phoneme",
    "prosody",
    "s",
    "say-as",
    "sub",
    "w",
];

impl Say {
    pub(in super::super) fn of_text(text: &str) -> Self {
        Self {
            text: text.chars().take(MAX_TEXT).collect(),
            ssml: None,
            voice: None,
            language: None,
            times: 1,
        }
    }

    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let mut say = Self::of_text(&words_of(&element.all_text()));
        say.times = times(&mut attributes, 13510);
        say.voice = attributes.short("voice", 100, 13511);
        say.language = attributes.short("language", 35, 13512);
        if element.all_text().trim().is_empty() {
            attributes.remark(13520, "<Say> has no text and says nothing");
        } else if element.all_text().chars().count() > MAX_TEXT {
            let words =
                format!("<Say> has more than {MAX_TEXT} characters; the rest is not spoken");
            attributes.remark(13521, words);
        } else if element.elements().next().is_some() {
            say.ssml = Some(element.inner_xml().trim().to_owned());
        }
        check_ssml(element, &mut attributes);
        attributes.finish();
        Ok(say)
    }
}

fn check_ssml(element: &Element, attributes: &mut Attributes<'_>) {
    for inner in element.elements() {
        if !SSML.contains(&inner.name.as_str()) {
            let words = format!("<{}> is not SSML that is known here", shown(&inner.name));
            attributes.remark(13520, words);
        }
        check_ssml(inner, attributes);
    }
}

/// Lines of a document are no pauses: white space counts as one blank.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
