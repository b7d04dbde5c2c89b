//! A calendar: rules over weekly hours, and what they say of a day and of an instant.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::change;
use super::closing::{Closing, Closings};
use super::hours::{DAY, Hours};
use super::rule::{Rule, Week};
use super::verdict::{Layer, Name, Reason, Spot, Verdict};
use crate::base::Timestamp;

/// Hours, holidays and exceptions of one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    name: Arc<str>,
    zone: TimeZone,
    week: Week,
    /// By layer, then as given.
    rules: Vec<Rule>,
}

/// What a calendar says of a day, closings by hand left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Day<'c> {
    /// Its hours; they may end on the next day.
    pub hours: &'c Hours,
    /// The rule that decided.
    pub reason: Reason,
    /// Which rule: `None` for the weekly hours.
    rule: Option<usize>,
}

/// What decides at an instant: compared to find when something changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) open: bool,
    rule: Option<usize>,
    name: Option<Name>,
}

impl Calendar {
    /// A calendar on the wall clock of `zone`. Of two rules of a layer about the same day, the one
    /// given first counts.
    pub fn new(name: &str, zone: TimeZone, week: Week, mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(Rule::layer);
        Self {
            name: name.into(),
            zone,
            week,
            rules,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The hours of the weekdays.
    pub fn week(&self) -> &Week {
        &self.week
    }

    /// Its rules above the weekly hours, the highest layer first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Open or closed at an instant, why, and until when.
    pub fn at(&self, now: Timestamp, closings: &Closings) -> Verdict {
        if let Some((name, closing)) = closings.of(&self.name, now) {
            return closed_by_hand(name, closing);
        }
        let (decision, reason) = self.decide(now);
        let until = change::after(self, now, |at| self.decide(at).0 != decision);
        Verdict {
            open: decision.open,
            reason,
            until,
        }
    }

    /// Open or closed at an instant, and why. Until when is dear: it may be a year away.
    pub fn now(&self, now: Timestamp, closings: &Closings) -> (bool, Reason) {
        if let Some((name, closing)) = closings.of(&self.name, now) {
            let verdict = closed_by_hand(name, closing);
            return (verdict.open, verdict.reason);
        }
        let (decision, reason) = self.decide(now);
        (decision.open, reason)
    }

    /// Whether it is open at an instant; cheaper than [`Calendar::at`].
    pub fn is_open(&self, now: Timestamp, closings: &Closings) -> bool {
        closings.of(&self.name, now).is_none() && self.decide(now).0.open
    }

    /// When it opens next, if it does so within 400 days: after `now`, and after a closing by hand
    /// whose end is known. `None` while it is open, and when nobody knows.
    pub fn opens(&self, now: Timestamp, closings: &Closings) -> Option<Timestamp> {
        let mut from = now;
        // One's own closing, and everybody's behind it.
        for _ in 0..2 {
            match closings.of(&self.name, from) {
                Some((_, closing)) => from = closing.until?,
                None => break,
            }
        }
        match (self.decide(from).0.open, from == now) {
            (true, true) => None,
            (true, false) => Some(from),
            (false, _) => {
                let opens = change::after(self, from, |at| self.decide(at).0.open)?;
                closings.of(&self.name, opens).is_none().then_some(opens)
            }
        }
    }

    /// What it says of a day.
    pub fn day(&self, date: Date) -> Day<'_> {
        let mut rules = self.rules.iter().enumerate();
        let decided = rules.find_map(|(index, rule)| {
            let reason = rule.on(date, &self.week)?;
            Some(Day {
                hours: rule.hours(date),
                reason,
                rule: Some(index),
            })
        });
        decided.unwrap_or_else(|| self.weekday(date))
    }

    /// Every rule about a day, the one that decides first; the weekly hours are the last.
    pub fn rules_about(&self, date: Date) -> Vec<Reason> {
        let rules = self.rules.iter();
        let mut reasons: Vec<Reason> = rules.filter_map(|it| it.on(date, &self.week)).collect();
        reasons.push(self.weekday(date).reason);
        reasons
    }

    /// What the weekly hours alone say of a day.
    fn weekday(&self, date: Date) -> Day<'_> {
        let weekday = date.weekday();
        Day {
            hours: self.week.hours(weekday),
            reason: Reason {
                layer: Layer::Weekly,
                name: None,
                spot: self.week.spot(weekday).clone(),
                holiday: None,
            },
            rule: None,
        }
    }

    /// What the rules say at an instant: the day's own hours, else those of the day before that
    /// are not over yet.
    fn decide(&self, now: Timestamp) -> (Decision, Reason) {
        let wall = self.wall(now);
        let minute =
            u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
        let mut day = self.day(wall.date());
        let mut open = day.hours.covers(minute);
        if !open && let Ok(yesterday) = wall.date().yesterday() {
            let yesterday = self.day(yesterday);
            if yesterday.hours.covers(minute + DAY) {
                (day, open) = (yesterday, true);
            }
        }
        let decision = Decision {
            open,
            rule: day.rule,
            name: day.reason.name.clone(),
        };
        (decision, day.reason)
    }

    /// What the clock on the wall shows.
    fn wall(&self, now: Timestamp) -> jiff::civil::DateTime {
        self.zone.to_datetime(instant(now))
    }
}

fn closed_by_hand(name: &str, closing: &Closing) -> Verdict {
    Verdict {
        open: false,
        reason: Reason {
            layer: Layer::Emergency,
            name: closing.reason.as_deref().map(Name::from),
            spot: Spot {
                file: format!("closed/{name}").into(),
                line: 0,
            },
            holiday: None,
        },
        until: closing.until,
    }
}

/// Switch time as the calendar's library has it; what is beyond its years is their end.
pub(super) fn instant(at: Timestamp) -> jiff::Timestamp {
    let end = match at < Timestamp::ZERO {
        true => jiff::Timestamp::MIN,
        false => jiff::Timestamp::MAX,
    };
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(end)
}

/// The other way round.
pub(super) fn timestamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_microsecond())
}
