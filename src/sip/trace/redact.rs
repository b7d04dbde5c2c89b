//! What is taken out of a message before somebody sees it. Octets are overwritten, never removed:
//! lengths and offsets stay true.

use std::ops::Range;

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
/// Whatever was received is taken, framed or not: nothing has to be a message to be a secret.
pub fn redact(message: &[u8], numbers: Numbers) -> Vec<u8> {
    let mut octets = message.to_vec();
    for line in lines(&octets) {
        let line = &mut octets[line];
        mask_credentials(line, numbers);
        if numbers == Numbers::Masked {
            mask_display_names(line);
        }
    }
    mask_media_keys(&mut octets);
    mask_pressed_keys(&mut octets);
    mask_users(&mut octets, numbers);
    if numbers == Numbers::Masked {
        mask_long_numbers(&mut octets);
    }
    octets
}

/// Where the lines are, each with those that continue it (RFC 3261 §7.3.1). A body's are lines too:
/// it may hold another message.
fn lines(octets: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', octets) {
        let is_continued = matches!(octets.get(end + 1), Some(b' ' | b'\t'));
        if !is_continued {
            lines.push(from..end);
            from = end + 1;
        }
    }
    lines.push(from..octets.len());
    lines
}

/// Overwrites what a password can be searched for with, in the headers that carry such.
fn mask_credentials(line: &mut [u8], numbers: Numbers) {
    let Some(colon) = memchr::memchr(b':', line) else {
        return;
    };
    let name = line[..colon].trim_ascii().to_ascii_lowercase();
    let asks = CREDENTIALS.contains(&name.as_slice());
    if !asks && !CONFIRMATIONS.contains(&name.as_slice()) {
        return;
    }
    let value = &mut line[colon + 1..];
    let is_digest = |value: &[u8]| {
        let scheme = value.trim_ascii_start().get(..DIGEST.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(DIGEST))
    };
    if asks && !is_digest(value) {
        // What follows Basic or Bearer is the secret itself.
        let start = value.len() - value.trim_ascii_start().len();
        let scheme = value[start..].iter().position(u8::is_ascii_whitespace);
        return cover(&mut value[start + scheme.unwrap_or(0)..]);
    }
    for parameter in [&b"response"[..], b"rspauth"] {
        mask_parameter(value, parameter, cover);
    }
    if numbers == Numbers::Masked {
        mask_parameter(value, b"username", mask);
    }
}

/// Overwrites the keys of secure media wherever they stand: what follows tag and suite in
/// `a=crypto` (RFC 4568 §9.1), and `k=` of old (RFC 4566 §5.12).
fn mask_media_keys(octets: &mut [u8]) {
    let lower = octets.to_ascii_lowercase();
    let end_of_line = |from: usize| {
        let end = memchr::memchr2(b'\n', b'\r', &lower[from..]);
        end.map_or(lower.len(), |end| from + end)
    };
    for at in memmem::find_iter(&lower, b"a=crypto:") {
        let line = &mut octets[at..end_of_line(at)];
        // Whatever stands there may be a key written badly.
        let mut words = line.splitn(3, u8::is_ascii_whitespace);
        let shown: usize = words.by_ref().take(2).map(|word| word.len() + 1).sum();
        if let Some(secret) = line.get_mut(shown..) {
            cover(secret);
        }
    }
    for at in memmem::find_iter(&lower, b"inline:") {
        cover(&mut octets[at..end_of_line(at)]);
    }
    for at in memmem::find_iter(&lower, b"\nk=") {
        cover(&mut octets[at + 3..end_of_line(at + 1)]);
    }
}

/// Overwrites the key of an INFO, in either form it may have: a card number may be dialled so, and
/// what the caller was asked stands in no message.
fn mask_pressed_keys(octets: &mut [u8]) {
    let lower = octets.to_ascii_lowercase();
    let end_of_line = |from: usize| {
        let end = memchr::memchr2(b'\n', b'\r', &lower[from..]);
        end.map_or(lower.len(), |end| from + end)
    };
    for at in memmem::find_iter(&lower, b"signal") {
        let end = end_of_line(at);
        let rest = &lower[at + b"signal".len()..end];
        if rest.trim_ascii_start().first() == Some(&b'=') {
            let begin = end - rest.len() + rest.iter().take_while(|byte| **byte != b'=').count();
            cover(&mut octets[begin + 1..end]);
        }
    }
    // The other form is the key and nothing else.
    let is_info = lower.trim_ascii_start().starts_with(b"info ");
    let is_bare = memmem::find(&lower, b"application/dtmf")
        .is_some_and(|at| !lower[at..].starts_with(b"application/dtmf-relay"));
    let body = memmem::find(&lower, b"\r\n\r\n").filter(|_| is_info && is_bare);
    if let Some(head) = body {
        cover(&mut octets[head + 4..]);
    }
}

