//! Secure RTP against the RFCs' vectors, against libsrtp's packets, and against whoever changes,
//! repeats or reorders them.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::protector::Protector;
use super::session::{Rekeyed, Session, SessionState};
use super::unprotector::{MAX_STREAMS, Unprotector};
use super::*;
use crate::base::Entropy;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).expect("hexadecimal")
}

fn key(suite: Suite, number: u64) -> MasterKey {
    let mut entropy = Entropy::from_seed(number);
    let length = suite.key_octets() + suite.salt_octets();
    let octets: Vec<u8> = (0..length).map(|_| entropy.u32() as u8).collect();
    MasterKey::new(suite, &octets).expect("key")
}

fn rtp_packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; rtp::HEADER_BYTES + payload.len()];
    let header = rtp::Header {
        sequence,
        ssrc,
        timestamp: u32::from(sequence) * 160,
        ..rtp::Header::default()
    };
    rtp::write(&mut packet, header, payload).expect("room");
    packet
}

type Protect = fn(&mut Protector, &mut [u8], usize) -> Result<usize, Unsent>;

fn sealed_by(protector: &mut Protector, protect: Protect, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0xee);
    let length = protect(protector, &mut buffer, packet.len()).expect("protected");
    buffer.truncate(length);
    buffer
}

fn sealed(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    sealed_by(protector, Protector::protect, packet)
}

