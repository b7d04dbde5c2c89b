//! Exceptions to the weekly hours: `[[calendar.date]]` and its like.

use std::sync::Arc;

use jiff::civil::{Date, date as civil};
use jiff::tz::TimeZone;

use super::super::notes::Notes;
use super::super::report::Problem;
use super::super::section::{At, Section};
use super::super::source::Place;
use super::super::words::remedy;
use super::lists::Lists;
use super::{days, spot};
use crate::calendar::{
    Frequency, Holidays, NthWeekday, Recurrence, RecurrenceSpec, Relative, Rule, When, parse_rrule,
};

/// The rules of a calendar, in the order they are written within their kind. Its days are those of
/// `zone`, `None` when that is wrong.
pub(super) fn read(
    calendar: &Section<'_>,
    zone: Option<&TimeZone>,
    lists: &Lists,
    notes: &Notes,
) -> Vec<Rule> {
    let mut reader = Reader {
        notes,
        zone,
        lists,
        rules: Vec::new(),
        places: Vec::new(),
        used: Vec::new(),
        names_lists: calendar.has("holidays"),
    };
    for date in calendar.sections("date", "a date") {
        let when = days::required_date(&date, "date").map(|at| When::Date(at.value));
        reader.add(date, when);
    }
    for range in calendar.sections("range", "a range of dates") {
        let when = reader.read_range(&range);
        reader.add(range, when);
    }
    for recurring in calendar.sections("recurring", "a recurring rule") {
        let when = reader.read_recurring(&recurring);
        reader.add(recurring, when.map(When::Recurring));
    }
    for holidays in calendar.sections("holidays", "a rule for holidays") {
        let list = holidays.required("list", "japan");
        let list = list.and_then(|list| lists.find(&list, notes));
        reader.used.extend(list.clone());
        reader.add(holidays, list.map(When::Holiday));
    }
    for relative in calendar.sections("relative", "a relative rule") {
        let when = reader.read_relative(&relative);
        reader.add(relative, when.map(When::Relative));
    }
    reader.check(calendar.place());
    reader.rules
}

struct Reader<'n> {
    notes: &'n Notes,
    zone: Option<&'n TimeZone>,
    lists: &'n Lists,
    rules: Vec<Rule>,
    places: Vec<Place>,
    /// Lists that holiday rules name.
    used: Vec<Arc<Holidays>>,
    /// Whether there are such rules, good or not.
    names_lists: bool,
}

