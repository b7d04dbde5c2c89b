//! What is told of a leg's quality, and of sound that is missing.

use std::time::Duration;

use super::*;
use crate::events::{Deafness, MediaSummary, Way};
use crate::media::rtcp::{
    Asked, Compound, Extended, Item, LastReceiverReport, NtpTime, ReportBlock, SenderInfo,
    append_extended, write_goodbye, write_report,
};

impl Phone {
    /// Sends a report of its own: its sent packets, and what it received.
    fn report_at(&self, when: Timestamp, packets: Option<u32>, block: Option<&ReportBlock>) {
        let mut bytes = [0; 256];
        let info = packets.map(|packets| SenderInfo {
            ntp: NtpTime::from_timestamp(when),
            timestamp: self.timestamp,
            packets,
            octets: packets * 160,
        });
        let length = write_report(&mut bytes, self.ssrc, info.as_ref(), block, "phone");
        let length = length.expect("fits");
        let to = SocketAddr::new(self.switch.ip(), self.switch.port() + 1);
        self.rtcp.send_at(when, to, &bytes[..length]);
    }

    /// The last sender report it got, and when.
    fn last_report(&self) -> Option<(Timestamp, SenderInfo, u32)> {
        let mut last = None;
        while let Some((at, _, bytes)) = self.rtcp.receive() {
            let compound = Compound::parse(&bytes).expect("RTCP");
            compound.for_each(|item| {
                if let Item::Sender { from, info } = item {
                    last = Some((at, info, from));
                }
            });
        }
        last
    }
}

fn measured(notices: &[Notice], wanted: LegId) -> Vec<MediaSummary> {
    let of = |notice: &Notice| match notice {
        Notice::Quality { leg, media } if *leg == wanted => Some(**media),
        _ => None,
    };
    notices.iter().filter_map(of).collect()
}

/// An outage, or `Ok` how long it was at its end.
type Told = (LegId, Way, Result<Duration, (Deafness, String)>);

/// What was told of missing sound.
fn outages(notices: &[Notice]) -> Vec<Told> {
    let of = |notice: &Notice| match notice {
        Notice::AudioLost { leg, outage } => {
            let why = (outage.cause(), outage.words());
            Some((*leg, outage.way, Err(why)))
        }
        Notice::AudioBack { leg, way, after } => Some((*leg, *way, Ok(*after))),
        _ => None,
    };
    notices.iter().filter_map(of).collect()
}

fn answered(office: &Office, phone: &Phone) {
    office.send(Command::Answered { leg: phone.leg });
}

#[test]
fn both_directions_are_measured_live_and_at_the_end() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    for round in 0..6 {
        for n in 0..250 {
            // Five packets in a row are lost every five seconds: 2 %.
            if (100..105).contains(&n) {
                a.packet();
                office.talk(1, &mut [&mut b]);
            } else {
                office.talk(1, &mut [&mut a, &mut b]);
            }
        }
        // The device answers a report of ours; both ways together take 40 ms.
        if let Some((came, info, ssrc)) = a.last_report() {
            let block = ReportBlock {
                ssrc,
                fraction_lost: 26,
                lost: 25 * round,
                highest_sequence: 1000 * round,
                jitter: 160,
                last_report: info.ntp.middle(),
                delay: (office.now + 110 - came.as_millis() - 40) as u32 * 65_536 / 1000,
            };
            a.report_at(at(office.now + 110), Some(250 * round), Some(&block));
        }
    }
    let leg = a.leg;
    let told = measured(&office.notices(), leg);
    assert!(
        (3..=4).contains(&told.len()),
        "every ten seconds: {}",
        told.len()
    );
    office.send(Command::CloseLeg { leg });
    office.run(20);
    let closed = office
        .notices()
        .into_iter()
        .find_map(|notice| match notice {
            Notice::LegClosed { summary, .. } => Some(summary),
            _ => None,
        });
    let media = closed.expect("the last word");
    assert_eq!((media.lost, media.bursts), (30, 6), "{media:?}");
    assert!((99.0..=101.0).contains(&media.burst_ms), "{media:?}");
    assert!((19.5..20.5).contains(&media.loss_permille), "{media:?}");
    let said = media.mos_said.expect("said");
    assert!((3.9..4.35).contains(&said.mean), "{said:?}");
    let heard = media.mos_heard.expect("heard");
    assert!(
        (2.9..3.5).contains(&heard.mean),
        "10 % lost there: {heard:?}"
    );
    let round_trip = media.round_trip_ms.expect("a round trip");
    assert!((39.0..=41.0).contains(&round_trip.now), "{round_trip:?}");
    assert_eq!(media.heard_jitter_ms.expect("jitter").now, 20.0);
}

