//! `%` escapes (RFC 3261 §19.1.2).

use std::borrow::Cow;

/// Undoes escapes; what they spell that is not UTF-8 is replaced, as in `String::from_utf8_lossy`.
pub(in crate::sip) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut rest = text.as_bytes();
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    plain.push(high << 4 | low);
                    rest = after;
                }
                _ => plain.push(byte),
            },
            _ => plain.push(byte),
        }
    }
    Cow::Owned(
        String::from_utf8(plain)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// Escapes what may not stand in the user part.
pub(super) fn escape_user(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        // `unreserved` and `user-unreserved` of RFC 3261 §25.1.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(DIGITS[usize::from(byte >> 4)]));
            escaped.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    escaped
}

/// Whether every `%` begins a complete escape.
pub(super) fn is_well_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'%', bytes).all(|at| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_escapes_stay_as_they_are() {
        assert_eq!(decode("a%41%4"), "aA%4");
        assert_eq!(decode("%zz%"), "%zz%");
        assert!(is_well_escaped("a%41"));
        assert!(!is_well_escaped("a%4"));
    }
}
