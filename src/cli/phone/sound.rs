//! What the phone speaks: a WAV file or a tone.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::media::Sound;

/// Reads `--play`: `tone:FREQUENCY` or a WAV file (8 kHz, mono, 16 bit).
pub(super) fn load(source: &str) -> anyhow::Result<Arc<Sound>> {
    let samples = match source.strip_prefix("tone:") {
        Some(hertz) => {
            let hertz: f64 = hertz.parse().with_context(|| format!("--play {source}"))?;
            anyhow::ensure!(
                (1.0..4000.0).contains(&hertz),
                "--play {source}: 1 to 3999 Hz"
            );
            tone(hertz)
        }
        None => read(Path::new(source))?,
    };
    Ok(Arc::new(Sound::new("phone", samples)))
}

/// Ten seconds of a sine, so that whole-numbered frequencies loop without a click.
fn tone(hertz: f64) -> Vec<i16> {
    const AMPLITUDE: f64 = 8000.0;
    (0..80_000)
        .map(|n| {
            let angle = std::f64::consts::TAU * hertz * f64::from(n) / 8000.0;
            (angle.sin() * AMPLITUDE).round() as i16
        })
        .collect()
}

fn read(path: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader =
        hound::WavReader::open(path).with_context(|| format!("--play {}", path.display()))?;
    let spec = reader.spec();
    anyhow::ensure!(
        spec.channels == 1 && spec.sample_rate == 8000 && spec.bits_per_sample == 16,
        "--play {}: {} channels at {} Hz with {} bits; 1 channel at 8000 Hz with 16 bits is needed \
         (sox {} -r 8000 -c 1 -b 16 out.wav)",
        path.display(),
        spec.channels,
        spec.sample_rate,
        spec.bits_per_sample,
        path.display(),
    );
    Ok(reader.samples::<i16>().collect::<Result<_, _>>()?)
}
