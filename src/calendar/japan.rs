//! The national holidays of Japan, computed for 1948 to 2099.
//!
//! Act on National Holidays (国民の祝日に関する法律, Act No. 178 of 1948) with its amendments of 1966, 1973,
//! 1985, 1989, 1995, 1998, 2001, 2005, 2014, 2017, 2018 and 2020, and the acts for single days. The
//! equinoxes are by the published approximation of the hydrographic department (海上保安庁水路部),
//! good for 1900 to 2099; each is announced officially in February of the year before.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday, date};

use super::verdict::Name;

/// The holiday on a day, substitutes and days between two holidays included.
pub fn japan(day: Date) -> Option<Name> {
    static DAYS: LazyLock<BTreeMap<Date, Name>> = LazyLock::new(|| {
        let name = |(day, (japanese, english)): (Date, Words)| {
            let name = Name {
                english: english.into(),
                japanese: japanese.into(),
            };
            (day, name)
        };
        (FIRST..=LAST).flat_map(year).map(name).collect()
    });
    DAYS.get(&day).cloned()
}

/// A name in Japanese and in English.
type Words = (&'static str, &'static str);

const FIRST: i16 = 1948;
const LAST: i16 = 2099;

/// All of a year. None of its days hangs on another year's: no holiday stands at the year's end.
fn year(year: i16) -> BTreeMap<Date, Words> {
    let national = national(year);
    let mut all = national.clone();
    for &day in national.keys().filter(|day| is_moved(**day)) {
        if let Some(free) = substitute(day, &national) {
            all.entry(free)
                .or_insert(("振替休日", "Substitute holiday"));
        }
    }
    for &day in national.keys() {
        if let Some(between) = between(day, &national) {
            let is_free = !all.contains_key(&between);
            // Until 2006 a Sunday, and a substitute, stayed what it was.
            if is_free && (year >= 2007 || between.weekday() != Weekday::Sunday) {
                all.insert(between, ("国民の休日", "Citizens' holiday"));
            }
        }
    }
    all
}

/// Article 3 (2), in force since 12 April 1973.
fn is_moved(day: Date) -> bool {
    day.weekday() == Weekday::Sunday && day >= date(1973, 4, 12)
}

/// The day that stands for a holiday on a Sunday: the next; since 2007 the next that is none itself.
fn substitute(day: Date, national: &BTreeMap<Date, Words>) -> Option<Date> {
    let mut next = day.tomorrow().ok()?;
    while day.year() >= 2007 && national.contains_key(&next) {
        next = next.tomorrow().ok()?;
    }
    Some(next)
}

/// The day after a holiday whose morrow is a holiday too: article 3 (3), since 27 December 1985.
fn between(day: Date, national: &BTreeMap<Date, Words>) -> Option<Date> {
    let next = day.tomorrow().ok()?;
    let after = next.tomorrow().ok()?;
    let is_between = national.contains_key(&after) && !national.contains_key(&next);
    (is_between && next >= date(1985, 12, 27)).then_some(next)
}

/// The national holidays proper (国民の祝日) of article 2, and those of acts of their own.
fn national(year: i16) -> BTreeMap<Date, Words> {
    let fixed = FIXED
        .iter()
        .filter(|(years, ..)| years.contains(&year))
        .filter_map(|(_, month, day, words)| Some((Date::new(year, *month, *day).ok()?, *words)));
    let mondays = MONDAYS
        .iter()
        .filter(|(years, ..)| years.contains(&year))
        .filter_map(|(_, month, nth, words)| {
            let first = Date::new(year, *month, 1).ok()?;
            let day = first.nth_weekday_of_month(*nth, Weekday::Monday).ok()?;
            Some((day, *words))
        });
    let mut days: BTreeMap<Date, Words> = fixed.chain(mondays).collect();
    if let Some(day) = vernal_equinox(year) {
        days.insert(day, ("春分の日", "Vernal Equinox Day"));
    }
    if let Some(day) = autumnal_equinox(year) {
        days.insert(day, ("秋分の日", "Autumnal Equinox Day"));
    }
    days.retain(|day, _| *day >= date(1948, 7, 20));
    days
}

fn vernal_equinox(year: i16) -> Option<Date> {
    let day = equinox(year, if year < 1980 { 20_835_700 } else { 20_843_100 });
    Date::new(year, 3, day).ok()
}

fn autumnal_equinox(year: i16) -> Option<Date> {
    let day = equinox(year, if year < 1980 { 23_258_800 } else { 23_248_800 });
    Date::new(year, 9, day).ok()
}

