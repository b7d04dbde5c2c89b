//! When what was received is played: 60 ms after the fastest packets arrive.

use super::ring::{Ring, SPAN};
use crate::base::Timestamp;
use crate::media::rtp::{Header, distance, sequence_distance};
use crate::media::{Codec, Decoder, FRAME_SAMPLES, MAX_PACKET_SAMPLES, Rate};

/// Depth: a packet that comes at its time is played at the third tick after (60 ms).
pub const DEPTH_SAMPLES: u32 = 3 * FRAME_SAMPLES as u32;

/// A packet up to this late (1 s) is of the stream; beyond, the sender's clock leapt.
const MAX_LATE: i32 = -8000;

/// Packets over which the depth is watched (2 s): long enough to hold a packet that met no queue.
const WATCHED_PACKETS: u32 = 100;

/// Ticks in a row that brought only late packets until playing starts over: the path has become
/// longer for good.
const LATE_TICKS: u32 = 5;

/// Samples kept of the one packet that waits for a second to confirm a new stream.
const HELD_SAMPLES: usize = 480;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Nothing in it that was not there already.
    Duplicate,
    /// Empty.
    Empty,
    /// From another stream, or far from its place in this: kept aside until a second one confirms
    /// it.
    Held,
    /// After its time, wholly.
    Late,
    /// In its place.
    Placed,
    /// In its place, in a stream that begins anew.
    Restarted,
}

/// What a tick took out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popped {
    /// Nothing was there: lost, late, not sent, or not begun. The frame is silent.
    Empty,
    /// The whole frame.
    Full,
    /// A part of the frame; the rest is silent.
    Partial,
}

/// What the buffer counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets whose samples were there already.
    pub duplicates: u64,
    /// Packets after their time.
    pub late: u64,
    /// Times the stream began anew.
    pub restarts: u64,
    /// Frames of silence put in because the depth had shrunk.
    pub stretched: u64,
    /// Frames left out because the depth had grown.
    pub skipped: u64,
}

/// The buffer of one leg; 6 kB, never allocates after [`Buffer::new`].
#[derive(Debug)]
pub struct Buffer {
    decoder: Decoder,
    ring: Ring,
    stream: Option<Stream>,
    held: Held,
    stats: Stats,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// Timestamp of the next sample to play.
    play: u32,
    /// Largest lead over the play position of any packet watched.
    lead: i32,
    watched: u32,
    /// Whether a late packet, and whether one in time came since the last tick.
    late: bool,
    timely: bool,
    late_ticks: u32,
}

/// A packet aside; `length` 0: none.
#[derive(Clone, Debug)]
struct Held {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    length: usize,
    kept: usize,
    samples: [i16; HELD_SAMPLES],
}

impl Buffer {
    /// An empty buffer; playing begins with the first packet.
    pub fn new(codec: Codec) -> Self {
        Self {
            decoder: Decoder::new(codec),
            ring: Ring::new(),
            stream: None,
            held: Held {
                ssrc: 0,
                sequence: 0,
                timestamp: 0,
                length: 0,
                kept: 0,
                samples: [0; HELD_SAMPLES],
            },
            stats: Stats::default(),
        }
    }

    /// Forgets everything but the counters.
    pub fn reset(&mut self) {
        self.ring.clear();
        self.stream = None;
        self.held.length = 0;
    }

