//! Protects what a leg sends: RTP of its SSRC, and its reports.

use super::cipher::{Cipher, REPORT_HEADER, Sealing};
use super::keys::MasterKey;
use super::window::Window;
use super::{Unsent, payload_at, word};

/// One direction's protection.
pub(super) struct Protector {
    rtp: Cipher,
    rtcp: Cipher,
    /// The SSRC that speaks, and the numbers it has used.
    sent: (u32, Window),
    /// Index of the next report, 31 bits; every report of every SSRC has its own.
    next_report: u32,
}

/// The flag that says a report is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// 48 bits (RFC 3711 §3.3.1).
const LAST_INDEX: u64 = (1 << 48) - 1;

impl Protector {
    /// Protection by a key that was never used.
    pub(super) fn new(key: &MasterKey) -> Self {
        Self {
            rtp: Cipher::rtp(key),
            rtcp: Cipher::rtcp(key),
            sent: (0, Window::default()),
            next_report: 0,
        }
    }

    /// Encrypts the RTP packet in the first `length` octets of the buffer and puts its tag behind;
    /// gives the length now. A new SSRC begins a new count: whoever changes to one must never come
    /// back to one before.
    pub(super) fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Unsent> {
        let packet = buffer.get_mut(..length).ok_or(Unsent::Malformed)?;
        let body = payload_at(packet).ok_or(Unsent::Malformed)?;
        let ssrc = word(packet, 8).ok_or(Unsent::Malformed)?;
        if self.sent.0 != ssrc {
            self.sent = (ssrc, Window::default());
        }
        let window = &mut self.sent.1;
        let index = window.index(u16::from_be_bytes([packet[2], packet[3]]));
        if index > LAST_INDEX {
            return Err(Unsent::Exhausted);
        }
        if !window.is_new(index) {
            return Err(Unsent::Repeated);
        }
        let octets = self.rtp.tag_octets();
        if buffer.len() < length + octets {
            return Err(Unsent::Malformed);
        }
        // Taken even when sealing fails: no number is ever sealed twice.
        window.take(index);
        let (packet, rest) = buffer.split_at_mut(length);
        let tag = self.rtp.seal(&mut Sealing {
            ssrc,
            index,
            packet,
            body,
            beside: ((index >> 16) as u32).to_be_bytes(),
        });
        rest[..octets].copy_from_slice(&tag.ok_or(Unsent::Malformed)?[..octets]);
        Ok(length + octets)
    }

    /// Encrypts the compound RTCP packet in the first `length` octets of the buffer.
    pub(super) fn protect_rtcp(
        &mut self,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, Unsent> {
        let octets = self.rtcp.tag_octets();
        let end = length + 4 + octets;
        if length < REPORT_HEADER || buffer.len() < end {
            return Err(Unsent::Malformed);
        }
        let index = self.next_report;
        if index & ENCRYPTED != 0 {
            return Err(Unsent::Exhausted);
        }
        self.next_report += 1;
        let beside = (index | ENCRYPTED).to_be_bytes();
        let (packet, rest) = buffer.split_at_mut(length);
        let ssrc = word(packet, 4).ok_or(Unsent::Malformed)?;
        let tag = self.rtcp.seal(&mut Sealing {
            ssrc,
            index: index.into(),
            packet,
            body: REPORT_HEADER,
            beside,
        });
        let tag = &tag.ok_or(Unsent::Malformed)?[..octets];
        let parts = match self.rtcp.is_gcm() {
            true => [tag, &beside],
            false => [&beside, tag],
        };
        let (first, second) = rest[..4 + octets].split_at_mut(parts[0].len());
        first.copy_from_slice(parts[0]);
        second.copy_from_slice(parts[1]);
        Ok(end)
    }
}

#[cfg(test)]
impl Protector {
    /// One whose next packet has this index, and whose next report that.
    pub(super) fn at(mut self, (ssrc, index): (u32, u64), report: u32) -> Self {
        self.sent = (ssrc, Window::resumed(index - 1));
        self.next_report = report;
        self
    }

    /// The index of the newest packet.
    pub(super) fn newest(&self) -> Option<u64> {
        self.sent.1.newest()
    }
}
