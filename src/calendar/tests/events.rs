//! iCalendar files, good and bad.

use super::*;

fn file(events: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{events}\nEND:VCALENDAR\n")
}

fn event(properties: &str) -> String {
    file(&format!("BEGIN:VEVENT\nUID:1\n{properties}\nEND:VEVENT"))
}

fn list(text: &str) -> Holidays {
    let (entries, faults) = read_icalendar(text, None);
    assert_eq!(faults, []);
    let mut list = Holidays::new("list");
    for entry in &entries {
        list.add_event(entry, "list.ics");
    }
    list
}

fn days(list: &Holidays, year: i16) -> Vec<String> {
    let days = date(year, 1, 1)
        .series(1.day())
        .take_while(|day| day.year() == year);
    let found = days.filter_map(|day| Some(format!("{day} {}", list.on(day)?.name.english)));
    found.collect()
}

#[test]
fn a_file_as_programs_write_it_is_read() {
    let text = "\u{feff}BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:社内\r\n\
        BEGIN:VTIMEZONE\r\nTZID:Asia/Tokyo\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n\
        RRULE:FREQ=HOURLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
        BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261229\r\n\
        DTEND;VALUE=DATE:20270104\r\nSUMMARY;LANGUAGE=ja;X-Q=\"a:b\":年末\\, 年始\r\n 休業\r\n\
        BEGIN:VALARM\r\nTRIGGER:-PT1H\r\nDURATION:PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20200501\r\nRRULE:FREQ=YEARLY\r\n\
        EXDATE;VALUE=DATE:20270501\r\nRDATE;VALUE=DATE:20260801\r\nDURATION:P2D\r\nSUMMARY:Founding\r\n\
        END:VEVENT\r\n\
        BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260301\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nDUE:20260101T000000Z\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let list = list(text);
    assert_eq!(
        days(&list, 2026),
        [
            "2026-05-01 Founding",
            "2026-05-02 Founding",
            "2026-08-01 Founding",
            "2026-08-02 Founding",
            "2026-12-29 年末, 年始休業",
            "2026-12-30 年末, 年始休業",
            "2026-12-31 年末, 年始休業",
        ]
    );
    assert_eq!(days(&list, 2027).len(), 3);
    let founding = list.on(date(2026, 5, 2)).unwrap();
    assert_eq!(founding.spot.unwrap().to_string(), "list.ics:22");
}

#[test]
fn times_in_utc_are_days_of_the_zone_the_file_is_for() {
    // Until the eve in Tokyo, at the first moment of it; without one, and with one that is cancelled.
    let tokyo = "DTSTART;VALUE=DATE:20261228\nRRULE:FREQ=DAILY;UNTIL=20261230T150000Z\n\
        EXDATE:20261228T150000Z\nRDATE:20270104T150000Z,20270105T150000Z\nEXDATE:20270105T150000Z";
    let own = |zone: &str| file(&format!("{zone}\nBEGIN:VEVENT\n{tokyo}\nEND:VEVENT"));
    let described = file(&format!(
        "BEGIN:VEVENT\n{tokyo}\nEND:VEVENT\nBEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nEND:VTIMEZONE"
    ));
    let in_tokyo = ["2026-12-28", "2026-12-30", "2026-12-31", "2027-01-05"];
    let found = |text: &str, zone: Option<&str>| {
        let zone = zone.map(|zone| jiff::tz::TimeZone::get(zone).unwrap());
        let (entries, faults) = read_icalendar(text, zone.as_ref());
        assert_eq!(faults, [], "{text}");
        let mut list = Holidays::new("list");
        entries.iter().for_each(|it| list.add_event(it, "list.ics"));
        let days = [2026, 2027].into_iter().flat_map(|year| days(&list, year));
        let days: Vec<String> = days.map(|day| day[..10].to_owned()).collect();
        days
    };
    assert_eq!(found(&own("X-WR-TIMEZONE:Asia/Tokyo"), None), in_tokyo);
    assert_eq!(found(&described, None), in_tokyo);
    let abroad = own("X-WR-TIMEZONE:America/New_York");
    assert_eq!(found(&abroad, Some("Asia/Tokyo")), in_tokyo, "as told");

    // The last moment of a day in New York, and dates that are dressed up.
    let west = event(
        "DTSTART;VALUE=DATE:20270501\nRRULE:FREQ=DAILY;UNTIL=20270504T035959Z\n\
         EXDATE:20270502T000000Z\nRDATE;TZID=Asia/Tokyo:20270601T000000",
    );
    let in_new_york = ["2027-05-01", "2027-05-03", "2027-06-01"];
    assert_eq!(found(&west, Some("America/New_York")), in_new_york);
}

