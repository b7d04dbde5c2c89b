//! `<Dial>` under way: legs that ring, one that answers first, the talk.

use serde::{Deserialize, Serialize};

use super::super::action::{Action, LegNews, Ringing};
use super::super::facts::{CallStatus, Facts, Form};
use super::super::fault::Fault;
use super::super::notice::{Progress, add, recording_url, seconds};
use super::super::sid::Sid;
use super::super::verb::{Dial, ProgressEvent, RecordFrom, StatusCallback, Target, TargetKind};
use super::{Parting, Position, Run, Turn};
use crate::base::Timestamp;

/// Somebody being called, or talked to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dialling {
    dial: Dial,
    caller_id: String,
    legs: Vec<Leg>,
    /// The next of `dial.targets` that rings.
    next: usize,
    bridged: bool,
    recorded: bool,
    /// What the legs so far came to.
    outcome: CallStatus,
}

/// A leg that is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Leg {
    number: u64,
    target: usize,
    call: Option<Sid>,
    progress: Progress,
    answered: Option<Timestamp>,
    /// SIP status of its end.
    ended: Option<u16>,
    /// Whether it calls for help.
    #[serde(default)]
    is_for_help: bool,
}

impl Leg {
    /// Whether it calls for help, and rings or talks.
    fn helps(&self) -> bool {
        self.is_for_help && self.ended.is_none()
    }
}

impl Dialling {
    pub(super) fn hears_referral(&self) -> bool {
        self.bridged && self.dial.refer.is_some()
    }

    /// Whether help is being called, or talked to.
    pub(super) fn calls_for_help(&self) -> bool {
        self.legs.iter().any(Leg::helps)
    }
}

impl Run {
    pub(super) fn dial(&mut self, now: Timestamp, mut dial: Dial) -> Turn {
        if let Some(conference) = dial.conference.take() {
            return self.join(now, dial, conference);
        }
        let is_queue = |target: &Target| matches!(target.kind, TargetKind::Queue { .. });
        if !dial.answer_on_bridge || dial.targets.iter().any(is_queue) {
            self.answer(now);
        }
        dial.recording = self.recording_callback(dial.recording.take());
        let caller_id = self.caller_id(&dial);
        let mut dialling = Box::new(Dialling {
            caller_id: caller_id.clone().unwrap_or_default(),
            legs: Vec::new(),
            next: 0,
            bridged: false,
            recorded: false,
            outcome: CallStatus::Failed,
            dial,
        });
        if caller_id.is_none() || dialling.dial.targets.is_empty() {
            let Some(action) = dialling.dial.action.clone() else {
                return Turn::Next;
            };
            let form = self.dial_form(now, &dialling, CallStatus::Failed, None);
            self.transfer(now, Some(&action), form);
            return Turn::Stay;
        }
        self.ring(now, &mut dialling);
        self.position = Position::Dialling(dialling);
        Turn::Stay
    }

    /// What the called party sees; `None` when the document names what is not the caller's to
    /// show.
    fn caller_id(&mut self, dial: &Dial) -> Option<String> {
        let facts = &self.facts;
        let Some(claimed) = &dial.caller_id else {
            let to_number = |target: &Target| matches!(target.kind, TargetKind::Number { .. });
            if facts.from.starts_with("client:") && dial.targets.iter().any(to_number) {
                self.remark(Fault::new(
                    13214,
                    "a client that dials a number needs a callerId",
                ));
                return None;
            }
            return Some(facts.from.clone());
        };
        let is_sip = facts.from.starts_with("sip:") || facts.from.starts_with("sips:");
        let own = !is_sip && (*claimed == facts.from || *claimed == facts.to);
        if own || self.terms.caller_ids.contains(claimed) {
            return Some(claimed.clone());
        }
        let words = "callerId is neither the request's From or To nor a number of this account";
        self.remark(Fault::new(13214, words));
        None
    }

