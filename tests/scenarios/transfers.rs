//! Transfers: REFER, NOTIFY, Replaces and the operator's wish, between phones and carriers that are
//! all SIPp. Wire, sound and record of each.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::address::{CARRIER, STRANGER};
use super::location::listens;
use super::office::{CALLER, Office};
use super::record::{assert_whole, list};
use super::sipp::Running;
use super::sound::seconds_of;
use super::story::voice;
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn whoever_was_called_sends_the_caller_to_another_phone() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let refer = Part::Refer(&scene.to("1007"), 202);
    let leaver = scene.answers(1_006, 50, &[refer, Part::Told(&[100, 180, 200])]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006), [100, 180, 200]);
    let notified = scene.sent_to(1_006, "NOTIFY sip:");
    assert!(line(&notified[0], "Subscription-State:").contains("active;expires="));
    let last = notified.last().expect("several");
    assert!(line(last, "Subscription-State:").contains("terminated"));
    assert_eq!(scene.sent_to(1_006, "BYE sip:").len(), 1);
    // The caller keeps its dialog and hears of nothing.
    assert_eq!(scene.sent_to(1_005, "INVITE sip:"), [""; 0]);
    let rung = &scene.sent_to(1_007, "INVITE sip:")[0];
    assert!(line(rung, "Referred-By:").contains("sip:1006@"), "{rung}");
    assert!(line(rung, "From:").contains("sip:1005@"), "{rung}");
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "1006", "1005", "1007", "200"]);
    assert_eq!(legs(&record), ["1005", "1006", "1007"]);
}

#[test]
fn whoever_called_sends_the_callee_to_another_phone() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let stays = scene.answers(1_006, 50, &[Part::Speak(880)]);
    let refer = Part::Refer(&scene.to("1007"), 202);
    let leaver = scene.calls(1_005, "1006", &[refer, Part::Told(&[100, 180, 200])]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_006, 880), (1_007, 1_320));
    scene.hang_up();
    for party in [stays, target] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_005), [100, 180, 200]);
    assert_eq!(scene.sent_to(1_006, "INVITE sip:").len(), 1);
    let rung = &scene.sent_to(1_007, "INVITE sip:")[0];
    assert!(line(rung, "From:").contains("sip:1006@"), "{rung}");
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "1005", "1006", "1007", "200"]);
}

#[test]
fn a_busy_target_gives_the_caller_back() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.refuses(1_007, "486 Busy Here");
    let refer = Part::Refer(&scene.to("1007"), 202);
    let parts = [refer, Part::Told(&[100, 486]), Part::Speak(880)];
    let leaver = scene.answers(1_006, 50, &parts);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    target.succeed(wait::PATIENCE);
    // The voice of the one who asked is heard again, after the NOTIFY.
    scene.hear_each_other((1_005, 440), (1_006, 880));
    scene.hang_up();
    for party in [caller, leaver] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006).last(), Some(&486));
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "1006", "1005", "1007", "486"]);
    assert_eq!(list(&record["legs"])[2]["cause"]["sip"], 486);
}

#[test]
fn without_a_subscription_nobody_is_notified() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let refer = format!(
        "{}\n      Refer-Sub: false\n      Supported: norefersub",
        scene.to("1007")
    );
    let leaver = scene.answers(1_006, 50, &[Part::Refer(&refer, 202)]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006), [0; 0]);
    let accepted = &scene.sent_to(1_006, "SIP/2.0 202")[0];
    assert_eq!(line(accepted, "Refer-Sub:"), "Refer-Sub: false");
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "1006", "1005", "1007", "200"]);
}

#[test]
fn of_two_refers_at_once_the_second_is_refused() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 2_500, &[Part::Speak(1_320)]);
    let other = scene.answers(1_008, 50, &[]);
    let (first, second) = (scene.to("1007"), scene.to("1008"));
    let parts = [
        Part::Refer(&first, 202),
        Part::Told(&[100, 180]),
        Part::Refer(&second, 491),
        Part::Told(&[200]),
    ];
    let leaver = scene.answers(1_006, 50, &parts);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    drop(other);
    assert_eq!(scene.told(1_006), [100, 180, 200]);
    assert_eq!(scene.sent_to(1_008, "INVITE sip:"), [""; 0]);
    let record = scene.judge(200);
    assert_eq!(list(&record["transfers"]).len(), 1, "{record:#}");
}

