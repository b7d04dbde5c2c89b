//! Capture files (pcap) for SIPp's `play_pcap_audio`: RTP with audio and RFC 4733 digits.

use std::path::Path;

use super::sound::{FRAME, to_pcmu};

/// Builds one RTP stream, 20 ms a packet, PCMU (payload type 0) and telephone-event (96).
pub(crate) struct Stream {
    packets: Vec<(u64, Vec<u8>)>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    now_ms: u64,
    marker: bool,
}

impl Stream {
    /// A stream of its own SSRC.
    pub(crate) fn new(ssrc: u32) -> Self {
        Self {
            packets: Vec::new(),
            ssrc,
            sequence: 40_000,
            timestamp: 0x1000_0000,
            now_ms: 0,
            marker: true,
        }
    }

    /// Speaks the samples; what does not fill 20 ms is left out.
    pub(crate) fn speak(mut self, samples: &[i16]) -> Self {
        for frame in samples.chunks_exact(FRAME) {
            let payload: Vec<u8> = frame.iter().map(|&s| to_pcmu(s)).collect();
            self.packet(0, self.timestamp, &payload);
            self.advance(20);
        }
        self
    }

    /// Says nothing: no packets, as with silence suppression.
    pub(crate) fn pause(mut self, ms: u64) -> Self {
        self.advance(ms);
        self.marker = true;
        self
    }

    /// Presses a key for `ms` (RFC 4733 §2.5): a packet every 20 ms with a growing duration, then
    /// the end three times.
    pub(crate) fn press(mut self, digit: char, ms: u64) -> Self {
        let event = "0123456789*#ABCD".find(digit).expect("a key") as u8;
        let started = self.timestamp;
        self.marker = true;
        let mut duration = 0u16;
        for _ in 0..ms / 20 {
            duration = duration.saturating_add(FRAME as u16);
            let [high, low] = duration.to_be_bytes();
            self.packet(96, started, &[event, 10, high, low]);
            self.advance(20);
        }
        for _ in 0..3 {
            let [high, low] = duration.to_be_bytes();
            self.packet(96, started, &[event, 0x80 | 10, high, low]);
        }
        self.marker = true;
        self
    }

    /// Loses one packet in `every`, as a network would: sequence numbers and timestamps go on.
    pub(crate) fn losing_one_in(mut self, every: usize) -> Self {
        let mut count = 0;
        self.packets.retain(|_| {
            count += 1;
            // Spread: neither the first packet nor a fixed comb against the tone's period.
            (count * 7 + count / every) % every != 3
        });
        self
    }

    /// Writes the file SIPp reads.
    pub(crate) fn write(&self, path: &Path) {
        // Classic pcap, microseconds, Ethernet.
        let mut file = Vec::new();
        file.extend(0xa1b2_c3d4u32.to_le_bytes());
        file.extend([2, 0, 4, 0]);
        file.extend([0; 8]);
        file.extend(65_535u32.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for (at_ms, rtp) in &self.packets {
            let frame = ethernet(rtp);
            file.extend(((at_ms / 1000) as u32).to_le_bytes());
            file.extend(((at_ms % 1000 * 1000) as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(frame);
        }
        std::fs::write(path, file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut rtp = vec![0x80, payload_type | (u8::from(self.marker) << 7)];
        rtp.extend(self.sequence.to_be_bytes());
        rtp.extend(timestamp.to_be_bytes());
        rtp.extend(self.ssrc.to_be_bytes());
        rtp.extend(payload);
        self.packets.push((self.now_ms, rtp));
        self.sequence = self.sequence.wrapping_add(1);
        self.marker = false;
    }

    fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        self.timestamp = self.timestamp.wrapping_add(ms as u32 * 8);
    }
}

/// Ethernet, IPv4 and UDP around `rtp`; SIPp writes addresses and ports of its own over them.
fn ethernet(rtp: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend([0x45, 0]);
    frame.extend((28 + rtp.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    frame.extend(10_000u16.to_be_bytes());
    frame.extend(20_000u16.to_be_bytes());
    frame.extend((8 + rtp.len() as u16).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(rtp);
    frame
}
