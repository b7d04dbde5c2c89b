//! Offers and answers (RFC 3264, RFC 3960): delayed offers, hold in all its forms, streams that go and
//! come back, other codecs, ports and payload types; what is heard while it rings; refusals.
//!
//! SIPp plays both sides. What was heard when is told by the SIP on the wire, not by a clock.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::address::CARRIER;
use super::capture_file::Stream;
use super::office::Office;
use super::record::{assert_whole, digits, list, stretches};
use super::sipp::Sipp;
use super::sound::{loudness_db, seconds_of};
use super::story::{assert_music, voice};
use super::tap::{Heard, Tap};
use super::{quiet, wait};

#[test]
fn a_caller_holds_with_sendonly_and_resumes() {
    hold(Side::Caller, &Hold::SEND_ONLY);
}

#[test]
fn a_caller_holds_with_inactive_and_resumes() {
    hold(Side::Caller, &Hold::INACTIVE);
}

#[test]
fn a_caller_holds_by_address_as_in_rfc_2543_and_resumes() {
    hold(Side::Caller, &Hold::ADDRESS);
}

#[test]
fn a_caller_takes_the_stream_away_and_gives_it_back() {
    hold(Side::Caller, &Hold::REMOVED);
}

#[test]
fn a_caller_holds_by_delayed_offer_and_resumes() {
    hold(Side::Caller, &Hold::DELAYED);
}

#[test]
fn a_callee_holds_with_sendonly_and_resumes() {
    hold(Side::Callee, &Hold::SEND_ONLY);
}

#[test]
fn a_callee_holds_with_inactive_and_resumes() {
    hold(Side::Callee, &Hold::INACTIVE);
}

#[test]
fn a_callee_holds_by_address_as_in_rfc_2543_and_resumes() {
    hold(Side::Callee, &Hold::ADDRESS);
}

#[test]
fn a_callee_takes_the_stream_away_and_gives_it_back() {
    hold(Side::Callee, &Hold::REMOVED);
}

#[test]
fn a_callee_holds_by_delayed_offer_and_resumes() {
    hold(Side::Callee, &Hold::DELAYED);
}

#[test]
fn both_hold_at_once_and_nobody_hears_anybody() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let held = |then| {
        [
            pause(300),
            reinvite(3, &sdp(2, "a=sendonly"), 200, ""),
            pause(1_200),
            reinvite(4, &sdp(3, "a=sendrecv"), 200, ""),
            pause(then),
        ]
        .concat()
    };
    // The callee waits for BYE in time for the caller's.
    let callee = scene.callee("", &sdp(1, ""), &held(700)).start();
    scene.call(&held(1_200));
    callee.succeed(wait::PATIENCE);
    for (side, other) in [(Side::Caller, 880.0), (Side::Callee, 440.0)] {
        let (answer, from) = scene.answered(side, 3);
        assert!(answer.contains("a=recvonly"), "{answer}");
        let later = from.max(scene.answered(side.other(), 3).1) + SETTLING;
        let until = scene.asked(side, 4).min(scene.asked(side.other(), 4));
        let heard = scene.heard(side, 6_000, later, until);
        assert_eq!(heard.packets, 0, "{side:?} holds");
        scene.hears(side, other, scene.answered(side.other(), 4).1);
    }
    assert!(stretches(&scene.record()).contains(&"hold"));
}

#[test]
fn a_caller_who_only_listens_is_not_on_hold() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    scene.call(
        &[
            pause(500),
            reinvite(3, &sdp(2, "a=recvonly"), 200, ""),
            pause(1_200),
            reinvite(4, &sdp(3, ""), 200, ""),
            pause(1_000),
        ]
        .concat(),
    );
    callee.succeed(wait::PATIENCE);
    let (answer, from) = scene.answered(Side::Caller, 3);
    assert!(answer.contains("a=sendonly"), "{answer}");
    let until = scene.asked(Side::Caller, 4);
    let caller = scene.heard(Side::Caller, 6_000, from + SETTLING, until);
    assert!(seconds_of(&caller.samples, 880.0) > 0.3, "goes on hearing");
    let callee = scene.heard(Side::Callee, 6_000, from + SETTLING, until);
    assert!(seconds_of(&callee.samples, 440.0) < 0.1, "says nothing");
    scene.hears(Side::Callee, 440.0, scene.answered(Side::Caller, 4).1);
    assert!(!stretches(&scene.record()).contains(&"hold"));
}

