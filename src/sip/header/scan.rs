//! The lexical level that header values share (RFC 3261 §25.1): tokens, quoted strings, lists.

use std::borrow::Cow;

/// Whether `text` is a non-empty `token`.
pub(in crate::sip) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// Whether `byte` may stand in a `token`.
pub(in crate::sip) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Octets as text: UTF-8, or Latin-1 when they are not, so that nothing is lost.
pub(in crate::sip) fn text(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(octets.iter().map(|octet| char::from(*octet)).collect()),
    }
}

/// Cuts white space, line breaks included, off both ends.
pub(in crate::sip) fn trim(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && is_space(*first)
    {
        octets = rest;
    }
    while let [rest @ .., last] = octets
        && is_space(*last)
    {
        octets = rest;
    }
    octets
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The first `separator` outside quoted strings and angle brackets.
pub(in crate::sip) fn find_outside(octets: &[u8], separator: u8) -> Option<usize> {
    // Most texts hold neither a quote nor a bracket before it.
    let first = memchr::memchr3(separator, b'"', b'<', octets)?;
    if octets.get(first) == Some(&separator) {
        return Some(first);
    }
    let (mut is_quoted, mut is_escaped, mut is_bracketed) = (false, false, false);
    for (at, &byte) in octets.iter().enumerate() {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted {
            match byte {
                b'\\' => is_escaped = true,
                b'"' => is_quoted = false,
                _ => {}
            }
        } else if byte == separator && !is_bracketed {
            return Some(at);
        } else {
            match byte {
                b'"' => is_quoted = true,
                b'<' => is_bracketed = true,
                b'>' => is_bracketed = false,
                _ => {}
            }
        }
    }
    None
}

/// The length of the quoted string `text` begins with, quotes included; `None` when it has no end.
pub(in crate::sip) fn quoted_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text between the quotes, escapes undone; what is not quoted is returned as it is.
pub(in crate::sip) fn unquote(text: &str) -> Cow<'_, str> {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        None => Cow::Borrowed(text),
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
        Some(inner) => {
            let mut plain = String::with_capacity(inner.len());
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\\' => plain.extend(chars.next()),
                    c => plain.push(c),
                }
            }
            Cow::Owned(plain)
        }
    }
}

/// A quoted string holding `plain`; what no quoted string may hold becomes a space.
pub(in crate::sip) fn quote(plain: &str) -> String {
    let mut quoted = String::with_capacity(plain.len() + 2);
    quoted.push('"');
    for c in plain.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\t' => quoted.push('\t'),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A decimal number of any leading zeros; `None` when empty, not digits, or too large.
pub(in crate::sip) fn number(octets: &[u8]) -> Option<u32> {
    if octets.is_empty() {
        return None;
    }
    octets.iter().try_fold(0u32, |value, byte| {
        if !byte.is_ascii_digit() {
            return None;
        }
        value
            .checked_mul(10)?
            .checked_add(u32::from(byte.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_and_brackets_do_not_separate() {
        let find = |text: &str| find_outside(text.as_bytes(), b',');
        assert_eq!(find(r#""a, \", b" <sip:c,d@e>, f"#), Some(22));
        assert_eq!(find(r#""never ends, a"#), None);
        assert_eq!(find(","), Some(0));
    }

    #[test]
    fn quoting_is_undone_by_unquoting() {
        for plain in ["", "J Rosenberg \\\"", "田中 花子", "a,b;c<d>"] {
            let quoted = quote(plain);
            assert_eq!(unquote(&quoted), plain);
            assert_eq!(quoted_length(&quoted), Some(quoted.len()));
        }
        assert_eq!(quote("a\r\nVia: x"), "\"a  Via: x\"");
        assert_eq!(quoted_length("\"open"), None);
    }

    #[test]
    fn numbers_are_bounded_and_plain() {
        assert_eq!(number(b"0068"), Some(68));
        for bad in ["", "-1", "+1", "4294967296", "1 2", "0x1"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }
}
