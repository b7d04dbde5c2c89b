//! What an operator sees of a call's wire: ladder, capture file, HEP packets at a collector.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use pcap_file::pcap::PcapReader;

use super::office::Office;
use super::phone::Answering;
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn a_call_is_seen_as_ladder_as_capture_and_at_the_collector() {
    let _turn = quiet::shared();
    let collector = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let patience = Some(Duration::from_millis(500));
    collector.set_read_timeout(patience).expect("a socket");
    let mut office = Office::prepare();
    let address = collector.local_addr().expect("bound");
    office.set("TSUNAGU_TRACE_HEP", address);
    office.set("TSUNAGU_TRACE_HEP_AGENT", 77);
    office.start();
    let mut caller = office.phone(1005, Answering::Manual, &tone(440.0, 60.0));
    let mut callee = office.phone(1006, Answering::Auto, &tone(880.0, 60.0));
    caller.dial("1006");
    caller.event("CALL_ESTABLISHED");
    callee.event("CALL_ESTABLISHED");

    // While they talk: two seconds of both legs' media beside the signalling so far.
    let file = office.folder().join("call.pcap");
    let path = file.to_str().expect("a plain path");
    office.ask(&["call", "last", "--pcap", path, "--seconds", "2"]);
    let octets = std::fs::read(&file).expect("the capture");
    let mut reader = PcapReader::new(&octets[..]).expect("a capture file");
    let (mut sip, mut rtp, mut last) = (Vec::new(), BTreeSet::new(), Duration::ZERO);
    let mut media = 0;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole packet");
        assert!(packet.timestamp >= last, "in the order of time");
        last = packet.timestamp;
        let payload = &packet.data[28..];
        match payload[0] >> 6 {
            // RTP, version 2: from whom to whom.
            2 => {
                media += 1;
                rtp.insert((packet.data[12..20].to_vec(), packet.data[20..24].to_vec()));
            }
            _ => sip.push(String::from_utf8_lossy(payload).into_owned()),
        }
    }
    let starts = |text: &str| {
        sip.iter()
            .filter(|message| message.starts_with(text))
            .count()
    };
    assert_eq!(
        starts("INVITE sip:1006"),
        3,
        "unproved, proved, and on to the callee"
    );
    assert_eq!(starts("SIP/2.0 200 "), 2);
    assert!(
        sip.iter().all(|message| !message.contains("REGISTER sip:")),
        "of this call alone"
    );
    let secret = |message: &&String| message.contains("\r\nAuthorization: ");
    let proved: Vec<_> = sip.iter().filter(secret).collect();
    assert!(
        proved
            .iter()
            .all(|message| message.contains("response=\"xxxx")),
        "{proved:?}"
    );
    assert!(!proved.is_empty());
    // Two legs, two ways, fifty packets a second each, RTCP besides.
    assert!(rtp.len() >= 4, "{rtp:?}");
    assert!(
        (300..520).contains(&media),
        "{media} packets of media in two seconds"
    );

    caller.hang_up();
    callee.event("CALL_CLOSED");
    office.records(1);
    let ladder = office.ask(&["call", "last", "--sip"]);
    let arrows = [
        "INVITE sdp",
        "401 INVITE",
        "ACK",
        "INVITE sdp",
        "100 INVITE",
        "INVITE sdp",
        "180 INVITE",
        "180 INVITE",
        "200 INVITE sdp",
        "ACK",
        "200 INVITE sdp",
        "ACK",
        "BYE",
        "200 BYE",
        "BYE",
        "200 BYE",
    ];
    let mut rest = ladder.as_str();
    for arrow in [
        "INVITE sdp",
        "401 INVITE",
        "INVITE sdp",
        "200 INVITE sdp",
        "BYE",
        "200 BYE",
    ] {
        let at = rest
            .find(arrow)
            .unwrap_or_else(|| panic!("no {arrow} in order:\n{ladder}"));
        rest = &rest[at + arrow.len()..];
    }
    for arrow in arrows {
        assert!(ladder.contains(arrow), "no {arrow}:\n{ladder}");
    }
    assert!(ladder.contains(&caller.address.to_string()), "{ladder}");
    let whole = office.ask(&["call", "last", "--sip", "--whole"]);
    assert!(
        whole.contains("Max-Forwards:") && whole.contains("m=audio"),
        "{whole}"
    );

    let mut packets = Vec::new();
    let mut buffer = [0; 65_536];
    while let Ok(length) = collector.recv(&mut buffer) {
        assert!(buffer.starts_with(b"HEP3"));
        packets.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    let exported = |text: &str| packets.iter().any(|packet| packet.contains(text));
    assert!(exported("INVITE sip:1006@") && exported("REGISTER sip:") && exported("BYE sip:"));
    assert!(exported("tokyo1"), "the node's name");
    wait::until_true("the counters", wait::PATIENCE, || {
        let metrics = office.api.metrics();
        metrics.get("tsunagu_hep_sent_total").copied() >= Some(packets.len() as f64)
    });
}
