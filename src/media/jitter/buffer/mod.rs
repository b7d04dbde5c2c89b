//! When what was received is played: as soon as the network's jitter allows.
//!
//! Built after NetEQ: encoded packets are kept in order and decoded when their tick has come; how
//! late packets come says how long they are kept; time-stretching brings the delay there; what is
//! missing is made up. Unlike NetEQ nothing waits before jitter was seen.

mod delay;
mod sounding;

use crate::base::Timestamp;
use crate::media::Rate;
use crate::media::codec::{Codec, ComfortNoise, Decoder, NoiseModel};
use crate::media::rtp::{Header, distance, sequence_distance};

use super::arrivals::Arrivals;
use super::conceal::Concealment;
use super::leads::Leads;
use super::line::Line;
use super::store::{MAX_PAYLOAD, Payload, Slot, Store};
use super::stream::Stream;
use super::ticks::Ticks;

/// How long packets are kept before they are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// As the jitter seen demands, within these bounds beyond the fastest packets.
    Adaptive {
        /// Milliseconds at least.
        min: u32,
        /// Milliseconds at most.
        max: u32,
    },
    /// So many milliseconds after the fastest packets; nothing is stretched but to follow clocks.
    Fixed(u32),
}

impl Default for Depth {
    fn default() -> Self {
        Self::Adaptive { min: 0, max: 500 }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It came before.
    Duplicate,
    /// Nothing in it that the codec could decode.
    Empty,
    /// From another stream, or far from its place in this: kept aside until a second one confirms
    /// it.
    Held,
    /// After its time.
    Late,
    /// In its place.
    Placed,
    /// In its place, in a stream that begins anew.
    Restarted,
}

/// What a tick took out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popped {
    /// Made up for what is missing.
    Concealed,
    /// Nothing is to be heard: not begun, a pause of the sender, or long gone. The frame is silent.
    Empty,
    /// What was received.
    Full,
    /// The noise that the sender described for its pause.
    Noise,
}

/// What the buffer counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Milliseconds left out to shorten the delay.
    pub accelerated_ms: u64,
    /// Milliseconds made up for what was missing.
    pub concealed_ms: u64,
    /// Mean of the latest packets' time here, milliseconds.
    pub delay_ms: u32,
    /// Packets that came before.
    pub duplicates: u64,
    /// Milliseconds put in to lengthen the delay.
    pub expanded_ms: u64,
    /// Packets that came after their time; they are among the lost.
    pub late: u64,
    /// Packets that were not there when their time had come.
    pub lost: u64,
    /// Packets restored from what the next one told of them.
    pub recovered: u64,
    /// Times the stream began anew.
    pub restarts: u64,
    /// What the jitter demands beyond the fastest packets, milliseconds.
    pub target_ms: u32,
}

/// The buffer of one leg: 25 kB for G.711, never allocates after [`Buffer::new`].
#[derive(Debug)]
pub struct Buffer {
    decoder: Decoder,
    depth: Depth,
    store: Store,
    line: Line,
    arrivals: Arrivals,
    ticks: Ticks,
    concealment: Concealment,
    noise: ComfortNoise,
    stream: Option<Playing>,
    held: Option<Held>,
    counts: Counts,
}

/// A stream, and where in it we are.
#[derive(Debug)]
struct Playing {
    stream: Stream,
    /// Position of the next sample to decode, and number of the packet it is expected in.
    next: i64,
    next_number: i64,
    /// Samples made up since that sample was due; below 0 the time until it is.
    made: i64,
    /// Nothing is heard any more, or yet.
    idle: bool,
    /// The sender told that nothing follows: a pause, or an event.
    pausing: bool,
    /// And described what the pause is to sound like.
    noisy: bool,
    leads: Leads,
    /// Ticks until the next stretch.
    rest: u32,
}

/// A packet aside.
#[derive(Debug)]
struct Held {
    header: Header,
    payload: Payload,
    samples: i64,
    at: Timestamp,
}

/// Stats, in samples.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    accelerated: u64,
    concealed: u64,
    expanded: u64,
    /// Microseconds.
    delay: i64,
    stats: Stats,
}

/// A packet this far off its place is of another stream: 1 s.
const FAR: i64 = 1_000_000;

impl Buffer {
    /// An empty buffer for a stream of this codec.
    pub fn new(codec: Codec) -> Self {
        Self::with_depth(codec, Depth::default())
    }

