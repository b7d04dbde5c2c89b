//! Who is heard and who gets anything: RTP bleed and injection, as an attacker would try them.
//! Figures are printed (`cargo test --lib strangers -- --nocapture`).

use super::*;
use crate::base::Entropy;

/// What foreign packets carry, and nobody else's.
const FOREIGN: u8 = 0x5a;

/// One who sends where he is not wanted.
struct Stranger {
    wire: VirtualEndpoint,
    ssrc: u32,
    sequence: u16,
}

impl Stranger {
    fn new(office: &Office, number: u16) -> Self {
        let from = SocketAddr::from(([127, 0, 1, 1 + (number % 250) as u8], 1024 + number));
        Self {
            wire: office.net.endpoint(from),
            ssrc: 0xbad0_0000 + u32::from(number),
            sequence: 100 * number,
        }
    }

    /// The next packet of a flawless stream.
    fn speak_at(&mut self, when: Timestamp, to: SocketAddr) {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(when, to, (self.ssrc, self.sequence));
    }

    fn send(&self, when: Timestamp, to: SocketAddr, (ssrc, sequence): (u32, u16)) {
        let header = Header {
            marker: false,
            payload_type: Codec::Pcmu.payload_type(),
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc,
        };
        let mut buffer = [0; 256];
        let length = rtp::write(&mut buffer, header, &[FOREIGN; 160]).expect("fits");
        self.wire.send_at(when, to, &buffer[..length]);
    }

    fn received(&self) -> usize {
        std::iter::from_fn(|| self.wire.receive()).count()
    }
}

fn foreign(phone: &Phone) -> usize {
    let is_foreign = |got: &Got| got.payload.first() == Some(&FOREIGN);
    phone.got().iter().filter(|got| is_foreign(got)).count()
}

#[test]
fn strangers_get_nothing_and_are_not_heard() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut chance = Entropy::from_seed(4);
    let mut strangers: Vec<Stranger> = (0..40).map(|n| Stranger::new(&office, n)).collect();
    let mut sent = [0; 2];
    let mut heard = [0; 2];
    for phase in 0..2 {
        // At first nobody has spoken at that port; then the far end does.
        for frame in 0..if phase == 0 { 40 } else { 1000 } {
            for (place, stranger) in strangers.iter_mut().enumerate() {
                let when = at(office.now + chance.below(20) as i64);
                match place % 4 {
                    // A perfect stream, as long as it takes.
                    0 if place == 0 => stranger.speak_at(when, a.switch),
                    // Shots in the dark.
                    0 | 1 => {
                        let ssrc = chance.below(1 << 32) as u32;
                        let sequence = chance.below(1 << 16) as u16;
                        stranger.send(when, a.switch, (ssrc, sequence));
                    }
                    // The true stream's numbers, guessed right.
                    2 => stranger.send(when, a.switch, (a.ssrc, a.sequence.wrapping_add(1))),
                    _ if frame % 10 == 0 => stranger.speak_at(when, a.switch),
                    _ => continue,
                }
                sent[phase] += 1;
            }
            match phase {
                0 => office.talk(1, &mut [&mut b]),
                _ => office.talk(1, &mut [&mut a, &mut b]),
            }
        }
        heard[phase] = foreign(&b);
    }
    let bled: usize = strangers.iter().map(Stranger::received).sum();
    println!(
        "bleed: {bled} packets to 40 strangers; injection: before the far end spoke {} of {} \
         foreign packets heard, after it {} of {}",
        heard[0], sent[0], heard[1], sent[1]
    );
    assert_eq!(bled, 0);
    assert_eq!(heard, [0, 0]);
    assert!(foreign(&a) == 0 && sent[1] > 20_000);
}

#[test]
fn a_patient_stranger_yields_as_soon_as_the_far_end_speaks() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut stranger = Stranger::new(&office, 7);
    // A far end that has not spoken for a second yet.
    for _ in 0..49 {
        stranger.speak_at(at(office.now + 7), a.switch);
        office.talk(1, &mut [&mut b]);
    }
    assert_eq!((foreign(&b), stranger.received()), (0, 0));
    for _ in 0..200 {
        stranger.speak_at(at(office.now + 7), a.switch);
        office.talk(1, &mut [&mut b]);
    }
    let patient = foreign(&b);
    assert!(patient > 150, "against whom nothing speaks: {patient}");
    stranger.received();
    let mut frame = |office: &mut Office, a: &mut Phone| {
        stranger.speak_at(at(office.now + 17), a.switch);
        office.talk(1, &mut [a, &mut b]);
        (foreign(&b), stranger.received())
    };
    frame(&mut office, &mut a);
    let (mut heard, mut bled) = (0, 0);
    for _ in 0..500 {
        let (more, got) = frame(&mut office, &mut a);
        (heard, bled) = (heard + more, bled + got);
    }
    println!(
        "a patient stranger: 0 of 49 heard in his first second, {heard} of 500 after the far end"
    );
    assert_eq!((heard, bled), (0, 0));
}