#[test]
fn a_trunk_without_an_offer_is_offered_and_answers_in_its_ack() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene
        .callee(&ringing(180, NOTHING), &sdp(1, ""), "")
        .start();
    let answer = sdp(1, "").replace(" 0 8 96", " 8 96");
    scene
        .caller(&pause(1_500))
        .set("offer", NOTHING)
        .set("ack", answer)
        .go(&scene);
    callee.succeed(wait::PATIENCE);
    let (ok, at) = scene.answered(Side::Caller, 2);
    assert!(ok.contains(" RTP/AVP 0 8 101\r\n"), "{ok}");
    // RFC 3261 §13.2.1: whoever made no offer hears of ringing, and of no media before the 200.
    let early = scene.responses(Side::Caller);
    assert!(early.iter().any(|text| text.contains(" 180 ")), "{early:?}");
    assert!(
        !early.iter().any(|text| text.contains(" 183 ")),
        "{early:?}"
    );
    // SIPp has no capture file in PCMA: only the other way is heard.
    scene.hears(Side::Caller, 880.0, at);
    let record = scene.record();
    assert_eq!(list(&record["legs"])[0]["codec"], "PCMA", "{record:#}");
}

#[test]
fn a_phone_without_an_offer_is_offered_and_answers_in_its_ack() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    scene
        .phone(&[scene.speak(440.0), pause(1_500)].concat())
        .set("offer", NOTHING)
        .set("ack", sdp(1, ""))
        .go(&scene);
    callee.succeed(wait::PATIENCE);
    let offers = scene.tap.sip_to(scene.at(PHONE, 5_060), "m=audio ");
    let offer = offers[0].sip().expect("SIP");
    // What the callee speaks already comes first.
    assert!(offer.contains(" RTP/AVP 0 111 9 8 101 110\r\n"), "{offer}");
    scene.hears(Side::Callee, 440.0, offers[0].at);
    let record = scene.record();
    assert_eq!(list(&record["legs"])[0]["codec"], "PCMU", "{record:#}");
}

#[test]
fn further_streams_are_refused_in_place_and_audio_goes_on() {
    let (answer, scene) = reoffered(
        &sdp(2, "").replace(
            "a=ptime:20",
            "a=ptime:20\n      m=video 7000 RTP/AVP 31\n      m=image 7002 udptl t38",
        ),
        200,
    );
    assert!(answer.contains("m=video 0 RTP/AVP 31\r\n"), "{answer}");
    assert!(answer.contains("m=image 0 udptl t38\r\n"), "{answer}");
    scene.record();
}

#[test]
fn an_offer_with_nothing_in_common_is_488_and_the_call_goes_on() {
    let offer = sdp(2, "").replace(" 0 8 96", " 18 4");
    let (answer, scene) = reoffered(&offer, 488);
    assert!(answer.starts_with("SIP/2.0 488 "), "{answer}");
    let record = scene.record();
    assert_eq!(record["sip"], 200, "{record:#}");
    assert_eq!(list(&record["legs"])[0]["codec"], "PCMU", "{record:#}");
}

#[test]
fn a_reoffer_that_is_no_description_is_400_and_the_call_goes_on() {
    let offer = sdp(2, "").replace("v=0", "v=never");
    let (answer, scene) = reoffered(&offer, 400);
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    assert_eq!(scene.record()["sip"], 200);
}

#[test]
fn packets_of_thirty_milliseconds_are_sent_to_who_wishes_them() {
    let (answer, scene) = reoffered(&sdp(2, "").replace("a=ptime:20", "a=ptime:30"), 200);
    assert!(answer.contains("a=ptime:20"), "what we wish: {answer}");
    let (_, from) = scene.answered(Side::Caller, 3);
    let packets = scene.packets(Side::Caller, 6_000, from + SETTLING, SystemTime::now());
    let thirty = packets.iter().filter(|packet| packet.len() == 12 + 240);
    let thirty = thirty.count();
    assert!(
        thirty > 5 && thirty * 10 > packets.len() * 9,
        "{thirty} of {}",
        packets.len()
    );
    scene.record();
}

