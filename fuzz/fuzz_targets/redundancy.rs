//! Any octets as an RTP packet with a redundant payload: what is read can be written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsunagu::media::rtp::{Packet, unfold, write_redundant};

fuzz_target!(|data: &[u8]| {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let Ok((primary, earlier)) = unfold(&packet) else {
        return;
    };
    let mut buffer = vec![0; data.len()];
    let payload_type = primary.header().payload_type;
    let written = write_redundant(&mut buffer, earlier.blocks(), payload_type, primary.payload());
    assert_eq!(written, Some(packet.payload().len()));
});
