//! Days on which clocks are set, and hours past midnight.

use super::*;
use crate::base::Timestamp;

fn calendar(zone: &str, hours: [&str; 7]) -> Calendar {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let week = Week {
        days: hours.map(|hours| match hours {
            "" => (Hours::CLOSED, None),
            hours => (Hours::parse(hours).unwrap(), None),
        }),
        spot: spot(1),
    };
    Calendar::new("x", zone, week, Vec::new())
}

/// Open or closed, and until when, both in UTC.
fn at(calendar: &Calendar, utc: &str) -> (bool, String) {
    let now = Timestamp::parse_rfc3339(utc).unwrap();
    let verdict = calendar.at(now, &Closings::default());
    let until = verdict.until.map(|until| until.to_rfc3339());
    (
        verdict.open,
        until
            .unwrap_or_else(|| "-".to_owned())
            .replace(":00.000Z", "Z"),
    )
}

fn check(calendar: &Calendar, cases: &[(&str, bool, &str)]) {
    for (utc, open, until) in cases {
        assert_eq!(at(calendar, utc), (*open, (*until).to_owned()), "{utc}");
    }
}

#[test]
fn berlin_loses_and_wins_an_hour() {
    // Sundays 01:00 to 06:00; clocks go from 02:00 to 03:00 on 29 March 2026, from 03:00 to 02:00 on 25 October.
    let sundays = calendar("Europe/Berlin", ["", "", "", "", "", "", "01:00-06:00"]);
    check(
        &sundays,
        &[
            ("2026-03-28T23:59:00Z", false, "2026-03-29T00:00Z"),
            ("2026-03-29T00:30:00Z", true, "2026-03-29T04:00Z"),
            ("2026-03-29T03:59:59Z", true, "2026-03-29T04:00Z"),
            ("2026-10-24T23:00:00Z", true, "2026-10-25T05:00Z"),
            ("2026-10-25T04:59:00Z", true, "2026-10-25T05:00Z"),
            ("2026-10-25T05:00:00Z", false, "2026-11-01T00:00Z"),
        ],
    );
}

#[test]
fn an_edge_in_the_hour_that_comes_twice_comes_twice() {
    let until_half_past = calendar("Europe/Berlin", ["", "", "", "", "", "", "00:00-02:30"]);
    check(
        &until_half_past,
        &[
            ("2026-10-25T00:00:00Z", true, "2026-10-25T00:30Z"),
            ("2026-10-25T00:30:00Z", false, "2026-10-25T01:00Z"),
            ("2026-10-25T01:00:00Z", true, "2026-10-25T01:30Z"),
            ("2026-10-25T01:30:00Z", false, "2026-10-31T23:00Z"),
        ],
    );
    let from_half_past = calendar("Europe/Berlin", ["", "", "", "", "", "", "02:30-08:00"]);
    check(
        &from_half_past,
        &[
            ("2026-10-25T00:30:00Z", true, "2026-10-25T01:00Z"),
            ("2026-10-25T01:00:00Z", false, "2026-10-25T01:30Z"),
            // In March there is no 02:30: it opens when the clock shows 03:00.
            ("2026-03-29T00:59:00Z", false, "2026-03-29T01:00Z"),
            ("2026-03-29T01:00:00Z", true, "2026-03-29T06:00Z"),
        ],
    );
}

#[test]
fn hours_within_the_hour_left_out_are_not() {
    let gap = calendar("America/New_York", ["", "", "", "", "", "", "02:00-03:00"]);
    // 8 March 2026, 02:00 EST is 03:00 EDT.
    check(
        &gap,
        &[
            ("2026-03-08T06:59:00Z", false, "2026-03-15T06:00Z"),
            ("2026-03-08T07:00:00Z", false, "2026-03-15T06:00Z"),
            ("2026-11-01T06:00:00Z", false, "2026-11-01T07:00Z"),
            ("2026-11-01T07:30:00Z", true, "2026-11-01T08:00Z"),
        ],
    );
}

