//! Opus (RFC 6716) by libopus, mono, as RTP carries it (RFC 7587).
//!
//! libopus allocates in the two constructors only (its frames live on the stack), so both are made
//! where a call is set up. Any of our rates may be asked of either end, whatever the other side
//! sends or plays: the bandwidth is in each packet.

use super::OpusTerms;
use crate::media::Rate;

/// What decodes one stream.
#[derive(Debug)]
pub(super) struct OpusDecoder {
    inner: opus::Decoder,
    rate: Rate,
}

/// What encodes one stream.
#[derive(Debug)]
pub(super) struct OpusEncoder {
    inner: opus::Encoder,
    rate: Rate,
}

impl OpusDecoder {
    pub(super) fn new(rate: Rate) -> Self {
        let inner = opus::Decoder::new(rate.hz(), opus::Channels::Mono);
        Self {
            inner: inner.expect("libopus takes 8, 16 and 48 kHz"),
            rate,
        }
    }

    /// Its rate.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn duration(&self, payload: &[u8]) -> usize {
        opus::packet::get_nb_samples(payload, self.rate.hz()).unwrap_or(0)
    }

    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        // To libopus, no octets are a lost packet.
        if payload.is_empty() {
            return 0;
        }
        self.inner.decode(payload, samples, false).unwrap_or(0)
    }

    pub(super) fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> usize {
        let frame = opus::packet::get_samples_per_frame(next, self.rate.hz()).unwrap_or(0);
        let length = self.whole_units(samples.len());
        if frame == 0 || length < frame || !tells_of_the_one_before(next) {
            return 0;
        }
        let lost = &mut samples[..length];
        self.inner.decode(next, lost, true).unwrap_or(0)
    }

    pub(super) fn conceal(&mut self, samples: &mut [i16]) -> usize {
        let length = self.whole_units(samples.len());
        if length == 0 {
            return 0;
        }
        let lost = &mut samples[..length];
        self.inner.decode(&[], lost, false).unwrap_or(0)
    }

    /// libopus makes up for whole multiples of 2.5 ms, 120 ms at most.
    fn whole_units(&self, samples: usize) -> usize {
        let unit = self.rate.hz() as usize / 400;
        (samples / unit).min(48) * unit
    }
}

impl OpusEncoder {
    pub(super) fn new(rate: Rate, terms: OpusTerms) -> Self {
        let mode = opus::Application::Voip;
        let inner = opus::Encoder::new(rate.hz(), opus::Channels::Mono, mode);
        let mut encoder = Self {
            inner: inner.expect("libopus takes 8, 16 and 48 kHz"),
            rate,
        };
        let outcome = encoder.configure(terms);
        debug_assert!(outcome.is_ok(), "{outcome:?}");
        encoder
    }

    fn configure(&mut self, terms: OpusTerms) -> opus::Result<()> {
        let (bandwidth, voice, correction) = match terms.max_playback_hz.min(self.rate.hz()) {
            0..12_000 => (opus::Bandwidth::Narrowband, 16_000, 4_000),
            12_000..16_000 => (opus::Bandwidth::Mediumband, 20_000, 4_000),
            16_000..24_000 => (opus::Bandwidth::Wideband, 24_000, 4_000),
            24_000..48_000 => (opus::Bandwidth::Superwideband, 28_000, 6_000),
            _ => (opus::Bandwidth::Fullband, 32_000, 6_000),
        };
        // libopus leaves correction out when the voice would suffer: it is given room.
        let usual = if terms.in_band_fec {
            voice + correction
        } else {
            voice
        };
        // RFC 7587 §6.1: 6 to 510 kbit/s.
        let most = terms.max_bitrate.unwrap_or(usual).max(6_000);
        let bitrate = usual.min(most) as i32;
        self.inner.set_bitrate(opus::Bitrate::Bits(bitrate))?;
        self.inner.set_vbr(!terms.constant_bitrate)?;
        self.inner.set_max_bandwidth(bandwidth)?;
        self.inner.set_complexity(COMPLEXITY)?;
        self.inner.set_signal(opus::Signal::Voice)?;
        self.inner.set_inband_fec(terms.in_band_fec)?;
        self.inner.set_dtx(terms.dtx)?;
        self.set_expected_loss(USUAL_LOSS);
        Ok(())
    }

