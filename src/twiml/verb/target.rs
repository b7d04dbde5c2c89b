//! The nouns of `<Dial>` that ring: Number, Sip, Client, and Queue, which waits for nobody.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code, shown};
use super::super::link::{Link, Method};
use super::super::xml::Element;
use super::nothing_inside;
use super::play::is_dialable;
use super::refer::is_sip_uri;

/// Somebody to connect the caller with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Who.
    pub kind: TargetKind,
    /// What the called party hears before it is connected. Of a queue: what the caller who waited
    /// hears.
    pub whisper: Option<Link>,
    /// Who is told how the call goes.
    pub status: Option<StatusCallback>,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// A phone or a program of this switch, by its name.
    Client {
        /// Name.
        identity: String,
    },
    /// A telephone number, as a phone would dial it.
    Number {
        /// Number.
        number: String,
        /// Keys sent when it has answered; `w` is 0.5 s, `W` 1 s.
        send_digits: Option<String>,
    },
    /// Who is first in a queue.
    Queue {
        /// Name.
        name: String,
        /// A reservation to accept.
        reservation: Option<String>,
        /// Activity of the worker afterwards.
        post_work_activity: Option<String>,
    },
    /// A SIP address.
    Sip {
        /// URI.
        uri: String,
        /// Name and password for a digest challenge.
        credentials: Option<(String, String)>,
    },
}

impl TargetKind {
    /// What `To` of its call says.
    pub fn to(&self) -> String {
        match self {
            Self::Client { identity } => format!("client:{identity}"),
            Self::Number { number, .. } => number.clone(),
            Self::Queue { name, .. } => format!("queue:{name}"),
            Self::Sip { uri, .. } => uri.clone(),
        }
    }
}

/// Who is told how a call goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCallback {
    /// Where.
    pub link: Link,
    /// What; `completed` when nothing is said.
    pub events: Vec<ProgressEvent>,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProgressEvent {
    /// It was begun.
    Initiated,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// It is over, answered or not.
    Completed,
}

impl FromStr for ProgressEvent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "initiated" => Ok(Self::Initiated),
            "ringing" => Ok(Self::Ringing),
            "answered" => Ok(Self::Answered),
            "completed" => Ok(Self::Completed),
            _ => Err("initiated, ringing, answered or completed"),
        }
    }
}

impl StatusCallback {
    pub(super) fn parse(attributes: &mut Attributes<'_>) -> Option<Self> {
        let events = attributes.words("statusCallbackEvent", code::SCHEMA);
        let link = attributes.link("statusCallback", "statusCallbackMethod", code::SCHEMA)?;
        Some(Self::new(link, events.unwrap_or_default()))
    }

    /// Tells of these events; of `completed` when there are none.
    pub fn new(link: Link, events: Vec<ProgressEvent>) -> Self {
        let events = match events.is_empty() {
            true => vec![ProgressEvent::Completed],
            false => events,
        };
        Self { link, events }
    }
}

/// Attributes of nouns that detect answering machines.
const MACHINE_DETECTION: [&str; 7] = [
    "machineDetection",
    "machineDetectionTimeout",
    "machineDetectionSpeechThreshold",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSilenceTimeout",
    "amdStatusCallback",
    "amdStatusCallbackMethod",
];

/// Characters of the longest number or name.
const MAX_NAME: usize = 256;

impl Target {
    /// A number without any attribute.
    pub(super) fn number(element: &Element, number: &str) -> Result<Self, Fault> {
        Ok(Self {
            kind: TargetKind::Number {
                number: dialled(element, number)?,
                send_digits: None,
            },
            whisper: None,
            status: None,
        })
    }