    /// The rate of the samples that come out.
    pub fn rate(&self) -> Rate {
        self.decoder.rate()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Takes in a packet that came now; more than [`MAX_PACKET_SAMPLES`] are cut.
    pub fn insert(&mut self, _now: Timestamp, header: &Header, payload: &[u8]) -> Inserted {
        let mut samples = [0; MAX_PACKET_SAMPLES];
        let length = self.decoder.decode(payload, &mut samples);
        self.insert_samples(header, &samples[..length])
    }

    fn insert_samples(&mut self, header: &Header, samples: &[i16]) -> Inserted {
        let samples = &samples[..samples.len().min(MAX_PACKET_SAMPLES)];
        if samples.is_empty() {
            return Inserted::Empty;
        }
        let Some(stream) = &mut self.stream else {
            return self.begin(header, samples);
        };
        let lead = distance(header.timestamp, stream.play);
        if header.ssrc != stream.ssrc || !(MAX_LATE..=max_lead(samples)).contains(&lead) {
            return self.doubt(header, samples);
        }
        self.held.length = 0;
        stream.watch(lead);
        let missed = usize::try_from(-lead).unwrap_or(0);
        if missed >= samples.len() {
            self.stats.late += 1;
            stream.late = true;
            if stream.late_ticks >= LATE_TICKS {
                return self.begin(header, samples);
            }
            return Inserted::Late;
        }
        stream.timely = true;
        let at = header.timestamp.wrapping_add(missed as u32);
        let new = self.ring.write(at, &samples[missed..]);
        self.follow_the_path();
        if new == 0 {
            self.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        Inserted::Placed
    }

    /// Takes out the frame whose time has come. To be called at every tick.
    pub fn pop(&mut self, frame: &mut [i16]) -> Popped {
        let Some(stream) = &mut self.stream else {
            frame.fill(0);
            return Popped::Empty;
        };
        if stream.timely {
            stream.late_ticks = 0;
        } else if stream.late {
            stream.late_ticks += 1;
        }
        (stream.timely, stream.late) = (false, false);
        let there = self.ring.take(stream.play, frame);
        stream.play = stream.play.wrapping_add(FRAME_SAMPLES as u32);
        match there {
            0 => Popped::Empty,
            FRAME_SAMPLES => Popped::Full,
            _ => Popped::Partial,
        }
    }

    /// Begins to play at this packet, which is [`DEPTH_SAMPLES`] ahead from now on.
    fn begin(&mut self, header: &Header, samples: &[i16]) -> Inserted {
        self.ring.clear();
        self.held.length = 0;
        self.stats.restarts += u64::from(self.stream.is_some());
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            play: header.timestamp.wrapping_sub(DEPTH_SAMPLES),
            lead: i32::MIN,
            watched: 0,
            late: false,
            timely: true,
            late_ticks: 0,
        });
        let room = SPAN - DEPTH_SAMPLES as usize;
        self.ring
            .write(header.timestamp, &samples[..samples.len().min(room)]);
        Inserted::Restarted
    }

    /// A packet of another SSRC, or far off. Two that follow each other are a new stream; one is a
    /// stray, and so is each of a pair of streams that alternate.
    fn doubt(&mut self, header: &Header, samples: &[i16]) -> Inserted {
        let held = &self.held;
        let steps = sequence_distance(header.sequence, held.sequence);
        let ahead = distance(header.timestamp, held.timestamp);
        let confirmed = held.length > 0
            && held.ssrc == header.ssrc
            && (1..=3).contains(&steps)
            && (1..=-MAX_LATE).contains(&ahead);
        if !confirmed {
            self.held.keep(header, samples);
            return Inserted::Held;
        }
        let (timestamp, kept) = (held.timestamp, held.kept);
        self.begin(header, samples);
        if ahead <= DEPTH_SAMPLES as i32 {
            let kept = kept.min(ahead as usize);
            self.ring.write(timestamp, &self.held.samples[..kept]);
        }
        Inserted::Restarted
    }

    /// Two clocks never agree, and the first packet may have been slow or fast: brings the lead of
    /// the fastest packets back to the depth when it is a frame short or two frames long. Between
    /// lies one frame of rest, for packets that arrive about when the tick does.
    fn follow_the_path(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if stream.watched < WATCHED_PACKETS {
            return;
        }
        let excess = stream.lead - DEPTH_SAMPLES as i32;
        (stream.watched, stream.lead) = (0, i32::MIN);
        let frame = FRAME_SAMPLES as i32;
        let frames = match excess / frame {
            1 => 0,
            frames => frames,
        };
        let from = stream.play;
        stream.play = from.wrapping_add_signed(frames * frame);
        if frames > 0 {
            self.ring.forget(from, frames as usize * FRAME_SAMPLES);
            self.stats.skipped += frames.unsigned_abs() as u64;
        } else {
            self.stats.stretched += frames.unsigned_abs() as u64;
        }
    }
}

impl Stream {
    fn watch(&mut self, lead: i32) {
        self.lead = self.lead.max(lead);
        self.watched += 1;
    }
}

