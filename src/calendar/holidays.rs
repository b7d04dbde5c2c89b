//! Lists of holidays: written, imported, or computed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;

use super::icalendar::Entry;
use super::japan::japan;
use super::recurrence::Recurrence;
use super::verdict::{Name, Spot};

/// A list of holidays with its name.
#[derive(Clone, PartialEq)]
pub struct Holidays {
    /// What rules call it.
    pub name: Arc<str>,
    days: BTreeMap<Date, Holiday>,
    again: Vec<Span>,
    /// Whether the national holidays of Japan are in it.
    japan: bool,
}

/// One holiday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// What it is called.
    pub name: Name,
    /// Where it is written; `None` when it is computed.
    pub spot: Option<Spot>,
}

/// Holidays that come again, each some days long.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// On which days they begin.
    pub begins: Recurrence,
    /// How many days each has, from 1.
    pub days: u16,
    /// Beginnings that are left out.
    pub except: Vec<Date>,
    /// What they are.
    pub holiday: Holiday,
}

impl Holidays {
    /// The national holidays of Japan, computed: 1948 to 2099.
    pub fn of_japan() -> Self {
        Self {
            japan: true,
            ..Self::new("japan")
        }
    }

    /// A list without holidays yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            days: BTreeMap::new(),
            again: Vec::new(),
            japan: false,
        }
    }

    /// Adds one day; of two on the same day the first counts.
    pub fn add(&mut self, date: Date, holiday: Holiday) {
        self.days.entry(date).or_insert(holiday);
    }

    /// Adds days that come again; days added by themselves outrank them.
    pub fn add_again(&mut self, span: Span) {
        self.again.push(span);
    }

    /// Adds an event of an iCalendar file, named as reports name it.
    pub fn add_event(&mut self, event: &Entry, file: &str) {
        let holiday = Holiday {
            name: event.name.as_str().into(),
            spot: Some(Spot {
                file: file.into(),
                line: event.line,
            }),
        };
        for day in event.single_days() {
            self.add(day, holiday.clone());
        }
        if let Some(begins) = &event.again {
            self.add_again(Span {
                begins: begins.clone(),
                days: event.days,
                except: event.except.clone(),
                holiday,
            });
        }
    }

    /// How many entries are written in it.
    pub fn len(&self) -> usize {
        self.days.len() + self.again.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && !self.japan
    }

    /// The holiday of a day.
    pub fn on(&self, date: Date) -> Option<Holiday> {
        if let Some(holiday) = self.days.get(&date) {
            return Some(holiday.clone());
        }
        if self.japan
            && let Some(name) = japan(date)
        {
            return Some(Holiday { name, spot: None });
        }
        let again = self.again.iter().find(|span| span.covers(date));
        again.map(|span| span.holiday.clone())
    }
}

impl Span {
    fn covers(&self, date: Date) -> bool {
        (0..i64::from(self.days)).any(|back| {
            let begin = date.checked_sub(back.days());
            begin.is_ok_and(|begin| self.begins.occurs(begin) && !self.except.contains(&begin))
        })
    }
}

/// Every day of it, for the comparison of two configurations.
impl fmt::Debug for Holidays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            days,
            again,
            japan,
        } = self;
        write!(f, "{name} {japan} {days:?} {again:?}")
    }
}
