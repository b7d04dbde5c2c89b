//! `<Record>`: what the caller says, as a file.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::xml::Element;
use super::nothing_inside;
use crate::flow::RecordTerms;

/// A recording of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who is told; the document itself when it has none. Not asked after silence.
    pub action: Option<Link>,
    /// Length, silence, keys, beep.
    pub terms: RecordTerms,
    /// Whether silence is cut off.
    pub trim: Trim,
    /// Who is told when the file is there.
    pub callback: Option<RecordingCallback>,
}

/// Whether silence at both ends of a recording is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trim {
    /// It stays: both sides stay aligned. Our default; the public platform's is the other one.
    #[default]
    Keep,
    /// It is cut off.
    Silence,
}

/// Who is told what becomes of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingCallback {
    /// Where.
    pub link: Link,
    /// What; `completed` when nothing is said.
    pub events: Vec<RecordingEvent>,
}

/// What becomes of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingEvent {
    /// There is none: nothing was said.
    Absent,
    /// It is there.
    Completed,
    /// It has begun.
    InProgress,
}

impl RecordingEvent {
    /// Its name in parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Completed => "completed",
            Self::InProgress => "in-progress",
        }
    }
}

impl FromStr for RecordingEvent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "absent" => Ok(Self::Absent),
            "completed" => Ok(Self::Completed),
            "in-progress" => Ok(Self::InProgress),
            _ => Err("in-progress, completed or absent"),
        }
    }
}

impl FromStr for Trim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "do-not-trim" => Ok(Self::Keep),
            "trim-silence" => Ok(Self::Silence),
            _ => Err("\"trim-silence\" or \"do-not-trim\""),
        }
    }
}

/// Longest recording: four hours, as the longest call.
const MAX_LENGTH: u32 = 14_400;

impl Record {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        let silence = attributes.seconds("timeout", 1, MAX_LENGTH, 13611);
        let longest = attributes.seconds("maxLength", 1, MAX_LENGTH, 13612);
        let terminators = attributes
            .text("finishOnKey")
            .map_or_else(default_keys, |keys| {
                if keys.chars().all(|key| matches!(key, '0'..='9' | '*' | '#')) && keys.len() <= 12
                {
                    return keys;
                }
                attributes.doubt(13613, "finishOnKey", &keys, "keys of 0-9, * and #");
                default_keys()
            });
        let beep = attributes.flag("playBeep", true, 13616);
        let record = Self {
            action: attributes.link("action", "method", 13610),
            terms: RecordTerms {
                longest: longest.unwrap_or(Duration::from_secs(3_600)),
                silence: silence.unwrap_or(Duration::from_secs(5)),
                terminators,
                beep,
            },
            trim: attributes.word("trim", code::SCHEMA).unwrap_or_default(),
            callback: RecordingCallback::parse(&mut attributes),
        };
        if attributes.flag("transcribe", false, 13614) {
            attributes.remark(
                13614,
                "transcribe is not supported: the recording is not transcribed",
            );
        }
        attributes.unsupported(&["transcribeCallback", "recordingConfigurationId"]);
        attributes.finish();
        nothing_inside(element, code::SCHEMA)?;
        Ok(record)
    }
}

fn default_keys() -> String {
    "1234567890*#".to_owned()
}

impl RecordingCallback {
    pub(super) fn parse(attributes: &mut Attributes<'_>) -> Option<Self> {
        let events = attributes.words("recordingStatusCallbackEvent", code::SCHEMA);
        let link = attributes.link(
            "recordingStatusCallback",
            "recordingStatusCallbackMethod",
            code::SCHEMA,
        )?;
        Some(Self {
            link,
            events: events
                .filter(|events| !events.is_empty())
                .unwrap_or_else(|| vec![RecordingEvent::Completed]),
        })
    }
}
