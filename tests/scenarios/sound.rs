//! Measuring ears: G.711 decoding, tones by Goertzel, prompts by correlation. All our own here,
//! and none of it shared with the switch.

use std::path::Path;
use std::sync::LazyLock;

/// Samples a second of everything these scenarios hear.
pub(crate) const RATE: f64 = 8_000.0;

/// G.711 μ-law (ITU-T G.711 table 2) to linear.
pub(crate) fn from_pcmu(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = (((i32::from(byte) & 0x0f) << 3) + 0x84) << ((byte & 0x70) >> 4);
    let value = magnitude - 0x84;
    (if byte & 0x80 != 0 { -value } else { value }) as i16
}

/// Linear to G.711 μ-law, by searching the decoder: certain, and slow but once.
pub(crate) fn to_pcmu(sample: i16) -> u8 {
    static NEAREST: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let nearest = |sample: i16| {
            (0..=255u8)
                .min_by_key(|&byte| (i32::from(from_pcmu(byte)) - i32::from(sample)).abs())
                .expect("256 candidates")
        };
        (i16::MIN..=i16::MAX).map(nearest).collect()
    });
    NEAREST[(i32::from(sample) - i32::from(i16::MIN)) as usize]
}

/// G.711 A-law (ITU-T G.711 table 1) to linear.
pub(crate) fn from_pcma(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let segment = (byte & 0x70) >> 4;
    let mantissa = (i32::from(byte) & 0x0f) << 4;
    let value = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    (if byte & 0x80 != 0 { value } else { -value }) as i16
}

/// A sine of `hz`, half of full scale.
pub(crate) fn tone(hz: f64, seconds: f64) -> Vec<i16> {
    sine(hz, seconds, 16_000.0)
}

/// A sine of `hz` that disturbs nobody: 34 dB below full scale.
pub(crate) fn hum(hz: f64, seconds: f64) -> Vec<i16> {
    sine(hz, seconds, 650.0)
}

fn sine(hz: f64, seconds: f64, peak: f64) -> Vec<i16> {
    (0..(seconds * RATE) as usize)
        .map(|n| (peak * (std::f64::consts::TAU * hz * n as f64 / RATE).sin()) as i16)
        .collect()
}

/// Two sines at once, each an eighth of full scale, at so many samples a second.
pub(crate) fn chord(low: f64, high: f64, seconds: f64, rate: f64) -> Vec<i16> {
    let sine = |hz: f64, at: f64| (std::f64::consts::TAU * hz * at / rate).sin();
    (0..(seconds * rate) as usize)
        .map(|n| (4_000.0 * (sine(low, n as f64) + sine(high, n as f64))) as i16)
        .collect()
}

/// Level of `hz` in dB below a full-scale sine, by Goertzel under a Hann window; -200 for none.
pub(crate) fn level_db(samples: &[i16], hz: f64) -> f64 {
    level_db_at(samples, hz, RATE)
}

/// The same of so many samples a second.
pub(crate) fn level_db_at(samples: &[i16], hz: f64, rate: f64) -> f64 {
    if samples.len() < 160 {
        return -200.0;
    }
    let count = samples.len() as f64;
    let step = std::f64::consts::TAU * hz / rate;
    let (mut one, mut two) = (0.0f64, 0.0f64);
    for (n, &sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / count).cos();
        let next = f64::from(sample) * window + 2.0 * step.cos() * one - two;
        two = one;
        one = next;
    }
    let power = one * one + two * two - 2.0 * step.cos() * one * two;
    // A full-scale sine under a Hann window has the magnitude 32768 * count / 4.
    let ratio = power.max(0.0).sqrt() / (32_768.0 * count / 4.0);
    (20.0 * ratio.max(1e-10).log10()).max(-200.0)
}

/// Root mean square in dB below full scale; -200 for silence.
pub(crate) fn loudness_db(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return -200.0;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    let rms = (sum / samples.len() as f64).sqrt() / 32_768.0;
    (20.0 * rms.max(1e-10).log10()).max(-200.0)
}

