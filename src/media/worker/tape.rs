//! What is being recorded: voices placed on the call clock as they arrive.

use crate::base::{LegId, RecordingId, Timestamp};
use crate::media::graph::Role;
use crate::media::mixer::Activity;
use crate::media::recorder::{Channel, Heard, MAX_SOURCES, MarkEvent, SourceId, Tap};
use crate::media::rtp::Header;

/// A recording of a room: the customer on the first channel, everybody else on the next free one,
/// or the last when none is free. A coach, whom the customer does not hear, is on a channel that is
/// his alone or not at all; who only listens says nothing.
#[derive(Debug)]
pub(crate) struct RoomTape {
    recording: RecordingId,
    tap: Tap,
    voices: [Option<Voice>; MAX_SOURCES],
    /// Who left, until a tick tells.
    left: [Option<(LegId, Channel)>; MAX_SOURCES],
    /// Whether a tick has something to tell.
    is_changed: bool,
}

/// A member and its place in the file.
#[derive(Clone, Copy, Debug)]
struct Voice {
    leg: LegId,
    source: SourceId,
    channel: Channel,
    is_told: bool,
    /// Whether it must be alone on its channel.
    is_coach: bool,
}

/// A recording of one leg: left what it says, right what it hears; on a tape of one channel what it says
/// and no more.
#[derive(Debug)]
pub(crate) struct LegTape {
    recording: RecordingId,
    tap: Tap,
    said: Option<SourceId>,
    sent: Option<SourceId>,
    /// Whether the leg speaks, where it alone is recorded.
    voice: Option<Speech>,
}

/// Whether somebody speaks.
#[derive(Debug, Default)]
struct Speech {
    activity: Activity,
    /// Ticks since the last packet.
    idle: u8,
    /// What is still to be told.
    turn: Option<bool>,
}

/// Ticks without a packet after which nothing is being said: packets of 60 ms come every third.
const IDLE: u8 = 5;

impl Speech {
    fn hear(&mut self, heard: &Heard<'_>) {
        self.idle = 0;
        for frame in heard.samples.chunks(heard.rate.frame()) {
            let sum: u64 = frame.iter().map(|it| u64::from(it.unsigned_abs())).sum();
            match sum {
                0 => self.activity.rest(),
                sum => drop(self.activity.weigh(sum as f32 / frame.len() as f32)),
            }
            self.turn = self.activity.turn(true).or(self.turn);
        }
    }

    /// Ends a tick: what is to be told.
    fn tick(&mut self) -> Option<bool> {
        self.idle = self.idle.saturating_add(1).min(IDLE);
        if self.idle == IDLE {
            self.activity.rest();
            self.turn = self.activity.turn(true).or(self.turn);
        }
        self.turn.take()
    }
}

impl RoomTape {
    /// Records `left` on the left channel and the legs of `right` beside it.
    pub(crate) fn new(recording: RecordingId, tap: Tap, left: LegId, right: &[LegId]) -> Self {
        let mut tape = Self {
            recording,
            tap,
            voices: [None; MAX_SOURCES],
            left: [None; MAX_SOURCES],
            is_changed: true,
        };
        tape.add(left, Channel::LEFT, false);
        for leg in right.iter().filter(|leg| **leg != left) {
            let channel = tape.free_channel();
            tape.add(*leg, channel, false);
        }
        tape
    }

    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Whether the leg is on it.
    pub(super) fn takes(&self, leg: LegId) -> bool {
        self.source(leg).is_some()
    }

    /// Follows who is there, with which part. When the places or the channels run out, those who left
    /// lose theirs.
    pub(super) fn follow(&mut self, members: impl Iterator<Item = (LegId, Role)> + Clone) {
        for (leg, role) in members.clone() {
            if let Some(place) = self.place(leg) {
                self.play_part(place, role);
                continue;
            }
            let finds_none = matches!(role, Role::Coach(_)) && self.tap.channels() <= 2;
            if role == Role::Listener || finds_none {
                continue;
            }
            let is_gone = |voice: &Voice| !members.clone().any(|(member, _)| member == voice.leg);
            // The customer's channel stays the customer's.
            let is_free = |voice: &Option<Voice>| {
                voice.is_some_and(|voice| voice.channel != Channel::LEFT && is_gone(&voice))
            };
            if let Some(place) = self.voices.iter().position(is_free) {
                self.remove(place);
            }
            match role {
                Role::Coach(_) => {
                    let own = self.own_channel();
                    own.into_iter().for_each(|own| self.add(leg, own, true));
                }
                Role::Listener | Role::Normal => {
                    let channel = self.free_channel();
                    self.make_room(channel);
                    self.add(leg, channel, false);
                }
            }
        }
    }

    /// The part of one who is on the tape may be another now.
    fn play_part(&mut self, place: usize, role: Role) {
        let Some(voice) = self.voices[place] else {
            return;
        };
        let is_coach = matches!(role, Role::Coach(_));
        let mut others = self.voices.iter().flatten();
        let is_shared =
            others.any(|other| other.leg != voice.leg && other.channel == voice.channel);
        let may_coach = self.tap.channels() > 2 && voice.channel != Channel::LEFT && !is_shared;
        if role == Role::Listener || is_coach && !may_coach {
            return self.remove(place);
        }
        if let Some(voice) = &mut self.voices[place] {
            voice.is_coach = is_coach;
        }
    }

