//! What is taken out of a message before somebody sees it. Octets are overwritten, never removed:
//! lengths and offsets stay true.

use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Whether telephone numbers are shown in traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// First and last two characters only.
    Masked,
    /// Whole.
    #[default]
    Shown,
}

/// The message without what proves a password, and without numbers when they are not to be shown.
pub fn redact(message: &[u8], numbers: Numbers) -> Vec<u8> {
    let mut octets = message.to_vec();
    let head = memmem::find(&octets, b"\r\n\r\n").unwrap_or(octets.len());
    for line in lines(&octets, head) {
        if is_credentials(&octets[line.clone()]) {
            mask_responses(&mut octets[line]);
        }
    }
    if numbers == Numbers::Masked {
        mask_users(&mut octets);
    }
    octets
}

/// Where the header lines are.
fn lines(octets: &[u8], head: usize) -> Vec<std::ops::Range<usize>> {
    let mut lines = Vec::new();
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', &octets[..head]).chain([head]) {
        lines.push(from..end);
        from = (end + 1).min(head);
    }
    lines
}

fn is_credentials(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    [&b"authorization"[..], b"proxy-authorization"]
        .iter()
        .any(|known| name.trim_ascii().eq_ignore_ascii_case(known))
}

/// Overwrites the value of every parameter `response`: with it a password can be searched for.
fn mask_responses(line: &mut [u8]) {
    let found: Vec<usize> = memmem::find_iter(&line.to_ascii_lowercase(), b"response=").collect();
    for at in found {
        let value = at + b"response=".len();
        for byte in line[value..]
            .iter_mut()
            .skip_while(|byte| **byte == b'"')
            .take_while(|byte| byte.is_ascii_alphanumeric())
        {
            *byte = b'x';
        }
    }
}

/// Overwrites the middle of every user part of an address, and of long numbers in display names.
fn mask_users(octets: &mut [u8]) {
    for scheme in [&b"sip:"[..], b"sips:", b"tel:"] {
        let found: Vec<usize> = memmem::find_iter(octets, scheme).collect();
        for at in found {
            let from = at + scheme.len();
            let rest = &octets[from..];
            let is_end = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"+-_.%*#".contains(byte);
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let is_user = scheme == b"tel:" || rest.get(length) == Some(&b'@');
            if is_user {
                mask(&mut octets[from..from + length]);
            }
        }
    }
    let mut from = 0;
    while from < octets.len() {
        let digits = octets[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let is_quoted = from > 0 && matches!(octets[from - 1], b'"' | b'+');
        if digits >= LONG && is_quoted {
            mask(&mut octets[from..from + digits]);
        }
        from += digits.max(1);
    }
}

/// Short ones are overwritten whole.
fn mask(text: &mut [u8]) {
    let shown = if text.len() < LONG { 0 } else { 2 };
    let end = text.len() - shown;
    if let Some(middle) = text.get_mut(shown..end) {
        middle.fill(b'x');
    }
}

/// From so many characters on a number's ends say who is meant without saying the number.
const LONG: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: &str = "REGISTER sip:tsunagu SIP/2.0\r\n\
        From: \"+819012345678\" <sip:+819012345678@a.example>;tag=1\r\n\
        To: <tel:+81312345678>\r\n\
        Authorization: Digest username=\"1001\", Response=\"0123456789abcdef\", nonce=\"n\"\r\n\
        Contact: <sip:1001@192.0.2.9:5060>\r\n\r\nresponse=\"stays\"";

    #[test]
    fn what_proves_a_password_is_never_shown() {
        let shown = String::from_utf8(redact(REGISTER.as_bytes(), Numbers::Shown)).unwrap();
        assert_eq!(
            shown,
            REGISTER.replace("0123456789abcdef", "xxxxxxxxxxxxxxxx")
        );
    }

    #[test]
    fn numbers_are_masked_when_they_are_to_be() {
        let masked = String::from_utf8(redact(REGISTER.as_bytes(), Numbers::Masked)).unwrap();
        assert_eq!(masked.len(), REGISTER.len());
        assert!(!masked.contains("9012345678") && !masked.contains("81312345678"));
        assert!(masked.contains("<sip:+8xxxxxxxxx78@a.example>"), "{masked}");
        assert!(masked.contains("<tel:+8xxxxxxxx78>"), "{masked}");
        assert!(masked.contains("<sip:xxxx@192.0.2.9:5060>"), "{masked}");
        assert!(
            masked.contains("sip:tsunagu"),
            "a host is no user: {masked}"
        );
    }

    #[test]
    fn whatever_comes_keeps_its_length() {
        for text in [
            "",
            "\r\n\r\n",
            "sip:",
            "tel:",
            "Authorization: response=",
            "sip:@",
            "\"12345678",
        ] {
            for numbers in [Numbers::Masked, Numbers::Shown] {
                assert_eq!(redact(text.as_bytes(), numbers).len(), text.len(), "{text}");
            }
        }
    }
}