/// Seconds of `samples` in which `hz` is heard at -40 dB or more, in steps of 20 ms.
pub(crate) fn seconds_of(samples: &[i16], hz: f64) -> f64 {
    let heard = samples
        .chunks_exact(FRAME)
        .filter(|frame| level_db(frame, hz) > -40.0)
        .count();
    heard as f64 * 0.02
}

/// Where `piece` is found in `whole`: sample offset and correlation, 1 for identical.
pub(crate) fn find(piece: &[i16], whole: &[i16]) -> Option<(usize, f64)> {
    Searched::new(whole).find(piece)
}

/// How much louder it gets, from the 10 ms before each sample to the 10 ms after: what stays when a
/// recorder stretches a tone by a sample now and then, to follow a sender's clock.
pub(crate) fn slopes(samples: &[i16]) -> Vec<i16> {
    const SPAN: usize = 80;
    let mut sums = vec![0i64];
    for &sample in samples {
        sums.push(sums[sums.len() - 1] + i64::from(sample).abs());
    }
    let rise = |at: usize| {
        let (from, to) = (at.checked_sub(SPAN)?, at + SPAN);
        let after = sums.get(to)? - sums[at];
        Some((after - (sums[at] - sums[from])) / SPAN as i64)
    };
    (0..samples.len())
        .map(|at| rise(at).unwrap_or(0) as i16)
        .collect()
}

/// A sound in which pieces are looked for; transformed once, for correlation by FFT.
pub(crate) struct Searched {
    spectrum: Vec<Complex>,
    /// Energy of all samples before each position.
    energy: Vec<f64>,
}

/// Real and imaginary part.
type Complex = (f64, f64);

impl Searched {
    /// Prepares `whole`.
    pub(crate) fn new(whole: &[i16]) -> Self {
        let energy = std::iter::once(0.0)
            .chain(whole.iter().scan(0.0, |sum, &sample| {
                *sum += f64::from(sample) * f64::from(sample);
                Some(*sum)
            }))
            .collect();
        // No offset at which the piece lies inside wraps around, so no padding is needed.
        let mut spectrum = complex(whole, whole.len().next_power_of_two());
        transform(&mut spectrum);
        Self { spectrum, energy }
    }

    /// Where `piece` fits best: sample offset and correlation, 1 for identical.
    pub(crate) fn find(&self, piece: &[i16]) -> Option<(usize, f64)> {
        let length = self.energy.len() - 1;
        if piece.is_empty() || length < piece.len() {
            return None;
        }
        let mut product = complex(piece, self.spectrum.len());
        transform(&mut product);
        // The forward transform of the conjugate is the conjugate of the inverse.
        for (own, whole) in product.iter_mut().zip(&self.spectrum) {
            let (re, im) = (
                own.0 * whole.0 + own.1 * whole.1,
                own.0 * whole.1 - own.1 * whole.0,
            );
            *own = (re, -im);
        }
        transform(&mut product);
        let scale = product.len() as f64;
        let own: f64 = piece.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
        (0..=length - piece.len())
            .map(|at| {
                let energy = self.energy[at + piece.len()] - self.energy[at];
                let score = product[at].0 / scale / (own * energy).sqrt().max(1.0);
                (at, score)
            })
            .max_by(|one, other| one.1.total_cmp(&other.1))
    }
}

fn complex(samples: &[i16], size: usize) -> Vec<Complex> {
    let mut values: Vec<Complex> = samples.iter().map(|&s| (f64::from(s), 0.0)).collect();
    values.resize(size.max(1), (0.0, 0.0));
    values
}

