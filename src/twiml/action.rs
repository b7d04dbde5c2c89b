//! What a run wants done, and what it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::Document;
use super::facts::Form;
use super::link::{Link, Method};
use super::sid::Sid;
use super::verb::{
    CallRecording, Conference, RecordingCallback, RecordingEvent, Say, SpeechTerms, StatusCallback,
    TargetKind, Trim,
};
use crate::base::Cause;
use crate::flow::RecordTerms;
use crate::router::Destination;

/// What a run wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call; asked once, before anything is to be heard.
    Answer,
    /// Connect caller and leg; both hear each other until [`LegNews::Ended`].
    Bridge {
        /// Number from [`Action::Ring`].
        leg: u64,
    },
    /// The leg is not wanted any more: cancel it, or hang it up. Nothing need be reported.
    Cancel {
        /// Number from [`Action::Ring`].
        leg: u64,
    },
    /// Stand in a line; report [`Input::Queue`].
    Enqueue(Enqueueing),
    /// Get a document; report [`Input::Fetched`].
    Fetch(Fetch),
    /// The document is over, and the leg goes on without it: a called party is to be connected.
    /// Nothing follows.
    Finished,
    /// End the call with all its legs; nothing follows but notices.
    HangUp {
        /// Why; a refusal when the call was never answered.
        cause: Cause,
    },
    /// Take part in a conference; report [`Input::Conference`].
    Join(Box<Joining>),
    /// Leave the conference; nothing need be reported.
    LeaveConference,
    /// Leave the line; nothing need be reported.
    LeaveQueue,
    /// Listen to speech; report [`Input::Speech`].
    Listen {
        /// Number of this request, rising within the run.
        listen: u64,
        /// How.
        terms: SpeechTerms,
    },
    /// Tell somebody; what he answers counts for nothing.
    Notify(Notice),
    /// Play these one after the other; report [`Input::PlayDone`] or [`Input::PlayFailed`].
    Play {
        /// Number of this request, rising within the run.
        play: u64,
        /// What.
        prompts: Vec<Prompt>,
    },
    /// Record the caller; report [`Input::Recorded`].
    Record {
        /// Number of this request, rising within the run.
        record: u64,
        /// Length, silence, keys, beep.
        terms: RecordTerms,
        /// Whether silence is cut off.
        trim: Trim,
        /// Who is told when the file is there, also after the run's end.
        callback: Option<RecordingCallback>,
    },
    /// Record the connection until it ends; report [`Input::Recording`].
    RecordCall {
        /// How.
        recording: CallRecording,
        /// Who is told when the file is there, also after the run's end.
        callback: Option<RecordingCallback>,
    },
    /// Refer the caller's side elsewhere; report [`Input::Referred`].
    Refer {
        /// SIP URI.
        to: String,
    },
    /// Call somebody; report [`Input::Leg`].
    Ring(Box<Ringing>),
    /// Stop what plays; its end need not be reported.
    StopPlay,
    /// Listen no more; nothing need be reported.
    StopListening,
    /// Stop recording the caller; nothing need be reported.
    StopRecording,
    /// Run a document on a leg that has answered, in a run of its own; report
    /// [`LegNews::WhisperOver`].
    Whisper {
        /// Number from [`Action::Ring`].
        leg: u64,
        /// The document.
        link: Link,
    },
    /// The waiting caller has heard what he was to hear before he is connected.
    WhisperDone,
}

/// A document to get, as the web client's question: a reply can be TwiML, sound or text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// Number of this request, rising within the run.
    pub request: u64,
    /// Absolute URL, with the fragment that holds overrides.
    pub url: String,
    /// How.
    pub method: Method,
    /// Parameters: the query of a GET, the form of a POST.
    pub form: Form,
}

/// Something to tell, as the web client's notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Absolute URL, with the fragment that holds overrides.
    pub url: String,
    /// How.
    pub method: Method,
    /// Parameters.
    pub form: Form,
    /// What it is about, for logs and lists: `call completed`.
    pub what: String,
}

/// Something to be heard, so many times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What.
    pub what: Utterance,
    /// How often, 1 to 1000.
    pub times: u32,
}

