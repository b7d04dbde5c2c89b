//! `say`: a number, a date, a time or money, read out from prompts (`ivr/say`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::play::PLAY_LIMIT;
use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_sounds};
use crate::base::{Language, Timestamp};
use crate::flow::Template;
use crate::flow::request::{Reply, Request};
use crate::ivr::BargeIn;
use crate::ivr::say::{Counted, Currency, Spoken, say};

/// Something to read out. What cannot be read, such as nothing, is not said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// What kind of thing it is.
    pub what: Sayable,
    /// The thing itself.
    pub value: Template,
    /// Sounds before it.
    pub before: Vec<String>,
    /// Sounds after it.
    pub after: Vec<String>,
    /// Whether a key stops it; the key then counts for the next question.
    pub barge_in: BargeIn,
    /// Step after it.
    pub next: String,
}

/// Kinds of things that can be read out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sayable {
    /// So many of something: `days`, `hours`, `minutes`, `people`, `place`, `seconds`.
    Count(String),
    /// A day, `2026-11-21`, or an instant, of which the day is said in its own time zone.
    Date,
    /// Character by character.
    Digits,
    /// A sum of money, `1050` or `10.50`, in this currency (ISO 4217).
    Money(String),
    /// A number in one go.
    Number,
    /// A text, by a voice.
    Text {
        /// Voice of the configuration; the first of the caller's language when `None`.
        voice: Option<String>,
        /// Sounds where no voice says it in time.
        otherwise: Vec<String>,
    },
    /// A time of the day, `09:30`, or an instant.
    Time,
}

impl Sayable {
    /// Everything that is counted, by the word documents use.
    pub const COUNTED: [(&'static str, Counted); 6] = [
        ("days", Counted::Days),
        ("hours", Counted::Hours),
        ("minutes", Counted::Minutes),
        ("people", Counted::People),
        ("place", Counted::Place),
        ("seconds", Counted::Seconds),
    ];

    /// The names of the sounds that say `text`; none when it cannot be read as such a thing.
    pub fn sounds(&self, language: Language, text: &str) -> Vec<String> {
        let spoken = self.spoken(text.trim());
        spoken.map_or_else(Vec::new, |spoken| say(language, &spoken))
    }

    fn spoken<'t>(&self, text: &'t str) -> Option<Spoken<'t>> {
        match self {
            Self::Count(counted) => {
                let mut known = Self::COUNTED.iter();
                let (_, counted) = known.find(|(word, _)| word == counted)?;
                Some(Spoken::Count(text.parse().ok()?, *counted))
            }
            Self::Date => {
                let zoned = || Some(text.parse::<jiff::Zoned>().ok()?.date());
                let date = text.get(..10).and_then(|day| day.parse().ok());
                date.or_else(zoned).map(Spoken::Date)
            }
            Self::Digits if text.is_empty() => None,
            Self::Digits => Some(Spoken::Digits(text)),
            Self::Money(code) => {
                let currency = Currency::of_code(code)?;
                let places = match currency {
                    Currency::Jpy => 0,
                    Currency::Eur | Currency::Gbp | Currency::Usd => 2,
                };
                Some(Spoken::Money(smallest_units(text, places)?, currency))
            }
            Self::Number => Some(Spoken::Number(text.parse().ok()?)),
            // It takes a voice.
            Self::Text { .. } => None,
            Self::Time => {
                let of_instant = || text.get(text.find('T')? + 1..)?.get(..5)?.parse().ok();
                text.parse().ok().or_else(of_instant).map(Spoken::Time)
            }
        }
    }
}

/// `10.5` with two places is 1050; more places than the currency has are no sum.
fn smallest_units(text: &str, places: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > places || !part.bytes().all(|it| it.is_ascii_digit()) || whole.is_empty() {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

impl Saying {
    /// The key of a document that says what kind of thing it is.
    fn key(&self) -> &'static str {
        match self.what {
            Sayable::Count(_) => "count",
            Sayable::Date => "date",
            Sayable::Digits => "digits",
            Sayable::Money(_) => "money",
            Sayable::Number => "number",
            Sayable::Text { .. } => "text",
            Sayable::Time => "time",
        }
    }
}

impl Kind for Saying {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see(self.key(), Part::Whole, Mention::Text(self.value.text()));
        see_sounds("before", &self.before, see);
        see_sounds("after", &self.after, see);
        if let Sayable::Text { voice, otherwise } = &self.what {
            if let Some(voice) = voice {
                see("voice", Part::Whole, Mention::Voice(voice));
            }
            see_sounds("otherwise", otherwise, see);
        }
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        // The value may be empty.
        self.before.is_empty() && self.after.is_empty()
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let text = run.fill_in(now, &self.value);
        if let Sayable::Text { voice, .. } = &self.what {
            if text.trim().is_empty() {
                return self.play(run, now, at, Vec::new());
            }
            let request = Request::Say {
                text,
                voice: voice.clone(),
                language: run.language().to_owned(),
            };
            return run.consult(now, at, request, VOICE_LIMIT);
        }
        let sounds = self.what.sounds(run.voice(), &text);
        self.play(run, now, at, sounds)
    }

    fn hear(&self, run: &mut Run, now: Timestamp, at: &str, heard: Heard) -> Turn {
        match (heard, &self.what) {
            (Heard::PlayDone, _) => Turn::Go(self.next.clone()),
            (Heard::Reply(Reply::Said { sound }), _) => self.play(run, now, at, vec![sound]),
            (Heard::Reply(_), Sayable::Text { otherwise, .. }) => {
                self.play(run, now, at, otherwise.clone())
            }
            _ => Turn::Stay,
        }
    }
}

impl Saying {
    fn play(&self, run: &mut Run, now: Timestamp, at: &str, said: Vec<String>) -> Turn {
        let mut sounds = self.before.clone();
        sounds.extend(said);
        sounds.extend(self.after.iter().cloned());
        sounds.truncate(MOST_SOUNDS);
        if sounds.is_empty() || run.passes_over(at, self.barge_in) {
            return Turn::Go(self.next.clone());
        }
        let limit: Duration = PLAY_LIMIT;
        run.speak(now, at, sounds, self.barge_in, limit);
        Turn::Stay
    }
}

/// Longest that a caller waits for a voice; he hears nothing meanwhile.
const VOICE_LIMIT: Duration = Duration::from_secs(3);

/// Longer than any telephone number or sum, and at an end before the caller is.
const MOST_SOUNDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_read_out_as_what_they_are() {
        for (what, text, expected) in [
            (Sayable::Number, "42", "n-42"),
            (Sayable::Number, "x", ""),
            (Sayable::Digits, "10#", "n-1 n-0 n-hash"),
            (Sayable::Digits, "", ""),
            (Sayable::Time, "09:05", "n-9 n-oh n-5 am"),
            (Sayable::Time, "2026-11-21T13:30:00+09:00", "n-1 n-30 pm"),
            (
                Sayable::Money("USD".to_owned()),
                "10.5",
                "n-10 dollars and n-50 cents",
            ),
            (Sayable::Money("USD".to_owned()), "3", "n-3 dollars"),
            (Sayable::Money("JPY".to_owned()), "0.5", ""),
            (Sayable::Count("minutes".to_owned()), "1", "n-1 minute"),
        ] {
            let sounds = what.sounds(Language::English, text).join(" ");
            assert_eq!(sounds, expected, "{what:?} {text}");
        }
        let date = Sayable::Date.sounds(Language::English, "2026-11-21");
        assert_eq!(date[..3], ["weekday-6", "month-11", "ord-21"]);
    }
}
