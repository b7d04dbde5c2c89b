//! A document as elements: XML 1.0 without document types, with places and limits.
//!
//! `quick-xml` cuts the text into pieces; what it leaves to its user is checked here: one root,
//! characters and names that XML allows, references that mean something. Entities other than the
//! five of XML do not exist, so that none can be a bomb.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::fault::{Fault, Position, code, shown};

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

/// What is inside an element.
#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

/// Octets of the longest document (Twilio: 64 KB, error 11750).
pub(super) const MAX_OCTETS: usize = 64 * 1024;
/// Deepest nesting: Response, Gather, Say and some levels of SSML.
const MAX_DEPTH: usize = 16;
/// Most elements of all kinds: a thousand verbs, each with a few nouns or words of SSML.
const MAX_ELEMENTS: usize = 5_000;
/// Most attributes of one element; the richest noun, Conference, has 22.
const MAX_ATTRIBUTES: usize = 64;
/// Octets of the longest attribute value: 500 hints of 100 characters are more than a URL.
const MAX_VALUE: usize = 60_000;

/// Reads all of a document.
///
/// # Errors
///
/// What is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Element, Fault> {
    if text.len() > MAX_OCTETS {
        let words = format!("the document is longer than {MAX_OCTETS} octets");
        return Err(Fault::new(code::TOO_LARGE, words));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((offset, c)) = text.char_indices().find(|&(_, c)| !is_allowed(c)) {
        let words = format!("XML does not allow the character U+{:04X}", u32::from(c));
        return Err(Fault::new(code::PARSE, words).at(Position::of(text, offset)));
    }
    Builder::new(text).build()
}