/// Something to be heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Utterance {
    /// Keys as tones; `w` is 0.5 s of silence, `W` 1 s.
    Digits(String),
    /// Silence.
    Silence(Duration),
    /// Speech; how often it says is the prompt's matter.
    Speech(Say),
    /// That the application failed, in words of the switch's own.
    Trouble,
    /// A sound: wav, mp3, aiff, gsm or u-law, by GET.
    Url(String),
}

/// A stand in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enqueueing {
    /// Queue, or workflow as the document names it (a SID or its name of the configuration).
    pub to: Destination,
    /// Most callers in the queue when this makes it.
    pub max_size: Option<u32>,
    /// What is known of the caller.
    pub attributes: Map<String, Value>,
    /// Higher is served first.
    pub priority: i64,
    /// When it is given up; `None` for the line's own limit.
    pub timeout: Option<Duration>,
    /// What is heard meanwhile.
    pub wait: WaitSound,
}

/// What is heard in a line, or before a conference begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitSound {
    /// What a document says, which the run executes.
    Document,
    /// Music of the switch.
    Music,
    /// Nothing.
    Silence,
}

/// A caller on his way into a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// Which, and how; its URLs are absolute.
    pub conference: Conference,
    /// What he hears before it begins.
    pub wait: WaitSound,
    /// Whether his leg is recorded: channel 1 is he, 2 what comes from the conference.
    pub record: Option<CallRecording>,
    /// Who is told of that recording.
    pub callback: Option<RecordingCallback>,
}

/// Somebody to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ringing {
    /// Number of this leg, rising within the run.
    pub leg: u64,
    /// Who.
    pub kind: TargetKind,
    /// What the called party sees.
    pub caller_id: String,
    /// How long it may ring; the run itself cancels it then.
    pub timeout: Duration,
    /// Country of the ring-back tone; that of the callee's side when `None`.
    pub ring_tone: Option<String>,
    /// Of a queue: what the caller who waited hears before he is connected.
    pub whisper: Option<Link>,
}

/// What a run is told. What does not fit what it is doing is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The caller is gone: nothing more is asked but notices.
    CallerLeft,
    /// News of the conference.
    Conference(ConferenceNews),
    /// The caller pressed a key.
    Digit(char),
    /// A [`Action::Fetch`] has its result.
    Fetched {
        /// Number of the request.
        request: u64,
        /// Result.
        result: Fetched,
    },
    /// News of a leg.
    Leg {
        /// Number from [`Action::Ring`].
        leg: u64,
        /// News.
        news: LegNews,
    },
    /// Somebody else, through the REST API, wants something else of the call.
    Modify(Modification),
    /// News of the leg itself, when it is called and does not call.
    Outbound(LegNews),
    /// The play of this number came to its end by itself.
    PlayDone {
        /// Number from [`Action::Play`].
        play: u64,
    },
    /// The play of this number could not be played to its end; the document goes on.
    PlayFailed {
        /// Number from [`Action::Play`].
        play: u64,
        /// Number in Twilio's error dictionary.
        code: u16,
        /// Why.
        words: String,
    },
    /// News of the line.
    Queue(QueueNews),
    /// The caller was recorded. When he hung up meanwhile, before [`Input::CallerLeft`].
    Recorded {
        /// Number from [`Action::Record`].
        record: u64,
        /// The recording; `None` when nothing was said.
        recording: Option<Sid>,
        /// How long it is.
        length: Duration,
        /// What ended it.
        ended: RecordEnd,
    },
    /// What became of a recording.
    Recording(RecordingNews),
    /// A [`Action::Refer`] has its result.
    Referred {
        /// Final status the caller's side was answered with.
        status: u16,
    },
    /// News of a [`Action::Listen`].
    Speech {
        /// Number of the request.
        listen: u64,
        /// News.
        news: SpeechNews,
    },
}

/// What came of a request for a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetched {
    /// There is none.
    Failed {
        /// Number in Twilio's error dictionary.
        code: u16,
        /// Why.
        words: String,
    },
    /// A reply of success.
    Reply {
        /// Its `Content-Type`.
        content_type: Option<String>,
        /// What it says.
        body: Vec<u8>,
        /// The URL that answered, after redirects.
        url: String,
    },
}

