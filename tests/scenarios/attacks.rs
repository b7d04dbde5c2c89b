//! Attacks on the real switch, from addresses that are neither a trunk's nor a phone's, while
//! callers call: service goes on, and metrics and log name what it was.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::address::{CARRIER, STRANGER};
use super::attacker::{Attack, Attacker, authorization, header, pour, status, stream};
use super::office::{CALLER, MAIN_NUMBER, Office};
use super::{quiet, wait};

/// An office whose trunk is the carrier's address alone: everybody else is a stranger.
fn office() -> Office {
    let mut office = Office::prepare();
    let carrier = office.block.host(CARRIER);
    office.rewrite("trunks.toml", |text| {
        text.replacen("127.0.0.0/8", &carrier.to_string(), 1)
    });
    office.start();
    office
}

fn stranger(office: &Office) -> Attacker {
    Attacker::at(office.block.at(STRANGER, 0), office.sip())
}

/// Five callers one after the other get through.
#[track_caller]
fn service_goes_on(office: &Office) {
    office
        .carrier("caller_insists")
        .steps(&[])
        .set("patience_ms", 1)
        .calls(5, 1, 100)
        .run(wait::PATIENCE);
}

#[track_caller]
fn named(office: &Office, attack: &str) {
    let metric = format!("tsunagu_attacks_total{{attack=\"{attack}\"}}");
    wait::until_true(attack, wait::PATIENCE, || office.api.metric(&metric) > 0.0);
    wait::until_true("a line in the log", wait::PATIENCE, || {
        let log = office.log();
        log.lines()
            .any(|line| line.contains("attack") && line.contains(attack))
    });
    let lines = office
        .log()
        .lines()
        .filter(|line| line.contains(attack))
        .count();
    assert!(lines < 20, "{lines} lines about {attack}");
}

#[test]
fn a_flood_of_invites_is_held_at_the_door() {
    let _turn = quiet::shared();
    let office = office();
    let mut attacker = stranger(&office);
    let target = format!("sip:{MAIN_NUMBER}@{}", office.sip());
    let flood = Attack::begin(move |_| {
        let head = attacker.head("INVITE", &target, "sip:x@evil", &target);
        attacker.send(head + "Content-Length: 0\r\n\r\n");
    });
    named(&office, "request_flood");
    service_goes_on(&office);
    assert!(flood.end() > 500);
    assert!(office.api.metric("tsunagu_turned_away_total") > 100.0);
}

#[test]
fn who_guesses_passwords_is_banned_and_the_owner_is_not() {
    let _turn = quiet::shared();
    let office = office();
    office.register(1001);
    let mut attacker = stranger(&office);
    let mut answers = Vec::new();
    for guess in 0..40 {
        match attacker.try_password("1001", &format!("guess{guess}")) {
            Some(answer) => answers.push(status(&answer)),
            None => break,
        }
    }
    // Believed not once, then asked to wait, then not heard.
    assert!(answers.len() < 40 && !answers.contains(&200), "{answers:?}");
    assert!(
        answers.contains(&401) && answers.contains(&503),
        "{answers:?}"
    );
    named(&office, "password_guessing");
    let bans = office.ask(&["bans"]);
    let address = attacker.local().ip().to_string();
    assert!(
        bans.contains(&address) && bans.contains("password guessing"),
        "{bans}"
    );
    // The phone's own address cannot be banned by somebody who sits behind it too.
    let beside = SocketAddr::new(office.phone_address(1001).ip(), 0);
    let mut guesser = Attacker::at(beside, office.sip());
    for guess in 0..20 {
        guesser.try_password("1002", &format!("guess{guess}"));
    }
    office.register(1001);
    service_goes_on(&office);
    office.ask(&["bans", "--lift", &address]);
    assert_eq!(office.ask(&["bans"]).trim(), "nobody is banned");
    assert!(
        attacker
            .try_password("1003", "tsunagu-1003")
            .is_some_and(|a| status(&a) == 200)
    );
}

#[test]
fn users_who_do_not_exist_hear_what_wrong_passwords_hear() {
    let _turn = quiet::shared();
    let office = office();
    let hear = |host: u8, user: &str| {
        let own = office.block.at(host, 5_099);
        let (mut attacker, host) = (Attacker::at(own, office.sip()), &own.ip().to_string());
        let mut heard = Vec::new();
        let first = attacker.register((user, "wrong"), None, "");
        let challenge = attacker.ask(&first, wait::PATIENCE).expect("a challenge");
        heard.push(masked(&challenge, user, host));
        let second = attacker.register((user, "wrong"), Some(&challenge), "");
        let refusal = attacker.ask(&second, wait::PATIENCE).expect("a refusal");
        heard.push(masked(&refusal, user, host));
        heard
    };
    let (known, unknown) = (hear(71, "1001"), hear(72, "9999"));
    assert_eq!(known, unknown);
    assert!(known[0].starts_with("SIP/2.0 401 "), "{known:?}");

    let mut attacker = stranger(&office);
    for user in 7000..7040 {
        if attacker.try_password(&user.to_string(), "x").is_none() {
            break;
        }
    }
    named(&office, "user_enumeration");
    service_goes_on(&office);
}

