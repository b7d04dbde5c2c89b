//! Dates that come again: the recurrence rules of RFC 5545 §3.3.10, as far as dates go.
//!
//! Whether a day is one of them is answered without walking from the first. Not taken: parts finer
//! than a day, BYYEARDAY, BYWEEKNO, and BYSETPOS of weeks.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Every so many days.
    Daily,
    /// Every so many weeks.
    Weekly,
    /// Every so many months.
    Monthly,
    /// Every so many years.
    Yearly,
}

/// A weekday: every one, or the n-th of the month or year; negative numbers count from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NthWeekday {
    /// -53 to 53 without 0; `None` for every one.
    pub nth: Option<i8>,
    /// Which.
    pub weekday: Weekday,
}

/// What a recurrence is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurrenceSpec {
    /// The first day that may be one: intervals count from it, and what is left out is taken from it.
    pub first: Date,
    /// The last day that may be one.
    pub last: Option<Date>,
    /// At most so many days, 1 to 10,000. Not together with `last`.
    pub count: Option<u32>,
    /// How often.
    pub frequency: Frequency,
    /// Every so many days, weeks, months or years: 1 to 1000.
    pub interval: u16,
    /// Months, 1 to 12; all when empty.
    pub months: Vec<i8>,
    /// Days of the month, -31 to 31 without 0; -1 is the last.
    pub month_days: Vec<i8>,
    /// Weekdays.
    pub weekdays: Vec<NthWeekday>,
    /// Which of the days of a month or year; -1 is the last. All when empty.
    pub positions: Vec<i16>,
    /// On which day weeks begin, for intervals of weeks.
    pub week_start: Weekday,
}

/// A checked recurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    spec: RecurrenceSpec,
}