#[test]
fn what_cannot_be_done_is_refused_and_the_call_goes_on() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let switch = scene.office.sip();
    let target = |to: &str| format!("Refer-To: {to}");
    let refused = [
        (target(&format!("<sip:1007@{switch};method=BYE>")), 403),
        (target(&format!("<sip:4711@{switch}>")), 403),
        (target("<mailto:1007@example.com>"), 403),
        (target("<sip:"), 400),
        (
            target(&format!("<sip:1007@{switch}>, <sip:1008@{switch}>")),
            400,
        ),
        ("X-No: Refer-To".to_owned(), 400),
        // An activity belongs to whoever dials it himself.
        (target(&format!("<sip:*46@{switch}>")), 403),
    ];
    let parts: Vec<Part<'_>> = refused
        .iter()
        .map(|(headers, status)| Part::Refer(headers, *status))
        .chain([Part::Speak(880)])
        .collect();
    let leaver = scene.answers(1_006, 50, &parts);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    scene.hear_each_other((1_005, 440), (1_006, 880));
    scene.hang_up();
    for party in [caller, leaver] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006), [0; 0]);
    let record = scene.judge(200);
    assert_eq!(list(&record["transfers"]).len(), 0, "{record:#}");
    assert_eq!(list(&record["legs"]).len(), 2, "{record:#}");
}

#[test]
fn headers_in_a_refer_to_never_reach_our_wire() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let refer = format!(
        "Refer-To: <sip:1007@{}?X-Evil=a%0D%0AX-Worse:%20b&Route=%3Csip:192.0.2.66%3E&body=evil>",
        scene.office.sip()
    );
    let leaver = scene.answers(
        1_006,
        50,
        &[Part::Refer(&refer, 202), Part::Told(&[100, 180, 200])],
    );
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    let ours = scene
        .tap
        .packets(|packet| packet.from == scene.office.sip());
    for text in ours.iter().filter_map(|packet| packet.sip()) {
        for evil in ["X-Evil", "X-Worse", "192.0.2.66", "evil"] {
            assert!(!text.contains(evil), "{text}");
        }
    }
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "1006", "1005", "1007", "200"]);
}

#[test]
fn a_phone_sends_its_caller_out_by_the_trunk() {
    let _turn = quiet::shared();
    let scene = Scene::set(|office| trunk(office, "referred_by = true\n"));
    let target = scene.carrier_answers(500, &[Part::Speak(1_320)]);
    let refer = Part::Refer(&scene.to("00398765432"), 202);
    let leaver = scene.answers(1_006, 50, &[refer, Part::Told(&[100, 180, 200])]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    let carrier = scene.carrier();
    scene.hear_at(scene.media(1_005), 1_320);
    scene.hear_at(SocketAddr::new(carrier.ip(), 6_000), 440);
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006), [100, 180, 200]);
    let invite = &scene.sent(carrier, "INVITE sip:0398765432@")[0];
    assert!(line(invite, "Referred-By:").contains("sip:1006@"));
    assert_eq!(scene.sent(carrier, "REFER sip:"), [""; 0]);
    let record = scene.judge(200);
    let expected = ["blind", "1006", "1005", "0398765432", "200"];
    assert_eq!(facts(&record), expected);
    assert_eq!(list(&record["legs"])[2]["trunk"], "demo");
}

#[test]
fn without_leave_nobody_outside_learns_who_transferred() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.carrier_answers(500, &[]);
    let refer = Part::Refer(&scene.to("00398765432"), 202);
    let leaver = scene.answers(1_006, 50, &[refer, Part::Told(&[100, 180, 200])]);
    let caller = scene.calls(1_005, "1006", &[]);
    leaver.succeed(wait::PATIENCE);
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    let invite = &scene.sent(scene.carrier(), "INVITE sip:")[0];
    assert!(!invite.contains("Referred-By") && !invite.contains("1006"));
    scene.judge(200);
}

