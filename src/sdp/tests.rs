//! Offers and answers, from one side and from both.

use super::*;

fn local() -> LocalMedia {
    LocalMedia {
        address: "198.51.100.5:40000".parse().unwrap(),
        rtcp: Some("198.51.100.5:40001".parse().unwrap()),
        codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        ptime_ms: 20,
        telephone_event: Some(101),
        dtmf_redundancy: false,
        comfort_noise: false,
        order: CodecOrder::Theirs,
        direction: Direction::SendRecv,
        reports: ReportTerms::default(),
        crypto: LocalCrypto::default(),
        session_id: 7,
        session_version: 1,
    }
}

fn parse(media: &str) -> Description {
    let text = format!("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
    Description::parse(text.as_bytes()).unwrap()
}

#[test]
fn the_offerers_order_and_payload_types_decide() {
    let offer = parse(
        "m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:40\r\n",
    );
    let (answer, agreed) = answer(&local(), &offer, None).unwrap();
    assert_eq!(agreed.codec, AudioCodec::Pcma);
    assert_eq!((agreed.payload_type, agreed.receive_payload_type), (8, 8));
    assert_eq!(agreed.telephone_event, Some(96));
    assert_eq!(agreed.receive_telephone_event, Some(96));
    assert_eq!(agreed.ptime_ms, 40);
    assert_eq!(agreed.remote, Some("192.0.2.1:4000".parse().unwrap()));
    assert_eq!(agreed.remote_rtcp, Some("192.0.2.1:4001".parse().unwrap()));
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 7 1 IN IP4 198.51.100.5\r\ns=-\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 8 96\r\nc=IN IP4 198.51.100.5\r\n\
        a=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
        a=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn other_media_are_refused_in_place() {
    let offer = parse(
        "m=video 9 RTP/AVP 31\r\nm=audio 5 RTP/SAVP 0\r\nm=audio 6 RTP/AVP 18\r\n\
        m=audio 7 RTP/AVPF 0\r\na=rtcp-mux\r\nm=audio 8 RTP/AVP 0 8\r\nm=image 9 udptl t38\r\n",
    );
    let (answer, agreed) = answer(&local(), &offer, None).unwrap();
    assert!(agreed.rtcp_mux);
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 0 RTP/AVP 18",
            "m=audio 40000 RTP/AVPF 0",
            "m=audio 0 RTP/AVP 0 8",
            "m=image 0 udptl t38",
        ]
    );
}