#[test]
fn another_codec_is_spoken_from_the_answer_on() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    let changed = |number, formats: &str| {
        let offer = sdp(number, "").replace(" 0 8 96", formats);
        [reinvite(number, &offer, 200, ""), pause(700)].concat()
    };
    let steps = [
        pause(500),
        changed(3, " 8 96"),
        changed(4, " 0 96"),
        changed(5, " 8 96"),
    ];
    scene.call(&steps.concat());
    callee.succeed(wait::PATIENCE);
    for (cseq, payload_type) in [(3, 8), (4, 0), (5, 8)] {
        let (answer, from) = scene.answered(Side::Caller, cseq);
        let wanted = format!(" RTP/AVP {payload_type} 96\r\n");
        assert!(answer.contains(&wanted), "{answer}");
        let from = from + SETTLING;
        let until = from + Duration::from_millis(400);
        let packets = scene.packets(Side::Caller, 6_000, from, until);
        assert!(packets.len() > 5, "{}", packets.len());
        assert!(packets.iter().all(|p| p[1] & 0x7f == payload_type));
        let heard = scene.heard(Side::Caller, 6_000, from, until);
        assert!(seconds_of(&heard.samples, 880.0) > 0.1);
    }
    let record = scene.record();
    assert_eq!(list(&record["legs"])[0]["codec"], "PCMA", "{record:#}");
    assert_eq!(list(&record["legs"])[1]["codec"], "PCMU", "{record:#}");
}

#[test]
fn media_follow_to_another_port() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    let moved = sdp(2, "").replace("[media_port]", "[media_port+20]");
    let steps = [
        pause(500),
        reinvite(3, &moved, 200, ""),
        scene.speak(660.0),
        pause(1_500),
    ];
    scene.call(&steps.concat());
    callee.succeed(wait::PATIENCE);
    let from = scene.answered(Side::Caller, 3).1 + SETTLING;
    let until = scene.asked(Side::Caller, 99);
    let old = scene.heard(Side::Caller, 6_000, from, until);
    let new = scene.heard(Side::Caller, 6_020, from, until);
    assert_eq!(old.packets, 0, "nothing to the old port");
    assert!(seconds_of(&new.samples, 880.0) > 0.5, "the new port hears");
    scene.hears(Side::Callee, 660.0, from);
    scene.record();
}

#[test]
fn digits_have_another_payload_type_from_the_answer_on() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    let keys = scene.office.folder().join("keys.pcap");
    Stream::new(7).pause(100).press('7', 120).write(&keys);
    let steps = [reinvite(3, &sdp(2, ""), 200, ""), play(&keys), pause(900)].concat();
    let before = sdp(1, "").replace(" 96", " 101").replace(":96", ":101");
    scene.caller(&steps).set("offer", before).go(&scene);
    callee.succeed(wait::PATIENCE);
    let (first, _) = scene.answered(Side::Caller, 2);
    assert!(first.contains("a=rtpmap:101 telephone-event"), "{first}");
    let (second, _) = scene.answered(Side::Caller, 3);
    assert!(second.contains("a=rtpmap:96 telephone-event"), "{second}");
    assert_eq!(digits(&scene.record()), "7");
}

#[test]
fn plain_ringing_is_passed_on_and_the_callers_side_makes_the_tone() {
    let (scene, texts) = rung(&ringing(180, NOTHING));
    assert!(texts.iter().any(|text| text.contains(" 180 ")), "{texts:?}");
    assert!(
        !texts.iter().any(|text| text.contains(" 183 ")),
        "{texts:?}"
    );
    scene.record();
}

#[test]
fn early_media_are_heard_before_the_answer() {
    let (scene, texts) = rung(&[ringing(183, &sdp(1, "")), "{{speak}}".into()].concat());
    let early = texts.iter().find(|text| text.contains(" 183 "));
    assert!(early.is_some_and(|text| text.contains("m=audio ")));
    scene.hears_early(880.0);
    scene.record();
}

