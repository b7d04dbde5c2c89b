//! Legs with SRTP: what a far end with the key hears, and what one without it achieves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::base::Entropy;
use crate::media::srtp::{Keys, MasterKey, OVERHEAD, Session, Suite};
use crate::media::{Capture, LegState, Stats};

fn key(suite: Suite, number: u64) -> MasterKey {
    let mut entropy = Entropy::from_seed(number);
    let length = suite.key_octets() + suite.salt_octets();
    let octets: Vec<u8> = (0..length).map(|_| entropy.u32() as u8).collect();
    MasterKey::new(suite, &octets).expect("key")
}

/// Of the switch: what it sends with, and what the far end does.
fn keys(suite: Suite, ours: u64, theirs: u64) -> Keys {
    Keys {
        send: key(suite, ours),
        receive: key(suite, theirs),
    }
}

/// A far end with keys.
struct Secured {
    phone: Phone,
    session: Session,
}

impl Secured {
    fn new(office: &Office, number: u16, keys: Keys) -> Self {
        let phone = office.phone(number, Codec::Pcmu);
        office.send(Command::SetLeg {
            leg: phone.leg,
            flow: LegFlow {
                srtp: Some(keys.clone()),
                ..phone.flow()
            },
        });
        let session = Session::new(Self::mirrored(&keys));
        Self { phone, session }
    }

    fn mirrored(keys: &Keys) -> Keys {
        Keys {
            send: keys.receive.clone(),
            receive: keys.send.clone(),
        }
    }

    fn sealed(&mut self) -> Vec<u8> {
        let mut packet = self.phone.packet();
        let length = packet.len();
        packet.resize(length + OVERHEAD, 0);
        let length = self.session.protect(&mut packet, length).expect("sealed");
        packet.truncate(length);
        packet
    }

    fn say(&self, office: &Office, ms: i64, packet: &[u8]) {
        let (phone, when) = (&self.phone, at(office.now + ms));
        phone.wire.send_at(when, phone.switch, packet);
    }

    /// Speaks, and lets another speak, for so many frames.
    fn talk(&mut self, office: &mut Office, other: &mut Phone, frames: usize) {
        for _ in 0..frames {
            let packet = self.sealed();
            self.say(office, 3, &packet);
            other.speak_at(at(office.now + 8));
            office.run(20);
        }
    }

    fn got(&mut self) -> Vec<Got> {
        let mut all = Vec::new();
        while let Some((at, from, mut bytes)) = self.phone.wire.receive() {
            assert_eq!(from, self.phone.switch);
            let length = self.session.unprotect(&mut bytes).expect("sealed for us");
            let packet = Packet::parse(&bytes[..length]).expect("RTP");
            all.push(Got {
                at,
                header: *packet.header(),
                payload: packet.payload().to_vec(),
            });
        }
        all
    }
}

fn secure_pair(office: &Office, keys: Keys) -> (Secured, Phone) {
    let (a, b) = (Secured::new(office, 1, keys), office.phone(2, Codec::Pcmu));
    office.send(Command::OpenRoom { room: ROOM });
    office.join(&a.phone);
    office.join(&b);
    (a, b)
}

fn count(office: &Office, what: fn(&Stats) -> &std::sync::atomic::AtomicU64) -> u64 {
    what(&office.engine.stats()).load(Ordering::Relaxed)
}