#[test]
fn direction_is_mirrored_and_hold_is_seen() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (theirs, ours, held) in [
        ("sendrecv", SendRecv, false),
        ("sendonly", RecvOnly, true),
        ("recvonly", SendOnly, false),
        ("inactive", Inactive, true),
    ] {
        let offer = parse(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
        let (answer, agreed) = answer(&local(), &offer, None).unwrap();
        assert_eq!((agreed.direction, agreed.held_by_remote), (ours, held));
        assert_eq!(answer.audio().next().unwrap().direction, ours);
    }
    let old = parse("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
    let (_, agreed) = answer(&local(), &old, None).unwrap();
    assert_eq!((agreed.direction, agreed.remote), (RecvOnly, None));
    assert!(agreed.held_by_remote);
    let holding = LocalMedia {
        direction: SendOnly,
        ..local()
    };
    let offer = parse("m=audio 4000 RTP/AVP 0\r\n");
    assert_eq!(
        answer(&holding, &offer, None).unwrap().1.direction,
        SendOnly
    );
}

#[test]
fn what_cannot_be_agreed_is_488() {
    for (media, error) in [
        ("m=video 9 RTP/AVP 31\r\n", Error::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\n", Error::NoAudio),
        ("m=audio 9 RTP/AVP 18 9\r\n", Error::NoCommonCodec),
        (
            "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n",
            Error::NoCommonCodec,
        ),
        ("", Error::NoAudio),
    ] {
        let refused = answer(&local(), &parse(media), None).unwrap_err();
        assert_eq!(refused, error);
        assert_eq!(refused.status(), 488);
    }
}

#[test]
fn a_removed_stream_is_answered_in_place() {
    let offer = parse("m=audio 0 RTP/AVP 0 8\r\nm=image 9 udptl t38\r\n");
    let text = answer_removed(&local(), &offer).unwrap().to_bytes();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 0 RTP/AVP 0 8", "m=image 0 udptl t38"]);
    for other in ["m=audio 9 RTP/AVP 0\r\n", "m=video 0 RTP/AVP 31\r\n", ""] {
        assert_eq!(answer_removed(&local(), &parse(other)), None, "{other}");
    }
}

#[test]
fn an_answer_may_bring_its_own_payload_types() {
    let offered = offer(&local());
    let text = String::from_utf8(offered.to_bytes()).unwrap();
    assert!(text.contains("m=audio 40000 RTP/AVP 0 8 101\r\n"));
    let theirs = parse(
        "m=audio 6000 RTP/AVP 96 97\r\na=rtpmap:96 PCMA/8000\r\n\
        a=rtpmap:97 telephone-event/8000\r\na=recvonly\r\n",
    );
    let agreed = accept_answer(&local(), &theirs).unwrap();
    assert_eq!((agreed.payload_type, agreed.receive_payload_type), (96, 8));
    assert_eq!(agreed.telephone_event, Some(97));
    assert_eq!(agreed.receive_telephone_event, Some(101));
    assert_eq!(agreed.direction, Direction::SendOnly);
    assert!(!agreed.held_by_remote);
    let json = serde_json::to_string(&agreed).unwrap();
    assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
}

#[test]
fn both_ends_agree_on_what_was_agreed() {
    let caller = LocalMedia {
        address: "192.0.2.77:2000".parse().unwrap(),
        rtcp: None,
        codecs: vec![AudioCodec::Pcma],
        ..local()
    };
    let offered = Description::parse(&offer(&caller).to_bytes()).unwrap();
    let (answered, at_callee) = answer(&local(), &offered, None).unwrap();
    let answered = Description::parse(&answered.to_bytes()).unwrap();
    let at_caller = accept_answer(&caller, &answered).unwrap();
    assert_eq!(at_caller.codec, at_callee.codec);
    assert_eq!(at_caller.remote, Some(local().address));
    assert_eq!(at_callee.remote, Some(caller.address));
    assert_eq!(at_caller.remote_rtcp, local().rtcp);
}

fn wide() -> LocalMedia {
    use AudioCodec::{G722, Opus, Pcma, Pcmu};
    LocalMedia {
        codecs: vec![Opus, G722, Pcmu, Pcma],
        comfort_noise: true,
        ..local()
    }
}

const BROWSERS: &str = "m=audio 9 RTP/AVPF 96 9 0 8 13 126 97\r\na=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 minptime=10;useinbandfec=1;maxplaybackrate=16000\r\n\
    a=rtpmap:97 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

#[test]
fn a_wide_offer_lists_every_codec_and_clock() {
    let text = String::from_utf8(offer(&wide()).to_bytes()).unwrap();
    let (_, media) = text.split_once("m=").unwrap();
    let wanted = "audio 40000 RTP/AVP 111 9 0 8 13 101 110\r\nc=IN IP4 198.51.100.5\r\n\
        a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:13 CN/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
        a=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(media, wanted);
}

#[test]
fn payload_types_never_collide() {
    for event in [None, Some(101), Some(109), Some(110), Some(111), Some(112)] {
        let local = LocalMedia {
            telephone_event: event,
            ..wide()
        };
        let mut numbers: Vec<u8> = local.formats().iter().map(|f| f.payload_type).collect();
        let offered = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), offered, "{event:?}");
        assert_eq!(offered, if event.is_some() { 7 } else { 5 });
    }
}