    /// A party comes to this channel: no coach stays there.
    fn make_room(&mut self, channel: Channel) {
        let is_in_the_way = |voice: &Option<Voice>| {
            voice.is_some_and(|voice| voice.is_coach && voice.channel == channel)
        };
        if let Some(place) = self.voices.iter().position(is_in_the_way) {
            self.remove(place);
        }
    }

    fn place(&self, leg: LegId) -> Option<usize> {
        let is_its = |voice: &Option<Voice>| voice.is_some_and(|voice| voice.leg == leg);
        self.voices.iter().position(is_its)
    }

    fn add(&mut self, leg: LegId, channel: Channel, is_coach: bool) {
        let Some(place) = self.voices.iter().position(Option::is_none) else {
            return;
        };
        let voice = |source| Voice {
            leg,
            source,
            channel,
            is_told: false,
            is_coach,
        };
        self.voices[place] = self.tap.add_source(channel).map(voice);
        self.is_changed = true;
    }

    fn remove(&mut self, place: usize) {
        let Some(voice) = self.voices[place].take() else {
            return;
        };
        self.tap.remove_source(voice.source);
        if let Some(left) = self.left.iter_mut().find(|left| left.is_none()) {
            *left = Some((voice.leg, voice.channel));
        }
        self.is_changed = true;
    }

    fn free_channel(&self) -> Channel {
        let last = Channel(self.tap.channels().saturating_sub(1) as u8);
        let mut channels = (1..last.0).map(Channel);
        channels.find(|it| self.is_free(*it)).unwrap_or(last)
    }

    /// A channel nobody else is on, beside those of the two who are recorded.
    fn own_channel(&self) -> Option<Channel> {
        let channels = self.tap.channels() as u8;
        let mut channels = (2..channels).map(Channel);
        channels.find(|it| self.is_free(*it))
    }

    fn is_free(&self, channel: Channel) -> bool {
        let mut voices = self.voices.iter().flatten();
        voices.all(|voice| voice.channel != channel)
    }

    /// Places what a member said.
    pub(super) fn voice(&mut self, leg: LegId, now: Timestamp, heard: Heard<'_>) {
        if let Some(source) = self.source(leg) {
            self.tap.packet(source, now, heard);
        }
    }

    /// Takes note of a packet without audio, so that its number is not thought lost.
    pub(super) fn pass(&mut self, leg: LegId, header: &Header) {
        if let Some(source) = self.source(leg) {
            self.tap.pass(source, header);
        }
    }

    /// Keeps nothing of a channel, or of any, until [`RoomTape::resume`].
    pub(super) fn pause(&mut self, at: Timestamp, channel: Option<Channel>) {
        self.tap.pause(at, channel);
    }

    /// Keeps what is said again.
    pub(super) fn resume(&mut self, at: Timestamp, channel: Option<Channel>) {
        self.tap.resume(at, channel);
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.is_changed {
            self.is_changed = false;
            for (leg, channel) in self.left.iter_mut().filter_map(Option::take) {
                self.tap.mark(now, channel, MarkEvent::Left, leg.0);
            }
            let new = self.voices.iter_mut().flatten();
            for voice in new.filter(|voice| !voice.is_told) {
                voice.is_told = true;
                let (channel, leg) = (voice.channel, voice.leg.0);
                self.tap.mark(now, channel, MarkEvent::Joined, leg);
            }
        }
        self.tap.tick(now);
    }

    /// Ends it.
    pub(crate) fn close(self, at: Timestamp) {
        self.tap.stop(at);
    }

    fn source(&self, leg: LegId) -> Option<SourceId> {
        let mut voices = self.voices.iter().flatten();
        voices
            .find(|voice| voice.leg == leg)
            .map(|voice| voice.source)
    }
}

impl LegTape {
    /// Records both directions of a leg, or what it says when there is but one channel.
    pub(crate) fn new(recording: RecordingId, mut tap: Tap) -> Self {
        let is_alone = tap.channels() == 1;
        let sent = match is_alone {
            true => None,
            false => Some(Channel::RIGHT),
        };
        Self {
            recording,
            said: tap.add_source(Channel::LEFT),
            sent: sent.and_then(|channel| tap.add_source(channel)),
            voice: is_alone.then(Speech::default),
            tap,
        }
    }

    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Places what the far end said.
    pub(super) fn said(&mut self, now: Timestamp, heard: Heard<'_>) {
        if let Some(voice) = &mut self.voice {
            voice.hear(&heard);
        }
        if let Some(source) = self.said {
            self.tap.packet(source, now, heard);
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
    pub(super) fn sent(&mut self, now: Timestamp, heard: Heard<'_>) {
        if let Some(source) = self.sent {
            self.tap.packet(source, now, heard);
        }
    }

    /// Keeps nothing of a channel, or of any, until [`LegTape::resume`].
    pub(super) fn pause(&mut self, at: Timestamp, channel: Option<Channel>) {
        self.tap.pause(at, channel);
    }

    /// Keeps what is said again.
    pub(super) fn resume(&mut self, at: Timestamp, channel: Option<Channel>) {
        self.tap.resume(at, channel);
    }

    /// Lets time pass; `Some` when the leg, alone on the tape, begins to speak or falls silent.
    pub(super) fn tick(&mut self, now: Timestamp) -> Option<bool> {
        self.tap.tick(now);
        self.voice.as_mut().and_then(Speech::tick)
    }

    /// Ends it.
    pub(crate) fn close(self, at: Timestamp) {
        self.tap.stop(at);
    }
}
