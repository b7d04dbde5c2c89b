//! What is said to a leg in its own codec.

use std::time::Duration;

use crate::base::Timestamp;
use crate::media::codec::OpusTerms;
use crate::media::resample::Resampler;
use crate::media::sound::SETTLED;
use crate::media::{Codec, Encoder, FRAME_MS, MAX_FRAME, Rate};

use super::silence::power;

/// Octets of the longest frame of any codec: Opus, RFC 6716 §3.2.1.
pub(super) const MAX_PAYLOAD: usize = 1275;

/// A codec, and what the far end wants of it.
pub(super) type Voicing = (Codec, OpusTerms);

/// Frames of one stream on their way from linear samples of a room to payloads.
#[derive(Debug)]
pub(super) struct Speech {
    encoder: Encoder,
    terms: OpusTerms,
    resampler: Option<Resampler>,
    samples: Box<[i16; MAX_FRAME]>,
}

impl Speech {
    /// For sound of this rate to become packets of this codec, on the far end's terms.
    pub(super) fn new(rate: Rate, (codec, terms): Voicing) -> Self {
        let encoder = Encoder::at(codec, rate, terms);
        let own = encoder.rate();
        Self {
            encoder,
            terms,
            resampler: (own != rate).then(|| Resampler::new(rate, own)),
            samples: Box::new([0; MAX_FRAME]),
        }
    }

    /// Its codec and terms.
    pub(super) fn voicing(&self) -> Voicing {
        (self.encoder.codec(), self.terms)
    }

    /// Whether it takes sound of this rate.
    pub(super) fn takes(&self, rate: Rate) -> bool {
        let resampler = self.resampler.as_ref();
        rate == resampler.map_or(self.encoder.rate(), Resampler::from)
    }

    /// Takes sound of this rate from now on; the stream of packets goes on. An encoder of Opus says
    /// no more than it was made for: a wider room needs another.
    pub(super) fn tune(&mut self, rate: Rate) {
        let own = self.encoder.rate();
        if self.encoder.codec() == Codec::Opus && rate > own {
            *self = Self::new(rate, self.voicing());
        } else if !self.takes(rate) {
            self.resampler = (own != rate).then(|| Resampler::new(rate, own));
        }
    }

    /// Goes on where another of the same codec is. Encoders of Opus may be of different rates, and
    /// what leads to one does not lead to the other.
    fn go_on_from(&mut self, other: &Self) {
        self.encoder.go_on_from(&other.encoder);
        if let (Some(own), Some(other)) = (&mut self.resampler, &other.resampler)
            && (own.from(), own.to()) == (other.from(), other.to())
        {
            own.clone_from(other);
        }
    }

    /// Encodes 20 ms; returns the octets.
    pub(super) fn say(&mut self, frame: &[i16], payload: &mut [u8; MAX_PAYLOAD]) -> usize {
        let Some(resampler) = &mut self.resampler else {
            return self.encoder.encode(frame, payload);
        };
        let samples = &mut self.samples[..self.encoder.rate().frame()];
        resampler.process(frame, samples);
        self.encoder.encode(samples, payload)
    }
}

/// A listener's own stream out of a mix, for the time in which it hears what nobody else does.
#[derive(Debug)]
pub(super) struct OwnMix {
    speech: Speech,
    /// Until when its own stream goes on though others hear the same.
    until: Timestamp,
    /// Whether the last frame was made here.
    is_running: bool,
}

/// A codec with a memory is not to change encoders at every syllable.
const LINGER: Duration = Duration::from_secs(2);

/// Before it ends two encoders are to hear the same for so long: as long as they need to forget
/// what each heard before.
const SETTLING: Duration = Duration::from_millis(FRAME_MS * SETTLED as u64);

impl OwnMix {
    /// For a room of this rate.
    pub(super) fn new(rate: Rate, voicing: Voicing) -> Box<Self> {
        Box::new(Self {
            speech: Speech::new(rate, voicing),
            until: Timestamp::ZERO,
            is_running: false,
        })
    }

    /// Adapts to a room or codec.
    pub(super) fn tune(&mut self, rate: Rate, voicing: Voicing) {
        if self.speech.voicing() == voicing {
            self.speech.tune(rate);
        } else {
            self.speech = Speech::new(rate, voicing);
        }
    }

    /// Whether this tick's frame is to be made here, given whether it is like no other's. The first
    /// goes on from what the others of its class were sent.
    pub(super) fn is_wanted(
        &mut self,
        at: Timestamp,
        is_alone: bool,
        outlet: Option<&Outlet>,
    ) -> bool {
        if is_alone && self.speech.voicing().0.has_memory() {
            self.until = at + LINGER;
        }
        let is_wanted = is_alone || at < self.until;
        if is_wanted
            && !self.is_running
            && let Some(outlet) = outlet
        {
            self.speech.go_on_from(&outlet.speech);
        }
        self.is_running = is_wanted;
        is_wanted
    }

