//! RTCP of one leg: when reports are due, where they go, what the far end reported.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::media::rtcp::{Compound, Item, NtpTime, SenderInfo, write_goodbye, write_report};

use super::leg::Leg;

/// RFC 3550 §6.2 asks for at least 5 s at our size of session.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// One leg's RTCP.
#[derive(Debug)]
pub(super) struct Reports {
    /// When the next is due.
    pub(super) next: Timestamp,
    negotiated: Option<SocketAddr>,
    /// Where the far end's RTCP comes from, when that is elsewhere.
    heard_from: Option<SocketAddr>,
    /// Middle of the NTP time of its last sender report, and when that came.
    last_sender: Option<(u32, Timestamp)>,
    /// Packets sent when we last reported.
    reported_packets: u64,
}

impl Reports {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            next: now + INTERVAL,
            negotiated: None,
            heard_from: None,
            last_sender: None,
            reported_packets: 0,
        }
    }

    pub(super) fn negotiate(&mut self, rtp: Option<SocketAddr>, rtcp: Option<SocketAddr>) {
        let above = |rtp: SocketAddr| {
            let port = rtp.port().checked_add(1)?;
            Some(SocketAddr::new(rtp.ip(), port))
        };
        let negotiated = rtcp.or_else(|| rtp.and_then(above));
        if negotiated.is_some() && negotiated != self.negotiated {
            self.heard_from = None;
            self.negotiated = negotiated;
        }
    }

    fn handle(&mut self, now: Timestamp, from: SocketAddr, compound: &Compound<'_>) {
        self.heard_from = Some(from);
        compound.for_each(|item| {
            if let Item::Sender { info, .. } = item {
                self.last_sender = Some((info.ntp.middle(), now));
            }
        });
    }
}

impl Leg {
    /// Takes in a datagram of the RTCP port, or a multiplexed one; says whether it was believed.
    pub(super) fn handle_rtcp(&mut self, now: Timestamp, from: SocketAddr, bytes: &[u8]) -> bool {
        let known = [self.latch.source(), self.reports.negotiated];
        let believed = known.iter().flatten().any(|known| known.ip() == from.ip());
        match Compound::parse(bytes) {
            Ok(compound) if believed => {
                self.reports.handle(now, from, &compound);
                true
            }
            _ => false,
        }
    }

    /// Writes the report that is due into `buffer`; returns its length.
    pub(super) fn report(
        &mut self,
        now: Timestamp,
        cname: &str,
        buffer: &mut [u8],
    ) -> Option<usize> {
        self.reports.next = now + INTERVAL;
        let (packets, octets) = self.out.sent();
        let has_sent = packets > self.reports.reported_packets;
        self.reports.reported_packets = packets;
        // Counters of RTCP wrap (RFC 3550 §6.4.1).
        let sender = has_sent.then(|| SenderInfo {
            ntp: NtpTime::from_timestamp(now),
            timestamp: self.out.sample_at(now),
            packets: packets as u32,
            octets: octets as u32,
        });
        let (last, delay) = self.reports.last_sender.map_or((0, 0), |(middle, came)| {
            let delay = now.since(came).as_micros() * 65_536 / 1_000_000;
            (middle, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        let block = self.inbound.reception.report(last, delay);
        if sender.is_none() && block.is_none() {
            return None;
        }
        let ssrc = self.out.ssrc();
        write_report(buffer, ssrc, sender.as_ref(), block.as_ref(), cname)
    }

    /// Writes the goodbye into `buffer`, when anything was ever sent.
    pub(super) fn goodbye(&self, cname: &str, buffer: &mut [u8]) -> Option<usize> {
        (self.out.sent().0 > 0).then_some(())?;
        write_goodbye(buffer, self.out.ssrc(), cname)
    }

    /// Sends the RTCP in the first `length` octets of the buffer where it belongs; says whether it went.
    pub(super) fn send_rtcp(&mut self, now: Timestamp, buffer: &mut [u8], length: usize) -> bool {
        let Some(is_muxed) = self.flow.as_ref().map(|flow| flow.rtcp_mux) else {
            return false;
        };
        if is_muxed {
            let to = self.latch.destination();
            self.show_sent(now, self.ports.rtp, to, &buffer[..length]);
            let Some(length) = self.protect_rtcp(buffer, length) else {
                return false;
            };
            let bytes = &buffer[..length];
            return to.is_some_and(|to| self.rtp.send(bytes, to).is_ok());
        }
        let elsewhere = self.latch.source().filter(|_| self.latch.is_elsewhere());
        let above = |rtp: SocketAddr| {
            let port = rtp.port().checked_add(1)?;
            Some(SocketAddr::new(rtp.ip(), port))
        };
        let to = self
            .reports
            .heard_from
            .or_else(|| elsewhere.and_then(above))
            .or(self.reports.negotiated);
        self.show_sent(now, self.ports.rtcp, to, &buffer[..length]);
        let Some(length) = self.protect_rtcp(buffer, length) else {
            return false;
        };
        let bytes = &buffer[..length];
        to.is_some_and(|to| self.rtcp.send(bytes, to).is_ok())
    }
}
