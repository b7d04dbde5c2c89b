//! Places in a JSON text, found by the way to a value when something is wrong with it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use super::{DocumentFault, FRIENDLY_NAME, KNOWN_WORKER};
use crate::router::At;
use crate::router::plan::fault::{WorkflowPart, WorkflowSpot};

/// One step of the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    Name(&'k str),
    Place(usize),
}

/// Where everything stands in a document, as deep as a workflow is looked at. The text is one that
/// [`super::Document::parse`] read: what it is not sure of it takes for the end.
///
/// Found in one walk through the text, when the first place is asked for: however many are asked
/// for, and however large the document is.
#[derive(Debug)]
pub struct DocumentPlaces<'t> {
    text: &'t str,
    root: OnceCell<Node>,
}

/// One value.
#[derive(Debug)]
struct Node {
    /// Of a list or an object the opening sign.
    span: Range<usize>,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    /// A list.
    Items(Vec<Node>),
    /// An object; the last one of a name, as JSON is read.
    Members(HashMap<String, Node>),
    /// Something else, or too deep to be asked for.
    Nothing,
}

/// `task_routing.filters[0].targets[0].queue`: longer ways are not asked for.
const LONGEST_WAY: usize = 6;

impl<'t> DocumentPlaces<'t> {
    /// The places of a document.
    pub fn of(text: &'t str) -> Self {
        Self {
            text,
            root: OnceCell::new(),
        }
    }

    /// Where something of its workflow stands, in bytes; what is around it when it is not written.
    pub fn span_of(&self, spot: &WorkflowSpot) -> Range<usize> {
        self.find(spot).0
    }

