//! `[recording]` of `node.toml`: what recordings are, how long they stay, and whether a call may go
//! on without one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::section::Section;
use crate::call::RecordingTerms;
use crate::media::recorder::MAX_CHANNELS;
use crate::recording::{Format, Limits};

/// How conversations are recorded and kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingSettings {
    /// What the files are. Default WAV.
    pub format: Format,
    /// What holds for each conversation.
    pub terms: RecordingTerms,
    /// How long recordings are kept, and how many bytes of them: the oldest go first. Default all
    /// of them for ever.
    pub limits: Limits,
}

/// Reads the section.
pub(super) fn read(recording: Section<'_>, notes: &Notes) -> RecordingSettings {
    let default = RecordingSettings::default();
    let formats = Format::ALL.map(|format| (format.extension(), format));
    let format = recording.one_of("format", &formats);
    let channels = recording.integer("channels", 2..=MAX_CHANNELS as i64);
    let words = [("go_on", false), ("no_call", true)];
    let required = recording.one_of("without_recording", &words);
    let pause_key = recording.text("pause_key");
    if let Some(key) = &pause_key {
        let is_key = |key: char| key.is_ascii_digit() || "*#".contains(key);
        if !(1..=4).contains(&key.value.len()) || !key.value.chars().all(is_key) {
            let message = format!("\"{}\" are no keys", key.value);
            let help = "write one to four of 0 to 9, * and #, such as \"*1\"";
            notes.error(&key.place, message, help);
        }
    }
    let hour = Duration::from_secs(3600);
    let keep = recording.duration("keep", hour..=hour * 24 * 36_500);
    let megabytes = recording.integer("keep_megabytes", 1..=1 << 40);
    let settings = RecordingSettings {
        format: format.map_or(default.format, |at| at.value),
        terms: RecordingTerms {
            channels: channels.map_or(default.terms.channels, |at| at.value as usize),
            required: required.map_or(default.terms.required, |at| at.value),
            pause_key: pause_key.map(|at| at.value),
        },
        limits: Limits {
            age: keep.map(|at| at.value),
            bytes: megabytes.map(|at| (at.value as u64) << 20),
        },
    };
    recording.close();
    settings
}