#[test]
fn ringing_after_early_media_changes_nothing() {
    let ways = [
        ringing(183, &sdp(1, "")),
        ringing(180, NOTHING),
        "{{speak}}".into(),
    ];
    let (scene, texts) = rung(&ways.concat());
    let early = texts.iter().find(|text| text.contains(" 183 "));
    assert!(early.is_some_and(|text| text.contains("m=audio ")));
    scene.hears_early(880.0);
    scene.record();
}

#[test]
fn early_media_take_the_place_of_our_own_ring_back() {
    let _turn = quiet::shared();
    let scene = Scene::answering("1006");
    let ways = [
        pause(1_000),
        ringing(183, &sdp(1, "")),
        scene.speak(880.0),
        pause(900),
    ];
    let callee = scene.callee(&ways.concat(), &sdp(1, ""), "").start();
    scene.call(&pause(3_500));
    callee.succeed(wait::PATIENCE);
    let rang = scene.tap.sip_to(scene.at(CALLEE, 5_060), "INVITE sip:")[0].at;
    let early = scene.sent(CALLEE, "SIP/2.0 183 ");
    let tone = scene.heard(Side::Caller, 6_000, rang, early);
    assert!(loudness_db(&tone.samples) > -40.0, "our own ring-back");
    let answered = scene.sent(CALLEE, "SIP/2.0 200 ");
    let heard = scene.heard(Side::Caller, 6_000, early + SETTLING, answered);
    let seconds = heard.samples.len() as f64 / 8_000.0;
    let sung = seconds_of(&heard.samples, 880.0);
    assert!(sung > 0.3, "{sung} s of early media");
    // 400 Hz and 15 to 20 Hz: our tone would be on top of it.
    let ours = seconds_of(&heard.samples, 400.0);
    assert!(ours < 0.2 * seconds, "{ours} s of our tone");
    let record = scene.record();
    assert!(stretches(&record).contains(&"ring"), "{record:#}");
    assert!(stretches(&record).contains(&"talk"), "{record:#}");
}

#[test]
fn what_a_callee_refuses_with_is_told_and_nobody_is_challenged_for_him() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let cases = [
        ("486 Busy Here", "", 486),
        ("603 Decline", "", 603),
        ("488 Not Acceptable Here", "", 488),
        ("500 Server Internal Error", "", 500),
        ("503 Service Unavailable", "Retry-After: 5", 480),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"",
            500,
        ),
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"",
            500,
        ),
    ];
    for (count, (status, header, told)) in cases.into_iter().enumerate() {
        let status = format!(
            "{status}\n      {}",
            if header.is_empty() {
                "Server: x"
            } else {
                header
            }
        );
        let callee = scene
            .office
            .sipp("phone_refuses", scene.at(CALLEE, 5_060))
            .set("status", status)
            .start();
        scene.phone("").set("refusal", told).go(&scene);
        callee.succeed(wait::PATIENCE);
        let record = scene.office.records(count + 1).remove(0);
        assert_whole(&record, &scene.office.recordings());
        assert_eq!(record["sip"], told, "{record:#}");
        assert_eq!(record["answered"], Value::Null, "{record:#}");
    }
    let asked = scene.tap.sip_to(scene.at(CALLEE, 5_060), "INVITE sip:");
    for invite in asked.iter().filter_map(|packet| packet.sip()) {
        assert!(!invite.contains("uthorization:"), "{invite}");
    }
    let told = scene.tap.sip_to(scene.at(PHONE, 5_060), "realm=\"x\"");
    assert!(told.is_empty(), "a callee's challenge reached the caller");
}

#[test]
fn an_answer_of_no_use_is_acked_and_ended_and_the_caller_told() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let answer = sdp(1, "").replace(" 0 8 96", " 18");
    // The callee wants its ACK, then the BYE.
    let callee = scene.callee("", &answer, "").start();
    scene.phone("").set("refusal", 488).go(&scene);
    callee.succeed(wait::PATIENCE);
    let record = scene.record();
    assert_eq!(record["sip"], 488, "{record:#}");
    assert_eq!(record["answered"], Value::Null, "{record:#}");
}

