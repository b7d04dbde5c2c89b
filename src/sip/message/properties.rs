//! What holds for every message: printing is undone by parsing, another parser reads the same,
//! and nothing that arrives makes us panic.

use bytes::Bytes;
use proptest::prelude::*;
use rsip::headers::{ToTypedHeader as _, UntypedHeader as _};
use rsip::message::HeadersExt as _;

use super::torture;
use super::{Message, Method, RequestBuilder, ResponseBuilder};
use crate::base::Entropy;
use crate::sip::{
    Asserted, Diversion, Frame, HeaderName, HistoryEntry, Host, NameAddr, Params, Privacy,
    RemoteParty, StreamFramer, StreamLimits, Telephone, Uri, Via, diversions,
};

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._!%*+`'~-]{1,12}"
}

fn params() -> impl Strategy<Value = Params> {
    let value = prop_oneof![
        token().prop_map(Some),
        Just(None),
        "[ -!#-\\[\\]-~あ-ん]{0,8}".prop_map(|text| Some(format!("\"{text}\""))),
    ];
    proptest::collection::vec((token(), value), 0..4).prop_map(|list| {
        let mut params = Params::default();
        for (name, value) in list {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z][a-z0-9-]{0,5}){0,2}".prop_map(Host::Name),
        any::<[u8; 4]>().prop_map(|octets| Host::V4(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Host::V6(octets.into())),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let uri_params = proptest::collection::vec(
        (
            "[a-z]{1,8}",
            proptest::option::of("[a-zA-Z0-9._:/&+$\\[\\]%-]{1,8}"),
        ),
        0..3,
    );
    let port = proptest::option::of(any::<u16>());
    ("\\PC{0,10}", host(), port, uri_params, any::<bool>()).prop_map(
        |(user, host, port, params, is_secure)| {
            let mut uri = Uri::sip(&user, host, port);
            for (name, value) in params {
                uri = uri.with_param(&name, value.as_deref());
            }
            if is_secure {
                uri.scheme = crate::sip::Scheme::Sips;
            }
            uri
        },
    )
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    (
        proptest::option::of("[^\\x00-\\x1f\\x7f]{0,12}"),
        uri(),
        params(),
    )
        .prop_map(|(display, uri, params)| NameAddr {
            // Control characters, C1 included, are replaced when written.
            display: display.map(|text| text.replace(char::is_control, "")),
            uri,
            params,
        })
}

proptest! {
    #[test]
    fn addresses_survive_printing(address in name_addr()) {
        prop_assert_eq!(Uri::parse(&address.uri.to_string()), Ok(address.uri.clone()));
        prop_assert!(address.uri.is_equivalent(&address.uri));
        prop_assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }

    #[test]
    fn hops_survive_printing(
        transport in token(), host in host(), port in any::<Option<u16>>(), params in params()
    ) {
        let via = Via { transport, host, port, params };
        prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
    }

    #[test]
    fn messages_survive_being_built(
        uri in uri(), from in name_addr(), to in name_addr(),
        name in "X-[a-zA-Z]{1,8}", value in "[^\\x00\\r\\n]{0,30}",
        body in proptest::collection::vec(any::<u8>(), 0..64)
    ) {
        let bytes = RequestBuilder::request(Method::Invite, &uri)
            .header(HeaderName::From, &from)
            .header(HeaderName::To, &to)
            .raw_header(name.as_bytes(), value.as_bytes())
            .body("application/octet-stream", body.clone())
            .build();
        let message = Message::parse(bytes).unwrap();
        prop_assert_eq!(message.defect(), None);
        prop_assert_eq!(message.request_uri(), Some(Ok(&uri)));
        prop_assert_eq!(message.from(), Ok(&from));
        prop_assert_eq!(message.to(), Ok(&to));
        prop_assert_eq!(message.body(), &body[..]);
        let kept = message.header_named(&name).unwrap();
        let wanted = value.trim_matches([' ', '\t']);
        prop_assert_eq!(&*kept, wanted.as_bytes());
    }

    /// rsip 0.4 as an oracle, on messages it can read: long names, no folds, no IPv6.
    #[test]
    fn another_parser_reads_the_same(
        user in "[a-z0-9]{1,8}", host in "[a-z]{1,8}(\\.[a-z]{2,5}){1,2}", port in 1u16..,
        branch in "[a-zA-Z0-9]{1,16}", tag in "[a-z0-9]{1,10}", call_id in "[a-z0-9@.-]{1,20}",
        number in 0u32..1 << 31, hops in 0u8.., body in "[ -~]{0,40}",
        method in prop_oneof![
            Just(Method::Invite), Just(Method::Bye), Just(Method::Register), Just(Method::Options)
        ],
    ) {
        let uri = Uri::sip(&user, Host::Name(host.clone()), Some(port));
        let bytes = RequestBuilder::request(method.clone(), &uri)
            .header(
                HeaderName::Via,
                format_args!("SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch}"),
            )
            .header(HeaderName::MaxForwards, hops)
            .header(HeaderName::From, format_args!("\"A B\" <sip:a@{host}>;tag={tag}"))
            .header(HeaderName::To, format_args!("<sip:b@{host}>"))
            .header(HeaderName::CallId, &call_id)
            .header(HeaderName::CSeq, format_args!("{number} {method}"))
            .header(HeaderName::Contact, format_args!("<{uri}>"))
            .body("text/plain", body.clone())
            .build();
        let ours = Message::parse(bytes.clone()).unwrap();
        let theirs = rsip::Request::try_from(bytes.to_vec()).unwrap();
        prop_assert_eq!(ours.method().to_string(), theirs.method.to_string());
        let our_uri = ours.request_uri().unwrap().unwrap();
        prop_assert_eq!(our_uri.to_string(), theirs.uri.to_string());
        prop_assert_eq!(ours.call_id().unwrap(), theirs.call_id_header().unwrap().value());
        let cseq = theirs.cseq_header().unwrap().seq().unwrap();
        prop_assert_eq!(ours.cseq().unwrap().number, cseq);
        let their_tag = theirs.from_header().unwrap().tag().unwrap().unwrap();
        let our_from = ours.from().unwrap();
        prop_assert_eq!(our_from.tag(), Some(their_tag.value()));
        let their_via = theirs.via_header().unwrap().typed().unwrap();
        let our_via = ours.top_via().unwrap();
        prop_assert_eq!(our_via.branch(), their_via.branch().map(|branch| branch.value()));
        prop_assert_eq!(our_via.host.to_string(), their_via.uri.host().to_string());
        let their_hops = theirs.max_forwards_header().unwrap().num().unwrap();
        prop_assert_eq!(ours.max_forwards().map(u32::from), Some(their_hops));
        prop_assert_eq!(ours.body(), &theirs.body[..]);
        prop_assert_eq!(ours.header_lines().count(), theirs.headers.iter().count());
    }
}

/// Uses everything a message offers, and answers it.
fn use_all(message: &Message) {
    let _ = (message.validate_request(), message.validate_response());
    let _ = (message.method(), message.status(), message.reason_phrase());
    let _ = (message.request_uri(), message.vias(), message.cseq());
    let _ = (message.from(), message.to(), message.contacts());
    let _ = (message.max_forwards(), message.expires(), message.routes());
    let _ = (message.content_type(), message.require(), message.body());
    for name in [
        HeaderName::PAssertedIdentity,
        HeaderName::PPreferredIdentity,
    ] {
        let asserted = Asserted::read(message, name);
        let _ = (asserted.number(), asserted.display());
    }
    let history: Vec<HistoryEntry> = message
        .tokens(HeaderName::HistoryInfo)
        .iter()
        .filter_map(|value| HistoryEntry::parse(value).ok())
        .collect();
    let _ = diversions(&history);
    for (name, _) in message.header_lines() {
        let name = String::from_utf8_lossy(name);
        assert!(message.header_named(&name).is_some());
    }
    if let Ok(from) = message.from() {
        let again = NameAddr::parse(&from.to_string()).unwrap();
        assert_eq!(again.uri, from.uri);
    }
    let response = ResponseBuilder::response(message, 400, None)
        .to_tag("t")
        .received_from(([127, 0, 0, 1], 5060).into())
        .build();
    assert_eq!(Message::parse(response).unwrap().defect(), None);
}

/// One to four random changes of the kind that hurts parsers.
fn mutate(octets: &mut Vec<u8>, other: &[u8], entropy: &mut Entropy) {
    const SPECIAL: &[u8] = b"\r\n\r\n \t:;,<>\"\\@?=%/[]*\0\xff\xe9SIP/2.0 -1 99999999999999999999";
    let mut below = |bound: usize| entropy.below(bound as u64) as usize;
    for _ in 0..=below(4) {
        let at = below(octets.len() + 1);
        let to = (at + below(40)).min(octets.len());
        match below(6) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..to)),
            2 => {
                let from = below(SPECIAL.len());
                let some = SPECIAL[from..].iter().take(1 + below(6)).copied();
                drop(octets.splice(at..at, some.collect::<Vec<_>>()));
            }
            3 => {
                let some = octets.get(at..to).unwrap_or_default().to_vec();
                drop(octets.splice(at..at, some));
            }
            4 => {
                let from = below(other.len().max(1));
                let some = other.get(from..).unwrap_or_default();
                drop(octets.splice(at..to, some.iter().take(60).copied()));
            }
            _ => {
                if let Some(octet) = octets.get_mut(at) {
                    *octet ^= 1 << below(8);
                }
            }
        }
    }
}

#[test]
fn no_mutation_of_the_torture_messages_panics() {
    let corpus: Vec<Bytes> = torture::names()
        .map(|name| torture::octets(&name))
        .collect();
    let mut entropy = Entropy::from_seed(4475);
    for _ in 0..MUTATIONS {
        let one = &corpus[entropy.below(corpus.len() as u64) as usize];
        let other = &corpus[entropy.below(corpus.len() as u64) as usize];
        let mut octets = one.to_vec();
        mutate(&mut octets, other, &mut entropy);
        let mut framer = StreamFramer::new(StreamLimits::default());
        framer.push(&octets);
        while let Some(Ok(frame)) = framer.next() {
            // What was cut out of a stream has the body it was cut with.
            if let Frame::Message(framed) = frame
                && let Ok(message) = Message::parse(framed)
            {
                assert!(message.defect().is_none_or(|why| !why.contains("shorter")));
            }
        }
        if let Ok(message) = Message::parse(octets.into()) {
            use_all(&message);
        }
    }
}

/// About a second in a debug build; the fuzz targets go on from here.
const MUTATIONS: usize = 8000;

proptest! {
    /// Headers that say who calls, of any text: read without harm, printed as they were read.
    #[test]
    fn identities_survive_printing(address in name_addr(), text in "\\PC{0,60}", index in 1u16..) {
        for value in [text.clone(), format!("{address};{text}"), format!("{address};index={index}")] {
            if let Ok(diversion) = Diversion::parse(&value) {
                prop_assert_eq!(Diversion::parse(&diversion.to_string()), Ok(diversion));
            }
            if let Ok(entry) = HistoryEntry::parse(&value) {
                let _ = (entry.cause(), entry.privacy());
                prop_assert_eq!(HistoryEntry::parse(&entry.to_string()), Ok(entry));
            }
            let _ = RemoteParty::parse(&value);
            let privacy = Privacy::parse(&value);
            prop_assert_eq!(Privacy::parse(&privacy.to_string()), privacy);
        }
        if let Some(telephone) = Telephone::of(&address.uri) {
            prop_assert!(!telephone.number.is_empty());
            let _ = telephone.in_context();
        }
    }
}