/// Day of the month; `base` is the moment of 1980 in millionths of a day. The years of before 1980
/// count their leap days from 1983, rounded towards zero.
fn equinox(year: i16, base: i32) -> i8 {
    let (year, leap) = (
        i32::from(year) - 1980,
        if year < 1980 { 1983 } else { 1980 } - 1980,
    );
    let days = (base + 242_194 * year).div_euclid(1_000_000) - (year - leap) / 4;
    i8::try_from(days).unwrap_or(0)
}

const NEW_YEAR: Words = ("元日", "New Year's Day");
const COMING_OF_AGE: Words = ("成人の日", "Coming of Age Day");
const FOUNDATION: Words = ("建国記念の日", "National Foundation Day");
const EMPEROR: Words = ("天皇誕生日", "Emperor's Birthday");
const GREENERY: Words = ("みどりの日", "Greenery Day");
const SHOWA: Words = ("昭和の日", "Showa Day");
const CONSTITUTION: Words = ("憲法記念日", "Constitution Memorial Day");
const CHILDREN: Words = ("こどもの日", "Children's Day");
const MARINE: Words = ("海の日", "Marine Day");
const MOUNTAIN: Words = ("山の日", "Mountain Day");
const AGED: Words = ("敬老の日", "Respect for the Aged Day");
const HEALTH: Words = ("体育の日", "Health and Sports Day");
const SPORTS: Words = ("スポーツの日", "Sports Day");
const CULTURE: Words = ("文化の日", "Culture Day");
const LABOR: Words = ("勤労感謝の日", "Labor Thanksgiving Day");
const WEDDING: Words = ("結婚の儀", "Wedding of the Crown Prince");
const FUNERAL: Words = ("大喪の礼", "Funeral of Emperor Showa");
const ACCESSION: Words = ("天皇の即位の日", "Day of the Emperor's Accession");
const ENTHRONEMENT: Words = ("即位礼正殿の儀", "Enthronement Ceremony");

/// Years, month, day.
const FIXED: [(RangeInclusive<i16>, i8, i8, Words); 30] = [
    (1949..=LAST, 1, 1, NEW_YEAR),
    (1949..=1999, 1, 15, COMING_OF_AGE),
    (1967..=LAST, 2, 11, FOUNDATION),
    (1949..=1988, 4, 29, EMPEROR),
    (1989..=2006, 4, 29, GREENERY),
    (2007..=LAST, 4, 29, SHOWA),
    (1949..=LAST, 5, 3, CONSTITUTION),
    (2007..=LAST, 5, 4, GREENERY),
    (1949..=LAST, 5, 5, CHILDREN),
    (1996..=2002, 7, 20, MARINE),
    (2016..=2019, 8, 11, MOUNTAIN),
    (2022..=LAST, 8, 11, MOUNTAIN),
    (1966..=2002, 9, 15, AGED),
    (1966..=1999, 10, 10, HEALTH),
    (1948..=LAST, 11, 3, CULTURE),
    (1948..=LAST, 11, 23, LABOR),
    (1989..=2018, 12, 23, EMPEROR),
    (2020..=LAST, 2, 23, EMPEROR),
    (1959..=1959, 4, 10, WEDDING),
    (1989..=1989, 2, 24, FUNERAL),
    (1990..=1990, 11, 12, ENTHRONEMENT),
    (1993..=1993, 6, 9, WEDDING),
    (2019..=2019, 5, 1, ACCESSION),
    (2019..=2019, 10, 22, ENTHRONEMENT),
    // Moved for the Olympic Games, twice.
    (2020..=2020, 7, 23, MARINE),
    (2020..=2020, 7, 24, SPORTS),
    (2020..=2020, 8, 10, MOUNTAIN),
    (2021..=2021, 7, 22, MARINE),
    (2021..=2021, 7, 23, SPORTS),
    (2021..=2021, 8, 8, MOUNTAIN),
];

/// Years, month, which Monday of it.
const MONDAYS: [(RangeInclusive<i16>, i8, i8, Words); 6] = [
    (2000..=LAST, 1, 2, COMING_OF_AGE),
    (2003..=2019, 7, 3, MARINE),
    (2022..=LAST, 7, 3, MARINE),
    (2003..=LAST, 9, 3, AGED),
    (2000..=2019, 10, 2, HEALTH),
    (2022..=LAST, 10, 2, SPORTS),
];