impl Held {
    fn keep(&mut self, header: &Header, samples: &[i16]) {
        self.ssrc = header.ssrc;
        self.sequence = header.sequence;
        self.timestamp = header.timestamp;
        self.length = samples.len();
        self.kept = samples.len().min(HELD_SAMPLES);
        self.samples[..self.kept].copy_from_slice(&samples[..self.kept]);
    }
}

/// The lead at which a packet still fits the ring, with the frames that stretching may need.
fn max_lead(samples: &[i16]) -> i32 {
    (SPAN - samples.len()) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(sequence: u16, timestamp: u32) -> Header {
        Header {
            sequence,
            timestamp,
            ssrc: 1,
            ..Header::default()
        }
    }

    /// A stream whose samples tell their own timestamp, less `origin`, in frames.
    struct Source {
        origin: u32,
    }

    impl Source {
        fn insert(&self, buffer: &mut Buffer, frame: u32) -> Inserted {
            let timestamp = self.origin.wrapping_add(frame * 160);
            buffer.insert_samples(&packet(frame as u16, timestamp), &[frame as i16 + 1; 160])
        }
    }

    /// The frame number played, or `None` for silence.
    fn pop(buffer: &mut Buffer) -> Option<u32> {
        let mut frame = [0; FRAME_SAMPLES];
        match buffer.pop(&mut frame) {
            Popped::Full => Some(frame[80] as u32 - 1),
            _ => None,
        }
    }

    const WRAPPING: Source = Source {
        origin: u32::MAX - 1000,
    };

    #[test]
    fn plays_at_the_fourth_tick_what_comes_before_the_first() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        let played: Vec<_> = (0..6)
            .map(|i| {
                WRAPPING.insert(&mut buffer, i);
                pop(&mut buffer)
            })
            .collect();
        assert_eq!(played, [None, None, None, Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn loss_is_silence_and_shifts_nothing() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for i in 0..100 {
            if i % 7 != 3 {
                WRAPPING.insert(&mut buffer, i);
            }
            if i >= 3 {
                let due = i - 3;
                assert_eq!(pop(&mut buffer), (due % 7 != 3).then_some(due));
            } else {
                pop(&mut buffer);
            }
        }
    }

    #[test]
    fn a_duplicate_and_a_late_packet_are_told_and_dropped() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        WRAPPING.insert(&mut buffer, 0);
        assert_eq!(WRAPPING.insert(&mut buffer, 0), Inserted::Duplicate);
        for _ in 0..6 {
            pop(&mut buffer);
        }
        assert_eq!(WRAPPING.insert(&mut buffer, 1), Inserted::Late);
        assert_eq!((buffer.stats().duplicates, buffer.stats().late), (1, 1));
    }

    #[test]
    fn a_pause_of_the_sender_keeps_its_length() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for i in 0..100 {
            if !(10..60).contains(&i) {
                WRAPPING.insert(&mut buffer, i);
            }
            let played = pop(&mut buffer);
            if i >= 3 {
                let due = i - 3;
                assert_eq!(played, (!(10..60).contains(&due)).then_some(due));
            }
        }
    }

    #[test]
    fn a_stray_packet_changes_nothing() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for i in 0..200u32 {
            WRAPPING.insert(&mut buffer, i);
            let stray = Header {
                ssrc: 1 + i % 2,
                ..packet(9, 0x4000_0000 + i * 7919)
            };
            assert_eq!(buffer.insert_samples(&stray, &[-1; 160]), Inserted::Held);
            let played = pop(&mut buffer);
            assert_eq!(played, i.checked_sub(3));
        }
        assert_eq!(buffer.stats().restarts, 0);
    }

    #[test]
    fn a_new_ssrc_and_a_leap_of_the_clock_lose_nothing() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for i in 0..20 {
            WRAPPING.insert(&mut buffer, i);
            pop(&mut buffer);
        }
        for (first, ssrc, leap) in [(1000, 2, 0), (2000, 2, 1 << 30), (3000, 2, 3 << 30)] {
            let mut played = Vec::new();
            for i in 0..20u32 {
                let timestamp = (i * 160).wrapping_add(leap);
                let header = Header {
                    ssrc,
                    ..packet(i as u16, timestamp)
                };
                buffer.insert_samples(&header, &[(first + i) as i16; 160]);
                played.extend(
                    pop(&mut buffer)
                        .map(|frame| frame + 1)
                        .filter(|frame| *frame >= first),
                );
            }
            assert_eq!(played[..10], (first..first + 10).collect::<Vec<_>>()[..]);
        }
        assert_eq!(buffer.stats().restarts, 3);
    }

    #[test]
    fn a_path_that_becomes_longer_is_followed_after_five_ticks() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        let mut heard = 0;
        for i in 0..100u32 {
            let delay = if i < 20 { 0 } else { 10 };
            if let Some(frame) = i.checked_sub(delay) {
                WRAPPING.insert(&mut buffer, frame);
            }
            heard += u32::from(pop(&mut buffer).is_some());
        }
        assert!(heard > 80, "{heard}");
        assert_eq!(buffer.stats().restarts, 1);
    }

    #[test]
    fn clocks_that_differ_by_a_thousandth_cost_a_frame_each_twenty_seconds() {
        for drift in [-1i64, 1] {
            let mut buffer = Buffer::new(Codec::Pcmu);
            let (mut sent, mut heard) = (0u32, 0);
            for tick in 0..3000i64 {
                let due = tick + tick * drift / 1000;
                while i64::from(sent) <= due {
                    WRAPPING.insert(&mut buffer, sent);
                    sent += 1;
                }
                heard += i64::from(pop(&mut buffer).is_some());
            }
            assert!(heard > 2980, "{heard}");
            let stats = buffer.stats();
            assert!(stats.stretched + stats.skipped <= 4, "{stats:?}");
            assert_eq!(stats.restarts, 0);
        }
    }

    #[test]
    fn packets_about_the_tick_settle_after_one_correction() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for i in 0..2000u32 {
            // Every third packet comes just after its tick.
            if i % 3 != 0 {
                WRAPPING.insert(&mut buffer, i);
            }
            pop(&mut buffer);
            if i % 3 == 0 {
                WRAPPING.insert(&mut buffer, i);
            }
        }
        let stats = buffer.stats();
        assert!(stats.skipped + stats.stretched <= 1, "{stats:?}");
        assert_eq!(stats.late, 0);
    }

    proptest! {
        #[test]
        fn packets_of_any_size_up_to_60_ms_late_are_played_whole(
            origin: u32,
            size in prop::sample::select(vec![80usize, 160, 240, 320]),
            delays in prop::collection::vec(0u32..3, 50),
        ) {
            let mut buffer = Buffer::new(Codec::Pcmu);
            let total = 50 * 160;
            let stream: Vec<i16> = (0..total).map(|i| (i % 30_000 + 1) as i16).collect();
            let mut arriving: Vec<(u32, usize)> = (0..total / size)
                .map(|i| {
                    let sent = ((i + 1) * size).div_ceil(160) as u32;
                    (sent + if i == 0 { 0 } else { delays[i % 50] }, i)
                })
                .collect();
            arriving.sort();
            let mut out = Vec::new();
            for tick in 0..60 {
                for (_, i) in arriving.iter().filter(|(at, _)| *at == tick) {
                    let header = packet(*i as u16, origin.wrapping_add((i * size) as u32));
                    buffer.insert_samples(&header, &stream[i * size..(i + 1) * size]);
                }
                let mut frame = [0; FRAME_SAMPLES];
                buffer.pop(&mut frame);
                out.extend(frame);
            }
            let begin = out.iter().position(|sample| *sample == 1).unwrap();
            let whole = total / size * size;
            prop_assert_eq!(&out[begin..begin + whole], &stream[..whole]);
        }

        #[test]
        fn any_packets_are_survived(
            packets in prop::collection::vec(
                (any::<(u16, u32, bool)>(), 0usize..2000, 0u8..3, -3000i32..3000), 0..300)
        ) {
            let mut buffer = Buffer::new(Codec::Pcmu);
            let (mut frame, mut near) = (SILENT, 0u32);
            for ((sequence, far, leap), length, pops, step) in packets {
                near = if leap { far } else { near.wrapping_add_signed(step) };
                let header = Header { ssrc: u32::from(leap), ..packet(sequence, near) };
                buffer.insert_samples(&header, &vec![1; length]);
                for _ in 0..pops {
                    buffer.pop(&mut frame);
                }
            }
        }
    }

    const SILENT: crate::media::Frame = [0; FRAME_SAMPLES];
}
