//! Keys as tones, both ways, for a leg whose far end knows no telephone events.

use crate::media::dtmf::{Detector, Generator};
use crate::media::rtp::{Header, sequence_distance};
use crate::media::{Codec, FRAME_SAMPLES, Rate};

/// What it takes; only a leg that needs it has one.
#[derive(Debug, Default)]
pub(super) struct Tones {
    detector: Detector,
    /// Sequence number of the newest packet heard.
    newest: Option<u16>,
    pub(super) generator: Generator,
}

impl Tones {
    /// Listens to what a packet brought. A copy, or one that comes too late, is not heard; what is
    /// missing is an interruption.
    pub(super) fn hear(
        &mut self,
        header: &Header,
        (samples, rate): (&[i16], Rate),
        pressed: impl FnMut(char),
    ) {
        let is_newer = |newest| sequence_distance(header.sequence, newest) > 0;
        if self.newest.is_none_or(is_newer) {
            self.newest = Some(header.sequence);
            self.detector.hear(samples, rate, pressed);
        }
    }

    /// The next frame of a key; `None` when none is being sent.
    pub(super) fn frame(&mut self, codec: Codec) -> Option<[u8; FRAME_SAMPLES]> {
        let mut samples = [0; FRAME_SAMPLES];
        let mut payload = [0; FRAME_SAMPLES];
        self.generator.fill(&mut samples, Rate::Narrow).then(|| {
            codec.encode(&samples, &mut payload);
            payload
        })
    }
}
