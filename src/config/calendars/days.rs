//! Hours, weekdays and dates as they are written.

use jiff::civil::{Date, Weekday};

use super::super::notes::Notes;
use super::super::section::{At, Section};
use super::super::source::Place;
use super::super::words::remedy;
use super::spot;
use crate::calendar::{Effect, Hours, Interval, Week};

/// `weekly`: hours by weekday, or by `mon-fri`; a weekday that is left out is closed.
pub(super) fn read_week(section: &Section<'_>, notes: &Notes) -> Option<Week> {
    let table = section.section("weekly", "weekly hours")?;
    let mut week = Week {
        days: Default::default(),
        spot: spot(table.place()),
    };
    for (key, texts) in section.texts_table("weekly") {
        let hours = read_hours(&texts, &key.place, notes);
        let Some(days) = weekdays(&key, notes) else {
            continue;
        };
        for day in days {
            let (known, written) = &mut week.days[day];
            if written.replace(spot(&key.place)).is_some() {
                let message = format!("{} has hours twice", WEEKDAYS[day].0);
                notes.error(&key.place, message, "name each weekday once");
            }
            known.clone_from(&hours);
        }
    }
    Some(week)
}

/// `mon`, `sat-sun`, `fri-mon`: weekdays from Monday, 0.
fn weekdays(key: &At<String>, notes: &Notes) -> Option<Vec<usize>> {
    let number = |word: &str| {
        let mut known = WEEKDAYS.iter();
        let found = known.position(|(name, _)| *name == word.trim());
        if found.is_none() {
            let names: Vec<&str> = WEEKDAYS.iter().map(|(name, _)| *name).collect();
            let message = format!("there is no weekday `{}`", word.trim());
            notes.error(&key.place, message, remedy(word, &names, "they are"));
        }
        found
    };
    let (first, last) = key
        .value
        .split_once('-')
        .unwrap_or((&key.value, &key.value));
    let (first, last) = (number(first)?, number(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Some((first..first + count).map(|day| day % 7).collect())
}

/// Hours as a list of stretches, or the word `closed`.
pub(super) fn read_hours(texts: &[At<String>], place: &Place, notes: &Notes) -> Hours {
    if let [only] = texts
        && only.value.trim() == "closed"
    {
        return Hours::CLOSED;
    }
    let mut intervals = Vec::new();
    for text in texts {
        for part in text.value.split(',') {
            match Interval::parse(part.trim()) {
                Ok(interval) => intervals.push(interval),
                Err(error) => notes.error(&text.place, error.to_string(), HOURS_HELP),
            }
        }
    }
    Hours::new(intervals).unwrap_or_else(|error| {
        notes.error(
            place,
            error.to_string(),
            "let each stretch begin after the last has ended",
        );
        Hours::CLOSED
    })
}

/// `open = [...]`, `closed = true`, or hours by weekday: one of them.
pub(super) fn read_effect(section: &Section<'_>, notes: &Notes) -> Effect {
    let open = section.texts("open");
    let closed = section.flag("closed");
    let week = match section.has("weekly") {
        true => read_week(section, notes),
        false => None,
    };
    let place = section.place();
    if let Some(closed) = closed.as_ref().filter(|closed| !closed.value) {
        let message = "`closed = false` says nothing of hours";
        notes.error(&closed.place, message, "write open = [\"09:00-18:00\"]");
    }
    match (open, closed, week) {
        (Some(open), None, None) => {
            if open.is_empty() {
                let help = "write closed = true";
                notes.error(place, "`open` without hours", help);
            }
            Effect::Hours(read_hours(&open, place, notes))
        }
        (None, Some(_), None) => Effect::Hours(Hours::CLOSED),
        (None, None, Some(week)) => Effect::Week(Box::new(week)),
        (None, None, None) => {
            let help = "add closed = true, or open = [\"09:00-12:00\"]";
            notes.error(place, "open or closed?", help);
            Effect::Hours(Hours::CLOSED)
        }
        _ => {
            let help = "keep one of `open`, `closed` and `weekly`";
            notes.error(place, "open and closed at once", help);
            Effect::Hours(Hours::CLOSED)
        }
    }
}

/// A date that must be there.
pub(super) fn required_date(section: &Section<'_>, key: &'static str) -> Option<At<Date>> {
    section.demand(key, "2026-12-31");
    read_date(section, key)
}

/// A date that may be left out.
pub(super) fn read_date(section: &Section<'_>, key: &'static str) -> Option<At<Date>> {
    section.parsed(key, DATE_HELP, date)
}

/// `2026-12-31`, and nothing after it.
pub(super) fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("\"{text}\" is no date");
    match text.len() {
        10 => text.parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// The weekday of a word.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let mut known = WEEKDAYS.iter();
    let (_, weekday) = known.find(|(name, _)| *name == word)?;
    Some(*weekday)
}

/// From Monday on.
pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const HOURS_HELP: &str = "an example: \"09:00-12:00\"; \"18:00-24:00\" until midnight, \
                          \"22:00-02:00\" past it";
pub(super) const DATE_HELP: &str = "write year, month and day, such as 2026-12-31";
