//! Measuring ears: what received packets sound like, and how loud one frequency is in it.

use tsunagu::base::Timestamp;
use tsunagu::media::rtp::{self, Header};
use tsunagu::media::{Codec, FRAME_SAMPLES};

/// A packet a far end received.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) at: Timestamp,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Got {
    /// The codec of its payload type; `None` for telephone events.
    fn codec(&self) -> Option<Codec> {
        [Codec::Pcmu, Codec::Pcma]
            .into_iter()
            .find(|codec| codec.payload_type() == self.header.payload_type)
    }
}

/// The samples of received audio, by RTP timestamp from the first on; missing ones are silent.
pub(crate) fn listen(got: &[Got]) -> Vec<i16> {
    let mut heard = Vec::new();
    let mut first = None;
    for packet in got {
        let Some(codec) = packet.codec() else {
            continue;
        };
        let first = *first.get_or_insert(packet.header.timestamp);
        let place = rtp::distance(packet.header.timestamp, first);
        let place = usize::try_from(place).expect("no packet is older than the first");
        assert!(place < 8000 * 3600, "timestamps leap: {place} samples");
        let mut samples = vec![0; packet.payload.len()];
        codec.decode(&packet.payload, &mut samples);
        heard.resize(heard.len().max(place + samples.len()), 0);
        heard[place..place + samples.len()].copy_from_slice(&samples);
    }
    heard
}

/// Level of one frequency in dB below a full-scale sine (Goertzel).
pub(crate) fn level(samples: &[i16], hz: f64) -> f64 {
    if samples.is_empty() {
        return -200.0;
    }
    let turn = std::f64::consts::TAU * hz / 8000.0;
    let coefficient = 2.0 * turn.cos();
    let (mut a, mut b) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + coefficient * a - b;
        (a, b) = (next, a);
    }
    let power = a * a + b * b - coefficient * a * b;
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len() as f64;
    20.0 * (amplitude.max(1e-9) / 32_768.0).log10()
}

/// Loudness in dB below full scale.
pub(crate) fn loudness(samples: &[i16]) -> f64 {
    let sum: f64 = samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum();
    let mean = (sum / samples.len().max(1) as f64).sqrt() / 32_768.0;
    20.0 * mean.max(1e-9).log10()
}

/// How like `piece` the best place in `whole` is: 1 is the same, whatever the loudness.
/// Looks at every eighth place and then around the best, which is enough for speech.
pub(crate) fn likeness(piece: &[i16], whole: &[i16]) -> f64 {
    let score = |offset: usize| {
        let (mut dot, mut own, mut its) = (0.0, 0.0, 0.0);
        for (a, b) in piece.iter().zip(&whole[offset..]) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            dot += a * b;
            own += a * a;
            its += b * b;
        }
        dot / (own * its).sqrt().max(1.0)
    };
    let Some(last) = whole.len().checked_sub(piece.len()) else {
        return 0.0;
    };
    (0..=last).map(score).fold(0.0, f64::max)
}

/// What is wrong with a stream: it must be one SSRC, its sequence numbers must rise by one, its
/// timestamps by one frame; `seams` of them may insert or drop one. Returns how many did.
pub(crate) fn irregularities(got: &[Got]) -> Result<usize, String> {
    let mut irregular = 0;
    let audio: Vec<&Got> = got.iter().filter(|got| got.codec().is_some()).collect();
    for pair in audio.windows(2) {
        let (a, b) = (&pair[0].header, &pair[1].header);
        if a.ssrc != b.ssrc {
            return Err(format!("another SSRC at {}", pair[1].at));
        }
        if b.sequence != a.sequence.wrapping_add(1) {
            return Err(format!(
                "{} after {} at {}",
                b.sequence, a.sequence, pair[1].at
            ));
        }
        let step = rtp::distance(b.timestamp, a.timestamp);
        let frame = FRAME_SAMPLES as i32;
        match step {
            step if step == frame => {}
            step if step == 0 || step == 2 * frame => irregular += 1,
            step => return Err(format!("timestamps step by {step} at {}", pair[1].at)),
        }
    }
    Ok(irregular)
}
