//! Unprotects what a far end sends, under one master key.

use serde::{Deserialize, Serialize};

use super::cipher::{Cipher, REPORT_HEADER, Sealing};
use super::keys::MasterKey;
use super::protector::ENCRYPTED;
use super::window::{Window, nearest};
use super::{Refusal, payload_at, word};

/// One direction's belief.
pub(super) struct Unprotector {
    rtp: Cipher,
    rtcp: Cipher,
    streams: [Option<Stream>; MAX_STREAMS],
    /// SSRCs that had to go: what they said could be repeated if they came back.
    gone: [Option<u32>; MAX_GONE],
    /// Counts packets, to know which stream was silent for longest.
    clock: u64,
}

/// What is known of one SSRC.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// Where its count may have been under the key before, or before the process died: tried
    /// first, until a packet says whether it goes on from there or began anew.
    was_at: Option<u64>,
    heard: u64,
}

/// How far one SSRC had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) ssrc: u32,
    /// Index of its newest packet.
    pub(super) rtp: Option<u64>,
    /// Index of its newest report.
    pub(super) rtcp: Option<u64>,
}

/// SSRCs of one far end that are told apart: a telephone speaks with one, music on hold may have
/// another. A further one takes the place of that silent for longest. Only packets of the right
/// key make a stream, so strangers cannot push one out.
pub(super) const MAX_STREAMS: usize = 4;

/// SSRCs remembered that may not come back.
const MAX_GONE: usize = 32;

/// Longest packet that can be tried twice: more than any datagram that is read.
pub(super) const MAX_TRIED_TWICE: usize = 2048;

impl Unprotector {
    /// Belief in a key of which nothing was heard.
    pub(super) fn new(key: &MasterKey) -> Self {
        Self {
            rtp: Cipher::rtp(key),
            rtcp: Cipher::rtcp(key),
            streams: [None; MAX_STREAMS],
            gone: [None; MAX_GONE],
            clock: 0,
        }
    }

    /// Whether a packet of this key was heard.
    pub(super) fn is_heard(&self) -> bool {
        self.clock > 0
    }

