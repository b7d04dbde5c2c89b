//! Where a recording's files are: a directory for each day, the recording's id as the name.

use crate::base::{RecordingId, Timestamp};

/// Folder of the recordings directory that holds mailboxes instead of a day's recordings.
pub const VOICEMAIL: &str = "voicemail";

/// The path below the recordings directory, without extension: `2026-11-20/jp1-tokyo1-0-k3-1`.
///
/// The day is that of UTC, so that a node keeps its order when it moves or its zone changes.
/// Characters that are no letters, digits, `-`, `_` or inner `.` become `_`.
pub fn stem(recording: &RecordingId, started: Timestamp) -> String {
    let time = started.to_rfc3339();
    let day = time.get(..10).unwrap_or("undated");
    format!("{day}/{}", plain_name(recording.as_str()))
}

/// A text as the name of a file: characters that are no letters, digits, `-`, `_` or inner `.` become
/// `_`.
pub fn plain_name(text: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = text.chars().map(plain).collect();
    match name.trim_matches('.') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_filed_under_its_day_by_its_id() {
        let at = Timestamp::from_millis(1_795_136_523_456);
        let path = |id: &str| stem(&RecordingId::new(id), at);
        assert_eq!(path("jp1-tokyo1-0-k3-1"), "2026-11-20/jp1-tokyo1-0-k3-1");
        assert_eq!(path("../../etc/x"), "2026-11-20/_.._etc_x");
        assert_eq!(path(".."), "2026-11-20/unnamed");
    }
}