/// Overwrites the value of every parameter of that name, quoted or not, blanks around `=` or not.
fn mask_parameter(line: &mut [u8], name: &[u8], mask: fn(&mut [u8])) {
    let found: Vec<usize> = memmem::find_iter(&line.to_ascii_lowercase(), name).collect();
    for at in found {
        let mut at = at + name.len();
        let blanks = |line: &[u8], at: usize| {
            let rest = line.get(at..).unwrap_or_default();
            at + rest.len() - rest.trim_ascii_start().len()
        };
        at = blanks(line, at);
        if line.get(at) != Some(&b'=') {
            continue;
        }
        at = blanks(line, at + 1);
        let is_quoted = line.get(at) == Some(&b'"');
        at += usize::from(is_quoted);
        let rest = line.get_mut(at..).unwrap_or_default();
        let is_end = |byte: &u8| match is_quoted {
            true => *byte == b'"',
            false => *byte == b',' || byte.is_ascii_whitespace(),
        };
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        mask(&mut rest[..length]);
    }
}

/// Overwrites numbers in what stands before `<sip:` and its like, quoted or not.
fn mask_display_names(line: &mut [u8]) {
    let Some(mut from) = memchr::memchr(b':', line) else {
        return;
    };
    while let Some(open) = memchr::memchr(b'<', &line[from..]).map(|at| from + at) {
        mask_digits(&mut line[from..open]);
        let Some(close) = memchr::memchr(b'>', &line[open..]).map(|at| open + at) else {
            return;
        };
        // What follows the address are parameters, up to the next address.
        let Some(comma) = memchr::memchr(b',', &line[close..]) else {
            return;
        };
        from = close + comma;
    }
}

/// Overwrites the middle of every user part of an address, and passwords behind it in any case.
fn mask_users(octets: &mut [u8], numbers: Numbers) {
    let lower = octets.to_ascii_lowercase();
    for scheme in [&b"sip:"[..], b"sips:", b"tel:"] {
        for at in memmem::find_iter(&lower, scheme) {
            let from = at + scheme.len();
            let rest = &mut octets[from..];
            let is_end = |byte: &u8| b"<>\"@".contains(byte) || byte.is_ascii_whitespace();
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let is_tel = scheme == b"tel:";
            if !is_tel && rest.get(length) != Some(&b'@') {
                continue;
            }
            let user = &mut rest[..length];
            if !is_tel && let Some(colon) = memchr::memrchr(b':', user) {
                let password = &mut user[colon + 1..];
                if !password.contains(&b';') {
                    cover(password);
                }
            }
            if numbers == Numbers::Masked {
                let end = memchr::memchr2(b';', b':', user).unwrap_or(length);
                let (number, parameters) = user.split_at_mut(end);
                mask(number);
                // An isub, a context, a routing number.
                mask_digits(parameters);
            }
        }
    }
}

