//! A leg's figures over its life, taken at every report (5 s): smallest, mean, largest, latest.

use std::time::Duration;

use super::{Path, Pattern};
use crate::events::{Figure, MediaSummary};
use crate::media::Codec;
use crate::media::rtcp::{ReportBlock, VoipMetrics};

/// What was received so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Packets.
    pub(crate) received: u64,
    /// Packets that never came.
    pub(crate) lost: u64,
    /// Packets that came too late to be played.
    pub(crate) late: u64,
    /// Interarrival jitter now, milliseconds.
    pub(crate) jitter_ms: f32,
    /// How long what is received waits until it is played; `None` when somebody else plays it.
    pub(crate) buffer_ms: Option<f32>,
    /// Length of a packet, milliseconds.
    pub(crate) packet_ms: f32,
    /// How losses fall.
    pub(crate) pattern: Pattern,
}

/// The figures of one leg.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quality {
    said: Tally,
    heard: Tally,
    round_trip: Tally,
    heard_loss: Tally,
    heard_jitter: Tally,
    jitter_max_ms: f32,
    /// At the last report.
    before: Received,
    /// What the far end last said of itself (RFC 3611 §4.7).
    voip: Option<VoipMetrics>,
}

/// Estimated opinion and rating of a stream, as an RTCP XR block carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Opinion {
    /// R, 0 to 93.2.
    pub(crate) rating: f32,
    /// MOS without the delay.
    pub(crate) listening: f32,
    /// MOS with it.
    pub(crate) conversation: f32,
}

/// Fewer packets than this in an interval say nothing of it (half a second).
const ENOUGH_PACKETS: u64 = 25;

/// A round trip beyond this is a clock that was set, or a lie.
const MOST_ROUND_TRIP: Duration = Duration::from_secs(30);

/// What a device keeps in its buffer at least, milliseconds: two packets.
const USUAL_BUFFER_MS: f32 = 40.0;

impl Quality {
    /// An interval of reception is over.
    pub(crate) fn receive(&mut self, codec: Codec, now: Received) {
        let before = std::mem::replace(&mut self.before, now);
        let came = now.received.saturating_sub(before.received);
        let lost = now.lost.saturating_sub(before.lost);
        let late = now.late.saturating_sub(before.late);
        self.jitter_max_ms = self.jitter_max_ms.max(now.jitter_ms);
        if came + lost < ENOUGH_PACKETS {
            return;
        }
        let loss = (lost + late) as f32 / (came + lost) as f32;
        self.said.add(self.said_path(codec, &now, loss).mos());
    }

    /// The far end reported what it received of our stream, whose clock runs at `clock_hz`.
    pub(crate) fn reported(&mut self, codec: Codec, block: &ReportBlock, clock_hz: u32) {
        let jitter_ms = block.jitter as f32 * 1000.0 / clock_hz.max(1) as f32;
        let jitter_ms = jitter_ms.min(MOST_JITTER_MS);
        let discarded = self
            .voip
            .map_or(0.0, |voip| f32::from(voip.discard_rate) / 256.0);
        let loss = f32::from(block.fraction_lost) / 256.0;
        self.heard_loss.add(loss * 1000.0);
        self.heard_jitter.add(jitter_ms);
        let buffer_ms = self
            .voip
            .and_then(|voip| voip.buffer_ms())
            .unwrap_or((2.0 * jitter_ms).max(USUAL_BUFFER_MS));
        let path = Path {
            codec,
            // RX config 01: concealment disabled (RFC 3611 §4.7.6).
            concealed: self.voip.is_none_or(|voip| voip.conceals()),
            loss: (loss + discarded).min(1.0),
            burst_ratio: 1.0,
            delay_ms: self.one_way() + PACKET_MS + buffer_ms,
        };
        self.heard.add(path.mos());
    }

    /// The far end told its own VoIP metrics of our stream.
    pub(crate) fn told(&mut self, voip: VoipMetrics) {
        self.voip = Some(voip);
    }

    /// A round trip was measured.
    pub(crate) fn round_trip(&mut self, time: Duration) {
        if time <= MOST_ROUND_TRIP {
            self.round_trip.add(time.as_secs_f32() * 1000.0);
        }
    }

    /// The last round trip, when there was one.
    pub(crate) fn last_round_trip(&self) -> Option<Duration> {
        let figure = self.round_trip.figure()?;
        Some(Duration::from_secs_f32(figure.now / 1000.0))
    }

    /// The opinion of what is received, over the whole life of the stream.
    pub(crate) fn opinion(&self, codec: Codec, now: &Received) -> Opinion {
        let expected = (now.received + now.lost).max(1);
        let loss = (now.lost + now.late) as f32 / expected as f32;
        let path = self.said_path(codec, now, loss);
        let silent = Path {
            delay_ms: 0.0,
            ..path
        };
        Opinion {
            rating: path.rating(),
            listening: silent.mos(),
            conversation: path.mos(),
        }
    }