    /// Rings all that are to ring now.
    fn ring(&mut self, now: Timestamp, dialling: &mut Dialling) {
        let most = match dialling.dial.sequential {
            true => 1,
            false => dialling.dial.targets.len(),
        };
        let from = dialling.next;
        let targets: Vec<(usize, Target)> = dialling
            .dial
            .targets
            .iter()
            .cloned()
            .enumerate()
            .skip(from)
            .take(most)
            .collect();
        for (index, target) in targets {
            self.numbers.legs += 1;
            let number = self.numbers.legs;
            let status = target.status.and_then(|status| {
                let link = self.absolute(Some(&status.link))?;
                Some(StatusCallback { link, ..status })
            });
            let whisper = match target.kind {
                TargetKind::Queue { .. } => self.absolute(target.whisper.as_ref()),
                _ => None,
            };
            self.push(Action::Ring(Box::new(Ringing {
                leg: number,
                kind: target.kind,
                caller_id: dialling.caller_id.clone(),
                timeout: dialling.dial.timeout,
                ring_tone: dialling.dial.ring_tone.clone(),
                whisper,
            })));
            dialling.legs.push(Leg {
                number,
                target: index,
                call: None,
                progress: Progress::new(status),
                answered: None,
                ended: None,
                is_for_help: false,
            });
            dialling.next = index + 1;
        }
        self.deadline = Some(now + dialling.dial.timeout);
    }

    fn take_dial(&mut self) -> Option<Box<Dialling>> {
        match std::mem::replace(&mut self.position, Position::Idle) {
            Position::Dialling(dialling) => Some(dialling),
            other => {
                self.position = other;
                None
            }
        }
    }

    pub(super) fn handle_leg(&mut self, now: Timestamp, number: u64, news: LegNews) {
        let Some(mut dialling) = self.take_dial() else {
            return;
        };
        let alive = |leg: &Leg| leg.number == number && leg.ended.is_none();
        let Some(index) = dialling.legs.iter().position(alive) else {
            self.position = Position::Dialling(dialling);
            return;
        };
        match news {
            LegNews::Initiated { call } => {
                if let Some(leg) = dialling.legs.get_mut(index) {
                    leg.call = Some(call);
                }
                self.tell_leg(
                    now,
                    &mut dialling,
                    index,
                    ProgressEvent::Initiated,
                    CallStatus::Initiated,
                );
            }
            LegNews::Ringing => {
                self.tell_leg(
                    now,
                    &mut dialling,
                    index,
                    ProgressEvent::Ringing,
                    CallStatus::Ringing,
                );
                self.record_from(&mut dialling, RecordFrom::Ringing);
            }
            LegNews::Answered => self.leg_answered(now, &mut dialling, index),
            LegNews::CallsForHelp => {
                if let Some(leg) = dialling.legs.get_mut(index) {
                    leg.is_for_help = true;
                }
            }
            LegNews::WhisperOver { goes_on: true } => {
                let answered = dialling
                    .legs
                    .get(index)
                    .is_some_and(|leg| leg.answered.is_some());
                if answered && !dialling.bridged {
                    self.bridge(now, &mut dialling, index);
                }
            }
            LegNews::WhisperOver { goes_on: false } => {
                return self.leg_ended(now, dialling, index, 200);
            }
            LegNews::Ended { status } => return self.leg_ended(now, dialling, index, status),
            LegNews::Refers { to } => {
                if let Some(link) = dialling.dial.refer.clone().filter(|_| dialling.bridged) {
                    self.drop_legs(now, &mut dialling, CallStatus::Completed);
                    self.deadline = None;
                    let mut form = Form::new();
                    add(&mut form, "ReferTransferTarget", to);
                    return self.transfer(now, Some(&link), form);
                }
            }
        }
        self.position = Position::Dialling(dialling);
    }

    fn leg_answered(&mut self, now: Timestamp, dialling: &mut Dialling, index: usize) {
        // The first answer wins; a second one is a leg whose cancelling came too late.
        if dialling.legs.iter().any(|leg| leg.answered.is_some()) {
            return;
        }
        if let Some(leg) = dialling.legs.get_mut(index) {
            leg.answered = Some(now);
        }
        self.tell_leg(
            now,
            dialling,
            index,
            ProgressEvent::Answered,
            CallStatus::InProgress,
        );
        for other in 0..dialling.legs.len() {
            if other != index {
                self.drop_leg(now, dialling, other, CallStatus::Canceled);
            }
        }
        let target = dialling
            .legs
            .get(index)
            .and_then(|leg| dialling.dial.targets.get(leg.target));
        let whisper = target.filter(|target| !matches!(target.kind, TargetKind::Queue { .. }));
        let whisper = whisper.and_then(|target| target.whisper.clone());
        let number = dialling.legs.get(index).map_or(0, |leg| leg.number);
        match self.absolute(whisper.as_ref()) {
            Some(link) => {
                self.deadline = None;
                self.push(Action::Whisper { leg: number, link });
            }
            None => self.bridge(now, dialling, index),
        }
    }

