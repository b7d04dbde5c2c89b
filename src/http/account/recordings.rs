//! `Recordings`: list, fetch, delete; of all calls or of one.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::leg::PublicLeg;
use super::page::{Page, Wanted};
use super::{Asked, shown, written};
use crate::events::CallRecord;
use crate::events::record::RecordingRecord;
use crate::twiml::{API_VERSION, Sid, SidKind};
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
        let (record, recording) = self.recording_of(sid, call)?;
        Ok(shown(&self.recording_shown(&record, &recording)))
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
            return Err(Fault::bad(super::fault::code::STATE, words));
        };
        let path = self.account.recordings.join(path);
        match crate::recording::delete(&path) {
            Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
            Ok(false) => {
                let words = "The recording is on legal hold";
                Err(Fault::bad(super::fault::code::STATE, words))
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

    fn recording_shown(&self, record: &CallRecord, recording: &RecordingRecord) -> Value {
        let sid = sid_of(recording);
        let call = Sid::derive(SidKind::Call, record.id.as_str());
        let length = recording.duration_ms;
        let ended = length.map(|ms| recording.started + std::time::Duration::from_millis(ms));
        let status = match (&recording.path, record.ended) {
            (Some(_), _) if length == Some(0) => "absent",
            (Some(_), _) => "completed",
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
    match (recording.channels.len(), has_caller) {
        (0 | 1, _) => "RecordVerb",
        (_, true) => "DialVerb",
        (_, false) => "OutboundAPI",
    }
}