#[test]
fn offers_of_no_use_are_refused_each_with_its_status() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let mixed = "Content-Type: multipart/mixed;boundary=b\n      Content-Length: [len]\n\n      \
        --b\n      Content-Type: text/plain\n\n      hello\n      --b--";
    for (offer, forwards, status) in [
        (sdp(1, "").replace("v=0", "v=never"), 70, 400),
        (sdp(1, "").replace(" 0 8 96", " 18"), 70, 488),
        (sdp(1, "").replace("[media_port]", "0"), 70, 488),
        (mixed.to_owned(), 70, 415),
        (sdp(1, ""), 0, 483),
    ] {
        scene
            .caller("")
            .set("offer", offer)
            .set("forwards", forwards)
            .set("refusal", status)
            .go(&scene);
        let told = scene.responses(Side::Caller);
        let last = told.last().expect("an answer");
        assert!(last.starts_with(&format!("SIP/2.0 {status} ")), "{last}");
        if status == 415 {
            assert!(last.contains("Accept: application/sdp"), "{last}");
        }
    }
    let invites = scene.tap.sip_to(scene.at(CALLEE, 5_060), "INVITE sip:");
    assert!(invites.is_empty(), "nobody is rung for them");
    assert!(scene.office.api.calls().is_empty(), "none became a call");
}

#[test]
fn an_unknown_header_harms_nobody() {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    scene
        .caller(&pause(1_000))
        .set("extra", "X-Never-Heard-Of: \"unbalanced, <;;=")
        .go(&scene);
    callee.succeed(wait::PATIENCE);
    let (_, at) = scene.answered(Side::Caller, 2);
    scene.hears(Side::Callee, 440.0, at);
    let invites = scene
        .tap
        .sip_to(scene.at(CALLEE, 5_060), "X-Never-Heard-Of");
    assert!(invites.is_empty(), "it is not passed on");
    scene.record();
}

/// One way to hold: the lines of the offer, or of the answer where the offer is delayed, and what
/// we have to answer.
struct Hold {
    line: &'static str,
    audio: &'static str,
    address: &'static str,
    answer: &'static str,
    is_delayed: bool,
}

impl Hold {
    const SEND_ONLY: Self = Self {
        line: "a=sendonly",
        audio: "[media_port]",
        address: "[local_ip]",
        answer: "a=recvonly",
        is_delayed: false,
    };
    const INACTIVE: Self = Self {
        line: "a=inactive",
        answer: "a=inactive",
        ..Self::SEND_ONLY
    };
    const ADDRESS: Self = Self {
        line: "a=sendrecv",
        address: "0.0.0.0",
        ..Self::SEND_ONLY
    };
    const REMOVED: Self = Self {
        line: "a=sendrecv",
        audio: "0",
        answer: "m=audio 0 RTP/AVP 0 8 96",
        ..Self::SEND_ONLY
    };
    const DELAYED: Self = Self {
        answer: "a=sendrecv",
        is_delayed: true,
        ..Self::SEND_ONLY
    };
}

/// `side` holds and resumes: it hears nothing, the other music, and the record tells of it.
#[track_caller]
fn hold(side: Side, way: &Hold) {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let body = sdp(2, way.line)
        .replace("m=audio [media_port]", &format!("m=audio {}", way.audio))
        .replace("c=IN IP4 [local_ip]", &format!("c=IN IP4 {}", way.address));
    let holding = match way.is_delayed {
        true => reinvite(3, NOTHING, 200, &body),
        false => reinvite(3, &body, 200, ""),
    };
    let resuming = match way.is_delayed {
        true => reinvite(4, NOTHING, 200, &sdp(3, "a=sendrecv")),
        false => reinvite(4, &sdp(3, "a=sendrecv"), 200, ""),
    };
    let steps = [pause(500), holding, pause(1_300), resuming, pause(1_000)].concat();
    let (at_callee, at_caller) = match side {
        Side::Callee => (steps, pause(4_000)),
        Side::Caller => (String::new(), steps),
    };
    let callee = scene.callee("", &sdp(1, ""), &at_callee).start();
    scene.call(&at_caller);
    callee.succeed(wait::PATIENCE);
    let (answer, from) = scene.answered(side, 3);
    assert!(answer.contains(way.answer), "{answer}");
    let until = scene.asked(side, 4);
    let held = scene.heard(side, 6_000, from + SETTLING, until);
    assert_eq!(held.packets, 0, "whoever holds is sent nothing");
    let waiting = scene.heard(side.other(), 6_000, from + SETTLING, until);
    assert_music(&waiting.samples);
    let own = [440.0, 880.0][side as usize];
    let (answer, resumed) = scene.answered(side, 4);
    assert!(answer.contains("a=sendrecv"), "{answer}");
    scene.hears(side, [880.0, 440.0][side as usize], resumed);
    if way.audio != "0" {
        scene.hears(side.other(), own, resumed);
    }
    let record = scene.record();
    let parts = stretches(&record);
    let talk = parts.iter().position(|part| *part == "talk");
    let talk = talk.unwrap_or_else(|| panic!("{record:#}"));
    assert_eq!(parts[talk..], ["talk", "hold", "talk"], "{record:#}");
}

