//! Tells speech from the noise of a line, and who is talking from who coughed.

/// Speech is this much louder than the line's noise (9 dB).
const OVER_NOISE: f32 = 2.8;
/// Softer than this is never speech (about -54 dBm0).
const SOFTEST: f32 = 30.0;
/// The noise is believed to grow by 1.5 dB a second, until a pause shows otherwise.
const NOISE_GROWTH: f32 = 1.003_46;

/// Ticks of speech after which somebody talks (100 ms): a click or a breath is not talking.
const TALKS_AFTER: u8 = 5;
/// Ticks without after which nobody does any more (600 ms): a pause between words is talking.
const RESTS_AFTER: u8 = 30;

/// What is known of one talker's line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Activity {
    /// Mean magnitude of the noise, and of the frame before; 0 before the first frame.
    noise: f32,
    before: f32,
    is_speech: bool,
    is_talking: bool,
    /// Ticks that speak for a change of `is_talking`.
    ticks: u8,
}

impl Activity {
    /// Takes a frame's mean magnitude in; says whether it is speech. To be asked only of frames
    /// that are not silent: what was not sent says nothing of the noise.
    pub(crate) fn weigh(&mut self, magnitude: f32) -> bool {
        // The louder of two frames: a frame lost in part is no proof of a quiet line.
        let floor = magnitude.max(self.before);
        self.noise = if self.noise == 0.0 {
            floor
        } else {
            (self.noise * NOISE_GROWTH).min(floor)
        };
        self.before = magnitude;
        self.is_speech = magnitude > SOFTEST && magnitude > self.noise * OVER_NOISE;
        self.is_speech
    }

    /// Takes a silent tick in.
    pub(crate) fn rest(&mut self) {
        self.is_speech = false;
    }

    /// Ends a tick; `Some` when somebody begins to talk or no longer does. Only who is heard talks.
    pub(crate) fn turn(&mut self, is_heard: bool) -> Option<bool> {
        let talks = self.is_speech && is_heard;
        let (needed, ticks) = match (self.is_talking, talks) {
            // Syllables and the gaps between them: evidence fades slower than it gathers.
            (false, true) => (TALKS_AFTER, self.ticks + 2),
            (false, false) => (TALKS_AFTER, self.ticks.saturating_sub(1)),
            (true, true) => (RESTS_AFTER, 0),
            (true, false) => (RESTS_AFTER, self.ticks + 2),
        };
        self.ticks = ticks;
        if ticks < 2 * needed {
            return None;
        }
        self.ticks = 0;
        self.is_talking = !self.is_talking;
        Some(self.is_talking)
    }

    /// Whether the last change was to talking.
    pub(crate) fn is_talking(&self) -> bool {
        self.is_talking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks at which talking begins (positive) and ends (negative).
    fn turns(magnitudes: impl Iterator<Item = f32>) -> Vec<i32> {
        let mut activity = Activity::default();
        let mut turns = Vec::new();
        for (tick, magnitude) in (1..).zip(magnitudes) {
            if magnitude == 0.0 {
                activity.rest();
            } else {
                activity.weigh(magnitude);
            }
            let turn = activity.turn(true);
            turns.extend(turn.map(|on| if on { tick } else { -tick }));
        }
        turns
    }

    #[test]
    fn noise_is_not_talk_however_loud() {
        for loud in [40.0, 500.0, 5000.0] {
            let noise = (0..3000).map(|tick| loud * [0.9, 1.0, 1.1][tick % 3]);
            assert!(turns(noise).is_empty());
        }
    }

    #[test]
    fn words_are_one_talk_and_a_click_is_none() {
        let syllables = |tick: usize| if tick % 12 < 8 { 800.0 } else { 20.0 };
        let talk = (0..500).map(|tick| match tick {
            0..100 => 20.0,
            100 => 3000.0,
            200..350 => syllables(tick),
            _ => 20.0,
        });
        let turns = turns(talk);
        assert!(matches!(turns[..], [200..215, -390..=-370]), "{turns:?}");
    }

    #[test]
    fn changes_are_bounded_whatever_is_said() {
        let mad = (0..50 * 60).map(|tick: u32| (tick.wrapping_mul(2_654_435_761) >> 18) as f32);
        assert!(turns(mad).len() <= 2 * 60);
    }
}
