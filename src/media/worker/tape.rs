//! What is being recorded: voices placed on the call clock as they arrive.

use crate::base::{LegId, RecordingId, Timestamp};
use crate::media::recorder::{Channel, MAX_SOURCES, SourceId, Tap};
use crate::media::rtp::Header;

/// A recording of a room.
#[derive(Debug)]
pub(crate) struct RoomTape {
    recording: RecordingId,
    tap: Tap,
    voices: [Option<(LegId, SourceId)>; MAX_SOURCES],
}

/// A recording of one leg: left what it says, right what it hears.
#[derive(Debug)]
pub(crate) struct LegTape {
    recording: RecordingId,
    tap: Tap,
    said: Option<SourceId>,
    sent: Option<SourceId>,
}

impl RoomTape {
    /// Records `left` on the left and the legs of `right` on the right channel.
    pub(crate) fn new(recording: RecordingId, mut tap: Tap, left: LegId, right: &[LegId]) -> Self {
        let mut voices = [None; MAX_SOURCES];
        let right = right.iter().filter(|leg| **leg != left);
        let everyone =
            std::iter::once((left, Channel::Left)).chain(right.map(|leg| (*leg, Channel::Right)));
        for (voice, (leg, channel)) in voices.iter_mut().zip(everyone) {
            *voice = tap.add_source(channel).map(|source| (leg, source));
        }
        Self {
            recording,
            tap,
            voices,
        }
    }

    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Whether the leg is on it.
    pub(super) fn takes(&self, leg: LegId) -> bool {
        self.source(leg).is_some()
    }

    /// Adds those who joined to the right channel. When the places run out, those who left lose
    /// theirs.
    pub(super) fn follow(&mut self, members: impl Iterator<Item = LegId> + Clone) {
        for leg in members
            .clone()
            .filter(|leg| !self.takes(*leg))
            .collect::<Vec<_>>()
        {
            let gone = |voice: &Option<(LegId, SourceId)>| match voice {
                None => true,
                Some((leg, _)) => !members.clone().any(|member| member == *leg),
            };
            let empty = self.voices.iter().position(Option::is_none);
            let Some(place) = empty.or_else(|| self.voices.iter().position(gone)) else {
                return;
            };
            if let Some((_, source)) = self.voices[place].take() {
                self.tap.remove_source(source);
            }
            let source = self.tap.add_source(Channel::Right);
            self.voices[place] = source.map(|source| (leg, source));
        }
    }

    /// Places what a member said.
    pub(super) fn voice(&mut self, leg: LegId, now: Timestamp, header: &Header, samples: &[i16]) {
        if let Some(source) = self.source(leg) {
            self.tap.packet(source, now, header, samples);
        }
    }

    /// Takes note of a packet without audio, so that its number is not thought lost.
    pub(super) fn pass(&mut self, leg: LegId, header: &Header) {
        if let Some(source) = self.source(leg) {
            self.tap.pass(source, header);
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.tap.tick(now);
    }

    /// Ends it.
    pub(crate) fn close(self, at: Timestamp) {
        self.tap.stop(at);
    }

    fn source(&self, leg: LegId) -> Option<SourceId> {
        let mut voices = self.voices.iter().flatten();
        voices
            .find(|(voice, _)| *voice == leg)
            .map(|(_, source)| *source)
    }
}

impl LegTape {
    /// Records both directions of a leg.
    pub(crate) fn new(recording: RecordingId, mut tap: Tap) -> Self {
        Self {
            recording,
            said: tap.add_source(Channel::Left),
            sent: tap.add_source(Channel::Right),
            tap,
        }
    }

    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Places what the far end said.
    pub(super) fn said(&mut self, now: Timestamp, header: &Header, samples: &[i16]) {
        if let Some(source) = self.said {
            self.tap.packet(source, now, header, samples);
        }
    }

    /// Takes note of a packet of the far end without audio.
    pub(super) fn pass_said(&mut self, header: &Header) {
        if let Some(source) = self.said {
            self.tap.pass(source, header);
        }
    }

    /// Takes note of a packet without audio that the far end was sent.
    pub(super) fn pass_sent(&mut self, header: &Header) {
        if let Some(source) = self.sent {
            self.tap.pass(source, header);
        }
    }

    /// Places what the far end was sent.
    pub(super) fn sent(&mut self, now: Timestamp, header: &Header, samples: &[i16]) {
        if let Some(source) = self.sent {
            self.tap.packet(source, now, header, samples);
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.tap.tick(now);
    }

    /// Ends it.
    pub(crate) fn close(self, at: Timestamp) {
        self.tap.stop(at);
    }
}