struct Builder<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// Elements that are not closed yet, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    /// The place of the last element, and the octet it begins at.
    place: (Position, usize),
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        let settings = reader.config_mut();
        settings.check_comments = true;
        settings.check_end_names = true;
        Self {
            text,
            reader,
            open: Vec::new(),
            root: None,
            elements: 0,
            place: (Position { line: 1, column: 1 }, 0),
        }
    }

    fn build(mut self) -> Result<Element, Fault> {
        loop {
            let from = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let event = self.reader.read_event().map_err(|error| {
                let at = usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
                self.fault(at, format!("this is no XML: {}", shown(&error.to_string())))
            })?;
            match event {
                Event::Start(start) => {
                    let element = self.element(&start, from)?;
                    self.open.push(element);
                    if self.open.len() > MAX_DEPTH {
                        let words = format!("elements are nested deeper than {MAX_DEPTH}");
                        return Err(self.fault(from, words));
                    }
                }
                Event::Empty(start) => {
                    let element = self.element(&start, from)?;
                    self.close(element);
                }
                Event::End(_) => {
                    if let Some(element) = self.open.pop() {
                        self.close(element);
                    }
                }
                Event::Text(text) => {
                    let text = text.xml10_content();
                    let text = text.map_err(|error| self.fault(from, error.to_string()))?;
                    self.say(from, &text)?;
                }
                Event::CData(text) => {
                    let text = text.xml10_content();
                    let text = text.map_err(|error| self.fault(from, error.to_string()))?;
                    self.say(from, &text)?;
                }
                Event::GeneralRef(reference) => {
                    let name = reference.decode();
                    let name = name.map_err(|error| self.fault(from, error.to_string()))?;
                    let text = self.refer(from, &name)?;
                    self.say(from, text.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(_) => {
                    let words = "a document type (DOCTYPE) is not allowed; leave it out";
                    return Err(self.fault(from, words));
                }
                Event::Decl(_) if from > 0 => {
                    return Err(self.fault(from, "the XML declaration must come first"));
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return self.finish(),
            }
        }
    }

    fn element(&mut self, start: &BytesStart<'_>, from: usize) -> Result<Element, Fault> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let words = format!("there are more than {MAX_ELEMENTS} elements");
            return Err(self.fault(from, words));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.fault(from, "there is a second element beside the first"));
        }
        let name = self.name(from, start.name().as_ref())?;
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| {
                let words = format!("an attribute of <{name}> is not as XML has it: {error}");
                self.fault(from, words)
            })?;
            let key = self.name(from, attribute.key.as_ref())?;
            let raw = String::from_utf8_lossy(&attribute.value).into_owned();
            if attributes.len() == MAX_ATTRIBUTES || raw.len() > MAX_VALUE {
                let words = format!(
                    "<{name}> has more than {MAX_ATTRIBUTES} attributes, or one longer than {MAX_VALUE}"
                );
                return Err(self.fault(from, words));
            }
            let value = self.value(from, &key, &raw)?;
            attributes.push((key, value));
        }
        Ok(Element {
            name,
            at: self.place_of(from),
            attributes,
            children: Vec::new(),
        })
    }

    /// Where an element begins that stands behind all those asked for before: a document is walked
    /// through once.
    fn place_of(&mut self, from: usize) -> Position {
        let (last, begun) = self.place;
        let between = self.text.get(begun..from).unwrap_or_default();
        let lines = between.matches('\n').count();
        let column = match between.rsplit_once('\n') {
            Some((_, after)) => after.chars().count() + 1,
            None => last.column as usize + between.chars().count(),
        };
        let line = last.line as usize + lines;
        let at = Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        };
        self.place = (at, from);
        at
    }

    /// A value with its references resolved and its white space made blanks (XML 1.0 §3.3.3).
    fn value(&self, from: usize, key: &str, raw: &str) -> Result<String, Fault> {
        if raw.contains('<') {
            let words = format!("the value of {key} has a <; write &lt;");
            return Err(self.fault(from, words));
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('&') {
            value.extend(before.chars().map(blank));
            let Some((name, after)) = after.split_once(';') else {
                let words = format!("the value of {key} has a lone &; write &amp;");
                return Err(self.fault(from, words));
            };
            value.push(self.refer(from, name)?);
            rest = after;
        }
        value.extend(rest.chars().map(blank));
        Ok(value)
    }

    fn refer(&self, from: usize, name: &str) -> Result<char, Fault> {
        let number = match name.strip_prefix('#') {
            Some(hex) if hex.starts_with('x') => {
                u32::from_str_radix(hex.trim_start_matches('x'), 16).ok()
            }
            Some(decimal) => decimal.parse().ok(),
            None => match name {
                "amp" => Some(u32::from('&')),
                "apos" => Some(u32::from('\'')),
                "gt" => Some(u32::from('>')),
                "lt" => Some(u32::from('<')),
                "quot" => Some(u32::from('"')),
                _ => None,
            },
        };
        let c = number.and_then(char::from_u32).filter(|&c| is_allowed(c));
        c.ok_or_else(|| {
            let words = format!(
                "&{}; means nothing here; a lone & is written &amp;",
                shown(name)
            );
            self.fault(from, words)
        })
    }

    fn name(&self, from: usize, name: &[u8]) -> Result<String, Fault> {
        let name = String::from_utf8_lossy(name);
        let mut letters = name.chars();
        let good = letters
            .next()
            .is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | ':'))
            && letters.all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '·'))
            && name.len() <= MAX_NAME;
        match good {
            true => Ok(name.into_owned()),
            false => Err(self.fault(from, format!("\"{}\" is no name in XML", shown(&name)))),
        }
    }

    fn say(&mut self, from: usize, text: &str) -> Result<(), Fault> {
        match self.open.last_mut() {
            Some(element) => match element.children.last_mut() {
                Some(Node::Text(so_far)) => so_far.push_str(text),
                _ => element.children.push(Node::Text(text.to_owned())),
            },
            None if text.trim().is_empty() => {}
            None => return Err(self.fault(from, "there is text outside of <Response>")),
        }
        Ok(())
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn finish(self) -> Result<Element, Fault> {
        let end = self.text.len();
        if let Some(element) = self.open.last() {
            let words = format!("<{}> of {} is never closed", element.name, element.at);
            return Err(self.fault(end, words));
        }
        let empty = self.fault(end, "the document is empty; <Response/> would be the least");
        self.root.ok_or(empty)
    }

    fn fault(&self, offset: usize, words: impl Into<String>) -> Fault {
        Fault::new(code::PARSE, words).at(Position::of(self.text, offset))
    }
}

/// Octets of the longest name.
const MAX_NAME: usize = 100;

/// XML 1.0 §2.2.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn blank(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c => c,
    }
}

impl Element {
    /// Its own text, that of its children left out, blanks at both ends cut off.
    pub(super) fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect::<String>().trim().to_owned()
    }

    /// All text in it, children's included.
    pub(super) fn all_text(&self) -> String {
        let mut text = String::new();
        self.collect_text(&mut text);
        text
    }

    fn collect_text(&self, into: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(text) => into.push_str(text),
                Node::Element(element) => element.collect_text(into),
            }
        }
    }

    /// Elements in it.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// What is inside, written as XML again.
    pub(super) fn inner_xml(&self) -> String {
        let mut xml = String::new();
        for node in &self.children {
            node.write(&mut xml);
        }
        xml
    }
}

impl Node {
    fn write(&self, xml: &mut String) {
        match self {
            Self::Text(text) => escape(text, xml),
            Self::Element(element) => {
                xml.push('<');
                xml.push_str(&element.name);
                for (key, value) in &element.attributes {
                    xml.push(' ');
                    xml.push_str(key);
                    xml.push_str("=\"");
                    escape(value, xml);
                    xml.push('"');
                }
                xml.push('>');
                for node in &element.children {
                    node.write(xml);
                }
                xml.push_str("</");
                xml.push_str(&element.name);
                xml.push('>');
            }
        }
    }
}

fn escape(text: &str, xml: &mut String) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            c => xml.push(c),
        }
    }
}