    fn bridge(&mut self, now: Timestamp, dialling: &mut Dialling, index: usize) {
        self.answer(now);
        if let Some(leg) = dialling.legs.get(index) {
            self.push(Action::Bridge { leg: leg.number });
        }
        dialling.bridged = true;
        self.record_from(dialling, RecordFrom::Answer);
        self.deadline = (!dialling.calls_for_help()).then(|| now + dialling.dial.time_limit);
    }

    /// Begins the recording that is to begin by now.
    fn record_from(&mut self, dialling: &mut Dialling, moment: RecordFrom) {
        let Some(recording) = dialling.dial.record else {
            return;
        };
        // What was to begin with the ringing begins with the answer when nothing rang.
        let due = recording.from == moment || moment == RecordFrom::Answer;
        if dialling.recorded || !due {
            return;
        }
        dialling.recorded = true;
        self.recording = None;
        self.callback.clone_from(&dialling.dial.recording);
        self.push(Action::RecordCall {
            recording,
            callback: dialling.dial.recording.clone(),
        });
    }

    fn leg_ended(
        &mut self,
        now: Timestamp,
        mut dialling: Box<Dialling>,
        index: usize,
        status: u16,
    ) {
        let answered = dialling
            .legs
            .get(index)
            .is_some_and(|leg| leg.answered.is_some());
        let outcome = match answered {
            true => CallStatus::Completed,
            false => CallStatus::of_refusal(status),
        };
        self.tell_leg(now, &mut dialling, index, ProgressEvent::Completed, outcome);
        if let Some(leg) = dialling.legs.get_mut(index) {
            leg.ended = Some(status);
        }
        if answered {
            return self.finish_dial(now, *dialling, outcome, Some(index));
        }
        dialling.outcome = weightier(dialling.outcome, outcome);
        self.go_on_dialling(now, dialling, index);
    }

    /// A leg came to nothing: others may still ring, or be next.
    fn go_on_dialling(&mut self, now: Timestamp, mut dialling: Box<Dialling>, index: usize) {
        if dialling.legs.iter().any(|leg| leg.ended.is_none()) {
            self.position = Position::Dialling(dialling);
        } else if dialling.next < dialling.dial.targets.len() {
            self.ring(now, &mut dialling);
            self.position = Position::Dialling(dialling);
        } else {
            let outcome = dialling.outcome;
            self.finish_dial(now, *dialling, outcome, Some(index));
        }
    }

    /// Nobody answered in time, or the talk has lasted long enough.
    pub(super) fn dial_timed_out(&mut self, now: Timestamp) {
        let Some(mut dialling) = self.take_dial() else {
            return;
        };
        if dialling.bridged {
            return self.end_talk(now, dialling);
        }
        for index in 0..dialling.legs.len() {
            let leg = dialling.legs.get(index);
            // Help may take as long as it takes.
            if leg.is_some_and(|leg| leg.ended.is_none() && !leg.is_for_help) {
                self.drop_leg(now, &mut dialling, index, CallStatus::NoAnswer);
                dialling.outcome = weightier(dialling.outcome, CallStatus::NoAnswer);
            }
        }
        if dialling.calls_for_help() {
            self.position = Position::Dialling(dialling);
            return;
        }
        let last = dialling.legs.len().saturating_sub(1);
        self.go_on_dialling(now, dialling, last);
    }

    /// The caller's star.
    pub(super) fn dial_star(&mut self, now: Timestamp) {
        let Some(mut dialling) = self.take_dial() else {
            return;
        };
        if !dialling.dial.hangup_on_star {
            self.position = Position::Dialling(dialling);
        } else if dialling.bridged {
            self.end_talk(now, dialling);
        } else {
            self.drop_legs(now, &mut dialling, CallStatus::Canceled);
            let last = dialling.legs.len().saturating_sub(1);
            self.finish_dial(now, *dialling, CallStatus::Canceled, Some(last));
        }
    }

    fn end_talk(&mut self, now: Timestamp, mut dialling: Box<Dialling>) {
        let talks = dialling.legs.iter().position(|leg| leg.ended.is_none());
        self.drop_legs(now, &mut dialling, CallStatus::Completed);
        self.finish_dial(now, *dialling, CallStatus::Completed, talks);
    }

    /// The legs are not wanted any more.
    fn drop_legs(&mut self, now: Timestamp, dialling: &mut Dialling, status: CallStatus) {
        for index in 0..dialling.legs.len() {
            self.drop_leg(now, dialling, index, status);
        }
    }

