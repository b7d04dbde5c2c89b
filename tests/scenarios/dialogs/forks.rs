//! Forks: two answers to one INVITE, and two devices of one phone.

use super::{Setting, Side, Stage, assert_end};

#[test]
fn of_two_answers_the_second_is_acked_and_ended() {
    let mut stage = Stage::open(Setting::default());
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
         > 180 INVITE tag=a
         > 180 INVITE tag=b
         > 200 INVITE sdp tag=a
         < ACK
           = To: a$
         > 200 INVITE sdp tag=b
         < ACK
           = To: b$
         < BYE
           = To: b$
         > 200 BYE
         @ VOICE
         < BYE
           = To: a$
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}

#[test]
fn the_device_that_lost_hears_that_it_was_answered_elsewhere() {
    let mut stage = Stage::open(Setting {
        second: true,
        ..Setting::default()
    });
    stage.start(
        Side::Callee,
        stage.second(),
        "< INVITE
         > 180 INVITE
         < CANCEL
           = Reason: SIP;cause=200;text=\"Call completed elsewhere\"
         > 200 CANCEL
         > 487 INVITE
         < ACK",
    );
    let record = stage.play(
        "> INVITE sdp
         < 180
         < 180?
         < 200
         > ACK
         @ VOICE
         ~ 800
         > BYE
         < 200 BYE",
        "< INVITE
         > 180 INVITE
         ~ 500
         > 200 INVITE sdp
         < ACK
         @ VOICE
         < BYE
         > 200 BYE",
    );
    assert_end(&record, "caller", 200, 16);
    stage.both_heard();
}
