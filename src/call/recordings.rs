//! What of a call is recorded: a conversation, one leg of it, the caller alone; and pauses in that.

use serde_json::{Map, Value};

use super::commission::Commission;
use super::control::ControlError;
use super::core::Core;
use super::feature::of_caller;
use super::hands::Hands;
use super::identity::caller_name;
use super::leg::Leg;
use crate::base::{LegId, RecordingId};
use crate::events::Fact;
use crate::media::recorder::Channel;
use crate::media::{Command, Pause, Tape};
use crate::recording::{Format, stem};
use crate::twiml::{RecordingCallback, Track};
use crate::voicemail::EMAIL_LABEL;

impl Core {
    /// Records the caller (left) and another leg (right) of the call's room.
    pub(crate) fn record(&mut self, hands: &mut Hands<'_>, right: LegId) {
        // Who joins has a channel of his own; the marks say who and when.
        let generation = hands.generations.get(&self.generation);
        let count = generation.map_or(2, |now| now.recording.channels);
        self.record_on(hands, right, count.max(2));
    }

    /// The same on so many channels; `None` when there is no room.
    pub(crate) fn record_on(
        &mut self,
        hands: &mut Hands<'_>,
        right: LegId,
        count: usize,
    ) -> Option<RecordingId> {
        let room = self.room?;
        let recording = hands.ids.recording(hands.now);
        let name = self.leg(right).map_or_else(String::new, Leg::name);
        let mut channels = vec![self.caller().name(), name];
        channels.resize_with(count, String::new);
        hands.tell(Command::Record {
            recording: recording.clone(),
            room,
            left: self.caller().id,
            right: vec![right],
            at: hands.now,
            tape: Tape {
                stem: stem(&recording, hands.now),
                channels,
                labels: self.labels(),
                format: None,
            },
        });
        self.recording_began(hands, &recording);
        // A new recording of a conversation that is paused is paused from its beginning.
        for channel in std::mem::take(&mut self.pauses) {
            self.pause_recording(hands, channel, true);
        }
        Some(recording)
    }

    /// Records what one leg says, and nobody else.
    pub(crate) fn record_track(&mut self, hands: &mut Hands<'_>, leg: LegId) -> RecordingId {
        let party = self.leg(leg).map_or_else(String::new, Leg::name);
        self.record_leg(hands, leg, vec![party])
    }

    /// Records what one leg says on the first of these channels, and what it hears on a second.
    pub(crate) fn record_leg(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        channels: Vec<String>,
    ) -> RecordingId {
        let recording = hands.ids.recording(hands.now);
        let tape = Tape {
            stem: stem(&recording, hands.now),
            channels,
            labels: self.labels(),
            format: None,
        };
        self.tape_leg(hands, leg, &recording, tape);
        recording
    }

