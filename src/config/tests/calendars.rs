//! Calendars as they are written: what they say, and what is wrong with them.

use super::routing::{good, office, said};
use super::*;
use crate::base::Timestamp;
use crate::calendar::{Calendar, Closings};

const CASES: &str = include_str!("../../../tests/data/calendars/cases.toml");
const EVENTS: &str = include_str!("../../../tests/data/calendars/cases.ics");

fn cases() -> Office {
    good(&[("calendars.toml", CASES), ("cases.ics", EVENTS)])
}

/// A time on a calendar's clock.
fn instant(calendar: &Calendar, text: &str) -> Timestamp {
    let wall: jiff::civil::DateTime = text.parse().expect("a time");
    let zoned = wall
        .to_zoned(calendar.zone().clone())
        .expect("a time there is");
    Timestamp::from_micros(zoned.timestamp().as_microsecond())
}

#[test]
fn every_case_of_the_table_is_decided_by_its_rule() {
    let office = cases();
    let table = include_str!("../../../tests/data/calendars/cases.tsv");
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let row: Vec<&str> = line.split('\t').collect();
        let calendar = &office.calendars[row[0]];
        let verdict = calendar.at(instant(calendar, row[1]), &Closings::default());
        let reason = &verdict.reason;
        let name = reason.name.as_ref().map_or("-", |name| &name.english);
        let found = (
            if verdict.open { "open" } else { "closed" },
            reason.layer.as_str(),
            name,
            reason.spot.to_string(),
            verdict.until,
        );
        let place = format!("calendars.toml:{}", row[5]);
        let until = Some(instant(calendar, row[6]));
        assert_eq!(found, (row[2], row[3], row[4], place, until), "{line}");
        count += 1;
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn a_holiday_of_a_list_is_found_where_it_is_written() {
    let office = cases();
    let clinic = &office.calendars["clinic"];
    let holiday = |text| {
        let verdict = clinic.at(instant(clinic, text), &Closings::default());
        verdict.reason.holiday.map(|spot| spot.to_string())
    };
    assert_eq!(
        holiday("2027-12-24 11:00").as_deref(),
        Some("calendars.toml:79")
    );
    assert_eq!(holiday("2027-11-02 11:00").as_deref(), Some("cases.ics:4"));
    assert_eq!(holiday("2027-11-03 11:00"), None);
}

#[test]
fn numbers_and_queues_name_a_calendar_that_there_is() {
    let calendar = "[[calendar]]\nname = \"clinic\"\ntime_zone = \"Asia/Tokyo\"\nweekly = { mon = \"09:00-12:00\" }\n";
    let flow = "start = \"bye\"\n[steps.bye]\ndo = \"hangup\"\n";
    let queue =
        |name| format!("[[queue]]\nname = \"sales\"\nagents = \"1==1\"\ncalendar = \"{name}\"\n");
    let number =
        |name| format!("[[inbound]]\nnumber = \"100\"\nflow = \"main\"\ncalendar = \"{name}\"\n");
    let files = |name| (queue(name), number(name));
    let (queues, numbers) = files("clinic");
    let good = good(&[
        ("calendars/clinic.toml", calendar),
        ("flows/main.toml", flow),
        ("queues.toml", &queues),
        ("numbers.toml", &numbers),
    ]);
    assert_eq!(good.queue_calendars["sales"], "clinic");
    assert_eq!(good.numbers.calendar_of("100"), Some("clinic"));
    let (queues, numbers) = files("clinik");
    let said = said(&[
        ("calendars/clinic.toml", calendar),
        ("flows/main.toml", flow),
        ("queues.toml", &queues),
        ("numbers.toml", &numbers),
    ]);
    assert_eq!(
        said,
        [
            "numbers.toml:4:12: error: there is no calendar \"clinik\"",
            "queues.toml:4:12: error: there is no calendar \"clinik\"",
        ]
    );
}

#[test]
fn a_changed_calendar_is_told_at_a_reload_also_when_only_its_events_changed() {
    let before = cases();
    let same = cases();
    assert!(before.changes_to(&same).changed.is_empty());
    let events = EVENTS.replace("20271105", "20271106");
    let after = good(&[("calendars.toml", CASES), ("cases.ics", &events)]);
    assert_ne!(before.hash, after.hash);
    assert_eq!(before.changes_to(&after).changed, ["calendar clinic"]);
}

#[test]
fn what_is_wrong_with_an_event_names_the_line_of_its_file() {
    let events = EVENTS.replace("RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY;BYEASTER=1");
    let said = said(&[("calendars.toml", CASES), ("cases.ics", &events)]);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("cases.ics:15:1: error: RRULE: \"BYEASTER\" is no part"),
        "{said:?}"
    );
    let events = EVENTS.replace("DTSTART;VALUE=DATE:20271102", "DTSTART:20271102T090000Z");
    let said = super::routing::said(&[("calendars.toml", CASES), ("cases.ics", &events)]);
    assert_eq!(
        said,
        ["cases.ics:7:1: warning: an event with a time of day is no holiday: left out"]
    );
}

