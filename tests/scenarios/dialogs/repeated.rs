//! Messages that come late, twice or never (RFC 3261 §13.3, §17.2; RFC 6026).

use super::{Setting, Side, Stage, assert_end, wait};

const QUICK: Setting = Setting {
    node: &[("SIP_T1", "50ms")],
    trunk: "",
    rings: None,
    second: false,
};

const CALLEE: &str = "< INVITE
    > 200 INVITE sdp
    < ACK
    @ VOICE
    < BYE
    > 200 BYE";

#[test]
fn a_late_ack_is_in_time() {
    let mut stage = Stage::open(QUICK);
    let record = stage.play(
        "> INVITE sdp
         < 200
         ~ 1000
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    let answers = stage.to_caller("CSeq: 1 INVITE");
    let answers = answers
        .iter()
        .filter(|text| text.starts_with("SIP/2.0 200"));
    assert!(answers.count() >= 3);
    stage.both_heard();
}

#[test]
fn an_answer_never_acked_ends_in_bye() {
    let mut stage = Stage::open(QUICK);
    let record = stage.play(
        "> INVITE sdp
         < 200
         < BYE
           = Reason: Q.850;cause=102
         > 200 BYE",
        CALLEE,
    );
    assert_end(&record, "switch", 408, 102);
    assert!(record.to_string().contains("never ACKed"), "{record:#}");
    let answers = stage.to_caller("SIP/2.0 200");
    assert!(
        answers.len() >= 5,
        "repeated until timer H: {}",
        answers.len()
    );
}

#[test]
fn an_invite_repeated_after_the_answer_is_no_new_call() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 200
         > INVITE sdp again
         > ACK
         > INVITE sdp again
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    assert_eq!(stage.to_callee("INVITE sip:").len(), 1, "rung once");
    assert_eq!(stage.office.api.calls().len(), 1);
    stage.both_heard();
}

#[test]
fn an_invite_that_came_by_two_ways_is_answered_482_on_the_second() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
         > INVITE sdp again branch=merged
         < 482
         > ACK refused branch=merged
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
         ~ 800
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    assert_eq!(stage.to_callee("INVITE sip:").len(), 1, "rung once");
    assert_eq!(stage.office.api.calls().len(), 1);
    stage.both_heard();
}

#[test]
fn a_phone_that_rings_too_long_is_cancelled() {
    let mut stage = Stage::open(Setting {
        rings: Some("1s"),
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
         < 180
         < 480
         > ACK refused",
        "< INVITE
         > 180 INVITE
         < CANCEL
           = Reason: Q.850
         > 200 CANCEL
         > 487 INVITE
         < ACK",
    );
    assert!(record["answered"].is_null(), "{record:#}");
    assert_eq!(record["sip"], 480, "{record:#}");
}

#[test]
fn a_callee_that_is_silent_from_the_first_is_given_up() {
    let mut stage = Stage::open(QUICK);
    let script = "> INVITE sdp
         < 480
         > ACK refused";
    // Somebody is there, and says nothing.
    let _deaf = std::net::UdpSocket::bind(stage.callee()).expect("the phone's port");
    stage.start(Side::Caller, stage.caller(), script);
    stage.running.remove(0).succeed(wait::PATIENCE);
    let record = stage.office.records(1).remove(0);
    assert!(record["answered"].is_null(), "{record:#}");
    assert!(
        stage.to_callee("INVITE sip:").len() >= 3,
        "repeated until timer B"
    );
}
