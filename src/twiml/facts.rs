//! What an application is told of a call with every request.

use serde::{Deserialize, Serialize};

use super::sid::Sid;

/// Parameters of a request or notice: names and values, in their order.
pub type Form = Vec<(String, String)>;

/// One leg, as applications see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `CallSid`.
    pub call: Sid,
    /// `AccountSid`.
    pub account: Sid,
    /// `From`: a number, `sip:...` or `client:...`.
    pub from: String,
    /// `To`.
    pub to: String,
    /// `Direction`.
    pub direction: Direction,
    /// `ForwardedFrom`: who diverted the call here.
    pub forwarded_from: Option<String>,
    /// `CallerName`.
    pub caller_name: Option<String>,
    /// `ParentCallSid`: the leg that dialled this one.
    pub parent: Option<Sid>,
    /// `CallToken`: proof that a caller's number may be passed on.
    pub token: Option<String>,
    /// Others that are known, such as `FromCountry`.
    pub more: Form,
}

/// Who began a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The caller.
    Inbound,
    /// The REST API.
    OutboundApi,
    /// A `<Dial>`.
    OutboundDial,
}

/// How far a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallStatus {
    /// Busy.
    Busy,
    /// Given up by us before it was answered.
    Canceled,
    /// Over, after it was answered.
    Completed,
    /// It could not be made.
    Failed,
    /// Answered.
    InProgress,
    /// Begun; told as an event, and not as the state of a call.
    Initiated,
    /// Nobody answered.
    NoAnswer,
    /// To be made.
    Queued,
    /// It rings.
    Ringing,
}

impl Direction {
    /// Its name in parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundDial => "outbound-dial",
        }
    }
}

impl CallStatus {
    /// Its name in parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Canceled => "canceled",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InProgress => "in-progress",
            Self::Initiated => "initiated",
            Self::NoAnswer => "no-answer",
            Self::Queued => "queued",
            Self::Ringing => "ringing",
        }
    }

    /// What a call that was never answered came to, by the SIP status of its end.
    pub fn of_refusal(status: u16) -> Self {
        match status {
            486 | 600 | 603 => Self::Busy,
            408 | 480 | 487 => Self::NoAnswer,
            _ => Self::Failed,
        }
    }
}

/// The version of the public platform's API that requests and replies follow.
pub const API_VERSION: &str = "2010-04-01";

impl Facts {
    /// The parameters every request has.
    pub fn form(&self, status: CallStatus) -> Form {
        let mut form = Form::new();
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        add("CallSid", self.call.as_str());
        add("AccountSid", self.account.as_str());
        add("From", &self.from);
        add("To", &self.to);
        // Older applications read these names of the same.
        add("Caller", &self.from);
        add("Called", &self.to);
        add("CallStatus", status.as_str());
        add("ApiVersion", API_VERSION);
        add("Direction", self.direction.as_str());
        let optional = [
            ("ForwardedFrom", self.forwarded_from.as_deref()),
            ("CallerName", self.caller_name.as_deref()),
            ("ParentCallSid", self.parent.as_ref().map(Sid::as_str)),
            ("CallToken", self.token.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                add(name, value);
            }
        }
        form.extend(self.more.iter().cloned());
        form
    }

    /// A leg that this one dials.
    pub fn child(&self, call: Sid, from: &str, to: &str) -> Self {
        Self {
            call,
            account: self.account.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            direction: Direction::OutboundDial,
            forwarded_from: None,
            caller_name: None,
            parent: Some(self.call.clone()),
            token: None,
            more: Form::new(),
        }
    }
}
