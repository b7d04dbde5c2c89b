//! What a document can say: one file for each verb and noun.

mod conference;
mod dial;
mod enqueue;
mod gather;
mod pause;
mod play;
mod record;
mod redirect;
mod refer;
mod reject;
mod say;
mod target;

use serde::{Deserialize, Serialize};

pub use conference::{Beep, Conference, ConferenceEvent, ConferenceRecording, JitterBuffer};
pub use dial::{CallRecording, Channels, Dial, RecordFrom, Track};
pub use enqueue::{Enqueue, Line, TaskTerms};
pub use gather::{Detect, Gather, Nested, SpeechEnd, SpeechTerms};
pub use pause::Pause;
pub use play::{Play, Playable};
pub use record::{Record, RecordingCallback, RecordingEvent, Trim};
pub use redirect::Redirect;
pub use refer::Refer;
pub use reject::{Reject, RejectReason};
pub use say::Say;
pub use target::{ProgressEvent, StatusCallback, Target, TargetKind};

use super::attributes::Attributes;
use super::fault::{Fault, code, shown};
use super::xml::Element;

/// A verb with its attributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verb {
    /// Connect the caller with somebody.
    Dial(Box<Dial>),
    /// Put the caller into a line.
    Enqueue(Box<Enqueue>),
    /// Ask for keys or speech.
    Gather(Box<Gather>),
    /// End the call.
    Hangup,
    /// Leave the line; from a wait document only.
    Leave,
    /// Wait.
    Pause(Pause),
    /// Play a sound or keys.
    Play(Play),
    /// Record the caller.
    Record(Box<Record>),
    /// Go on with another document.
    Redirect(Redirect),
    /// Refer a SIP caller elsewhere.
    Refer(Refer),
    /// Refuse the call.
    Reject(Reject),
    /// Speak.
    Say(Say),
}

/// Verbs of the public platform that are not executed here, with what to do instead.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("Connect", "streams and assistants come with media streams"),
    ("Echo", "call the echo number instead"),
    ("Pay", "gather digits with a secure step of a flow"),
    ("Prompt", "it belongs to Pay"),
    ("Queue", "it is a noun of Dial"),
    ("Sms", "there are no messages here"),
    ("Start", "record with Dial or Record"),
    ("Stop", "there is nothing that Start began"),
    ("Sim", "it is a noun of Dial, and not supported"),
];

impl Verb {
    /// Its name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dial(_) => "Dial",
            Self::Enqueue(_) => "Enqueue",
            Self::Gather(_) => "Gather",
            Self::Hangup => "Hangup",
            Self::Leave => "Leave",
            Self::Pause(_) => "Pause",
            Self::Play(_) => "Play",
            Self::Record(_) => "Record",
            Self::Redirect(_) => "Redirect",
            Self::Refer(_) => "Refer",
            Self::Reject(_) => "Reject",
            Self::Say(_) => "Say",
        }
    }

    pub(super) fn parse(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        Ok(match element.name.as_str() {
            "Dial" => Self::Dial(Box::new(Dial::parse(element, remarks)?)),
            "Enqueue" => Self::Enqueue(Box::new(Enqueue::parse(element, remarks)?)),
            "Gather" => Self::Gather(Box::new(Gather::parse(element, remarks)?)),
            "Hangup" => bare(element, remarks, Self::Hangup)?,
            "Leave" => bare(element, remarks, Self::Leave)?,
            "Pause" => Self::Pause(Pause::parse(element, remarks)?),
            "Play" => Self::Play(Play::parse(element, remarks)?),
            "Record" => Self::Record(Box::new(Record::parse(element, remarks)?)),
            "Redirect" => Self::Redirect(Redirect::parse(element, remarks)?),
            "Refer" => Self::Refer(Refer::parse(element, remarks)?),
            "Reject" => Self::Reject(Reject::parse(element, remarks)?),
            "Say" => Self::Say(Say::parse(element, remarks)?),
            name => return Err(unknown(element, name)),
        })
    }
}

/// A verb without attributes and nouns.
fn bare(element: &Element, remarks: &mut Vec<Fault>, verb: Verb) -> Result<Verb, Fault> {
    Attributes::of(element, remarks).finish();
    nothing_inside(element, code::SCHEMA)?;
    Ok(verb)
}

fn unknown(element: &Element, name: &str) -> Fault {
    let known = UNSUPPORTED.iter().find(|(verb, _)| *verb == name);
    let words = match (known, suggestion(name)) {
        (Some((_, instead)), _) => format!("<{name}> is not supported: {instead}"),
        (None, Some(verb)) => format!("there is no verb <{}>; did you mean <{verb}>?", shown(name)),
        (None, None) => format!("there is no verb <{}>", shown(name)),
    };
    Fault::new(code::SCHEMA, words).at(element.at)
}

fn suggestion(name: &str) -> Option<&'static str> {
    const VERBS: [&str; 12] = [
        "Dial", "Enqueue", "Gather", "Hangup", "Leave", "Pause", "Play", "Record", "Redirect",
        "Refer", "Reject", "Say",
    ];
    // The distance grows with the product of both lengths.
    if name.len() > 20 {
        return None;
    }
    let lower = name.to_lowercase();
    let distance = |verb: &&str| strsim::levenshtein(&verb.to_lowercase(), &lower);
    VERBS
        .into_iter()
        .min_by_key(distance)
        .filter(|verb| distance(verb) <= 2)
}

/// Refuses elements inside of one that takes none.
fn nothing_inside(element: &Element, code: u16) -> Result<(), Fault> {
    match element.elements().next() {
        None => Ok(()),
        Some(inner) => Err(misplaced(element, inner, code)),
    }
}

/// An element that does not belong where it stands.
fn misplaced(outer: &Element, inner: &Element, code: u16) -> Fault {
    let words = format!("<{}> cannot stand in <{}>", shown(&inner.name), outer.name);
    Fault::new(code, words).at(inner.at)
}

/// How often something is played: `loop`, default 1; 0 is until the caller hangs up, at most 1000
/// times.
fn times(attributes: &mut Attributes<'_>, code: u16) -> u32 {
    match attributes.number("loop", 0, MAX_TIMES, code) {
        None => 1,
        Some(0) => MAX_TIMES,
        Some(times) => times,
    }
}

/// Most repetitions of a Play or Say.
pub(super) const MAX_TIMES: u32 = 1_000;
