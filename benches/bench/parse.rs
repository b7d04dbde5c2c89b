//! How long a real INVITE takes to parse.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use tsunagu::sip::Message;

use crate::statistics::Spread;

/// Nanoseconds to index one INVITE, and to read what a transaction and a call need of it.
pub(crate) fn run() {
    let invite = Bytes::from_static(INVITE.as_bytes());
    let plain = nanoseconds(|| {
        black_box(Message::parse(black_box(invite.clone())).expect("a valid INVITE"));
    });
    let typed = nanoseconds(|| {
        let message = Message::parse(black_box(invite.clone())).expect("a valid INVITE");
        let _ = black_box((message.top_via(), message.from(), message.to()));
        let _ = black_box((message.call_id(), message.cseq(), message.contacts()));
        let _ = black_box((message.request_uri(), message.max_forwards()));
    });
    println!(
        "parse       INVITE of {} bytes: {plain:.0} ns; with eight typed headers {typed:.0} ns",
        invite.len()
    );
}

fn nanoseconds(mut work: impl FnMut()) -> Spread {
    let mut once = || {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        started.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    };
    once();
    Spread::of(&(0..9).map(|_| once()).collect::<Vec<_>>())
}

const ROUNDS: u32 = 50_000;

/// What a session border controller sends; a carrier's own names replaced.
const INVITE: &str = "INVITE sip:+81312345678@203.0.113.5:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK0a1b2c3d4e5f;rport\r\n\
Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bKffeeddccbbaa;received=198.51.100.9\r\n\
Record-Route: <sip:198.51.100.1;lr;ftag=8a7b6c>\r\n\
Max-Forwards: 69\r\n\
From: \"Yamada Taro\" <sip:+819012345678@carrier.example.jp;user=phone>;tag=8a7b6c5d4e3f\r\n\
To: <sip:+81312345678@203.0.113.5;user=phone>\r\n\
Call-ID: 0c9f8e7d6b5a43210fedcba987654321@198.51.100.9\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:+819012345678@198.51.100.9:5060;transport=udp>\r\n\
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r\n\
Supported: 100rel, timer, replaces, histinfo\r\n\
Session-Expires: 1800;refresher=uac\r\n\
Min-SE: 90\r\n\
P-Asserted-Identity: <sip:+819012345678@carrier.example.jp;user=phone>\r\n\
User-Agent: Carrier-SBC/9.4.2\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 279\r\n\
\r\n\
v=0\r\n\
o=- 20518 0 IN IP4 198.51.100.9\r\n\
s=call\r\n\
c=IN IP4 198.51.100.9\r\n\
t=0 0\r\n\
m=audio 54312 RTP/AVP 0 8 96\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:96 telephone-event/8000\r\n\
a=fmtp:96 0-15\r\n\
a=ptime:20\r\n\
a=maxptime:60\r\n\
a=sendrecv\r\n";
