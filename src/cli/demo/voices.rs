//! What the two people say to each other, spoken by `sounds/demo/generate.sh`.

use super::plot::Who;

/// One thing said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) who: Who,
    pub(super) words: &'static str,
    /// File name of the sound.
    pub(super) name: &'static str,
    /// The sound, a WAV file.
    pub(super) sound: &'static [u8],
}

/// The conversation.
pub(super) const LINES: [Line; 4] = [
    Line {
        who: Who::Suzuki,
        words: "Tsunagu sales, Ken'ichi speaking. How can I help you?",
        name: "agent-1.wav",
        sound: include_bytes!("../../../sounds/demo/agent-1.wav"),
    },
    Line {
        who: Who::Caller,
        words: "Hello! Two boxes of green tea, please. As always.",
        name: "caller-1.wav",
        sound: include_bytes!("../../../sounds/demo/caller-1.wav"),
    },
    Line {
        who: Who::Suzuki,
        words: "With pleasure. They will be with you tomorrow.",
        name: "agent-2.wav",
        sound: include_bytes!("../../../sounds/demo/agent-2.wav"),
    },
    Line {
        who: Who::Caller,
        words: "Wonderful. Thank you, and goodbye!",
        name: "caller-2.wav",
        sound: include_bytes!("../../../sounds/demo/caller-2.wav"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_can_be_played_by_a_phone() {
        for line in LINES {
            let reader = hound::WavReader::new(line.sound).unwrap();
            let spec = reader.spec();
            assert_eq!(
                (spec.channels, spec.sample_rate, spec.bits_per_sample),
                (1, 8000, 16)
            );
            assert!(reader.duration() > 8000, "{}", line.name);
        }
    }
}
