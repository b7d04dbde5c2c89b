//! When something changes next: looks at every instant at which a wall clock could matter.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::AmbiguousOffset;

use super::document::{Calendar, instant, timestamp};
use super::hours::DAY;
use crate::base::Timestamp;

/// How far is looked ahead: a rule of once a year comes up.
const HORIZON_DAYS: usize = 400;

/// Clocks are set by a day at the most (Samoa, 2011), so that these days are known whole before the
/// first of them is looked at.
const AHEAD: usize = 2;

/// The first instant after `now` at which `is_other` holds; none within 400 days: `None`.
///
/// A verdict changes only where a stretch of hours begins or ends, at midnight, and where the clock is
/// set. A stretch that begins in an hour that comes twice begins twice.
pub(super) fn after(
    calendar: &Calendar,
    now: Timestamp,
    is_other: impl Fn(Timestamp) -> bool,
) -> Option<Timestamp> {
    let zone = calendar.zone();
    let begin = instant(now);
    let mut day = zone.to_datetime(begin).date();
    let mut set = zone.following(begin).map(|it| it.timestamp()).peekable();
    let mut pending: BTreeSet<jiff::Timestamp> = BTreeSet::new();
    let mut known = day;
    for _ in 0..HORIZON_DAYS {
        let horizon = day
            .checked_add(jiff::Span::new().days(i64::try_from(AHEAD).ok()?))
            .ok()?;
        while known <= horizon {
            boundaries(calendar, known, &mut pending);
            known = known.tomorrow().ok()?;
        }
        // The clock shows this day until its next has begun for the first time.
        let end = first_instant(calendar, day.tomorrow().ok()?)?;
        while let Some(at) = set.next_if(|at| *at <= end) {
            pending.insert(at);
        }
        while let Some(at) = pending.first().copied().filter(|at| *at <= end) {
            pending.remove(&at);
            let at = timestamp(at);
            if at > now && is_other(at) {
                return Some(at);
            }
        }
        day = day.tomorrow().ok()?;
    }
    None
}

/// Instants of a day at which its hours, or those of the day before, begin or end.
fn boundaries(calendar: &Calendar, date: Date, instants: &mut BTreeSet<jiff::Timestamp>) {
    let mut minutes = vec![0];
    for interval in calendar.day(date).hours.intervals() {
        minutes.extend([interval.start(), interval.end()]);
    }
    if let Ok(yesterday) = date.yesterday() {
        for interval in calendar.day(yesterday).hours.intervals() {
            let of_today = [interval.start(), interval.end()].map(|it| it.checked_sub(DAY));
            minutes.extend(of_today.into_iter().flatten());
        }
    }
    for minute in minutes.into_iter().filter(|minute| *minute < DAY) {
        let (hour, minute) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
        if let (Ok(hour), Ok(minute)) = (hour, minute) {
            add(calendar, date.at(hour, minute, 0, 0), instants);
        }
    }
}

/// When the clock shows a time: once, twice, or never. What it leaves out changes when it is set.
fn add(calendar: &Calendar, wall: DateTime, instants: &mut BTreeSet<jiff::Timestamp>) {
    let zone = calendar.zone();
    let offsets = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
        AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
        AmbiguousOffset::Gap { .. } => [None, None],
    };
    let shown = offsets.into_iter().flatten();
    instants.extend(shown.filter_map(|offset| offset.to_timestamp(wall).ok()));
}

/// When the clock shows a day for the first time; where midnight is left out, when it is set.
fn first_instant(calendar: &Calendar, date: Date) -> Option<jiff::Timestamp> {
    let midnight = date.to_datetime(Time::midnight());
    calendar
        .zone()
        .to_ambiguous_timestamp(midnight)
        .earlier()
        .ok()
}
