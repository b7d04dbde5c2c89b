//! The recorder's ear on the media worker. Never allocates, locks or waits after it was made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{Block, Content, EVERY_CHANNEL, Item, NOBODY, Segment, Shared};
use super::closed::Shape;
use super::placement::{Place, Placement};
use super::{Channel, GapCause, MAX_CHANNELS, MarkEvent};
use crate::base::Timestamp;
use crate::media::resample::Resampler;
use crate::media::rtp::Header;
use crate::media::{Codec, MAX_PACKET_SAMPLES, Rate};

/// Sources a tap can hear at once; they are summed into their channel.
pub const MAX_SOURCES: usize = 16;

/// A block is handed over after so many milliseconds, full or not.
const HAND_OVER_MS: i64 = 250;

/// A frame of our own making belongs to the one before when they are at most so many milliseconds
/// apart.
const SLACK_MS: i64 = 60;

/// Samples of a packet at most, at the wider of the two rates of a file.
const LONGEST: usize = 2 * MAX_PACKET_SAMPLES;

/// Marks that wait for a block when the disk is too slow; what exceeds them is not told.
const WAITING_MARKS: usize = 32;

/// What was heard: a packet's samples and what places them.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Header of the packet.
    pub header: &'a Header,
    /// Clock of its timestamp, Hz.
    pub clock_hz: u32,
    /// Rate of the samples.
    pub rate: Rate,
    /// Samples, at that rate.
    pub samples: &'a [i16],
}

impl<'a> Heard<'a> {
    /// What a codec made of a packet.
    pub fn new(codec: Codec, header: &'a Header, samples: &'a [i16]) -> Self {
        Self {
            header,
            clock_hz: codec.clock_hz(),
            rate: codec.rate(),
            samples,
        }
    }
}

/// One party on a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(u8);

/// One recording's ear. Dropping it ends the recording with a defect; [`Tap::stop`] ends it well.
pub struct Tap(Option<Box<Ended>>);

/// What is left of a tap when its recording ends; freed by the disk.
pub(super) struct Ended {
    pub(super) number: u64,
    /// When it was stopped; `None` when it was dropped.
    pub(super) at: Option<Timestamp>,
    shared: Arc<Shared>,
    pub(super) shape: Shape,
    started: Timestamp,
    block: Option<Box<Block>>,
    /// Blocks handed over.
    blocks: u64,
    handed_over: i64,
    sources: [Option<Source>; MAX_SOURCES],
    /// Sound of each channel that found no block, since the last block.
    missed: [Option<(u64, u64)>; MAX_CHANNELS],
    /// Bit n is set while nothing of channel n is kept.
    paused: u32,
    /// Marks that found no block.
    waiting: [Option<Segment>; WAITING_MARKS],
    /// Samples that found no block, in all.
    pub(super) missed_samples: u64,
}

struct Source {
    channel: Channel,
    /// From the source's rate to the file's, where they differ.
    resampler: Resampler,
    placement: Placement,
    /// Blocks handed over, and stretches in the next, when the stream's first packet was placed.
    begun: (u64, usize),
}

impl Tap {
    pub(super) fn new(shared: Arc<Shared>, number: u64, started: Timestamp, shape: Shape) -> Self {
        // Filters are made here once, not on a worker.
        for (from, to) in [
            (Rate::Wide, Rate::Narrow),
            (Rate::Full, Rate::Narrow),
            (Rate::Full, Rate::Wide),
        ] {
            let _ = Resampler::new(from, to);
        }
        Self(Some(Box::new(Ended {
            number,
            shape,
            paused: 0,
            waiting: [None; WAITING_MARKS],
            at: None,
            shared,
            started,
            block: None,
            blocks: 0,
            handed_over: 0,
            sources: [const { None }; MAX_SOURCES],
            missed: [None; MAX_CHANNELS],
            missed_samples: 0,
        })))
    }

