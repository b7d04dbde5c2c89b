//! What of a call is recorded: a conversation, one leg of it, the caller alone; and pauses in that.

use serde_json::{Map, Value};

use super::core::Core;
use super::hands::Hands;
use super::identity::caller_name;
use super::leg::Leg;
use crate::base::{LegId, RecordingId};
use crate::events::Fact;
use crate::media::recorder::Channel;
use crate::media::{Command, Pause, Tape};
use crate::recording::{Format, stem};
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
        hands.tell(Command::RecordLeg {
            recording: recording.clone(),
            leg,
            at: hands.now,
            tape: Tape {
                stem: stem(&recording, hands.now),
                channels,
                labels: self.labels(),
                format: None,
            },
        });
        self.recording_began(hands, &recording);
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
        hands.tell(Command::RecordLeg {
            recording: recording.clone(),
            leg: self.caller().id,
            at: hands.now,
            tape: Tape {
                stem,
                channels: vec![self.caller().party.clone()],
                labels: labels.collect(),
                format,
            },
        });
        self.recording_began(hands, recording);
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
        let (pause, at) = (Pause { channel, on }, hands.now);
        let channel = channel.map(|channel| channel.0);
        for recording in self.recordings.clone() {
            hands.tell(Command::PauseRecord {
                recording: recording.clone(),
                pause,
                at,
            });
            let fact = match on {
                true => Fact::RecordingPaused { recording, channel },
                false => Fact::RecordingResumed { recording, channel },
            };
            self.emit(hands, fact);
        }
        self.conceal(hands);
        true
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

/// Keys kept to find those that mean something.
const MAX_KEYS: usize = 8;