#[test]
fn a_leg_that_nobody_answered_or_that_holds_may_be_silent() {
    let mut office = Office::new();
    let (a, mut b) = office.pair();
    answered(&office, &b);
    office.talk(200, &mut [&mut b]);
    assert_eq!(outages(&office.notices()), []);
    // Answered, but the far end holds.
    for (sending, receiving) in [(true, false), (false, true)] {
        let flow = LegFlow {
            sending,
            receiving,
            ..a.flow()
        };
        office.send(Command::SetLeg { leg: a.leg, flow });
        answered(&office, &a);
        office.talk(200, &mut [&mut b]);
        assert_eq!(outages(&office.notices()), []);
    }
    let flow = a.flow();
    office.send(Command::SetLeg { leg: a.leg, flow });
    office.talk(99, &mut [&mut b]);
    assert_eq!(outages(&office.notices()), []);
    office.talk(2, &mut [&mut b]);
    assert_eq!(outages(&office.notices()).len(), 1);
}

#[test]
fn missing_sound_is_found_in_two_seconds_with_its_cause_and_its_end() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    answered(&office, &a);
    answered(&office, &b);
    office.talk(101, &mut [&mut b]);
    let port = a.switch.port();
    let remote = a.wire.address();
    let nothing = format!("nothing arrives at port {port} from {remote} at all");
    let told = (a.leg, Way::Said, Err((Deafness::NothingArrives, nothing)));
    assert_eq!(outages(&office.notices()), [told]);
    // Once, however long it lasts.
    office.talk(69, &mut [&mut b]);
    assert_eq!(outages(&office.notices()), []);
    a.speak_at(at(office.now + 3));
    office.run(20);
    let back = Ok(Duration::from_millis(3403));
    assert_eq!(outages(&office.notices()), [(a.leg, Way::Said, back)]);
    office.talk(200, &mut [&mut a, &mut b]);
    assert_eq!(outages(&office.notices()), []);
    // Comfort noise and keys are life.
    for n in 0..30 {
        let life = match n % 2 {
            0 => a.rtp(13, a.timestamp, &[40]),
            _ => a.rtp(EVENT, a.timestamp, &[5, 0x8a, 3, 32]),
        };
        a.wire.send_at(at(office.now + 3), a.switch, &life);
        office.talk(50, &mut [&mut b]);
    }
    assert_eq!(outages(&office.notices()), []);
    // Cut in the middle.
    office.talk(102, &mut [&mut b]);
    let stopped = (Deafness::Stopped, format!("RTP from {remote} stopped"));
    assert_eq!(
        outages(&office.notices()),
        [(a.leg, Way::Said, Err(stopped))]
    );
}

#[test]
fn what_arrives_and_is_refused_is_named() {
    let name = |what: &str| {
        let mut office = Office::new();
        let (mut a, mut b) = office.pair();
        answered(&office, &a);
        let stranger = office.net.endpoint(address(50_000));
        if what == "elsewhere" {
            // Latched to the phone, which then goes on from another port.
            office.talk(10, &mut [&mut a, &mut b]);
        }
        for _ in 0..110 {
            let when = at(office.now + 3);
            match what {
                "elsewhere" => {
                    let packet = a.packet();
                    stranger.send_at(when, a.switch, &packet);
                }
                "payload" => {
                    let packet = a.rtp(18, a.timestamp, &[0; 20]);
                    a.wire.send_at(when, a.switch, &packet);
                }
                _ => a.wire.send_at(when, a.switch, b"GET / HTTP/1.1"),
            }
            office.talk(1, &mut [&mut b]);
        }
        assert!(stranger.receive().is_none(), "nothing goes to a stranger");
        let mut told = outages(&office.notices());
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0).2.expect_err("lost").1
    };
    assert_eq!(
        name("elsewhere"),
        "no RTP from 127.0.0.9:40002; packets arrive from 127.0.0.9:50000, ignored"
    );
    assert_eq!(
        name("payload"),
        "RTP from 127.0.0.9:40002 has the wrong payload type 18"
    );
    assert_eq!(name("junk"), "what arrives at port 20000 is no RTP");
}

#[test]
fn reports_of_the_far_end_tell_which_way_is_dead() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    answered(&office, &a);
    // It says that it sends, and nothing comes.
    a.report_at(at(500), Some(25), None);
    office.talk(101, &mut [&mut b]);
    let told = outages(&office.notices());
    assert!(
        matches!(
            &told[..],
            [(_, Way::Said, Err((Deafness::LostOnTheWay, _)))]
        ),
        "{told:?}"
    );
    // It is heard now, and says that it hears nothing: two reports without a word of us.
    for n in 1..4 {
        a.report_at(at(office.now), Some(250 * n), None);
        office.talk(250, &mut [&mut a, &mut b]);
    }
    let told = outages(&office.notices());
    assert!(
        matches!(
            &told[..],
            [
                (_, Way::Said, Ok(_)),
                (_, Way::Heard, Err((Deafness::Unheard, _)))
            ]
        ),
        "{told:?}"
    );
    // And then it does.
    let (_, _, ssrc) = a.last_report().expect("a report");
    for n in 1..3 {
        let block = ReportBlock {
            ssrc,
            highest_sequence: n,
            ..ReportBlock::default()
        };
        a.report_at(at(office.now), Some(2000), Some(&block));
        office.talk(10, &mut [&mut a, &mut b]);
    }
    let told = outages(&office.notices());
    assert!(matches!(&told[..], [(_, Way::Heard, Ok(_))]), "{told:?}");
}

