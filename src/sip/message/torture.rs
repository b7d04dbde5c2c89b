//! The 49 messages of RFC 4475 and the 12 of RFC 5118, in `tests/data/torture`.

use std::net::IpAddr;
use std::path::PathBuf;

use bytes::Bytes;
use rsip::headers::{ToTypedHeader as _, UntypedHeader as _};
use rsip::message::HeadersExt as _;

use super::{Message, Method};
use crate::sip::{Contacts, HeaderName};

/// Reads one message, such as `valid/wsinv`.
pub(super) fn octets(name: &str) -> Bytes {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.push("tests/data/torture");
    path.push(format!("{name}.sip"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

/// All names, directory first.
pub(super) fn names() -> impl Iterator<Item = String> {
    let valid = VALID.iter().map(|name| format!("valid/{name}"));
    let invalid = INVALID.iter().map(|(name, _)| format!("invalid/{name}"));
    let ipv6 = IPV6.iter().map(|(name, _)| format!("ipv6/{name}"));
    valid.chain(invalid).chain(ipv6)
}

fn valid(name: &str) -> Message {
    Message::parse(octets(&format!("valid/{name}"))).unwrap()
}

const VALID: [&str; 26] = [
    "badbranch",
    "baddate",
    "bcast",
    "bext01",
    "cparam01",
    "cparam02",
    "dblreq",
    "esc01",
    "esc02",
    "escnull",
    "intmeth",
    "inv2543",
    "invut",
    "longreq",
    "lwsdisp",
    "mpart01",
    "noreason",
    "regaut01",
    "regescrt",
    "sdp01",
    "semiuri",
    "transports",
    "unksm2",
    "unreason",
    "wsinv",
    "zeromf",
];

/// With the status they are refused with; 0 for responses, which are dropped.
const INVALID: [(&str, u16); 23] = [
    ("badaspec", 400),
    ("baddn", 400),
    ("badinv01", 400),
    ("badvers", 505),
    ("bigcode", 0),
    ("clerr", 400),
    ("escruri", 400),
    ("insuf", 400),
    ("ltgtruri", 400),
    ("lwsruri", 400),
    ("lwsstart", 400),
    ("mcl01", 400),
    ("mismatch01", 400),
    ("mismatch02", 501),
    ("multi01", 400),
    ("ncl", 400),
    ("novelsc", 416),
    ("quotbal", 400),
    ("regbadct", 400),
    ("scalar02", 400),
    ("scalarlg", 0),
    ("trws", 400),
    ("unkscm", 416),
];

/// RFC 5118, with the status they are refused with; 0 when they are served.
const IPV6: [(&str, u16); 12] = [
    ("ipv4-mapped-ipv6", 0),
    ("ipv6-bad", 400),
    ("ipv6-bug-abnf-3-colons", 400),
    ("ipv6-correct-abnf-2-colons", 0),
    ("ipv6-good", 0),
    ("ipv6-in-sdp", 0),
    ("mult-ip-in-header", 0),
    ("mult-ip-in-sdp", 0),
    ("port-ambiguous", 0),
    ("port-unambiguous", 0),
    ("via-received-param-no-delim", 0),
    ("via-received-param-with-delim", 0),
];

#[test]
fn addresses_of_the_sixth_version_are_read_or_refused() {
    for (name, status) in IPV6 {
        let message = Message::parse(octets(&format!("ipv6/{name}"))).unwrap();
        let refused = message.validate_request().err();
        assert_eq!(
            refused.map_or(0, |refusal| refusal.status),
            status,
            "{name}"
        );
    }
    let message = |name: &str| Message::parse(octets(&format!("ipv6/{name}"))).unwrap();
    let uri = |name| message(name).request_uri().unwrap().unwrap().clone();
    // Without a bracket the digits belong to the address (RFC 5118 §4.3, §4.4).
    assert_eq!(uri("port-ambiguous").port, None);
    assert_eq!(
        uri("port-ambiguous").host,
        "2001:db8::10:5070".parse::<IpAddr>().unwrap().into()
    );
    assert_eq!(uri("port-unambiguous").port, Some(5070));
    let mapped = message("ipv4-mapped-ipv6");
    let mapped = mapped.top_via().unwrap();
    assert_eq!(
        mapped.host,
        "::ffff:192.0.2.10".parse::<IpAddr>().unwrap().into()
    );
    assert_eq!(message("mult-ip-in-header").vias().unwrap().len(), 3);
}

/// rsip 0.4 as an oracle: what it reads of these messages, we read alike.
#[test]
fn another_parser_reads_the_same() {
    let mut read = 0;
    for name in names() {
        let octets = octets(&name);
        let Ok(theirs) = rsip::SipMessage::try_from(octets.to_vec()) else {
            continue;
        };
        let ours = Message::parse(octets).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let rsip::SipMessage::Request(theirs) = &theirs {
            assert_eq!(
                ours.method().to_string(),
                theirs.method.to_string(),
                "{name}"
            );
        }
        if let (Ok(ours), Ok(theirs)) = (ours.call_id(), theirs.call_id_header()) {
            assert_eq!(ours, theirs.value(), "{name}");
        }
        if let (Ok(ours), Ok(theirs)) = (ours.cseq(), theirs.cseq_header()) {
            assert_eq!(Ok(ours.number), theirs.seq().map_err(drop), "{name}");
        }
        let tag = |tag: Result<Option<rsip::common::uri::param::Tag>, rsip::Error>| {
            tag.ok().flatten().map(|tag| tag.value().to_owned())
        };
        if let (Ok(ours), Ok(theirs)) = (ours.from(), theirs.from_header()) {
            assert_eq!(ours.tag().map(str::to_owned), tag(theirs.tag()), "{name}");
        }
        if let (Ok(ours), Ok(theirs)) = (ours.to(), theirs.to_header()) {
            assert_eq!(ours.tag().map(str::to_owned), tag(theirs.tag()), "{name}");
        }
        let theirs_via = theirs.via_header().ok().and_then(|via| via.typed().ok());
        if let (Ok(ours), Some(theirs)) = (ours.top_via(), theirs_via) {
            let branch = theirs.branch().map(|branch| branch.value());
            assert_eq!(ours.branch(), branch, "{name}");
        }
        read += 1;
    }
    println!("rsip reads {read} of 61");
    assert!(read >= 20, "rsip reads only {read}: nothing is compared");
}

#[test]
fn every_valid_message_is_accepted() {
    for name in VALID {
        let message = valid(name);
        if message.is_request() {
            assert_eq!(message.validate_request(), Ok(()), "{name}");
        } else {
            assert_eq!(message.validate_response(), Ok(()), "{name}");
        }
    }
}

#[test]
fn every_invalid_message_is_refused_or_dropped() {
    for (name, status) in INVALID {
        let parsed = Message::parse(octets(&format!("invalid/{name}")));
        match status {
            0 => {
                let is_usable = parsed.is_ok_and(|message| message.validate_response().is_ok());
                assert!(!is_usable, "{name}");
            }
            status => {
                let refusal = parsed.unwrap().validate_request().unwrap_err();
                assert_eq!(refusal.status, status, "{name}: {}", refusal.words);
            }
        }
    }
}

#[test]
fn a_short_tortuous_invite_is_understood() {
    let message = valid("wsinv");
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    let from = message.from().unwrap();
    assert_eq!(from.display.as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.cseq().unwrap().number, 9);
    let vias = message.vias().unwrap();
    let hops: Vec<_> = vias
        .iter()
        .map(|via| (via.transport.as_str(), via.host.to_string()))
        .collect();
    assert_eq!(
        hops,
        [
            ("UDP", "192.0.2.2".to_owned()),
            ("TCP", "spindle.example.com".to_owned()),
            ("UDP", "192.168.255.111".to_owned()),
        ]
    );
    assert_eq!(vias[2].branch(), Some("z9hG4bK30239"));
    assert_eq!(
        message.header(HeaderName::Subject).as_deref(),
        Some(&b""[..])
    );
    assert_eq!(
        message.header_named("newfangledheader").as_deref(),
        Some(&b"newfangled value continued newfangled value"[..])
    );
    assert_eq!(
        message
            .header_named("UnknownHeaderWithUnusualValue")
            .as_deref(),
        Some(&b";;,,;;,;"[..])
    );
    let contacts = message.contacts().unwrap();
    let contact = contacts.first().unwrap();
    assert_eq!(contact.display.as_deref(), Some(r#"Quoted string """#));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(message.body().len(), 150);
}

#[test]
fn a_wide_range_of_characters_is_understood() {
    let message = valid("intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(message.method(), Method::Other(method.into()));
    let to = message.to().unwrap();
    assert_eq!(to.display.as_deref(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    let from = message.from().unwrap();
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(
        from.params.unquoted("fromParam''~+*_!.-%").as_deref(),
        Some("работающий")
    );
    assert_eq!(
        message.header_named("extensionHeader-!.%*+_`'~").as_deref(),
        Some("\u{feff}大停電".as_bytes())
    );
    assert_eq!(
        message.call_id(),
        Ok(r#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#)
    );
}

#[test]
fn escapes_are_undone_once_and_only_where_they_are_escapes() {
    let message = valid("esc01");
    let uri = message.request_uri().unwrap().unwrap();
    assert_eq!(uri.user_decoded(), "sips:user@example.com");
    assert_eq!(message.to().unwrap().uri.user_decoded(), "user");
    let null = valid("escnull");
    assert_eq!(null.to().unwrap().uri.user_decoded(), "null-\0-null");
    let Contacts::Addresses(contacts) = null.contacts().unwrap() else {
        panic!("a star");
    };
    assert!(!contacts[0].uri.is_equivalent(&contacts[1].uri));
    let other = valid("esc02");
    assert_eq!(other.method(), Method::Other("RE%47IST%45R".into()));
    assert_eq!(other.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(other.headers(HeaderName::Contact).count(), 2);
}

#[test]
fn long_doubled_and_binary_messages_keep_their_bounds() {
    let long = valid("longreq");
    assert_eq!(long.vias().unwrap().len(), 34);
    assert_eq!(long.body().len(), 150);
    let double = valid("dblreq");
    assert_eq!(double.body(), b"");
    assert_eq!(double.headers(HeaderName::Via).count(), 1);
    let parts = valid("mpart01");
    assert_eq!(parts.body().len(), 553);
    assert!(parts.body().contains(&0));
}

#[test]
fn reason_phrases_are_free() {
    let phrase = valid("unreason").reason_phrase().into_owned();
    assert_eq!(phrase, "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(valid("noreason").reason_phrase(), "");
    assert_eq!(valid("noreason").status(), Some(100));
}

#[test]
fn what_the_application_decides_about_can_be_seen() {
    assert_eq!(
        valid("bext01").require(),
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    assert!(!valid("badbranch").top_via().unwrap().has_magic_cookie());
    assert!(!valid("invut").content_type().unwrap().is("application/sdp"));
    let parameter_of_header = valid("cparam01").contacts().unwrap();
    assert!(
        parameter_of_header
            .first()
            .unwrap()
            .params
            .has("unknownparam")
    );
    let parameter_of_uri = valid("cparam02").contacts().unwrap();
    let uri = &parameter_of_uri.first().unwrap().uri;
    assert!(uri.params.has("unknownparam"));
    assert_eq!(valid("inv2543").top_via().unwrap().branch(), None);
}
