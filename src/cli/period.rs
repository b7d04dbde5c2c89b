//! Which journal, and which stretch of it.

use std::path::PathBuf;

use anyhow::Context;

use crate::base::{Language, Timestamp};
use crate::store::PastJournal;

/// Which journal, and which stretch of it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Period {
    #[command(flatten)]
    pub(super) file: JournalFile,

    /// From when on: `2026-11-21 09:00`, `09:00` (today), `2h` (ago), or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(super) since: Option<Timestamp>,

    /// Until when, likewise
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(super) until: Option<Timestamp>,
}

/// Which journal. It is only read, be the switch running or not.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct JournalFile {
    /// The router's journal
    #[arg(
        long,
        env = "TSUNAGU_JOURNAL",
        default_value = "var/journal.db",
        value_name = "FILE"
    )]
    journal: PathBuf,
}

/// Which language is spoken.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Speech {
    /// Words in English (`en`) or Japanese (`ja`); else as the terminal's locale says
    #[arg(long, env = "TSUNAGU_LANGUAGE", value_name = "LANGUAGE")]
    language: Option<Language>,
}

impl JournalFile {
    /// Opens it.
    pub(super) fn open(&self) -> anyhow::Result<PastJournal> {
        PastJournal::open(&self.journal).context(
            "cannot read the journal; it is `journal.db` in the data directory (--journal)",
        )
    }
}

impl Speech {
    /// The language.
    pub(super) fn language(self) -> Language {
        self.language.unwrap_or_else(|| {
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|locale| !locale.is_empty());
            Language::of_locale(&locale.unwrap_or_default())
        })
    }
}

/// The router's shard; there is one.
pub(super) const SHARD: u16 = 0;

fn instant(text: &str) -> Result<Timestamp, String> {
    read(text, &jiff::Zoned::now())
        .ok_or_else(|| "write `2026-11-21 09:00`, `09:00`, `2h` or RFC 3339".to_owned())
}

/// A time as people write it; what says no zone is on the clock of `now`.
pub(super) fn read(text: &str, now: &jiff::Zoned) -> Option<Timestamp> {
    if let Some(instant) = Timestamp::parse_rfc3339(text) {
        return Some(instant);
    }
    let zone = now.time_zone().clone();
    let at = if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        at.to_zoned(zone).ok()?
    } else if let Ok(time) = text.parse::<jiff::civil::Time>() {
        now.date().to_datetime(time).to_zoned(zone).ok()?
    } else {
        let span: jiff::Span = text.trim_start_matches('-').parse().ok()?;
        now.checked_sub(span).ok()?
    };
    Some(Timestamp::from_micros(at.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: jiff::Zoned = "2026-11-21T15:30:00+09:00[Asia/Tokyo]".parse().unwrap();
        let at = |text: &str| read(text, &now).map(Timestamp::to_rfc3339);
        for (text, wanted) in [
            ("2026-11-20 09:00", "2026-11-20T00:00:00.000Z"),
            ("2026-11-20T09:00:01.5", "2026-11-20T00:00:01.500Z"),
            ("2026-11-20", "2026-11-19T15:00:00.000Z"),
            ("09:00", "2026-11-21T00:00:00.000Z"),
            ("2h", "2026-11-21T04:30:00.000Z"),
            ("1d 30m", "2026-11-20T06:00:00.000Z"),
            ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00.000Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "yesterday", "25:00", "2026-13-01"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
