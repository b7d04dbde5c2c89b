//! Symmetric RTP: whose packets a leg believes, and where it sends.
//!
//! The negotiated source is always believed. A source behind a NAT, or a device that sends from
//! another port than it receives on, is believed after [`PROOF`] packets in sequence with one SSRC
//! and the right payload type, once: when it has the negotiated address or that of the signalling
//! (where that is unknown: when it is public and the negotiated address private). Any other must go
//! on for [`LONG_PROOF`] packets while the negotiated source is silent, and yields to it whenever
//! that speaks. Everybody else is refused. Streams that came to the port in an earlier call are
//! never latched (they are believed only from the negotiated source).
//!
//! Of a believed source one stream is believed: another SSRC counts only when the present one has
//! been silent for [`FRESH`], or when a negotiation announced that something may change. Who forges
//! the address of the far end is not heard while that speaks, and neither are his digits.

use std::net::{IpAddr, SocketAddr};
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

    /// Whether the other is the same stream, from wherever: one with the same SSRC; of a source
    /// whose SSRC was not known, anything from its address. A phone behind a NAT may well have the
    /// address of its last call in the next one, with a stream of its own (RFC 3550 section 8.1).
    fn resembles(self, other: Trace) -> bool {
        let (ssrc, address) = (self.0 >> 32, self.0 as u32);
        match ssrc {
            0 => address != 0 && address == other.0 as u32,
            _ => ssrc == other.0 >> 32,
        }
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
    /// Where the leg's signalling comes from.
    signalled: Option<IpAddr>,
    latched: Option<Latched>,
    /// One who may well be the far end, and some who rather are not: neither keep the other off.
    candidate: Option<Candidate>,
    doubtful: [Option<Candidate>; DOUBTFUL],
    /// Where the leg is bound.
    own: IpAddr,
    /// From earlier calls on this port.
    old: [Trace; TRACES],
    /// Refused in this call, oldest overwritten first.
    strangers: [Trace; TRACES - 1],
    next_stranger: usize,
}

#[derive(Clone, Copy, Debug)]
struct Latched {
    source: SocketAddr,
    /// Whether it yields to the negotiated source at any time.
    is_doubtful: bool,
    /// The stream that is believed; `None` when the next one is.
    ssrc: Option<u32>,
    /// The stream before it, and when it was left.
    former: Option<(u32, Timestamp)>,
    since: Timestamp,
    heard: Timestamp,
}

impl Latched {
    fn new(now: Timestamp, source: SocketAddr, ssrc: Option<u32>) -> Self {
        Self {
            source,
            is_doubtful: false,
            ssrc,
            former: None,
            since: now,
            heard: now,
        }
    }

    /// Judges a packet of the right source by its stream.
    fn hear(&mut self, now: Timestamp, ssrc: u32) -> Verdict {
        if let Some(present) = self.ssrc.filter(|present| *present != ssrc) {
            let returns = self
                .former
                .is_some_and(|(former, left)| former == ssrc && now.since(left) <= WINDOW);
            if !returns && now.since(self.heard) < FRESH {
                return Verdict::Refuse;
            }
            // It returns once: two streams that alternate would be one too many.
            self.former = (!returns).then_some((present, now));
        }
        self.ssrc = Some(ssrc);
        self.heard = now;
        Verdict::Accept
    }
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
/// The same for a source that nothing speaks for: a second.
const LONG_PROOF: u8 = 50;
/// Sources that may prove themselves for so long at a time.
const DOUBTFUL: usize = 4;
/// A stream that was heard this lately is alive: longer than any usual packet and its jitter.
const FRESH: Duration = Duration::from_millis(100);
/// How long after a latch to another source the negotiated one still wins by speaking.
const WINDOW: Duration = Duration::from_secs(2);
/// Afterwards it wins only when the latched source has been silent this long.
const SILENCE: Duration = Duration::from_secs(1);
/// A candidate may lose this many packets between two that count.
const GAP: u16 = 3;

impl Latch {
    /// A latch that believes nobody yet; `old` are the traces of the port,
    /// which is bound to the address `own`.
    pub(crate) fn new(old: [Trace; TRACES], own: IpAddr) -> Self {
        Self {
            negotiated: None,
            signalled: None,
            latched: None,
            candidate: None,
            doubtful: [None; DOUBTFUL],
            own,
            old,
            strangers: [Trace::default(); TRACES - 1],
            next_stranger: 0,
        }
    }

