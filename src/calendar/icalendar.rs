//! Holidays from an iCalendar file (RFC 5545): all-day events, also of several days, with RRULE,
//! RDATE and EXDATE. What is skipped is told, with its line; what would be misread is an error.
//!
//! Days have no time zone, but some programs write UNTIL, RDATE and EXDATE of all-day events in UTC: their
//! day is that of the zone the file says it is for.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::recurrence::Recurrence;
use super::rrule::{self, DayError, RruleError};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// SUMMARY.
    pub name: String,
    /// Line of its BEGIN.
    pub line: usize,
    /// Its first day.
    pub first: Date,
    /// How many days it has, 1 to 366.
    pub days: u16,
    /// How it comes again.
    pub again: Option<Recurrence>,
    /// Other first days.
    pub also: Vec<Date>,
    /// First days that are left out.
    pub except: Vec<Date>,
}

/// What is wrong with a file, or was not taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Whether the file cannot be used.
    pub fatal: bool,
    /// What.
    pub message: String,
    /// The remedy.
    pub help: &'static str,
}

/// Reads a file; entries are worth something only when no fault is fatal. Times in UTC are days of
/// `zone`, or where that is not given of the zone that the file names.
pub fn read(text: &str, zone: Option<&TimeZone>) -> (Vec<Entry>, Vec<Fault>) {
    let lines = unfolded(text);
    let mut reader = Reader {
        zone: zone.cloned().or_else(|| zone_of(&lines)),
        ..Reader::default()
    };
    for line in lines {
        reader.take(&line);
        if reader.entries.len() > MOST_EVENTS {
            reader.error(
                line.number,
                format!("more than {MOST_EVENTS} events"),
                SMALLER,
            );
            break;
        }
    }
    reader.finish(text)
}

/// A content line, unfolded (§3.1).
struct Line {
    number: usize,
    text: String,
}

fn unfolded(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.text.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => lines.push(Line {
                number: index + 1,
                text: line.to_owned(),
            }),
        }
    }
    lines
}

/// The time zone a file is for: X-WR-TIMEZONE, else the only one that it describes.
fn zone_of(lines: &[Line]) -> Option<TimeZone> {
    let named = |wanted: &str| -> Vec<&str> {
        let all = lines.iter().filter_map(|line| split(&line.text));
        let named = all.filter(|(name, _, _)| name == wanted);
        named.map(|(_, _, value)| value).collect()
    };
    let known = |name: &str| {
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name().is_some() && !zone.is_unknown()).then_some(zone)
    };
    let own = named("X-WR-TIMEZONE").into_iter().find_map(known);
    own.or_else(|| match named("TZID")[..] {
        [described] => known(described),
        _ => None,
    })
}

/// `NAME;PARAMETERS:VALUE`, the name in capitals.
fn split(text: &str) -> Option<(String, &str, &str)> {
    let mut quoted = false;
    let colon = text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == ':' && !quoted).then_some(at)
    })?;
    let (head, value) = (text.get(..colon)?, text.get(colon + 1..)?);
    let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.chars().all(is_name))
        .then(|| (name.to_ascii_uppercase(), parameters, value.trim()))
}

/// A property as it stands in an event.
struct Written {
    line: usize,
    value: String,
}

/// The event being read.
#[derive(Default)]
struct Event {
    line: usize,
    name: Option<String>,
    start: Option<Written>,
    end: Option<Written>,
    duration: Option<Written>,
    rule: Option<Written>,
    also: Vec<Written>,
    except: Vec<Written>,
    cancelled: bool,
    override_of: Option<usize>,
}

#[derive(Default)]
struct Reader {
    /// Components that are open, the outermost first.
    open: Vec<String>,
    event: Option<Event>,
    entries: Vec<Entry>,
    faults: Vec<Fault>,
    is_calendar: bool,
    /// Whose days times in UTC are.
    zone: Option<TimeZone>,
}

impl Reader {
    fn error(&mut self, line: usize, message: String, help: &'static str) {
        self.fault(line, true, message, help);
    }

    fn warn(&mut self, line: usize, message: String, help: &'static str) {
        self.fault(line, false, message, help);
    }

