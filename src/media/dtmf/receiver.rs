//! Telephone events received (RFC 4733 §2.5.2): each press reported once, at its first packet.
//!
//! A press is known by SSRC, RTP timestamp and event code, so it makes no difference which of its
//! packets arrive, how often, or in which order: marker, end bit and duration decide only the
//! rare cases.

use super::{PAYLOAD_BYTES, digit};
use crate::media::rtp::{Header, distance, sequence_distance};

/// Presses remembered, so that a late copy of an old packet is not a new press.
const REMEMBERED: usize = 16;

/// Shortest and longest distance between two segments of one long press: a sender starts a new
/// segment when the 16-bit duration is used up (RFC 4733 §2.5.1.3), at 0xFFFF by the letter, at
/// its last whole packet before that in practice; 0x10000 + one packet of 40 ms at the latest, at
/// 48 kHz.
const SEGMENT: std::ops::RangeInclusive<u32> = 0xf000..=0x1_0780;

/// How much of the end of a segment may be lost for the next to be still the same press: half a
/// second at 8 kHz. A press repeated after eight seconds had ended much earlier.
const SEGMENT_TAIL_LOST: u32 = 4000;

/// One press, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// The key.
    pub digit: char,
    /// How long it has been down, in units of the RTP clock.
    pub duration: u64,
    /// Whether its end was received.
    pub is_over: bool,
}

/// The receiver of one leg.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// Ring of the latest presses (or segments of long ones).
    remembered: [Option<Segment>; REMEMBERED],
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    /// Latest sequence number.
    sequence: u16,
    duration: u16,
    /// Duration of the segments before.
    before: u64,
    is_over: bool,
}

impl Receiver {
    /// Nothing pressed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event packet in; returns the digit when it is the first of a new press.
    ///
    /// Ignores events that are no keys and payloads cut short.
    pub fn handle_packet(&mut self, header: &Header, payload: &[u8]) -> Option<char> {
        let &[event, flags, high, low] = payload.first_chunk::<PAYLOAD_BYTES>()?;
        let pressed = digit(event)?;
        let heard = Segment {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            event,
            sequence: header.sequence,
            duration: u16::from_be_bytes([high, low]),
            before: 0,
            is_over: flags & 0x80 != 0,
        };
        let same = |known: &&mut Segment| {
            known.ssrc == heard.ssrc
                && known.timestamp == heard.timestamp
                && known.event == heard.event
        };
        if let Some(known) = self.remembered.iter_mut().flatten().find(same) {
            return known.update(&heard, header.marker).then_some(pressed);
        }
        let longer = |known: &&Segment| known.is_continued_by(&heard, header.marker);
        let before = self.remembered.iter().flatten().find(longer).map(|known| {
            known.before + u64::from(distance(heard.timestamp, known.timestamp) as u32)
        });
        self.remembered[self.next] = Some(Segment {
            before: before.unwrap_or(0),
            ..heard
        });
        self.next = (self.next + 1) % REMEMBERED;
        before.is_none().then_some(pressed)
    }

    /// The latest press.
    pub fn last(&self) -> Option<Press> {
        let index = (self.next + REMEMBERED - 1) % REMEMBERED;
        let segment = self.remembered[index]?;
        Some(Press {
            digit: digit(segment.event)?,
            duration: segment.before + u64::from(segment.duration),
            is_over: segment.is_over,
        })
    }
}

impl Segment {
    /// Takes in another packet of the segment; says whether it is a new press after all: by a
    /// sender that does not move its timestamp between two presses of a key.
    fn update(&mut self, heard: &Segment, marker: bool) -> bool {
        let newer = sequence_distance(heard.sequence, self.sequence) > 0;
        let again = marker && newer && self.is_over && !heard.is_over;
        if again {
            *self = *heard;
        } else {
            self.duration = self.duration.max(heard.duration);
            self.is_over |= heard.is_over;
            if newer {
                self.sequence = heard.sequence;
            }
        }
        again
    }