    /// Channels of the file.
    pub fn channels(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.shape.channels)
    }

    /// Adds a party to a channel, the last one when there is no such; `None` when there are
    /// [`MAX_SOURCES`].
    pub fn add_source(&mut self, channel: Channel) -> Option<SourceId> {
        let inner = self.0.as_mut()?;
        let sources = &mut inner.sources;
        let free = sources.iter().position(Option::is_none)?;
        let last = inner.shape.channels.saturating_sub(1) as u8;
        sources[free] = Some(Source {
            channel: Channel(channel.0.min(last)),
            resampler: Resampler::new(Rate::Narrow, Rate::Narrow),
            placement: Placement::new(inner.shape.hz),
            begun: (0, 0),
        });
        Some(SourceId(free as u8))
    }

    /// Takes a party away; its place may be given to another.
    pub fn remove_source(&mut self, source: SourceId) {
        if let Some(inner) = &mut self.0 {
            inner.sources[usize::from(source.0)] = None;
        }
    }

    /// A decoded RTP packet of a party, in the order and at the time of arrival.
    pub fn packet(&mut self, source: SourceId, now: Timestamp, heard: Heard<'_>) {
        let Some(inner) = &mut self.0 else { return };
        if heard.rate.hz() == inner.shape.hz {
            return inner.take(source, now, heard);
        }
        let mut fitted = [0; LONGEST];
        if let Some(samples) = inner.fit(source, &heard, &mut fitted) {
            inner.take(source, now, Heard { samples, ..heard });
        }
    }

    /// Keeps nothing of a channel, or of any, from now on: its time passes as silence.
    pub fn pause(&mut self, now: Timestamp, channel: Option<Channel>) {
        self.set_pause(now, channel, MarkEvent::Paused);
    }

    /// Keeps what is said again.
    pub fn resume(&mut self, now: Timestamp, channel: Option<Channel>) {
        self.set_pause(now, channel, MarkEvent::Resumed);
    }

    fn set_pause(&mut self, now: Timestamp, channel: Option<Channel>, event: MarkEvent) {
        let Some(inner) = &mut self.0 else { return };
        let bits = channel.map_or(u32::MAX, |channel| 1 << (channel.0 & 31));
        let paused = match event {
            MarkEvent::Paused => inner.paused | bits,
            _ => inner.paused & !bits,
        };
        if paused != inner.paused {
            inner.paused = paused;
            inner.mark(now, channel.unwrap_or(EVERY_CHANNEL), event, None);
        }
    }

    /// Notes something about a leg.
    pub fn mark(&mut self, now: Timestamp, channel: Channel, event: MarkEvent, leg: u64) {
        if let Some(inner) = &mut self.0 {
            inner.mark(now, channel, event, Some(leg));
        }
    }

    /// An RTP packet of a party that carries no audio (a telephone event, comfort noise): so that
    /// its sequence number does not count as lost.
    pub fn pass(&mut self, source: SourceId, header: &Header) {
        let party = self
            .0
            .as_mut()
            .and_then(|inner| inner.sources[usize::from(source.0)].as_mut());
        if let Some(party) = party {
            party.placement.pass(header);
        }
    }

    /// Sound of our own making that is played from `now` on: placed after what came before.
    pub fn frame(&mut self, source: SourceId, now: Timestamp, samples: &[i16]) {
        let Some(inner) = &mut self.0 else { return };
        let samples = inner.cut(samples);
        let now = inner.position(now);
        let slack = SLACK_MS * i64::from(inner.shape.hz) / 1000;
        let Some(party) = &mut inner.sources[usize::from(source.0)] else {
            return;
        };
        let place = party.placement.follow(samples.len(), now, slack);
        let channel = party.channel;
        inner.write((source.0, channel), place, samples, now);
    }

    /// Lets the disk know that time passes; to be called at every tick.
    pub fn tick(&mut self, now: Timestamp) {
        if let Some(inner) = &mut self.0 {
            let now = inner.position(now);
            if now - inner.handed_over >= HAND_OVER_MS * i64::from(inner.shape.hz) / 1000 {
                inner.hand_over(now);
            }
        }
    }

    /// Ends the recording: its length will be from its start to `at`.
    pub fn stop(mut self, at: Timestamp) {
        if let Some(mut inner) = self.0.take() {
            inner.at = Some(at);
            inner.finish();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.finish();
        }
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.0.as_ref().map_or(0, |inner| inner.number);
        write!(f, "Tap({number})")
    }
}

impl Ended {
    /// Where `at` is on the call clock, in samples.
    fn position(&self, at: Timestamp) -> i64 {
        let micros = at.as_micros().saturating_sub(self.started.as_micros());
        // Exact in 128 bits: multiplied first, rounded down once.
        (i128::from(micros) * i128::from(self.shape.hz)).div_euclid(1_000_000) as i64
    }

    /// Places a packet whose samples have the file's rate.
    fn take(&mut self, source: SourceId, now: Timestamp, heard: Heard<'_>) {
        let (header, samples) = (heard.header, self.cut(heard.samples));
        let arrival = self.position(now);
        let Some(party) = &mut self.sources[usize::from(source.0)] else {
            return;
        };
        party.placement.tune(heard.clock_hz);
        if let Some(by) = party.placement.late_beginning(header, arrival)
            && party.begun.0 == self.blocks
            && let Some(block) = &mut self.block
        {
            party.placement.pull(by);
            block.pull(source.0, party.begun.1, by);
        }
        let place = party.placement.place(header, samples.len(), arrival);
        if party.placement.has_just_begun() {
            let count = self.block.as_ref().map_or(0, |block| block.count());
            party.begun = (self.blocks, count);
        }
        let channel = party.channel;
        self.write((source.0, channel), place, samples, arrival);
    }

