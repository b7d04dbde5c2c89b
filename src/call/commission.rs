//! Recordings that applications order: who is told what becomes of them, also when the call, and the
//! application with it, is over by then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use crate::base::{RecordingId, Timestamp};
use crate::media::recorder::Closed;
use crate::twiml::{Facts, RecordingCallback, RecordingEvent, RecordingNews, Run, Sid, SidKind};

/// Source of a recording that whoever had the call made ordered with it.
pub(crate) const OF_CALL: &str = "OutboundAPI";

/// Source of one that the REST API began while the call went on.
const BY_API: &str = "StartCallRecordingAPI";

/// A recording that was ordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Commission {
    recording: RecordingId,
    callback: Option<RecordingCallback>,
    facts: Facts,
    /// Where the REST API is.
    api: String,
    /// `RecordVerb`, `DialVerb`, `Conference`, `OutboundAPI`, `StartCallRecordingAPI`.
    source: String,
    channels: u8,
}

impl Commission {
    /// By a run, with who is to be told.
    pub(crate) fn new(
        recording: &RecordingId,
        run: &Run,
        callback: Option<RecordingCallback>,
        source: &str,
        channels: u8,
    ) -> Self {
        Self {
            recording: recording.clone(),
            callback,
            facts: run.facts().clone(),
            api: run.terms().api.clone(),
            source: source.to_owned(),
            channels,
        }
    }

    /// By the REST API while the call goes on, which need be in no application.
    pub(crate) fn by_api(
        recording: &RecordingId,
        facts: Facts,
        api: String,
        callback: Option<RecordingCallback>,
        channels: u8,
    ) -> Self {
        Self {
            recording: recording.clone(),
            callback,
            facts,
            api,
            source: BY_API.to_owned(),
            channels,
        }
    }

    /// Whether it is that recording, and lasts as long as the call.
    pub(crate) fn is_of_call(&self, recording: &RecordingId) -> bool {
        self.recording == *recording && self.lasts()
    }

    fn lasts(&self) -> bool {
        [OF_CALL, BY_API].contains(&self.source.as_str())
    }

    /// Its id in requests.
    pub(crate) fn sid(&self) -> Sid {
        Sid::derive(SidKind::Recording, self.recording.as_str())
    }

    fn tell(
        &self,
        core: &Core,
        hands: &mut Hands<'_>,
        (event, length): (RecordingEvent, Duration),
        at: Timestamp,
    ) {
        let news = RecordingNews {
            recording: self.sid(),
            event,
            length,
            channels: self.channels,
            source: self.source.clone(),
        };
        let callback = self.callback.as_ref();
        let notice = callback.and_then(|it| it.notice(&self.facts, &self.api, &news, at));
        if let Some(notice) = notice {
            core.notify(hands, notice);
        }
    }
}

impl Core {
    /// A recording that an application ordered has begun.
    pub(crate) fn commission(&mut self, hands: &mut Hands<'_>, commission: Commission) {
        let began = (RecordingEvent::InProgress, Duration::ZERO);
        commission.tell(self, hands, began, hands.now);
        self.commissions.push(commission);
    }

    /// A recording is over: whoever ordered it is told.
    pub(crate) fn settle_commission(
        &mut self,
        hands: &mut Hands<'_>,
        closed: &Closed,
        is_empty: bool,
    ) {
        let is_it = |one: &mut Commission| one.recording == closed.recording;
        let settled: Vec<Commission> = self.commissions.extract_if(.., is_it).collect();
        for commission in settled {
            // Whoever is asked to speak and says nothing leaves no message: of the call there is one.
            let is_silent = is_empty && !commission.lasts();
            let is_there = !is_silent && closed.bytes > 0 && closed.duration_ms > 0;
            let event = match is_there {
                true => RecordingEvent::Completed,
                false => RecordingEvent::Absent,
            };
            let length = Duration::from_millis(closed.duration_ms);
            let end = closed.started + length;
            commission.tell(self, hands, (event, length), end);
        }
    }
}