    /// Its rate.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// How many packets of a hundred the far end is thought to lose: what it costs is spent on
    /// forward error correction.
    pub(super) fn set_expected_loss(&mut self, percent: u8) {
        let _ = self.inner.set_packet_loss_perc(percent.min(100).into());
    }

    /// Encodes 10, 20, 40 or 60 ms; 0 for anything else, and while silence is not sent.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let milliseconds = samples.len() * 1000 / self.rate.hz() as usize;
        if !matches!(milliseconds, 10 | 20 | 40 | 60) {
            return 0;
        }
        let octets = self.inner.encode(samples, payload).unwrap_or(0);
        // A packet of two octets or fewer need not be sent.
        if octets > 2 { octets } else { 0 }
    }
}

/// Whether the first frame of a packet holds its predecessor once more, coarser (LBRR, RFC 6716
/// §4.2.3 and §4.2.4): a flag of even odds behind one of voice activity for each 20 ms, so both
/// are plain bits.
fn tells_of_the_one_before(packet: &[u8]) -> bool {
    let Some(table_of_contents) = packet.first() else {
        return false;
    };
    let voices = match table_of_contents >> 3 {
        // Of SILK's four lengths of 10, 20, 40 and 60 ms.
        configuration @ 0..12 => (configuration & 3).max(1),
        // Hybrid.
        12..16 => 1,
        _ => return false,
    };
    let Some(first) = first_frame(packet) else {
        return false;
    };
    let flag = |bit: u8| first >> (7 - bit) & 1 == 1;
    let is_stereo = table_of_contents & 4 != 0;
    flag(voices) || is_stereo && flag(2 * voices + 1)
}

/// The first octet of a packet's first frame (RFC 6716 §3.2).
fn first_frame(packet: &[u8]) -> Option<u8> {
    // One octet for a length up to 251, two beyond.
    let length = |at: usize| packet.get(at).map(|length| 1 + usize::from(*length > 251));
    let start = match packet.first()? & 3 {
        0 | 1 => 1,
        2 => 1 + length(1)?,
        _ => {
            let count = *packet.get(1)?;
            let mut start = 2;
            if count & 0x40 != 0 {
                while packet.get(start)? == &255 {
                    start += 1;
                }
                start += 1;
            }
            if count & 0x80 != 0 {
                for _ in 1..count & 0x3f {
                    start += length(start)?;
                }
            }
            start
        }
    };
    packet.get(start).copied()
}

/// Of libopus's 0 to 10. At 5 an encoder costs 46 us of a core in 20 ms at 8 kHz and 100 at 48; at 9
/// nobody hears more of a voice and it costs twice that.
const COMPLEXITY: i32 = 5;

