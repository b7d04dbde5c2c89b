//! Places in a JSON text, found by the way to a value when something is wrong with it.

use std::ops::Range;

/// One step of the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    Name(&'k str),
    Place(usize),
}

/// Where the value at the end of a way stands in a JSON text, or the last one before it that is
/// written; and how much of the way that is. Of a list or an object the opening sign.
///
/// The text was read before: what it is not sure of it takes for the end.
pub(super) fn locate(text: &str, way: &[Key<'_>]) -> (Range<usize>, usize) {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, if text.starts_with('\u{feff}') { 3 } else { 0 });
    let mut length = 0;
    for key in way {
        let Some(inner) = member(text, at, *key) else {
            break;
        };
        at = inner;
        length += 1;
    }
    let end = match bytes.get(at) {
        None => at,
        Some(b'{' | b'[') => at + 1,
        Some(_) => skip_value(bytes, at),
    };
    (at..end, length)
}

/// Where a member of the list or object at `at` begins; the last one of a name, as JSON is read.
fn member(text: &str, at: usize, wanted: Key<'_>) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut next = skip_space(bytes, at + 1);
    let mut found = None;
    let mut place = 0;
    match (bytes.get(at)?, wanted) {
        (b'{', Key::Name(name)) => {
            while bytes.get(next) == Some(&b'"') {
                let end = skip_value(bytes, next);
                let written = text.get(next..end)?;
                let value = skip_space(bytes, skip_space(bytes, end) + 1);
                // Most names have no escapes.
                let is_plain = written.get(1..written.len() - 1) == Some(name);
                if is_plain || serde_json::from_str::<String>(written).is_ok_and(|it| it == name) {
                    found = Some(value);
                }
                next = skip_space(bytes, skip_value(bytes, value));
                next = skip_space(bytes, next + 1);
            }
            found
        }
        (b'[', Key::Place(wanted)) => {
            while !matches!(bytes.get(next)?, b']') {
                if place == wanted {
                    return Some(next);
                }
                place += 1;
                next = skip_space(bytes, skip_value(bytes, next));
                next = skip_space(bytes, next + 1);
            }
            None
        }
        _ => None,
    }
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
