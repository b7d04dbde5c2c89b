//! Early dialogs: several of one INVITE, UPDATE within them, 199, and Reason at the end.

use super::{Setting, Stage, assert_end};

#[test]
fn two_early_dialogs_and_the_second_answers() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 183
         @ VOICE
         < 200
         > ACK
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 183 INVITE sdp tag=a
         > 183 INVITE sdp tag=b
         ~ 300
         > 200 INVITE sdp tag=b
         < ACK
           = To: b$
         @ VOICE
         < BYE
           = To: b$
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    assert_eq!(stage.to_callee("ACK sip:").len(), 1);
    stage.both_heard();
}

#[test]
fn an_early_dialog_that_ends_by_199_leaves_the_other() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 199
         < 183
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
           = Supported: 199
         > 183 INVITE sdp tag=a
         > 180 INVITE tag=b
         > 199 INVITE tag=a
           Reason: SIP;cause=486;text=\"Busy Here\"
         ~ 300
         > 200 INVITE sdp tag=b
         < ACK
           = To: b$
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn a_caller_who_knows_199_hears_it_before_the_refusal() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 199
         < 180
         < 199
           = Reason: SIP
         < 480
         > ACK refused",
        "< INVITE
         > 180 INVITE
         ~ 200
         > 486 INVITE
         < ACK",
    );
    assert!(record["answered"].is_null(), "{record:#}");
}

#[test]
fn a_caller_updates_in_the_early_and_in_the_confirmed_dialog() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
           Supported: 100rel
         < 183
           = RSeq: [0-9]+
         > PRACK
         < 200 PRACK
         @ VOICE
         > UPDATE sdp
         < 200 UPDATE
           = Content-Type: application/sdp
         < 200 INVITE
         > ACK
         > UPDATE sdp
         < 200 UPDATE
           = Content-Type: application/sdp
         ~ 600
         > BYE
         < 200 BYE",
        "< INVITE
         > 183 INVITE sdp
         @ VOICE
         ~ 800
         > 200 INVITE sdp
         < ACK
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn the_reason_of_a_bye_is_told_to_the_other_side() {
    let mut stage = Stage::open(Setting::default());
    let record = stage.play(
        "> INVITE sdp
         < 200
         > ACK
         @ VOICE
         < BYE
           = Reason: Q.850;cause=31
         > 200 BYE",
        "< INVITE
         > 200 INVITE sdp
         < ACK
         @ VOICE
         ~ 600
         > BYE
           Reason: Q.850;cause=31;text=\"line cut\"
         < 200 BYE",
    );
    assert_end(&record, "callee", 200, 31);
    stage.both_heard();
}

#[test]
fn a_183_without_description_is_no_ringing() {
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
         > 183 INVITE
         ~ 300
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    assert!(stage.to_caller("SIP/2.0 18").is_empty());
    stage.both_heard();
}