fn opened(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut packet = packet.to_vec();
    let length = unprotector.unprotect(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

/// RFC 7714 §16 and §17, whose session keys are given and not derived.
mod rfc_7714 {
    use super::super::cipher::{Cipher, Sealing};
    use super::*;

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef";

    fn seal(cipher: &Cipher, packet: &str, sealing: (u32, u64, usize), beside: u32) -> Vec<u8> {
        let mut packet = hex(packet);
        let (ssrc, index, body) = sealing;
        let tag = cipher.seal(&mut Sealing {
            ssrc,
            index,
            packet: &mut packet,
            body,
            beside: beside.to_be_bytes(),
        });
        packet.extend(tag.expect("sealed"));
        packet
    }

    fn cipher(suite: Suite, is_rtcp: bool) -> Cipher {
        let key: Vec<u8> = (0..suite.key_octets() as u8).collect();
        Cipher::of_session(suite, &key, &hex("51756964 2070726f 2071756f"), is_rtcp)
    }

    #[test]
    fn rtp_packets() {
        for (suite, expected) in [
            (
                Suite::AeadAes128Gcm,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
                0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                Suite::AeadAes256Gcm,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
                9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ] {
            let sealed = seal(&cipher(suite, false), RTP, (0x5501_a0b2, 0xf17b, 12), 0);
            assert_eq!(sealed, hex(expected), "{suite:?}");
        }
    }

    #[test]
    fn rtcp_packets() {
        for (suite, expected) in [
            (
                Suite::AeadAes128Gcm,
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
                c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade",
            ),
            (
                Suite::AeadAes256Gcm,
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
                a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be",
            ),
        ] {
            let parts = (0x4d61_7273, 0x5d4, 8);
            let sealed = seal(&cipher(suite, true), RTCP, parts, 0x8000_05d4);
            assert_eq!(sealed, hex(expected), "{suite:?}");
        }
    }

    /// §17.3 and §17.4: a tag and no encryption.
    #[test]
    fn rtcp_packets_in_the_clear() {
        for (suite, tag) in [
            (Suite::AeadAes128Gcm, "841dd968 3dd78ec9 2ae58790 125f62b3"),
            (Suite::AeadAes256Gcm, "91db4afb feee5a97 8fab4393 ed2615fe"),
        ] {
            let (cipher, mut packet, mut tag) = (cipher(suite, true), hex(RTCP), hex(tag));
            let sealing = Sealing {
                ssrc: 0x4d61_7273,
                index: 0x5d4,
                packet: &mut packet,
                body: 8,
                beside: 0x0000_05d4_u32.to_be_bytes(),
            };
            assert!(cipher.check_clear(&sealing, &tag).is_ok(), "{suite:?}");
            tag[3] ^= 1;
            assert!(cipher.check_clear(&sealing, &tag).is_err(), "{suite:?}");
        }
    }
}

/// Packets that libsrtp made: see the head of the file.
#[test]
fn libsrtp_and_we_say_the_same() {
    let text = include_str!("../../../tests/data/srtp/libsrtp.txt");
    let mut pair = None;
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "suite" {
            let suite = Suite::ALL
                .into_iter()
                .find(|suite| format!("{suite:?}") == words[1]);
            let key = MasterKey::new(suite.expect("suite"), &hex(words[2])).expect("key");
            // libsrtp counts reports from 1 on.
            let ours = Protector::new(&key).at((0, 1), 1);
            pair = Some((ours, Unprotector::new(&key)));
            continue;
        }
        let (plain, theirs) = (hex(words[1]), hex(words[2]));
        let (protector, unprotector) = pair.as_mut().expect("suite first");
        let (protect, unprotect): (Protect, fn(&mut Unprotector, &mut [u8]) -> _) = match words[0] {
            "rtp" => (Protector::protect, Unprotector::unprotect),
            _ => (Protector::protect_rtcp, Unprotector::unprotect_rtcp),
        };
        assert_eq!(sealed_by(protector, protect, &plain), theirs, "{line}");
        let mut packet = theirs.clone();
        let length = unprotect(unprotector, &mut packet).expect(line);
        assert_eq!(packet[..length], plain, "{line}");
        let mut again = theirs;
        assert_eq!(unprotect(unprotector, &mut again), Err(Refusal::Replayed));
        count += 1;
    }
    assert_eq!(count, 4 * 11);
}

#[test]
fn a_changed_packet_is_refused_and_the_next_is_not() {
    for suite in Suite::ALL {
        let key = key(suite, 1);
        let (mut protector, mut unprotector) = (Protector::new(&key), Unprotector::new(&key));
        let first = sealed(&mut protector, &rtp_packet(7, 65_535, &[1; 160]));
        opened(&mut unprotector, &first).expect("first");
        let next = sealed(&mut protector, &rtp_packet(7, 0, &[2; 160]));
        for at in 0..next.len() {
            let mut changed = next.clone();
            changed[at] ^= 0x10;
            opened(&mut unprotector, &changed).expect_err("changed");
        }
        for cut in 0..next.len() {
            opened(&mut unprotector, &next[..cut]).expect_err("cut");
        }
        let plain = opened(&mut unprotector, &next).expect("unharmed");
        assert_eq!(plain, rtp_packet(7, 0, &[2; 160]), "{suite:?}");
        let in_the_clear = rtp_packet(7, 1, &[2; 160]);
        assert_eq!(
            opened(&mut unprotector, &in_the_clear),
            Err(Refusal::Forged)
        );
        let mut other = Unprotector::new(&self::key(suite, 2));
        assert_eq!(opened(&mut other, &next), Err(Refusal::Forged));
    }
}

#[test]
fn a_changed_report_is_refused_and_each_is_taken_once() {
    let report = hex("80c90001 5eedcafe 81ca0002 5eedcafe 01026162 00000000");
    for suite in Suite::ALL {
        let key = key(suite, 1);
        let (mut protector, mut unprotector) = (Protector::new(&key), Unprotector::new(&key));
        let mut sealed = || sealed_by(&mut protector, Protector::protect_rtcp, &report);
        let (first, second) = (sealed(), sealed());
        assert_ne!(first, second);
        for at in 0..first.len() {
            let mut changed = first.clone();
            changed[at] ^= 0x10;
            unprotector
                .unprotect_rtcp(&mut changed)
                .expect_err("changed");
        }
        for cut in 0..first.len() {
            let mut cut = first[..cut].to_vec();
            unprotector.unprotect_rtcp(&mut cut).expect_err("cut");
        }
        for packet in [&second, &first] {
            let mut opened = packet.clone();
            let length = unprotector.unprotect_rtcp(&mut opened).expect("good");
            assert_eq!(opened[..length], report);
            let again = unprotector.unprotect_rtcp(&mut packet.clone());
            assert_eq!(again, Err(Refusal::Replayed), "{suite:?}");
        }
    }
}

#[test]
fn the_counter_rolls_over_many_times_and_stops_at_its_end() {
    let key = key(Suite::AesCm128HmacSha1_80, 1);
    let (mut protector, mut unprotector) = (Protector::new(&key), Unprotector::new(&key));
    for step in 0..40u32 {
        let packet = rtp_packet(7, step.wrapping_mul(30_000) as u16, b"voice");
        let plain = opened(&mut unprotector, &sealed(&mut protector, &packet));
        assert_eq!(plain.expect("near"), packet, "{step}");
    }
    assert_eq!(protector.newest(), Some(39 * 30_000));
    let mut last = Protector::new(&key).at((7, (1 << 48) - 1), u32::MAX >> 1);
    let mut buffer = rtp_packet(7, 65_535, &[0; 40]);
    assert_eq!(last.protect(&mut buffer.clone(), 22), Ok(32));
    buffer = rtp_packet(7, 0, &[0; 40]);
    assert_eq!(last.protect(&mut buffer, 22), Err(Unsent::Exhausted));
    let mut report = hex("80c90001 5eedcafe 00000000 00000000 00000000 00000000");
    assert_eq!(last.protect_rtcp(&mut report, 8), Ok(22));
    assert_eq!(last.protect_rtcp(&mut report, 8), Err(Unsent::Exhausted));
}

#[test]
fn no_number_is_sealed_twice() {
    let key = key(Suite::AeadAes128Gcm, 1);
    let mut protector = Protector::new(&key);
    let mut protect = |sequence, fill| {
        let mut buffer = rtp_packet(7, sequence, &[fill; 60]);
        protector.protect(&mut buffer, 40)
    };
    assert_eq!(protect(100, 1), Ok(56));
    assert_eq!(protect(100, 2), Err(Unsent::Repeated));
    assert_eq!(protect(90, 2), Ok(56), "late, as a relayed talker's may be");
    assert_eq!(protect(90, 3), Err(Unsent::Repeated));
    assert_eq!(protect(300, 1), Ok(56));
    assert_eq!(protect(150, 1), Err(Unsent::Repeated), "too late to know");
    let mut tight = rtp_packet(7, 301, &[0; 4]);
    assert_eq!(protector.protect(&mut tight, 16), Err(Unsent::Malformed));
}

#[test]
fn streams_are_bounded_and_strangers_make_none() {
    let key = key(Suite::AesCm128HmacSha1_32, 1);
    let mut unprotector = Unprotector::new(&key);
    let mut protectors = Vec::new();
    for ssrc in 0..MAX_STREAMS as u32 + 3 {
        let mut protector = Protector::new(&key);
        let packet = sealed(&mut protector, &rtp_packet(ssrc, 60_000, &[0; 20]));
        opened(&mut unprotector, &packet).expect("a stream of its own");
        protectors.push(protector);
        assert!(unprotector.marks().len() <= MAX_STREAMS);
    }
    for ssrc in 0..1000 {
        let forged = rtp_packet(0x1_0000 + ssrc, 1, &[0; 20]);
        assert_eq!(opened(&mut unprotector, &forged), Err(Refusal::Forged));
    }
    // What was pushed out might only be repeated.
    let packet = sealed(&mut protectors[0], &rtp_packet(0, 60_001, &[0; 20]));
    assert_eq!(opened(&mut unprotector, &packet), Err(Refusal::Replayed));
    // The newest ones are those that are known: their counters roll over.
    for (ssrc, protector) in protectors.iter_mut().enumerate().skip(3) {
        let packet = rtp_packet(ssrc as u32, 10, &[0; 20]);
        let packet = sealed(protector, &packet);
        opened(&mut unprotector, &packet).expect("known");
    }
}

fn keys(suite: Suite, ours: u64, theirs: u64) -> Keys {
    Keys {
        send: key(suite, ours),
        receive: key(suite, theirs),
    }
}

fn hear(session: &mut Session, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut packet = packet.to_vec();
    let length = session.unprotect(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn the_old_key_is_good_until_the_first_packet_of_the_new_one() {
    for suite in Suite::ALL {
        let mut session = Session::new(keys(suite, 1, 2));
        let mut old = Protector::new(&key(suite, 2));
        for sequence in [65_534, 65_535, 0] {
            let packet = sealed(&mut old, &rtp_packet(7, sequence, &[9; 50]));
            hear(&mut session, &packet).expect("old");
        }
        assert_eq!(session.rekey(keys(suite, 1, 3)), Rekeyed::Kept);
        let late = sealed(&mut old, &rtp_packet(7, 1, &[9; 50]));
        let later = sealed(&mut old, &rtp_packet(7, 2, &[9; 50]));
        assert_eq!(
            hear(&mut session, &late).expect("still good"),
            rtp_packet(7, 1, &[9; 50])
        );
        assert_eq!(hear(&mut session, &late), Err(Refusal::Replayed));
        // RFC 3711 §3.3.1: the rollover counter goes on over a new key.
        let mut new = Protector::new(&key(suite, 3)).at((7, 0x1_0003), 0);
        let packet = sealed(&mut new, &rtp_packet(7, 3, &[9; 50]));
        assert_eq!(
            hear(&mut session, &packet).expect("new"),
            rtp_packet(7, 3, &[9; 50])
        );
        assert_eq!(
            hear(&mut session, &later),
            Err(Refusal::Forged),
            "{suite:?}"
        );
        // The same keys offered again change nothing.
        assert_eq!(session.rekey(keys(suite, 1, 3)), Rekeyed::Kept);
        assert_eq!(hear(&mut session, &packet), Err(Refusal::Replayed));
        assert_eq!(session.rekey(keys(suite, 4, 3)), Rekeyed::Own);
    }
}

#[test]
fn a_rekeyed_stream_may_begin_its_count_anew() {
    for suite in Suite::ALL {
        let mut session = Session::new(keys(suite, 1, 2));
        let mut old = Protector::new(&key(suite, 2)).at((7, 0xffff), 0);
        for sequence in [65_535, 0, 1] {
            let packet = sealed(&mut old, &rtp_packet(7, sequence, &[9; 50]));
            // Its first packet says nothing of the counter, which is 0 then.
            hear(&mut session, &packet).expect("old");
        }
        session.rekey(keys(suite, 1, 3));
        // RFC 4568 §7.1.4: a new context whose rollover counter is 0.
        let mut new = Protector::new(&key(suite, 3));
        for sequence in [2, 3, 30_000, 60_000, 1000] {
            let packet = rtp_packet(7, sequence, &[9; 50]);
            let plain = hear(&mut session, &sealed(&mut new, &packet));
            assert_eq!(plain, Ok(packet), "{suite:?} {sequence}");
        }
    }
}

#[test]
fn a_key_that_was_never_used_may_be_taken_back() {
    let suite = Suite::AeadAes256Gcm;
    let mut session = Session::new(keys(suite, 1, 2));
    let mut old = Protector::new(&key(suite, 2));
    let first = sealed(&mut old, &rtp_packet(7, 500, &[9; 50]));
    hear(&mut session, &first).expect("old");
    session.rekey(keys(suite, 1, 3));
    session.rekey(keys(suite, 1, 4));
    session.rekey(keys(suite, 1, 2));
    let second = sealed(&mut old, &rtp_packet(7, 501, &[9; 50]));
    hear(&mut session, &second).expect("old again");
    // The one before is remembered still while 4 might come.
    assert_eq!(hear(&mut session, &first), Err(Refusal::Replayed));
}

#[test]
fn a_resumed_session_goes_on_hearing_and_repeats_no_number() {
    for suite in Suite::ALL {
        let mut session = Session::new(keys(suite, 1, 2));
        let mut theirs = Protector::new(&key(suite, 2));
        for sequence in [60_000, 5000, 20_000] {
            let packet = sealed(&mut theirs, &rtp_packet(7, sequence, &[9; 50]));
            hear(&mut session, &packet).expect("before");
        }
        let before = sealed(&mut theirs, &rtp_packet(7, 19_990, &[9; 50]));
        let written = serde_json::to_string(&session.state()).expect("json");
        let state: SessionState = serde_json::from_str(&written).expect("state");
        let mut resumed = Session::resume(keys(suite, 1, 2), &state);
        assert_eq!(hear(&mut resumed, &before), Err(Refusal::Replayed));
        let packet = sealed(&mut theirs, &rtp_packet(7, 20_001, &[9; 50]));
        hear(&mut resumed, &packet).expect("after");
        assert_eq!(resumed.state(), SessionState::clone(&resumed.state()));
    }
}

proptest! {
    /// Every order of packets within the window is taken, each once, whatever is lost.
    #[test]
    fn reordered_packets_are_taken_once(
        start: u16, suite in 0usize..4,
        moves in proptest::collection::vec((0usize..60, any::<bool>()), 1..120),
    ) {
        let key = key(Suite::ALL[suite], 5);
        let (mut protector, mut unprotector) = (Protector::new(&key), Unprotector::new(&key));
        let mut waiting = std::collections::VecDeque::new();
        // The first packet tells where the count is; it comes first.
        let first = sealed(&mut protector, &rtp_packet(9, start, b"first"));
        prop_assert!(opened(&mut unprotector, &first).is_ok());
        for (step, (place, is_repeated)) in moves.into_iter().enumerate() {
            let sequence = start.wrapping_add(step as u16 + 1);
            let plain = rtp_packet(9, sequence, &[step as u8; 33]);
            waiting.push_back((sealed(&mut protector, &plain), plain));
            if waiting.len() < 60 {
                continue;
            }
            let (packet, plain) = waiting.remove(place).expect("60 wait");
            prop_assert_eq!(opened(&mut unprotector, &packet), Ok(plain));
            if is_repeated {
                prop_assert_eq!(opened(&mut unprotector, &packet), Err(Refusal::Replayed));
            }
        }
    }

    #[test]
    fn any_octets_are_refused_without_panic(mut octets: Vec<u8>, suite in 0usize..4) {
        let mut unprotector = Unprotector::new(&key(Suite::ALL[suite], 5));
        let mut protector = Protector::new(&key(Suite::ALL[suite], 5));
        prop_assert!(unprotector.unprotect(&mut octets.clone()).is_err());
        prop_assert!(unprotector.unprotect_rtcp(&mut octets.clone()).is_err());
        let length = octets.len();
        octets.resize(length + OVERHEAD, 0);
        let _ = protector.protect(&mut octets.clone(), length);
        let _ = protector.protect_rtcp(&mut octets, length);
    }
}

/// A run of one seed: a far end talks under keys that change, somebody in the middle drops,
/// repeats, reorders and changes packets. What is heard was said, once.
fn run(seed: u64) {
    let mut entropy = Entropy::from_seed(seed);
    let suite = |entropy: &mut Entropy| Suite::ALL[entropy.below(4) as usize];
    let mut number = 1;
    let mut theirs = key(suite(&mut entropy), number);
    let own = key(suite(&mut entropy), 0);
    let mut session = Session::new(Keys {
        send: own.clone(),
        receive: theirs.clone(),
    });
    let mut protector = Protector::new(&theirs);
    let (mut ssrc, mut sequence) = (entropy.u32() | 1, entropy.u32() as u16);
    let mut way: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let (mut said, mut heard) = (0u32, std::collections::HashSet::new());
    for _ in 0..400 {
        match entropy.below(40) {
            0 => {
                number += 1;
                theirs = key(suite(&mut entropy), number);
                session.rekey(Keys {
                    send: own.clone(),
                    receive: theirs.clone(),
                });
                protector = Protector::new(&theirs);
                way.clear();
            }
            1 => ssrc = entropy.u32(),
            2 => sequence = sequence.wrapping_add(entropy.below(20_000) as u16),
            3..25 => {
                sequence = sequence.wrapping_add(1);
                said += 1;
                let mut plain = rtp_packet(ssrc, sequence, &said.to_be_bytes());
                plain.resize(plain.len() + entropy.below(200) as usize, said as u8);
                // A count that leapt over half of its cycle went back for the protector.
                let mut buffer = [&plain[..], &[0; OVERHEAD]].concat();
                if let Ok(length) = protector.protect(&mut buffer, plain.len()) {
                    buffer.truncate(length);
                    way.push((buffer, plain));
                }
            }
            25 => drop(way.pop()),
            26..30 if !way.is_empty() => {
                let at = entropy.below(way.len() as u64) as usize;
                let mut changed = way[at].0.clone();
                match entropy.below(3) {
                    0 => changed.truncate(entropy.below(changed.len() as u64) as usize),
                    1 => changed.extend([entropy.u32() as u8; 3]),
                    _ => {
                        let at = entropy.below(changed.len() as u64) as usize;
                        changed[at] ^= 1 << entropy.below(8);
                    }
                }
                assert!(
                    hear(&mut session, &changed).is_err(),
                    "a changed packet was believed"
                );
                let _ = session.unprotect_rtcp(&mut changed);
            }
            _ if !way.is_empty() => {
                let at = entropy.below(way.len().min(5) as u64) as usize;
                let (packet, plain) = match entropy.below(5) {
                    0 => way[at].clone(),
                    _ => way.remove(at),
                };
                if let Ok(opened) = hear(&mut session, &packet) {
                    assert_eq!(opened, plain);
                    assert!(heard.insert(plain), "heard twice");
                }
            }
            _ => {}
        }
    }
    assert!(heard.len() > 20, "{} of {said} heard", heard.len());
}

#[test]
fn fuzz_srtp() {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = variable("FUZZ_SEED").unwrap_or(0);
    let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        for _ in 0..16 {
            let seed = first.wrapping_add(count);
            let outcome = std::panic::catch_unwind(|| run(seed));
            if let Err(panic) = outcome {
                eprintln!("FUZZ_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
            count += 1;
        }
    }
    println!("SRTP: {count} runs from seed {first} on");
}