#[test]
fn an_agent_sends_the_caller_back_into_the_queue() {
    let _turn = quiet::shared();
    let scene = Scene::set(|office| {
        office.rewrite("flows/main.toml", |text| {
            text.replacen("start = \"greeting\"", "start = \"sales-queue\"", 1)
        });
    });
    let refer = Part::Refer(&scene.to("100"), 202);
    let leaver = scene.answers(
        1_001,
        50,
        &[Part::Speak(880), refer, Part::Told(&[100, 200])],
    );
    let caller = scene.trunk_calls(&[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    let next = scene.answers(1_002, 50, &[Part::Speak(1_320)]);
    let carrier = scene.office.block.at(CARRIER, 6_000);
    scene.hear_at(carrier, 1_320);
    scene.hear_at(scene.media(1_002), 440);
    scene.hang_up();
    for party in [caller, next] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_001), [100, 200]);
    let record = scene.judge(200);
    assert_eq!(record["from"], CALLER);
    assert_eq!(facts(&record)[3..], ["+81312345678", "200"], "{record:#}");
    assert_eq!(list(&record["queues"]).len(), 2, "{record:#}");
    assert_eq!(list(&record["recordings"]).len(), 2, "{record:#}");
}

#[test]
fn the_recording_goes_on_where_the_queue_records() {
    let _turn = quiet::shared();
    let scene = Scene::set(|office| {
        office.rewrite("flows/main.toml", |text| {
            text.replacen("start = \"greeting\"", "start = \"sales-queue\"", 1)
        });
    });
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let refer = Part::Refer(&scene.to("1007"), 202);
    let leaver = scene.answers(
        1_001,
        50,
        &[Part::Speak(880), refer, Part::Told(&[100, 180, 200])],
    );
    let caller = scene.trunk_calls(&[Part::Speak(440)]);
    leaver.succeed(wait::PATIENCE);
    scene.hear_at(scene.office.block.at(CARRIER, 6_000), 1_320);
    scene.hear_at(scene.media(1_007), 440);
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["blind", "sato", CALLER, "1007", "200"]);
    let recordings = list(&record["recordings"]);
    assert_eq!(recordings.len(), 2, "{record:#}");
    assert_eq!(recordings[1]["channels"][1], "1007", "{record:#}");
}

#[test]
fn a_carriers_refer_is_refused_by_itself() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let refer = Part::Refer(&scene.to("+81312345678"), 403);
    let carrier = scene.carrier_answers(50, &[refer, Part::Speak(880)]);
    let caller = scene.calls(1_005, "00398765432", &[Part::Speak(440)]);
    scene.hear_at(scene.media(1_005), 880);
    scene.hang_up();
    for party in [caller, carrier] {
        party.succeed(wait::PATIENCE);
    }
    let record = scene.judge(200);
    assert_eq!(list(&record["transfers"]).len(), 0, "{record:#}");
}

#[test]
fn a_carrier_with_leave_transfers_to_numbers_it_reaches_and_no_others() {
    let _turn = quiet::shared();
    let scene = Scene::set(|office| {
        trunk(office, "accept_refer = true\n");
        office.rewrite("flows/main.toml", |text| {
            text.replacen("start = \"greeting\"", "start = \"sales-queue\"", 1)
        });
    });
    let agent = scene.answers(1_001, 50, &[Part::Speak(1_320)]);
    let (inside, reached) = (scene.to("1007"), scene.to("+81312345678"));
    let parts = [
        Part::Refer(&inside, 403),
        Part::Refer(&reached, 202),
        Part::Told(&[100, 200]),
    ];
    let carrier = scene.carrier_answers(50, &parts);
    let caller = scene.calls(1_005, "00398765432", &[Part::Speak(440)]);
    carrier.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_001, 1_320));
    scene.hang_up();
    for party in [caller, agent] {
        party.succeed(wait::PATIENCE);
    }
    let record = scene.judge(200);
    let expected = ["blind", "0398765432", "1005", "+81312345678", "200"];
    assert_eq!(facts(&record), expected);
}

