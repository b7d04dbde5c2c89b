//! Numbers, dates, times and money as rows of prompts: what a voice says when it reads them out.
//!
//! Each language has its own grammar and its own words; the words are names of sounds
//! (`sounds/en.toml`, `sounds/ja.toml`). A language without a grammar of its own is spoken to in
//! English.

mod english;
mod japanese;
#[cfg(test)]
mod tests;

use jiff::civil::{Date, Time};

use crate::base::Language;

/// Something to be read out.
#[derive(Clone, Debug, PartialEq)]
pub enum Spoken<'t> {
    /// A number in one go, up to [`MOST`] to either side of zero.
    Number(i64),
    /// Character by character: digits, `*` and `#`; what else there is, is left out.
    Digits(&'t str),
    /// A day of the week, of the month and a year.
    Date(Date),
    /// A time of the day to the minute, by the clock of twelve hours.
    Time(Time),
    /// A sum in the smallest unit of its currency: 1050 US cents are ten dollars and fifty cents.
    Money(i64, Currency),
    /// So many of something.
    Count(u32, Counted),
}

/// Largest number that is read out in one go: below 10^13 both languages have words for all of it.
pub const MOST: i64 = 999_999_999_999;

/// A currency (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// Euro and cent.
    Eur,
    /// Pound and penny.
    Gbp,
    /// Yen.
    Jpy,
    /// Dollar and cent.
    Usd,
}

impl Currency {
    /// By its code, such as `JPY`.
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "EUR" => Some(Self::Eur),
            "GBP" => Some(Self::Gbp),
            "JPY" => Some(Self::Jpy),
            "USD" => Some(Self::Usd),
            _ => None,
        }
    }

    /// Smallest units in one of it.
    fn parts(self) -> i64 {
        match self {
            Self::Jpy => 1,
            Self::Eur | Self::Gbp | Self::Usd => 100,
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Days.
    Days,
    /// Hours.
    Hours,
    /// Minutes.
    Minutes,
    /// People, such as callers in line.
    People,
    /// Place in a line, beginning with 1.
    Place,
    /// Seconds.
    Seconds,
}

/// The names of the sounds that say it, in order. A number beyond [`MOST`] is read digit by digit.
pub fn say(language: Language, what: &Spoken<'_>) -> Vec<String> {
    let names = match language {
        Language::English => english::say(what),
        Language::Japanese => japanese::say(what),
    };
    names.0
}

/// Names in a row.
#[derive(Debug, Default)]
struct Words(Vec<String>);

impl Words {
    /// One whose name is known.
    fn word(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// One of a numbered kind, such as `month-3`.
    fn of(&mut self, kind: &str, number: impl std::fmt::Display) {
        self.0.push(format!("{kind}-{number}"));
    }

    /// Character by character, digits by `kind`.
    fn digits(&mut self, kind: &str, text: &str) {
        for character in text.chars() {
            match character {
                '0'..='9' => self.of(kind, character),
                '*' => self.word("n-star"),
                '#' => self.word("n-hash"),
                _ => {}
            }
        }
    }
}
