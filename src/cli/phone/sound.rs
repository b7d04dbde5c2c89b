//! What the phone speaks: a sound file or a tone.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::media::Sound;

/// Reads `--play`: `tone:FREQUENCY` or a sound file.
pub(super) fn load(source: &str) -> anyhow::Result<Arc<Sound>> {
    let sound = match source.strip_prefix("tone:") {
        Some(hertz) => {
            let hertz: f64 = hertz.parse().with_context(|| format!("--play {source}"))?;
            anyhow::ensure!(
                (1.0..4000.0).contains(&hertz),
                "--play {source}: 1 to 3999 Hz"
            );
            Sound::new("phone", tone(hertz))
        }
        None => Sound::read(Path::new(source)).context("--play")?,
    };
    Ok(Arc::new(sound))
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