#[test]
fn a_transfer_is_the_carriers_where_it_is_passed() {
    let _turn = quiet::shared();
    for (last, told) in [("200 OK", 200), ("486 Busy Here", 486)] {
        let scene = Scene::set(|office| trunk(office, "pass_refer = true\n"));
        let carrier = scene.carrier_answers(50, &[Part::Referred(last), Part::Speak(880)]);
        let refer = Part::Refer(&scene.to("00311112222"), 202);
        let caller = scene.calls(
            1_005,
            "00398765432",
            &[refer, Part::Told(&[100, 180, told])],
        );
        if told == 486 {
            scene.hear_at(scene.media(1_005), 880);
            scene.hang_up();
        }
        for party in [caller, carrier] {
            party.succeed(wait::PATIENCE);
        }
        let asked = scene.sent(scene.carrier(), "REFER sip:");
        assert_eq!(asked.len(), 1);
        let here = scene.carrier();
        let refer_to = line(&asked[0], "Refer-To:").to_owned();
        assert_eq!(refer_to, format!("Refer-To: <sip:0311112222@{here}>"));
        assert!(!asked[0].contains("1005"), "{}", asked[0]);
        let expected: &[u16] = &[100, 180, told];
        assert_eq!(scene.told(1_005), expected);
        let record = scene.judge(200);
        let told = told.to_string();
        let expected = ["passed", "1005", "0398765432", "0311112222", &told];
        assert_eq!(facts(&record), expected);
    }
}

#[test]
fn the_operator_transfers() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let target = scene.answers(1_007, 500, &[Part::Speak(1_320)]);
    let leaver = scene.answers(1_006, 50, &[Part::Speak(880)]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    scene.hear_each_other((1_005, 440), (1_006, 880));
    scene.wish(&json!({"do": "transfer", "number": "1007"}));
    leaver.succeed(wait::PATIENCE);
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [caller, target] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.told(1_006), [0; 0]);
    let record = scene.judge(200);
    assert_eq!(
        facts(&record),
        ["operator", "operator", "1005", "1007", "200"]
    );
}

#[test]
fn outside_a_dialog_nobody_is_referred_and_nothing_is_subscribed_to() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    for (host, request, status) in [
        (STRANGER, "REFER", 403),
        (CARRIER, "REFER", 403),
        (STRANGER, "SUBSCRIBE", 489),
    ] {
        let from = scene.office.block.at(host, 5_070);
        scene
            .office
            .sipp("outside", from)
            .set("request", request)
            .set("target", scene.to("1007"))
            .set("event", "weather")
            .set("status", status)
            .run(wait::PATIENCE);
        if status == 489 {
            let answer = &scene.sent(from, "SIP/2.0 489")[0];
            assert_eq!(line(answer, "Allow-Events:"), "Allow-Events: refer");
        }
    }
    assert!(scene.office.api.calls().is_empty());
}

#[test]
fn two_calls_of_a_phone_become_one() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    // The consultation first: its dialog is what the REFER of the other names.
    let consulted = scene.answers(1_007, 50, &[Part::Speak(1_320)]);
    let line_two = scene.calls(1_006, "1007", &[Part::Speak(880)]);
    scene.hear_at(scene.media(1_007), 880);
    let stays = scene.answers(1_005, 50, &[Part::Speak(440)]);
    let refer = format!(
        "Refer-To: <sip:1007@{}?Replaces={}>",
        scene.office.sip(),
        escaped(&scene.dialog(1_006).replaces())
    );
    let parts = [Part::Refer(&refer, 202), Part::Told(&[100, 200])];
    let line_one = scene.calls_from(5_062, 1_006, "1005", &parts);
    for party in [line_one, line_two] {
        party.succeed(wait::PATIENCE);
    }
    scene.hear_each_other((1_005, 440), (1_007, 1_320));
    scene.hang_up();
    for party in [stays, consulted] {
        party.succeed(wait::PATIENCE);
    }
    // Nobody is rung anew: the dialogs of both go on.
    assert_eq!(scene.sent_to(1_007, "INVITE sip:").len(), 1);
    assert_eq!(scene.sent_to(1_005, "INVITE sip:").len(), 1);
    let records = scene.office.records(2);
    for record in &records {
        assert_whole(record, &scene.office.recordings());
    }
    let gone = records.iter().find(|one| !one["continued_in"].is_null());
    let kept = records.iter().find(|one| one["continued_in"].is_null());
    let (gone, kept) = (gone.expect("one"), kept.expect("one"));
    assert_eq!(gone["continued_in"], kept["id"]);
    assert_eq!(list(&kept["transfers"])[0]["consultation"], gone["id"]);
    assert_eq!(facts(kept)[..2], ["attended", "1006"], "{kept:#}");
    assert_eq!(facts(kept)[4], "200");
}