/// Without what must differ: nonce, tag and who asks from where.
fn masked(answer: &str, user: &str, host: &str) -> String {
    let cut = |line: &str, from: &str, to: char| match line.split_once(from) {
        Some((before, after)) => {
            let rest = after.split_once(to).map_or("", |(_, rest)| rest);
            format!("{before}{from}{rest}")
        }
        None => line.to_owned(),
    };
    let lines = answer.lines().map(|line| {
        let line = cut(line, "nonce=\"", '"');
        let line = match line.strip_prefix("To: ") {
            Some(to) => format!("To: {}", cut(to, ";tag=", ';')),
            None => line,
        };
        line.replace(user, "USER").replace(host, "HOST")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_thousand_silent_streams_leave_room_for_others() {
    let _turn = quiet::shared();
    let office = office();
    let mut held = Vec::new();
    for host in 100..126 {
        for _ in 0..45 {
            let from = IpAddr::from(office.block.host(host));
            if let Ok(mut stream) = stream(from, office.sip()) {
                let _ = stream.write_all(b"INVITE sip:1001@x SIP/2.0\r\nVia: SIP/2.0/TCP ");
                held.push(stream);
            }
        }
    }
    named(&office, "slow_stream");
    let many = (0..120).filter_map(|_| {
        let from = IpAddr::from(office.block.host(STRANGER));
        stream(from, office.sip()).ok()
    });
    let many: Vec<_> = many.collect();
    named(&office, "connection_flood");
    office
        .carrier("caller_insists")
        .over_tcp()
        .steps(&[])
        .set("patience_ms", 1)
        .calls(1, 1, 100)
        .run(wait::PATIENCE);
    service_goes_on(&office);
    drop((held, many));
}

#[test]
fn what_is_too_large_or_never_ends_is_cut_off() {
    let _turn = quiet::shared();
    let office = office();
    let from = IpAddr::from(office.block.host(STRANGER));
    for _ in 0..12 {
        let mut endless = stream(from, office.sip()).expect("a stream");
        endless
            .write_all(b"INVITE sip:a@b SIP/2.0\r\n")
            .expect("written");
        assert!(pour(
            endless,
            &b"X-Filler: yyyyyyyyyyyyyyyyyyyy\r\n".repeat(512),
            4 << 20
        ));
        let mut huge = stream(from, office.sip()).expect("a stream");
        let head = b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n";
        huge.write_all(head).expect("written");
        assert!(pour(huge, &[b'x'; 4096], 4 << 20));
    }
    named(&office, "oversized_message");
    let attacker = stranger(&office);
    for _ in 0..30 {
        attacker.send(b"\x00\x01\x02 not SIP at all \xff".repeat(40));
    }
    named(&office, "malformed_flood");
    service_goes_on(&office);
}

#[test]
fn a_session_description_that_is_a_bomb_is_refused() {
    let _turn = quiet::shared();
    let office = office();
    let mut carrier = Attacker::at(office.block.at(CARRIER, 5_071), office.sip());
    let target = format!("sip:{MAIN_NUMBER}@{}", office.sip());
    let line = "m=audio 9 RTP/AVP 0\r\n";
    let attributes = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    for filler in [line.repeat(500), attributes.repeat(1_100)] {
        let body = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n{line}{filler}");
        let head = carrier.head("INVITE", &target, &format!("sip:{CALLER}@x"), &target);
        let request = format!(
            "{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = carrier.ask(&request, wait::PATIENCE).expect("an answer");
        assert_eq!(status(&answer), 400, "{answer}");
    }
    named(&office, "sdp_bomb");
    service_goes_on(&office);
}

#[test]
fn what_is_forged_moves_nothing_and_a_call_goes_on() {
    let _turn = quiet::shared();
    let office = office();
    let mut caller = Attacker::at(office.block.at(CARRIER, 5_071), office.sip());
    let target = format!("sip:{MAIN_NUMBER}@{}", office.sip());
    let local = caller.local();
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\n",
        local.ip()
    );
    let head = caller.head("INVITE", &target, &format!("sip:{CALLER}@x"), &target);
    let invite = format!(
        "{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let ok = caller.ask(&invite, wait::PATIENCE).expect("an answer");
    assert_eq!(status(&ok), 200, "{ok}");
    let (from, to) = (header(&ok, "From").to_owned(), header(&ok, "To").to_owned());
    let call_id = header(&ok, "Call-ID").to_owned();
    let contact = header(&ok, "Contact").trim_matches(['<', '>']).to_owned();
    let within = |method: &str, branch: &str, number: u32, from: &str, to: &str, sender| {
        format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {sender};rport;branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    caller.send(within("ACK", "ack", 1, &from, &to, local));

    let attacker = stranger(&office);
    let here = attacker.local();
    let (other_from, other_to) = ("<sip:x@x>;tag=guess", "<sip:y@y>;tag=guess");
    for number in 0..20 {
        for (kind, from, to) in [
            ("a", other_from, to.as_str()),
            ("b", from.as_str(), other_to),
            ("c", other_from, other_to),
        ] {
            let branch = format!("{kind}{number}");
            let bye = within("BYE", &branch, 5 + number, from, to, here);
            let answer = attacker.ask(&bye, wait::PATIENCE).expect("an answer");
            assert_eq!(status(&answer), 481, "{answer}");
        }
        let cancel = within("CANCEL", &format!("d{number}"), 1, &from, "<sip:y@y>", here);
        let answer = attacker.ask(&cancel, wait::PATIENCE).expect("an answer");
        assert_eq!(status(&answer), 481, "{answer}");
        for code in ["180 Ringing", "200 OK"] {
            attacker.send(format!(
                "SIP/2.0 {code}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK00guess{number}\r\n\
                 From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:x@{here}>\r\nContent-Length: 0\r\n\r\n",
                office.sip()
            ));
        }
    }
    named(&office, "forged_request");
    named(&office, "forged_response");
    assert_eq!(office.api.live_calls().len(), 1, "the call lives");
    let bye = within("BYE", "end", 2, &from, &to, local);
    let answer = caller.ask(&bye, wait::PATIENCE).expect("an answer");
    assert_eq!(status(&answer), 200, "{answer}");
    office.records(1);
    service_goes_on(&office);
}

#[test]
fn no_header_is_smuggled_through_a_name_or_an_address() {
    let _turn = quiet::shared();
    let office = office();
    let mut callee = Attacker::at(office.block.at(81, 5_060), office.sip());
    let ok = callee
        .try_password("1006", "tsunagu-1006")
        .expect("an answer");
    assert_eq!(status(&ok), 200, "{ok}");
    let mut caller = Attacker::at(office.block.at(82, 5_060), office.sip());
    let uri = format!("sip:1006@{}", office.sip());
    let from = "sip:1005@x;p=%0d%0aEvil:%201";
    let names = "Subject: a%0d%0aEvil: 1\r\nRefer-To: <sip:x@y?Evil=1%0D%0AEvil:%202>\r\n";
    let mut challenge = None;
    let invite = loop {
        let head = caller.head("INVITE", &uri, from, &uri);
        let head = head.replacen("From: ", "From: \"A\r\n Evil: 3 %0d%0aEvil: 4\" ", 1);
        let secret = ("1005", "tsunagu-1005");
        let proof = challenge.map(|text: String| authorization(&text, "INVITE", &uri, secret));
        let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                    m=audio 7000 RTP/AVP 0\r\n";
        let request = format!(
            "{head}{}{names}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            proof.as_deref().unwrap_or(""),
            body.len()
        );
        if proof.is_some() {
            caller.send(request);
            break callee.expect("INVITE ");
        }
        let answer = caller.ask(&request, wait::PATIENCE).expect("a challenge");
        assert_eq!(status(&answer), 401, "{answer}");
        challenge = Some(answer);
    };
    let smuggled = invite
        .lines()
        .find(|line| line.trim_start().starts_with("Evil"));
    assert_eq!(smuggled, None, "{invite}");
    assert!(!invite.contains("Authorization"), "{invite}");
    named(&office, "header_injection");
    service_goes_on(&office);
}

#[test]
fn a_phone_may_not_be_in_a_hundred_places() {
    let _turn = quiet::shared();
    let office = office();
    let mut phone = Attacker::at(office.block.at(83, 5_060), office.sip());
    let secret = ("1007", "tsunagu-1007");
    let first = phone.register(secret, None, "");
    let challenge = phone.ask(&first, wait::PATIENCE).expect("a challenge");
    let contacts: String = (0..100)
        .map(|number| format!("Contact: <sip:1007@192.0.2.1:{}>\r\n", 2_000 + number))
        .collect();
    let flood = phone.register(secret, Some(&challenge), &contacts);
    let answer = phone.ask(&flood, wait::PATIENCE).expect("an answer");
    assert_eq!(status(&answer), 403, "{answer}");
    named(&office, "contact_flood");
    assert_eq!(office.api.metric("tsunagu_registrations"), 0.0);
    service_goes_on(&office);
}