    /// Whether the encoding that others share is soon to go on where this one ends.
    pub(super) fn is_about_to_end(&self, at: Timestamp, is_alone: bool) -> bool {
        !is_alone && self.until.since(at) < SETTLING
    }

    /// Encodes 20 ms; returns the octets.
    pub(super) fn say(&mut self, frame: &[i16], payload: &mut [u8; MAX_PAYLOAD]) -> usize {
        self.speech.say(frame, payload)
    }
}

/// One encoding for all who hear the same mix in the same codec.
#[derive(Debug)]
pub(super) struct Outlet {
    class: usize,
    speech: Speech,
    payload: [u8; MAX_PAYLOAD],
    /// Octets of this tick's payload, once it is made.
    length: Option<usize>,
    /// Mean square of what it was made of.
    power: f32,
}

impl Outlet {
    /// For the listeners of a class in a room of this rate.
    pub(super) fn new(class: usize, rate: Rate, voicing: Voicing) -> Self {
        Self {
            class,
            speech: Speech::new(rate, voicing),
            payload: [0; MAX_PAYLOAD],
            length: None,
            power: 0.0,
        }
    }

    /// Whether it serves listeners of this class, codec and terms.
    pub(super) fn serves(&self, class: usize, voicing: Voicing) -> bool {
        (self.class, self.speech.voicing()) == (class, voicing)
    }

    /// Whether it says things in this codec, on these terms.
    pub(super) fn says(&self, voicing: Voicing) -> bool {
        self.speech.voicing() == voicing
    }

    /// Goes on where another of the same codec is.
    pub(super) fn go_on_from(&mut self, other: &Self) {
        self.speech.go_on_from(&other.speech);
    }

    /// Adapts to the room's rate.
    pub(super) fn tune(&mut self, rate: Rate) {
        self.speech.tune(rate);
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self) {
        self.length = None;
    }

    /// This tick's payload and the mean square of what is in it, made by `hear` and encoded when the
    /// first asks for it.
    pub(super) fn payload(
        &mut self,
        frame: &mut [i16],
        hear: impl FnOnce(&mut [i16]),
    ) -> (&[u8], f32) {
        let length = match self.length {
            Some(length) => length,
            None => {
                hear(frame);
                self.power = power(frame);
                let length = self.speech.say(frame, &mut self.payload);
                *self.length.insert(length)
            }
        };
        (&self.payload[..length], self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Decoder, Tone};

    /// The loudness of a tone that came through a stream of Opus, mean square.
    fn heard(speech: &mut Speech, rate: Rate, hz: f64) -> f32 {
        // A tone counts in samples of 8 kHz.
        let mut tone = Tone::new(hz * 8_000.0 / f64::from(rate.hz()), -16.0);
        let mut ear = Decoder::new(Codec::Opus);
        let (mut frame, mut decoded) = ([0; MAX_FRAME], [0; MAX_FRAME]);
        let mut payload = [0; MAX_PAYLOAD];
        let mut length = 0;
        for _ in 0..10 {
            tone.fill(&mut frame[..rate.frame()]);
            let octets = speech.say(&frame[..rate.frame()], &mut payload);
            length = ear.decode(&payload[..octets], &mut decoded);
        }
        power(&decoded[..length])
    }

    #[test]
    fn opus_is_as_wide_as_a_room_that_becomes_wider() {
        let voicing = (Codec::Opus, OpusTerms::default());
        let mut speech = Speech::new(Rate::Narrow, voicing);
        speech.tune(Rate::Full);
        let kept = heard(&mut speech, Rate::Full, 6_000.0);
        let whole = heard(&mut Speech::new(Rate::Full, voicing), Rate::Full, 6_000.0);
        assert!(kept > whole / 2.0, "{kept} of {whole}");
    }

    #[test]
    fn one_goes_on_from_another_whose_encoder_is_of_another_rate() {
        let voicing = (Codec::Opus, OpusTerms::default());
        let [mut wide, mut narrow] =
            [Rate::Full, Rate::Narrow].map(|rate| Speech::new(rate, voicing));
        wide.tune(Rate::Wide);
        narrow.resampler = Some(Resampler::new(Rate::Wide, Rate::Narrow));
        wide.go_on_from(&narrow);
        let kept = heard(&mut wide, Rate::Wide, 1_000.0);
        let whole = heard(&mut Speech::new(Rate::Wide, voicing), Rate::Wide, 1_000.0);
        assert!(kept > whole / 2.0, "{kept} of {whole}");
    }
}