#[test]
fn a_refer_that_names_a_strangers_dialog_is_refused() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let one = scene.answers(1_007, 50, &[]);
    let other = scene.calls(1_008, "1007", &[Part::Speak(880)]);
    scene.hear_at(scene.media(1_007), 880);
    let theirs = format!(
        "Refer-To: <sip:1007@{}?Replaces={}>",
        scene.office.sip(),
        escaped(&scene.dialog(1_008).replaces())
    );
    let unknown = format!(
        "Refer-To: <sip:1007@{}?Replaces=nobody%3Bto-tag%3Da%3Bfrom-tag%3Db>",
        scene.office.sip()
    );
    let parts = [
        Part::Refer(&theirs, 403),
        Part::Refer(&unknown, 202),
        Part::Told(&[100, 481]),
        Part::Speak(660),
    ];
    let evil = scene.answers(1_006, 50, &parts);
    let caller = scene.calls(1_005, "1006", &[]);
    scene.hear_at(scene.media(1_005), 660);
    scene.hang_up();
    for party in [evil, caller, one, other] {
        party.succeed(wait::PATIENCE);
    }
    for record in scene.office.records(2) {
        assert_whole(&record, &scene.office.recordings());
        assert_eq!(list(&record["transfers"]).len(), 0, "{record:#}");
    }
}

#[test]
fn a_ringing_call_is_picked_up_by_invite_with_replaces() {
    let _turn = quiet::shared();
    let scene = Scene::set(|office| {
        office.rewrite("phones.toml", |text| {
            let number = "number = \"1008\"\n";
            text.replacen(number, &format!("{number}replaces = \"ringing\"\n"), 1)
        });
    });
    let rings = scene.answers(1_006, 20_000, &[]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    wait::until_true("a phone that rings", wait::PATIENCE, || {
        !scene.sent_by(1_006, "SIP/2.0 180").is_empty()
    });
    let replaces = scene.dialog(1_006).replaced_by();
    // Early dialogs only, which it is; 1009 has no leave.
    let early = format!("{replaces};early-only");
    scene
        .replaces(1_009, &replaces, 403)
        .succeed(wait::PATIENCE);
    let picks = scene.picks_up(1_008, &early, &[Part::Speak(1_320)]);
    rings.succeed(wait::PATIENCE);
    scene.hear_at(scene.media(1_005), 1_320);
    let device = scene.office.phone_address(1_008).ip();
    scene.hear_at(SocketAddr::new(device, PICKED_UP), 440);
    scene.hang_up();
    for party in [caller, picks] {
        party.succeed(wait::PATIENCE);
    }
    assert_eq!(scene.sent_to(1_006, "CANCEL sip:").len(), 1);
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["replaced", "1008", "1006", "1008", "200"]);
}

#[test]
fn an_invite_with_replaces_that_fits_nothing_is_refused() {
    let _turn = quiet::shared();
    let scene = Scene::set(|_| {});
    let callee = scene.answers(1_006, 50, &[Part::Speak(880)]);
    let caller = scene.calls(1_005, "1006", &[Part::Speak(440)]);
    scene.hear_each_other((1_005, 440), (1_006, 880));
    let own = scene.dialog(1_006).replaced_by();
    for (by, replaces, status) in [
        (1_006, "nobody;to-tag=a;from-tag=b".to_owned(), 481),
        // RFC 3891 §3: a confirmed dialog, and only an early one is wanted.
        (1_006, format!("{own};early-only"), 486),
        (1_006, "nonsense".to_owned(), 400),
        (1_008, own.clone(), 403),
    ] {
        scene
            .replaces(by, &replaces, status)
            .succeed(wait::PATIENCE);
    }
    // The phone's other device takes the call over.
    let device = scene.picks_up(1_006, &own, &[Part::Speak(1_320)]);
    callee.succeed(wait::PATIENCE);
    scene.hear_at(scene.media(1_005), 1_320);
    let there = scene.office.phone_address(1_006).ip();
    scene.hear_at(SocketAddr::new(there, PICKED_UP), 440);
    scene.hang_up();
    for party in [caller, device] {
        party.succeed(wait::PATIENCE);
    }
    let record = scene.judge(200);
    assert_eq!(facts(&record), ["replaced", "1006", "1006", "1006", "200"]);
}

