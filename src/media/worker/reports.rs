//! RTCP of one leg: when reports are due, where they go, what the far end reported.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::events::Way;
use crate::media::Notice;
use crate::media::quality::Outage;
use crate::media::rtcp::{
    Compound, Item, NtpTime, ReportBlock, SenderInfo, write_goodbye, write_report,
};

use super::leg::{Inbound, Leg};

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
    /// Who told us its clock (RFC 3611 §4.4), the middle of it, and when that came.
    reference: Option<(u32, u32, Timestamp)>,
    /// Intervals measured.
    measured: u32,
}

impl Reports {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            next: now + INTERVAL,
            negotiated: None,
            heard_from: None,
            last_sender: None,
            reported_packets: 0,
            reference: None,
            measured: 0,
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
}

/// What a datagram of RTCP led to.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) is_believed: bool,
    pub(super) notice: Option<Notice>,
}

impl Leg {
    /// Takes in a datagram of the RTCP port, or a multiplexed one.
    pub(super) fn handle_rtcp(&mut self, now: Timestamp, from: SocketAddr, bytes: &[u8]) -> Told {
        let known = [self.latch.source(), self.reports.negotiated];
        let believed = known.iter().flatten().any(|known| known.ip() == from.ip());
        let Some(compound) = Compound::parse(bytes).ok().filter(|_| believed) else {
            return Told::default();
        };
        self.reports.heard_from = Some(from);
        let ssrc = self.out.ssrc();
        // The first block about our stream counts: there is no honest second one.
        let mut about_us = None;
        let mut is_report = false;
        compound.for_each(|item| match item {
            Item::Sender { info, .. } => {
                is_report = true;
                self.reports.last_sender = Some((info.ntp.middle(), now));
                self.watch.sender_report(now, info.packets);
            }
            Item::Receiver { .. } => is_report = true,
            Item::Report { block, .. } if block.ssrc == ssrc => {
                about_us.get_or_insert(block);
            }
            Item::ReferenceTime { from, time } => {
                self.reports.reference = Some((from, time.middle(), now));
            }
            Item::LastReceiverReport { last, .. } if last.ssrc == ssrc => {
                let time = last.round_trip(NtpTime::from_timestamp(now));
                if let Some(time) = time {
                    self.quality.round_trip(time);
                }
            }
            Item::Voip { metrics, .. } if metrics.ssrc == ssrc => self.quality.told(metrics),
            _ => {}
        });
        let back = match about_us {
            Some(block) => self.reported(now, &block),
            None if is_report => {
                self.watch.mute_report(self.out.sent().0);
                None
            }
            None => None,
        };
        let (leg, way) = (self.id, Way::Heard);
        Told {
            is_believed: true,
            notice: back.map(|after| Notice::AudioBack { leg, way, after }),
        }
    }

    /// Takes in what the far end received of our stream.
    fn reported(&mut self, now: Timestamp, block: &ReportBlock) -> Option<Duration> {
        if let Some(time) = block.round_trip(NtpTime::from_timestamp(now)) {
            self.quality.round_trip(time);
        }
        let flow = self.flow.as_ref()?;
        self.quality
            .reported(flow.codec, block, self.out.clock_hz());
        let sent = self.out.sent().0;
        self.watch
            .receiver_report(now, block.highest_sequence, sent)
    }

    /// Takes the figures of the interval that ends now; what is to be told of them, every other
    /// time.
    pub(super) fn measure(&mut self) -> Option<Notice> {
        let codec = self.flow.as_ref()?.codec;
        let received = self.received();
        self.quality.receive(codec, received);
        self.reports.measured = self.reports.measured.wrapping_add(1);
        let is_told = self.reports.measured % 2 == 1;
        let is_used = received.received > 0 || self.out.sent().0 > 0;
        (is_told && is_used).then(|| Notice::Quality {
            leg: self.id,
            media: self.summary(),
        })
    }

    /// A direction that has been without sound for too long, once.
    pub(super) fn missed_sound(&mut self, now: Timestamp) -> Option<Notice> {
        let Inbound {
            reception, heard, ..
        } = &self.inbound;
        if reception.pauses() {
            self.watch.pause();
        }
        let counts = (reception.received(), self.out.sent().0);
        let (way, since, why) = self.watch.look(now, *heard, counts)?;
        let outage = Outage {
            way,
            since,
            port: self.ports.rtp.port(),
            remote: self.flow.as_ref().and_then(|flow| flow.remote),
            why,
        };
        let leg = self.id;
        Some(Notice::AudioLost { leg, outage })
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