    fn fault(&mut self, line: usize, fatal: bool, message: String, help: &'static str) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault {
                line,
                fatal,
                message,
                help,
            });
        }
    }

    fn take(&mut self, line: &Line) {
        let Some((name, _, value)) = split(&line.text) else {
            let message = "not a line of iCalendar".to_owned();
            return self.error(line.number, message, FORM);
        };
        match name.as_str() {
            "BEGIN" => self.begin(line.number, value),
            "END" => self.end(line.number, value),
            _ if self.open.last().is_some_and(|open| open == EVENT) => {
                self.property(line.number, &name, value);
            }
            _ => {}
        }
    }

    fn begin(&mut self, line: usize, component: &str) {
        let component = component.to_ascii_uppercase();
        if self.open.is_empty() && component != CALENDAR {
            let message = format!("BEGIN:{component} outside of a calendar");
            self.error(line, message, FORM);
        }
        self.is_calendar |= component == CALENDAR;
        if component == EVENT {
            self.event = Some(Event {
                line,
                ..Event::default()
            });
        }
        if self.open.len() < DEEPEST {
            self.open.push(component);
        } else {
            self.error(line, "components nested too deeply".to_owned(), FORM);
        }
    }

    fn end(&mut self, line: usize, component: &str) {
        let component = component.to_ascii_uppercase();
        if self.open.pop().is_none_or(|open| open != component) {
            let message = format!("END:{component} without its BEGIN");
            self.error(line, message, FORM);
        }
        if component == EVENT
            && let Some(event) = self.event.take()
        {
            self.close(event);
        }
    }

    fn property(&mut self, line: usize, name: &str, value: &str) {
        let Some(event) = &mut self.event else {
            return;
        };
        let written = Written {
            line,
            value: value.to_owned(),
        };
        let place = match name {
            "DTSTART" => &mut event.start,
            "DTEND" => &mut event.end,
            "DURATION" => &mut event.duration,
            "RRULE" => &mut event.rule,
            "SUMMARY" => return event.name = Some(plain(value)),
            "STATUS" => return event.cancelled = value.eq_ignore_ascii_case("CANCELLED"),
            "RECURRENCE-ID" => return event.override_of = Some(line),
            "RDATE" => return event.also.push(written),
            "EXDATE" => return event.except.push(written),
            "EXRULE" => {
                let message = "EXRULE is of RFC 2445 and not understood".to_owned();
                return self.error(line, message, "write its dates as EXDATE");
            }
            _ => return,
        };
        if place.replace(written).is_some() {
            self.error(line, format!("{name} is there twice"), FORM);
        }
    }

    /// Makes an entry of an event that is over.
    fn close(&mut self, event: Event) {
        if event.cancelled {
            return;
        }
        if let Some(line) = event.override_of {
            let message = "an exception to another event (RECURRENCE-ID) is left out".to_owned();
            return self.warn(
                line,
                message,
                "write its date as EXDATE there, and an event of its own",
            );
        }
        let Some(start) = &event.start else {
            let message = "an event without DTSTART".to_owned();
            return self.error(event.line, message, DATES);
        };
        let Some(first) = rrule::date(&start.value) else {
            if looks_like_time(&start.value) {
                let message = "an event with a time of day is no holiday: left out".to_owned();
                return self.warn(start.line, message, DATES);
            }
            let message = format!("DTSTART cannot be \"{}\"", shortened(&start.value));
            return self.error(start.line, message, DATES);
        };
        let Some(days) = self.length(&event, first) else {
            return;
        };
        let again = match &event.rule {
            None => None,
            Some(rule) => match rrule::parse(&rule.value, first, self.zone.as_ref()) {
                Ok(again) => Some(again),
                Err(error) => {
                    let help = match error {
                        RruleError::Zone(_) => ZONE,
                        _ => RULE,
                    };
                    return self.error(rule.line, format!("RRULE: {error}"), help);
                }
            },
        };
        let (also, except) = (self.dates(&event.also), self.dates(&event.except));
        self.entries.push(Entry {
            name: event.name.unwrap_or_else(|| "holiday".to_owned()),
            line: event.line,
            first,
            days,
            again,
            also,
            except,
        });
    }

    /// How many days the event has; `None` when that is wrong, and told.
    fn length(&mut self, event: &Event, first: Date) -> Option<u16> {
        let (written, days) = match (&event.end, &event.duration) {
            (None, None) => return Some(1),
            (Some(end), None) => (
                end,
                rrule::date(&end.value).and_then(|end| days_to(first, end)),
            ),
            (None, Some(duration)) => (duration, duration_days(&duration.value)),
            (Some(_), Some(duration)) => {
                let message = "both DTEND and DURATION".to_owned();
                self.error(duration.line, message, FORM);
                return None;
            }
        };
        // Some programs write the day itself as the end of one day.
        let days = days.map(|days| days.max(1)).filter(|days| *days <= LONGEST);
        if days.is_none() {
            let message = format!("the event cannot end at \"{}\"", shortened(&written.value));
            self.error(
                written.line,
                message,
                "an all-day event ends 1 to 366 days after it begins",
            );
        }
        days
    }

    fn dates(&mut self, written: &[Written]) -> Vec<Date> {
        let mut dates = Vec::new();
        for written in written {
            for value in written.value.split(',').map(str::trim) {
                match rrule::day(value, self.zone.as_ref()) {
                    Ok(_) if dates.len() >= MOST_DATES => {
                        let message = format!("more than {MOST_DATES} dates");
                        self.error(written.line, message, SMALLER);
                        return dates;
                    }
                    Ok(date) => dates.push(date),
                    Err(DayError::Form) => {
                        let message = format!("\"{}\" is no date", shortened(value));
                        self.error(written.line, message, DATES);
                    }
                    Err(DayError::Zone) => {
                        let message = format!(
                            "\"{}\" is a time in UTC, and nothing says in which time zone the days \
                             are meant",
                            shortened(value)
                        );
                        self.error(written.line, message, ZONE);
                    }
                }
            }
        }
        dates
    }

    fn finish(mut self, text: &str) -> (Vec<Entry>, Vec<Fault>) {
        let last = text.lines().count().max(1);
        if !self.is_calendar {
            let message = "there is no BEGIN:VCALENDAR".to_owned();
            self.error(1, message, "write an iCalendar file (RFC 5545)");
        } else if let Some(open) = self.open.pop() {
            let message = format!("the file ends before END:{open}");
            self.error(last, message, "get the file again: it is not whole");
        }
        (self.entries, self.faults)
    }
}