#[test]
fn a_time_in_utc_is_a_day_of_the_lists_or_the_calendars_zone() {
    // The first moment of the 15th in Tokyo, where nothing says so.
    let events = EVENTS.replace("EXDATE;VALUE=DATE:20280215", "EXDATE:20280214T150000Z");
    let refused = said(&[("calendars.toml", CASES), ("cases.ics", &events)]);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].starts_with("cases.ics:16:1: error: \"20280214T150000Z\" is a time in UTC"),
        "{refused:?}"
    );
    let in_zone = |zone: &str| {
        let file = format!("file = \"cases.ics\"\ntime_zone = \"{zone}\"");
        CASES.replace("file = \"cases.ics\"", &file)
    };
    let wrong = in_zone("Asia/Tokio");
    let wrong = said(&[("calendars.toml", &wrong), ("cases.ics", &events)]);
    assert!(
        wrong[0].contains("no time zone \"Asia/Tokio\""),
        "{wrong:?}"
    );

    let rule = "\n[[calendar.recurring]]\nname = \"Course\"\nfirst = 2028-02-16\nclosed = true\n\
        rrule = \"FREQ=DAILY;UNTIL=20280216T150000Z\"\n";
    let text = in_zone("Asia/Tokyo").replacen(
        "\n[[calendar.relative]]",
        &format!("{rule}\n[[calendar.relative]]"),
        1,
    );
    let office = good(&[("calendars.toml", &text), ("cases.ics", &events)]);
    let clinic = &office.calendars["clinic"];
    let name = |day: i8| {
        let day = clinic.day(jiff::civil::date(2028, 2, day));
        day.reason.name.map(|name| name.english.to_string())
    };
    let course = Some("Course".to_owned());
    assert_eq!([name(16), name(17)], [course.clone(), course.clone()]);
    assert_ne!(name(18), course);
    let holiday = clinic.day(jiff::civil::date(2028, 2, 15)).reason.holiday;
    assert_eq!(holiday, None);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

    /// Whatever becomes of a document of calendars: a report, or calendars that answer.
    #[test]
    fn no_damage_to_a_calendar_is_a_panic(
        damage in proptest::collection::vec(
            (0..2600usize, 0..30usize, "[a-z\\[\\]={}\":,.0-9é佐\\n-]{0,8}"), 1..4),
    ) {
        let mut letters: Vec<char> = CASES.chars().collect();
        for (from, cut, put) in damage {
            let from = from % letters.len();
            let to = (from + cut).min(letters.len());
            letters.splice(from..to, put.chars());
        }
        let text: String = letters.into_iter().collect();
        if let Ok(office) = office(&[("calendars.toml", &text), ("cases.ics", EVENTS)]) {
            for calendar in office.calendars.values() {
                for day in (0..20_000).step_by(497) {
                    calendar.at(Timestamp::from_millis(day * 86_400_000), &Closings::default());
                }
            }
        }
    }
}