    /// Reads a noun. `None` when it is none that rings.
    pub(super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Option<Result<Self, Fault>> {
        let read = match element.name.as_str() {
            "Client" => Self::client,
            "Number" => Self::of_number,
            "Queue" => Self::queue,
            "Sip" => Self::sip,
            _ => return None,
        };
        Some(read(element, remarks))
    }

    fn of_number(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        nothing_inside(element, 13215)?;
        let mut attributes = Attributes::of(element, remarks);
        let mut send_digits = attributes.short("sendDigits", MAX_NAME, 13222);
        if let Some(digits) = send_digits.take_if(|digits| !is_dialable(digits)) {
            attributes.doubt(13222, "sendDigits", &digits, "of 0-9, *, #, w and W");
        }
        attributes.unsupported(&["byoc"]);
        let kind = TargetKind::Number {
            number: dialled(element, &element.text())?,
            send_digits,
        };
        Ok(Self::rest(kind, attributes, 13221))
    }

    fn client(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        let mut attributes = Attributes::of(element, remarks);
        // The noun's own way to say a name, and parameters for programs we do not have.
        let mut identity = element.text();
        let mut parameters = false;
        for inner in element.elements() {
            match inner.name.as_str() {
                "Identity" => identity = inner.text(),
                "Parameter" => parameters = true,
                _ => return Err(super::misplaced(element, inner, 13215)),
            }
        }
        if parameters {
            attributes.remark(
                code::SCHEMA,
                "<Parameter> of <Client> is not supported and not sent",
            );
        }
        let identity = named(element, &identity)?;
        Ok(Self::rest(
            TargetKind::Client { identity },
            attributes,
            code::SCHEMA,
        ))
    }

    fn sip(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        nothing_inside(element, 13215)?;
        let mut attributes = Attributes::of(element, remarks);
        let name = attributes.short("username", MAX_NAME, code::SCHEMA);
        let password = attributes.short("password", MAX_NAME, code::SCHEMA);
        let uri = element.text();
        if !is_sip_uri(&uri) {
            let words = format!(
                "\"{}\" is no SIP URI; it begins with sip: or sips:",
                shown(&uri)
            );
            return Err(Fault::new(13223, words).at(element.at));
        }
        let credentials = name.map(|name| (name, password.unwrap_or_default()));
        let kind = TargetKind::Sip { uri, credentials };
        Ok(Self::rest(kind, attributes, 13241))
    }

    fn queue(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        nothing_inside(element, 13215)?;
        let mut attributes = Attributes::of(element, remarks);
        let reservation = attributes.short("reservationSid", MAX_NAME, code::SCHEMA);
        let post_work_activity = attributes.short("postWorkActivitySid", MAX_NAME, code::SCHEMA);
        // A reservation says by itself who it is for.
        let name = match &reservation {
            Some(_) => element.text(),
            None => named(element, &element.text())?,
        };
        let whisper = attributes.link("url", "method", code::SCHEMA);
        attributes.finish();
        Ok(Self {
            kind: TargetKind::Queue {
                name,
                reservation,
                post_work_activity,
            },
            whisper,
            status: None,
        })
    }

    /// What all nouns that ring have.
    fn rest(kind: TargetKind, mut attributes: Attributes<'_>, method: u16) -> Self {
        let how = attributes
            .word::<Method>("method", method)
            .unwrap_or_default();
        let whisper = attributes.text("url").filter(|url| !url.trim().is_empty());
        let status = StatusCallback::parse(&mut attributes);
        attributes.unsupported(&MACHINE_DETECTION);
        attributes.finish();
        Self {
            kind,
            whisper: whisper.map(|url| Link {
                url: url.trim().to_owned(),
                method: how,
            }),
            status,
        }
    }
}

fn named(element: &Element, name: &str) -> Result<String, Fault> {
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let words = format!(
            "<{}> needs a name of 1 to {MAX_NAME} characters",
            element.name
        );
        return Err(Fault::new(13215, words).at(element.at));
    }
    Ok(name.to_owned())
}

/// A number without what only people need to read it.
fn dialled(element: &Element, text: &str) -> Result<String, Fault> {
    let number: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'))
        .collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let good = !digits.is_empty()
        && number.len() <= MAX_NUMBER
        && digits.chars().all(|c| matches!(c, '0'..='9' | '*' | '#'));
    match good {
        true => Ok(number),
        false => {
            let words = format!("\"{}\" is no telephone number", shown(text));
            Err(Fault::new(13223, words).at(element.at))
        }
    }
}

/// Digits of the longest number: E.164 has 15, prefixes and feature codes come before.
const MAX_NUMBER: usize = 40;