    fn drop_leg(
        &mut self,
        now: Timestamp,
        dialling: &mut Dialling,
        index: usize,
        status: CallStatus,
    ) {
        let Some(leg) = dialling.legs.get(index).filter(|leg| leg.ended.is_none()) else {
            return;
        };
        let (leg, answered) = (leg.number, leg.answered.is_some());
        self.push(Action::Cancel { leg });
        let status = if answered {
            CallStatus::Completed
        } else {
            status
        };
        self.tell_leg(now, dialling, index, ProgressEvent::Completed, status);
        if let Some(leg) = dialling.legs.get_mut(index) {
            leg.ended = Some(487);
        }
    }

    fn finish_dial(
        &mut self,
        now: Timestamp,
        dialling: Dialling,
        status: CallStatus,
        leg: Option<usize>,
    ) {
        self.deadline = None;
        let form = self.dial_form(now, &dialling, status, leg);
        match &dialling.dial.action {
            Some(action) => self.transfer(now, Some(action), form),
            None => self.advance(now),
        }
    }

    fn dial_form(
        &self,
        now: Timestamp,
        dialling: &Dialling,
        status: CallStatus,
        leg: Option<usize>,
    ) -> Form {
        let mut form = Form::new();
        add(&mut form, "DialCallStatus", status.as_str());
        if let Some(leg) = leg.and_then(|index| dialling.legs.get(index)) {
            if let Some(call) = &leg.call {
                add(&mut form, "DialCallSid", call.as_str());
            }
            if let Some(answered) = leg.answered {
                add(&mut form, "DialCallDuration", seconds(now.since(answered)));
            }
            let target = dialling.dial.targets.get(leg.target);
            let is_sip = target.is_some_and(|target| matches!(target.kind, TargetKind::Sip { .. }));
            if let Some(ended) = leg.ended.filter(|_| is_sip) {
                let code = if leg.answered.is_some() { 200 } else { ended };
                add(&mut form, "DialSipResponseCode", code.to_string());
            }
        }
        add(&mut form, "DialBridged", dialling.bridged.to_string());
        if dialling.recorded
            && let Some((recording, _)) = &self.recording
        {
            let url = recording_url(&self.terms.api, &self.facts.account, recording);
            add(&mut form, "RecordingUrl", url);
        }
        form
    }

    pub(super) fn put_down_dial(
        &mut self,
        now: Timestamp,
        mut dialling: Dialling,
        parting: Parting,
    ) {
        let talks = dialling.legs.iter().position(|leg| leg.ended.is_none());
        self.drop_legs(now, &mut dialling, CallStatus::Canceled);
        if parting == Parting::GoesOn {
            return;
        }
        let answered = talks
            .and_then(|index| dialling.legs.get(index))
            .is_some_and(|leg| leg.answered.is_some());
        let status = if answered {
            CallStatus::Completed
        } else {
            CallStatus::Canceled
        };
        let form = self.dial_form(now, &dialling, status, talks);
        self.tell_action(dialling.dial.action.as_ref(), form, CallStatus::Completed);
    }

    /// Tells who wants to know how a leg goes.
    fn tell_leg(
        &mut self,
        now: Timestamp,
        dialling: &mut Dialling,
        index: usize,
        event: ProgressEvent,
        status: CallStatus,
    ) {
        let caller_id = dialling.caller_id.clone();
        let Some(leg) = dialling.legs.get_mut(index) else {
            return;
        };
        // Without an id nobody could tell which leg it is.
        let (Some(call), Some(target)) = (leg.call.clone(), dialling.dial.targets.get(leg.target))
        else {
            return;
        };
        let facts: Facts = self.facts.child(call, &caller_id, &target.kind.to());
        let mut more = Form::new();
        if event == ProgressEvent::Completed {
            let talked = leg
                .answered
                .map_or_else(Default::default, |answered| now.since(answered));
            add(&mut more, "CallDuration", seconds(talked));
        }
        if let Some(notice) = leg.progress.tell(now, event, &facts, status, more) {
            self.push(Action::Notify(notice));
        }
    }
}

/// What several legs came to: that one was busy says more than that one did not answer, and that
/// more than a failure.
fn weightier(a: CallStatus, b: CallStatus) -> CallStatus {
    let weight = |status| match status {
        CallStatus::Busy => 2,
        CallStatus::NoAnswer => 1,
        _ => 0,
    };
    if weight(b) > weight(a) { b } else { a }
}