#[test]
fn one_who_pauses_between_words_is_left_alone() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    answered(&office, &a);
    for _ in 0..5 {
        office.talk(50, &mut [&mut a, &mut b]);
        // Silence suppression: no packets, numbers go on, time goes on.
        office.talk(80, &mut [&mut b]);
        a.timestamp += 80 * FRAME_SAMPLES as u32;
    }
    office.talk(500, &mut [&mut b]);
    assert_eq!(outages(&office.notices()), []);
}

#[test]
fn reports_of_reduced_size_and_of_strangers() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(300, &mut [&mut a, &mut b]);
    let (_, info, ssrc) = a.last_report().expect("a report");
    // A lone receiver report without CNAME (RFC 5506 §3.4.2) is taken.
    let mut bytes = [0; 256];
    let block = ReportBlock {
        ssrc,
        last_report: info.ntp.middle(),
        ..ReportBlock::default()
    };
    write_report(&mut bytes, a.ssrc, None, Some(&block), "").expect("fits");
    let lone = &bytes[..32];
    let to = SocketAddr::new(a.switch.ip(), a.switch.port() + 1);
    a.rtcp.send_at(at(office.now + 5), to, lone);
    office.run(20);
    // The same from elsewhere is not, and neither is a goodbye.
    let stranger = office
        .net
        .endpoint("198.51.100.1:9".parse().expect("an address"));
    stranger.send_at(at(office.now + 5), to, lone);
    let length = write_goodbye(&mut bytes, a.ssrc, "x").expect("fits");
    stranger.send_at(at(office.now + 5), to, &bytes[..length]);
    office.talk(500, &mut [&mut a, &mut b]);
    let told = measured(&office.notices(), a.leg);
    let last = told.last().expect("told");
    let reports = last.mos_heard.expect("one report was taken");
    assert_eq!((reports.min, reports.max), (reports.now, reports.now));
    assert!(stranger.receive().is_none());
}

#[test]
fn extended_reports_go_where_they_are_asked_for() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let flow = LegFlow {
        extended_reports: Asked {
            round_trip: true,
            voip_metrics: true,
        },
        ..a.flow()
    };
    office.send(Command::SetLeg { leg: a.leg, flow });
    // It only speaks, and hears nobody: our clock goes out in an extended report.
    for n in 0..500 {
        if n % 20 == 7 {
            a.packet();
        }
        office.talk(1, &mut [&mut a]);
    }
    let items = |phone: &Phone| {
        let mut items = Vec::new();
        while let Some((at, _, bytes)) = phone.rtcp.receive() {
            let compound = Compound::parse(&bytes).expect("RTCP");
            compound.for_each(|item| items.push((at, item)));
        }
        items
    };
    let told = items(&a);
    let clock = told.iter().find_map(|(_, item)| match item {
        Item::ReferenceTime { from, time } => Some((*from, *time)),
        _ => None,
    });
    let (ssrc, time) = clock.expect("our clock");
    let metrics = told.iter().rev().find_map(|(_, item)| match item {
        Item::Voip { metrics, .. } => Some(*metrics),
        _ => None,
    });
    let metrics = metrics.expect("how it is heard");
    assert_eq!(metrics.ssrc, a.ssrc);
    assert!((12..=14).contains(&metrics.loss_rate), "{metrics:?}");
    assert!((12..=14).contains(&metrics.gap_density) && metrics.burst_density == 0);
    assert!((60..90).contains(&metrics.rating), "{metrics:?}");
    assert!((30..45).contains(&metrics.mos_conversation), "{metrics:?}");
    // The answer to our clock is a round trip; its own clock is answered.
    let extended = Extended {
        reference_time: Some(NtpTime::from_timestamp(at(office.now))),
        last_receiver_report: Some(LastReceiverReport {
            ssrc,
            last_report: time.middle(),
            delay: 0,
        }),
        voip: None,
    };
    let mut bytes = [0; 256];
    let length = write_report(&mut bytes, a.ssrc, None, None, "phone").expect("fits");
    let length = append_extended(&mut bytes, length, a.ssrc, &extended).expect("fits");
    let to = SocketAddr::new(a.switch.ip(), a.switch.port() + 1);
    a.rtcp.send_at(at(office.now + 1), to, &bytes[..length]);
    office.talk(500, &mut [&mut a, &mut b]);
    let answered = items(&a).into_iter().any(
        |(_, item)| matches!(item, Item::LastReceiverReport { last, .. } if last.ssrc == a.ssrc),
    );
    assert!(answered);
    let last = measured(&office.notices(), a.leg).pop().expect("told");
    assert!(last.round_trip_ms.is_some_and(|time| time.now > 0.0));
    // Who did not ask gets none.
    assert!(
        !items(&b)
            .iter()
            .any(|(_, item)| matches!(item, Item::Voip { .. }))
    );
}