    /// An empty buffer of another depth.
    pub fn with_depth(codec: Codec, depth: Depth) -> Self {
        let decoder = Decoder::new(codec);
        let rate = decoder.rate();
        Self {
            decoder,
            depth,
            store: Store::new(),
            line: Line::new(rate),
            arrivals: Arrivals::new(),
            ticks: Ticks::default(),
            concealment: Concealment::new(rate),
            noise: ComfortNoise::new(rate, NoiseModel::white(127), 1),
            stream: None,
            held: None,
            counts: Counts::default(),
        }
    }

    /// The codec it decodes.
    pub fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// The rate of the frames that come out.
    pub fn rate(&self) -> Rate {
        self.decoder.rate()
    }

    /// Forgets everything but the counters.
    pub fn reset(&mut self) {
        let codec = self.codec();
        self.decoder = Decoder::new(codec);
        self.forget_held();
        self.store.clear();
        self.line.clear();
        self.arrivals.reset();
        self.ticks = Ticks::default();
        self.concealment.stop();
        self.stream = None;
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        let counts = &self.counts;
        let per_ms = u64::from(self.rate().hz() / 1000);
        let target = self.due() - self.arrivals.fastest();
        let ms = |micros: i64| u32::try_from((micros + 500) / 1000).unwrap_or(0);
        Stats {
            accelerated_ms: counts.accelerated / per_ms,
            concealed_ms: counts.concealed / per_ms,
            expanded_ms: counts.expanded / per_ms,
            delay_ms: ms(counts.delay),
            target_ms: if self.stream.is_some() { ms(target) } else { 0 },
            ..counts.stats
        }
    }