    /// A packet's samples at the file's rate.
    fn fit<'s>(
        &mut self,
        source: SourceId,
        heard: &Heard<'_>,
        fitted: &'s mut [i16; LONGEST],
    ) -> Option<&'s [i16]> {
        let own = self.shape.hz;
        let rate = if own == 8000 {
            Rate::Narrow
        } else {
            Rate::Wide
        };
        let party = self.sources[usize::from(source.0)].as_mut()?;
        if party.resampler.from() != heard.rate || party.resampler.to() != rate {
            party.resampler = Resampler::new(heard.rate, rate);
        }
        let mut length = 0;
        for frame in heard.samples.chunks(heard.rate.frame()) {
            let more = frame.len() * own as usize / heard.rate.hz() as usize;
            let Some(room) = fitted.get_mut(length..length + more) else {
                break;
            };
            party.resampler.process(frame, room);
            length += more;
        }
        Some(&fitted[..length])
    }

    /// As much of a packet as is taken.
    fn cut<'s>(&self, samples: &'s [i16]) -> &'s [i16] {
        let most = MAX_PACKET_SAMPLES * self.shape.hz as usize / 8000;
        &samples[..samples.len().min(most)]
    }

    fn mark(&mut self, now: Timestamp, channel: Channel, event: MarkEvent, leg: Option<u64>) {
        let now = self.position(now);
        let segment = Segment {
            source: NOBODY,
            channel,
            at: now.max(0) as u64,
            length: 0,
            content: Content::Mark(event, leg),
        };
        if !self.with_block(now, |block| block.mark(segment))
            && let Some(place) = self.waiting.iter_mut().find(|place| place.is_none())
        {
            *place = Some(segment);
        }
    }

    fn write(
        &mut self,
        (source, channel): (u8, Channel),
        place: Option<Place>,
        samples: &[i16],
        now: i64,
    ) {
        let Some(place) = place else { return };
        if self.paused & (1 << channel.0) != 0 {
            return;
        }
        if let Some((at, length)) = place.lost {
            let content = Content::Nothing(GapCause::Lost);
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            self.with_block(now, |block| {
                block.mark(Segment {
                    source,
                    channel,
                    at,
                    length,
                    content,
                })
            });
        }
        let samples = &samples[place.skip..];
        let written = self.with_block(now, |block| {
            block.push((source, channel), place.at, place.pad, samples)
        });
        if !written {
            let length = (place.pad + samples.len()) as u64;
            let stats = &self.shared.stats;
            stats.missed_samples.fetch_add(length, Ordering::Relaxed);
            self.missed_samples += length;
            let missed = &mut self.missed[channel.index()];
            let (from, to) = missed.unwrap_or((place.at, place.at));
            *missed = Some((from.min(place.at), to.max(place.at + length)));
        }
    }

    /// Puts something into the present block, or into the next; `false` when there is none.
    fn with_block(&mut self, now: i64, mut put: impl FnMut(&mut Block) -> bool) -> bool {
        for _ in 0..2 {
            let Some(block) = self.block() else {
                return false;
            };
            if put(block) {
                return true;
            }
            self.hand_over(now);
        }
        false
    }

    fn block(&mut self) -> Option<&mut Block> {
        if self.block.is_none() {
            let mut block = self.shared.take()?;
            block.clear(self.number);
            for waiting in &mut self.waiting {
                let Some(segment) = waiting.take() else { break };
                block.mark(segment);
            }
            for (channel, missed) in (0..).map(Channel).zip(&mut self.missed) {
                if let Some((from, to)) = missed.take() {
                    block.mark(Segment {
                        source: NOBODY,
                        channel,
                        at: from,
                        length: u32::try_from(to - from).unwrap_or(u32::MAX),
                        content: Content::Nothing(GapCause::Disk),
                    });
                }
            }
            self.block = Some(block);
        }
        self.block.as_deref_mut()
    }

    /// Sends the block to the disk; an empty one tells it how far the clock has run.
    fn hand_over(&mut self, now: i64) {
        self.handed_over = now;
        let until = u64::try_from(now).unwrap_or(0);
        if let Some(block) = self.block() {
            block.until = until;
        }
        if let Some(block) = self.block.take() {
            self.blocks += 1;
            self.shared.send(Item::Block(block));
        }
    }

    fn finish(mut self: Box<Self>) {
        let end = match self.at {
            Some(at) => self.position(at),
            None => self.handed_over,
        };
        self.hand_over(end);
        let shared = Arc::clone(&self.shared);
        shared.send(Item::Close(self));
    }

    /// Samples from the start to the end.
    pub(super) fn length(&self) -> u64 {
        let end = self.at.map_or(self.handed_over, |at| self.position(at));
        u64::try_from(end).unwrap_or(0)
    }

    /// What of each channel is still to be told as missing.
    pub(super) fn missed(&self) -> [Option<(u64, u64)>; MAX_CHANNELS] {
        self.missed
    }

    /// Marks that are still to be told.
    pub(super) fn waiting_marks(&self) -> impl Iterator<Item = &Segment> {
        self.waiting.iter().flatten()
    }
}
