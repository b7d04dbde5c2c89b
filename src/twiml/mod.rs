//! TwiML documents: the user's own web application says what a caller hears and what becomes of him.
//!
//! A [`Document`] is read from what the application answered; a [`Run`] executes it for one leg,
//! verb by verb, and asks for the next. Like a flow's run it is a machine that only *asks*, through
//! [`Action`] values, and is told, through [`Input`]: it fetches nothing, rings nobody and knows no
//! clock, so it runs in a call and in a test alike. What the public platform does is the measure;
//! docs/twiml.md says where we differ.

mod action;
mod attributes;
mod conference;
mod document;
mod facts;
mod fault;
mod link;
mod notice;
mod run;
mod sid;
mod terms;
mod verb;
mod xml;

pub use action::{
    Action, ConferenceNews, Enqueueing, Fetch, Fetched, Input, Joining, LegNews, Modification,
    Notice, Prompt, QueueNews, RecordEnd, RecordingNews, Ringing, SpeechNews, Standing, Utterance,
    WaitSound,
};
pub use conference::{
    ConferenceEnd, ConferenceFact, ConferenceTeller, Participant, ParticipantEnd,
};
pub use document::{Document, MAX_INLINE, MAX_VERBS, Placed};
pub use facts::{API_VERSION, CallStatus, Direction, Facts, Form};
pub use fault::{Fault, Position};
pub use link::{Link, Method};
pub use run::{MAX_HURRIED, Run, Visit};
pub use sid::{Sid, SidKind};
pub use terms::{Source, Terms};
pub use verb::{
    Beep, CallRecording, Channels, Conference, ConferenceEvent, ConferenceRecording, Detect, Dial,
    Enqueue, Gather, JitterBuffer, Line, Nested, Pause, Play, Playable, ProgressEvent, Record,
    RecordFrom, RecordingCallback, RecordingEvent, Redirect, Refer, Reject, RejectReason, Say,
    SpeechEnd, SpeechTerms, StatusCallback, Target, TargetKind, TaskTerms, Track, Trim, Verb,
};

#[cfg(test)]
mod tests;
