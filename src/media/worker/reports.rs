//! RTCP of one leg: when reports are due, where they go, what the far end reported.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::events::{MediaSummary, Way};
use crate::media::quality::Outage;
use crate::media::rtcp::{
    Compound, Extended, Item, LastReceiverReport, NtpTime, ReportBlock, SenderInfo, VoipMetrics,
    append_extended, write_goodbye, write_report,
};
use crate::media::{Codec, Notice};

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

/// Time gone in 1/65536 s, as reports count it.
fn units_since(from: Timestamp, now: Timestamp) -> u32 {
    let units = now.since(from).as_micros() * 65_536 / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
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
    pub(super) fn measure(&mut self) -> Option<MediaSummary> {
        let codec = self.flow.as_ref()?.codec;
        let received = self.received();
        self.quality.receive(codec, received);
        self.reports.measured = self.reports.measured.wrapping_add(1);
        let is_told = self.reports.measured % 2 == 1;
        let is_used = received.received > 0 || self.out.sent().0 > 0;
        (is_told && is_used).then(|| self.summary())
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
        let (last, delay) = self
            .reports
            .last_sender
            .map_or((0, 0), |(middle, came)| (middle, units_since(came, now)));
        let block = self.inbound.reception.report(last, delay);
        if sender.is_none() && block.is_none() {
            return None;
        }
        let ssrc = self.out.ssrc();
        let length = write_report(buffer, ssrc, sender.as_ref(), block.as_ref(), cname)?;
        let extended = self.extended(now, sender.is_none());
        if extended == Extended::default() {
            return Some(length);
        }
        append_extended(buffer, length, ssrc, &extended).or(Some(length))
    }

    /// What the far end asked for beyond that; our clock only when no sender report carries it.
    fn extended(&self, now: Timestamp, only_receives: bool) -> Extended {
        let Some(flow) = &self.flow else {
            return Extended::default();
        };
        let asked = flow.extended_reports;
        let reference = self.reports.reference.filter(|_| asked.round_trip);
        let own_clock = (asked.round_trip && only_receives).then(|| NtpTime::from_timestamp(now));
        Extended {
            reference_time: own_clock,
            last_receiver_report: reference.map(|(ssrc, last_report, came)| LastReceiverReport {
                ssrc,
                last_report,
                delay: units_since(came, now),
            }),
            voip: asked
                .voip_metrics
                .then(|| self.voip_metrics(flow.codec))
                .flatten(),
        }
    }

    /// How we hear the far end, as an extended report tells it (RFC 3611 §4.7).
    fn voip_metrics(&self, codec: Codec) -> Option<VoipMetrics> {
        let ssrc = self.inbound.reception.ssrc()?;
        let now = self.received();
        let opinion = self.quality.opinion(codec, &now);
        let expected = (now.received + now.lost).max(1) as f32;
        let share = |part: f32| (part * 256.0).clamp(0.0, 255.0) as u8;
        let millis = |packets: f32| (packets * now.packet_ms).clamp(0.0, 65_535.0) as u16;
        let tenths = |opinion: f32| (opinion * 10.0).round().clamp(10.0, 50.0) as u8;
        let round_trip = self.quality.last_round_trip();
        let buffer = now.buffer_ms.map_or(0, |depth| depth as u16);
        Some(VoipMetrics {
            ssrc,
            loss_rate: share(now.lost as f32 / expected),
            discard_rate: share(now.late as f32 / expected),
            burst_density: share(now.pattern.burst_density),
            gap_density: share(now.pattern.gap_density),
            burst_duration: millis(now.pattern.burst_packets),
            gap_duration: millis(now.pattern.gap_packets),
            round_trip_delay: round_trip.map_or(0, |time| time.as_millis().min(65_535) as u16),
            end_system_delay: buffer,
            rating: opinion.rating.round().clamp(0.0, 100.0) as u8,
            mos_listening: tenths(opinion.listening),
            mos_conversation: tenths(opinion.conversation),
            // Standard concealment, an adaptive buffer, rate unknown; nothing when we do not play.
            config: if now.buffer_ms.is_some() {
                0b1111_0000
            } else {
                0
            },
            buffer_nominal: buffer,
            buffer_maximum: buffer,
            buffer_limit: buffer,
        })
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
