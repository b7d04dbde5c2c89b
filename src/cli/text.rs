//! Text on a terminal: how wide it is, how times and sizes read.

use std::fmt::Display;
use std::io::Write;

use owo_colors::{OwoColorize, Style};

use crate::base::Timestamp;

/// Prints; colours are taken out when standard output is no terminal or `NO_COLOR` is set.
pub(super) fn print(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
}

/// Styled text; plain once [`print`] finds that nobody sees colours.
pub(super) fn paint(text: impl Display, style: Style) -> String {
    text.style(style).to_string()
}

/// What matters less.
pub(super) fn faint(text: impl Display) -> String {
    paint(text, Style::new().dimmed())
}

/// What matters more.
pub(super) fn strong(text: impl Display) -> String {
    paint(text, Style::new().bold())
}

/// Text from the network, free of what would steer the terminal.
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Columns a text takes on a terminal: East Asian wide characters take two (UAX #11), combining
/// ones none, escape sequences none.
pub(super) fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // Ours are `ESC [ ... m` alone.
            characters.by_ref().find(|c| c.is_ascii_alphabetic());
            continue;
        }
        columns += columns_of(character);
    }
    columns
}

/// The text with spaces after it up to `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The text with spaces before it up to `columns`.
pub(super) fn pad_left(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(missing))
}

/// Minutes, seconds, milliseconds: `0:03.100`, `1:02:03.456`.
pub(super) fn clock(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}:{seconds:02}.{ms:03}"),
        (hours, minutes) => format!("{hours}:{minutes:02}:{seconds:02}.{ms:03}"),
    }
}

/// A length of time at a glance: `45 ms`, `3.1 s`, `1 min 05 s`, `2 h 07 min`.
pub(super) fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A size: `1.9 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Date and time of day on the operator's wall.
pub(super) fn local(at: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(instant) => {
            let zone = jiff::tz::TimeZone::system();
            instant.to_zoned(zone).strftime(format).to_string()
        }
        Err(_) => at.to_rfc3339(),
    }
}

fn columns_of(character: char) -> usize {
    let code = u32::from(character);
    let within = |table: &[(u32, u32)]| {
        let after = table.partition_point(|(_, last)| *last < code);
        table.get(after).is_some_and(|(first, _)| *first <= code)
    };
    if code < 0x300 {
        1
    } else if within(&ZERO) {
        0
    } else if within(&WIDE) {
        2
    } else {
        1
    }
}

/// Combining marks, joiners and selectors of the scripts names are written in here.
const ZERO: [(u32, u32); 8] = [
    (0x300, 0x36f),
    (0x483, 0x489),
    (0x200b, 0x200f),
    (0x20d0, 0x20ff),
    (0x3099, 0x309a),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
    (0xe0100, 0xe01ef),
];

/// East Asian Width W and F (UAX #11), neighbours joined.
const WIDE: [(u32, u32); 15] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x2329, 0x232a),
    (0x2e80, 0x303e),
    (0x3041, 0x4dbf),
    (0x4e00, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe10, 0xfe19),
    (0xfe30, 0xfe6f),
    (0xff01, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1faff),
    (0x20000, 0x3fffd),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_takes_two_columns_and_colour_none() {
        assert_eq!(width("佐藤 花子"), 9);
        assert_eq!(width("ｻﾄｳ"), 3);
        assert_eq!(width("か\u{3099}"), 2);
        assert_eq!(width("Müller"), 6);
        assert_eq!(width(&strong("花子")), 4);
        assert_eq!(pad("花子", 6), "花子  ");
        assert_eq!(pad_left("花子", 5), " 花子");
    }

    #[test]
    fn tables_are_in_order() {
        for table in [&ZERO[..], &WIDE[..]] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn times_and_sizes_read_easily() {
        assert_eq!(clock(3_100), "0:03.100");
        assert_eq!(clock(3_723_456), "1:02:03.456");
        assert_eq!(
            [45, 3_199, 65_432, 7_620_000].map(length),
            ["45 ms", "3.1 s", "1 min 05 s", "2 h 07 min"]
        );
        assert_eq!(size(1_933_868), "1.9 MB");
    }
}