    fn is_continued_by(&self, heard: &Segment, marker: bool) -> bool {
        let after = heard.timestamp.wrapping_sub(self.timestamp);
        self.ssrc == heard.ssrc
            && self.event == heard.event
            && !self.is_over
            && !marker
            && SEGMENT.contains(&after)
            && u32::from(self.duration) + SEGMENT_TAIL_LOST >= after
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Sender;
    use super::*;

    /// What a sender sends for `digits`, each held for `ms`.
    fn sent(digits: &str, ms: u32, clock: u32) -> Vec<(Header, [u8; 4])> {
        let mut sender = Sender::new();
        for digit in digits.chars() {
            assert!(sender.push(digit, ms));
        }
        let (mut clock, mut sequence) = (clock, 65_530u16);
        let mut packets = Vec::new();
        while sender.is_active() {
            if let Some(packet) = sender.next(clock, 8000) {
                let header = Header {
                    marker: packet.marker,
                    payload_type: 101,
                    sequence,
                    timestamp: packet.timestamp,
                    ssrc: 1,
                };
                packets.push((header, packet.payload));
            }
            sequence = sequence.wrapping_add(1);
            clock = clock.wrapping_add(160);
        }
        packets
    }

    fn heard(packets: impl IntoIterator<Item = (Header, [u8; 4])>) -> String {
        let mut receiver = Receiver::new();
        packets
            .into_iter()
            .filter_map(|(header, payload)| receiver.handle_packet(&header, &payload))
            .collect()
    }

    #[test]
    fn a_press_is_reported_at_its_first_packet() {
        let mut receiver = Receiver::new();
        let (header, payload) = sent("5", 100, 0)[0];
        assert_eq!(receiver.handle_packet(&header, &payload), Some('5'));
        let press = receiver.last().unwrap();
        assert_eq!(
            (press.digit, press.duration, press.is_over),
            ('5', 160, false)
        );
    }

    #[test]
    fn the_same_digit_twice_is_two_presses_even_without_ends_and_markers() {
        let packets = sent("11", 100, u32::MAX - 300);
        let lossy = packets.into_iter().filter_map(|(mut header, payload)| {
            header.marker = false;
            (payload[1] & 0x80 == 0).then_some((header, payload))
        });
        assert_eq!(heard(lossy), "11");
    }

    #[test]
    fn a_press_of_which_only_the_last_end_packet_arrives_is_heard() {
        assert_eq!(heard(sent("7", 100, 0).into_iter().next_back()), "7");
    }

    #[test]
    fn a_press_of_half_a_minute_is_one_press() {
        let packets = sent("9", 30_000, 12_345);
        assert_eq!(heard(packets.clone()), "9");
        let mut receiver = Receiver::new();
        for (header, payload) in &packets {
            receiver.handle_packet(header, payload);
        }
        let press = receiver.last().unwrap();
        assert_eq!((press.duration, press.is_over), (240_000, true));
    }

    #[test]
    fn a_long_press_survives_losses_around_its_segments() {
        let packets = sent("9", 20_000, 0);
        for lost in 400..420 {
            let lossy = packets.iter().enumerate();
            let lossy = lossy.filter(|(i, _)| !(lost..lost + 20).contains(i));
            assert_eq!(heard(lossy.map(|(_, packet)| *packet)), "9");
        }
    }

    #[test]
    fn the_same_key_eight_seconds_later_is_a_new_press() {
        let mut packets = sent("3", 100, 0);
        packets.truncate(3);
        let later = sent("3", 100, 0xffff)
            .into_iter()
            .map(|(mut header, payload)| {
                header.marker = false;
                (header, payload)
            });
        packets.extend(later);
        assert_eq!(heard(packets), "33");
    }

    #[test]
    fn a_sender_that_never_moves_its_timestamp_is_understood() {
        let frozen = sent("44", 100, 0).into_iter().map(|(mut header, payload)| {
            header.timestamp = 0;
            (header, payload)
        });
        assert_eq!(heard(frozen), "44");
    }

    #[test]
    fn events_that_are_no_keys_and_short_payloads_are_ignored() {
        let mut receiver = Receiver::new();
        let header = Header::default();
        assert_eq!(receiver.handle_packet(&header, &[16, 0, 0, 160]), None);
        assert_eq!(receiver.handle_packet(&header, &[1, 0, 0]), None);
        assert_eq!(receiver.last(), None);
    }

    proptest! {
        #[test]
        fn loss_duplication_and_reordering_change_nothing(
            digits in "[0-9*#A-D]{1,12}",
            clock: u32,
            fate in proptest::collection::vec((0u8..3, 0usize..4), 200),
        ) {
            // Each press keeps at least its middle packet; up to 60 ms of displacement.
            let packets = sent(&digits, 100, clock);
            let mut arriving: Vec<(usize, (Header, [u8; 4]))> = Vec::new();
            for (i, packet) in packets.iter().enumerate() {
                let (copies, shift) = fate[i % fate.len()];
                let middle = u16::from_be_bytes([packet.1[2], packet.1[3]]) == 480;
                for copy in 0..copies.max(u8::from(middle)) {
                    arriving.push((i + shift * usize::from(!middle) + usize::from(copy), *packet));
                }
            }
            arriving.sort_by_key(|(at, _)| *at);
            let mut told: Vec<char> = heard(arriving.into_iter().map(|(_, packet)| packet)).chars().collect();
            let mut pressed: Vec<char> = digits.chars().collect();
            told.sort_unstable();
            pressed.sort_unstable();
            prop_assert_eq!(told, pressed);
        }

        #[test]
        fn any_packets_are_survived(
            packets in proptest::collection::vec((any::<(bool, u16, u32, u32)>(), any::<[u8; 4]>()), 0..60)
        ) {
            let mut receiver = Receiver::new();
            for ((marker, sequence, timestamp, ssrc), payload) in packets {
                let header = Header { marker, payload_type: 101, sequence, timestamp, ssrc };
                receiver.handle_packet(&header, &payload);
                receiver.last();
            }
        }
    }
}