/// The caller offers anew in a conversation; what it is answered, and what remains: they hear each
/// other as before.
#[track_caller]
fn reoffered(offer: &str, status: u16) -> (String, Scene) {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let callee = scene.callee("", &sdp(1, ""), "").start();
    scene.call(&[pause(400), reinvite(3, offer, status, ""), pause(1_000)].concat());
    callee.succeed(wait::PATIENCE);
    let (answer, at) = scene.answered(Side::Caller, 3);
    scene.hears(Side::Caller, 880.0, at);
    scene.hears(Side::Callee, 440.0, at);
    (answer, scene)
}

/// A callee rings in some way for a while and answers; what the caller was told before the answer.
#[track_caller]
fn rung(ways: &str) -> (Scene, Vec<String>) {
    let _turn = quiet::shared();
    let scene = Scene::open("1006");
    let ways = ways.replace("{{speak}}", &scene.speak(880.0)) + &pause(900);
    let callee = scene.callee(&ways, &sdp(1, ""), "").start();
    scene.call(&pause(900));
    callee.succeed(wait::PATIENCE);
    let (_, at) = scene.answered(Side::Caller, 2);
    scene.hears(Side::Callee, 440.0, at);
    scene.hears(Side::Caller, 880.0, at);
    let mut texts = scene.responses(Side::Caller);
    let ok = texts.iter().position(|text| text.contains(" 200 "));
    texts.truncate(ok.expect("an answer"));
    (scene, texts)
}

/// Which party.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    /// The trunk; it says 440 Hz.
    Caller = 0,
    /// Phone 1006; it says 880 Hz.
    Callee = 1,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    fn host(self) -> u8 {
        match self {
            Side::Caller => CARRIER,
            Side::Callee => CALLEE,
        }
    }
}

/// An office whose main number rings phone 1006, and everything that is said on its wires.
struct Scene {
    office: Office,
    tap: Tap,
}

impl Scene {
    /// The caller is answered when the phone answers.
    fn open(number: &str) -> Self {
        Self::with_flow(&format!(
            "start = \"ring\"\n[steps.ring]\ndo = \"dial\"\nnumber = \"{number}\"\nfailed = \"hangup\"\n"
        ))
    }

    /// The caller is answered by the flow, before the phone rings.
    fn answering(number: &str) -> Self {
        Self::with_flow(&format!(
            "start = \"hello\"\n[steps.hello]\ndo = \"play\"\nsounds = [\"beep\"]\nnext = \"ring\"\n\
             [steps.ring]\ndo = \"dial\"\nnumber = \"{number}\"\nfailed = \"hangup\"\n"
        ))
    }

    fn with_flow(flow: &str) -> Self {
        let mut office = Office::prepare();
        office.rewrite("flows/main.toml", |_| flow.to_owned());
        office.start();
        office.register(1_006);
        let tap = Tap::on(office.block);
        Self { office, tap }
    }

    fn at(&self, host: u8, port: u16) -> SocketAddr {
        self.office.block.at(host, port)
    }

    /// A step: speaks a tone, while the next steps go on.
    fn speak(&self, hz: f64) -> String {
        play(&voice(self.office.folder(), hz, 30.0))
    }