/// What a party played by SIPp does in its dialog.
enum Part<'a> {
    /// NOTIFYs with these statuses.
    Told(&'a [u16]),
    /// REFER with these header lines, answered so.
    Refer(&'a str, u16),
    /// Is asked to transfer, and says how that ended.
    Referred(&'a str),
    /// A tone of this frequency from here on.
    Speak(u32),
}

/// How a party came into its dialog, which decides what it calls itself there.
#[derive(Clone, Copy)]
enum Side {
    Called,
    Calls,
}

/// An office with its trunk inside the scenario's stretch of loopback, and whoever listens.
struct Scene {
    office: Office,
    tap: Tap,
}

/// One dialog, as its INVITE and the far end's tag name it.
struct DialogId {
    call_id: String,
    /// Whoever called.
    from_tag: String,
    /// Whoever was called.
    to_tag: String,
}

impl DialogId {
    /// As the far end of its caller knows it: what a REFER of the caller says (RFC 3891 §3: the
    /// tags are those of whoever gets the INVITE).
    fn replaces(&self) -> String {
        let Self {
            call_id,
            from_tag,
            to_tag,
        } = self;
        format!("{call_id};to-tag={to_tag};from-tag={from_tag}")
    }

    /// As the switch knows a dialog in which it called.
    fn replaced_by(&self) -> String {
        let Self {
            call_id,
            from_tag,
            to_tag,
        } = self;
        format!("{call_id};to-tag={from_tag};from-tag={to_tag}")
    }
}

impl Scene {
    fn set(change: impl FnOnce(&mut Office)) -> Self {
        let mut office = Office::prepare();
        let target = office.block.at(CARRIER, 5_080).to_string();
        office.rewrite("trunks.toml", |text| {
            text.replace("127.0.0.1:5080", &target)
        });
        change(&mut office);
        office.start();
        let tap = Tap::on(office.block);
        Self { office, tap }
    }

    fn carrier(&self) -> SocketAddr {
        self.office.block.at(CARRIER, 5_080)
    }

    fn media(&self, number: u16) -> SocketAddr {
        SocketAddr::new(self.office.phone_address(number).ip(), 6_000)
    }

    /// A Refer-To to a number here.
    fn to(&self, number: &str) -> String {
        format!("Refer-To: <sip:{number}@{}>", self.office.sip())
    }

    fn answers(&self, number: u16, ring_ms: u32, parts: &[Part<'_>]) -> Running {
        self.office.register(number);
        self.answers_at(
            self.office.phone_address(number),
            &number.to_string(),
            ring_ms,
            parts,
        )
    }

    fn carrier_answers(&self, ring_ms: u32, parts: &[Part<'_>]) -> Running {
        self.answers_at(self.carrier(), "carrier", ring_ms, parts)
    }

    fn answers_at(&self, at: SocketAddr, name: &str, ring_ms: u32, parts: &[Part<'_>]) -> Running {
        let running = self
            .office
            .sipp("phone_answers", at)
            .set("steps", self.steps(Side::Called, name, parts))
            .set("phone", name)
            .set("ring_ms", ring_ms)
            .set("talk_ms", LONG_MS)
            .start();
        listens(at);
        running
    }

    fn refuses(&self, number: u16, status: &str) -> Running {
        self.office.register(number);
        let at = self.office.phone_address(number);
        let running = self
            .office
            .sipp("phone_refuses", at)
            .set("status", status)
            .start();
        listens(at);
        running
    }

    fn calls(&self, number: u16, to: &str, parts: &[Part<'_>]) -> Running {
        self.calls_from(5_060, number, to, parts)
    }

    fn calls_from(&self, port: u16, number: u16, to: &str, parts: &[Part<'_>]) -> Running {
        self.ready();
        let ip = self.office.phone_address(number).ip();
        self.office
            .sipp("phone_calls", SocketAddr::new(ip, port))
            .media_port(if port == 5_060 { 6_000 } else { 6_100 })
            .set("steps", self.steps(Side::Calls, &number.to_string(), parts))
            .set("number", to)
            .set("caller", number)
            .set("password", format!("tsunagu-{number}"))
            .set("patience_ms", LONG_MS)
            .start()
    }

    /// A switch that was late for a moment refuses calls (503) until it has caught up.
    fn ready(&self) {
        let is_ready = || self.office.api.is_ready();
        wait::until_true("a switch that takes calls", wait::PATIENCE, is_ready);
    }

    fn trunk_calls(&self, parts: &[Part<'_>]) -> Running {
        self.ready();
        self.office
            .carrier("caller")
            .set("steps", self.steps(Side::Calls, "carrier", parts))
            .set("patience_ms", LONG_MS)
            .start()
    }

    /// INVITE with Replaces from a second device of a phone, refused so.
    fn replaces(&self, number: u16, replaces: &str, status: u16) -> Running {
        let ip = self.office.phone_address(number).ip();
        self.office
            .sipp("replaces", SocketAddr::new(ip, 5_064))
            .media_port(6_200)
            .set("caller", number)
            .set("password", format!("tsunagu-{number}"))
            .set("replaces", replaces)
            .set(
                "refusal",
                format!("  <recv response=\"{status}\" next=\"refused\"/>"),
            )
            .set("steps", "")
            .set("patience_ms", LONG_MS)
            .set("number", "1006")
            .start()
    }

    /// The same, accepted.
    fn picks_up(&self, number: u16, replaces: &str, parts: &[Part<'_>]) -> Running {
        let ip = self.office.phone_address(number).ip();
        self.office
            .sipp("replaces", SocketAddr::new(ip, 5_066))
            .media_port(PICKED_UP)
            .set("steps", self.steps(Side::Calls, &number.to_string(), parts))
            .set("caller", number)
            .set("password", format!("tsunagu-{number}"))
            .set("replaces", replaces)
            .set("refusal", "")
            .set("patience_ms", LONG_MS)
            .set("number", "1006")
            .start()
    }

    fn steps(&self, side: Side, phone: &str, parts: &[Part<'_>]) -> String {
        let mut text = String::new();
        let us = match side {
            Side::Called => "[$us]",
            Side::Calls => " <sip:{{caller}}@[remote_ip]>;tag=[pid]caller[call_number]",
        };
        for (at, part) in parts.iter().enumerate() {
            let step = match part {
                Part::Told(all) => all.iter().map(|status| told(at, *status)).collect(),
                // The switch confirms an answer first; whoever is quicker hears 491.
                Part::Refer(headers, status) => {
                    let is_first = !parts[..at].iter().any(|it| matches!(it, Part::Refer(..)));
                    if is_first {
                        text.push_str("  <pause milliseconds=\"300\"/>\n");
                    }
                    fill(
                        "refer",
                        &[
                            ("us", us),
                            ("phone", phone),
                            ("headers", headers),
                            ("status", &status.to_string()),
                            ("cseq", &(10 + at).to_string()),
                        ],
                    )
                }
                Part::Referred(last) => {
                    fill("referred", &[("us", us), ("phone", phone), ("final", last)])
                }
                Part::Speak(hz) => {
                    let path = voice(self.office.folder(), f64::from(*hz), 60.0);
                    format!(
                        "  <nop><action><exec play_pcap_audio=\"{}\"/></action></nop>\n",
                        path.display()
                    )
                }
            };
            let _ = writeln!(text, "{step}");
        }
        text
    }

    /// Waits until half a second of this tone came to `to` anew.
    #[track_caller]
    fn hear_at(&self, to: SocketAddr, hz: u32) {
        wait::until_true(&format!("{hz} Hz at {to}"), wait::PATIENCE, || {
            seconds_of(&self.tap.heard_at(to).samples, f64::from(hz)) > 0.5
        });
    }

    #[track_caller]
    fn hear_each_other(&self, one: (u16, u32), other: (u16, u32)) {
        self.hear_at(self.media(one.0), other.1);
        self.hear_at(self.media(other.0), one.1);
    }

    /// The operator's wish for the calls that go on.
    #[track_caller]
    fn wish(&self, wish: &Value) {
        for call in self.office.api.live_calls() {
            let path = format!("/v1/calls/{}", call["id"].as_str().expect("an id"));
            let (status, text) = self.office.api.tell(&path, wish);
            assert!((200..300).contains(&status), "{text}");
        }
    }

    fn hang_up(&self) {
        self.wish(&json!({"do": "hang_up"}));
    }

    /// SIP messages of the switch to a phone that begin so.
    fn sent_to(&self, number: u16, start: &str) -> Vec<String> {
        self.sent(self.office.phone_address(number), start)
    }

    fn sent(&self, to: SocketAddr, start: &str) -> Vec<String> {
        let packets = self.tap.packets(|packet| {
            packet.to == to && packet.sip().is_some_and(|text| text.starts_with(start))
        });
        once(packets.iter().filter_map(|packet| packet.sip()))
    }

    fn sent_by(&self, number: u16, start: &str) -> Vec<String> {
        let from = self.office.phone_address(number);
        let packets = self.tap.packets(|packet| {
            packet.from == from && packet.sip().is_some_and(|text| text.starts_with(start))
        });
        once(packets.iter().filter_map(|packet| packet.sip()))
    }

    /// What a phone was told by NOTIFY, in order.
    fn told(&self, number: u16) -> Vec<u16> {
        self.sent_to(number, "NOTIFY sip:")
            .iter()
            .filter_map(|text| {
                let (_, body) = text.split_once("\r\n\r\n")?;
                body.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
            })
            .collect()
    }

    /// The dialog of the last INVITE of a phone, or to it, that got as far as a tag.
    #[track_caller]
    fn dialog(&self, number: u16) -> DialogId {
        let at = self.office.phone_address(number);
        let packets = self.tap.packets(|packet| {
            (packet.from == at || packet.to == at)
                && packet.sip().is_some_and(|text| {
                    let is_answer =
                        text.starts_with("SIP/2.0 180") || text.starts_with("SIP/2.0 200");
                    is_answer && line(text, "CSeq:").ends_with("INVITE")
                })
        });
        let text = packets.last().and_then(|packet| packet.sip());
        let text = text.expect("an answer to an INVITE");
        let tag = |name: &str| {
            let (_, tag) = line(text, name).split_once(";tag=").expect("a tag");
            tag.to_owned()
        };
        DialogId {
            call_id: line(text, "Call-ID:")["Call-ID:".len()..].trim().to_owned(),
            from_tag: tag("From:"),
            to_tag: tag("To:"),
        }
    }

    /// The one record.
    #[track_caller]
    fn judge(&self, sip: u16) -> Value {
        let mut records = self.office.records(1);
        assert_eq!(records.len(), 1, "one call, one record");
        let record = records.remove(0);
        assert_whole(&record, &self.office.recordings());
        assert_eq!(record["sip"], sip, "{record:#}");
        record
    }
}

/// Kind, by whom, which party, where to, and how it ended.
fn facts(record: &Value) -> Vec<String> {
    let transfer = &record["transfers"][0];
    let word = |key: &str| match &transfer[key] {
        Value::String(word) => word.clone(),
        other => other.to_string(),
    };
    ["kind", "by", "party", "target", "status"].map(word).into()
}

fn legs(record: &Value) -> Vec<&str> {
    let legs = list(&record["legs"]).iter();
    legs.filter_map(|leg| leg["party"].as_str()).collect()
}

/// Messages without those that were sent again.
fn once<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        if !all.iter().any(|known| known == text) {
            all.push(text.to_owned());
        }
    }
    all
}

/// The header line of this name.
#[track_caller]
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    let found = text.lines().find(|line| line.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// As a header of a URI is written (RFC 3261 §19.1.1).
fn escaped(text: &str) -> String {
    text.replace('@', "%40")
        .replace(';', "%3B")
        .replace('=', "%3D")
}

fn trunk(office: &Office, keys: &str) {
    office.rewrite("trunks.toml", |text| {
        text.replacen("name = \"demo\"\n", &format!("name = \"demo\"\n{keys}"), 1)
    });
}

/// One NOTIFY that says so.
fn told(at: usize, status: u16) -> String {
    let state = if status < 200 { "active" } else { "terminated" };
    let (n, status) = (format!("{at}x{status}"), status.to_string());
    fill("told", &[("n", &n), ("state", state), ("status", &status)])
}

/// One of the parts in `tests/data/sipp`.
fn fill(name: &str, values: &[(&str, &str)]) -> String {
    let path = format!(
        "{}/tests/data/sipp/part_{name}.xml",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    values.iter().fold(text, |text, (key, value)| {
        text.replace(&format!("{{{{{key}}}}}"), value)
    })
}

/// Where whoever took a call over hears it.
const PICKED_UP: u16 = 6_400;
/// Longer than any scenario: the test says when a call ends.
const LONG_MS: u32 = 60_000;
