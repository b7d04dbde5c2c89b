//! Any stream, cut in two ways: the same frames come out, and what comes out parses with the
//! body it was cut with.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tsunagu::sip::{Frame, FrameError, Message, StreamFramer, StreamLimits};

fuzz_target!(|data: &[u8]| {
    let Some((&chunk, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(chunk).max(1));
    // Limits look at what has arrived, so only the frames before an error must agree.
    let both = whole.iter().zip(&pieces);
    assert!(both.clone().all(|(a, b)| a == b || a.is_err() || b.is_err()));
    for frame in whole.into_iter().flatten() {
        if let Frame::Message(bytes) = frame
            && let Ok(message) = Message::parse(bytes)
        {
            assert_ne!(message.defect(), Some("body shorter than Content-Length"));
            assert_ne!(message.defect(), Some("malformed Content-Length"));
        }
    }
});

fn frames(stream: &[u8], size: usize) -> Vec<Result<Frame, FrameError>> {
    let mut framer = StreamFramer::new(StreamLimits::default());
    let mut frames = Vec::new();
    for piece in stream.chunks(size) {
        framer.push(piece);
        frames.extend(std::iter::from_fn(|| framer.next()));
    }
    frames
}