impl Reader<'_> {
    /// Reads what all rules have, and keeps the rule if it is about any days.
    fn add(&mut self, section: Section<'_>, when: Option<When>) {
        let name = section.text("name");
        let effect = days::read_effect(&section, self.notes);
        let place = section.place().clone();
        section.close();
        if let Some(when) = when {
            self.rules.push(Rule {
                when,
                effect,
                name: name.map(|name| name.value.as_str().into()),
                spot: spot(&place),
            });
            self.places.push(place);
        }
    }

    fn read_range(&self, range: &Section<'_>) -> Option<When> {
        let first = days::required_date(range, "from");
        let last = days::required_date(range, "to");
        let (first, last) = (first?, last?);
        if last.value < first.value {
            let message = format!("{} is before {}", last.value, first.value);
            self.notes.error(
                &last.place,
                message,
                "`to` is the last day; exchange the two",
            );
            return None;
        }
        Some(When::Range(first.value, last.value))
    }

    fn read_recurring(&self, section: &Section<'_>) -> Option<Recurrence> {
        let first = days::read_date(section, "first");
        let rrule = section.text("rrule");
        if let Some(rrule) = rrule {
            let keys = ["every", "interval", "months", "days", "weekdays", "last"];
            if let Some(key) = keys.into_iter().find(|key| section.has(key)) {
                let message = format!("both `rrule` and `{key}`");
                self.notes
                    .error(&rrule.place, message, "write it all in `rrule`, or nothing");
            }
            // Asked for, so that they are no unknown settings beside this error.
            self.read_parts(section);
            section.demand("first", "2026-01-01");
            // Where the zone is wrong that is said; nothing depends on another one then.
            let zone = self.zone.cloned().unwrap_or(TimeZone::UTC);
            let made = parse_rrule(&rrule.value, first?.value, Some(&zone));
            return self.made(&rrule.place, made);
        }
        section.demand("every", "\"year\"");
        let (every, parts) = (
            section.one_of("every", &FREQUENCIES),
            self.read_parts(section),
        );
        let every = every?;
        let interval = parts.interval.unwrap_or(1);
        if interval > 1 && !section.has("first") {
            let message = "counted from when?";
            let help = "add first = 2026-01-05, the first day of it";
            self.notes.error(section.place(), message, help);
        }
        let which = match every.value {
            Frequency::Daily => None,
            Frequency::Weekly if parts.weekdays.is_empty() => Some("weekdays = [\"mon\"]"),
            Frequency::Monthly if parts.weekdays.is_empty() && parts.days.is_empty() => {
                Some("days = [1], or weekdays = [\"2nd tue\"]")
            }
            Frequency::Yearly
                if parts.weekdays.is_empty()
                    && (parts.days.is_empty() || parts.months.is_empty()) =>
            {
                Some("months = [12] and days = [31], or weekdays = [\"1st mon\"]")
            }
            _ => None,
        };
        if let Some(example) = which {
            let help = format!("add {example}");
            self.notes.error(section.place(), "on which day?", help);
            return None;
        }
        let spec = RecurrenceSpec {
            last: parts.last,
            interval,
            months: parts.months,
            month_days: parts.days,
            weekdays: parts.weekdays,
            ..RecurrenceSpec::new(first.map_or(EVER, |at| at.value), every.value)
        };
        self.made(section.place(), Recurrence::new(spec))
    }

    fn made<E: std::fmt::Display>(
        &self,
        place: &Place,
        made: Result<Recurrence, E>,
    ) -> Option<Recurrence> {
        made.map_err(|error| self.notes.error(place, error.to_string(), RECURRING_HELP))
            .ok()
    }

    fn read_parts(&self, section: &Section<'_>) -> Parts {
        let numbers = |key, range| -> Vec<i8> {
            let numbers = section.integers(key, range).unwrap_or_default();
            let small = numbers.into_iter().map(|at| i8::try_from(at.value));
            small.filter_map(Result::ok).collect()
        };
        let weekdays = section.texts("weekdays").unwrap_or_default();
        let weekdays = weekdays.iter().filter_map(|text| self.nth_weekday(text));
        Parts {
            interval: section
                .integer("interval", 1..=1000)
                .and_then(|at| u16::try_from(at.value).ok()),
            months: numbers("months", 1..=12),
            days: numbers("days", -31..=31),
            weekdays: weekdays.collect(),
            last: days::read_date(section, "last").map(|at| at.value),
        }
    }

    /// `mon`, `2nd tue`, `last fri`.
    fn nth_weekday(&self, text: &At<String>) -> Option<NthWeekday> {
        let mut words = text.value.split_whitespace();
        let (first, second, third) = (words.next(), words.next(), words.next());
        let read = match (first, second, third) {
            (Some(day), None, None) => days::weekday(day).map(|day| (None, day)),
            (Some(nth), Some(day), None) => {
                let nth = ORDINALS.iter().find(|(word, _)| *word == nth);
                nth.zip(days::weekday(day))
                    .map(|((_, nth), day)| (Some(*nth), day))
            }
            _ => None,
        };
        if read.is_none() {
            let message = format!("\"{}\" is no weekday", text.value);
            let names: Vec<&str> = days::WEEKDAYS.iter().map(|(name, _)| *name).collect();
            let word = text.value.rsplit(' ').next().unwrap_or_default();
            // Whole names begin like the short ones.
            let word = word.get(..3).unwrap_or(word);
            let help = remedy(word, &names, "write \"2nd tue\", \"last fri\", or one of");
            self.notes.error(&text.place, message, help);
        }
        read.map(|(nth, weekday)| NthWeekday { nth, weekday })
    }

    fn read_relative(&self, section: &Section<'_>) -> Option<Relative> {
        let before = section.integer("day_before", 1..=31);
        let after = section.integer("day_after", 1..=31);
        let working_days = section.flag("working_days_only").is_none_or(|at| at.value);
        let lists: Vec<Arc<Holidays>> = match section.texts("of") {
            None => self.used.clone(),
            Some(names) => names
                .iter()
                .filter_map(|name| self.lists.find(name, self.notes))
                .collect(),
        };
        if lists.is_empty() && !section.has("of") && !self.names_lists {
            let help = "add of = \"japan\", or [[calendar.holidays]] with a list";
            self.notes
                .error(section.place(), "of which holidays?", help);
        }
        let offset = match (before, after) {
            (Some(before), None) => before.value,
            (None, Some(after)) => -after.value,
            (None, None) if section.has("day_before") || section.has("day_after") => return None,
            (None, None) => {
                let help = "add day_before = 1, or day_after = 1";
                self.notes
                    .error(section.place(), "before or after the holiday?", help);
                return None;
            }
            (Some(_), Some(after)) => {
                let help = "keep one, and write the other as a rule of its own";
                self.notes
                    .error(&after.place, "both `day_before` and `day_after`", help);
                return None;
            }
        };
        Some(Relative {
            lists,
            offset: i32::try_from(offset).ok()?,
            working_days,
        })
    }

    /// No day is claimed twice by single dates, nor by ranges.
    fn check(&self, calendar: &Place) {
        if self.rules.len() > MOST_RULES {
            let message = format!("{} rules in a calendar", self.rules.len());
            let help = format!("{MOST_RULES} at most; put holidays into a list");
            self.notes.error(calendar, message, help);
            return;
        }
        let span = |rule: &Rule| match rule.when {
            When::Date(date) => Some((0, date, date)),
            When::Range(first, last) => Some((1, first, last)),
            _ => None,
        };
        for (index, rule) in self.rules.iter().enumerate() {
            let Some((kind, first, last)) = span(rule) else {
                continue;
            };
            let before = self.rules[..index].iter().position(|other| {
                span(other)
                    .is_some_and(|(same, begin, end)| same == kind && first <= end && begin <= last)
            });
            if let Some(before) = before {
                let message = match kind {
                    0 => format!("{first} is there twice"),
                    _ => "two ranges have days in common".to_owned(),
                };
                let help = "keep one; a single date may lie in a range, and outranks it";
                let problem = Problem::error(&self.places[index], message, help);
                self.notes
                    .push(problem.with(&self.places[before], "the other is at"));
            }
        }
    }
}

/// What a recurring rule is made of, besides how often.
struct Parts {
    interval: Option<u16>,
    months: Vec<i8>,
    days: Vec<i8>,
    weekdays: Vec<NthWeekday>,
    last: Option<Date>,
}

/// Where what has no first day begins: a Monday.
const EVER: Date = civil(1900, 1, 1);

/// Looked through for every day that is decided.
const MOST_RULES: usize = 1000;

const FREQUENCIES: [(&str, Frequency); 4] = [
    ("day", Frequency::Daily),
    ("month", Frequency::Monthly),
    ("week", Frequency::Weekly),
    ("year", Frequency::Yearly),
];

const ORDINALS: [(&str, i8); 6] = [
    ("1st", 1),
    ("2nd", 2),
    ("3rd", 3),
    ("4th", 4),
    ("5th", 5),
    ("last", -1),
];

const RECURRING_HELP: &str =
    "an example: every = \"month\" and weekdays = [\"2nd tue\"]; docs/calendars.md has more";