#[test]
fn a_secure_leg_and_a_plain_one_hear_each_other() {
    for suite in Suite::ALL {
        let mut office = Office::new();
        let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
        a.talk(&mut office, &mut b, 300);
        let heard = listen(Codec::Pcmu, &b.got());
        assert!(level(&heard, 440.0) > -13.5, "{suite:?}");
        let got = a.got();
        assert!(got.len() > 295, "{suite:?}: {}", got.len());
        assert!(
            level(&listen(Codec::Pcmu, &got), 880.0) > -13.5,
            "{suite:?}"
        );
        // Reports are sealed as well, both ways.
        let (_, _, mut report) = a.phone.rtcp.receive().expect("after 5 s");
        assert!(a.session.unprotect_rtcp(&mut report).is_ok());
        let mut ours = [0; 128];
        let length =
            crate::media::rtcp::write_report(&mut ours, 7, None, None, "far").expect("fits");
        let length = a.session.protect_rtcp(&mut ours, length).expect("fits");
        let (switch, ip) = (a.phone.switch, a.phone.switch.ip());
        let door = SocketAddr::new(ip, switch.port() + 1);
        a.phone.rtcp.send_at(at(office.now), door, &ours[..length]);
        a.phone.rtcp.send_at(at(office.now), door, &ours[..length]);
        office.run(40);
        assert_eq!(count(&office, |stats| &stats.rtcp_in), 1);
        assert_eq!(count(&office, |stats| &stats.srtp_replayed), 1);
    }
}

#[test]
fn a_secure_talker_is_heard_in_a_mix_and_hears_it() {
    let mut office = Office::new();
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
    let c = office.phone(3, Codec::Pcma);
    office.join(&c);
    a.talk(&mut office, &mut b, 100);
    let heard = listen(Codec::Pcma, &c.got());
    assert!(level(&heard[4000..], 440.0) > -20.0);
    assert!(level(&listen(Codec::Pcmu, &a.got())[4000..], 880.0) > -20.0);
}

#[test]
fn who_has_no_key_is_neither_heard_nor_latched() {
    let mut office = Office::new();
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
    a.talk(&mut office, &mut b, 10);
    let heard_before = b.got().len();
    let stranger = office.net.endpoint(address(50_000));
    let mut other = Session::new(keys(suite, 2, 7));
    for n in 0..20 {
        // In the clear from the far end's own address, sealed by another key from elsewhere, and
        // what the far end has said before.
        let plain = a.phone.packet();
        a.say(&office, n, &plain);
        let mut forged = plain.clone();
        forged.resize(plain.len() + OVERHEAD, 0);
        let length = other.protect(&mut forged, plain.len()).expect("room");
        forged[length - 1] ^= 1;
        stranger.send_at(at(office.now + n), a.phone.switch, &forged[..length]);
    }
    let again = a.sealed();
    for n in 0..5 {
        a.say(&office, n, &again);
    }
    a.say(&office, 6, &[0x80, 0, 0]);
    office.run(400);
    assert_eq!(b.got().len(), 1, "{heard_before}");
    assert_eq!(count(&office, |stats| &stats.srtp_forged), 40);
    assert_eq!(count(&office, |stats| &stats.srtp_replayed), 4);
    assert_eq!(count(&office, |stats| &stats.srtp_malformed), 1);
    assert_eq!(count(&office, |stats| &stats.refused), 45);
    assert!(stranger.receive().is_none());
}

#[test]
fn a_far_end_that_rekeys_is_heard_without_a_gap() {
    let suite = Suite::AeadAes128Gcm;
    let mut office = Office::new();
    let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
    a.talk(&mut office, &mut b, 50);
    office.send(Command::SetLeg {
        leg: a.phone.leg,
        flow: LegFlow {
            srtp: Some(keys(suite, 1, 3)),
            ..a.phone.flow()
        },
    });
    // Its answer takes a while: until then the old key speaks.
    a.talk(&mut office, &mut b, 5);
    assert_eq!(b.got().len(), 55);
    let ssrc = a.got()[0].header.ssrc;
    let mirrored = Secured::mirrored(&keys(suite, 1, 3));
    a.session.rekey(mirrored);
    a.talk(&mut office, &mut b, 50);
    assert_eq!(b.got().len(), 50);
    assert!(a.got().iter().all(|got| got.header.ssrc == ssrc));
    // A new key of ours comes with a new SSRC.
    office.send(Command::SetLeg {
        leg: a.phone.leg,
        flow: LegFlow {
            srtp: Some(keys(suite, 4, 3)),
            ..a.phone.flow()
        },
    });
    office.run(20);
    a.session.rekey(Secured::mirrored(&keys(suite, 4, 3)));
    a.talk(&mut office, &mut b, 50);
    let got = a.got();
    assert!(got.len() > 48 && got.iter().all(|got| got.header.ssrc != ssrc));
    assert_eq!(count(&office, |stats| &stats.srtp_unsent), 0);
    assert_eq!(count(&office, |stats| &stats.refused), 0);
}

