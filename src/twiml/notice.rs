//! Forms of notices: how a call goes, what became of a recording.

use std::time::Duration;

use super::action::{Notice, RecordingNews};
use super::facts::{CallStatus, Facts, Form};
use super::link::Link;
use super::sid::Sid;
use super::verb::{ProgressEvent, RecordingCallback, StatusCallback};
use crate::base::Timestamp;

/// How a leg goes, for who wants to know: counts what was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Progress {
    callback: Option<StatusCallback>,
    sequence: u32,
}

impl Progress {
    /// The callback's URL must be absolute.
    pub(super) fn new(callback: Option<StatusCallback>) -> Self {
        Self {
            callback,
            sequence: 0,
        }
    }

    /// From now on another is told, who counts on. The callback's URL must be absolute.
    pub(super) fn turn_to(&mut self, callback: StatusCallback) {
        self.callback = Some(callback);
    }

    /// The notice of an event, when it is wanted.
    pub(super) fn tell(
        &mut self,
        now: Timestamp,
        event: ProgressEvent,
        facts: &Facts,
        status: CallStatus,
        more: Form,
    ) -> Option<Notice> {
        let callback = self.callback.as_ref()?;
        if !callback.events.contains(&event) {
            return None;
        }
        let mut form = facts.form(status);
        form.extend(more);
        add(&mut form, "Timestamp", rfc_2822(now));
        add(&mut form, "CallbackSource", "call-progress-events");
        add(&mut form, "SequenceNumber", self.sequence.to_string());
        self.sequence += 1;
        let what = format!("call {}", status.as_str());
        Some(notice(&callback.link, form, what))
    }
}

impl RecordingCallback {
    /// The notice of what became of a recording, when it is wanted. For a run that is over, too: a
    /// file may be ready later than its call.
    pub fn notice(
        &self,
        facts: &Facts,
        base: &str,
        news: &RecordingNews,
        at: Timestamp,
    ) -> Option<Notice> {
        if !self.events.contains(&news.event) {
            return None;
        }
        let mut form = Form::new();
        add(&mut form, "AccountSid", facts.account.as_str());
        add(&mut form, "CallSid", facts.call.as_str());
        add(&mut form, "RecordingSid", news.recording.as_str());
        add(
            &mut form,
            "RecordingUrl",
            recording_url(base, &facts.account, &news.recording),
        );
        add(&mut form, "RecordingStatus", news.event.as_str());
        add(&mut form, "RecordingDuration", seconds(news.length));
        add(&mut form, "RecordingChannels", news.channels.to_string());
        add(&mut form, "RecordingSource", news.source.as_str());
        add(&mut form, "RecordingStartTime", rfc_2822(at - news.length));
        Some(notice(
            &self.link,
            form,
            format!("recording {}", news.event.as_str()),
        ))
    }
}

pub(super) fn notice(link: &Link, form: Form, what: impl Into<String>) -> Notice {
    Notice {
        url: link.url.clone(),
        method: link.method,
        form,
        what: what.into(),
    }
}

pub(super) fn add(form: &mut Form, name: &str, value: impl Into<String>) {
    form.push((name.to_owned(), value.into()));
}

/// Whole seconds, as parameters have them.
pub(super) fn seconds(length: Duration) -> String {
    length.as_secs().to_string()
}

/// Where the REST API has a recording.
pub(super) fn recording_url(base: &str, account: &Sid, recording: &Sid) -> String {
    let base = base.trim_end_matches('/');
    format!(
        "{base}/{}/Accounts/{account}/Recordings/{recording}",
        super::facts::API_VERSION
    )
}

pub(super) fn rfc_2822(at: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(at) => at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        Err(_) => String::new(),
    }
}
