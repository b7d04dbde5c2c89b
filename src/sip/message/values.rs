//! Undoing folds (RFC 3261 §7.3.1) and splitting lists.

use std::borrow::Cow;

use crate::sip::header::scan;

/// The value on one line: every line break with the white space after it becomes one space.
pub(super) fn unfold(value: &[u8], is_folded: bool) -> Cow<'_, [u8]> {
    if !is_folded {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    for part in value.split(|byte| *byte == b'\n') {
        let part = scan::trim(part);
        if !plain.is_empty() && !part.is_empty() {
            plain.push(b' ');
        }
        plain.extend_from_slice(part);
    }
    Cow::Owned(plain)
}

/// Splits at commas outside quoted strings and angle brackets; empty elements are kept, so that
/// their reader can refuse them, except after nothing at all.
pub(super) fn split(line: Cow<'_, [u8]>) -> Split<'_> {
    let is_done = line.is_empty();
    Split {
        line,
        at: 0,
        is_done,
    }
}

/// Iterator of [`split`].
pub(super) struct Split<'a> {
    line: Cow<'a, [u8]>,
    at: usize,
    is_done: bool,
}

impl<'a> Iterator for Split<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let start = self.at;
        let end = match scan::find_outside(self.line.get(start..)?, b',') {
            Some(length) => start + length,
            None => {
                self.is_done = true;
                self.line.len()
            }
        };
        self.at = end + 1;
        Some(match &self.line {
            Cow::Borrowed(line) => Cow::Borrowed(scan::trim(line.get(start..end)?)),
            Cow::Owned(line) => Cow::Owned(scan::trim(line.get(start..end)?).to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_become_one_space() {
        let unfolded = unfold(b"a \r\n\t b\n c", true);
        assert_eq!(&*unfolded, b"a b c");
    }

    #[test]
    fn lists_split_at_outer_commas() {
        let parts = |text: &str| -> Vec<String> {
            split(Cow::Borrowed(text.as_bytes()))
                .map(|part| String::from_utf8_lossy(&part).into_owned())
                .collect()
        };
        assert_eq!(parts(r#""a,b" <sip:c,d> , e"#), [r#""a,b" <sip:c,d>"#, "e"]);
        assert_eq!(parts("a,,b,"), ["a", "", "b", ""]);
        assert!(parts("").is_empty());
        let owned: Vec<_> = split(Cow::Owned(b"a, b".to_vec())).collect();
        assert_eq!(owned, [Cow::Borrowed(&b"a"[..]), Cow::Borrowed(&b"b"[..])]);
    }
}
