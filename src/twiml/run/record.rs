//! `<Record>` under way.

use std::time::Duration;

use super::super::action::{Action, RecordEnd};
use super::super::facts::{CallStatus, Form};
use super::super::link::Link;
use super::super::notice::{add, notice, recording_url, seconds};
use super::super::sid::Sid;
use super::super::verb::{Record, RecordingCallback};
use super::{Position, Run, Turn};
use crate::base::Timestamp;

/// How long after its longest a recording may be told: the beep, and the disk.
const GRACE: Duration = Duration::from_secs(30);

impl Run {
    pub(super) fn record(&mut self, now: Timestamp, verb: Record) -> Turn {
        self.answer(now);
        self.numbers.records += 1;
        let record = self.numbers.records;
        let callback = self.recording_callback(verb.callback);
        self.callback.clone_from(&callback);
        self.deadline = Some(now + verb.terms.longest + GRACE);
        self.push(Action::Record {
            record,
            terms: verb.terms,
            trim: verb.trim,
            callback,
        });
        self.position = Position::Recording {
            record,
            action: verb.action,
        };
        Turn::Stay
    }

    /// The callback with its URL made absolute.
    pub(super) fn recording_callback(
        &mut self,
        callback: Option<RecordingCallback>,
    ) -> Option<RecordingCallback> {
        let callback = callback?;
        let link = self.absolute(Some(&callback.link))?;
        Some(RecordingCallback { link, ..callback })
    }

    pub(super) fn handle_recorded(
        &mut self,
        now: Timestamp,
        record: u64,
        recording: Option<Sid>,
        length: Duration,
        ended: RecordEnd,
    ) {
        let Position::Recording {
            record: mine,
            action,
        } = &self.position
        else {
            return;
        };
        if *mine != record {
            return;
        }
        let action = action.clone();
        // Silence is no message: the document goes on.
        let Some(recording) = recording.filter(|_| !length.is_zero()) else {
            if ended != RecordEnd::HungUp {
                self.advance(now);
            }
            return;
        };
        let mut form = Form::new();
        let url = recording_url(&self.terms.api, &self.facts.account, &recording);
        add(&mut form, "RecordingUrl", url);
        add(&mut form, "RecordingSid", recording.as_str());
        add(&mut form, "RecordingDuration", seconds(length));
        add(
            &mut form,
            "Digits",
            match ended {
                RecordEnd::HungUp => "hangup".to_owned(),
                RecordEnd::Key(key) => key.to_string(),
                RecordEnd::Length | RecordEnd::Silence => String::new(),
            },
        );
        self.recording = Some((recording, length));
        if ended == RecordEnd::HungUp {
            self.deadline = None;
            self.position = Position::Idle;
            let action = action.or_else(|| self.base.clone());
            return self.tell_action(action.as_ref(), form, CallStatus::Completed);
        }
        self.deadline = None;
        self.transfer(now, action.as_ref(), form);
    }

    /// Whoever would have said what follows is told, and not obeyed: the caller is gone, or
    /// somebody else has decided.
    pub(super) fn tell_action(&mut self, action: Option<&Link>, form: Form, status: CallStatus) {
        if let Some(link) = self.absolute(action) {
            let mut all = self.facts.form(status);
            all.extend(form);
            self.push(Action::Notify(notice(
                &link,
                all,
                "action that is not waited for",
            )));
        }
    }

    pub(super) fn record_is_late(&mut self, now: Timestamp, record: u64) {
        self.push(Action::StopRecording);
        self.handle_recorded(now, record, None, Duration::ZERO, RecordEnd::Length);
    }
}