    /// Takes in a packet of audio that came at `now`.
    pub fn insert(&mut self, now: Timestamp, header: &Header, payload: &[u8]) -> Inserted {
        let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
        let samples = self.decoder.duration(payload) as i64;
        if samples == 0 {
            return Inserted::Empty;
        }
        let rate = i64::from(self.rate().hz());
        let Some(playing) = &mut self.stream else {
            return self.begin(now, header, payload, samples);
        };
        let stream = &mut playing.stream;
        let (position, number) = (stream.position(header), stream.number(header));
        let lead = position - (playing.next + playing.made.max(0));
        let far = FAR * rate / 1_000_000;
        if header.ssrc != stream.ssrc || !(-far..=far).contains(&lead) {
            return self.doubt(now, header, payload, samples);
        }
        let is_known = stream.has(number);
        stream.note(header);
        playing.pausing = false;
        self.forget_held();
        if is_known {
            self.counts.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        self.watch(now, position, samples);
        self.place(position, number, samples, payload)
    }

    /// A packet of the stream came which is no audio, such as a telephone-event: it is not lost,
    /// and what it replaces is a pause.
    pub fn pass(&mut self, header: &Header) {
        if let Some(playing) = &mut self.stream
            && playing.stream.ssrc == header.ssrc
        {
            playing.stream.note_silent(header);
            playing.pausing = true;
        }
    }

    /// A packet of comfort noise came (RFC 3389): a pause begins that sounds like this.
    pub fn comfort_noise(&mut self, header: &Header, model: NoiseModel) {
        self.pass(header);
        if let Some(playing) = &mut self.stream
            && playing.stream.ssrc == header.ssrc
        {
            playing.noisy = true;
            self.noise.set(model);
        }
    }

    /// Takes out the frame whose time has come, [`Rate::frame`] samples. To be called every 20 ms.
    pub fn pop(&mut self, frame: &mut [i16]) -> Popped {
        self.ticks.pass();
        let length = frame.len();
        let Some(playing) = &mut self.stream else {
            frame.fill(0);
            return Popped::Empty;
        };
        playing.rest = playing.rest.saturating_sub(1);
        if playing.idle && self.line.len() == 0 && self.store.first().is_none() {
            playing.made += length as i64;
            frame.fill(0);
            if playing.noisy {
                self.noise.fill(frame);
                return Popped::Noise;
            }
            return Popped::Empty;
        }
        let there = if self.line.len() > 0 {
            Popped::Full
        } else {
            Popped::Empty
        };
        let popped = self.fill(length, there);
        self.stretch();
        let popped = self.fill(length, popped);
        self.line.take(frame);
        popped
    }

    /// Begins to play at this packet, at the next tick.
    fn begin(&mut self, now: Timestamp, header: &Header, payload: &[u8], samples: i64) -> Inserted {
        self.store.clear();
        self.line.cut();
        self.arrivals.reset();
        // What was heard of the stream before is faded out of, in a concealment that ends at once.
        let was_heard = self.stream.as_ref().is_some_and(|playing| !playing.idle);
        if was_heard && !self.concealment.is_active() {
            self.concealment.start(self.line.latest());
        }
        self.counts.stats.restarts += u64::from(self.stream.is_some());
        let rate = self.rate().hz();
        let mut stream = Stream::new(header, self.codec().clock_hz(), rate);
        stream.note(header);
        let wait = match self.depth {
            Depth::Adaptive { min, .. } => min,
            Depth::Fixed(ms) => ms,
        };
        self.stream = Some(Playing {
            stream,
            next: 0,
            next_number: 0,
            made: -i64::from(wait) * i64::from(rate) / 1000,
            idle: !was_heard,
            pausing: false,
            noisy: false,
            leads: Leads::default(),
            rest: 0,
        });
        self.watch(now, 0, samples);
        self.place(0, 0, samples, payload);
        Inserted::Restarted
    }

    /// A packet of another SSRC, or far off. Two that follow each other are a new stream; one is a
    /// stray, and so is each of a pair of streams that alternate.
    fn doubt(&mut self, now: Timestamp, header: &Header, payload: &[u8], samples: i64) -> Inserted {
        if let Some(held) = self.held.take() {
            let steps = sequence_distance(header.sequence, held.header.sequence);
            let ahead = distance(header.timestamp, held.header.timestamp);
            let limit = self.codec().clock_hz() as i32;
            if held.header.ssrc == header.ssrc
                && (1..=3).contains(&steps)
                && (1..=limit).contains(&ahead)
            {
                let mut bytes = [0; MAX_PAYLOAD];
                let length = self.store.read(held.payload, &mut bytes);
                self.store.release(held.payload);
                self.begin(held.at, &held.header, &bytes[..length], held.samples);
                self.insert(now, header, payload);
                return Inserted::Restarted;
            }
            self.store.release(held.payload);
        }
        self.held = self.store.keep(payload).map(|payload| Held {
            header: *header,
            payload,
            samples,
            at: now,
        });
        Inserted::Held
    }

    fn forget_held(&mut self) {
        if let Some(held) = self.held.take() {
            self.store.release(held.payload);
        }
    }

    /// Learns from when a packet came.
    fn watch(&mut self, now: Timestamp, position: i64, samples: i64) {
        let rate = i64::from(self.decoder.rate().hz());
        let delay = now.as_micros() - position * 1_000_000 / rate;
        self.arrivals
            .observe(now, delay, samples * 1_000_000 / rate);
        let (least, most) = self.ticks.until_next(now);
        let Some(playing) = &mut self.stream else {
            return;
        };
        if position + samples <= playing.next {
            return;
        }
        let gap = position - playing.next;
        let first = self
            .store
            .first()
            .map_or(gap, |first| first.position - playing.next);
        let made = playing.made.min(first.min(gap).max(0));
        let ahead = self.line.len() as i64 + gap - made;
        playing.leads.note((delay + least, delay + most), ahead);
        let stay = (ahead * 1_000_000 / rate + (least + most) / 2).max(0);
        self.counts.delay += (stay - self.counts.delay) / 32;
        if playing.idle && playing.made > 0 && first == gap {
            self.prepare(gap.max(0), (delay + least, delay + most));
        }
    }

    /// Puts a packet in its place.
    fn place(&mut self, position: i64, number: i64, samples: i64, payload: &[u8]) -> Inserted {
        let next = self.stream.as_ref().map_or(0, |playing| playing.next);
        if position + samples <= next {
            self.counts.stats.late += 1;
            return Inserted::Late;
        }
        while self.store.is_full(payload) && self.store.first().is_some() {
            self.store.drop_first();
        }
        let Some(payload) = self.store.keep(payload) else {
            return Inserted::Late;
        };
        let slot = Slot {
            position,
            number,
            samples,
            payload,
        };
        if !self.store.insert(slot) {
            self.counts.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        Inserted::Placed
    }
}
