//! Telephone events sent (RFC 4733 §2.5.1): one packet a frame while the key is down, the end
//! three times, then a pause.

use super::{PAYLOAD_BYTES, Queue};

/// Volume in -dBm0, as most telephones send it.
const VOLUME: u8 = 10;

/// Times the end is sent (RFC 4733 §2.5.1.4).
pub(crate) const ENDS: u8 = 3;

/// An event has a packet for each frame.
const FRAMES_A_SECOND: u32 = 50;

/// Frames of pause after the last end packet; with the repeated ends 100 ms between two keys.
const PAUSE_FRAMES: u8 = 3;

/// An event packet to send in place of this frame's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Whether it is the first of its event.
    pub marker: bool,
    /// When the event (or its segment) began, not when the packet is sent.
    pub timestamp: u32,
    /// Payload.
    pub payload: [u8; PAYLOAD_BYTES],
}

/// The sender of one leg. Never allocates.
#[derive(Clone, Debug)]
pub struct Sender {
    queue: Queue,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Down { event: u8, start: u32, left: u32 },
    Ended { packet: EventPacket, left: u8 },
    Idle,
    Pause { left: u8 },
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Sender {
    /// Nothing to send.
    pub fn new() -> Self {
        Self {
            queue: Queue::new(),
            state: State::Idle,
        }
    }

    /// Appends a digit to be held for `ms`; `false` when it is none or the queue is full.
    pub fn push(&mut self, digit: char, ms: u32) -> bool {
        self.queue.push(digit, ms)
    }

    /// Whether a digit is being sent or waits.
    pub fn is_active(&self) -> bool {
        !self.queue.is_empty() || !matches!(self.state, State::Idle)
    }

    /// What to send instead of audio in the frame of 20 ms that begins at `clock`, which counts
    /// `clock_hz` a second; to be called once for every frame. `None`: send audio.
    pub fn next(&mut self, clock: u32, clock_hz: u32) -> Option<EventPacket> {
        let frame = clock_hz / FRAMES_A_SECOND;
        match self.state {
            State::Down { event, start, left } => {
                Some(self.hold((clock, frame), event, start, left))
            }
            State::Ended { packet, left } => {
                self.state = match left {
                    0 | 1 => State::Pause { left: PAUSE_FRAMES },
                    _ => State::Ended {
                        packet,
                        left: left - 1,
                    },
                };
                Some(packet)
            }
            State::Idle => {
                let (event, ms) = self.queue.pop()?;
                let frames = ms.div_ceil(20).max(1);
                let packet = self.hold((clock, frame), event, clock, frames);
                Some(EventPacket {
                    marker: true,
                    ..packet
                })
            }
            State::Pause { left } => {
                self.state = match left {
                    0 | 1 => State::Idle,
                    _ => State::Pause { left: left - 1 },
                };
                None
            }
        }
    }

    /// The packet that covers the `frame` at `clock`, with `left` frames to go (this one included).
    fn hold(
        &mut self,
        (clock, frame): (u32, u32),
        event: u8,
        start: u32,
        left: u32,
    ) -> EventPacket {
        let until = clock.wrapping_add(frame).wrapping_sub(start);
        let is_over = left <= 1;
        let duration = u16::try_from(until).unwrap_or(u16::MAX);
        let [high, low] = duration.to_be_bytes();
        let packet = EventPacket {
            marker: false,
            timestamp: start,
            payload: [event, (u8::from(is_over) << 7) | VOLUME, high, low],
        };
        self.state = if is_over {
            State::Ended {
                packet,
                left: ENDS - 1,
            }
        } else {
            // A full segment is followed by one that begins where it ended (§2.5.1.3).
            let full = until >= u32::from(u16::MAX);
            let start = start.wrapping_add(if full { u32::from(u16::MAX) } else { 0 });
            State::Down {
                event,
                start,
                left: left - 1,
            }
        };
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::super::QUEUE_DIGITS;
    use super::*;

    #[test]
    fn a_key_of_100_ms_is_five_packets_the_last_sent_three_times_then_a_pause() {
        let mut sender = Sender::new();
        assert!(sender.push('#', 100));
        assert!(sender.push('1', 100));
        let sent: Vec<_> = (0..11).map(|i| sender.next(1000 + i * 160, 8000)).collect();
        let durations: Vec<_> = sent
            .iter()
            .map(|packet| {
                packet.map(|packet| {
                    let duration = u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
                    (
                        packet.payload[0],
                        packet.marker,
                        packet.payload[1] >> 7,
                        packet.timestamp,
                        duration,
                    )
                })
            })
            .collect();
        assert_eq!(
            durations,
            [
                Some((11, true, 0, 1000, 160)),
                Some((11, false, 0, 1000, 320)),
                Some((11, false, 0, 1000, 480)),
                Some((11, false, 0, 1000, 640)),
                Some((11, false, 1, 1000, 800)),
                Some((11, false, 1, 1000, 800)),
                Some((11, false, 1, 1000, 800)),
                None,
                None,
                None,
                Some((1, true, 0, 2600, 160)),
            ]
        );
    }

    #[test]
    fn the_queue_is_bounded_and_takes_keys_only() {
        let mut sender = Sender::new();
        assert!(!sender.push('x', 100));
        assert!(!sender.push('あ', 100));
        for _ in 0..QUEUE_DIGITS {
            assert!(sender.push('d', 100));
        }
        assert!(!sender.push('1', 100));
    }

    #[test]
    fn a_long_key_begins_a_segment_where_the_last_was_full() {
        let mut sender = Sender::new();
        sender.push('1', 10_000);
        let packets: Vec<_> = (0..500u32)
            .filter_map(|i| sender.next(i * 160, 8000))
            .collect();
        let starts: Vec<u32> = packets.iter().map(|packet| packet.timestamp).collect();
        assert_eq!((starts[409], starts[410]), (0, 65_535));
        assert_eq!(packets[409].payload[2..], [0xff, 0xff]);
        assert_eq!(
            packets[410].payload[2..],
            (411u16.wrapping_mul(160).wrapping_sub(65_535)).to_be_bytes()
        );
    }

    #[test]
    fn durations_are_in_units_of_the_clock() {
        let mut sender = Sender::new();
        sender.push('1', 2_000);
        let packets = (0..100u32).filter_map(|i| sender.next(i * 960, 48_000));
        let packets: Vec<_> = packets.collect();
        assert_eq!(packets[0].payload[2..], 960u16.to_be_bytes());
        assert_eq!(packets[67].payload[2..], (68 * 960u16).to_be_bytes());
        // 0xFFFF is 1.37 s of this clock.
        assert_eq!(packets[68].payload[2..], [0xff, 0xff]);
        assert_eq!(packets[69].timestamp, 65_535);
    }
}