/// Fourier transform in place (Cooley and Tukey, radix 2); the length is a power of two.
fn transform(values: &mut [Complex]) {
    let size = values.len();
    let bits = size.trailing_zeros();
    for at in 1..size {
        let mirrored = at.reverse_bits() >> (usize::BITS - bits);
        if at < mirrored {
            values.swap(at, mirrored);
        }
    }
    let turns: Vec<Complex> = (0..size / 2)
        .map(|k| {
            let (sin, cos) = (-std::f64::consts::TAU * k as f64 / size as f64).sin_cos();
            (cos, sin)
        })
        .collect();
    let mut half = 1;
    while half < size {
        let stride = size / (2 * half);
        for group in values.chunks_exact_mut(2 * half) {
            let (low, high) = group.split_at_mut(half);
            let turns = turns.iter().step_by(stride);
            for ((a, b), turn) in low.iter_mut().zip(high).zip(turns) {
                let turned = (b.0 * turn.0 - b.1 * turn.1, b.0 * turn.1 + b.1 * turn.0);
                *b = (a.0 - turned.0, a.1 - turned.1);
                *a = (a.0 + turned.0, a.1 + turned.1);
            }
        }
        half *= 2;
    }
}

/// The loudest stretch of `length` samples: what a correlation should look for.
pub(crate) fn loudest(samples: &[i16], length: usize) -> (usize, &[i16]) {
    let length = length.min(samples.len());
    let (at, _) = (0..=samples.len() - length)
        .step_by(FRAME)
        .map(|at| (at, loudness_db(&samples[at..at + length])))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("at least one stretch");
    (at, &samples[at..at + length])
}

/// All channels of a WAV file of 16 bits.
pub(crate) fn read_wav(path: &Path) -> Vec<Vec<i16>> {
    let mut reader =
        hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let spec = reader.spec();
    assert_eq!(spec.sample_rate, 8_000, "{}", path.display());
    let mut channels = vec![Vec::new(); usize::from(spec.channels)];
    for (n, sample) in reader.samples::<i16>().enumerate() {
        let Ok(sample) = sample else { break };
        channels[n % usize::from(spec.channels)].push(sample);
    }
    channels
}

/// Writes one channel as 16 bits at 8 kHz.
pub(crate) fn write_wav(path: &Path, samples: &[i16]) {
    write_wav_at(path, samples, (8_000, 1));
}

/// The same at another rate, in each of so many channels.
pub(crate) fn write_wav_at(path: &Path, samples: &[i16], (sample_rate, channels): (u32, u16)) {
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for &sample in samples {
        for _ in 0..channels {
            writer.write_sample(sample).expect("room on the disk");
        }
    }
    writer.finalize().expect("room on the disk");
}

/// Samples in 20 ms.
pub(crate) const FRAME: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_decodes_as_the_tables_say() {
        assert_eq!(from_pcmu(0xff), 0);
        assert_eq!(from_pcmu(0x80), 32_124);
        assert_eq!(from_pcmu(0x00), -32_124);
        assert_eq!(from_pcma(0xd5), 8);
        assert_eq!(from_pcma(0xaa), 32_256);
        assert_eq!(from_pcma(0x2a), -32_256);
        for sample in [-30_000i16, -400, -3, 0, 5, 700, 29_000] {
            let error = i32::from(from_pcmu(to_pcmu(sample))) - i32::from(sample);
            assert!(
                error.abs() <= 4 + i32::from(sample).abs() / 25,
                "{sample}: {error}"
            );
        }
    }

    #[test]
    fn ears_tell_tones_apart() {
        let low = tone(440.0, 1.0);
        assert!((level_db(&low, 440.0) + 6.2).abs() < 0.3);
        assert!(level_db(&low, 880.0) < -80.0);
        assert!((seconds_of(&low, 440.0) - 1.0).abs() < 0.001);
        let coded: Vec<i16> = low.iter().map(|&s| from_pcmu(to_pcmu(s))).collect();
        assert!(level_db(&coded, 880.0) < -60.0);
    }

    #[test]
    fn a_piece_is_found_where_it_was_cut() {
        let whole: Vec<i16> = (0..16_000i64)
            .map(|n| ((n * n * 7919) % 20_011 - 10_005) as i16)
            .collect();
        let (at, score) = find(&whole[5_000..6_000], &whole).expect("longer than the piece");
        assert_eq!(at, 5_000);
        assert!(score > 0.999);
    }
}
