//! Symmetric RTP: whose packets a leg believes, and where it sends.
//!
//! The negotiated source is always believed. A source behind a NAT, or a device that sends from
//! another port than it receives on, is believed after [`PROOF`] packets in sequence with one SSRC
//! and the right payload type, once; within [`WINDOW`] after that the negotiated source still wins
//! by speaking. Everybody else is refused. Sources that spoke to the port in an earlier call are
//! never latched (they are believed only when negotiated).

use std::net::SocketAddr;
use std::time::Duration;

use super::ports::TRACES;
use crate::base::Timestamp;

/// A source as a port remembers it: SSRC and a hash of the address, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace(u64);

impl Trace {
    /// The trace of a source.
    pub(crate) fn new(source: SocketAddr, ssrc: u32) -> Self {
        // FNV-1a over address and port; never 0, which stands for "nobody".
        let mut hash = 0x811c_9dc5_u32;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
            }
        };
        match source {
            SocketAddr::V4(v4) => eat(&v4.ip().octets()),
            SocketAddr::V6(v6) => eat(&v6.ip().octets()),
        }
        eat(&source.port().to_be_bytes());
        Self(u64::from(ssrc) << 32 | u64::from(hash.max(1)))
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// Whether the other has the same address or the same SSRC.
    fn resembles(self, other: Trace) -> bool {
        self.0 != 0 && (self.0 >> 32 == other.0 >> 32 || self.0 as u32 == other.0 as u32)
    }
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Believe it.
    Accept,
    /// Count and forget it.
    Refuse,
}

/// A leg's belief.
#[derive(Clone, Debug)]
pub(crate) struct Latch {
    negotiated: Option<SocketAddr>,
    latched: Option<Latched>,
    candidate: Option<Candidate>,
    /// From earlier calls on this port.
    old: [Trace; TRACES],
    /// Refused in this call, oldest overwritten first.
    strangers: [Trace; TRACES - 1],
    next_stranger: usize,
}

#[derive(Clone, Copy, Debug)]
struct Latched {
    source: SocketAddr,
    ssrc: u32,
    since: Timestamp,
    heard: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    sequence: u16,
    packets: u8,
}

/// Packets in sequence another source must show: 60 ms of speech, as strict players ask for.
const PROOF: u8 = 3;
/// How long after a latch to another source the negotiated one still wins by speaking.
const WINDOW: Duration = Duration::from_secs(2);
/// Afterwards it wins only when the latched source has been silent this long.
const SILENCE: Duration = Duration::from_secs(1);
/// A candidate may lose this many packets between two that count.
const GAP: u16 = 3;

impl Latch {
    /// A latch that believes nobody yet; `old` are the traces of the port.
    pub(crate) fn new(old: [Trace; TRACES]) -> Self {
        Self {
            negotiated: None,
            latched: None,
            candidate: None,
            old,
            strangers: [Trace::default(); TRACES - 1],
            next_stranger: 0,
        }
    }

    /// Sets what was negotiated. A changed address arms the latch anew; `None` (a far end on
    /// hold in the style of RFC 2543) keeps whom it has.
    pub(crate) fn negotiate(&mut self, remote: Option<SocketAddr>) {
        if remote.is_some() && remote != self.negotiated {
            // A far end that moves to where it already speaks from is not a new one.
            if self.latched.is_some_and(|l| Some(l.source) != remote) {
                self.latched = None;
            }
            self.candidate = None;
            self.negotiated = remote;
        }
    }

    /// Goes on with the source of a checkpoint.
    pub(crate) fn resume(&mut self, source: SocketAddr, now: Timestamp) {
        self.latched = Some(Latched {
            source,
            ssrc: 0,
            since: now,
            heard: now,
        });
    }

