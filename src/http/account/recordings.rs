//! `Recordings`: list, fetch, delete; of all calls or of one, where they are begun, paused and ended,
//! too.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::{Fault, code};
use super::leg::PublicLeg;
use super::page::{Page, Wanted};
use super::parameters::wrong;
use super::{Asked, shown, written};
use crate::base::RecordingId;
use crate::call::{ConferenceView, Control, ControlError, ORDERED};
use crate::events::CallRecord;
use crate::events::record::RecordingRecord;
use crate::http::answer::answer;
use crate::twiml::{API_VERSION, Sid, SidKind, Track};
use crate::voicemail::is_in_a_mailbox;

impl Asked<'_> {
    /// A page of recordings, newest call first.
    pub(super) fn list_recordings(&self, call: Option<&str>) -> Result<Response, Fault> {
        let said = &self.said;
        let wanted = Wanted::read(said)?;
        let created = said.span("DateCreated")?;
        let entries = |record: &CallRecord| -> Vec<Value> {
            let recordings = record.recordings.iter();
            let recordings = recordings
                .filter(|it| created.has(it.started) && self.is_there(it))
                .map(|it| self.recording_shown(record, it));
            recordings.collect()
        };
        let (path, call) = match call {
            Some(call) => (format!("Calls/{call}/Recordings"), Some(call)),
            None => ("Recordings".to_owned(), said.get("CallSid")),
        };
        let page = match call {
            Some(call) => {
                let (record, _) = self.call(call)?;
                Page::of_few(entries(&record), &wanted)
            }
            None => {
                let span = super::parameters::Span {
                    since: None,
                    before: created.before,
                };
                Page::of_records(self.sources, &wanted, span, true, entries)?
            }
        };
        Ok(page.answer("recordings", &self.uri(&path), &wanted, said))
    }

    /// One recording.
    pub(super) fn fetch_recording(&self, sid: &str, call: Option<&str>) -> Result<Response, Fault> {
        let (record, recording) = match call {
            Some(call) if sid == CURRENT => self.current(call)?,
            call => self.recording_of(sid, call)?,
        };
        Ok(shown(&self.recording_shown(&record, &recording)))
    }

    /// Records a call, or one leg that it dialled, from now on.
    pub(super) fn create_recording(&self, call: &str) -> Result<Response, Fault> {
        let said = &self.said;
        let track = match said.get("RecordingTrack") {
            None | Some("both") => Track::Both,
            Some("inbound") => Track::Inbound,
            Some("outbound") => {
                let words = "RecordingTrack=outbound is not supported: what a leg hears is \
                    recorded beside what it says, with RecordingTrack=both";
                return Err(Fault::bad(code::PARAMETER, words));
            }
            Some(_) => return Err(wrong("RecordingTrack", "inbound, outbound or both")),
        };
        said.word("RecordingChannels", &["mono", "dual"])?;
        said.word("Trim", &["trim-silence", "do-not-trim"])?;
        let callback = said.recording_callback()?;
        let (record, leg) = self.call(call)?;
        if leg.is_over() || leg.answered.is_none() {
            return Err(Fault::bad(code::STATE, NOT_ELIGIBLE));
        }
        let wish = Control::StartRecording {
            leg: leg.leg,
            track,
            callback,
        };
        self.wish(&record, wish)?;
        let is_new = |it: &&RecordingRecord| {
            let mut known = record.recordings.iter();
            known.all(|known| known.recording != it.recording)
        };
        let now = self.alive(&record)?;
        let begun = now.recordings.iter().rfind(is_new);
        let begun = begun.ok_or_else(|| Fault::internal("the recording is not in the record"))?;
        let mut created = self.recording_shown(&now, begun);
        created["source"] = BY_API.into();
        let (channels, word) = match track {
            Track::Inbound => (1, "inbound"),
            _ => (2, "both"),
        };
        created["channels"] = channels.into();
        created["track"] = word.into();
        Ok(answer(StatusCode::CREATED, &created))
    }

    /// Pauses a recording, lets it go on, or ends it.
    pub(super) fn modify_recording(&self, sid: &str, call: &str) -> Result<Response, Fault> {
        let found = match sid {
            CURRENT => self.current(call)?,
            sid => self.recording_of(sid, Some(call))?,
        };
        let (record, changed) = self.change_recording(found)?;
        let mut body = self.recording_shown(&record, &changed);
        self.tell_stopped(&changed, &mut body);
        Ok(shown(&body))
    }

    /// Does what `Status` says to a recording; how it is then.
    fn change_recording(
        &self,
        (record, recording): (CallRecord, RecordingRecord),
    ) -> Result<(CallRecord, RecordingRecord), Fault> {
        let said = &self.said;
        let status = said.word("Status", &["paused", "in-progress", "stopped"])?;
        let missing = || Fault::bad(code::PARAMETER, "Status is required");
        let status = status.ok_or_else(missing)?;
        if said.word("PauseBehavior", &["silence", "skip"])? == Some("skip") {
            let words = "PauseBehavior=skip is not supported: the time of a pause is silence, so \
                that both sides stay aligned";
            return Err(Fault::bad(code::PARAMETER, words));
        }
        if record.ended.is_some() || recording.path.is_some() {
            return Err(Fault::bad(code::STATE, "The recording is over"));
        }
        let channel = None;
        let wish = match status {
            "paused" => Control::PauseRecording { channel },
            "in-progress" => Control::ResumeRecording { channel },
            _ => Control::StopRecording {
                recording: Some(recording.recording.clone()),
            },
        };
        self.wish(&record, wish)?;
        let now = self.alive(&record)?;
        let mut all = now.recordings.iter();
        let changed = all.find(|it| it.recording == recording.recording);
        let changed = changed.cloned().ok_or_else(|| self.gone())?;
        Ok((now, changed))
    }

    /// One that was just ended is published in a moment.
    fn tell_stopped(&self, changed: &RecordingRecord, body: &mut Value) {
        if self.said.get("Status") == Some("stopped") && changed.path.is_none() {
            body["status"] = "stopped".into();
        }
    }

    /// The recording of a call that runs; the last that began, when there are several.
    fn current(&self, call: &str) -> Result<(CallRecord, RecordingRecord), Fault> {
        let (record, _) = self.call(call)?;
        let runs = |it: &&RecordingRecord| it.path.is_none();
        let found = record.recordings.iter().rfind(runs).cloned();
        let found = found.filter(|_| record.ended.is_none());
        let found = found.ok_or_else(|| self.gone())?;
        Ok((record, found))
    }

    fn wish(&self, record: &CallRecord, wish: Control) -> Result<(), Fault> {
        let done = self.sources.live.control(record.id.as_str(), wish);
        done.map(|_| ()).map_err(|error| match error {
            ControlError::AlreadyRecorded | ControlError::NotRecorded => {
                Fault::bad(code::STATE, format!("{NOT_ELIGIBLE}: {error}"))
            }
            _ => Fault::bad(code::STATE, NOT_ELIGIBLE),
        })
    }

    /// A call that was there a moment ago, as it is now.
    fn alive(&self, record: &CallRecord) -> Result<CallRecord, Fault> {
        let sid = Sid::derive(SidKind::Call, record.id.as_str());
        self.record_of(&sid)?.ok_or_else(|| self.gone())
    }

    /// A page of what is recorded of a conference that is open.
    pub(super) fn list_conference_recordings(&self, conference: &str) -> Result<Response, Fault> {
        let said = &self.said;
        let wanted = Wanted::read(said)?;
        let created = said.span("DateCreated")?;
        let open = self.conference(conference)?;
        let mut all = Vec::new();
        for recording in open.recordings.iter().rev() {
            let sid = Sid::derive(SidKind::Recording, recording.as_str());
            let Some(record) = self.record_of(&sid)? else {
                continue;
            };
            let mut recordings = record.recordings.iter();
            let found = recordings.find(|it| it.recording == *recording);
            let found = found.filter(|it| created.has(it.started) && self.is_there(it));
            all.extend(found.map(|it| self.conference_recording_shown(&open, &record, it)));
        }
        let page = Page::of_few(all, &wanted);
        let path = self.uri(&format!("Conferences/{conference}/Recordings"));
        Ok(page.answer("recordings", &path, &wanted, said))
    }

    /// One of them.
    pub(super) fn fetch_conference_recording(
        &self,
        conference: &str,
        sid: &str,
    ) -> Result<Response, Fault> {
        let open = self.conference(conference)?;
        let (record, recording) = self.recording_of_conference(&open, sid)?;
        let body = self.conference_recording_shown(&open, &record, &recording);
        Ok(shown(&body))
    }

    /// Pauses one of them, lets it go on, or ends it.
    pub(super) fn modify_conference_recording(
        &self,
        conference: &str,
        sid: &str,
    ) -> Result<Response, Fault> {
        let open = self.conference(conference)?;
        let found = self.recording_of_conference(&open, sid)?;
        let (record, changed) = self.change_recording(found)?;
        let mut body = self.conference_recording_shown(&open, &record, &changed);
        self.tell_stopped(&changed, &mut body);
        Ok(shown(&body))
    }

    /// By its SID, or the last that began for the one that runs.
    fn recording_of_conference(
        &self,
        open: &ConferenceView,
        sid: &str,
    ) -> Result<(CallRecord, RecordingRecord), Fault> {
        let sid_of = |it: &RecordingId| Sid::derive(SidKind::Recording, it.as_str());
        let mut sids = open.recordings.iter().rev().map(sid_of);
        let found = sids.find(|own| sid == CURRENT || own.as_str() == sid);
        let found = found.ok_or_else(|| self.gone())?;
        let (record, recording) = self.recording_of(found.as_str(), None)?;
        match recording.path.is_some() && sid == CURRENT {
            true => Err(self.gone()),
            false => Ok((record, recording)),
        }
    }

    fn conference_recording_shown(
        &self,
        open: &ConferenceView,
        record: &CallRecord,
        recording: &RecordingRecord,
    ) -> Value {
        let mut body = self.recording_shown(record, recording);
        body["conference_sid"] = open.sid.as_str().into();
        body["source"] = "Conference".into();
        body["channels"] = 2.into();
        body
    }

    /// Deletes a recording with its sidecar; one on legal hold stays.
    pub(super) fn delete_recording(
        &self,
        sid: &str,
        call: Option<&str>,
    ) -> Result<Response, Fault> {
        let (_, recording) = self.recording_of(sid, call)?;
        let Some(path) = &recording.path else {
            let words = "The recording is not finished";
            return Err(Fault::bad(code::STATE, words));
        };
        let path = self.account.recordings.join(path);
        match crate::recording::delete(&path) {
            Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
            Ok(false) => {
                let words = "The recording is on legal hold";
                Err(Fault::bad(code::STATE, words))
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "recording.deletion_failed");
                Err(Fault::internal(format!("the recording's files: {error}")))
            }
        }
    }

    /// A recording by its SID, and the call it is of.
    pub(super) fn recording_of(
        &self,
        sid: &str,
        call: Option<&str>,
    ) -> Result<(CallRecord, RecordingRecord), Fault> {
        let gone = || self.gone();
        let sid: Sid = sid.parse().map_err(|_| gone())?;
        if !sid.is(SidKind::Recording) {
            return Err(gone());
        }
        let record = self.record_of(&sid)?.ok_or_else(gone)?;
        if let Some(call) = call {
            let call = call.parse().map_err(|_| gone())?;
            PublicLeg::find(&record, self.account, &call).ok_or_else(gone)?;
        }
        let mut recordings = record.recordings.iter();
        let found = recordings.find(|it| sid_of(it) == sid && self.is_there(it));
        let found = found.cloned().ok_or_else(gone)?;
        Ok((record, found))
    }

    /// Whether it is under way or its file is there: others were deleted. What is in a mailbox is its
    /// owner's.
    fn is_there(&self, recording: &RecordingRecord) -> bool {
        let Some(path) = &recording.path else {
            return true;
        };
        let path = self.account.recordings.join(path);
        !is_in_a_mailbox(&path) && path.exists()
    }

    pub(super) fn recording_shown(
        &self,
        record: &CallRecord,
        recording: &RecordingRecord,
    ) -> Value {
        let sid = sid_of(recording);
        let call = Sid::derive(SidKind::Call, record.id.as_str());
        let length = recording.duration_ms;
        let ended = length.map(|ms| recording.started + std::time::Duration::from_millis(ms));
        let status = match (&recording.path, record.ended) {
            (Some(_), _) if length == Some(0) => "absent",
            (Some(_), _) => "completed",
            (None, None) if recording.paused => "paused",
            (None, None) => "in-progress",
            (None, Some(_)) => "processing",
        };
        let root = format!("/{API_VERSION}/Accounts/{}", self.account.sid);
        json!({
            "sid": sid.as_str(),
            "account_sid": self.account.sid.as_str(),
            "call_sid": call.as_str(),
            "conference_sid": null,
            "api_version": API_VERSION,
            "date_created": written(recording.started),
            "date_updated": written(ended.unwrap_or(recording.started)),
            "start_time": written(recording.started),
            "duration": length.map(|ms| (ms / 1000).to_string()),
            "status": status,
            "channels": recording.channels.len().max(1),
            "source": source(record, recording),
            "price": null,
            "price_unit": null,
            "error_code": null,
            "encryption_details": null,
            "media_url": format!("{}{root}/Recordings/{sid}", self.account.url),
            "uri": self.uri(&format!("Recordings/{sid}")),
            "subresource_uris": {},
        })
    }
}

/// The public id of a recording.
pub(super) fn sid_of(recording: &RecordingRecord) -> Sid {
    Sid::derive(SidKind::Recording, recording.recording.as_str())
}

/// What made a recording, as far as its channels tell: one of them is a `<Record>` or a message.
fn source(record: &CallRecord, recording: &RecordingRecord) -> &'static str {
    let has_caller = record
        .legs
        .iter()
        .any(|leg| leg.role == crate::events::Role::Caller);
    if recording.channels.get(1).is_some_and(|it| it == ORDERED) {
        return BY_API;
    }
    match (recording.channels.len(), has_caller) {
        (0 | 1, _) => "RecordVerb",
        (_, true) => "DialVerb",
        (_, false) => "OutboundAPI",
    }
}

/// What names the recording that runs, in place of its SID.
const CURRENT: &str = "Twilio.CURRENT";
/// Source of a recording that was begun here.
const BY_API: &str = "StartCallRecordingAPI";
/// What the public platform says of a call, or a recording, to which this cannot be done now.
const NOT_ELIGIBLE: &str = "Requested resource is not eligible for recording";
