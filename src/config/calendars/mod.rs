//! `calendars.toml`: opening hours, holidays and exceptions.

mod days;
mod lists;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::secret;
use super::section::{At, Section};
use super::source::{Place, Source};
use super::words::nearest;
use crate::base::Pin;
use crate::calendar::{Calendar, ClosingNumber, EVERYWHERE, Spot, Week};
use lists::Lists;

/// Calendars as read.
#[derive(Debug)]
pub(super) struct Calendars {
    /// By name, in the order written.
    pub(super) calendars: IndexMap<String, Arc<Calendar>>,
    /// Their names.
    pub(super) names: Names,
    /// Those that are closed by telephone, by their digits.
    pub(super) numbers: BTreeMap<String, ClosingNumber>,
    /// iCalendar files that were read.
    pub(super) sources: Vec<Arc<Source>>,
}

/// Reads the lists of holidays of all files, then the calendars.
pub(super) fn read(
    (directory, environment): (&Path, &Environment),
    files: &Files,
    notes: &Notes,
) -> Calendars {
    let is_complete = files.is_complete(Kind::Calendars);
    let mut lists = Lists::new(is_complete);
    let mut calendars = Calendars {
        calendars: IndexMap::new(),
        names: Names::new("calendar", is_complete),
        numbers: BTreeMap::new(),
        sources: Vec::new(),
    };
    let tops: Vec<Section<'_>> = files
        .of(Kind::Calendars)
        .iter()
        .map(|file| Section::new(notes, &file.table, "calendars.toml"))
        .collect();
    for top in &tops {
        for list in top.sections("holidays", "a list of holidays") {
            lists.read(list, directory, notes);
        }
    }
    for top in tops {
        for calendar in top.sections("calendar", "a calendar") {
            calendars.read_number(&calendar, None, (directory, environment), notes);
            calendars.read_calendar(calendar, &lists, notes);
        }
        if let Some(all) = top.section(EVERYWHERE, "[all]") {
            all.demand("number", "\"0\"");
            calendars.read_number(&all, Some(EVERYWHERE), (directory, environment), notes);
            all.close();
        }
        top.close();
    }
    calendars.sources = lists.sources;
    calendars
}

impl Calendars {
    /// Reads how a calendar is closed by telephone; `name` when that is not written.
    fn read_number(
        &mut self,
        calendar: &Section<'_>,
        name: Option<&str>,
        (directory, environment): (&Path, &Environment),
        notes: &Notes,
    ) {
        let number = calendar.text("number");
        let pin = secret::read_digits(calendar, "pin", directory, environment, notes);
        let (number, pin) = match (number, pin) {
            (Some(number), Some(pin)) => (number, pin),
            (Some(_), None) => {
                if !calendar.has("pin") {
                    calendar.demand("pin", "\"env:NAME\"");
                }
                return;
            }
            (None, Some(pin)) => {
                let message = "a PIN, and no `number` to dial";
                return notes.error(&pin.place, message, "add number = \"1\"");
            }
            (None, None) => return,
        };
        let is_digits = number.value.bytes().all(|c| c.is_ascii_digit());
        if !is_digits || number.value.len() > 15 {
            let message = format!("\"{}\" is no calendar's number", number.value);
            return notes.error(&number.place, message, "write up to 15 digits");
        }
        let digits = match &pin.value {
            secret::Digits::Text(text) => Pin::new(text),
            secret::Digits::Demo => None,
        };
        let Some(pin) = digits else {
            let message = "the PIN of a calendar is not 4 to 12 digits of its own";
            return notes.error(&pin.place, message, "write \"env:NAME\" or \"file:PATH\"");
        };
        let own = match name {
            Some(name) => Some(name.to_owned()),
            None => calendar.text("name").map(|name| name.value),
        };
        let Some(calendar) = own else { return };
        let place = number.place;
        let known = ClosingNumber { calendar, pin };
        if self.numbers.insert(number.value.clone(), known).is_some() {
            let message = format!("the number {} is there twice", number.value);
            notes.error(&place, message, "give every calendar its own");
        }
    }

    fn read_calendar(&mut self, calendar: Section<'_>, lists: &Lists, notes: &Notes) {
        let name = calendar.required("name", "office");
        let zone = calendar.required("time_zone", "Asia/Tokyo");
        let zone = zone.and_then(|zone| known_zone(&zone, notes));
        calendar.demand("weekly", "{ mon-fri = \"09:00-18:00\" }");
        let week = days::read_week(&calendar, notes);
        let rules = rules::read(&calendar, zone.as_ref(), lists, notes);
        calendar.close();
        let Some(name) = name else {
            return;
        };
        check_name(&name, notes);
        self.names.declare(notes, &name);
        let week = week.unwrap_or_else(|| Week {
            days: Default::default(),
            spot: spot(&name.place),
        });
        let zone = zone.unwrap_or(TimeZone::UTC);
        let calendar = Calendar::new(&name.value, zone, week, rules);
        self.calendars.insert(name.value, Arc::new(calendar));
    }
}

/// A calendar is closed by a file of its name.
fn check_name(name: &At<String>, notes: &Notes) {
    let text = name.value.as_str();
    if text == EVERYWHERE {
        let message = format!("a calendar cannot be called \"{EVERYWHERE}\"");
        let help = "that word closes all of them at once; choose another name";
        notes.error(&name.place, message, help);
    } else if text.contains('/') || text.starts_with('.') || text.len() > LONGEST_NAME {
        let message = format!("a calendar cannot be called \"{text}\"");
        let help = "the name is a file's too: without /, without . in front, 100 octets at most";
        notes.error(&name.place, message, help);
    }
}

/// The time zone of a name; noted when there is none.
fn known_zone(zone: &At<String>, notes: &Notes) -> Option<TimeZone> {
    let found = TimeZone::get(&zone.value).ok();
    // Others, such as `Factory`, are in the data base and no place's.
    let found = found.filter(|found| found.iana_name().is_some() && !found.is_unknown());
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|it| it.to_string())
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match nearest(&zone.value, &known) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "write an IANA time zone, such as Asia/Tokyo or Europe/Berlin".to_owned(),
        };
        let message = format!("there is no time zone \"{}\"", zone.value);
        notes.error(&zone.place, message, help);
    }
    found
}

/// The line of a place.
fn spot(place: &Place) -> Spot {
    Spot {
        file: place.source.name.as_str().into(),
        line: place.line(),
    }
}

/// Octets that a file's name may have, with room.
const LONGEST_NAME: usize = 100;
