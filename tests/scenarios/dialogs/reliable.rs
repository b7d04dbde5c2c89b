//! Reliable provisional responses (RFC 3262), in both roles, and what is refused about them.

use super::{Setting, Stage, assert_end};

#[test]
fn a_caller_with_100rel_hears_early_media_reliably() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 100rel
         < 183
           = Require: 100rel
           = RSeq: [0-9]+
           = Content-Type: application/sdp
         @ VOICE
         > PRACK
         < 200 PRACK
         < 200 INVITE
           ! m=audio
         > ACK
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 183 INVITE sdp
         @ VOICE
         ~ 600
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
    let early = stage.to_caller("SIP/2.0 183");
    assert_eq!(early.len(), 1, "acknowledged at once: {early:#?}");
}

#[test]
fn a_caller_offers_anew_in_the_prack() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 100rel
         < 183
           = RSeq: [0-9]+
           = Content-Type: application/sdp
         > PRACK sdp
         < 200 PRACK
           = Content-Type: application/sdp
         @ VOICE
         < 200 INVITE
           ! m=audio
         > ACK
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 183 INVITE sdp
         @ VOICE
         ~ 600
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_caller_who_requires_100rel_hears_even_ringing_reliably() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Require: 100rel
         < 180
           = Require: 100rel
           = RSeq: [0-9]+
         > PRACK
         < 200 PRACK
         < 200 INVITE
           = Content-Type: application/sdp
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
         ~ 300
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_reliable_response_is_repeated_until_its_prack() {
    let mut stage = Stage::open(Setting {
        node: &[("SIP_T1", "100ms")],
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
           Require: 100rel
         < 180
           = RSeq: [0-9]+
         ~ 900
         > PRACK
         < 200 PRACK
         < 200 INVITE
         > ACK
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
         ~ 1500
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    let rings = stage.to_caller("SIP/2.0 180");
    assert!(rings.len() >= 3, "{} times", rings.len());
    assert!(
        rings.windows(2).all(|pair| pair[0] == pair[1]),
        "{rings:#?}"
    );
}

#[test]
fn a_reliable_response_without_prack_ends_the_call() {
    let mut stage = Stage::open(Setting {
        node: &[("SIP_T1", "50ms")],
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
           Require: 100rel
         < 180
           = RSeq: [0-9]+
         < 504
         > ACK refused",
        "< INVITE
         > 180 INVITE
         < CANCEL
         > 200 CANCEL
         > 487 INVITE
         < ACK",
    );
    assert_end(&record, "switch", 504, 102);
}

#[test]
fn a_callee_rings_reliably() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
           ! RSeq
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
           = Supported: 100rel
           = Allow: PRACK
         > 180 INVITE
           Require: 100rel
           RSeq: 4711
         < PRACK
           = RAck: 4711 [0-9]+ INVITE
         > 200 PRACK
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_callee_rings_speaks_and_rings_again_reliably() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
         < 183
           = Content-Type: application/sdp
         @ VOICE
         < 180?
         < 200
         > ACK
         ~ 500
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
           Require: 100rel
           RSeq: 1
         < PRACK
           = RAck: 1 [0-9]+ INVITE
         > 200 PRACK
         > 183 INVITE sdp
           Require: 100rel
           RSeq: 2
         < PRACK
           = RAck: 2 [0-9]+ INVITE
         > 200 PRACK
         @ VOICE
         ~ 600
         > 180 INVITE
           Require: 100rel
           RSeq: 3
         < PRACK
           = RAck: 3 [0-9]+ INVITE
         > 200 PRACK
         > 200 INVITE
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn both_sides_speak_reliably_before_the_answer() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 100rel
         < 183
           = Require: 100rel
           = RSeq: [0-9]+
         @ VOICE
         > PRACK
         < 200 PRACK
         < 200 INVITE
         > ACK
         ~ 500
         > BYE
         < 200 BYE",
        "< INVITE
         > 183 INVITE sdp
           Require: 100rel
           RSeq: 77
         < PRACK
         > 200 PRACK
         @ VOICE
         ~ 600
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_prack_for_nothing_hears_481_and_the_call_goes_on() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Require: 100rel
         < 180
           = RSeq: [0-9]+
         > PRACK
         < 200 PRACK
         > PRACK
         < 481 PRACK
         < 200 INVITE
         > ACK
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
         ~ 500
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
}

#[test]
fn a_trunk_without_100rel_refuses_who_requires_it() {
    let mut stage = Stage::open(Setting {
        trunk: "reliable = \"off\"",
        ..Setting::default()
    });
    refused(
        &mut stage,
        "Require: 100rel",
        "420",
        "= Unsupported: 100rel",
    );
}

#[test]
fn a_trunk_with_100rel_demanded_refuses_who_cannot() {
    let mut stage = Stage::open(Setting {
        trunk: "reliable = \"required\"",
        ..Setting::default()
    });
    refused(&mut stage, "Supported: timer", "421", "= Require: 100rel");
}

#[test]
fn an_unknown_extension_is_named_in_the_refusal() {
    let mut stage = Stage::open(Setting::default());
    refused(
        &mut stage,
        "Require: teleport",
        "420",
        "= Unsupported: teleport",
    );
}

#[track_caller]
fn refused(stage: &mut Stage, header: &str, status: &str, check: &str) {
    let script = format!("> INVITE sdp\n{header}\n< {status}\n{check}\n> ACK refused");
    stage.start(super::Side::Caller, stage.caller(), &script);
    stage.running.remove(0).succeed(super::wait::PATIENCE);
    assert!(stage.to_callee("INVITE sip:").is_empty(), "nobody was rung");
    // Refused before it was a call, or as one that failed.
    for record in stage.office.api.calls() {
        assert_eq!(record["sip"].to_string(), status, "{record:#}");
        assert!(record["answered"].is_null(), "{record:#}");
    }
}

#[test]
fn phones_of_whom_100rel_is_demanded_are_asked_for_it() {
    let mut stage = Stage::open(Setting {
        node: &[("DIALOGS_RELIABLE", "required")],
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
         < 180
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
           = Require: 100rel
         > 180 INVITE
           Require: 100rel
           RSeq: 9
         < PRACK
           = RAck: 9 [0-9]+ INVITE
         > 200 PRACK
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_phone_without_100rel_that_it_is_asked_for_fails_the_call() {
    let mut stage = Stage::open(Setting {
        node: &[("DIALOGS_RELIABLE", "required")],
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
         < 480
         > ACK refused",
        "< INVITE
           = Require: 100rel
         > 420 INVITE
           Unsupported: 100rel
         < ACK",
    );
    assert!(record["answered"].is_null(), "{record:#}");
    assert_eq!(record["legs"][1]["cause"]["sip"], 420, "{record:#}");
}

#[test]
fn two_early_dialogs_are_acknowledged_each_by_itself() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
         < 183?
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE tag=a
           Require: 100rel
           RSeq: 5
         < PRACK
           = RAck: 5 [0-9]+ INVITE
           = To: a$
         > 200 PRACK
         > 183 INVITE sdp tag=b
           Require: 100rel
           RSeq: 5
         < PRACK
           = RAck: 5 [0-9]+ INVITE
           = To: b$
         > 200 PRACK
         > 200 INVITE tag=b
         < ACK
           = To: b$
         @ VOICE
         < BYE
           = To: b$
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}
