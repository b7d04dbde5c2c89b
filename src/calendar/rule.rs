//! Rules: which days they are about, and what holds on those.

use std::sync::Arc;

use jiff::civil::{Date, Weekday};

use super::holidays::{Holiday, Holidays};
use super::hours::Hours;
use super::recurrence::Recurrence;
use super::verdict::{Layer, Name, Reason, Spot};

/// One rule above the weekly hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which days it is about.
    pub when: When,
    /// What holds on them.
    pub effect: Effect,
    /// What it is called; a holiday has a name of its own.
    pub name: Option<Name>,
    /// Where it is written.
    pub spot: Spot,
}

/// Which days a rule is about.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// This one.
    Date(Date),
    /// Every day of a list.
    Holiday(Arc<Holidays>),
    /// From the first to the last, both included.
    Range(Date, Date),
    /// Those that come again.
    Recurring(Recurrence),
    /// Days beside holidays.
    Relative(Relative),
}

/// So many days before or after a holiday.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// The lists whose holidays are meant.
    pub lists: Vec<Arc<Holidays>>,
    /// Days from it to the holiday: 1 is the day before one, -1 the day after.
    pub offset: i32,
    /// Only days that have weekly hours and are on none of the lists.
    pub working_days: bool,
}

/// What holds on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// These hours; closed when there are none.
    Hours(Hours),
    /// Those of the weekday.
    Week(Box<Week>),
}

/// Hours of each weekday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Week {
    /// From Monday on, each with where it is written, if it is.
    pub days: [(Hours, Option<Spot>); 7],
    /// Where the table begins.
    pub spot: Spot,
}

impl Rule {
    /// Its layer.
    pub fn layer(&self) -> Layer {
        match self.when {
            When::Date(_) => Layer::Date,
            When::Holiday(_) => Layer::Holiday,
            When::Range(..) => Layer::Range,
            When::Recurring(_) => Layer::Recurring,
            When::Relative(_) => Layer::Relative,
        }
    }

    /// What it says of a day; `None` when it is not about it.
    pub(super) fn on(&self, date: Date, week: &Week) -> Option<Reason> {
        let applies = match &self.when {
            When::Date(only) => *only == date,
            When::Range(first, last) => (*first..=*last).contains(&date),
            When::Recurring(recurrence) => recurrence.occurs(date),
            When::Holiday(list) => return Some(self.reason(Some(list.on(date)?))),
            When::Relative(relative) => {
                let mut reason = self.reason(Some(relative.holiday(date, week)?));
                reason.name = self.name.clone().or(reason.name);
                return Some(reason);
            }
        };
        applies.then(|| self.reason(None))
    }

    fn reason(&self, holiday: Option<Holiday>) -> Reason {
        let (name, holiday) = match holiday {
            Some(holiday) => (Some(holiday.name), holiday.spot),
            None => (self.name.clone(), None),
        };
        Reason {
            layer: self.layer(),
            name,
            spot: self.spot.clone(),
            holiday,
        }
    }

    pub(super) fn hours(&self, date: Date) -> &Hours {
        match &self.effect {
            Effect::Hours(hours) => hours,
            Effect::Week(week) => week.hours(date.weekday()),
        }
    }
}

impl Relative {
    /// The holiday that `date` is beside.
    fn holiday(&self, date: Date, week: &Week) -> Option<Holiday> {
        let is_holiday = |date| self.lists.iter().find_map(|list| list.on(date));
        let span = jiff::Span::new().try_days(self.offset).ok()?;
        let found = is_holiday(date.checked_add(span).ok()?)?;
        if self.working_days
            && (week.hours(date.weekday()).is_closed() || is_holiday(date).is_some())
        {
            return None;
        }
        Some(found)
    }
}

impl Week {
    /// Hours of a weekday.
    pub fn hours(&self, weekday: Weekday) -> &Hours {
        &self.day(weekday).0
    }

    /// Where a weekday's hours are written; the table itself when they are not.
    pub(super) fn spot(&self, weekday: Weekday) -> &Spot {
        self.day(weekday).1.as_ref().unwrap_or(&self.spot)
    }

    fn day(&self, weekday: Weekday) -> &(Hours, Option<Spot>) {
        // Monday is 0; there are seven of each.
        let index = usize::from(weekday.to_monday_zero_offset().unsigned_abs());
        &self.days[index.min(6)]
    }
}