#[test]
fn opus_is_answered_with_its_own_clock_for_keys() {
    let (answer, agreed) = answer(&wide(), &parse(BROWSERS), None).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (AudioCodec::Opus, 96));
    assert_eq!(agreed.telephone_event, Some(97));
    assert_eq!(
        (agreed.telephone_event_hz, agreed.comfort_noise),
        (48_000, None)
    );
    assert!(agreed.opus.in_band_fec);
    assert_eq!(agreed.opus.max_playback_hz, 16_000);
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    assert!(text.contains("m=audio 40000 RTP/AVPF 96 97\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n"));
    assert!(
        text.contains("a=rtpmap:97 telephone-event/48000\r\n"),
        "{text}"
    );
}

#[test]
fn keys_at_the_only_clock_there_is_are_better_than_none() {
    let offer = parse(
        "m=audio 9 RTP/AVP 96 101\r\na=rtpmap:96 OPUS/48000/2\r\n\
        a=rtpmap:101 telephone-event/8000\r\n",
    );
    let (answer, agreed) = answer(&wide(), &offer, None).unwrap();
    assert_eq!(
        (agreed.telephone_event, agreed.telephone_event_hz),
        (Some(101), 8000)
    );
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    assert!(
        text.contains("a=rtpmap:101 telephone-event/8000\r\n"),
        "{text}"
    );
}

#[test]
fn the_codec_of_the_other_leg_is_preferred_and_ours_where_we_decide() {
    use AudioCodec::{G722, Opus, Pcma, Pcmu};
    let offer = parse(BROWSERS);
    for (preferred, order, codec) in [
        (None, CodecOrder::Theirs, Opus),
        (Some(Pcma), CodecOrder::Theirs, Pcma),
        (Some(Pcma), CodecOrder::Ours, Pcma),
        (None, CodecOrder::Ours, Pcmu),
        (Some(Opus), CodecOrder::Ours, Pcmu),
    ] {
        let local = LocalMedia {
            codecs: match order {
                CodecOrder::Ours => vec![Pcmu, G722, Pcma],
                CodecOrder::Theirs => vec![Pcmu, Opus, G722, Pcma],
            },
            order,
            ..wide()
        };
        let (_, agreed) = answer(&local, &offer, preferred).unwrap();
        assert_eq!(agreed.codec, codec, "{preferred:?} {order:?}");
    }
    let (_, agreed) = answer(&wide(), &offer, Some(G722)).unwrap();
    assert_eq!((agreed.payload_type, agreed.comfort_noise), (9, Some(13)));
    assert_eq!(
        (agreed.telephone_event, agreed.telephone_event_hz),
        (Some(126), 8000)
    );
    let mut local = wide();
    local.prefer(&[Pcma, G722]);
    assert_eq!(local.codecs, [G722, Pcma, Opus, Pcmu]);
}

#[test]
fn an_answer_with_opus_is_understood() {
    let theirs = parse(
        "m=audio 6000 RTP/AVP 120 121\r\na=rtpmap:120 opus/48000/2\r\n\
        a=fmtp:120 usedtx=1; maxaveragebitrate=20000\r\na=rtpmap:121 telephone-event/48000\r\n\
        a=ptime:40\r\n",
    );
    let agreed = accept_answer(&wide(), &theirs).unwrap();
    assert_eq!(
        (agreed.payload_type, agreed.receive_payload_type),
        (120, 111)
    );
    assert_eq!(agreed.telephone_event, Some(121));
    assert_eq!(agreed.receive_telephone_event, Some(110));
    assert_eq!((agreed.telephone_event_hz, agreed.ptime_ms), (48_000, 40));
    assert!(agreed.opus.dtx && !agreed.opus.in_band_fec);
    assert_eq!(agreed.opus.max_bitrate, Some(20_000));
    let json = serde_json::to_string(&agreed).unwrap();
    assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
}