    /// Records what the caller says, and nobody else.
    pub(crate) fn record_alone(
        &mut self,
        hands: &mut Hands<'_>,
        recording: &RecordingId,
        stem: String,
        format: Option<Format>,
        mailbox: Option<&str>,
    ) {
        let generation = hands.generations.get(&self.generation);
        let name = generation.and_then(|now| caller_name(now, &self.from, Some(&self.identity)));
        let labels = [
            ("call", Some(self.id.as_str())),
            ("from", Some(self.from.as_str())),
            ("from_name", name.as_deref()),
            ("to", Some(self.to.as_str())),
            ("mailbox", mailbox),
        ];
        let labels = labels
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))));
        // Published with the message: whoever is to be mailed is known as surely as the message is.
        let own = generation.and_then(|now| now.voicemail.mailboxes.get(mailbox?));
        let mail = own.and_then(|own| own.mail.as_ref()).map(|mail| {
            let to = mail.to.iter().map(|to| Value::from(to.plain()));
            (EMAIL_LABEL.to_owned(), Value::from_iter(to))
        });
        let labels = labels.chain(mail);
        let tape = Tape {
            stem,
            channels: vec![self.caller().party.clone()],
            labels: labels.collect(),
            format,
        };
        self.tape_leg(hands, self.caller().id, recording, tape);
    }

    /// Records one leg, in place of any other recording of it alone.
    pub(crate) fn tape_leg(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        recording: &RecordingId,
        tape: Tape,
    ) {
        hands.tell(Command::RecordLeg {
            recording: recording.clone(),
            leg,
            at: hands.now,
            tape,
        });
        self.leg_tapes.retain(|(taped, _)| *taped != leg);
        self.leg_tapes.push((leg, recording.clone()));
        self.recording_began(hands, recording);
    }

    /// Records a leg because a program asks for it while the call goes on: what it says, and what it
    /// hears, to the end of the call or until it is stopped. Paused from its beginning where the
    /// conversation is.
    ///
    /// # Errors
    ///
    /// The leg is not there, was not answered, or is recorded alone already.
    pub(crate) fn record_by_order(
        &mut self,
        hands: &mut Hands<'_>,
        leg: Option<LegId>,
        track: Track,
        callback: Option<RecordingCallback>,
    ) -> Result<(), ControlError> {
        let id = leg.unwrap_or_else(|| self.caller().id);
        let leg = self.leg(id).filter(|leg| leg.is_live());
        let leg = leg.ok_or(ControlError::NoLeg)?;
        if !leg.is_answered() {
            return Err(ControlError::NotAnswered);
        }
        let party = leg.name();
        let is_it = |(taped, tape): &(LegId, RecordingId)| *taped == id && self.runs(tape);
        if self.leg_tapes.iter().any(is_it) {
            return Err(ControlError::AlreadyRecorded);
        }
        let (channels, count) = match track {
            Track::Inbound => (vec![party], 1),
            _ => (vec![party, ORDERED.to_owned()], 2),
        };
        let recording = self.record_leg(hands, id, channels);
        for channel in self.pauses.clone() {
            self.pause_one(hands, &recording, channel, true);
        }
        let api = hands.generations.get(&self.generation);
        let api = api.map(|now| now.applications.api.clone());
        let commission = Commission::by_api(
            &recording,
            of_caller(self, hands),
            api.unwrap_or_default(),
            callback,
            count,
        );
        self.commission(hands, commission);
        Ok(())
    }

    /// Ends one recording, or all that run. Where none is left nothing is paused any more: the next
    /// begins as if there had been none.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub(crate) fn stop_by_order(
        &mut self,
        hands: &mut Hands<'_>,
        recording: Option<&RecordingId>,
    ) -> Result<(), ControlError> {
        let is_meant = |id: &&RecordingId| recording.is_none_or(|wanted| wanted == *id);
        let running = self.recordings.iter().filter(|id| self.runs(id));
        let stopped: Vec<RecordingId> = running.filter(is_meant).cloned().collect();
        if stopped.is_empty() {
            return Err(ControlError::NotRecorded);
        }
        let is_last = !self
            .recordings
            .iter()
            .any(|id| self.runs(id) && !stopped.contains(id));
        // A flow that asks for something secret pauses what comes next, too.
        if is_last && !self.pauses.is_empty() && !self.asks_secret {
            for channel in self.pauses.clone() {
                self.pause_recording(hands, channel, false);
            }
        }
        self.stop_recordings(hands, stopped);
        Ok(())
    }

    /// Ends recordings for good; they are published.
    pub(super) fn stop_recordings(&mut self, hands: &Hands<'_>, recordings: Vec<RecordingId>) {
        for recording in recordings {
            hands.tell(Command::StopRecord {
                recording: recording.clone(),
                at: hands.now,
            });
            if !self.stopping.contains(&recording) {
                self.stopping.push(recording);
            }
        }
    }

    /// Whether a recording is under way, and was not told to stop.
    fn runs(&self, recording: &RecordingId) -> bool {
        self.recordings.contains(recording) && !self.stopping.contains(recording)
    }

    /// A recording is written, or lost.
    pub(crate) fn recording_closed(&mut self, recording: &RecordingId) {
        self.recordings.retain(|open| open != recording);
        self.stopping.retain(|open| open != recording);
        self.leg_tapes.retain(|(_, open)| open != recording);
    }

    /// What a recording says of its call.
    fn labels(&self) -> Map<String, Value> {
        let labels = [
            ("call", self.id.as_str()),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let labels = labels.map(|(name, text)| (name.to_owned(), Value::from(text)));
        labels.into_iter().collect()
    }

    fn recording_began(&mut self, hands: &mut Hands<'_>, recording: &RecordingId) {
        let recording = recording.clone();
        hands.index.recordings.insert(recording.clone(), self.key);
        self.recordings.push(recording.clone());
        self.emit(hands, Fact::RecordingStarted { recording });
    }

    /// Pauses the recordings that run, or one channel of them, or lets them go on; `false` when
    /// nothing is recorded.
    pub(crate) fn pause_recording(
        &mut self,
        hands: &mut Hands<'_>,
        channel: Option<Channel>,
        on: bool,
    ) -> bool {
        let is_paused = self.pauses.contains(&channel);
        if self.recordings.is_empty() || is_paused == on {
            return !self.recordings.is_empty();
        }
        match on {
            true => self.pauses.push(channel),
            false if channel.is_none() => self.pauses.clear(),
            false => self.pauses.retain(|paused| *paused != channel),
        }
        for recording in self.recordings.clone() {
            self.pause_one(hands, &recording, channel, on);
        }
        self.conceal(hands);
        true
    }

    fn pause_one(
        &mut self,
        hands: &mut Hands<'_>,
        recording: &RecordingId,
        channel: Option<Channel>,
        on: bool,
    ) {
        hands.tell(Command::PauseRecord {
            recording: recording.clone(),
            pause: Pause { channel, on },
            at: hands.now,
        });
        let channel = channel.map(|channel| channel.0);
        let recording = recording.clone();
        let fact = match on {
            true => Fact::RecordingPaused { recording, channel },
            false => Fact::RecordingResumed { recording, channel },
        };
        self.emit(hands, fact);
    }

    /// Takes a key of an agent: the ones that pause a recording, or let it go on.
    pub(crate) fn take_key(&mut self, hands: &mut Hands<'_>, leg: LegId, key: char) {
        let generation = hands.generations.get(&self.generation);
        let Some(wanted) = generation.and_then(|now| now.recording.pause_key.clone()) else {
            return;
        };
        if self.leg(leg).is_none_or(|leg| leg.agent.is_none()) {
            return;
        }
        self.keys.push(key);
        if self.keys.ends_with(&wanted) {
            self.keys.clear();
            let is_paused = self.pauses.contains(&None);
            self.pause_recording(hands, None, !is_paused);
        } else if self.keys.len() > MAX_KEYS {
            self.keys.remove(0);
        }
    }
}

/// The second channel of what a program had recorded while the call went on: all that the leg hears.
pub const ORDERED: &str = "call";

/// Keys kept to find those that mean something.
const MAX_KEYS: usize = 8;
