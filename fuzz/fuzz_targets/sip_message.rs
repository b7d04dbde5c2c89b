//! Any octets: parse, use every view, answer; the answer must be well formed.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tsunagu::sip::{HeaderName, Message, NameAddr, ResponseBuilder};

fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    let _ = (message.validate_request(), message.validate_response());
    let _ = (message.method(), message.status(), message.reason_phrase());
    let _ = (message.request_uri(), message.cseq(), message.call_id());
    let _ = (message.max_forwards(), message.expires(), message.min_expires());
    let _ = (message.require(), message.supported(), message.content_type());
    let _ = (message.routes(), message.record_routes(), message.body());
    for (name, _) in message.header_lines() {
        let name = std::str::from_utf8(name).expect("names are tokens");
        assert!(message.header_named(name).is_some());
    }
    for address in [message.from(), message.to()].into_iter().flatten() {
        let again = NameAddr::parse(&address.to_string()).expect("printed addresses parse");
        assert_eq!(again.uri, address.uri);
    }
    if let Ok(vias) = message.vias() {
        for via in vias {
            assert_eq!(tsunagu::sip::Via::parse(&via.to_string()), Ok(via));
        }
    }
    let _ = message.contacts();
    let response = ResponseBuilder::response(&message, 400, None)
        .to_tag("tag")
        .received_from(([127, 0, 0, 1], 5060).into())
        .header(HeaderName::Server, "fuzz")
        .build();
    let response = Message::parse(response).expect("our responses parse");
    assert_eq!(response.defect(), None);
});