#[test]
fn packets_are_as_long_as_the_far_end_wishes_and_the_codec_can() {
    for (wishes, g711, opus) in [
        ("", 20, 20),
        ("a=ptime:10\r\n", 10, 10),
        ("a=ptime:30\r\n", 30, 20),
        ("a=ptime:40\r\n", 40, 40),
        ("a=ptime:50\r\n", 50, 40),
        ("a=ptime:60\r\n", 60, 60),
        ("a=ptime:120\r\n", 60, 60),
        ("a=ptime:25\r\n", 20, 20),
        ("a=ptime:5\r\n", 10, 10),
        ("a=ptime:0\r\n", 20, 20),
        ("a=ptime:60\r\na=maxptime:30\r\n", 30, 20),
        ("a=maxptime:10\r\n", 10, 10),
        ("a=maxptime:100\r\n", 20, 20),
    ] {
        for (number, ptime) in [(0, g711), (96, opus)] {
            let offer = parse(&format!(
                "m=audio 9 RTP/AVP {number}\r\na=rtpmap:96 opus/48000/2\r\n{wishes}"
            ));
            let (_, agreed) = answer(&wide(), &offer, None).unwrap();
            assert_eq!(agreed.ptime_ms, ptime, "{number}, {wishes}");
            assert_eq!(accept_answer(&wide(), &offer).unwrap().ptime_ms, ptime);
        }
    }
    let offer =
        parse("m=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=40\r\n");
    assert_eq!(answer(&wide(), &offer, None).unwrap().1.ptime_ms, 40);
}

fn secured(policy: SrtpPolicy, seed: u64) -> LocalMedia {
    LocalMedia {
        crypto: LocalCrypto::new(policy, &mut crate::base::Entropy::from_seed(seed)),
        ..local()
    }
}

fn again(description: &Description) -> Description {
    Description::parse(&description.to_bytes()).unwrap()
}

#[test]
fn both_ends_agree_on_keys() {
    let required = secured(SrtpPolicy::Required, 1);
    let offered = again(&offer(&required));
    let lines = &offered.audio().next().unwrap().crypto;
    assert_eq!(lines.len(), 4);
    assert_eq!(offered.audio().next().unwrap().protocol, "RTP/SAVP");
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
        let callee = secured(policy, 2);
        let (answered, at_callee) = answer(&callee, &offered, None).unwrap();
        let answered = again(&answered);
        assert_eq!(answered.audio().next().unwrap().crypto[0].tag, 1);
        let at_caller = accept_answer(&required, &answered).unwrap();
        let (a, b) = (at_caller.secure.unwrap(), at_callee.secure.unwrap());
        assert_eq!((&a.ours, &a.theirs), (&b.theirs, &b.ours));
        assert_eq!(a.suite, lines[0].suite);
        assert_ne!(a.ours, a.theirs);
    }
    let refused = answer(&local(), &offered, None).unwrap_err();
    assert_eq!(
        (refused.clone(), refused.status()),
        (Error::NoCommonSecurity, 488)
    );
}

