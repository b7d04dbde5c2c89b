//! A year of a calendar, day by day, ready to be drawn.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::base::Language;
use crate::calendar::{Calendar, Hours, Layer, Reason};

/// A year.
#[derive(Debug)]
pub(super) struct Year<'c> {
    pub(super) calendar: &'c Calendar,
    pub(super) number: i16,
    pub(super) days: Vec<Day>,
}

/// One day of it.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) hours: Hours,
    pub(super) reason: Reason,
    pub(super) mark: Mark,
}

/// What a day is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// The weekly hours.
    Open,
    /// Other hours.
    Special,
    /// No hours on this weekday.
    Closed,
    /// Closed by a list of holidays.
    Holiday,
    /// Closed by any other rule.
    Shut,
}

/// Days in a row, or one, that one rule is about.
#[derive(Debug)]
pub(super) struct Exception<'y> {
    pub(super) first: &'y Day,
    pub(super) last: &'y Day,
}

impl<'c> Year<'c> {
    pub(super) fn of(calendar: &'c Calendar, number: i16) -> Self {
        let first = Date::constant(number, 1, 1);
        let dates = first
            .series(1.day())
            .take_while(|date| date.year() == number);
        let days = dates.map(|date| {
            let day = calendar.day(date);
            let mark = match (day.hours.is_closed(), day.reason.layer) {
                (false, Layer::Weekly) => Mark::Open,
                (false, _) => Mark::Special,
                (true, Layer::Weekly) => Mark::Closed,
                (true, Layer::Holiday) => Mark::Holiday,
                (true, _) => Mark::Shut,
            };
            Day {
                date,
                hours: day.hours.clone(),
                reason: day.reason,
                mark,
            }
        });
        Self {
            calendar,
            number,
            days: days.collect(),
        }
    }

    /// The days of a month, 1 to 12.
    pub(super) fn month(&self, month: i8) -> impl Iterator<Item = &Day> {
        self.days
            .iter()
            .filter(move |day| day.date.month() == month)
    }

    /// How many days are drawn so.
    pub(super) fn count(&self, mark: Mark) -> usize {
        self.days.iter().filter(|day| day.mark == mark).count()
    }

    /// Days that are not as the week says, joined where one rule is about several in a row.
    pub(super) fn exceptions(&self) -> Vec<Exception<'_>> {
        let mut exceptions: Vec<Exception<'_>> = Vec::new();
        for day in self
            .days
            .iter()
            .filter(|day| day.reason.layer != Layer::Weekly)
        {
            match exceptions.last_mut() {
                Some(last)
                    if last.last.date.tomorrow().ok() == Some(day.date)
                        && (&last.last.reason, &last.last.hours) == (&day.reason, &day.hours) =>
                {
                    last.last = day;
                }
                _ => exceptions.push(Exception {
                    first: day,
                    last: day,
                }),
            }
        }
        exceptions
    }
}

impl Mark {
    pub(super) const ALL: [Self; 5] = [
        Self::Open,
        Self::Special,
        Self::Closed,
        Self::Holiday,
        Self::Shut,
    ];

    /// What it means.
    pub(super) fn word(self, language: Language) -> &'static str {
        match self {
            Self::Open => language.pick("open", "営業"),
            Self::Special => language.pick("special hours", "特別時間"),
            Self::Closed => language.pick("closed", "定休"),
            Self::Holiday => language.pick("holiday", "祝日・休日"),
            Self::Shut => language.pick("closed for a reason", "臨時・期間休業"),
        }
    }
}

/// The first day of the week on a calendar's wall.
pub(super) fn first_weekday(language: Language) -> Weekday {
    language.pick(Weekday::Monday, Weekday::Sunday)
}

/// Columns before the first of a month.
pub(super) fn column(date: Date, language: Language) -> usize {
    let since = date.weekday().since(first_weekday(language));
    usize::from(since.unsigned_abs())
}

/// Headings of the columns.
pub(super) fn weekdays(language: Language) -> [&'static str; 7] {
    language.pick(
        ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"],
        ["日", "月", "火", "水", "木", "金", "土"],
    )
}

/// The name of a month.
pub(super) fn month_name(month: i8, language: Language) -> String {
    const ENGLISH: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let english = ENGLISH[usize::from((month - 1).unsigned_abs()) % 12];
    language.pick(english.to_owned(), format!("{month}月"))
}

impl Exception<'_> {
    /// `3 May`, `29 – 31 Dec`.
    pub(super) fn dates(&self, language: Language) -> String {
        let (first, last) = (self.first.date, self.last.date);
        let day = |date: Date| match language {
            Language::English => {
                let month = month_name(date.month(), language);
                format!("{} {}", date.day(), month.get(..3).unwrap_or_default())
            }
            Language::Japanese => format!("{}/{}", date.month(), date.day()),
        };
        match (first == last, first.month() == last.month()) {
            (true, _) => day(first),
            (false, true) if language == Language::English => {
                format!("{}–{}", first.day(), day(last))
            }
            _ => format!("{}–{}", day(first), day(last)),
        }
    }
}