#[test]
fn a_restored_leg_goes_on_over_the_rolled_counter_and_repeats_no_number() {
    let suite = Suite::AesCm128HmacSha1_32;
    let mut office = Office::new();
    let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
    a.phone.sequence = 65_530;
    a.talk(&mut office, &mut b, 20);
    let before = a.got();
    let leg = a.phone.leg;
    office.send(Command::Checkpoint { leg });
    office.run(20);
    let state = office
        .notices()
        .into_iter()
        .find_map(|notice| match notice {
            Notice::LegCheckpoint { state, .. } => Some(state),
            _ => None,
        });
    let state = state.expect("told");
    let secret = serde_json::to_value(&state).expect("json")["flow"]["srtp"]["send"]["key"].clone();
    let secret = secret.as_str().expect("a checkpoint has the key");
    assert!(!format!("{state:?}").contains(secret), "and nobody else");
    let written = serde_json::to_string(&state).expect("json");
    let state: LegState = serde_json::from_str(&written).expect("state");
    let Office { engine, net, now } = office;
    drop(engine);
    let config = EngineConfig {
        ports: 20_000..=20_199,
        ..EngineConfig::default()
    };
    let engine = Engine::simulated(config, Library::built_in(), net.clone());
    let mut office = Office { engine, net, now };
    office.engine.restore_leg(&state).expect("restores");
    office.send(Command::Echo { leg, on: true });
    for _ in 0..20 {
        let packet = a.sealed();
        a.say(&office, 3, &packet);
        office.run(20);
    }
    let after = a.got();
    assert_eq!(after.len(), 20, "what was said came back");
    assert_ne!(after[0].header.ssrc, before[0].header.ssrc);
    assert_eq!(count(&office, |stats| &stats.refused), 0);
}

#[test]
fn captures_show_headers_of_what_is_concealed_until_the_last_key_is_over() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    let capture = Arc::new(Capture::new(1000));
    for leg in [a.leg, b.leg] {
        let capture = Arc::clone(&capture);
        office.send(Command::Capture { leg, capture });
    }
    let mut lengths = |office: &mut Office, frames| {
        office.talk(frames, &mut [&mut a]);
        let shown = std::iter::from_fn(|| capture.take());
        let mut lengths: Vec<usize> = shown.map(|packet| packet.octets().len()).collect();
        lengths.dedup();
        lengths
    };
    let conceal = |office: &Office, on| {
        for leg in [1, 2].map(LegId) {
            office.send(Command::Conceal { leg, on });
        }
    };
    assert_eq!(lengths(&mut office, 10), [172]);
    conceal(&office, true);
    assert_eq!(lengths(&mut office, 10), [12]);
    conceal(&office, false);
    assert_eq!(lengths(&mut office, 49), [12], "a second more");
    office.run(20);
    assert_eq!(lengths(&mut office, 10), [172]);
}

#[test]
fn captures_show_plain_packets_and_of_refused_ones_the_header() {
    let suite = Suite::AeadAes256Gcm;
    let mut office = Office::new();
    let (mut a, mut b) = secure_pair(&office, keys(suite, 1, 2));
    let capture = Arc::new(Capture::new(100));
    office.send(Command::Capture {
        leg: a.phone.leg,
        capture: Arc::clone(&capture),
    });
    a.talk(&mut office, &mut b, 3);
    let forged = [0x80; 172];
    a.say(&office, 1, &forged);
    office.run(20);
    let shown = std::iter::from_fn(|| capture.take());
    let mut lengths: Vec<usize> = shown.map(|packet| packet.octets().len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [12, 172, 172, 172, 172, 172, 172]);
}
