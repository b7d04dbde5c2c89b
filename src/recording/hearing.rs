//! Listens to a recording of one leg for a tone: how long it was sent, how long it came back.

use std::io;
use std::path::Path;

use crate::media::recorder::Reader;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// How long the tone was sent (right channel), ms.
    pub sent_ms: u64,
    /// How long it was received (left channel), ms.
    pub heard_ms: u64,
    /// How long anything at all was received, ms.
    pub heard_any_ms: u64,
    /// From the first moment it was sent to the first it was received.
    pub delay_ms: Option<u64>,
}

/// Measures a tone of `hz` in a stereo recording.
///
/// # Errors
///
/// When the file cannot be read or is none of ours.
pub fn hear_tone(path: &Path, hz: f64) -> io::Result<Hearing> {
    let mut reader = Reader::open(path)?;
    let rate = f64::from(reader.hz());
    // 20 ms.
    let window = reader.hz() as usize / 50;
    let mut samples = Vec::new();
    while samples.len() < window * LONGEST && reader.read(&mut samples)? {}
    let channel = |offset: usize| -> Vec<f64> {
        let samples = samples.iter().skip(offset).step_by(2);
        samples.map(|sample| f64::from(*sample)).collect()
    };
    let (left, right) = (channel(0), channel(1));
    let places = |samples: &[f64]| -> Vec<usize> {
        let windows = samples.chunks_exact(window).enumerate();
        let tonal = windows.filter(|(_, window)| is_tone(window, hz / rate));
        tonal.map(|(place, _)| place).collect()
    };
    let (heard, sent) = (places(&left), places(&right));
    let any = left.chunks_exact(window).filter(|it| energy(it) > SILENCE);
    let delay = heard
        .first()
        .zip(sent.first())
        .map(|(heard, sent)| heard.saturating_sub(*sent) as u64 * WINDOW_MS);
    Ok(Hearing {
        sent_ms: sent.len() as u64 * WINDOW_MS,
        heard_ms: heard.len() as u64 * WINDOW_MS,
        heard_any_ms: any.count() as u64 * WINDOW_MS,
        delay_ms: delay,
    })
}

/// Whether a window holds little but the tone of so many periods a sample: Goertzel's power
/// against all power.
fn is_tone(window: &[f64], frequency: f64) -> bool {
    let all = energy(window);
    if all < SILENCE {
        return false;
    }
    let length = window.len() as f64;
    let coefficient = 2.0 * (std::f64::consts::TAU * frequency).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in window {
        (before, last) = (last, sample + coefficient * last - before);
    }
    let power = last * last + before * before - coefficient * last * before;
    // A pure tone has power N²A²/4 here and mean square A²/2.
    power / (length * length / 2.0) > all * 0.5
}

fn energy(window: &[f64]) -> f64 {
    window.iter().map(|sample| sample * sample).sum::<f64>() / window.len() as f64
}

const WINDOW_MS: u64 = 20;
/// About -50 dBm0.
const SILENCE: f64 = 4_000.0;
/// Windows of both channels that are looked at: two minutes.
const LONGEST: usize = 2 * 50 * 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_tone_that_comes_back_from_one_that_does_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let wave = |n: usize, hz: f64| {
            ((n as f64 * hz * std::f64::consts::TAU / 8000.0).sin() * 8000.0) as i16
        };
        let write = |name: &str, back_hz: f64| {
            let path = directory.path().join(name);
            let spec = hound::WavSpec {
                channels: 2,
                sample_rate: 8000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut file = hound::WavWriter::create(&path, spec).expect("a file");
            for n in 0..16_000 {
                let back = if n < 800 { 0 } else { wave(n, back_hz) };
                file.write_sample(back).expect("written");
                file.write_sample(wave(n, 1004.0)).expect("written");
            }
            file.finalize().expect("whole");
            path
        };
        let echo = hear_tone(&write("echo.wav", 1004.0), 1004.0).expect("readable");
        assert_eq!(
            (echo.sent_ms, echo.heard_ms, echo.delay_ms),
            (2000, 1900, Some(100))
        );
        let other = hear_tone(&write("other.wav", 440.0), 1004.0).expect("readable");
        assert_eq!((other.heard_ms, other.heard_any_ms), (0, 1900));
        assert!(hear_tone(Path::new("/nowhere.wav"), 1004.0).is_err());
    }
}