fn days_to(first: Date, end: Date) -> Option<u16> {
    let days = first.until((jiff::Unit::Day, end)).ok()?.get_days();
    u16::try_from(days).ok()
}

/// `P5D`, `P2W`.
fn duration_days(text: &str) -> Option<u16> {
    let span: jiff::Span = text.parse().ok()?;
    let days = span
        .get_weeks()
        .checked_mul(7)?
        .checked_add(span.get_days())?;
    let whole = jiff::Span::new().try_weeks(span.get_weeks()).ok()?;
    let whole = whole.try_days(span.get_days()).ok()?;
    (span.fieldwise() == whole)
        .then(|| u16::try_from(days).ok())
        .flatten()
}

fn looks_like_time(text: &str) -> bool {
    let (date, time) = text.split_at_checked(8).unwrap_or((text, ""));
    rrule::date(date).is_some() && time.starts_with('T')
}

/// TEXT without its escapes (§3.3.11), on one line.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => ' ',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        plain.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    shortened(plain.trim())
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

impl Entry {
    /// Every day that it has without coming again.
    pub(super) fn single_days(&self) -> impl Iterator<Item = Date> {
        let own = match self.again {
            Some(_) => None,
            None => Some(self.first),
        };
        let begins = own.into_iter().chain(self.also.iter().copied());
        // They are taken from all others, RDATE too (§3.8.5.1).
        let begins = begins.filter(|begin| !self.except.contains(begin));
        begins.flat_map(|begin| begin.series(1.day()).take(usize::from(self.days)))
    }
}

const CALENDAR: &str = "VCALENDAR";
const EVENT: &str = "VEVENT";
const FORM: &str = "write NAME:VALUE lines between BEGIN and END, as RFC 5545 says";
const DATES: &str = "write dates without time, such as DTSTART;VALUE=DATE:20261231";
const ZONE: &str = "add time_zone = \"Asia/Tokyo\" to the list, or write the date without time";
const RULE: &str = "an example: FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31";
const SMALLER: &str = "leave out what is long past";

/// Some hundred years of holidays.
const MOST_EVENTS: usize = 10_000;
const MOST_DATES: usize = 1_000;
/// More would say the same again.
const MOST_FAULTS: usize = 50;
/// A calendar, an event, an alarm, and room.
const DEEPEST: usize = 8;
/// Days of the longest event.
const LONGEST: u16 = 366;