/// Why there is no such recurrence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// A number that cannot be.
    #[error("{what} cannot be {value}")]
    Range {
        /// What is wrong.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// Two parts that say different things about the same.
    #[error("{0} and {1} do not go together")]
    Both(&'static str, &'static str),
    /// The end is before the beginning.
    #[error("it ends before it begins")]
    Backwards,
    /// More parts than days.
    #[error("too many {0}")]
    TooMany(&'static str),
}

impl RecurrenceSpec {
    /// From `first` on, every one of a frequency.
    pub fn new(first: Date, frequency: Frequency) -> Self {
        Self {
            first,
            last: None,
            count: None,
            frequency,
            interval: 1,
            months: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    fn check(&self) -> Result<(), RecurrenceError> {
        let range = |what, value: i64, good: bool| match good {
            true => Ok(()),
            false => Err(RecurrenceError::Range { what, value }),
        };
        let few = |what, length: usize| match length {
            0..=366 => Ok(()),
            _ => Err(RecurrenceError::TooMany(what)),
        };
        few("months", self.months.len())?;
        few("days", self.month_days.len())?;
        few("weekdays", self.weekdays.len())?;
        few("positions", self.positions.len())?;
        let interval = self.interval;
        range(
            "the interval",
            interval.into(),
            (1..=1000).contains(&interval),
        )?;
        for &month in &self.months {
            range("a month", month.into(), (1..=12).contains(&month))?;
        }
        for &day in &self.month_days {
            let good = day != 0 && (-31..=31).contains(&day);
            range("a day of the month", day.into(), good)?;
        }
        for &position in &self.positions {
            let good = position != 0 && (-366..=366).contains(&position);
            range("a position", position.into(), good)?;
        }
        let most = match self.frequency {
            Frequency::Monthly => 5,
            Frequency::Yearly if !self.months.is_empty() => 5,
            Frequency::Yearly => 53,
            Frequency::Daily | Frequency::Weekly => 0,
        };
        for nth in self.weekdays.iter().filter_map(|it| it.nth) {
            let good = nth != 0 && (-most..=most).contains(&nth);
            range("the number of a weekday", nth.into(), good)?;
            if !self.month_days.is_empty() {
                return Err(RecurrenceError::Both(
                    "the n-th weekday",
                    "a day of the month",
                ));
            }
        }
        if self.frequency == Frequency::Weekly && !self.month_days.is_empty() {
            return Err(RecurrenceError::Both("weeks", "a day of the month"));
        }
        // Programs disagree on where the first week begins for them.
        let is_short = matches!(self.frequency, Frequency::Daily | Frequency::Weekly);
        if is_short && !self.positions.is_empty() {
            return Err(RecurrenceError::Both("days or weeks", "positions"));
        }
        if let Some(count) = self.count {
            range("the count", count.into(), (1..=10_000).contains(&count))?;
        }
        if self.count.is_some() && self.last.is_some() {
            return Err(RecurrenceError::Both("a count", "a last day"));
        }
        match self.last {
            Some(last) if last < self.first => Err(RecurrenceError::Backwards),
            _ => Ok(()),
        }
    }

    /// Takes what is left out from the first day.
    fn completed(mut self) -> Self {
        let first = self.first;
        if self.weekdays.is_empty() && self.month_days.is_empty() {
            match self.frequency {
                Frequency::Daily => {}
                Frequency::Weekly => self.weekdays.push(NthWeekday {
                    nth: None,
                    weekday: first.weekday(),
                }),
                Frequency::Monthly => self.month_days.push(first.day()),
                Frequency::Yearly => {
                    if self.months.is_empty() {
                        self.months.push(first.month());
                    }
                    self.month_days.push(first.day());
                }
            }
        }
        self
    }
}

impl Recurrence {
    /// Checks what it is made of.
    ///
    /// # Errors
    ///
    /// What is out of range or does not go together.
    pub fn new(spec: RecurrenceSpec) -> Result<Self, RecurrenceError> {
        spec.check()?;
        let count = spec.count;
        let mut recurrence = Self {
            spec: spec.completed(),
        };
        if let Some(count) = count {
            recurrence.spec.last = Some(recurrence.last_of(count));
        }
        Ok(recurrence)
    }

    /// Whether a day is one of them.
    pub fn occurs(&self, date: Date) -> bool {
        let spec = &self.spec;
        if date < spec.first || spec.last.is_some_and(|last| date > last) {
            return false;
        }
        self.is_in_turn(date)
            && self.matches(date)
            && (spec.positions.is_empty() || self.is_at_position(date))
    }

    /// The day of the `count`-th; the end of the calendar when there are not so many.
    fn last_of(&self, count: u32) -> Date {
        let mut left = count;
        let mut date = self.spec.first;
        while date.year() < LAST_YEAR {
            if self.occurs(date) {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        date
    }

    /// Whether the day's period is one that counts.
    fn is_in_turn(&self, date: Date) -> bool {
        let spec = &self.spec;
        let first = spec.first;
        let month = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month());
        let since = match spec.frequency {
            Frequency::Daily => days_between(first, date),
            Frequency::Weekly => {
                let weeks = |date: Date| days_between(Date::ZERO, self.week_of(date));
                (weeks(date) - weeks(first)) / 7
            }
            Frequency::Monthly => month(date) - month(first),
            Frequency::Yearly => i32::from(date.year()) - i32::from(first.year()),
        };
        since.rem_euclid(i32::from(spec.interval.max(1))) == 0
    }

    /// The day its week begins on.
    fn week_of(&self, date: Date) -> Date {
        let back = date.weekday().since(self.spec.week_start);
        date.checked_sub(i64::from(back).days()).unwrap_or(date)
    }

    /// Whether the parts that name days let it through.
    fn matches(&self, date: Date) -> bool {
        let spec = &self.spec;
        let from_end = date.day() - date.days_in_month() - 1;
        let is_month_day = |day: &i8| *day == date.day() || *day == from_end;
        (spec.months.is_empty() || spec.months.contains(&date.month()))
            && (spec.month_days.is_empty() || spec.month_days.iter().any(is_month_day))
            && (spec.weekdays.is_empty() || spec.weekdays.iter().any(|it| self.is_nth(*it, date)))
    }

    fn is_nth(&self, wanted: NthWeekday, date: Date) -> bool {
        if wanted.weekday != date.weekday() {
            return false;
        }
        let Some(nth) = wanted.nth else {
            return true;
        };
        let of_year = self.spec.frequency == Frequency::Yearly && self.spec.months.is_empty();
        let (day, length) = match of_year {
            true => (date.day_of_year(), date.days_in_year()),
            false => (i16::from(date.day()), i16::from(date.days_in_month())),
        };
        let nth = i16::from(nth);
        nth == (day - 1) / 7 + 1 || nth == -((length - day) / 7 + 1)
    }

    /// Whether it has one of the wanted places among the days of its period.
    fn is_at_position(&self, date: Date) -> bool {
        let (first, last) = match self.spec.frequency {
            Frequency::Yearly => (date.first_of_year(), date.last_of_year()),
            _ => (date.first_of_month(), date.last_of_month()),
        };
        let days = first.series(1.day()).take_while(|day| *day <= last);
        let (mut before, mut after) = (0i16, 0i16);
        for day in days.filter(|day| self.matches(*day)) {
            match day < date {
                true => before += 1,
                false => after += 1,
            }
        }
        let positions = &self.spec.positions;
        positions.contains(&(before + 1)) || positions.contains(&-after)
    }
}

fn days_between(first: Date, date: Date) -> i32 {
    let days = date.duration_since(first).as_hours() / 24;
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// Where counting ends.
const LAST_YEAR: i16 = 2200;
