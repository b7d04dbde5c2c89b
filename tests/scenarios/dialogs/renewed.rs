//! Session timers (RFC 4028): who refreshes, by what, and what becomes of who does not.

use super::{Setting, Stage, assert_end};

/// Three seconds, so that a refresh comes after one and a half and the end after two.
const BRIEF: Setting = Setting {
    node: &[
        ("DIALOGS_MIN_SE", "1s"),
        ("DIALOGS_SESSION_EXPIRES", "3s"),
        ("SIP_T1", "200ms"),
    ],
    trunk: "min_se = \"1s\"\nsession_expires = \"3s\"",
    rings: None,
    second: false,
};

/// Phones ask for nothing; only the trunk has a short session.
const BRIEF_TRUNK: Setting = Setting {
    node: &[("SIP_T1", "200ms")],
    ..BRIEF
};

/// Only phones have a short session.
const BRIEF_PHONES: Setting = Setting { trunk: "", ..BRIEF };

const PLAIN_CALLER: &str = "> INVITE sdp
    < 180?
    < 200
    > ACK
    @ VOICE
    < BYE
    > 200 BYE";

const PLAIN_CALLEE: &str = "< INVITE
    > 200 INVITE sdp
    < ACK
    @ VOICE
    < BYE
    > 200 BYE";

#[test]
fn a_caller_refreshes_by_update() {
    let mut stage = Stage::open(BRIEF_TRUNK);
    let record = stage.play(
        "> INVITE sdp
           Supported: timer
           Session-Expires: 3;refresher=uac
           Min-SE: 1
         < 200
           = Session-Expires: 3;refresher=uac
           = Require: timer
         > ACK
         @ VOICE
         ~ 1200
         > UPDATE
           Supported: timer
           Session-Expires: 3;refresher=uac
         < 200 UPDATE
           = Session-Expires: 3;refresher=uac
         ~ 1200
         > UPDATE
           Supported: timer
           Session-Expires: 3;refresher=uac
         < 200 UPDATE
         ~ 300
         > BYE
         < 200 BYE",
        PLAIN_CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_caller_refreshes_by_reinvite() {
    let mut stage = Stage::open(BRIEF_TRUNK);
    let record = stage.play(
        "> INVITE sdp
           Supported: timer
           Session-Expires: 3;refresher=uac
           Min-SE: 1
         < 200
         > ACK
         @ VOICE
         ~ 1200
         > INVITE sdp
           Supported: timer
           Session-Expires: 3;refresher=uac
         < 200 INVITE
           = Session-Expires: 3;refresher=uac
         > ACK
         ~ 1200
         > BYE
         < 200 BYE",
        PLAIN_CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_callee_refreshes_by_update() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        PLAIN_CALLER,
        "< INVITE
           = Session-Expires: 3
           = Min-SE: 1
         > 200 INVITE sdp
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uas
         < ACK
         @ VOICE
         ~ 1200
         > UPDATE
           Supported: timer
           Session-Expires: 3;refresher=uac
         < 200 UPDATE
           = Session-Expires: 3;refresher=uac
         ~ 1200
         > BYE
         < 200 BYE",
    );
    assert_end(&record, "callee", 200, 16);
    stage.both_heard();
}

#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        PLAIN_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL, UPDATE
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         @ VOICE
         < UPDATE
           = Session-Expires: 3;refresher=uac
           ! m=audio
         > 200 UPDATE
           Require: timer
           Session-Expires: 3;refresher=uac
         < UPDATE
         > 200 UPDATE
           Require: timer
           Session-Expires: 3;refresher=uac
         > BYE
         < 200 BYE",
    );
    assert_end(&record, "callee", 200, 16);
    stage.both_heard();
}

#[test]
fn we_refresh_by_reinvite_where_the_peer_takes_no_update() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        PLAIN_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         @ VOICE
         < INVITE
           = Session-Expires: 3;refresher=uac
           = Content-Type: application/sdp
         > 200 INVITE sdp
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         ~ 300
         > BYE
         < 200 BYE",
    );
    assert_end(&record, "callee", 200, 16);
    stage.both_heard();
    let offers = stage.to_callee("INVITE sip:");
    let origin = |text: &String| {
        text.lines()
            .find(|line| line.starts_with("o="))
            .map(str::to_owned)
    };
    assert_eq!(
        origin(&offers[0]),
        origin(&offers[1]),
        "nothing has changed"
    );
}

#[test]
fn a_caller_who_chooses_us_is_refreshed_by_us() {
    let mut stage = Stage::open(BRIEF_TRUNK);
    let record = stage.play(
        "> INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL, UPDATE
           Supported: timer
           Session-Expires: 3;refresher=uas
           Min-SE: 1
         < 200
           = Session-Expires: 3;refresher=uas
         > ACK
         @ VOICE
         < UPDATE
           = Session-Expires: 3;refresher=uac
         > 200 UPDATE
           Require: timer
           Session-Expires: 3;refresher=uac
         > BYE
         < 200 BYE",
        PLAIN_CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_callee_with_a_longer_minimum_is_asked_again() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        "> INVITE sdp
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
           = Session-Expires: 3
         > 422 INVITE
           Min-SE: 120
         < ACK
         < INVITE
           = Session-Expires: 120
           = Min-SE: 120
         > 200 INVITE sdp tag=b
           Supported: timer
           Require: timer
           Session-Expires: 120;refresher=uas
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_caller_who_asks_for_too_short_a_session_hears_422() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: timer
           Session-Expires: 30
         < 422
           = Min-SE: 90
         > ACK refused
         > INVITE sdp anew
           Supported: timer
           Session-Expires: 90
           Min-SE: 90
         < 200
           = Session-Expires: 90
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        PLAIN_CALLEE,
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_refresh_that_fails_ends_both_sides() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        PLAIN_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL, UPDATE
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         @ VOICE
         < UPDATE
         > 481 UPDATE
         < BYE
         > 200 BYE",
    );
    assert_eq!(record["hung_up_by"], "switch", "{record:#}");
    assert_eq!(record["sip"], 408, "{record:#}");
    stage.both_heard();
}

#[test]
fn a_peer_that_vanished_is_ended_by_bye_on_both_sides() {
    let mut stage = Stage::open(BRIEF_TRUNK);
    let record = stage.play(
        "> INVITE sdp
           Supported: timer
           Session-Expires: 3;refresher=uac
           Min-SE: 1
         < 200
         > ACK
         @ VOICE
         < BYE
           = Reason: Q.850
         > 200 BYE",
        PLAIN_CALLEE,
    );
    assert_end(&record, "switch", 408, 102);
    assert!(
        record.to_string().contains("session timer expired"),
        "{record:#}"
    );
    stage.both_heard();
}

#[test]
fn a_refresh_that_nobody_answers_ends_both_sides() {
    let mut stage = Stage::open(BRIEF_PHONES);
    let record = stage.play(
        PLAIN_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL, UPDATE
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         @ VOICE
         < UPDATE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "switch", 408, 102);
    stage.both_heard();
}