#[test]
fn new_york_works_nine_to_five_by_its_own_clock_all_year() {
    let office = calendar("America/New_York", ["09:00-17:00"; 7]);
    for (utc, open, until) in [
        ("2026-03-07T14:00:00Z", true, "2026-03-07T22:00Z"),
        ("2026-03-07T22:00:00Z", false, "2026-03-08T13:00Z"),
        ("2026-03-08T13:00:00Z", true, "2026-03-08T21:00Z"),
        ("2026-10-31T21:00:00Z", false, "2026-11-01T14:00Z"),
        ("2026-11-01T14:00:00Z", true, "2026-11-01T22:00Z"),
    ] {
        assert_eq!(at(&office, utc), (open, until.to_owned()), "{utc}");
    }
}

#[test]
fn a_night_belongs_to_the_day_it_begins_on() {
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let mut week = working_week("22:00-02:00");
    week.days[5].0 = Hours::parse("20:00-24:00").unwrap();
    let new_year = Rule {
        when: When::Date(date(2027, 1, 1)),
        effect: Effect::Hours(Hours::CLOSED),
        name: Some("New Year".into()),
        spot: spot(30),
    };
    let bar = Calendar::new("bar", zone, week, vec![new_year]);
    check(
        &bar,
        &[
            // Thursday 31 December, 23:00 and 01:59 of the closed day after it.
            ("2026-12-31T14:00:00Z", true, "2026-12-31T17:00Z"),
            ("2026-12-31T16:59:00Z", true, "2026-12-31T17:00Z"),
            ("2026-12-31T17:00:00Z", false, "2027-01-01T15:00Z"),
            // Saturday ends at midnight; Sunday is closed until Monday night.
            ("2027-01-02T14:59:00Z", true, "2027-01-02T15:00Z"),
            ("2027-01-02T15:00:00Z", false, "2027-01-04T13:00Z"),
        ],
    );
}

#[test]
fn what_never_changes_has_no_end() {
    check(
        &calendar("Asia/Tokyo", ["00:00-24:00"; 7]),
        &[("2026-01-01T00:00:00Z", true, "-")],
    );
    check(
        &calendar("Asia/Tokyo", [""; 7]),
        &[("2026-01-01T00:00:00Z", false, "-")],
    );
    for micros in [
        i64::MIN,
        i64::MAX,
        253_402_207_200_000_000,
        -377_705_023_201_000_000,
    ] {
        let now = Timestamp::from_micros(micros);
        for zone in ["Asia/Tokyo", "America/New_York", "Pacific/Apia"] {
            calendar(zone, ["22:00-06:00"; 7]).at(now, &Closings::default());
        }
    }
}

#[test]
fn closed_by_hand_outranks_all_and_ends_by_itself() {
    let office = calendar("Asia/Tokyo", ["09:00-17:00"; 7]);
    let time = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
    let closing = |until: Option<&str>| Closing {
        reason: Some("typhoon".to_owned()),
        until: until.map(time),
    };
    let noon = time("2026-11-24T03:00:00Z");
    let ends: Closings = [("x".to_owned(), closing(Some("2026-11-24T04:00:00Z")))]
        .into_iter()
        .collect();
    let verdict = office.at(noon, &ends);
    assert!(!verdict.open && !office.is_open(noon, &ends));
    assert_eq!(verdict.reason.layer, Layer::Emergency);
    assert_eq!(verdict.reason.spot.to_string(), "closed/x");
    assert_eq!(
        verdict.reason.name.map(|name| name.english),
        Some("typhoon".into())
    );
    assert_eq!(verdict.until, Some(time("2026-11-24T04:00:00Z")));
    assert_eq!(office.opens(noon, &ends), verdict.until);
    let after = office.at(time("2026-11-24T04:00:00Z"), &ends);
    assert_eq!((after.open, after.reason.layer), (true, Layer::Weekly));
    let all: Closings = [("all".to_owned(), closing(None))].into_iter().collect();
    assert!(!office.at(noon, &all).open);
    assert_eq!(office.opens(noon, &all), None);
    let none = Closings::default();
    let night = time("2026-11-24T12:00:00Z");
    assert_eq!(
        office.opens(night, &none),
        Some(time("2026-11-25T00:00:00Z"))
    );
    assert_eq!(office.opens(noon, &none), None);
}
