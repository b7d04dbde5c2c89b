//! Messages that meet on the way: CANCEL and 200, BYE and re-INVITE, two re-INVITEs (491).

use super::{Setting, Stage, assert_end};

/// A phone whose session is refreshed by our re-INVITE after one and a half seconds.
const REFRESHED: Setting = Setting {
    node: &[("DIALOGS_MIN_SE", "1s"), ("DIALOGS_SESSION_EXPIRES", "3s")],
    trunk: "",
    rings: None,
    second: false,
};

const TALKING_CALLER: &str = "> INVITE sdp
    < 200
    > ACK
    @ VOICE
    < BYE
    > 200 BYE";

#[test]
fn a_cancel_that_comes_before_the_answer_ends_the_call() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
         > CANCEL
           Reason: Q.850;cause=16
         < 200 CANCEL
         < 487
         > ACK refused",
        "< INVITE
         > 180 INVITE
         < CANCEL
           = Reason: Q.850
         > 200 CANCEL
         > 487 INVITE
         < ACK",
    );
    assert_end(&record, "caller", 487, 16);
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acked_and_ended() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 180
         > CANCEL
         < 200 CANCEL
         < 487
         > ACK refused",
        // The CANCEL comes when the phone has just been picked up.
        "< INVITE
         > 180 INVITE
         < CANCEL
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 CANCEL
         > 200 BYE",
    );
    assert_eq!(record["hung_up_by"], "caller", "{record:#}");
    assert_eq!(record["sip"], 487, "{record:#}");
}

#[test]
fn a_cancel_that_crosses_our_answer_changes_nothing() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 200 INVITE
         > CANCEL
         < 200 CANCEL
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
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
fn a_reinvite_that_meets_ours_hears_491() {
    let mut stage = Stage::open(REFRESHED);
    let record = stage.play(
        TALKING_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL
         < ACK
         @ VOICE
         < INVITE
         > INVITE sdp
         < 491
         > ACK refused
         > 200 INVITE sdp
         < ACK
         > BYE
         < 200 BYE",
    );
    assert_end(&record, "callee", 200, 16);
    stage.both_heard();
}

#[test]
fn an_update_that_meets_our_refresh_is_answered_and_both_count() {
    let mut stage = Stage::open(REFRESHED);
    let record = stage.play(
        TALKING_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL, UPDATE
           Supported: timer
           Require: timer
           Session-Expires: 3;refresher=uac
         < ACK
         @ VOICE
         < UPDATE
           ! m=audio
         > UPDATE sdp
         < 200 UPDATE
           = Content-Type: application/sdp
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
fn a_reinvite_of_ours_that_hears_491_is_sent_again() {
    // Whose Call-ID it is not waits 2 s at the most (RFC 3261 §14.1), and a session of 13 s has
    // that much between refresh and end.
    let mut stage = Stage::open(Setting {
        trunk: "min_se = \"1s\"\nsession_expires = \"13s\"",
        ..Setting::default()
    });
    let record = stage.play(
        "> INVITE sdp
           Supported: timer
           Session-Expires: 13;refresher=uas
           Min-SE: 1
           Allow: INVITE, ACK, BYE, CANCEL
         < 200
         > ACK
         @ VOICE
         < INVITE
         > 491 INVITE
         < ACK
         < INVITE
         > 200 INVITE sdp
           Require: timer
           Session-Expires: 13;refresher=uac
         < ACK
         > BYE
         < 200 BYE",
        "< INVITE
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
fn a_bye_that_crosses_our_reinvite_ends_the_call() {
    let mut stage = Stage::open(REFRESHED);
    let record = stage.play(
        TALKING_CALLER,
        "< INVITE
         > 200 INVITE sdp
           Allow: INVITE, ACK, BYE, CANCEL
         < ACK
         @ VOICE
         < INVITE
         > BYE
         < 200 BYE
         > 481 INVITE
         < ACK",
    );
    assert_end(&record, "callee", 200, 16);
    stage.both_heard();
}

#[test]
fn a_reinvite_that_crosses_our_bye_is_refused() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > INVITE sdp
         < 481
         > ACK refused
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_reinvite_from_the_caller_is_answered_here() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 200
         > ACK
         > INVITE sdp
         < 200 INVITE
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    assert_eq!(stage.to_callee("INVITE sip:").len(), 1);
    stage.both_heard();
}