/// Loss assumed before the far end reports any, per cent: without, the first loss of a call
/// would find nothing to recover from.
const USUAL_LOSS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::super::voice::sentence;
    use super::*;
    use crate::base::Entropy;

    fn packets(encoder: &mut OpusEncoder, voice: &[i16], frame: usize) -> Vec<Vec<u8>> {
        let frames = voice.chunks_exact(frame);
        frames
            .map(|frame| {
                let mut payload = [0; 1276];
                let length = encoder.encode(frame, &mut payload);
                payload[..length].to_vec()
            })
            .collect()
    }

    /// How much louder the signal is than the difference, dB, at the best of delays up to 10 ms.
    fn likeness(signal: &[i16], heard: &[i16], hz: usize) -> f64 {
        let delays = 0..hz / 100;
        let at = |delay: usize| {
            let pairs = signal.iter().zip(&heard[delay..]);
            let (energy, error) = pairs.fold((0.0, 0.0), |(energy, error), (signal, heard)| {
                let (signal, heard) = (f64::from(*signal), f64::from(*heard));
                (energy + signal * signal, error + (signal - heard).powi(2))
            });
            10.0 * (energy / error).log10()
        };
        delays.map(at).fold(f64::MIN, f64::max)
    }

    #[test]
    fn a_voice_comes_through_at_each_rate_and_length() {
        for rate in Rate::ALL {
            let voice = sentence(rate, 3, 7);
            for milliseconds in [10, 20, 40, 60] {
                let frame = rate.hz() as usize / 1000 * milliseconds;
                let mut encoder = OpusEncoder::new(rate, OpusTerms::default());
                let mut decoder = OpusDecoder::new(rate);
                let mut heard = Vec::new();
                for packet in packets(&mut encoder, &voice, frame) {
                    assert_eq!(decoder.duration(&packet), frame);
                    let mut samples = vec![0; frame];
                    assert_eq!(decoder.decode(&packet, &mut samples), frame);
                    heard.extend(samples);
                }
                let likeness = likeness(&voice[..heard.len() - 480], &heard, rate.hz() as usize);
                assert!(likeness > 7.0, "{rate:?} {milliseconds} ms: {likeness} dB");
            }
        }
    }

    /// What is heard of a voice in packets of 20 ms when some are lost: the signal by the error in
    /// what was lost, dB, against the stream without loss; and how many of the lost were recovered.
    fn loss(rate: Rate, sent: &[Vec<u8>], lost: &[bool], recovers: bool) -> (f64, usize) {
        let (mut whole, mut decoder) = (OpusDecoder::new(rate), OpusDecoder::new(rate));
        let (mut wanted, mut heard) = (vec![0; rate.frame()], vec![0; rate.frame()]);
        let (mut signal, mut error, mut recovered) = (0.0, 0.0, 0);
        for (at, packet) in sent.iter().enumerate() {
            whole.decode(packet, &mut wanted);
            if !lost[at] {
                decoder.decode(packet, &mut heard);
                continue;
            }
            let next = sent.get(at + 1).filter(|_| recovers && !lost[at + 1]);
            let told = next.map_or(0, |next| decoder.recover(next, &mut heard));
            recovered += usize::from(told == rate.frame());
            if told == 0 {
                assert_eq!(decoder.conceal(&mut heard), rate.frame());
            }
            for (wanted, heard) in wanted.iter().zip(&heard) {
                let (wanted, heard) = (f64::from(*wanted), f64::from(*heard));
                signal += wanted * wanted;
                error += (wanted - heard).powi(2);
            }
        }
        (10.0 * (signal / error).log10(), recovered)
    }

    /// Correction has to beat concealment clearly, not by luck.
    #[test]
    fn what_is_lost_is_recovered_from_the_next_packet() {
        for rate in Rate::ALL {
            let voice = sentence(rate, 20, 11);
            for percent in [1, 2, 3, 5] {
                let mut encoder = OpusEncoder::new(rate, OpusTerms::default());
                encoder.set_expected_loss(percent);
                let sent = packets(&mut encoder, &voice, rate.frame());
                let mut entropy = Entropy::from_seed(5);
                let chances = sent.iter().map(|_| entropy.below(100) < percent.into());
                let lost: Vec<bool> = chances.collect();
                let all = lost.iter().filter(|lost| **lost).count();
                let (concealed, _) = loss(rate, &sent, &lost, false);
                let (corrected, recovered) = loss(rate, &sent, &lost, true);
                println!(
                    "{rate:?}, {percent} % lost: {recovered} of {all} recovered, \
                    {concealed:.1} dB concealed, {corrected:.1} dB corrected"
                );
                // Pauses are not told of again, and nothing tells of two in a row.
                assert!(
                    recovered * 10 >= all * 7,
                    "{rate:?}, {percent} %: {recovered} of {all}"
                );
                assert!(corrected > concealed + 4.0, "{rate:?}, {percent} %");
            }
        }
    }

    #[test]
    fn nothing_is_told_of_a_loss_without_correction() {
        let voice = sentence(Rate::Wide, 2, 3);
        let (mut decoder, mut samples) = (OpusDecoder::new(Rate::Wide), [0; 320]);
        let without = OpusTerms {
            in_band_fec: false,
            ..OpusTerms::default()
        };
        let mut encoder = OpusEncoder::new(Rate::Wide, without);
        for packet in packets(&mut encoder, &voice, 320) {
            assert_eq!(decoder.recover(&packet, &mut samples), 0);
        }
        let mut encoder = OpusEncoder::new(Rate::Wide, OpusTerms::default());
        let told = packets(&mut encoder, &voice, 320)
            .iter()
            .filter(|packet| decoder.recover(packet, &mut samples) == 320)
            .count();
        assert!(told > 60, "{told} of 100");
        // Shorter than the packet tells of.
        let packet = &packets(&mut encoder, &voice, 320)[50];
        assert_eq!(decoder.recover(packet, &mut samples[..160]), 0);
    }

    #[test]
    fn silence_is_not_sent_when_the_far_end_prefers_that() {
        let terms = OpusTerms {
            dtx: true,
            ..OpusTerms::default()
        };
        let mut encoder = OpusEncoder::new(Rate::Wide, terms);
        let quiet = packets(&mut encoder, &[0; 320 * 100], 320);
        let sent = quiet.iter().filter(|packet| !packet.is_empty()).count();
        assert!((1..30).contains(&sent), "{sent} of 100");
        let mut encoder = OpusEncoder::new(Rate::Wide, OpusTerms::default());
        let quiet = packets(&mut encoder, &[0; 320 * 100], 320);
        assert!(quiet.iter().all(|packet| !packet.is_empty()));
    }

    #[test]
    fn the_far_ends_terms_bound_what_it_is_sent() {
        let voice = sentence(Rate::Full, 5, 9);
        let terms = OpusTerms {
            max_playback_hz: 16_000,
            max_bitrate: Some(12_000),
            constant_bitrate: true,
            ..OpusTerms::default()
        };
        let mut encoder = OpusEncoder::new(Rate::Full, terms);
        let sent = packets(&mut encoder, &voice, 960);
        assert!(sent.iter().all(|packet| packet.len() == 30), "12 kbit/s");
        let bandwidth = |packet: &Vec<u8>| opus::packet::get_bandwidth(packet).unwrap();
        assert!(sent.iter().map(bandwidth).all(|bandwidth| !matches!(
            bandwidth,
            opus::Bandwidth::Superwideband | opus::Bandwidth::Fullband
        )));
    }

    #[test]
    fn junk_is_heard_as_nothing_and_breaks_nothing() {
        let mut entropy = Entropy::from_seed(6716);
        let mut decoder = OpusDecoder::new(Rate::Narrow);
        let mut samples = [0; 960];
        for _ in 0..20_000 {
            let length = entropy.below(40) as usize;
            let junk: Vec<u8> = (0..length).map(|_| entropy.below(256) as u8).collect();
            let duration = decoder.duration(&junk);
            assert!(duration <= 960);
            let decoded = decoder.decode(&junk, &mut samples);
            assert!(decoded == 0 || decoded == duration);
            let _ = decoder.recover(&junk, &mut samples);
        }
        assert_eq!(decoder.decode(&[], &mut samples), 0);
        assert_eq!(
            OpusEncoder::new(Rate::Narrow, OpusTerms::default()).encode(&[0; 77], &mut [0; 99]),
            0
        );
    }

    #[test]
    fn the_flag_of_correction_is_found_behind_every_kind_of_head() {
        // Wideband, 20 ms: voice, then correction.
        let silk = 9 << 3;
        let said = 0b0100_0000;
        for (packet, told) in [
            (&[silk, said][..], true),
            (&[silk, !said], false),
            (&[silk | 1, said, 0], true),
            (&[silk | 2, 1, said, 0], true),
            (&[silk | 2, 252, 0, said], true),
            (&[silk | 3, 2, said, 0], true),
            (&[silk | 3, 0x42, 255, 3, said], true),
            (&[silk | 3, 0x83, 1, 252, 0, said], true),
            // 60 ms: the fourth bit. Stereo: the other channel's, too.
            (&[11 << 3, 0b0001_0000], true),
            (&[silk | 4, 0b0001_0000], true),
            (&[silk | 4, 0b0010_0000], false),
            // CELT has none.
            (&[16 << 3, 0xff], false),
            (&[silk | 3, 0x42, 255], false),
            (&[silk], false),
            (&[], false),
        ] {
            assert_eq!(tells_of_the_one_before(packet), told, "{packet:x?}");
        }
    }
}
