//! Lists of holidays: `[[holidays]]`, by dates or from an iCalendar file.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::names::Names;
use super::super::notes::Notes;
use super::super::report::Problem;
use super::super::section::{At, Section};
use super::super::source::{Place, Source};
use super::super::words::remedy;
use super::{days, known_zone, spot};
use crate::calendar::{
    Frequency, Holiday, Holidays, Recurrence, RecurrenceSpec, Span, read_icalendar,
};

/// Lists by name.
#[derive(Debug)]
pub(super) struct Lists {
    lists: IndexMap<String, Arc<Holidays>>,
    names: Names,
    /// Whether all lists could be read; otherwise one not found may be there.
    is_complete: bool,
    /// Files that were read.
    pub(super) sources: Vec<Arc<Source>>,
}

impl Lists {
    /// The computed ones.
    pub(super) fn new(is_complete: bool) -> Self {
        let mut lists = IndexMap::new();
        lists.insert(JAPAN.to_owned(), Arc::new(Holidays::of_japan()));
        Self {
            lists,
            names: Names::new("list of holidays", is_complete),
            is_complete,
            sources: Vec::new(),
        }
    }

    /// The list that `at` names; noted when there is none.
    pub(super) fn find(&self, at: &At<String>, notes: &Notes) -> Option<Arc<Holidays>> {
        let found = self.lists.get(&at.value);
        if found.is_none() && self.is_complete {
            let known: Vec<&str> = self.lists.keys().map(String::as_str).collect();
            let message = format!("there is no list of holidays \"{}\"", at.value);
            notes.error(&at.place, message, remedy(&at.value, &known, "there are"));
        }
        found.cloned()
    }

    /// Reads one list.
    pub(super) fn read(&mut self, list: Section<'_>, directory: &Path, notes: &Notes) {
        let name = list.required("name", "company");
        let mut holidays = Holidays::new(name.as_ref().map_or("", |name| &name.value));
        let dates = list.text_table("dates");
        let file = list.text("file");
        let zone = list.text("time_zone");
        let zone = zone.and_then(|zone| known_zone(&zone, notes));
        for (date, what) in dates {
            add(&mut holidays, &date, &what.value, notes);
        }
        if let Some(file) = &file
            && let Some(source) = read_file(directory, file, notes)
        {
            add_events(&mut holidays, &source, zone.as_ref(), notes);
            self.sources.push(source);
        }
        if !list.has("dates") && file.is_none() {
            let help = "add dates = { 2026-05-01 = \"Founding day\" }, or file = \"company.ics\"";
            notes.error(list.place(), "a list without holidays", help);
        }
        list.close();
        let Some(name) = name else {
            return;
        };
        if name.value == JAPAN {
            let message = format!("the list \"{JAPAN}\" is built in");
            return notes.error(&name.place, message, "give this one another name");
        }
        self.names.declare(notes, &name);
        self.lists.insert(name.value, Arc::new(holidays));
    }
}

/// A day, or with month and day alone one of every year.
fn add(holidays: &mut Holidays, date: &At<String>, what: &str, notes: &Notes) {
    let holiday = Holiday {
        name: what.into(),
        spot: Some(spot(&date.place)),
    };
    let every_year = || {
        // 1904 had a 29 February: from then on, whatever the day.
        let first = days::date(&format!("1904-{}", date.value)).ok()?;
        let spec = RecurrenceSpec::new(first, Frequency::Yearly);
        Recurrence::new(spec).ok()
    };
    if let Ok(day) = days::date(&date.value) {
        holidays.add(day, holiday);
    } else if let Some(begins) = every_year() {
        holidays.add_again(Span {
            begins,
            days: 1,
            except: Vec::<Date>::new(),
            holiday,
        });
    } else {
        let message = format!("\"{}\" is no date", date.value);
        let help = "write 2026-12-31, or 12-31 for every year";
        notes.error(&date.place, message, help);
    }
}

fn read_file(directory: &Path, file: &At<String>, notes: &Notes) -> Option<Arc<Source>> {
    let path = directory.join(&file.value);
    let refuse = |message: String, help: &str| {
        notes.error(&file.place, message, help);
        None
    };
    // Not read when it is long: it might never end.
    let length = std::fs::metadata(&path).map(|about| (about.is_file(), about.len()));
    match length {
        Ok((true, 0..=LONGEST_FILE)) => {}
        Ok((true, _)) => return refuse(format!("{} is too long", file.value), "1 MiB at most"),
        Ok((false, _)) => return refuse(format!("{} is no file", file.value), FILE_HELP),
        Err(error) => return refuse(format!("cannot read {}: {error}", file.value), FILE_HELP),
    }
    match std::fs::read(&path).map(String::from_utf8) {
        Ok(Ok(text)) => Some(Arc::new(Source {
            name: file.value.clone(),
            text,
        })),
        Ok(Err(_)) => refuse(format!("{} is not UTF-8", file.value), "save it as UTF-8"),
        Err(error) => refuse(format!("cannot read {}: {error}", file.value), FILE_HELP),
    }
}

fn add_events(
    holidays: &mut Holidays,
    source: &Arc<Source>,
    zone: Option<&TimeZone>,
    notes: &Notes,
) {
    let (events, faults) = read_icalendar(&source.text, zone);
    for fault in faults {
        let place = line(source, fault.line);
        notes.push(match fault.fatal {
            true => Problem::error(&place, fault.message, fault.help),
            false => Problem::warning(&place, fault.message, fault.help),
        });
    }
    for event in &events {
        holidays.add_event(event, &source.name);
    }
}

/// A whole line, from 1.
fn line(source: &Arc<Source>, number: usize) -> Place {
    let mut begin = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        if index + 1 == number {
            return Place::new(source, begin..begin + line.trim_end().len());
        }
        begin += line.len();
    }
    Place::new(source, begin..begin)
}

/// The list that is computed.
const JAPAN: &str = "japan";
const LONGEST_FILE: u64 = 1 << 20;
const FILE_HELP: &str = "write its path from the configuration directory, such as company.ics";
