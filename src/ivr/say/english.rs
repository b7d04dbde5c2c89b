//! English as it is spoken in America: no "and" inside numbers, the month before the day.

use jiff::civil::{Date, Time};

use super::{Counted, Currency, MOST, Spoken, Words};

pub(super) fn say(what: &Spoken<'_>) -> Words {
    let mut words = English::default();
    match *what {
        Spoken::Number(number) => words.number(number),
        Spoken::Digits(text) => words.0.digits("n", text),
        Spoken::Date(date) => words.date(date),
        Spoken::Time(time) => words.time(time),
        Spoken::Money(sum, currency) => words.money(sum, currency),
        Spoken::Count(count, Counted::Place) => words.number(count.into()),
        Spoken::Count(count, counted) => {
            words.number(count.into());
            words.0.word(unit(count.into(), counted_words(counted)));
        }
    }
    words.0
}

/// Thousands, from the largest on.
const GROUPS: [(i64, &str); 3] = [
    (1_000_000_000, "n-billion"),
    (1_000_000, "n-million"),
    (1_000, "n-thousand"),
];

/// What is said so far.
#[derive(Default)]
struct English(Words);

impl English {
    fn number(&mut self, number: i64) {
        if number < 0 {
            self.0.word("n-minus");
        }
        if number.unsigned_abs() > MOST.unsigned_abs() {
            return self.0.digits("n", &number.to_string());
        }
        let mut rest = number.abs();
        if rest == 0 {
            return self.0.word("n-0");
        }
        for (size, name) in GROUPS {
            if rest >= size {
                self.below_thousand(rest / size);
                self.0.word(name);
                rest %= size;
            }
        }
        self.below_thousand(rest);
    }

    /// Nothing for zero.
    fn below_thousand(&mut self, number: i64) {
        if number >= 100 {
            self.0.of("n", number / 100);
            self.0.word("n-hundred");
        }
        if number % 100 > 0 {
            self.0.of("n", number % 100);
        }
    }

    fn date(&mut self, date: Date) {
        self.0.of("weekday", date.weekday().to_monday_one_offset());
        self.0.of("month", date.month());
        self.0.of("ord", date.day());
        self.year(date.year());
    }

    /// In pairs, as years are said: twenty twenty-six; but two thousand five, nineteen oh five.
    fn year(&mut self, year: i16) {
        let (century, rest) = (year / 100, year % 100);
        if !(1000..10_000).contains(&year) || century % 10 == 0 && rest < 10 {
            return self.number(year.into());
        }
        self.0.of("n", century);
        match rest {
            0 => self.0.word("n-hundred"),
            1..10 => {
                self.0.word("n-oh");
                self.0.of("n", rest);
            }
            _ => self.0.of("n", rest),
        }
    }

    fn time(&mut self, time: Time) {
        let (hour, minute) = (time.hour(), time.minute());
        match (hour, minute) {
            (0, 0) => return self.0.word("midnight"),
            (12, 0) => return self.0.word("noon"),
            _ => {}
        }
        self.0.of("n", if hour % 12 == 0 { 12 } else { hour % 12 });
        match minute {
            0 => {}
            1..10 => {
                self.0.word("n-oh");
                self.0.of("n", minute);
            }
            _ => self.0.of("n", minute),
        }
        self.0.word(if hour < 12 { "am" } else { "pm" });
    }

    fn money(&mut self, sum: i64, currency: Currency) {
        let (whole, part) = (sum / currency.parts(), sum % currency.parts());
        let (large, small) = match currency {
            Currency::Eur => (["euro", "euros"], ["cent", "cents"]),
            Currency::Gbp => (["pound", "pounds"], ["penny", "pence"]),
            Currency::Jpy => (["yen", "yen"], ["yen", "yen"]),
            Currency::Usd => (["dollar", "dollars"], ["cent", "cents"]),
        };
        if whole != 0 || part == 0 {
            self.number(whole);
            self.0.word(unit(whole, large));
        }
        if part != 0 {
            if whole != 0 {
                self.0.word("and");
            }
            // The sign was said with what went before.
            self.number(if whole == 0 { part } else { part.abs() });
            self.0.word(unit(part, small));
        }
    }
}

fn unit(count: i64, [one, many]: [&'static str; 2]) -> &'static str {
    match count {
        1 | -1 => one,
        _ => many,
    }
}

fn counted_words(counted: Counted) -> [&'static str; 2] {
    match counted {
        Counted::Days => ["day", "days"],
        Counted::Hours => ["hour", "hours"],
        Counted::Minutes => ["minute", "minutes"],
        Counted::People | Counted::Place => ["person", "people"],
        Counted::Seconds => ["second", "seconds"],
    }
}
