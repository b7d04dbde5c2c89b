//! Calendars against others' words (tests/data/calendars) and against an evaluator that walks
//! minute by minute.

mod events;
mod naive;
mod zones;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};

use super::*;

fn table(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect())
}

fn spot(line: usize) -> Spot {
    Spot {
        file: "calendars.toml".into(),
        line,
    }
}

/// The same hours from Monday to Friday.
fn working_week(hours: &str) -> Week {
    let hours = Hours::parse(hours).unwrap();
    Week {
        days: std::array::from_fn(|day| match day {
            0..=4 => (hours.clone(), Some(spot(day + 1))),
            _ => (Hours::CLOSED, None),
        }),
        spot: spot(0),
    }
}

#[test]
fn japan_has_the_holidays_that_holidays_has_from_1949_to_2099() {
    let known = include_str!("../../tests/data/calendars/japan.tsv");
    let known: std::collections::BTreeMap<Date, &str> = table(known)
        .map(|row| (row[0].parse().unwrap(), row[1]))
        .collect();
    assert_eq!(known.len(), 2408);
    let days = date(1949, 1, 1).series(1.day());
    for day in days.take_while(|day| day.year() <= 2099) {
        let ours = japan(day);
        let theirs = known.get(&day);
        assert_eq!(
            ours.is_some(),
            theirs.is_some(),
            "{day}: {ours:?} {theirs:?}"
        );
        // Acts for single days have long names, which they shorten in other ways.
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let same = theirs.starts_with(&*ours.japanese) || day == date(2019, 5, 1);
            assert!(same, "{day}: {} {theirs}", ours.japanese);
        }
    }
}

#[test]
fn japan_had_its_first_holidays_in_the_autumn_of_1948() {
    let days: Vec<Date> = date(1940, 1, 1)
        .series(1.day())
        .take_while(|day| day.year() < 1949)
        .filter(|day| japan(*day).is_some())
        .collect();
    assert_eq!(
        days,
        [date(1948, 9, 23), date(1948, 11, 3), date(1948, 11, 23)]
    );
    assert_eq!(japan(date(2100, 1, 1)), None);
}

#[test]
fn every_day_of_2024_to_2030_is_for_a_japanese_office_as_two_others_say() {
    let known = include_str!("../../tests/data/calendars/japan-days.tsv");
    let list = std::sync::Arc::new(Holidays::of_japan());
    let closed = Rule {
        when: When::Holiday(list.clone()),
        effect: Effect::Hours(Hours::CLOSED),
        name: None,
        spot: spot(10),
    };
    let eve = Rule {
        when: When::Relative(Relative {
            lists: vec![list],
            offset: 1,
            working_days: true,
        }),
        effect: Effect::Hours(Hours::parse("09:00-15:00").unwrap()),
        name: Some("eve".into()),
        spot: spot(20),
    };
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let week = working_week("09:00-18:00");
    let office = Calendar::new("office", zone.clone(), week, vec![eve, closed]);
    let at = |day: Date, hour| {
        let instant = day.at(hour, 0, 0, 0).to_zoned(zone.clone()).unwrap();
        let now = crate::base::Timestamp::from_millis(instant.timestamp().as_millisecond());
        office.at(now, &Closings::default())
    };
    let mut days = 0;
    for row in table(known) {
        let day: Date = row[0].parse().unwrap();
        let (noon, late) = (at(day, 12), at(day, 16));
        let seen = (noon.open, late.open, noon.reason.layer);
        let expected = match row[4] {
            "holiday" => (false, false, Layer::Holiday),
            "weekend" => (false, false, Layer::Weekly),
            "eve" => (true, false, Layer::Relative),
            _ => (true, true, Layer::Weekly),
        };
        assert_eq!(seen, expected, "{row:?}");
        if !row[1].is_empty() {
            let name = noon.reason.name.unwrap();
            assert_eq!(&*name.japanese, row[1], "{row:?}");
            assert!(
                row[3].contains(row[1]) || row[3].ends_with(&*name.japanese),
                "{row:?}"
            );
        }
        days += 1;
    }
    assert_eq!(days, 2557);
}

#[test]
fn recurrences_are_those_of_dateutil() {
    let known = include_str!("../../tests/data/calendars/recurrence.tsv");
    let mut rules = 0;
    for row in table(known) {
        let first = rrule::date(row[0]).unwrap();
        let rule =
            parse_rrule(row[1], first, None).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let theirs: Vec<Date> = row[2].split_whitespace().filter_map(rrule::date).collect();
        let days = first.series(1.day()).take_while(|day| day.year() <= 2030);
        let ours: Vec<Date> = days.filter(|day| rule.occurs(*day)).take(120).collect();
        assert_eq!(ours, theirs, "{} {}", row[0], row[1]);
        assert!(!rule.occurs(first.yesterday().unwrap()), "{row:?}");
        rules += 1;
    }
    assert_eq!(rules, 400);
}

#[test]
fn a_recurrence_that_cannot_be_is_refused_with_words() {
    for (text, words) in [
        ("", "FREQ is missing"),
        ("FREQ=HOURLY", "FREQ cannot be \"HOURLY\""),
        ("FREQ=YEARLY;BYWEEKNO=20", "no part of a rule of dates"),
        ("FREQ=YEARLY;FREQ=DAILY", "FREQ is there twice"),
        (
            "FREQ=MONTHLY;BYDAY=6MO",
            "the number of a weekday cannot be 6",
        ),
        (
            "FREQ=WEEKLY;BYDAY=1MO",
            "the number of a weekday cannot be 1",
        ),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "do not go together"),
        ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1", "do not go together"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "a day of the month cannot be 32",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=0",
            "a day of the month cannot be 0",
        ),
        ("FREQ=YEARLY;BYMONTH=13", "a month cannot be 13"),
        ("FREQ=DAILY;INTERVAL=0", "the interval cannot be 0"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL cannot be \"-1\""),
        ("FREQ=DAILY;COUNT=99999", "the count cannot be 99999"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "do not go together"),
        ("FREQ=DAILY;UNTIL=20250101", "it ends before it begins"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL cannot be"),
        ("FREQ=DAILY;UNTIL=2025é101", "UNTIL cannot be"),
        ("FREQ=DAILY;UNTIL=20270101Tsoon", "UNTIL cannot be"),
        ("FREQ=DAILY;UNTIL=20270101T250000Z", "UNTIL cannot be"),
        ("FREQ=DAILY;UNTIL=20270101T150000Z", "in which time zone"),
        ("FREQ=DAILY;BYDAY=é", "BYDAY cannot be"),
        ("DAILY", "no part of a rule"),
    ] {
        let said = parse_rrule(text, date(2026, 1, 1), None)
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn weekdays_are_found_by_their_names() {
    let week = working_week("09:00-18:00");
    assert!(week.hours(Weekday::Saturday).is_closed());
    assert_eq!(week.spot(Weekday::Friday), &spot(5));
    assert_eq!(week.spot(Weekday::Sunday), &spot(0));
}