#[test]
fn digits_of_another_stream_are_never_taken() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let stranger = Stranger::new(&office, 3);
    office.talk(5, &mut [&mut a, &mut b]);
    let mut sent = 0;
    for n in 0..500u16 {
        for (wire, ssrc) in [
            // The far end's address forged, and its stream guessed from a wrong address.
            (&a.wire, 0xbad),
            (&stranger.wire, a.ssrc),
            (&stranger.wire, 0xbad),
        ] {
            let header = Header {
                marker: n % 10 == 0,
                payload_type: EVENT,
                sequence: a.sequence.wrapping_add(1 + n % 3),
                timestamp: a.timestamp,
                ssrc,
            };
            let mut buffer = [0; 64];
            let event = [5, 10, 3, 32];
            let length = rtp::write(&mut buffer, header, &event).expect("fits");
            wire.send_at(at(office.now + 1), a.switch, &buffer[..length]);
            sent += 1;
        }
        office.talk(1, &mut [&mut a, &mut b]);
    }
    let digits = office.notices().into_iter();
    let digits = digits
        .filter(|notice| matches!(notice, Notice::Digit { .. }))
        .count();
    let events = b
        .got()
        .iter()
        .filter(|got| got.header.payload_type == EVENT)
        .count();
    println!("digits: {digits} of {sent} forged ones taken, {events} passed on");
    assert_eq!((digits, events), (0, 0));
}

#[test]
fn what_outlives_a_call_never_reaches_the_next_on_its_port() {
    let mut office = Office::with(|config| {
        config.ports = 20_000..=20_003;
        config.quarantine = std::time::Duration::from_secs(1);
    });
    let mut heard = 0;
    let mut sent = 0;
    let (mut old, mut b) = office.pair();
    for call in 0..20u16 {
        office.talk(50, &mut [&mut old, &mut b]);
        for leg in [old.leg, b.leg] {
            office.send(Command::CloseLeg { leg });
        }
        office.send(Command::CloseRoom { room: ROOM });
        office.run(1500);
        office.notices();
        // The same ports; another call; the far end is behind a NAT, so anybody might be it.
        let next = office.phone(10 + 2 * call, Codec::Pcmu);
        let mut other = office.phone(11 + 2 * call, Codec::Pcmu);
        assert!(
            [next.switch, other.switch].contains(&old.switch),
            "the ports come again"
        );
        office.send(Command::OpenRoom { room: ROOM });
        office.join(&next);
        office.join(&other);
        let flow = LegFlow {
            remote: Some(SocketAddr::from(([192, 168, 0, 9], 4000))),
            ..next.flow()
        };
        let leg = next.leg;
        office.send(Command::SetLeg { leg, flow });
        // The old device has noticed nothing, and its NAT gives it a new port.
        let moved = office.net.endpoint(address(30_000 + call));
        for n in 0..100u16 {
            let header = Header {
                sequence: old.sequence.wrapping_add(n),
                timestamp: old.timestamp,
                ssrc: old.ssrc,
                ..Header::default()
            };
            let mut buffer = [0; 256];
            let length = rtp::write(&mut buffer, header, &[FOREIGN; 160]).expect("fits");
            old.wire
                .send_at(at(office.now + 1), next.switch, &buffer[..length]);
            moved.send_at(at(office.now + 2), next.switch, &buffer[..length]);
            sent += 2;
            office.talk(1, &mut [&mut other]);
        }
        heard += foreign(&other);
        // The old device may not be told twice what it was.
        (old, b) = (next, other);
        let flow = old.flow();
        office.send(Command::SetLeg { leg: old.leg, flow });
    }
    println!("after hang-up: {heard} of {sent} packets of the call before heard in 20 calls");
    assert_eq!(heard, 0);
}