    /// Sets what was negotiated. A changed address arms the latch anew; `None` (a far end on
    /// hold in the style of RFC 2543) keeps whom it has.
    pub(crate) fn negotiate(&mut self, remote: Option<SocketAddr>, signalled: Option<IpAddr>) {
        self.signalled = signalled.or(self.signalled);
        if remote.is_some() && remote != self.negotiated {
            // A far end that moves to where it already speaks from is not a new one.
            if self.latched.is_some_and(|l| Some(l.source) != remote) {
                self.latched = None;
            }
            (self.candidate, self.doubtful) = (None, [None; DOUBTFUL]);
            self.negotiated = remote;
        }
        if let Some(latched) = &mut self.latched {
            latched.ssrc = None;
        }
    }

    /// Goes on with the source of a checkpoint.
    pub(crate) fn resume(&mut self, source: SocketAddr, now: Timestamp) {
        self.latched = Some(Latched::new(now, source, None));
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
            return latched.hear(now, ssrc);
        }
        let Some(negotiated) = self.negotiated else {
            // Perhaps early media of the far end whose answer is on its way: no stranger yet.
            return Verdict::Refuse;
        };
        if source == negotiated {
            let free = self.latched.is_none_or(|latched| {
                latched.is_doubtful
                    || now.since(latched.since) <= WINDOW
                    || now.since(latched.heard) >= SILENCE
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
        let is_likely = self.is_likely(negotiated.ip(), source.ip());
        let (slot, enough) = match is_likely {
            true => (&mut self.candidate, PROOF),
            false => (self.doubted(source), LONG_PROOF),
        };
        let packets = Candidate::prove(slot, source, ssrc, sequence);
        if packets < enough {
            return Verdict::Refuse;
        }
        let verdict = self.believe(now, source, ssrc);
        if let Some(latched) = &mut self.latched {
            latched.is_doubtful = !is_likely;
        }
        verdict
    }

    /// The place of a source that nothing speaks for: its own, else of the one who has shown least.
    fn doubted(&mut self, source: SocketAddr) -> &mut Option<Candidate> {
        let is_its = |one: &Option<Candidate>| one.is_some_and(|one| one.source == source);
        let shown = |one: &Option<Candidate>| one.map_or(0, |one| one.packets);
        let places = 0..DOUBTFUL;
        let place = places
            .min_by_key(|place| {
                let one = &self.doubtful[*place];
                (!is_its(one), shown(one))
            })
            .unwrap_or(0);
        &mut self.doubtful[place]
    }

    /// Whether something speaks for a source that was not negotiated.
    fn is_likely(&self, negotiated: IpAddr, source: IpAddr) -> bool {
        // Only a program on this very host has our own address.
        source == negotiated
            || source == self.own
            || Some(source) == self.signalled
            || self.signalled.is_none() && is_private(negotiated) && !is_private(source)
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
            traces[0] = Trace::new(latched.source, latched.ssrc.unwrap_or(0));
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
        (self.candidate, self.doubtful) = (None, [None; DOUBTFUL]);
        self.latched = Some(Latched::new(now, source, Some(ssrc)));
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
}

impl Candidate {
    /// Takes one more packet of a candidate; says how many it has shown in sequence.
    fn prove(slot: &mut Option<Self>, source: SocketAddr, ssrc: u32, sequence: u16) -> u8 {
        let packets = match *slot {
            Some(known) if known.source == source && known.ssrc == ssrc => {
                match sequence.wrapping_sub(known.sequence) {
                    // A duplicate or a packet out of order neither helps nor harms.
                    0 | 0x8000.. => return 0,
                    1..=GAP => known.packets.saturating_add(1),
                    _ => 1,
                }
            }
            _ => 1,
        };
        *slot = Some(Self {
            source,
            ssrc,
            sequence,
            packets,
        });
        packets
    }
}

/// Whether an address means something on its own network only (RFC 1918, RFC 6598, RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("address")
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn latch() -> Latch {
        let mut latch = Latch::new([Trace::default(); TRACES], OWN);
        latch.negotiate(
            Some(address("192.0.2.1:4000")),
            Some(address("198.51.100.7:5060").ip()),
        );
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
        assert_eq!(latch.judge(at(120), good, 9, 500), Verdict::Accept);
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
    fn a_source_that_nothing_speaks_for_must_go_on_for_a_second_and_yields_at_any_time() {
        let mut latch = latch();
        let (good, odd) = (address("192.0.2.1:4000"), address("203.0.113.5:9"));
        for n in 1..50u16 {
            assert_eq!(latch.judge(at(20), odd, 5, n), Verdict::Refuse);
        }
        assert_eq!(latch.destination(), Some(good));
        assert_eq!(latch.judge(at(1000), odd, 5, 50), Verdict::Accept);
        assert_eq!(latch.destination(), Some(odd));
        latch.judge(at(9000), odd, 5, 51);
        assert_eq!(latch.judge(at(9001), good, 1, 1), Verdict::Accept);
        assert_eq!(latch.judge(at(9020), odd, 5, 52), Verdict::Refuse);
        assert_eq!(latch.destination(), Some(good));
    }

    #[test]
    fn a_public_source_is_likely_where_a_private_one_was_negotiated() {
        let likely = |negotiated: &str, source: &str| {
            let mut latch = Latch::new([Trace::default(); TRACES], OWN);
            latch.negotiate(Some(address(negotiated)), None);
            (0..3u16).any(|n| latch.judge(at(0), address(source), 5, n) == Verdict::Accept)
        };
        assert!(likely("10.0.0.5:4000", "198.51.100.7:61000"));
        assert!(likely("100.64.3.2:4000", "198.51.100.7:61000"));
        assert!(likely("[fd00::5]:4000", "[2001:db8::7]:61000"));
        assert!(likely("10.0.0.5:4000", "10.0.0.5:4002"));
        assert!(!likely("10.0.0.5:4000", "10.0.0.9:4000"));
        assert!(!likely("192.0.2.1:4000", "10.0.0.9:4000"));
    }

    #[test]
    fn a_crowd_does_not_keep_the_true_far_end_from_proving_itself() {
        let mut latch = latch();
        let nat = address("198.51.100.7:61000");
        let mut heard = Verdict::Refuse;
        for n in 0..3u16 {
            for stranger in 0..50u16 {
                let from = SocketAddr::from(([203, 0, 113, 9], 1000 + stranger));
                assert_eq!(latch.judge(at(0), from, 7, n), Verdict::Refuse);
            }
            heard = latch.judge(at(20), nat, 5, n);
        }
        assert_eq!(heard, Verdict::Accept);
    }

    #[test]
    fn a_second_stream_of_the_same_source_is_heard_only_when_the_first_is_silent() {
        let mut latch = latch();
        let good = address("192.0.2.1:4000");
        for n in 0..50 {
            let now = at(20 * n);
            assert_eq!(latch.judge(now, good, 1, n as u16), Verdict::Accept);
            assert_eq!(latch.judge(now, good, 66, n as u16), Verdict::Refuse);
        }
        // A change of its own: after 100 ms; and the first may come back once, at once.
        assert_eq!(latch.judge(at(1060), good, 2, 1), Verdict::Refuse);
        assert_eq!(latch.judge(at(1080), good, 2, 2), Verdict::Accept);
        assert_eq!(latch.judge(at(1090), good, 1, 60), Verdict::Accept);
        assert_eq!(latch.judge(at(1100), good, 2, 3), Verdict::Refuse);
        // A change that was signalled: at once.
        latch.negotiate(Some(good), None);
        assert_eq!(latch.judge(at(1110), good, 3, 1), Verdict::Accept);
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
    fn a_stream_of_an_earlier_call_is_never_latched() {
        let mut first = latch();
        let nat = address("198.51.100.7:61000");
        for n in 0..3u16 {
            first.judge(at(0), nat, 5, n);
        }
        first.judge(at(10), address("203.0.113.9:9"), 66, 1);
        let mut second = Latch::new(first.traces(), OWN);
        second.negotiate(Some(address("192.0.2.9:4000")), None);
        for n in 3..20u16 {
            assert_eq!(second.judge(at(0), nat, 5, n), Verdict::Refuse);
            let moved = address("198.51.100.7:61002");
            assert_eq!(second.judge(at(0), moved, 5, n), Verdict::Refuse);
            let stranger = address("203.0.113.9:9");
            assert_eq!(second.judge(at(0), stranger, n.into(), n), Verdict::Refuse);
        }
        // And the port does not forget them over a call that heard nobody.
        let mut third = Latch::new(second.traces(), OWN);
        third.negotiate(Some(address("192.0.2.9:4000")), None);
        for n in 20..40u16 {
            assert_eq!(third.judge(at(0), nat, 5, n), Verdict::Refuse);
        }
    }

    #[test]
    fn a_phone_behind_nat_is_heard_in_its_next_call_on_the_same_port() {
        let nat = address("198.51.100.7:61000");
        let mut first = latch();
        for n in 0..3u16 {
            first.judge(at(0), nat, 5, n);
        }
        assert_eq!(first.source(), Some(nat));
        // The same outside address, a new stream; to the old one it is deaf as ever.
        let mut second = Latch::new(first.traces(), OWN);
        second.negotiate(Some(address("192.0.2.1:4000")), Some(nat.ip()));
        for n in 3..20u16 {
            assert_eq!(second.judge(at(0), nat, 5, n), Verdict::Refuse);
        }
        for n in 0..3u16 {
            second.judge(at(500), nat, 6, n);
        }
        assert_eq!(second.source(), Some(nat));
    }

    #[test]
    fn a_source_whose_stream_is_not_known_leaves_its_address() {
        let nat = address("198.51.100.7:61000");
        let mut first = latch();
        first.resume(nat, at(0));
        let mut second = Latch::new(first.traces(), OWN);
        second.negotiate(Some(address("192.0.2.1:4000")), Some(nat.ip()));
        for n in 0..20u16 {
            assert_eq!(second.judge(at(0), nat, 6, n), Verdict::Refuse);
        }
    }

    #[test]
    fn a_new_address_arms_the_latch_anew_and_hold_does_not() {
        let mut latch = latch();
        let good = address("192.0.2.1:4000");
        latch.judge(at(0), good, 1, 1);
        latch.negotiate(None, None);
        assert_eq!(latch.judge(at(20), good, 1, 2), Verdict::Accept);
        let moved = address("192.0.2.2:5000");
        latch.negotiate(Some(moved), None);
        assert_eq!(latch.destination(), Some(moved));
        assert_eq!(latch.judge(at(40), good, 1, 3), Verdict::Refuse);
        assert_eq!(latch.judge(at(40), moved, 1, 4), Verdict::Accept);
    }

    #[test]
    fn nobody_is_believed_before_negotiation() {
        let mut latch = Latch::new([Trace::default(); TRACES], OWN);
        for n in 0..10u16 {
            let who = address("192.0.2.1:4000");
            assert_eq!(latch.judge(at(0), who, 1, n), Verdict::Refuse);
        }
        assert_eq!(latch.destination(), None);
    }
}
