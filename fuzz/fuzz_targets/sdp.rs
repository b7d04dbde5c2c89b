//! Any octets as an offer and as an answer: what we write must be read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsunagu::sdp::{AudioCodec, CodecOrder, Description, Direction, LocalMedia};
use tsunagu::sdp::{LocalCrypto, ReportTerms, accept_answer, answer};

fuzz_target!(|data: &[u8]| {
    let Ok(description) = Description::parse(data) else {
        return;
    };
    let again = Description::parse(&description.to_bytes()).expect("what we write is read");
    assert_eq!(again.media.len(), description.media.len());
    let local = LocalMedia {
        address: ([127, 0, 0, 1], 40000).into(),
        rtcp: None,
        codecs: AudioCodec::ALL.to_vec(),
        ptime_ms: 20,
        telephone_event: Some(101),
        dtmf_redundancy: true,
        comfort_noise: true,
        order: CodecOrder::Theirs,
        direction: Direction::SendRecv,
        reports: ReportTerms::default(),
        crypto: LocalCrypto::default(),
        session_id: 1,
        session_version: 1,
    };
    if let Ok((answer, _)) = answer(&local, &description, None) {
        let read = Description::parse(&answer.to_bytes()).expect("our answers are read");
        assert_eq!(read.media.len(), description.media.len());
    }
    let _ = accept_answer(&local, &description);
});
