//! Brings what a voice says to the level of the prompts, and cuts off the silence around it.

/// Mean level of speech, dB below full scale; that of `sounds/make.py`.
const LEVEL_DB: f64 = -23.0;
/// Highest sample, dB below full scale.
const PEAK_DB: f64 = -3.0;
/// Most that is added, so that a voice that whispers does not hiss.
const MOST_GAIN_DB: f64 = 24.0;
/// What is so much softer than the loudest part is a pause.
const PAUSE_DB: f64 = -35.0;
/// Silence that is left in front, in frames of 20 ms.
const FRONT: usize = 3;
/// Silence that is left behind.
const BEHIND: usize = 10;

/// The same at the level of the prompts; nothing where nothing is to be heard.
pub(super) fn settle(hz: u32, samples: &[i16]) -> Vec<i16> {
    let frame = usize::try_from(hz / 50).unwrap_or(1).max(1);
    let powers: Vec<f64> = samples.chunks(frame).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let is_speech = |power: &f64| *power > 1.0 && *power > loudest * from_db(PAUSE_DB).powi(2);
    let (Some(first), Some(last)) = (
        powers.iter().position(is_speech),
        powers.iter().rposition(is_speech),
    ) else {
        return Vec::new();
    };
    let spoken: Vec<f64> = powers.iter().copied().filter(is_speech).collect();
    // No more than some million frames are ever there.
    let mean = spoken.iter().sum::<f64>() / spoken.len() as f64;
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max();
    let peak = f64::from(peak.unwrap_or(1).max(1));
    let gain = (from_db(LEVEL_DB) * FULL / mean.sqrt())
        .min(from_db(PEAK_DB) * FULL / peak)
        .min(from_db(MOST_GAIN_DB));
    let from = first.saturating_sub(FRONT) * frame;
    let until = ((last + 1 + BEHIND) * frame).min(samples.len());
    let louder = samples[from..until].iter().map(|sample| {
        // The peak stays below full scale.
        (f64::from(*sample) * gain).round() as i16
    });
    louder.collect()
}

const FULL: f64 = 32_768.0;

fn power(frame: &[i16]) -> f64 {
    let sum: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    sum / frame.len().max(1) as f64
}

fn from_db(db: f64) -> f64 {
    10_f64.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f64, samples: usize) -> Vec<i16> {
        let wave = |place| (f64::from(place) * 0.3).sin() * amplitude;
        (0..samples as u32)
            .map(|place| wave(place) as i16)
            .collect()
    }

    #[test]
    fn loud_and_soft_come_to_one_level_and_pauses_around_go() {
        for amplitude in [900.0, 9_000.0, 30_000.0] {
            let mut said = vec![0; 8000];
            said.extend(tone(amplitude, 16_000));
            said.extend(vec![0; 8000]);
            let heard = settle(16_000, &said);
            assert_eq!(heard.len(), 16_000 + 3 * 320 + 10 * 320, "{amplitude}");
            let level = 20.0 * (power(&heard[1600..16_000]).sqrt() / FULL).log10();
            assert!((level - LEVEL_DB).abs() < 0.5, "{amplitude}: {level}");
        }
    }

    #[test]
    fn no_peak_is_cut_and_silence_stays_silence() {
        let mut said = tone(300.0, 16_000);
        said[8000] = 20_000;
        let loudest = settle(16_000, &said).into_iter().max().unwrap();
        assert!(f64::from(loudest) <= FULL * from_db(PEAK_DB) + 1.0);
        assert!(settle(16_000, &[0; 16_000]).is_empty());
        assert!(settle(8_000, &[]).is_empty());
    }
}
