//! A document: verbs in their order, and what was doubtful about it.

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Position, code, shown};
use super::verb::{Play, Say, Verb};
use super::xml;

/// A document as it is executed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Verbs, first to last.
    pub verbs: Vec<Placed>,
    /// What is doubtful, and has no effect or its default's: unknown attributes, values out of
    /// range.
    #[serde(default)]
    pub remarks: Vec<Fault>,
}

/// A verb and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Where; `None` in a document that was never text.
    pub at: Option<Position>,
    /// Verb.
    pub verb: Verb,
}

/// Most verbs of a document.
pub const MAX_VERBS: usize = 1_000;

/// Characters of a document that is not fetched but handed over, as `Twiml` of the REST API.
pub const MAX_INLINE: usize = 4_000;

/// Most remarks that are kept of a document: a page full of typing errors says enough.
const MAX_REMARKS: usize = 100;

impl Document {
    /// Reads XML.
    ///
    /// # Errors
    ///
    /// The first thing that makes it no document, with its place: 12100 no XML, 12102 another
    /// root than `Response`, 11750 too long, 12200 and 13xxx a verb that does not exist, is not
    /// supported or stands in the wrong place.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let root = xml::parse(text)?;
        if root.name != "Response" {
            let words = format!(
                "the root element is <{}>, not <Response>",
                shown(&root.name)
            );
            return Err(Fault::new(code::ROOT, words).at(root.at));
        }
        let mut remarks = Vec::new();
        super::attributes::Attributes::of(&root, &mut remarks).finish();
        if !root.text().is_empty() {
            let words = "text of <Response> itself is not executed; say it with <Say>";
            remarks.push(Fault::new(code::SCHEMA, words).at(root.at));
        }
        let mut verbs = Vec::new();
        for element in root.elements() {
            if verbs.len() == MAX_VERBS {
                let words = format!("there are more than {MAX_VERBS} verbs");
                return Err(Fault::new(code::SCHEMA, words).at(element.at));
            }
            verbs.push(Placed {
                at: Some(element.at),
                verb: Verb::parse(element, &mut remarks)?,
            });
        }
        remarks.truncate(MAX_REMARKS);
        Ok(Self { verbs, remarks })
    }

    /// Reads a document that was handed over and not fetched.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`]; 11750 when it has more than [`MAX_INLINE`] characters.
    pub fn parse_inline(text: &str) -> Result<Self, Fault> {
        if text.chars().count() > MAX_INLINE {
            let words = format!("it is longer than {MAX_INLINE} characters; give a URL");
            return Err(Fault::new(code::TOO_LARGE, words));
        }
        Self::parse(text)
    }

    /// Reads what an application answered. XML is a document; sound is played; plain text is a
    /// document when it is one, and spoken otherwise. `url` is that of the reply.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`]; 12300 for other types, 12100 for text that is not UTF-8.
    pub fn read(content_type: Option<&str>, body: &[u8], url: &str) -> Result<Self, Fault> {
        let media_type = content_type.unwrap_or_default().split(';').next();
        let media_type = media_type.unwrap_or_default().trim().to_ascii_lowercase();
        if media_type.starts_with("audio/") {
            return Ok(Self::of(Verb::Play(Play::of_url(url))));
        }
        let is_xml = matches!(
            media_type.as_str(),
            "application/xml" | "text/html" | "text/xml"
        ) || (media_type.starts_with("application/") && media_type.ends_with("+xml"));
        if !is_xml && media_type != "text/plain" {
            let found = match media_type.as_str() {
                "" => "has no Content-Type".to_owned(),
                found => format!("is {}", shown(found)),
            };
            let words = format!("the reply {found}; XML, plain text or sound was expected");
            return Err(Fault::new(code::CONTENT_TYPE, words));
        }
        if body.len() > xml::MAX_OCTETS {
            let words = format!("the reply is longer than {} octets", xml::MAX_OCTETS);
            return Err(Fault::new(code::TOO_LARGE, words));
        }
        let text = std::str::from_utf8(body).map_err(|error| {
            let valid = body.get(..error.valid_up_to()).unwrap_or_default();
            let valid = String::from_utf8_lossy(valid);
            let at = Position::of(&valid, valid.len());
            Fault::new(code::PARSE, "the document is not UTF-8").at(at)
        })?;
        match Self::parse(text) {
            Err(_) if !is_xml => Ok(Self::of(Verb::Say(Say::of_text(text.trim())))),
            read => read,
        }
    }

    fn of(verb: Verb) -> Self {
        Self {
            verbs: vec![Placed { at: None, verb }],
            remarks: Vec::new(),
        }
    }
}
