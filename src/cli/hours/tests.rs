//! What the command says of the demo office, and draws.

use std::path::Path;

use super::*;
use crate::calendar::Closing;

fn office() -> Office {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sounds = root.join("sounds").display().to_string();
    let environment = Environment::from_iter([("TSUNAGU_SOUNDS", sounds)]);
    config::load(&root.join("config"), &environment).unwrap()
}

fn said(at: &str, closings: &Closings, language: Language) -> String {
    let office = office();
    let calendar = find(&office, "office").unwrap();
    let now = instant(Some(at), calendar).unwrap();
    let verdict = calendar.at(now, closings);
    let text = show(calendar, now, &verdict, closings, language);
    anstream::adapter::strip_str(&text).to_string()
}

fn has(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

#[test]
fn says_open_or_closed_why_and_until_when() {
    let none = Closings::default();
    let lunch = said("2027-04-20 12:30", &none, Language::English);
    has(
        &lunch,
        &[
            "office closed",
            "why      weekly hours  calendars.toml:13",
            "hours    09:00-12:00, 13:00-18:00",
            "until    Tue 20 Apr 2027 13:00  then open",
            "opens    Tue 20 Apr 2027 13:00",
        ],
    );
    let eve = said("2027-04-28 16:59", &none, Language::English);
    has(
        &eve,
        &[
            "office open",
            "beside a holiday: Eve of a holiday",
            "outranks weekly hours",
            "until    Wed 28 Apr 2027 17:00",
        ],
    );
    let new_year = said("2027-01-01 10:00", &none, Language::Japanese);
    has(
        &new_year,
        &[
            "休止中",
            "期間: 年末年始休業",
            "優先     祝日・休日: 元日",
            "2027年1月4日(月) 00:00",
            "次の開始 2027年1月4日(月) 09:00",
        ],
    );
}

#[test]
fn a_closing_by_hand_is_said_with_its_file() {
    let closing = Closing {
        reason: Some("Typhoon\u{1b}[2J".to_owned()),
        until: None,
    };
    let closings: Closings = [("all".to_owned(), closing)].into_iter().collect();
    let text = said("2027-04-20 10:00", &closings, Language::English);
    has(
        &text,
        &[
            "closed by hand: Typhoon\u{fffd}",
            "closed/all",
            "until    it is taken back",
        ],
    );
    assert!(!text.contains("opens"), "{text}");
}

#[test]
fn a_name_that_nobody_has_is_said() {
    let mut office = office();
    let error = find(&office, "warehouse").unwrap_err().to_string();
    assert!(error.contains("calendars are office"), "{error}");
    office
        .queue_calendars
        .insert("sales".to_owned(), "office".to_owned());
    assert_eq!(find(&office, "sales").unwrap().name(), "office");
    office.calendars.clear();
    let error = find(&office, "clinic").unwrap_err().to_string();
    assert!(error.contains("there is no calendar"), "{error}");
    let none = list(&office, None, &Closings::default(), Language::English).unwrap();
    assert!(none.contains("no calendars"));
}

#[test]
fn the_year_is_drawn_with_every_day_and_exception() {
    let office = office();
    let year = Year::of(find(&office, "office").unwrap(), 2026);
    assert_eq!(year.days.len(), 365);
    let text = wall::draw(&year, Language::English);
    let text = anstream::adapter::strip_str(&text).to_string();
    has(
        &text,
        &[
            "office 2026",
            "January",
            "December",
            "Mo Tu We",
            "* 3 May",
            "Constitution Memorial Day",
            "x 29–31 Dec",
            "年末年始休業",
            "~ 4 Dec",
            "Move to the new office",
        ],
    );
    assert!(
        text.lines()
            .all(|line| super::super::text::width(line) <= 80),
        "{text}"
    );
    let japanese = wall::draw(&year, Language::Japanese);
    has(&japanese, &["憲法記念日", "国民の休日", "12/29–12/31"]);
    let svg = picture::draw(&year, Language::English);
    assert_eq!(svg.matches("<title>").count(), 365);
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    has(
        &svg,
        &[
            "2026-12-29: closed (年末年始休業, calendars.toml:26)",
            "Labor Thanksgiving Day",
            "Asia/Tokyo",
        ],
    );
}