/// Overwrites the middle of long numbers in quotes or behind a plus, wherever they stand.
fn mask_long_numbers(octets: &mut [u8]) {
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

/// Overwrites the digits of what may be a number written with blanks and dashes: all but the first
/// and last two of a long one.
fn mask_digits(text: &mut [u8]) {
    let all = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if all < SHORT {
        return;
    }
    let shown = if all < LONG { 0 } else { 2 };
    let digits = text.iter_mut().filter(|byte| byte.is_ascii_digit());
    for digit in digits.skip(shown).take(all - 2 * shown) {
        *digit = b'x';
    }
}

/// Overwrites all but blanks and line ends.
fn cover(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
        *byte = b'x';
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
/// Fewer digits in a name are no number: "Hall 21".
const SHORT: usize = 3;
/// Headers that prove who asks (RFC 3261 §20.7, §20.28).
const CREDENTIALS: [&[u8]; 2] = [b"authorization", b"proxy-authorization"];
/// Headers that prove who answers, with the same password (RFC 7616 §3.5).
const CONFIRMATIONS: [&[u8]; 2] = [b"authentication-info", b"proxy-authentication-info"];
const DIGEST: &[u8] = b"digest";

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
    fn keys_of_secure_media_are_never_shown() {
        let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec7e7|2^20 WSH=64\r\n";
        let shown =
            |text: &str| String::from_utf8(redact(text.as_bytes(), Numbers::Shown)).unwrap();
        let covered = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 xxxxxxxxxxxxxxxxxx xxxxxx\r\n";
        assert_eq!(
            shown(&format!("v=0\r\n{line}a=ptime:20\r\n")),
            format!("v=0\r\n{covered}a=ptime:20\r\n")
        );
        for line in [
            "A=CRYPTO:1 X MIKEY:5ec7e7\n",
            "a=crypto:1\tX\tinline:5ec7e7",
            "\r\n a=crypto:1 X inline:5ec7e7",
            "a=x:INLINE:5ec7e7",
            "c=x\r\nk=clear:5ec7e7\r\n",
        ] {
            assert!(!shown(line).contains("5ec7e7"), "{line}");
        }
        assert_eq!(shown("a=crypto:1"), "a=crypto:1");
    }

    #[test]
    fn keys_that_were_pressed_are_never_shown() {
        let shown =
            |text: &str| String::from_utf8(redact(text.as_bytes(), Numbers::Shown)).unwrap();
        let relay = "INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n";
        assert_eq!(
            shown(&format!("{relay}SIGNAL = 9\r\nDuration=160\r\n")),
            format!("{relay}SIGNAL = x\r\nDuration=160\r\n")
        );
        let bare = "INFO sip:a SIP/2.0\r\nContent-Type: application/DTMF\r\n\r\n";
        assert_eq!(shown(&format!("{bare}9")), format!("{bare}x"));
        // Who only says that he takes them keeps his body.
        let options = "OPTIONS sip:a SIP/2.0\r\nAccept: application/dtmf\r\n\r\nv=0";
        assert_eq!(shown(options), options);
    }

    #[test]
    fn no_way_of_writing_it_shows_what_proves_a_password() {
        for (written, secret) in [
            (
                "Authorization: Digest a=b,\r\n response=\"5ec7e7\"\r\n",
                "5ec7e7",
            ),
            (
                "Authorization: Digest a=b,\n\tresponse=\"5ec7e7\"\n",
                "5ec7e7",
            ),
            ("AUTHORIZATION : DIGEST response = \"5ec7e7\"\r\n", "5ec7e7"),
            (
                "Authorization: Digest response=\r\n \"5ec7e7\"\r\n",
                "5ec7e7",
            ),
            (
                "Proxy-Authorization: Digest response=5ec7e7, a=b\r\n",
                "5ec7e7",
            ),
            (
                "Authentication-Info: rspauth=\"5ec7e7\", qop=auth\r\n",
                "5ec7e7",
            ),
            (
                "Proxy-Authentication-Info: a=b, RSPAUTH = 5ec7e7\r\n",
                "5ec7e7",
            ),
            ("Authorization: Basic NWVjN2U3\r\n", "NWVjN2U3"),
            ("Contact: <sip:user:5ec7e7@h>\r\n", "5ec7e7"),
        ] {
            for start in ["", "\r\n\r\n", "\0\r\n"] {
                let text = format!("{start}REGISTER sip:a SIP/2.0\r\n{written}X: y\r\n\r\n");
                let shown = String::from_utf8(redact(text.as_bytes(), Numbers::Shown)).unwrap();
                assert_eq!(shown, text.replace(secret, &"x".repeat(secret.len())));
            }
        }
    }

    #[test]
    fn no_way_of_writing_it_shows_a_number() {
        for written in [
            "<sip:+819012345678;npdi@h>",
            "<sip:+819012345678;phone-context=+819012345678@h>",
            "<sip:+819012345678:secret@h>",
            "<SIP:+819012345678@h>",
            "<SipS:09012345678@h>",
            "<TEL:+81-90-1234-5678>",
            "<tel:(090)1234-5678;phone-context=+81>",
            "09012345678 <sip:a@h>",
            "\"090-1234-5678\" <sip:a@h>;tag=1, Aoi 090 1234 5678 <sip:b@h>",
            "Aoi\r\n 09012345678 <sip:a@h>",
            "sip:+819012345678@h",
        ] {
            let text = format!("INVITE sip:a@h SIP/2.0\r\nFrom: {written};tag=9876\r\n\r\n");
            let masked = redact(text.as_bytes(), Numbers::Masked);
            assert_eq!(masked.len(), text.len());
            let masked = String::from_utf8(masked).unwrap();
            let is_kept = |byte: &u8| byte.is_ascii_digit() || *byte == b'x';
            let digits: Vec<u8> = masked.bytes().filter(is_kept).collect();
            assert!(memmem::find(&digits, b"1234").is_none(), "{masked}");
            assert!(memmem::find(&digits, b"345").is_none(), "{masked}");
            assert!(masked.contains("tag=9876"), "{masked}");
        }
        let plain = "INVITE sip:a SIP/2.0\r\nFrom: \"Hall 21\" <sip:h:5060;x=1>;tag=1234\r\n\
            Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1234\r\nCSeq: 1234 INVITE\r\n\r\n";
        let masked = redact(plain.as_bytes(), Numbers::Masked);
        assert_eq!(String::from_utf8(masked).unwrap(), plain);
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
            "Authorization: Digest response=\"",
            "Authorization: Digest response",
            "From: <<><",
            "tel:;",
        ] {
            for numbers in [Numbers::Masked, Numbers::Shown] {
                assert_eq!(redact(text.as_bytes(), numbers).len(), text.len(), "{text}");
            }
        }
    }
}
