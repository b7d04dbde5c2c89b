//! Random calendars against an evaluator that knows nothing of intervals of minutes, of indices and
//! of changes: it compares dates with times, and looks at every minute.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::base::Timestamp;

/// Zones whose clocks are set at odd times, by odd spans, and over midnight.
const ZONES: [&str; 10] = [
    "Asia/Tokyo",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
    "Atlantic/Azores",
    "America/Godthab",
];

/// Hours as pairs of times, minutes from midnight; the second of some is on the next day.
type Plain = Vec<(u16, u16)>;

#[derive(Clone, Debug)]
struct Office {
    zone: &'static str,
    week: [Plain; 7],
    rules: Vec<(u8, i16, i16, Plain)>,
    start: i64,
}

fn hours() -> impl Strategy<Value = Plain> {
    let stretch = (0u16..1440, 1u16..700);
    proptest::collection::vec(stretch, 0..3).prop_map(|stretches| {
        let mut hours: Plain = Vec::new();
        for (start, length) in stretches {
            let end = start + length;
            if hours
                .iter()
                .all(|(first, last)| end < *first || start > *last)
            {
                hours.push((start, end));
            }
        }
        hours
    })
}

fn office() -> impl Strategy<Value = Office> {
    let rule = (0u8..6, -10i16..20, 0i16..9, hours());
    let week = proptest::array::uniform7(hours());
    // Around 1 January 2024 and the weeks in which clocks are set.
    let days = prop_oneof![
        Just("2026-03-29"),
        Just("2026-10-25"),
        Just("2026-03-08"),
        Just("2026-11-01"),
        Just("2026-04-05"),
        Just("2026-10-04"),
        Just("2026-09-06"),
        Just("2011-12-30"),
        Just("2025-01-01"),
        Just("2024-02-29"),
    ];
    let rules = proptest::collection::vec(rule, 0..5);
    (0..ZONES.len(), week, rules, days, 0i64..10_080).prop_map(
        |(zone, week, rules, day, minute)| {
            let day: Date = day.parse().unwrap();
            let noon = day.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
            Office {
                zone: ZONES[zone],
                week,
                rules,
                start: noon.timestamp().as_second() / 60 - 4320 + minute / 2,
            }
        },
    )
}

fn shown(hours: &Plain) -> Hours {
    let text = |minute: u16| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let parts: Vec<Interval> = hours
        .iter()
        .map(|(start, end)| Interval::parse(&format!("{}-{}", text(*start), text(*end))).unwrap())
        .collect();
    Hours::new(parts).unwrap()
}

impl Office {
    fn day(&self, offset: i16) -> Date {
        let start = jiff::Timestamp::from_second(self.start * 60).unwrap();
        let day = TimeZone::UTC.to_datetime(start).date();
        day.checked_add(i64::from(offset).days()).unwrap()
    }

    fn list(&self, offset: i16) -> Arc<Holidays> {
        let mut list = Holidays::new("list");
        list.add(
            self.day(offset),
            Holiday {
                name: "day".into(),
                spot: None,
            },
        );
        Arc::new(list)
    }

    fn calendar(&self) -> Calendar {
        let rules = self
            .rules
            .iter()
            .enumerate()
            .map(|(index, (kind, offset, more, hours))| Rule {
                when: match kind {
                    0 => When::Date(self.day(*offset)),
                    1 => When::Range(self.day(*offset), self.day(offset + more)),
                    2 => {
                        let spec = RecurrenceSpec {
                            interval: u16::try_from(more % 4 + 1).unwrap(),
                            ..RecurrenceSpec::new(self.day(*offset), Frequency::Daily)
                        };
                        When::Recurring(Recurrence::new(spec).unwrap())
                    }
                    3 => When::Holiday(self.list(*offset)),
                    _ => When::Relative(Relative {
                        lists: vec![self.list(*offset)],
                        offset: i32::from(more - 4),
                        working_days: *kind == 4,
                    }),
                },
                effect: Effect::Hours(shown(hours)),
                name: Some(format!("rule {index}").as_str().into()),
                spot: spot(index),
            });
        let week = Week {
            days: self.week.clone().map(|hours| (shown(&hours), None)),
            spot: spot(99),
        };
        Calendar::new(
            "x",
            TimeZone::get(self.zone).unwrap(),
            week,
            rules.collect(),
        )
    }

    /// The hours of a day and the rule they are of: 99 for the weekly ones.
    fn of_day(&self, day: Date) -> (&Plain, usize) {
        let weekly =
            |day: Date| &self.week[usize::try_from(day.weekday().to_monday_zero_offset()).unwrap()];
        for layer in 0..5 {
            for (index, (kind, offset, more, hours)) in self.rules.iter().enumerate() {
                let holiday = self.day(*offset);
                let beside = day.checked_add((i64::from(*more) - 4).days()).unwrap() == holiday;
                let about = match kind {
                    0 => layer == 0 && day == holiday,
                    1 => layer == 1 && day >= holiday && day <= self.day(offset + more),
                    2 => {
                        let since = (day - holiday).get_days();
                        layer == 2 && since >= 0 && since % i32::from(more % 4 + 1) == 0
                    }
                    3 => layer == 3 && day == holiday,
                    4 => layer == 4 && beside && day != holiday && !weekly(day).is_empty(),
                    _ => layer == 4 && beside,
                };
                if about {
                    return (hours, index);
                }
            }
        }
        (weekly(day), 99)
    }

    fn at(&self, zone: &TimeZone, minute: i64) -> (bool, usize) {
        let instant = jiff::Timestamp::from_second(minute * 60).unwrap();
        let wall: DateTime = zone.to_datetime(instant);
        for day in [wall.date(), wall.date().yesterday().unwrap()] {
            let (hours, rule) = self.of_day(day);
            for (start, end) in hours {
                let midnight = day.at(0, 0, 0, 0);
                let [start, end] = [start, end].map(|it| midnight + i64::from(*it).minutes());
                if start <= wall && wall < end {
                    return (true, rule);
                }
            }
        }
        (false, self.of_day(wall.date()).1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn every_minute_of_a_week_is_as_the_naive_evaluator_says_and_until_is_right(office in office()) {
        const WEEK: i64 = 7 * 1440;
        let (calendar, zone) = (office.calendar(), TimeZone::get(office.zone).unwrap());
        let naive: Vec<(bool, usize)> =
            (0..=WEEK).map(|minute| office.at(&zone, office.start + minute)).collect();
        // The first minute that is different from each, from the back.
        let mut next = vec![WEEK; naive.len()];
        for minute in (0..naive.len() - 1).rev() {
            next[minute] = match naive[minute] == naive[minute + 1] {
                true => next[minute + 1],
                false => i64::try_from(minute).unwrap() + 1,
            };
        }
        let none = Closings::default();
        for (minute, expected) in naive.iter().enumerate() {
            let at = office.start + i64::try_from(minute).unwrap();
            let now = Timestamp::from_millis(at * 60_000 + 59_999);
            let verdict = calendar.at(now, &none);
            prop_assert_eq!((verdict.open, verdict.reason.spot.line), *expected, "{}", now);
            let until = verdict.until.map_or(i64::MAX, |until| until.as_millis() / 60_000 - office.start);
            match next[minute] {
                WEEK => prop_assert!(until >= WEEK, "{} {}", now, until),
                next => prop_assert_eq!(until, next, "{}", now),
            }
        }
    }
}
