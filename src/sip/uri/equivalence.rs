//! When two URIs mean the same (RFC 3261 §19.1.4).

use super::escape::decode;
use super::{Scheme, Uri};

pub(super) fn are_equivalent(a: &Uri, b: &Uri) -> bool {
    if a == b {
        return true;
    }
    if a.scheme != b.scheme {
        return false;
    }
    match a.scheme {
        Scheme::Sip | Scheme::Sips => are_equivalent_sip(a, b),
        Scheme::Tel => tel_digits(a) == tel_digits(b) && are_params_equivalent(a, b),
        Scheme::Other(_) => false,
    }
}

fn are_equivalent_sip(a: &Uri, b: &Uri) -> bool {
    a.user.is_some() == b.user.is_some()
        && a.user_decoded() == b.user_decoded()
        && a.password.as_deref().map(decode) == b.password.as_deref().map(decode)
        && a.host.is_same(&b.host)
        && a.port == b.port
        && are_params_equivalent(a, b)
        && are_headers_equivalent(a, b)
}

/// A parameter in both must match; `user`, `ttl`, `method`, `maddr` and `transport` must be in
/// both or in none.
fn are_params_equivalent(a: &Uri, b: &Uri) -> bool {
    let holds = |one: &Uri, other: &Uri| {
        one.params.iter().all(|(name, value)| {
            let value = value.map(decode).unwrap_or_default();
            match other.params.value(name) {
                Some(theirs) => value.eq_ignore_ascii_case(&decode(theirs)),
                None => !MUST_BE_IN_BOTH
                    .iter()
                    .any(|must| must.eq_ignore_ascii_case(name)),
            }
        })
    };
    holds(a, b) && holds(b, a)
}

/// Headers are never ignored; their order is.
fn are_headers_equivalent(a: &Uri, b: &Uri) -> bool {
    let sorted = |uri: &Uri| {
        let mut fields: Vec<String> = uri
            .headers
            .iter()
            .flat_map(|text| text.split('&'))
            .map(|field| {
                let (name, value) = field.split_once('=').unwrap_or((field, ""));
                format!("{}={}", name.to_ascii_lowercase(), decode(value))
            })
            .collect();
        fields.sort_unstable();
        fields
    };
    sorted(a) == sorted(b)
}

/// The number without visual separators (RFC 3966 §4).
fn tel_digits(uri: &Uri) -> String {
    uri.user_decoded()
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

const MUST_BE_IN_BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
        let there = are_equivalent(&a, &b);
        assert_eq!(there, are_equivalent(&b, &a), "{a} {b}");
        there
    }

    /// The examples of RFC 3261 §19.1.4.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (a, b) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+81-3-1234-5678", "tel:+81312345678"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            (
                "sip:bob@biloxi.com:6000;transport=tcp",
                "sip:bob@biloxi.com;transport=tcp",
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            (
                "sip:carol@chicago.com;security=off",
                "sip:carol@chicago.com;security=on",
            ),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
