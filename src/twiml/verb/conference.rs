//! `<Conference>` of `<Dial>`: a room of many, by name.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::xml::Element;
use super::{RecordingCallback, Trim, nothing_inside};

/// A conference and how the caller takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// Name.
    pub name: String,
    /// Whether the caller only listens.
    pub muted: bool,
    /// When the others hear a beep.
    pub beep: Beep,
    /// Whether the conference begins with him.
    pub start_on_enter: bool,
    /// Whether it ends with him.
    pub end_on_exit: bool,
    /// A name for the caller, unique in it.
    pub label: Option<String>,
    /// How much of his sound is kept back against jitter.
    pub jitter_buffer: JitterBuffer,
    /// What he hears before it begins; an empty URL is silence, `None` our music.
    pub wait: Option<Link>,
    /// Most participants, 2 to 250.
    pub max_participants: u32,
    /// Whether it is recorded.
    pub record: ConferenceRecording,
    /// Region that mixes it, such as `jp1`; the first that is named counts.
    pub region: Option<String>,
    /// Whether silence of the recording is cut off.
    pub trim: Trim,
    /// The call that is coached.
    pub coach: Option<String>,
    /// Who is told what happens in it, of whom comes first.
    pub status: Option<Link>,
    /// Of what.
    pub events: Vec<ConferenceEvent>,
    /// Who is told of its recording.
    pub recording: Option<RecordingCallback>,
}

/// When the others hear a beep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beep {
    /// On entering and leaving.
    #[default]
    Both,
    /// Never.
    Never,
    /// On entering.
    OnEnter,
    /// On leaving.
    OnExit,
}

/// How much sound is kept back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JitterBuffer {
    /// None.
    Off,
    /// 20 ms.
    Small,
    /// 40 ms.
    Medium,
    /// 60 ms.
    #[default]
    Large,
}

/// Whether a conference is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConferenceRecording {
    /// From the moment the first two are connected.
    FromStart,
    /// Not.
    #[default]
    Never,
}

/// What happens in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the whole of it")]
pub enum ConferenceEvent {
    Announcement,
    End,
    Hold,
    Join,
    Leave,
    Modify,
    Mute,
    Speaker,
    Start,
}

impl FromStr for Beep {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "true" => Ok(Self::Both),
            "false" => Ok(Self::Never),
            "onEnter" => Ok(Self::OnEnter),
            "onExit" => Ok(Self::OnExit),
            _ => Err("true, false, onEnter or onExit"),
        }
    }
}

impl FromStr for JitterBuffer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "small" => Ok(Self::Small),
            "medium" => Ok(Self::Medium),
            "large" => Ok(Self::Large),
            _ => Err("off, small, medium or large"),
        }
    }
}

impl FromStr for ConferenceRecording {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "record-from-start" | "true" => Ok(Self::FromStart),
            "do-not-record" | "false" => Ok(Self::Never),
            _ => Err("\"do-not-record\" or \"record-from-start\""),
        }
    }
}

impl FromStr for ConferenceEvent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "announcement" => Ok(Self::Announcement),
            "end" => Ok(Self::End),
            "hold" => Ok(Self::Hold),
            "join" => Ok(Self::Join),
            "leave" => Ok(Self::Leave),
            "modify" => Ok(Self::Modify),
            "mute" => Ok(Self::Mute),
            "speaker" => Ok(Self::Speaker),
            "start" => Ok(Self::Start),
            _ => Err("start, end, join, leave, mute, hold, modify, speaker or announcement"),
        }
    }
}

/// Characters of the longest name and label.
const MAX_NAME: usize = 128;
/// Most participants.
const MAX_PARTICIPANTS: u32 = 250;

impl Conference {
    pub(super) fn parse(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        nothing_inside(element, 13215)?;
        let name = element.text();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            let words = format!("<Conference> needs a name of 1 to {MAX_NAME} characters");
            return Err(Fault::new(13237, words).at(element.at));
        }
        let mut attributes = Attributes::of(element, remarks);
        let conference = Self {
            name,
            muted: attributes.flag("muted", false, 13230),
            beep: attributes.word("beep", 13235).unwrap_or_default(),
            start_on_enter: attributes.flag("startConferenceOnEnter", true, 13232),
            end_on_exit: attributes.flag("endConferenceOnExit", false, 13231),
            label: attributes.short("participantLabel", MAX_NAME, 16025),
            jitter_buffer: attributes
                .word("jitterBufferSize", code::SCHEMA)
                .unwrap_or_default(),
            wait: attributes.link("waitUrl", "waitMethod", 13234),
            max_participants: attributes
                .number("maxParticipants", 2, MAX_PARTICIPANTS, code::SCHEMA)
                .unwrap_or(MAX_PARTICIPANTS),
            record: attributes.word("record", code::SCHEMA).unwrap_or_default(),
            region: attributes.short("region", 32, code::SCHEMA),
            trim: attributes.word("trim", code::SCHEMA).unwrap_or_default(),
            coach: attributes.short("coach", 64, 13240),
            events: attributes
                .words("statusCallbackEvent", code::SCHEMA)
                .unwrap_or_default(),
            status: attributes.link("statusCallback", "statusCallbackMethod", code::SCHEMA),
            recording: RecordingCallback::parse(&mut attributes),
        };
        attributes.unsupported(&["eventCallbackUrl", "recordingConfigurationId"]);
        attributes.finish();
        Ok(conference)
    }
}
