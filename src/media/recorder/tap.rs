//! The recorder's ear on the media worker. Never allocates, locks or waits after it was made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::block::{Block, Content, Item, NOBODY, Segment, Shared};
use super::placement::{Place, Placement};
use super::{Channel, GapCause};
use crate::base::Timestamp;
use crate::media::rtp::Header;
use crate::media::{CLOCK_HZ, MAX_PACKET_SAMPLES};

/// Sources a tap can hear at once; they are summed into their channel.
pub const MAX_SOURCES: usize = 16;

/// A block is handed over after 250 ms, full or not.
const HAND_OVER: i64 = 2000;

/// A frame of our own making belongs to the one before when they are at most 60 ms apart.
const SLACK: i64 = 480;

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
    started: Timestamp,
    block: Option<Box<Block>>,
    /// Blocks handed over.
    blocks: u64,
    handed_over: i64,
    sources: [Option<Source>; MAX_SOURCES],
    /// Sound of each channel that found no block, since the last block.
    missed: [Option<(u64, u64)>; 2],
    /// Samples that found no block, in all.
    pub(super) missed_samples: u64,
}

struct Source {
    channel: Channel,
    placement: Placement,
    /// Blocks handed over, and stretches in the next, when the stream's first packet was placed.
    begun: (u64, usize),
}

impl Tap {
    pub(super) fn new(shared: Arc<Shared>, number: u64, started: Timestamp) -> Self {
        Self(Some(Box::new(Ended {
            number,
            at: None,
            shared,
            started,
            block: None,
            blocks: 0,
            handed_over: 0,
            sources: [const { None }; MAX_SOURCES],
            missed: [None; 2],
            missed_samples: 0,
        })))
    }

    /// Adds a party to a channel; `None` when there are [`MAX_SOURCES`].
    pub fn add_source(&mut self, channel: Channel) -> Option<SourceId> {
        let sources = &mut self.0.as_mut()?.sources;
        let free = sources.iter().position(Option::is_none)?;
        sources[free] = Some(Source {
            channel,
            placement: Placement::default(),
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
    pub fn packet(&mut self, source: SourceId, now: Timestamp, header: &Header, samples: &[i16]) {
        let Some(inner) = &mut self.0 else { return };
        let samples = &samples[..samples.len().min(MAX_PACKET_SAMPLES)];
        let arrival = inner.position(now);
        let Some(party) = &mut inner.sources[usize::from(source.0)] else {
            return;
        };
        if let Some(by) = party.placement.late_beginning(header, arrival)
            && party.begun.0 == inner.blocks
            && let Some(block) = &mut inner.block
        {
            party.placement.pull(by);
            block.pull(source.0, party.begun.1, by);
        }
        let place = party.placement.place(header, samples.len(), arrival);
        if party.placement.has_just_begun() {
            let count = inner.block.as_ref().map_or(0, |block| block.count());
            party.begun = (inner.blocks, count);
        }
        let channel = party.channel;
        inner.write((source.0, channel), place, samples, arrival);
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
        let samples = &samples[..samples.len().min(MAX_PACKET_SAMPLES)];
        let now = inner.position(now);
        let Some(party) = &mut inner.sources[usize::from(source.0)] else {
            return;
        };
        let place = party.placement.follow(samples.len(), now, SLACK);
        let channel = party.channel;
        inner.write((source.0, channel), place, samples, now);
    }

    /// Lets the disk know that time passes; to be called at every tick.
    pub fn tick(&mut self, now: Timestamp) {
        if let Some(inner) = &mut self.0 {
            let now = inner.position(now);
            if now - inner.handed_over >= HAND_OVER {
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
        (i128::from(micros) * i128::from(CLOCK_HZ)).div_euclid(1_000_000) as i64
    }

    fn write(
        &mut self,
        (source, channel): (u8, Channel),
        place: Option<Place>,
        samples: &[i16],
        now: i64,
    ) {
        let Some(place) = place else { return };
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
            for (channel, missed) in [Channel::Left, Channel::Right]
                .into_iter()
                .zip(&mut self.missed)
            {
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
    pub(super) fn missed(&self) -> [Option<(u64, u64)>; 2] {
        self.missed
    }
}