    /// All of it, as records tell it.
    pub(crate) fn summary(&self, now: &Received, sent: u64, refused: u64) -> MediaSummary {
        let expected = (now.received + now.lost).max(1) as f32;
        let tenths = |value: f32| (value * 10.0).round() / 10.0;
        MediaSummary {
            received: now.received,
            sent,
            lost: now.lost,
            refused,
            jitter_ms: f64::from(now.jitter_ms),
            jitter_max_ms: tenths(self.jitter_max_ms.max(now.jitter_ms)),
            late: now.late,
            loss_permille: tenths((now.lost + now.late) as f32 * 1000.0 / expected),
            bursts: now.pattern.bursts,
            burst_ms: tenths(now.pattern.burst_packets * now.packet_ms),
            burst_loss_permille: tenths(now.pattern.burst_density * 1000.0),
            round_trip_ms: self.round_trip.figure(),
            mos_said: self.said.figure(),
            mos_heard: self.heard.figure(),
            heard_loss_permille: self.heard_loss.figure(),
            heard_jitter_ms: self.heard_jitter.figure(),
        }
    }

    fn said_path(&self, codec: Codec, now: &Received, loss: f32) -> Path {
        // A relayed stream is played by a telephone we know nothing of but that it must bear the
        // jitter.
        let buffer_ms = now
            .buffer_ms
            .unwrap_or((2.0 * now.jitter_ms).max(USUAL_BUFFER_MS));
        Path {
            codec,
            concealed: true,
            loss: loss.min(1.0),
            burst_ratio: now.pattern.burst_ratio.max(1.0),
            delay_ms: self.one_way() + now.packet_ms + buffer_ms,
        }
    }

    /// Half the round trip, as far as it is known.
    fn one_way(&self) -> f32 {
        self.round_trip
            .figure()
            .map_or(0.0, |figure| figure.now / 2.0)
    }
}

/// Length of what we usually send, milliseconds.
const PACKET_MS: f32 = 20.0;

/// No device reports an honest jitter beyond this.
const MOST_JITTER_MS: f32 = 10_000.0;

/// A figure as it grows.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u32,
    sum: f64,
    min: f32,
    max: f32,
    now: f32,
}

impl Tally {
    fn add(&mut self, value: f32) {
        if !value.is_finite() {
            return;
        }
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.now = value;
        self.sum += f64::from(value);
        self.count = self.count.saturating_add(1);
    }

    fn figure(&self) -> Option<Figure> {
        let hundredths = |value: f32| (value * 100.0).round() / 100.0;
        (self.count > 0).then(|| Figure {
            min: hundredths(self.min),
            mean: hundredths((self.sum / f64::from(self.count)) as f32),
            max: hundredths(self.max),
            now: hundredths(self.now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(received: u64, lost: u64) -> Received {
        Received {
            received,
            lost,
            packet_ms: 20.0,
            ..Received::default()
        }
    }

    #[test]
    fn an_interval_with_loss_shows_in_the_minimum_and_passes() {
        let mut quality = Quality::default();
        quality.receive(Codec::Pcmu, received(250, 0));
        quality.receive(Codec::Pcmu, received(475, 25));
        quality.receive(Codec::Pcmu, received(725, 25));
        // Too short to say anything.
        quality.receive(Codec::Pcmu, received(730, 35));
        let now = received(730, 35);
        let summary = quality.summary(&now, 0, 0);
        let mos = summary.mos_said.expect("an opinion");
        assert!(mos.now > 4.3 && mos.max == mos.now, "{mos:?}");
        assert!((2.9..3.4).contains(&mos.min), "{mos:?}");
        assert!(mos.min < mos.mean && mos.mean < mos.max);
        assert_eq!(summary.loss_permille, 45.8);
    }

    #[test]
    fn what_the_far_end_reports_makes_the_other_opinion() {
        let mut quality = Quality::default();
        let block = ReportBlock {
            fraction_lost: 13,
            jitter: 80,
            ..ReportBlock::default()
        };
        quality.round_trip(Duration::from_millis(120));
        quality.round_trip(Duration::from_secs(3600));
        quality.reported(Codec::Pcmu, &block, 8000);
        let summary = quality.summary(&Received::default(), 0, 0);
        assert_eq!(summary.mos_said, None);
        let figure = summary.heard_jitter_ms.expect("jitter");
        assert_eq!(figure.now, 10.0);
        let mos = summary.mos_heard.expect("an opinion").now;
        assert!((3.5..4.0).contains(&mos), "{mos}");
        assert_eq!(summary.round_trip_ms.expect("one").now, 120.0);
        // It says that it conceals nothing: the same loss is far worse.
        quality.told(VoipMetrics {
            config: 0b0100_0000,
            ..VoipMetrics::default()
        });
        quality.reported(Codec::Pcmu, &block, 8000);
        let worse = quality.summary(&Received::default(), 0, 0).mos_heard;
        assert!(worse.expect("an opinion").now < 2.2, "{worse:?}");
    }

    #[test]
    fn nothing_in_it_is_ever_not_a_number() {
        let mut quality = Quality::default();
        let block = ReportBlock {
            fraction_lost: 255,
            jitter: u32::MAX,
            ..ReportBlock::default()
        };
        quality.told(VoipMetrics {
            discard_rate: 255,
            ..VoipMetrics::default()
        });
        quality.reported(Codec::Pcma, &block, 0);
        quality.receive(Codec::Pcma, received(0, u64::from(u32::MAX)));
        let summary = quality.summary(&received(0, 1), 0, 0);
        let text = serde_json::to_string(&summary).expect("JSON");
        assert_eq!(
            serde_json::from_str::<MediaSummary>(&text).ok(),
            Some(summary),
            "{text}"
        );
    }
}
