//! Keys as tones, both ways, for a leg whose far end knows no telephone events.

use crate::media::dtmf::{Detector, Generator};
use crate::media::rtp::{Header, sequence_distance};
use crate::media::{Codec, MAX_FRAME, OpusTerms, Rate};

use super::speech::{MAX_PAYLOAD, Speech};

/// What it takes; only a leg that needs it has one.
#[derive(Debug)]
pub(super) struct Tones {
    detector: Detector,
    /// Sequence number of the newest packet heard.
    newest: Option<u16>,
    pub(super) generator: Generator,
    speech: Speech,
    samples: [i16; MAX_FRAME],
}

impl Tones {
    /// For streams of this codec; nothing heard and nothing to send.
    pub(super) fn new(codec: Codec) -> Box<Self> {
        Box::new(Self {
            detector: Detector::new(),
            newest: None,
            generator: Generator::new(),
            speech: Speech::new(codec.rate(), (codec, OpusTerms::default())),
            samples: [0; MAX_FRAME],
        })
    }

    /// Its codec.
    pub(super) fn codec(&self) -> Codec {
        self.speech.voicing().0
    }

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

    /// The next frame of a key, encoded into `payload`; returns its octets, `None` when none is
    /// being sent.
    pub(super) fn frame(&mut self, payload: &mut [u8; MAX_PAYLOAD]) -> Option<usize> {
        let rate = self.codec().rate();
        let samples = &mut self.samples[..rate.frame()];
        let is_sent = self.generator.fill(samples, rate);
        is_sent.then(|| self.speech.say(samples, payload))
    }
}
