//! Japanese: numbers by ten thousands, and counters whose readings change with the number before
//! them (四時 よじ, 二十日 はつか, 三百 さんびゃく).

use jiff::civil::{Date, Time};

use super::{Counted, Currency, MOST, Spoken, Words};

pub(super) fn say(what: &Spoken<'_>) -> Words {
    let mut words = Japanese::default();
    match *what {
        Spoken::Number(number) => words.number(number),
        Spoken::Digits(text) => words.0.digits("digit", text),
        Spoken::Date(date) => words.date(date),
        Spoken::Time(time) => words.time(time),
        Spoken::Money(sum, currency) => words.money(sum, currency),
        Spoken::Count(count, counted) => words.count(count, counted),
    }
    words.0
}

const MAN: i64 = 10_000;
const OKU: i64 = 100_000_000;

/// What is said so far.
#[derive(Default)]
struct Japanese(Words);

impl Japanese {
    fn number(&mut self, number: i64) {
        if number < 0 {
            self.0.word("n-minus");
        }
        if number.unsigned_abs() > MOST.unsigned_abs() {
            return self.0.digits("digit", &number.to_string());
        }
        let number = number.abs();
        if number == 0 {
            return self.0.word("n-0");
        }
        for (group, name) in [(number / OKU, "n-oku"), (number % OKU / MAN, "n-man")] {
            if group > 0 {
                // 一千万, but 千.
                self.below_man(group, "n-issen");
                self.0.word(name);
            }
        }
        self.below_man(number % MAN, "n-1000");
    }

    /// Nothing for zero; `thousand` is one thousand.
    fn below_man(&mut self, number: i64, thousand: &str) {
        match number / 1000 {
            0 => {}
            1 => self.0.word(thousand),
            count => self.0.of("n", count * 1000),
        }
        if number % 1000 >= 100 {
            self.0.of("n", number % 1000 / 100 * 100);
        }
        if number % 100 > 0 {
            self.0.of("n", number % 100);
        }
    }

    /// A number and what it counts. What it ends in may have a reading of its own with that word.
    fn counted(&mut self, number: i64, counter: &str, own: &[i64]) {
        let last = number.abs() % 10;
        if !own.contains(&last) || number.abs() > MOST {
            self.number(number);
            return self.0.word(counter);
        }
        let before = number.abs() - last;
        if number < 0 {
            self.0.word("n-minus");
        }
        if before > 0 {
            self.number(before);
        }
        self.0.of(counter, last);
    }

    fn date(&mut self, date: Date) {
        self.counted(date.year().into(), "year", &[4]);
        self.0.of("month", date.month());
        self.0.of("day", date.day());
        self.0.of("weekday", date.weekday().to_monday_one_offset());
    }

    fn time(&mut self, time: Time) {
        let (hour, minute) = (time.hour(), time.minute());
        self.0.word(if hour < 12 { "gozen" } else { "gogo" });
        self.0.of("hour", hour % 12);
        if minute > 0 {
            self.0.of("minute", minute);
        }
    }

    fn money(&mut self, sum: i64, currency: Currency) {
        let (whole, part) = (sum / currency.parts(), sum % currency.parts());
        let (large, small) = match currency {
            Currency::Eur => ("euros", "cents"),
            Currency::Gbp => ("pounds", "pence"),
            Currency::Jpy => ("yen", "yen"),
            Currency::Usd => ("dollars", "cents"),
        };
        if whole != 0 || part == 0 {
            let own: &[i64] = if currency == Currency::Jpy { &[4] } else { &[] };
            self.counted(whole, large, own);
        }
        if part != 0 {
            self.number(if whole == 0 { part } else { part.abs() });
            self.0.word(small);
        }
    }

    fn count(&mut self, count: u32, counted: Counted) {
        let number = i64::from(count);
        match counted {
            // ひとり, ふたり stand alone; 十一人 is じゅういちにん.
            Counted::People if matches!(count, 1 | 2) => self.0.of("people", count),
            Counted::People => self.counted(number, "people", &[4]),
            Counted::Minutes if count == 0 => self.count(0, Counted::Seconds),
            Counted::Minutes if (1..60).contains(&count) => self.0.of("minute", count),
            Counted::Minutes => {
                let (hours, minutes) = (count / 60, count % 60);
                self.count(hours, Counted::Hours);
                if minutes > 0 {
                    self.0.of("minute", minutes);
                }
            }
            Counted::Hours => self.counted(number, "hours", &[4, 7, 9]),
            Counted::Seconds => {
                self.number(number);
                self.0.word("seconds");
            }
            Counted::Days => {
                self.number(number);
                self.0.word("days");
            }
            Counted::Place => {
                self.number(number);
                self.0.word("banme");
            }
        }
    }
}
