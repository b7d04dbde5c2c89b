//! `<Gather>`: keys or speech of the caller, while something is said or after it.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::xml::Element;
use super::{Pause, Play, Playable, Say, misplaced};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Who gets the answer; the document itself when it has none.
    pub action: Option<Link>,
    /// Whether no answer is told, too.
    pub action_on_empty_result: bool,
    /// What is said meanwhile, in its order.
    pub nested: Vec<Nested>,
    /// What is listened for.
    pub detect: Detect,
    /// Keys that end the answer without being part of it; empty for none.
    pub finish_on_key: String,
    /// So many keys end it at once; `None` for any number.
    pub num_digits: Option<u32>,
    /// Silence from the end of what is said, or from the last key.
    pub timeout: Duration,
    /// Whether a key or a word stops what is said.
    pub barge_in: bool,
    /// How speech is listened to.
    pub speech: SpeechTerms,
}

/// What is said during a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nested {
    /// Silence.
    Pause(Pause),
    /// A sound.
    Play(Play),
    /// Text.
    Say(Say),
}

/// What is listened for. Of both, what is noticed first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detect {
    /// Keys and speech.
    Both,
    /// Keys.
    #[default]
    Dtmf,
    /// Speech.
    Speech,
}

/// How speech is listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechTerms {
    /// Language (BCP 47), default `en-US`.
    pub language: String,
    /// Words to be expected: at most 500, of at most 100 characters.
    pub hints: Vec<String>,
    /// Silence that ends it.
    pub end: SpeechEnd,
    /// Longest it may be, at most 60 s.
    pub longest: Duration,
    /// Whether swear words are starred out.
    pub profanity_filter: bool,
    /// Model, as the document names it.
    pub model: Option<String>,
    /// Whether the better model is wanted.
    pub enhanced: bool,
    /// Who is told what is understood so far.
    pub partial: Option<Link>,
}

/// Silence that ends speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeechEnd {
    /// What the recogniser thinks.
    Auto,
    /// So much.
    Silence(Duration),
}

impl FromStr for Detect {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        words.sort_unstable();
        match *words {
            ["dtmf"] => Ok(Self::Dtmf),
            ["dtmf", "speech"] => Ok(Self::Both),
            ["speech"] => Ok(Self::Speech),
            _ => Err("\"dtmf\", \"speech\" or \"dtmf speech\""),
        }
    }
}

impl Detect {
    /// Whether keys count.
    pub fn hears_keys(self) -> bool {
        self != Self::Speech
    }

    /// Whether speech counts.
    pub fn hears_speech(self) -> bool {
        self != Self::Dtmf
    }
}

/// Longest time to wait for a key.
const MAX_TIMEOUT: u32 = 3_600;
/// Most hints, and characters of each.
const MAX_HINTS: usize = 500;
const MAX_HINT: usize = 100;
/// Longest speech.
const MAX_SPEECH: u32 = 60;

impl Gather {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut nested = Vec::new();
        for inner in element.elements() {
            nested.push(match inner.name.as_str() {
                "Pause" => Nested::Pause(Pause::parse(inner, remarks)?),
                "Play" => {
                    let play = Play::parse(inner, remarks)?;
                    if matches!(play.what, Some(Playable::Digits(_))) {
                        let words = "keys cannot be played inside of <Gather>";
                        return Err(Fault::new(13320, words).at(inner.at));
                    }
                    Nested::Play(play)
                }
                "Say" => Nested::Say(Say::parse(inner, remarks)?),
                _ => return Err(misplaced(element, inner, 13320)),
            });
        }
        let mut attributes = Attributes::of(element, remarks);
        let timeout = attributes.seconds("timeout", 1, MAX_TIMEOUT, 13313);
        let timeout = timeout.unwrap_or(Duration::from_secs(5));
        let gather = Self {
            action: attributes.link("action", "method", 13312),
            action_on_empty_result: attributes.flag("actionOnEmptyResult", false, code::SCHEMA),
            nested,
            detect: attributes.word("input", code::SCHEMA).unwrap_or_default(),
            finish_on_key: finish_on_key(&mut attributes),
            num_digits: attributes.number("numDigits", 1, u32::MAX, 13314),
            timeout,
            barge_in: attributes.flag("bargeIn", true, code::SCHEMA),
            speech: SpeechTerms::parse(&mut attributes, timeout),
        };
        attributes.unsupported(&["debug"]);
        attributes.finish();
        Ok(gather)
    }
}

fn finish_on_key(attributes: &mut Attributes<'_>) -> String {
    let Some(keys) = attributes.text("finishOnKey") else {
        return "#".to_owned();
    };
    if keys.len() <= 12 && keys.chars().all(|key| matches!(key, '0'..='9' | '*' | '#')) {
        return keys;
    }
    attributes.doubt(13310, "finishOnKey", &keys, "of 0-9, * and #, or empty");
    "#".to_owned()
}

impl SpeechTerms {
    fn parse(attributes: &mut Attributes<'_>, timeout: Duration) -> Self {
        let mut hints: Vec<String> = Vec::new();
        for hint in attributes.text("hints").unwrap_or_default().split(',') {
            let hint = hint.trim();
            if hint.chars().count() > MAX_HINT || hints.len() == MAX_HINTS {
                let words = format!(
                    "hints are at most {MAX_HINTS} of {MAX_HINT} characters; others do not count"
                );
                attributes.remark(13335, words);
                break;
            }
            if !hint.is_empty() {
                hints.push(hint.to_owned());
            }
        }
        let end = match attributes.text("speechTimeout").as_deref() {
            None => SpeechEnd::Silence(timeout),
            Some("auto") => SpeechEnd::Auto,
            Some(text) => match text.parse::<u16>() {
                Ok(seconds) if seconds > 0 => {
                    SpeechEnd::Silence(Duration::from_secs(seconds.into()))
                }
                _ => {
                    attributes.doubt(13327, "speechTimeout", text, "whole seconds or \"auto\"");
                    SpeechEnd::Silence(timeout)
                }
            },
        };
        let longest = attributes.seconds("maxSpeechTime", 1, MAX_SPEECH, code::SCHEMA);
        Self {
            language: attributes
                .short("language", 35, code::SCHEMA)
                .unwrap_or_else(|| "en-US".to_owned()),
            hints,
            end,
            longest: longest.unwrap_or(Duration::from_secs(MAX_SPEECH.into())),
            profanity_filter: attributes.flag("profanityFilter", true, code::SCHEMA),
            model: attributes.short("speechModel", 100, code::SCHEMA),
            enhanced: attributes.flag("enhanced", false, code::SCHEMA),
            partial: attributes.link(
                "partialResultCallback",
                "partialResultCallbackMethod",
                code::SCHEMA,
            ),
        }
    }
}
