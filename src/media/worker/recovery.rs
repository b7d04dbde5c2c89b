//! Keys of which every packet was lost, brought back by a later packet (RFC 2198, RFC 4733 §2.6.2), and the
//! same for whom we send to.

use crate::base::{LegId, Timestamp};
use crate::media::dtmf::{self, ENDS, EventPacket, MAX_REDUNDANT};
use crate::media::rtp::{Earlier, Header, MAX_EARLIER};

use super::Counts;
use super::leg::Leg;

/// Longest event packet that is made redundant; longer ones carry several events themselves.
const MAX_EVENT: usize = 32;

/// Keys first heard of in redundant blocks, in the order they were pressed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recovered {
    keys: [Option<(char, EventPacket)>; MAX_EARLIER],
}

impl Recovered {
    /// The keys, and the packet that told most of each.
    pub(super) fn keys(&self) -> impl Iterator<Item = (char, EventPacket)> {
        self.keys.iter().flatten().copied()
    }
}

impl Leg {
    /// Hears the earlier events that a packet with this header carries; those it knows are nothing
    /// new.
    pub(super) fn recover(&mut self, header: &Header, earlier: &Earlier<'_>) -> Recovered {
        let mut recovered = Recovered::default();
        let event = self.flow.as_ref();
        let event = event.and_then(|flow| flow.receive_telephone_event);
        // At no distance from an event is what that event tells itself.
        let is_event = Some(header.payload_type) == event;
        let blocks = earlier.blocks().iter();
        let blocks = blocks.filter(|block| Some(block.payload_type) == event);
        let blocks = blocks.filter(|block| !is_event || block.offset > 0);
        for (block, key) in blocks.zip(&mut recovered.keys) {
            let then = Header {
                marker: false,
                payload_type: block.payload_type,
                timestamp: header.timestamp.wrapping_sub(block.offset),
                ..*header
            };
            let pressed = self.inbound.keys.handle_packet(&then, block.payload);
            *key = pressed
                .zip(block.payload.first_chunk())
                .map(|(digit, payload)| {
                    let event = EventPacket {
                        marker: true,
                        timestamp: then.timestamp,
                        payload: *payload,
                    };
                    (digit, event)
                });
        }
        recovered
    }

    /// Sends a talker's event on that was lost on its way to us, before the packet that brought it
    /// back; says whether it did.
    pub(super) fn pass_on_recovered(
        &mut self,
        now: Timestamp,
        (from, ssrc): (LegId, u32),
        event: &EventPacket,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) -> bool {
        if self.is_dialling() || self.sending().is_none() {
            return false;
        }
        let flow = self.flow.as_ref();
        let Some(payload_type) = flow.and_then(|flow| flow.send_telephone_event) else {
            return false;
        };
        // As often as an end is sent: that is all of this event that the far end gets.
        for copy in 0..ENDS {
            let Some(place) = self.out.insert(from, ssrc, event.timestamp) else {
                return copy > 0;
            };
            let header = Header {
                marker: event.marker && copy == 0,
                payload_type,
                sequence: place.sequence,
                timestamp: place.timestamp,
                ssrc: self.out.ssrc(),
            };
            self.transmit_event(now, header, &event.payload, buffer, counts);
        }
        true
    }

    /// Hands an event packet to the network, with the events before it where that was agreed.
    pub(super) fn transmit_event(
        &mut self,
        now: Timestamp,
        mut header: Header,
        payload: &[u8],
        buffer: &mut [u8],
        counts: &mut Counts,
    ) {
        let redundancy = self.flow.as_ref().and_then(|flow| flow.redundancy);
        let fits = payload.len() <= MAX_EVENT;
        let Some(redundancy) = redundancy.filter(|_| fits) else {
            return self.transmit(now, header, payload, buffer, counts);
        };
        let event = (header.timestamp, payload);
        self.events_sent.note(event.0, event.1);
        let mut redundant = [0; MAX_EVENT + MAX_REDUNDANT];
        let (payload_type, depth) = (header.payload_type, redundancy.depth);
        let written = self
            .events_sent
            .write(&mut redundant, payload_type, event, depth);
        match written {
            Some(length) => {
                header.payload_type = redundancy.send_payload_type;
                self.transmit(now, header, &redundant[..length], buffer, counts);
            }
            None => self.transmit(now, header, payload, buffer, counts),
        }
    }

    /// Forgets the events sent: another clock counts from now on.
    pub(super) fn forget_events(&mut self) {
        self.events_sent = dtmf::History::new();
    }
}