    /// How far the streams have come.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let mark = |stream: &Stream| Mark {
            ssrc: stream.ssrc,
            rtp: stream.rtp.newest().or(stream.was_at),
            rtcp: stream.rtcp.newest(),
        };
        self.streams.iter().flatten().map(mark).collect()
    }

    /// Goes on with the streams of a checkpoint: what was heard before it is refused.
    pub(super) fn resume(&mut self, marks: &[Mark]) {
        for (slot, mark) in self.streams.iter_mut().zip(marks) {
            let resumed = |newest: Option<u64>| newest.map(Window::resumed).unwrap_or_default();
            *slot = Some(Stream {
                ssrc: mark.ssrc,
                rtp: resumed(mark.rtp),
                rtcp: resumed(mark.rtcp),
                was_at: None,
                heard: 0,
            });
        }
    }

    /// Tells where the streams were under another key of the same far end: RFC 3711 §3.3.1 lets
    /// the rollover counter go on over a new key, RFC 4568 §7.1.4 lets it begin anew with one.
    pub(super) fn follow(&mut self, former: &Unprotector) {
        self.streams = former.streams;
        for stream in self.streams.iter_mut().flatten() {
            stream.was_at = stream.rtp.newest().or(stream.was_at);
            (stream.rtp, stream.rtcp) = (Window::default(), Window::default());
        }
    }

    /// Authenticates and decrypts an RTP packet where it lies; gives its length without the tag. A
    /// refused one may be lost.
    pub(super) fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let length = packet
            .len()
            .checked_sub(self.rtp.tag_octets())
            .ok_or(Refusal::Malformed)?;
        let body = payload_at(&packet[..length]).ok_or(Refusal::Malformed)?;
        let ssrc = word(packet, 8).ok_or(Refusal::Malformed)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let known = self.known(ssrc)?;
        let window = known.map(|known| known.rtp).unwrap_or_default();
        let first = match known.and_then(|known| known.was_at) {
            Some(was_at) => nearest(was_at, sequence),
            None => window.index(sequence),
        };
        let anew = u64::from(sequence);
        if !window.is_new(first) {
            return Err(Refusal::Replayed);
        }
        let is_unsure = known.is_some_and(|known| known.was_at.is_some()) && first != anew;
        let index = if is_unsure {
            twice(packet, |packet, is_again| {
                let index = if is_again { anew } else { first };
                self.open(packet, (ssrc, index), body).map(|()| index)
            })?
        } else {
            self.open(packet, (ssrc, first), body)?;
            first
        };
        let stream = self.stream(ssrc);
        stream.was_at = None;
        stream.rtp.take(index);
        Ok(length)
    }

    /// Authenticates and decrypts a compound RTCP packet where it lies.
    pub(super) fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let octets = self.rtcp.tag_octets();
        let length = packet
            .len()
            .checked_sub(octets + 4)
            .filter(|length| *length >= REPORT_HEADER && packet[0] >> 6 == 2)
            .ok_or(Refusal::Malformed)?;
        let (packet, rest) = packet.split_at_mut(length);
        let (beside, tag) = match self.rtcp.is_gcm() {
            true => (&rest[octets..], &rest[..octets]),
            false => (&rest[..4], &rest[4..]),
        };
        let flagged = word(beside, 0).ok_or(Refusal::Malformed)?;
        let ssrc = word(packet, 4).ok_or(Refusal::Malformed)?;
        let index = u64::from(flagged & !ENCRYPTED);
        if self
            .known(ssrc)?
            .is_some_and(|known| !known.rtcp.is_new(index))
        {
            return Err(Refusal::Replayed);
        }
        let mut sealing = Sealing {
            ssrc,
            index,
            packet,
            body: REPORT_HEADER,
            beside: flagged.to_be_bytes(),
        };
        if flagged & ENCRYPTED == 0 {
            self.rtcp.check_clear(&sealing, tag)
        } else {
            self.rtcp.open(&mut sealing, tag)
        }
        .map_err(|_| Refusal::Forged)?;
        self.stream(ssrc).rtcp.take(index);
        Ok(length)
    }

    fn open(
        &self,
        packet: &mut [u8],
        (ssrc, index): (u32, u64),
        body: usize,
    ) -> Result<(), Refusal> {
        let (packet, tag) = packet.split_at_mut(packet.len() - self.rtp.tag_octets());
        let mut sealing = Sealing {
            ssrc,
            index,
            packet,
            body,
            beside: ((index >> 16) as u32).to_be_bytes(),
        };
        self.rtp
            .open(&mut sealing, tag)
            .map_err(|_| Refusal::Forged)
    }

    /// The stream of an SSRC, when it has one.
    fn known(&self, ssrc: u32) -> Result<Option<&Stream>, Refusal> {
        let known = self
            .streams
            .iter()
            .flatten()
            .find(|known| known.ssrc == ssrc);
        match known {
            None if self.gone.contains(&Some(ssrc)) => Err(Refusal::Replayed),
            known => Ok(known),
        }
    }

    /// The stream of an SSRC that has just proved to have the key.
    fn stream(&mut self, ssrc: u32) -> &mut Stream {
        self.clock += 1;
        let is_it = |slot: &Option<Stream>| slot.is_some_and(|known| known.ssrc == ssrc);
        let place = self.streams.iter().position(is_it).unwrap_or_else(|| {
            let heard = |place: &usize| self.streams[*place].map_or(0, |known| known.heard + 1);
            (0..MAX_STREAMS).min_by_key(heard).unwrap_or(0)
        });
        let slot = &mut self.streams[place];
        if !is_it(slot)
            && let Some(pushed_out) = slot.take()
        {
            self.gone.rotate_right(1);
            self.gone[0] = Some(pushed_out.ssrc);
        }
        let stream = slot.get_or_insert(Stream {
            ssrc,
            rtp: Window::default(),
            rtcp: Window::default(),
            was_at: None,
            heard: 0,
        });
        stream.heard = self.clock;
        stream
    }
}

/// Tries a packet, and once more as it came if it was forged: AES-GCM loses what it refuses.
pub(super) fn twice<T>(
    packet: &mut [u8],
    mut attempt: impl FnMut(&mut [u8], bool) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut copy = [0; MAX_TRIED_TWICE];
    let copy = copy.get_mut(..packet.len()).ok_or(Refusal::Malformed)?;
    copy.copy_from_slice(packet);
    match attempt(packet, false) {
        Err(Refusal::Forged) => {
            packet.copy_from_slice(copy);
            attempt(packet, true)
        }
        other => other,
    }
}