#[test]
fn what_is_taken_out_is_taken_out_of_dates_too() {
    let list = list(&event(
        "DTSTART;VALUE=DATE:20270501\nRDATE:20270601,20270701\nEXDATE:20270601",
    ));
    assert_eq!(
        days(&list, 2027),
        ["2027-05-01 holiday", "2027-07-01 holiday"]
    );
}

#[test]
fn what_is_wrong_or_left_out_is_said_with_its_line() {
    let fault = |text: &str| {
        let (_, faults) = read_icalendar(text, None);
        let fault = faults
            .first()
            .unwrap_or_else(|| panic!("nothing wrong with {text}"));
        (fault.line, fault.fatal, fault.message.clone())
    };
    for (text, line, fatal, words) in [
        ("".to_owned(), 1, true, "no BEGIN:VCALENDAR"),
        ("hello".to_owned(), 1, true, "not a line of iCalendar"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101".to_owned(),
            3,
            true,
            "ends before END:VEVENT",
        ),
        (file("END:VEVENT"), 4, true, "without its BEGIN"),
        (event("SUMMARY:x"), 4, true, "without DTSTART"),
        (event("DTSTART:2026-01-01"), 6, true, "DTSTART cannot be"),
        (event("DTSTART:20260230"), 6, true, "DTSTART cannot be"),
        (event("DTSTART:20260101T090000Z"), 6, false, "time of day"),
        (
            event("DTSTART:20260101\nDTSTART:20260102"),
            7,
            true,
            "twice",
        ),
        (
            event("DTSTART:20260101\nDTEND:20250101"),
            7,
            true,
            "cannot end",
        ),
        (
            event("DTSTART:20260101\nDTEND:20290101"),
            7,
            true,
            "cannot end",
        ),
        (
            event("DTSTART:20260101\nDURATION:PT1H"),
            7,
            true,
            "cannot end",
        ),
        (
            event("DTSTART:20260101\nDURATION:-P1D"),
            7,
            true,
            "cannot end",
        ),
        (
            event("DTSTART:20260101\nDURATION:P1D\nDTEND:20260102"),
            7,
            true,
            "both",
        ),
        (
            event("DTSTART:20260101\nRRULE:FREQ=SECONDLY"),
            7,
            true,
            "RRULE: FREQ",
        ),
        (
            event("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYEASTER=1"),
            7,
            true,
            "RRULE: \"BYEASTER\"",
        ),
        (
            event("DTSTART:20260101\nEXDATE:never"),
            7,
            true,
            "is no date",
        ),
        (
            event("DTSTART:20260101\nEXDATE:20270101T150000Z"),
            7,
            true,
            "in which time zone",
        ),
        (
            event("DTSTART:20260101\nRRULE:FREQ=DAILY;UNTIL=20270101T150000Z"),
            7,
            true,
            "in which time zone",
        ),
        (
            event("DTSTART:20260101\nRDATE;VALUE=PERIOD:20270101T150000Z/PT1H"),
            7,
            true,
            "is no date",
        ),
        (
            event("DTSTART:20260101\nEXRULE:FREQ=YEARLY"),
            7,
            true,
            "EXRULE",
        ),
        (
            event("DTSTART:20260101\nRECURRENCE-ID:20260101"),
            7,
            false,
            "RECURRENCE-ID",
        ),
    ] {
        let (found, is_fatal, message) = fault(&text);
        assert!(message.contains(words), "{text}: {message}");
        assert_eq!((found, is_fatal), (line, fatal), "{text}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

    #[test]
    fn no_damage_to_a_file_is_a_panic(from in 0..300usize, cut in 0..20usize, put in "[A-Z:;=,0-9é\\\\\\n -]{0,8}") {
        let text = event("DTSTART;VALUE=DATE:20200229\nDTEND;VALUE=DATE:20200303\nSUMMARY:a\\, b\n\
            RRULE:FREQ=YEARLY;INTERVAL=2;BYMONTH=2,8;BYDAY=-1MO,2TU;BYSETPOS=1;UNTIL=20400101\n\
            EXDATE:20260101,20270101\nRDATE:20250101");
        let mut letters: Vec<char> = text.chars().collect();
        let from = from % letters.len();
        let to = (from + cut).min(letters.len());
        letters.splice(from..to, put.chars());
        let (entries, _) = read_icalendar(&letters.into_iter().collect::<String>(), None);
        let mut list = Holidays::new("x");
        for entry in &entries {
            list.add_event(entry, "x.ics");
        }
        for day in date(2026, 1, 1).series(5.days()).take(80) {
            list.on(day);
        }
    }
}