    /// Phone 1006, speaking 880 Hz from its answer on.
    fn callee(&self, ringing: &str, answer: &str, steps: &str) -> Sipp {
        // Who speaks early goes on speaking.
        let speaks = !ringing.contains("play_pcap_audio") && may_speak(steps);
        let speech = if speaks {
            self.speak(880.0)
        } else {
            String::new()
        };
        self.office
            .sipp("offers_callee", self.at(CALLEE, 5_060))
            .set("ringing", ringing)
            .set("answer", answer)
            .set("steps", speech + steps)
    }

    /// The trunk, speaking 440 Hz from the answer on.
    fn caller(&self, steps: &str) -> Sipp {
        let speech = match may_speak(steps) {
            true => self.speak(440.0),
            false => String::new(),
        };
        self.office
            .carrier("offers_caller")
            .set("challenge", "")
            .set("steps", speech + steps)
    }

    #[track_caller]
    fn call(&self, steps: &str) {
        self.caller(steps).go(self);
    }

    /// Phone 1007, which has to prove who it is.
    fn phone(&self, steps: &str) -> Sipp {
        let challenge = include_str!("../data/sipp/offers_challenge.xml");
        self.office
            .sipp("offers_caller", self.at(PHONE, 5_060))
            .set("challenge", challenge)
            .set(
                "extra",
                "[authentication username=1007 password=tsunagu-1007]",
            )
            .set("number", 1_006)
            .set("caller", 1_007)
            .set("steps", steps)
    }

    /// The final response to a party's INVITE of this number, and when it came.
    #[track_caller]
    fn answered(&self, side: Side, cseq: u32) -> (String, SystemTime) {
        let words = format!("CSeq: {cseq} INVITE");
        let told = self.tap.sip_to(self.at(side.host(), 5_060), &words);
        let answer = told.iter().find_map(|packet| {
            let text = packet.sip()?;
            let is_final = text.starts_with("SIP/2.0 ")
                && !text.starts_with("SIP/2.0 1")
                && !text.starts_with("SIP/2.0 503");
            is_final.then(|| (text.to_owned(), packet.at))
        });
        answer.unwrap_or_else(|| panic!("no answer to {words} of {side:?}"))
    }

    /// When a party sent its request of this number.
    #[track_caller]
    fn asked(&self, side: Side, cseq: u32) -> SystemTime {
        self.sent(side.host(), &format!("\nCSeq: {cseq} "))
    }

    /// When a host first sent a message with these words.
    #[track_caller]
    fn sent(&self, host: u8, words: &str) -> SystemTime {
        let from = self.at(host, 5_060);
        // A registration has 200s, too, but is sent none of these by a phone.
        let sent = self.tap.packets(|packet| {
            packet.from == from && packet.sip().is_some_and(|text| text.contains(words))
        });
        let first = sent.first();
        first.unwrap_or_else(|| panic!("no {words:?} sent")).at
    }

    /// All responses to a party's INVITEs, in order.
    fn responses(&self, side: Side) -> Vec<String> {
        let told = self.tap.sip_to(self.at(side.host(), 5_060), " INVITE\r\n");
        let texts = told.iter().filter_map(|packet| packet.sip());
        let texts = texts.filter(|text| text.starts_with("SIP/2.0 "));
        texts.map(str::to_owned).collect()
    }

    /// What a party was sent between two instants.
    fn heard(&self, side: Side, port: u16, from: SystemTime, until: SystemTime) -> Heard {
        let to = self.at(side.host(), port);
        self.tap
            .heard(|packet| packet.to == to && (from..until).contains(&packet.at))
    }

    fn packets(&self, side: Side, port: u16, from: SystemTime, until: SystemTime) -> Vec<Vec<u8>> {
        let to = self.at(side.host(), port);
        let packets = self
            .tap
            .packets(|packet| packet.to == to && (from..until).contains(&packet.at));
        packets.into_iter().map(|packet| packet.payload).collect()
    }

    #[track_caller]
    fn hears(&self, side: Side, hz: f64, from: SystemTime) {
        let heard = self.heard(side, 6_000, from, SystemTime::now());
        let seconds = seconds_of(&heard.samples, hz);
        assert!(seconds > 0.3, "{side:?} hears {seconds} s of {hz} Hz");
    }