/// News of a leg that is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegNews {
    /// It answered.
    Answered,
    /// It calls for help: no limit of a document or of the call ends it.
    CallsForHelp,
    /// It is over.
    Ended {
        /// SIP status: 200 when it hung up after answering, else that of the refusal.
        status: u16,
    },
    /// It was begun.
    Initiated {
        /// Its id.
        call: Sid,
    },
    /// It wants the caller to be connected with somebody else (SIP REFER).
    Refers {
        /// SIP URI.
        to: String,
    },
    /// It rings.
    Ringing,
    /// The document of [`Action::Whisper`] is over.
    WhisperOver {
        /// Whether the leg is to be connected; it was hung up otherwise.
        goes_on: bool,
    },
}

/// News of a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConferenceNews {
    /// The caller is not in it any more, and still there.
    Left,
    /// He was not let in.
    Refused {
        /// Number in Twilio's error dictionary: 16025 for a label that is taken.
        code: u16,
    },
    /// It goes on with the caller in it.
    Started,
    /// It has not begun.
    Waiting,
}

/// News of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueNews {
    /// Caller and other party were connected, and are not any more; the caller is still there.
    BridgeEnded,
    /// Caller and other party hear each other.
    Bridged,
    /// The caller was given to somebody who is still being called; he is not in the line now.
    BridgingInProcess,
    /// The line is gone, or was never there.
    Failed {
        /// Why.
        words: String,
        /// Whether it is the switch's own fault.
        own: bool,
    },
    /// No room is left.
    Full,
    /// Whoever was to be connected with him has given up before it: he waits on, and hears what
    /// there is to hear of waiting from its beginning.
    GivenBack,
    /// Where the caller stands; first of all when he is in, and whenever it changes.
    Standing(Standing),
    /// He is about to be connected, and hears this document before; told by
    /// [`Action::WhisperDone`].
    Whisper {
        /// The document.
        link: Link,
        /// The leg he is to be connected with.
        by: Sid,
    },
}

/// Where a caller stands in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The line.
    pub queue: Sid,
    /// Place, from 1.
    pub position: u32,
    /// Callers in it.
    pub size: u32,
    /// Most callers in it.
    pub max_size: u32,
    /// How long callers wait, on average.
    pub average_wait: Duration,
}

/// What ended a recording of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordEnd {
    /// He hung up.
    HungUp,
    /// This key.
    Key(char),
    /// It is as long as it may be.
    Length,
    /// Silence.
    Silence,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingNews {
    /// Which.
    pub recording: Sid,
    /// What.
    pub event: RecordingEvent,
    /// How long it is.
    pub length: Duration,
    /// Its channels, 1 or 2.
    pub channels: u8,
    /// What it comes from: `DialVerb`, `RecordVerb`, `Conference`.
    pub source: String,
}

/// News of speech.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SpeechNews {
    /// The caller has begun to speak.
    Began,
    /// All he said.
    Final {
        /// Text; empty when nothing was understood.
        text: String,
        /// 0 to 1.
        confidence: f64,
    },
    /// What is understood so far.
    Partial {
        /// Text.
        text: String,
        /// 0 to 1.
        stability: f64,
    },
}

/// What the REST API does to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Modification {
    /// Hear this document once in place of the conference; absolute.
    Announce(Link),
    /// Give it up; only before it is answered.
    Cancel,
    /// Hang up.
    Complete,
    /// Go on with a document that was read by [`Document::parse_inline`].
    Document(Box<Document>),
    /// Ask here from now on when a document cannot be had or is none; absolute.
    Fallback(Link),
    /// Hear this document on hold in a conference, again and again; absolute. `None`: nothing any more.
    HoldDocument(Option<Link>),
    /// Go on with this document.
    Redirect(Link),
    /// Tell this one from now on how the call goes, and nobody else; absolute.
    StatusCallback(StatusCallback),
    /// It may last so long, from its answer.
    TimeLimit(Duration),
}
