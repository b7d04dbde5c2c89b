//! The text of a recurrence rule (RFC 5545 §3.3.10): `FREQ=MONTHLY;BYDAY=2TU`.

use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::recurrence::{Frequency, NthWeekday, Recurrence, RecurrenceError, RecurrenceSpec};

/// Why a text is no recurrence rule of dates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RruleError {
    /// A part that says a thing twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// A part without `=`, or one that dates do not have here.
    #[error(
        "\"{0}\" is no part of a rule of dates; there are FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, \
             BYMONTHDAY, BYDAY, BYSETPOS and WKST"
    )]
    Part(String),
    /// No FREQ.
    #[error("FREQ is missing")]
    NoFrequency,
    /// A value that cannot be read.
    #[error("{part} cannot be \"{value}\"")]
    Value {
        /// The part.
        part: String,
        /// Its value.
        value: String,
    },
    /// UNTIL is an instant, and where its day is asked for is not known.
    #[error(
        "UNTIL is \"{0}\", a time in UTC, and nothing says in which time zone the days are meant"
    )]
    Zone(String),
    /// Parts that make no recurrence.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
}

/// Why a value names no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayError {
    /// It is no DATE and no DATE-TIME.
    Form,
    /// It is an instant, and no zone is known whose day it could be.
    Zone,
}

/// Reads a rule whose first day is `first`. The days are those of `zone`: an UNTIL in UTC is the day
/// that it is there.
///
/// # Errors
///
/// The first part that is wrong.
pub fn parse(text: &str, first: Date, zone: Option<&TimeZone>) -> Result<Recurrence, RruleError> {
    let mut spec = RecurrenceSpec::new(first, Frequency::Yearly);
    let mut seen: Vec<String> = Vec::new();
    for part in text.trim().split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| RruleError::Part(part.to_owned()))?;
        let key = key.trim().to_ascii_uppercase();
        if seen.contains(&key) {
            return Err(RruleError::Twice(key));
        }
        take(&mut spec, &key, value.trim(), zone)?;
        seen.push(key);
    }
    match seen.iter().any(|key| key == "FREQ") {
        true => Ok(Recurrence::new(spec)?),
        false => Err(RruleError::NoFrequency),
    }
}

fn take(
    spec: &mut RecurrenceSpec,
    key: &str,
    value: &str,
    zone: Option<&TimeZone>,
) -> Result<(), RruleError> {
    let wrong = || RruleError::Value {
        part: key.to_owned(),
        value: value.to_owned(),
    };
    match key {
        "FREQ" => {
            let known = FREQUENCIES.iter();
            let mut found = known.filter(|(word, _)| value.eq_ignore_ascii_case(word));
            spec.frequency = found.next().ok_or_else(wrong)?.1;
        }
        "INTERVAL" => spec.interval = number(value).ok_or_else(wrong)?,
        "COUNT" => spec.count = Some(number(value).ok_or_else(wrong)?),
        "UNTIL" => {
            spec.last = Some(day(value, zone).map_err(|error| match error {
                DayError::Form => wrong(),
                DayError::Zone => RruleError::Zone(value.to_owned()),
            })?);
        }
        "BYMONTH" => spec.months = list(value, number).ok_or_else(wrong)?,
        "BYMONTHDAY" => spec.month_days = list(value, number).ok_or_else(wrong)?,
        "BYSETPOS" => spec.positions = list(value, number).ok_or_else(wrong)?,
        "BYDAY" => spec.weekdays = list(value, nth_weekday).ok_or_else(wrong)?,
        "WKST" => spec.week_start = weekday(value).ok_or_else(wrong)?,
        _ => return Err(RruleError::Part(key.to_owned())),
    }
    Ok(())
}

fn list<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let items = value.split(',').take(MOST_ITEMS);
    items.map(|item| read(item.trim())).collect()
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// The day of a DATE or a DATE-TIME (§3.3.4, §3.3.5): of a local time the one that is written, of a
/// time in UTC the one that it is in `zone`.
pub(super) fn day(value: &str, zone: Option<&TimeZone>) -> Result<Date, DayError> {
    let (digits, time) = value.split_at_checked(8).ok_or(DayError::Form)?;
    let date = date(digits).ok_or(DayError::Form)?;
    if time.is_empty() {
        return Ok(date);
    }
    let time = time.strip_prefix('T').ok_or(DayError::Form)?;
    let (time, is_utc) = match time.strip_suffix('Z') {
        Some(time) => (time, true),
        None => (time, false),
    };
    let time = time_of_day(time).ok_or(DayError::Form)?;
    // Some programs dress up a date as midnight of UTC. As an instant it would be the evening before
    // west of Greenwich, where no day begins, and the same day in the east.
    if !is_utc || time == Time::midnight() {
        return Ok(date);
    }
    let zone = zone.ok_or(DayError::Zone)?;
    let instant = TimeZone::UTC.to_timestamp(date.to_datetime(time));
    let instant = instant.map_err(|_| DayError::Form)?;
    Ok(zone.to_datetime(instant).date())
}

/// `235959`.
fn time_of_day(digits: &str) -> Option<Time> {
    if digits.len() != 6 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (hour, rest) = digits.split_at(2);
    let (minute, second) = rest.split_at(2);
    // A leap second (60) is of the same day as the one before.
    let second = number::<i8>(second)?;
    let second = if second == 60 { 59 } else { second };
    Time::new(number(hour)?, number(minute)?, second, 0).ok()
}

/// `20261231`.
pub(super) fn date(digits: &str) -> Option<Date> {
    if digits.len() != 8 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at(4);
    let (month, day) = rest.split_at(2);
    Date::new(number(year)?, number(month)?, number(day)?).ok()
}

/// `MO`, `2TU`, `-1FR`.
fn nth_weekday(text: &str) -> Option<NthWeekday> {
    let begin = text.len().checked_sub(2)?;
    let (nth, day) = (text.get(..begin)?, text.get(begin..)?);
    let nth = match nth {
        "" => None,
        nth => Some(number(nth)?),
    };
    Some(NthWeekday {
        nth,
        weekday: weekday(day)?,
    })
}

fn weekday(text: &str) -> Option<Weekday> {
    let known = WEEKDAYS.iter();
    let mut found = known.filter(|(word, _)| text.eq_ignore_ascii_case(word));
    Some(found.next()?.1)
}

const FREQUENCIES: [(&str, Frequency); 4] = [
    ("DAILY", Frequency::Daily),
    ("WEEKLY", Frequency::Weekly),
    ("MONTHLY", Frequency::Monthly),
    ("YEARLY", Frequency::Yearly),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// More than a recurrence takes, so that it says so.
const MOST_ITEMS: usize = 400;