    #[track_caller]
    fn hears_early(&self, hz: f64) {
        let (_, answered) = self.answered(Side::Caller, 2);
        let heard = self.heard(Side::Caller, 6_000, SystemTime::UNIX_EPOCH, answered);
        let seconds = seconds_of(&heard.samples, hz);
        assert!(seconds > 0.3, "{seconds} s of {hz} Hz before the answer");
    }

    /// The only call's record, which must be whole.
    #[track_caller]
    fn record(&self) -> Value {
        let record = self.office.records(1).remove(0);
        assert_whole(&record, &self.office.recordings());
        record
    }
}

/// A caller of whom not everything was said.
trait Usual {
    fn go(self, scene: &Scene);
}

impl Usual for Sipp {
    /// Runs it to its end, which must be a success; again when the switch was late for a moment, as
    /// on a busy machine, and let nobody in.
    #[track_caller]
    fn go(self, scene: &Scene) {
        let whole = self
            .set("extra", "User-Agent: sipp")
            .set("forwards", 70)
            .set("refusal", 699)
            .set("offer", sdp(1, ""))
            .set("ack", NOTHING);
        let refusals = || scene.tap.sip_to(whole.local(), "SIP/2.0 503 ").len();
        for _ in 0..10 {
            let before = refusals();
            whole.clone().run(wait::PATIENCE);
            if refusals() == before {
                return;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("the switch lets nobody in");
    }
}

/// SIPp with a capture file to play takes no answer with a stream removed.
fn may_speak(steps: &str) -> bool {
    !steps.contains("m=audio 0 ")
}

/// A description as body, with its headers; one line more may be a direction.
fn sdp(version: u32, line: &str) -> String {
    let lines = [
        "Content-Type: application/sdp",
        "Content-Length: [len]",
        "",
        "v=0",
        &format!("o=offers 1 {version} IN IP4 [local_ip]"),
        "s=-",
        "c=IN IP4 [local_ip]",
        "t=0 0",
        "m=audio [media_port] RTP/AVP 0 8 96",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        if line.is_empty() { "a=sendrecv" } else { line },
        "a=ptime:20",
    ];
    lines.join("\n      ")
}

fn pause(ms: u32) -> String {
    format!("  <pause milliseconds=\"{ms}\"/>\n")
}

fn play(path: &std::path::Path) -> String {
    let path = path.display();
    format!("  <nop><action><exec play_pcap_audio=\"{path}\"/></action></nop>\n")
}

/// A provisional response of a callee.
fn ringing(status: u16, body: &str) -> String {
    format!(
        "  <send><![CDATA[

      SIP/2.0 {status} Ringing
      Via:[$via]
      From:[$them]
      To:[$called];tag=[pid]callee[call_number]
      Call-ID: [call_id]
      CSeq:[$cseq]
      Contact: <sip:callee@[local_ip]:[local_port]>
      {body}

    ]]></send>\n"
    )
}

/// A re-INVITE with a body, answered with `status`, and its ACK with another.
fn reinvite(cseq: u32, body: &str, status: u16, ack: &str) -> String {
    let ack = if ack.is_empty() { NOTHING } else { ack };
    let via = match status {
        200 => "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        _ => "[last_Via:]",
    };
    format!(
        "  <send retrans=\"500\"><![CDATA[

      INVITE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From:[$us]
      To:[$them]
      Call-ID: [call_id]
      CSeq: {cseq} INVITE
      Contact: <sip:offers@[local_ip]:[local_port]>
      Max-Forwards: 70
      {body}

    ]]></send>
  <recv response=\"100\" optional=\"true\"/>
  <recv response=\"{status}\"/>
  <send><![CDATA[

      ACK [next_url] SIP/2.0
      {via}
      [routes]
      From:[$us]
      To:[$them]
      Call-ID: [call_id]
      CSeq: {cseq} ACK
      Max-Forwards: 70
      {ack}

    ]]></send>\n"
    )
}

/// What is on its way when an answer comes may still arrive.
const SETTLING: Duration = Duration::from_millis(200);
/// No body.
const NOTHING: &str = "Content-Length: 0";
/// The host of phone 1006, which is called.
const CALLEE: u8 = super::address::PHONES + 5;
/// The host of phone 1007, which calls.
const PHONE: u8 = super::address::PHONES + 6;
