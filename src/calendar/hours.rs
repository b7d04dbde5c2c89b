//! Hours of one day: stretches on the wall clock, in whole minutes.

use std::fmt;

/// A stretch of a day on the wall clock; its end is not in it.
///
/// Shown as it is written: `09:00-12:00`, `22:00-02:00` past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// Minutes from midnight, 0 to 1439.
    start: u16,
    /// Minutes from the same midnight, above `start` and at the most a day later.
    end: u16,
}

/// When a day is open: stretches in order, none touching another. None at all: closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    intervals: Vec<Interval>,
}

/// Why a text is no hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Not `HH:MM-HH:MM`.
    #[error("\"{0}\" is no stretch of a day")]
    Form(String),
    /// A time of day that there is not.
    #[error("there is no time \"{0}\"")]
    Time(String),
    /// Two stretches have a minute in common.
    #[error("{0} and {1} overlap")]
    Overlap(Interval, Interval),
    /// Too many stretches.
    #[error("{0} stretches in a day; at most {MOST_INTERVALS}")]
    TooMany(usize),
}

/// An hour each: more is a slip of the hand.
const MOST_INTERVALS: usize = 24;

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

impl Interval {
    /// Reads `09:00-12:00`. `24:00`, and `00:00` as an end, are the midnight at the end of the day;
    /// an end before the start is on the next day.
    ///
    /// # Errors
    ///
    /// Another form, or a time that there is not.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        let form = || HoursError::Form(text.to_owned());
        let (start, end) = text.split_once(['-', '\u{2013}']).ok_or_else(form)?;
        let (start, end) = (time(start.trim())?, time(end.trim())?);
        if start == DAY || start == end {
            return Err(form());
        }
        let end = if end < start { end + DAY } else { end };
        Ok(Self { start, end })
    }

    /// Minutes from midnight to its start, 0 to 1439.
    pub fn start(self) -> u16 {
        self.start
    }

    /// Minutes from the same midnight to its end; above 1440 when it ends on the next day.
    pub fn end(self) -> u16 {
        self.end
    }

    /// How long it is, in minutes.
    pub fn minutes(self) -> u16 {
        self.end - self.start
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.end > DAY {
            self.end - DAY
        } else {
            self.end
        };
        let (start, minutes) = (self.start / 60, self.start % 60);
        write!(f, "{start:02}:{minutes:02}-{:02}:{:02}", end / 60, end % 60)
    }
}

fn time(text: &str) -> Result<u16, HoursError> {
    let wrong = || HoursError::Time(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| -> Option<u16> {
        let is_written =
            matches!(digits.len(), 1..=2) && digits.bytes().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|_| is_written)
    };
    let (hour, minute_number) = (number(hour), number(minute));
    match (hour, minute_number) {
        (Some(hour @ 0..=23), Some(number @ 0..=59)) if minute.len() == 2 => Ok(hour * 60 + number),
        (Some(24), Some(0)) if minute.len() == 2 => Ok(DAY),
        _ => Err(wrong()),
    }
}

impl Hours {
    /// Not a minute.
    pub const CLOSED: Self = Self {
        intervals: Vec::new(),
    };

    /// These stretches, in any order.
    ///
    /// # Errors
    ///
    /// Two that overlap, or more than 24. Those that only touch are joined.
    pub fn new(mut intervals: Vec<Interval>) -> Result<Self, HoursError> {
        if intervals.len() > MOST_INTERVALS {
            return Err(HoursError::TooMany(intervals.len()));
        }
        intervals.sort();
        let mut joined: Vec<Interval> = Vec::new();
        for interval in intervals {
            match joined.last_mut() {
                Some(last) if last.end > interval.start => {
                    return Err(HoursError::Overlap(*last, interval));
                }
                Some(last) if last.end == interval.start => last.end = interval.end,
                _ => joined.push(interval),
            }
        }
        Ok(Self { intervals: joined })
    }

    /// Reads several stretches with commas between.
    ///
    /// # Errors
    ///
    /// As [`Interval::parse`] and [`Hours::new`].
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        let parts = text.split(',').map(str::trim);
        Self::new(parts.map(Interval::parse).collect::<Result<_, _>>()?)
    }

    /// The stretches, in order.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Whether there is not a minute of it.
    pub fn is_closed(&self) -> bool {
        self.intervals.is_empty()
    }

    /// How long it is in all, in minutes.
    pub fn minutes(&self) -> u16 {
        self.intervals.iter().map(|it| it.minutes()).sum()
    }

    /// Whether a minute is in it, counted from the midnight it begins after.
    pub(super) fn covers(&self, minute: u16) -> bool {
        let covers = |it: &Interval| (it.start..it.end).contains(&minute);
        self.intervals.iter().any(covers)
    }
}

/// `09:00-12:00, 13:00-18:00`; `closed` when there is nothing.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_closed() {
            return f.write_str("closed");
        }
        let parts: Vec<String> = self.intervals.iter().map(ToString::to_string).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_people_write_them() {
        for (text, shown, minutes) in [
            ("09:00-12:00", "09:00-12:00", 180),
            ("9:00 - 12:00", "09:00-12:00", 180),
            ("13:00-18:00, 09:00-12:00", "09:00-12:00, 13:00-18:00", 480),
            ("09:00-12:00,12:00-18:00", "09:00-18:00", 540),
            ("00:00-24:00", "00:00-24:00", 1440),
            ("18:00-00:00", "18:00-24:00", 360),
            ("22:00-02:00", "22:00-02:00", 240),
            ("22:00-24:00", "22:00-24:00", 120),
        ] {
            let hours = Hours::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (hours.to_string().as_str(), hours.minutes()),
                (shown, minutes)
            );
            assert_eq!(Hours::parse(shown), Ok(hours));
        }
    }

    #[test]
    fn what_is_no_stretch_of_a_day_is_said() {
        for text in [
            "",
            "9-12",
            "09:00",
            "09:00-09:00",
            "24:00-02:00",
            "25:00-26:00",
            "09:60-10:00",
            "09:00-12:00, 11:59-13:00",
            "09:0-10:00",
            "+9:00-10:00",
            "00:00-24:01",
            "-",
            "९:00-10:00",
            "22:00-02:00, 01:00-03:00, 23:00-23:30",
        ] {
            assert!(Hours::parse(text).is_err(), "{text}");
        }
        let many = vec!["00:00-00:01"; 30].join(",");
        assert!(Hours::parse(&many).is_err());
    }

    #[test]
    fn the_end_is_not_in_it() {
        let hours = Hours::parse("22:00-02:00").unwrap();
        let covered: Vec<bool> = [1319, 1320, 1559, 1560]
            .map(|minute| hours.covers(minute))
            .into();
        assert_eq!(covered, [false, true, true, false]);
    }
}