#[test]
fn who_requires_security_takes_nothing_plain_and_offers_nothing_plain() {
    let plain = parse("m=audio 4000 RTP/AVP 0\r\n");
    let (required, optional) = (
        secured(SrtpPolicy::Required, 1),
        secured(SrtpPolicy::Optional, 1),
    );
    assert_eq!(
        answer(&required, &plain, None),
        Err(Error::NoCommonSecurity)
    );
    assert_eq!(
        accept_answer(&required, &plain),
        Err(Error::NoCommonSecurity)
    );
    assert_eq!(answer(&optional, &plain, None).unwrap().1.secure, None);
    let offered = offer(&optional);
    assert_eq!(offered.audio().next().unwrap().protocol, "RTP/AVP");
    assert_eq!(offered.audio().next().unwrap().crypto, []);
    // Two lines of one stream, as phones offer that would do either.
    let either = parse(
        "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVPF 0\r\na=crypto:8 F8_128_HMAC_SHA1_80 \
        inline:x\r\na=crypto:9 AES_CM_128_HMAC_SHA1_32 \
        inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n",
    );
    let (answered, agreed) = answer(&required, &either, None).unwrap();
    assert_eq!(agreed.remote.unwrap().port(), 4002);
    let text = String::from_utf8(answered.to_bytes()).unwrap();
    assert!(text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 40000 RTP/SAVPF 0\r\n"));
    assert!(
        text.contains("a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:"),
        "{text}"
    );
    assert!(!text.contains("WVNfX19z"), "their key is not ours: {text}");
    assert_eq!(answer(&optional, &either, None).unwrap().1.secure, None);
}

#[test]
fn what_is_secure_stays_so_in_our_next_offer_and_keys_change_with_the_far_end() {
    let optional = secured(SrtpPolicy::Optional, 1);
    let mut theirs = secured(SrtpPolicy::Required, 2);
    let (_, agreed) = answer(&optional, &again(&offer(&theirs)), None).unwrap();
    let next = reoffer(&optional, Some(&agreed));
    let lines = &next.audio().next().unwrap().crypto;
    let in_use = agreed.secure.as_ref().unwrap();
    assert_eq!(
        (lines.len(), lines[0].suite, &lines[0].key),
        (1, in_use.suite, &in_use.ours)
    );
    assert_eq!(reoffer(&optional, None).audio().next().unwrap().crypto, []);
    let agree = |theirs: &LocalMedia| answer(&optional, &again(&offer(theirs)), None).unwrap().1;
    assert!(!agree(&theirs).wants_new_key(&agreed));
    theirs.crypto.renew(&mut crate::base::Entropy::from_seed(3));
    assert!(!agree(&theirs).wants_new_key(&agreed), "a rekeying far end");
    theirs.address.set_port(2222);
    assert!(agree(&theirs).wants_new_key(&agreed), "another far end");
    let plain = agree(&local());
    assert!(!plain.wants_new_key(&agreed));
    assert!(agreed.wants_new_key(&plain));
    let json = serde_json::to_string(&agreed).unwrap();
    assert_eq!(serde_json::from_str::<Negotiated>(&json).unwrap(), agreed);
    assert!(!format!("{agreed:?}").contains(&format!("{:?}", in_use.ours.octets())));
}

#[test]
fn no_mutation_of_an_offer_panics_and_answers_stay_well_formed() {
    let seed = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n\
        a=sendonly\r\nm=audio 65535 RTP/AVP 0 8 101 97\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtpmap:97 opus/48000/2\r\na=rtcp:4001 IN IP6 ::1\r\na=ptime:20\r\na=rtcp-mux\r\n\
        m=video 5 RTP/AVP 31\r\nm=audio 7/2 RTP/AVP 8\r\na=inactive\r\n\
        m=audio 9 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 \
        inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n";
    let mut entropy = crate::base::Entropy::from_seed(3264);
    let mut agreed = 0;
    for _ in 0..5000 {
        let mut octets = seed.as_bytes().to_vec();
        for _ in 0..=entropy.below(3) {
            let at = entropy.below(octets.len() as u64) as usize;
            match entropy.below(4) {
                0 => octets.truncate(at.max(9)),
                1 => drop(octets.remove(at)),
                2 => octets.insert(at, b"\r\n 0:/=a9\0\xff"[entropy.below(11) as usize]),
                _ => octets[at] ^= 1 << entropy.below(8),
            }
        }
        let Ok(offer) = Description::parse(&octets) else {
            continue;
        };
        let again = Description::parse(&offer.to_bytes()).unwrap();
        assert_eq!(again.media.len(), offer.media.len());
        if let Ok((answer, _)) = answer(&local(), &offer, None) {
            let read = Description::parse(&answer.to_bytes()).unwrap();
            assert_eq!(read.media.len(), offer.media.len());
            assert!(accept_answer(&local(), &read).is_ok() || offer.audio().count() > 0);
            agreed += 1;
        }
        let _ = accept_answer(&local(), &offer);
    }
    assert!(agreed > 500, "{agreed}");
}

#[test]
fn redundancy_of_keys_is_answered_where_it_is_offered_and_no_other() {
    let agreed = |fmtp: &str| {
        let offer = parse(&format!(
            "m=audio 4000 RTP/AVP 0 101 100\r\na=rtpmap:101 telephone-event/8000\r\n\
            a=rtpmap:100 red/8000\r\n{fmtp}"
        ));
        let (answer, agreed) = answer(&local(), &offer, None).unwrap();
        (
            String::from_utf8(answer.to_bytes()).unwrap(),
            agreed.redundancy,
        )
    };
    let with = |depth| {
        Some(Redundancy {
            payload_type: 100,
            receive_payload_type: 100,
            depth,
        })
    };
    for (levels, depth, ours) in [
        ("101/101", 1, "101/101"),
        ("101/101/101", 2, "101/101/101"),
        ("0/101", 1, "101/101"),
        ("101/101/101/101/101/101", 3, "101/101/101/101"),
    ] {
        let (text, redundancy) = agreed(&format!("a=fmtp:100 {levels}\r\n"));
        assert_eq!(redundancy, with(depth), "{levels}");
        assert!(text.contains("RTP/AVP 0 101 100\r\n"), "{text}");
        assert!(text.contains("a=rtpmap:100 red/8000\r\n"), "{text}");
        assert!(text.contains(&format!("a=fmtp:100 {ours}\r\n")), "{text}");
    }
    for other in [
        "",
        "a=fmtp:100 0/0\r\n",
        "a=fmtp:100 /\r\n",
        "a=fmtp:100 1011/101x\r\n",
    ] {
        let (text, redundancy) = agreed(other);
        assert_eq!(redundancy, None, "{other}");
        assert!(!text.contains("red"), "{text}");
    }
    // Events of another clock, and none of ours.
    let wide = "m=audio 9 RTP/AVP 0 101 100\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtpmap:100 red/48000\r\na=fmtp:100 101/101\r\n";
    assert_eq!(
        answer(&local(), &parse(wide), None).unwrap().1.redundancy,
        None
    );
    let deaf = LocalMedia {
        telephone_event: None,
        ..local()
    };
    let offer = wide.replace("48000", "8000");
    assert_eq!(
        answer(&deaf, &parse(&offer), None).unwrap().1.redundancy,
        None
    );
}

#[test]
fn redundancy_is_offered_where_it_is_wished_and_agreed_where_it_comes_back() {
    let text = |local: &LocalMedia| String::from_utf8(offer(local).to_bytes()).unwrap();
    assert!(!text(&wide()).contains("red/"));
    let wishing = LocalMedia {
        dtmf_redundancy: true,
        ..wide()
    };
    let offered = text(&wishing);
    for line in [
        "m=audio 40000 RTP/AVP 111 9 0 8 13 101 100 110 98\r\n",
        "a=rtpmap:100 red/8000\r\na=fmtp:100 101/101/101/101\r\n",
        "a=rtpmap:98 red/48000\r\na=fmtp:98 110/110/110/110\r\n",
    ] {
        assert!(offered.contains(line), "{offered}");
    }
    for event in 96..=127 {
        let local = LocalMedia {
            telephone_event: Some(event),
            ..wishing.clone()
        };
        let mut numbers: Vec<u8> = local.formats().iter().map(|f| f.payload_type).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 9, "{event}");
    }
    let (answered, at_callee) = answer(&wide(), &again(&offer(&wishing)), None).unwrap();
    let at_caller = accept_answer(&wishing, &again(&answered)).unwrap();
    assert_eq!(at_caller.redundancy, at_callee.redundancy);
    assert_eq!(at_caller.redundancy.unwrap().payload_type, 98);
    let theirs = parse(
        "m=audio 9 RTP/AVP 0 96 97\r\na=rtpmap:96 telephone-event/8000\r\n\
        a=rtpmap:97 red/8000\r\na=fmtp:97 96/96\r\n",
    );
    let agreed = accept_answer(&wishing, &theirs)
        .unwrap()
        .redundancy
        .unwrap();
    assert_eq!(
        (
            agreed.payload_type,
            agreed.receive_payload_type,
            agreed.depth
        ),
        (97, 100, 1)
    );
    assert_eq!(accept_answer(&wide(), &theirs).unwrap().redundancy, None);
}