    /// Judges a packet that is valid RTP with a negotiated payload type.
    pub(crate) fn judge(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        ssrc: u32,
        sequence: u16,
    ) -> Verdict {
        if let Some(latched) = &mut self.latched
            && latched.source == source
        {
            latched.heard = now;
            latched.ssrc = ssrc;
            return Verdict::Accept;
        }
        let Some(negotiated) = self.negotiated else {
            // Perhaps early media of the far end whose answer is on its way: no stranger yet.
            return Verdict::Refuse;
        };
        if source == negotiated {
            let free = self.latched.is_none_or(|latched| {
                now.since(latched.since) <= WINDOW || now.since(latched.heard) >= SILENCE
            });
            return if free {
                self.believe(now, source, ssrc)
            } else {
                Verdict::Refuse
            };
        }
        let trace = Trace::new(source, ssrc);
        if self.latched.is_some() || self.old.iter().any(|old| old.resembles(trace)) {
            return self.refuse(source, ssrc);
        }
        if self.prove(source, ssrc, sequence) {
            return self.believe(now, source, ssrc);
        }
        Verdict::Refuse
    }

    /// Where RTP goes: to whom we believe, before that to whom we were told.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        self.negotiated
            .map(|negotiated| self.latched.map_or(negotiated, |latched| latched.source))
    }

    /// Who is believed.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.latched.map(|latched| latched.source)
    }

    /// Whether the source believed is another than the one negotiated.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.latched
            .is_some_and(|latched| Some(latched.source) != self.negotiated)
    }

    /// What the port shall remember.
    pub(crate) fn traces(&self) -> [Trace; TRACES] {
        let mut traces = [Trace::default(); TRACES];
        if let Some(latched) = self.latched {
            traces[0] = Trace::new(latched.source, latched.ssrc);
        }
        traces[1..].copy_from_slice(&self.strangers);
        // What the port knew before fills what this call left empty: an old sender may outlive
        // a short call.
        let mut old = self.old.iter().filter(|trace| trace.0 != 0);
        for slot in &mut traces {
            if slot.0 == 0 {
                *slot = old.next().copied().unwrap_or_default();
            }
        }
        traces
    }

    fn believe(&mut self, now: Timestamp, source: SocketAddr, ssrc: u32) -> Verdict {
        self.candidate = None;
        self.latched = Some(Latched {
            source,
            ssrc,
            since: now,
            heard: now,
        });
        Verdict::Accept
    }

    fn refuse(&mut self, source: SocketAddr, ssrc: u32) -> Verdict {
        let trace = Trace::new(source, ssrc);
        if !self.strangers.contains(&trace) {
            self.strangers[self.next_stranger] = trace;
            self.next_stranger = (self.next_stranger + 1) % self.strangers.len();
        }
        Verdict::Refuse
    }

    /// Takes one more packet of a candidate; says whether it has shown enough.
    fn prove(&mut self, source: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        let packets = match self.candidate {
            Some(known) if known.source == source && known.ssrc == ssrc => {
                match sequence.wrapping_sub(known.sequence) {
                    // A duplicate or a packet out of order neither helps nor harms.
                    0 | 0x8000.. => return false,
                    1..=GAP => known.packets + 1,
                    _ => 1,
                }
            }
            _ => 1,
        };
        self.candidate = Some(Candidate {
            source,
            ssrc,
            sequence,
            packets,
        });
        packets >= PROOF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("address")
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn latch() -> Latch {
        let mut latch = Latch::new([Trace::default(); TRACES]);
        latch.negotiate(Some(address("192.0.2.1:4000")));
        latch
    }

    #[test]
    fn the_negotiated_source_is_believed_at_once_and_alone() {
        let mut latch = latch();
        let (good, bad) = (address("192.0.2.1:4000"), address("192.0.2.66:4000"));
        assert_eq!(latch.judge(at(0), good, 1, 1), Verdict::Accept);
        for n in 0..100 {
            assert_eq!(latch.judge(at(20), bad, 2, n), Verdict::Refuse);
        }
        assert_eq!(latch.judge(at(20), good, 9, 500), Verdict::Accept);
        assert_eq!(latch.destination(), Some(good));
    }

    #[test]
    fn another_source_is_believed_after_three_packets_in_sequence() {
        let mut latch = latch();
        let nat = address("198.51.100.7:61000");
        assert_eq!(latch.judge(at(0), nat, 5, 10), Verdict::Refuse);
        assert_eq!(latch.judge(at(20), nat, 5, 11), Verdict::Refuse);
        assert_eq!(latch.judge(at(20), nat, 5, 11), Verdict::Refuse);
        assert_eq!(latch.destination(), Some(address("192.0.2.1:4000")));
        assert_eq!(latch.judge(at(40), nat, 5, 13), Verdict::Accept);
        assert_eq!(latch.destination(), Some(nat));
        assert!(latch.is_elsewhere());
    }

    #[test]
    fn random_sequences_and_changing_ssrcs_prove_nothing() {
        let mut latch = latch();
        let bad = address("198.51.100.7:61000");
        for n in 0..50u16 {
            assert_eq!(latch.judge(at(0), bad, 5, n * 1000), Verdict::Refuse);
            assert_eq!(latch.judge(at(0), bad, u32::from(n), n), Verdict::Refuse);
        }
    }

    #[test]
    fn the_negotiated_source_wins_within_the_window_and_after_silence() {
        let (good, nat) = (address("192.0.2.1:4000"), address("198.51.100.7:61000"));
        let elsewhere = || {
            let mut latch = latch();
            for n in 0..3u16 {
                latch.judge(at(0), nat, 5, n);
            }
            assert_eq!(latch.source(), Some(nat));
            latch
        };
        let mut soon = elsewhere();
        assert_eq!(soon.judge(at(1900), good, 1, 1), Verdict::Accept);
        assert_eq!(soon.judge(at(1920), nat, 5, 4), Verdict::Refuse);
        let mut late = elsewhere();
        late.judge(at(2900), nat, 5, 3);
        assert_eq!(late.judge(at(3000), good, 1, 1), Verdict::Refuse);
        assert_eq!(late.judge(at(3900), good, 1, 2), Verdict::Accept);
    }

    #[test]
    fn a_source_of_an_earlier_call_is_never_latched() {
        let mut first = latch();
        let nat = address("198.51.100.7:61000");
        for n in 0..3u16 {
            first.judge(at(0), nat, 5, n);
        }
        first.judge(at(10), address("203.0.113.9:9"), 66, 1);
        let mut second = Latch::new(first.traces());
        second.negotiate(Some(address("192.0.2.9:4000")));
        for n in 3..20u16 {
            assert_eq!(second.judge(at(0), nat, 5, n), Verdict::Refuse);
            let moved = address("198.51.100.7:61002");
            assert_eq!(second.judge(at(0), moved, 5, n), Verdict::Refuse);
            let stranger = address("203.0.113.9:9");
            assert_eq!(second.judge(at(0), stranger, n.into(), n), Verdict::Refuse);
        }
        // And the port does not forget them over a call that heard nobody.
        let mut third = Latch::new(second.traces());
        third.negotiate(Some(address("192.0.2.9:4000")));
        for n in 20..40u16 {
            assert_eq!(third.judge(at(0), nat, 5, n), Verdict::Refuse);
        }
    }

    #[test]
    fn a_new_address_arms_the_latch_anew_and_hold_does_not() {
        let mut latch = latch();
        let good = address("192.0.2.1:4000");
        latch.judge(at(0), good, 1, 1);
        latch.negotiate(None);
        assert_eq!(latch.judge(at(20), good, 1, 2), Verdict::Accept);
        let moved = address("192.0.2.2:5000");
        latch.negotiate(Some(moved));
        assert_eq!(latch.destination(), Some(moved));
        assert_eq!(latch.judge(at(40), good, 1, 3), Verdict::Refuse);
        assert_eq!(latch.judge(at(40), moved, 1, 4), Verdict::Accept);
    }

    #[test]
    fn nobody_is_believed_before_negotiation() {
        let mut latch = Latch::new([Trace::default(); TRACES]);
        for n in 0..10u16 {
            let who = address("192.0.2.1:4000");
            assert_eq!(latch.judge(at(0), who, 1, n), Verdict::Refuse);
        }
        assert_eq!(latch.destination(), None);
    }
}
