//! `<Dial>`: the caller is connected with somebody else.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code, shown};
use super::super::link::Link;
use super::super::xml::Element;
use super::{Conference, RecordingCallback, Target, TargetKind, Trim, misplaced};

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Whom; all at once unless `sequential`. Empty beside a conference.
    pub targets: Vec<Target>,
    /// A conference instead.
    pub conference: Option<Conference>,
    /// Who is told how it ended; without, the next verb follows.
    pub action: Option<Link>,
    /// Number the called party sees; the caller's own when `None`.
    pub caller_id: Option<String>,
    /// How long one rings, default 30 s.
    pub timeout: Duration,
    /// How long they may talk, default 4 hours.
    pub time_limit: Duration,
    /// Whether the caller's `*` ends it.
    pub hangup_on_star: bool,
    /// Whether the caller is answered when somebody else answers, and not before.
    pub answer_on_bridge: bool,
    /// One after the other.
    pub sequential: bool,
    /// Whether it is recorded.
    pub record: Option<CallRecording>,
    /// Who is told of the recording.
    pub recording: Option<RecordingCallback>,
    /// Country whose ring-back tone the caller hears; that of the callee's side when `None`.
    pub ring_tone: Option<String>,
    /// Who says what follows when a party refers the other (SIP REFER).
    pub refer: Option<Link>,
}

/// How a connection is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecording {
    /// From when.
    pub from: RecordFrom,
    /// On how many channels.
    pub channels: Channels,
    /// Whose voice.
    pub track: Track,
    /// Whether silence is cut off.
    pub trim: Trim,
}

/// From when a connection is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFrom {
    /// From the callee's answer.
    Answer,
    /// From the first ringing.
    Ringing,
}

/// Channels of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channels {
    /// Caller left (1), callee right (2).
    Dual,
    /// Both on one.
    Mono,
}

/// Whose voice is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Track {
    /// Both parties.
    #[default]
    Both,
    /// What the caller says.
    Inbound,
    /// What the caller hears.
    Outbound,
}

impl FromStr for Track {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "both" => Ok(Self::Both),
            "inbound" => Ok(Self::Inbound),
            "outbound" => Ok(Self::Outbound),
            _ => Err("inbound, outbound or both"),
        }
    }
}

/// Most nouns that ring.
const MAX_TARGETS: usize = 10;
/// Nouns of the public platform that there is nothing for here.
const UNSUPPORTED: [&str; 4] = ["Application", "Sim", "WhatsApp", "Stream"];

impl Dial {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let (targets, conference) = nouns(element, remarks)?;
        let mut attributes = Attributes::of(element, remarks);
        let timeout = attributes.seconds("timeout", 1, 600, 13212);
        let time_limit = attributes.seconds("timeLimit", 1, 86_400, 13216);
        let refer = attributes.link("referUrl", "referMethod", code::SCHEMA);
        let ring_tone = attributes.short("ringTone", 10, code::SCHEMA);
        let dial = Self {
            targets,
            conference,
            action: attributes.link("action", "method", 13210),
            caller_id: attributes
                .short("callerId", 256, 13214)
                .filter(|id| !id.is_empty()),
            timeout: timeout.unwrap_or(Duration::from_secs(30)),
            time_limit: time_limit.unwrap_or(Duration::from_secs(14_400)),
            hangup_on_star: attributes.flag("hangupOnStar", false, 13213),
            answer_on_bridge: attributes.flag("answerOnBridge", false, code::SCHEMA),
            sequential: attributes.flag("sequential", false, code::SCHEMA),
            record: recording(&mut attributes),
            recording: RecordingCallback::parse(&mut attributes),
            ring_tone,
            refer,
        };
        attributes.unsupported(&["events", "passports", "recordingConfigurationId"]);
        attributes.finish();
        Ok(dial)
    }
}

fn nouns(
    element: &Element,
    remarks: &mut Vec<Fault>,
) -> Result<(Vec<Target>, Option<Conference>), Fault> {
    let mut targets = Vec::new();
    let mut conference = None;
    for inner in element.elements() {
        if inner.name == "Conference" && conference.is_none() {
            conference = Some(Conference::parse(inner, remarks)?);
        } else if let Some(target) = Target::parse(inner, remarks) {
            targets.push(target?);
        } else if UNSUPPORTED.contains(&inner.name.as_str()) {
            let words = format!("<{}> of <Dial> is not supported", shown(&inner.name));
            return Err(Fault::new(13215, words).at(inner.at));
        } else {
            return Err(misplaced(element, inner, 13215));
        }
    }
    let is_queue = |target: &Target| matches!(target.kind, TargetKind::Queue { .. });
    let alone = conference.is_some() || targets.iter().any(is_queue);
    if alone && targets.len() + usize::from(conference.is_some()) > 1 {
        let words = "a <Conference> or <Queue> stands alone in <Dial>";
        return Err(Fault::new(13215, words).at(element.at));
    }
    if targets.len() > MAX_TARGETS {
        let words = format!("<Dial> rings at most {MAX_TARGETS} nouns");
        return Err(Fault::new(13215, words).at(element.at));
    }
    let text = element.text();
    match (targets.is_empty() && conference.is_none(), text.is_empty()) {
        (true, false) => targets.push(Target::number(element, &text)?),
        (true, true) => {
            let words = "<Dial> says whom by a number or a noun; the call fails";
            remarks.push(Fault::new(13223, words).at(element.at));
        }
        (false, false) => {
            let words = "the text of a <Dial> with nouns is not dialled";
            remarks.push(Fault::new(13215, words).at(element.at));
        }
        (false, true) => {}
    }
    Ok((targets, conference))
}

fn recording(attributes: &mut Attributes<'_>) -> Option<CallRecording> {
    let track = attributes
        .word("recordingTrack", code::SCHEMA)
        .unwrap_or_default();
    let trim = attributes.word("trim", code::SCHEMA).unwrap_or_default();
    let text = attributes.text("record")?;
    let (from, channels) = match text.as_str() {
        "true" | "record-from-answer" => (RecordFrom::Answer, Channels::Mono),
        "record-from-answer-dual" => (RecordFrom::Answer, Channels::Dual),
        "record-from-ringing" => (RecordFrom::Ringing, Channels::Mono),
        "record-from-ringing-dual" => (RecordFrom::Ringing, Channels::Dual),
        "false" | "do-not-record" => return None,
        _ => {
            let wanted =
                "do-not-record, record-from-answer or record-from-ringing, with or without -dual";
            attributes.doubt(13217, "record", &text, wanted);
            return None;
        }
    };
    // One voice is one channel.
    let channels = match track {
        Track::Both => channels,
        Track::Inbound | Track::Outbound => Channels::Mono,
    };
    Some(CallRecording {
        from,
        channels,
        track,
        trim,
    })
}