    /// What is wrong with something of its workflow.
    pub(super) fn fault_at(
        &self,
        spot: &WorkflowSpot,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> DocumentFault {
        let (span, way) = self.find(spot);
        DocumentFault::new(self.text, span, &way, message, help)
    }

    /// What is wrong at the end of a way.
    pub(super) fn fault(
        &self,
        way: &[Key<'_>],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> DocumentFault {
        let (span, _) = self.locate(way);
        DocumentFault::new(self.text, span, way, message, help)
    }

    fn find(&self, spot: &WorkflowSpot) -> (Range<usize>, Vec<Key<'static>>) {
        let routing = Key::Name("task_routing");
        let mut ways: Vec<Vec<Key<'static>>> = match spot.part {
            WorkflowPart::Whole => vec![vec![routing]],
            WorkflowPart::Filter(filter) => {
                vec![vec![routing, Key::Name("filters"), Key::Place(filter)]]
            }
            WorkflowPart::Step(At::Filter(filter, step)) => {
                let targets = [Key::Name("targets"), Key::Place(step)];
                let filter = [routing, Key::Name("filters"), Key::Place(filter)];
                vec![[&filter[..], &targets[..]].concat()]
            }
            WorkflowPart::Step(At::Default) => {
                let default = vec![routing, Key::Name("default_filter")];
                let targets = [Key::Name("targets"), Key::Place(0)];
                vec![[&default[..], &targets[..]].concat(), default]
            }
        };
        let names: &[&'static str] = match &spot.key {
            None => &[],
            Some("known_worker") => &KNOWN_WORKER,
            Some("name") => &FRIENDLY_NAME,
            Some("steps") => &["targets"],
            Some(key) => std::slice::from_ref(key),
        };
        if !names.is_empty() {
            let keyed = ways.iter().flat_map(|way| {
                let name = |name: &&'static str| [&way[..], &[Key::Name(name)]].concat();
                names.iter().map(name)
            });
            ways = keyed.collect();
        }
        // The longest part of a way that is written.
        let mut best = (0..self.text.len().min(1), Vec::new());
        for mut way in ways {
            let (span, length) = self.locate(&way);
            if length > best.1.len() || best.1.is_empty() {
                way.truncate(length);
                best = (span, way);
            }
        }
        let (mut span, way) = best;
        let written = self.text.get(span.clone()).unwrap_or_default();
        // With escapes, places in the value are not places in the text.
        if let Some(part) = &spot.span
            && written.starts_with('"')
            && !written.contains('\\')
        {
            let inside = |at: usize| (span.start + 1 + at).min(span.end);
            span = inside(part.start)..inside(part.end);
        }
        (span, way)
    }

    /// Where the value at the end of a way stands, or the last one before it that is written; and
    /// how much of the way that is.
    fn locate(&self, way: &[Key<'_>]) -> (Range<usize>, usize) {
        let mut node = self.root.get_or_init(|| {
            #[cfg(test)]
            WALKS.with(|walks| walks.set(walks.get() + 1));
            let bom = if self.text.starts_with('\u{feff}') {
                3
            } else {
                0
            };
            read(
                self.text,
                skip_space(self.text.as_bytes(), bom),
                LONGEST_WAY,
            )
            .0
        });
        let mut length = 0;
        for key in way {
            let inner = match (&node.inner, key) {
                (Inner::Items(items), Key::Place(place)) => items.get(*place),
                (Inner::Members(members), Key::Name(name)) => members.get(*name),
                _ => None,
            };
            let Some(inner) = inner else { break };
            node = inner;
            length += 1;
        }
        (node.span.clone(), length)
    }

    /// How often a text was walked through, on this thread.
    #[cfg(test)]
    pub(crate) fn walks() -> usize {
        WALKS.with(std::cell::Cell::get)
    }
}

#[cfg(test)]
thread_local! {
    static WALKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The value at `at` with what is in it, `levels` deep; and its end.
fn read(text: &str, at: usize, levels: usize) -> (Node, usize) {
    let bytes = text.as_bytes();
    let opening = bytes.get(at);
    let (inner, end) = match opening {
        Some(b'{') if levels > 0 => {
            let (members, end) = read_members(text, at, levels - 1);
            (Inner::Members(members), end)
        }
        Some(b'[') if levels > 0 => {
            let (items, end) = read_items(text, at, levels - 1);
            (Inner::Items(items), end)
        }
        _ => (Inner::Nothing, skip_value(bytes, at)),
    };
    let shown = match opening {
        Some(b'{' | b'[') => at + 1,
        _ => end,
    };
    let span = at..shown;
    (Node { span, inner }, end)
}

fn read_members(text: &str, at: usize, levels: usize) -> (HashMap<String, Node>, usize) {
    let bytes = text.as_bytes();
    let mut members = HashMap::new();
    let mut next = skip_space(bytes, at + 1);
    while bytes.get(next) == Some(&b'"') {
        let end = skip_value(bytes, next);
        let written = text.get(next..end).unwrap_or_default();
        let value = skip_space(bytes, skip_space(bytes, end) + 1);
        let (node, end) = read(text, value, levels);
        if let Ok(name) = serde_json::from_str::<String>(written) {
            members.insert(name, node);
        }
        next = skip_space(bytes, end);
        if bytes.get(next) == Some(&b',') {
            next = skip_space(bytes, next + 1);
        }
    }
    (members, (next + 1).min(bytes.len()))
}

fn read_items(text: &str, at: usize, levels: usize) -> (Vec<Node>, usize) {
    let bytes = text.as_bytes();
    let mut items = Vec::new();
    let mut next = skip_space(bytes, at + 1);
    while bytes.get(next).is_some_and(|byte| *byte != b']') {
        let (node, end) = read(text, next, levels);
        items.push(node);
        next = skip_space(bytes, end);
        if bytes.get(next) == Some(&b',') {
            next = skip_space(bytes, next + 1);
        }
    }
    (items, (next + 1).min(bytes.len()))
}

/// Where a text is nested deeper than `levels`, if it is.
pub(super) fn too_deep(text: &str, levels: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = skip_value(bytes, at);
                continue;
            }
            b'{' | b'[' if depth == levels => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let space = rest.iter().take_while(|byte| b" \t\r\n".contains(byte));
    from + space.count()
}

/// The end of the value that begins at `from`.
fn skip_value(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(&byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += if byte == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            return at;
        }
    }
    bytes.len()
}
