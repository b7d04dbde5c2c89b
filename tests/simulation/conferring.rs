//! Conferences that documents put callers into.

use tsunagu::call::Control;
use tsunagu::events::Stretch;
use tsunagu::twiml::{Link, Modification};

use crate::ear::level;
use crate::hold::hear;
use crate::pages::{Pages, hears_music, office, told, value};
use crate::peer::Manners;
use crate::world::World;

/// Phones and what each says, in Hz.
const MEMBERS: [(&str, u32); 3] = [("1005", 440), ("1006", 880), ("1007", 1320)];

fn world(seed: u64) -> World {
    World::with(seed, office(&[]))
}

/// One more dials the application, says his tone and is answered.
fn dial(world: &mut World, pages: &mut Pages, place: usize) -> usize {
    let (number, hz) = MEMBERS[place];
    let phone = world.phone(number, Manners::Rings);
    world.peers[phone].set_tone(hz);
    world.with_peer(phone, |peer, now| peer.call(now, "100", number));
    pages.run_to(world, "answered", 5000, |world| {
        world.peers[phone].talks[0].is_answered
    });
    pages.run_for(world, 500);
    phone
}

/// Which tones a phone hears.
fn heard_by(world: &mut World, pages: &mut Pages, peer: usize) -> Vec<u32> {
    pages.run_for(world, 300);
    let heard = hear(world, peer, 1000);
    let tones = MEMBERS.iter().map(|(_, hz)| *hz);
    tones
        .filter(|hz| heard.len() > 3000 && level(&heard[1600..], f64::from(*hz)) > -20.0)
        .collect()
}

fn events(world: &World) -> Vec<String> {
    let told = told(world, "StatusCallbackEvent").into_iter();
    let event = |form| {
        value(form, "StatusCallbackEvent")
            .expect("it has it")
            .to_owned()
    };
    told.map(event).collect()
}

const ROOM: &str = "<Dial action=\"/after\"><Conference beep=\"false\" statusCallback=\"/told\" \
    statusCallbackEvent=\"start end join leave mute hold\">room</Conference></Dial>";
const AFTER: (&str, &str, &str) = ("/after", "", "<Pause length=\"60\"/>");

#[test]
fn the_first_waits_with_music_and_both_talk_when_the_second_comes() {
    let mut world = world(4101);
    let mut pages = Pages::new(&[("/call", "", ROOM), AFTER]);
    let first = dial(&mut world, &mut pages, 0);
    assert!(hears_music(&mut world, first), "{}", world.tell());
    let second = dial(&mut world, &mut pages, 1);
    assert_eq!(heard_by(&mut world, &mut pages, first), [880]);
    assert_eq!(heard_by(&mut world, &mut pages, second), [440]);
    let third = dial(&mut world, &mut pages, 2);
    assert_eq!(heard_by(&mut world, &mut pages, first), [880, 1320]);
    assert_eq!(heard_by(&mut world, &mut pages, third), [440, 880]);
    for peer in [first, second, third] {
        world.hang_up(peer, 0);
        pages.run_for(&mut world, 300);
    }
    world.finish();
    let expected = [
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-join",
        "participant-leave",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ];
    assert_eq!(events(&world), expected);
    let told = told(&world, "SequenceNumber");
    let numbers: Vec<_> = told
        .iter()
        .filter(|form| value(form, "FriendlyName") == Some("room"))
        .map(|form| value(form, "SequenceNumber").expect("counted"))
        .collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert!(
        world
            .records
            .iter()
            .all(|record| { record.total_ms(Stretch::Service) > 0 })
    );
}

#[test]
fn nobody_hears_anybody_before_it_begins_and_the_wait_document_ends_with_it() {
    let wait = "<Dial><Conference beep=\"false\" startConferenceOnEnter=\"false\" \
        waitUrl=\"/wait\">room</Conference></Dial>";
    let begins = "<Dial><Conference beep=\"false\">room</Conference></Dial>";
    let mut world = world(4102);
    let mut pages = Pages::new(&[
        ("/call", "1007", begins),
        ("/call", "", wait),
        ("/wait", "", "<Play loop=\"0\">/music</Play>"),
    ]);
    let first = dial(&mut world, &mut pages, 0);
    let second = dial(&mut world, &mut pages, 1);
    assert_eq!(pages.forms("/wait").len(), 2);
    for peer in [first, second] {
        assert!(hears_music(&mut world, peer), "{}", world.tell());
    }
    let third = dial(&mut world, &mut pages, 2);
    assert_eq!(heard_by(&mut world, &mut pages, first), [880, 1320]);
    assert_eq!(heard_by(&mut world, &mut pages, second), [440, 1320]);
    assert_eq!(heard_by(&mut world, &mut pages, third), [440, 880]);
    for peer in [first, second, third] {
        world.hang_up(peer, 0);
        pages.run_for(&mut world, 300);
    }
    world.finish();
}

#[test]
fn it_ends_with_whoever_ends_it_and_the_others_documents_go_on() {
    let ends = "<Dial action=\"/after\"><Conference endConferenceOnExit=\"true\">room\
        </Conference></Dial>";
    let mut world = world(4103);
    let mut pages = Pages::new(&[("/call", "1005", ends), ("/call", "", ROOM), AFTER]);
    let first = dial(&mut world, &mut pages, 0);
    let others = [
        dial(&mut world, &mut pages, 1),
        dial(&mut world, &mut pages, 2),
    ];
    world.hang_up(first, 0);
    pages.run_for(&mut world, 1000);
    let after = pages.forms("/after");
    // The one who left is told of too, and nothing he is answered counts.
    let went_on = after
        .iter()
        .filter(|form| value(form, "CallStatus") == Some("in-progress"));
    assert_eq!(went_on.count(), 2);
    assert_eq!(value(after[0], "DialCallStatus"), Some("answered"));
    assert_eq!(
        world.switch.exchange.inventory()[4],
        0,
        "the conference is over"
    );
    for peer in others {
        assert!(!world.peers[peer].talks[0].is_over);
        world.hang_up(peer, 0);
    }
    world.finish();
}

#[test]
fn a_caller_may_leave_by_star_be_taken_out_muted_and_held() {
    let star = "<Dial hangupOnStar=\"true\" action=\"/after\"><Conference beep=\"false\" \
        statusCallback=\"/told\" statusCallbackEvent=\"mute hold leave\">room</Conference></Dial>";
    let mut world = world(4104);
    let mut pages = Pages::new(&[("/call", "", star), AFTER]);
    let peers = [0, 1, 2].map(|place| dial(&mut world, &mut pages, place));
    let leg = world.legs()[0];
    world
        .control(Control::Mute { leg, on: true })
        .expect("muted");
    assert_eq!(heard_by(&mut world, &mut pages, peers[1]), [1320]);
    world
        .control(Control::Mute { leg, on: false })
        .expect("heard");
    world
        .control(Control::Hold { leg, on: true })
        .expect("held");
    pages.run_for(&mut world, 300);
    assert!(hears_music(&mut world, peers[0]));
    assert_eq!(heard_by(&mut world, &mut pages, peers[1]), [1320]);
    world
        .control(Control::Hold { leg, on: false })
        .expect("back");
    assert_eq!(heard_by(&mut world, &mut pages, peers[0]), [880, 1320]);
    world.control(Control::LeaveConference).expect("out");
    assert_eq!(heard_by(&mut world, &mut pages, peers[1]), [1320]);
    world.peers[peers[1]].talks[0].voice.press("*");
    pages.run_for(&mut world, 1000);
    assert!(heard_by(&mut world, &mut pages, peers[2]).is_empty());
    assert_eq!(pages.forms("/after").len(), 2);
    let expected = [
        "participant-mute",
        "participant-unmute",
        "participant-hold",
        "participant-unhold",
        "participant-leave",
        "participant-leave",
    ];
    assert_eq!(events(&world), expected);
    for peer in peers {
        world.hang_up(peer, 0);
    }
    world.finish();
}

#[test]
fn an_announcement_and_what_is_heard_on_hold_are_in_place_of_the_others() {
    let mut world = world(4121);
    let mut pages = Pages::new(&[
        ("/call", "", ROOM),
        ("/music", "", "<Play loop=\"0\">/music</Play>"),
        ("/short", "", "<Pause length=\"1\"/>"),
        AFTER,
    ]);
    let peers = [0, 1].map(|place| dial(&mut world, &mut pages, place));
    let (leg, call) = (world.legs()[0], world.call_of(0));
    let link = |path: &str| Link::post(format!("https://app.example{path}"));
    let modify = |world: &mut World, wish| {
        let now = world.now;
        let modified = world.switch.exchange.modify(now, &call, wish);
        assert_eq!(modified, Ok(()));
        world.collect();
    };
    modify(&mut world, Modification::Announce(link("/music")));
    pages.run_for(&mut world, 500);
    assert!(hears_music(&mut world, peers[0]), "{}", world.tell());
    assert_eq!(heard_by(&mut world, &mut pages, peers[1]), [440]);
    modify(&mut world, Modification::Announce(link("/short")));
    pages.run_for(&mut world, 2_000);
    assert_eq!(heard_by(&mut world, &mut pages, peers[0]), [880]);
    let hold = |on| Control::Hold { leg, on };
    world.control(hold(true)).expect("on hold");
    let on_hold = Modification::HoldDocument(Some(link("/music")));
    modify(&mut world, on_hold);
    pages.run_for(&mut world, 1_000);
    assert!(hears_music(&mut world, peers[0]), "{}", world.tell());
    world.control(hold(false)).expect("back");
    pages.run_for(&mut world, 500);
    assert_eq!(heard_by(&mut world, &mut pages, peers[0]), [880]);
    assert_eq!(pages.forms("/music").len(), 2);
    for peer in peers {
        world.hang_up(peer, 0);
        pages.run_for(&mut world, 300);
    }
    world.finish();
}

#[test]
fn a_coach_is_heard_by_the_one_he_coaches_alone() {
    let mut world = world(4105);
    let agent = "<Dial><Conference beep=\"false\">room</Conference></Dial>";
    let mut pages = Pages::new(&[("/call", "", agent)]);
    let customer = dial(&mut world, &mut pages, 0);
    let agent = dial(&mut world, &mut pages, 1);
    let sid = value(pages.forms("/call")[1], "CallSid")
        .expect("said")
        .to_owned();
    let coach =
        format!("<Dial><Conference beep=\"false\" coach=\"{sid}\">room</Conference></Dial>");
    let mut pages = Pages::new(&[("/call", "", &coach)]);
    let coach = dial(&mut world, &mut pages, 2);
    assert_eq!(heard_by(&mut world, &mut pages, customer), [880]);
    assert_eq!(heard_by(&mut world, &mut pages, agent), [440, 1320]);
    assert_eq!(heard_by(&mut world, &mut pages, coach), [440, 880]);
    for peer in [coach, agent, customer] {
        world.hang_up(peer, 0);
        pages.run_for(&mut world, 200);
    }
    world.finish();
}

#[test]
fn who_is_not_let_in_goes_on_with_the_next_verb() {
    let label = "<Dial><Conference participantLabel=\"me\" maxParticipants=\"2\">room\
        </Conference></Dial><Redirect>/after</Redirect>";
    let other = "<Dial><Conference>room</Conference></Dial><Redirect>/after</Redirect>";
    let mut world = world(4106);
    let mut pages = Pages::new(&[("/call", "1007", other), ("/call", "", label), AFTER]);
    let peers = [0, 1].map(|place| dial(&mut world, &mut pages, place));
    assert_eq!(pages.forms("/after").len(), 1, "the label is taken");
    world.hang_up(peers[1], 0);
    let third = dial(&mut world, &mut pages, 2);
    assert_eq!(heard_by(&mut world, &mut pages, third), [440]);
    for peer in [peers[0], third] {
        world.hang_up(peer, 0);
        pages.run_for(&mut world, 200);
    }
    world.finish();
}

#[test]
fn a_process_that_dies_takes_no_conference_with_it() {
    let mut world = world(4107);
    let mut pages = Pages::new(&[("/call", "", ROOM), AFTER]);
    let first = dial(&mut world, &mut pages, 0);
    world.restart();
    pages.run_for(&mut world, 3000);
    let music = hear(&mut world, first, 400);
    assert!(crate::ear::loudness(&music) > -50.0, "he waits still");
    let second = dial(&mut world, &mut pages, 1);
    assert_eq!(heard_by(&mut world, &mut pages, first), [880]);
    world.restart();
    pages.run_for(&mut world, 3000);
    assert_eq!(
        heard_by(&mut world, &mut pages, first),
        [880],
        "{}",
        world.tell()
    );
    assert_eq!(heard_by(&mut world, &mut pages, second), [440]);
    world.hang_up(first, 0);
    pages.run_for(&mut world, 300);
    world.hang_up(second, 0);
    world.finish();
    assert_eq!(
        events(&world).last().map(String::as_str),
        Some("conference-end")
    );
}

#[test]
fn phones_that_dial_in_meet_callers_of_documents() {
    let same = "<Dial><Conference beep=\"false\">3000</Conference></Dial>";
    let mut world = world(4108);
    let mut pages = Pages::new(&[("/call", "", same)]);
    let phone = world.phone("1006", Manners::Rings);
    world.peers[phone].set_tone(880);
    world.with_peer(phone, |peer, now| peer.call(now, "3000", "1006"));
    world.until_answered(phone, 0);
    let caller = dial(&mut world, &mut pages, 0);
    assert_eq!(heard_by(&mut world, &mut pages, phone), [440]);
    assert_eq!(heard_by(&mut world, &mut pages, caller), [880]);
    let call = world.call_of(1);
    let now = world.now;
    let exchange = &mut world.switch.exchange;
    let ended = exchange.control(now, &call, Control::EndConference);
    assert_eq!(ended, Ok(None));
    world.collect();
    pages.run_for(&mut world, 500);
    assert!(world.peers[phone].talks[0].is_over, "{}", world.tell());
    world.finish();
}

#[test]
fn calls_look_by_themselves_when_nobody_tells_them() {
    let ends = ROOM.replace("<Conference", "<Conference endConferenceOnExit=\"true\"");
    let mut world = world(4109);
    let mut pages = Pages::new(&[("/call", "1006", &ends), ("/call", "", ROOM), AFTER]);
    world.is_deaf = true;
    let first = dial(&mut world, &mut pages, 0);
    let second = dial(&mut world, &mut pages, 1);
    pages.run_for(&mut world, 5000);
    assert_eq!(heard_by(&mut world, &mut pages, first), [880]);
    assert_eq!(heard_by(&mut world, &mut pages, second), [440]);
    world.hang_up(second, 0);
    pages.run_for(&mut world, 6000);
    assert_eq!(pages.forms("/after").len(), 1, "{}", world.tell());
    world.hang_up(first, 0);
    world.finish();
}

#[test]
fn a_conference_and_a_leg_in_it_are_recorded_and_told_of() {
    let recorded = "<Dial record=\"record-from-answer-dual\" recordingStatusCallback=\"/leg\">\
        <Conference beep=\"false\" record=\"record-from-start\" \
        recordingStatusCallback=\"/all\">room</Conference></Dial>";
    let other = "<Dial><Conference beep=\"false\">room</Conference></Dial>";
    let mut world = world(4110);
    let mut pages = Pages::new(&[("/call", "1005", recorded), ("/call", "", other)]);
    let first = dial(&mut world, &mut pages, 0);
    let second = dial(&mut world, &mut pages, 1);
    pages.run_for(&mut world, 2000);
    world.hang_up(second, 0);
    pages.run_for(&mut world, 500);
    world.hang_up(first, 0);
    pages.run_for(&mut world, 3000);
    world.finish();
    let told = told(&world, "RecordingSource");
    let mut completed: Vec<_> = told
        .iter()
        .filter(|form| value(form, "RecordingStatus") == Some("completed"))
        .map(|form| {
            let said = |name| value(form, name).expect("said").to_owned();
            (said("RecordingSource"), said("RecordingChannels"))
        })
        .collect();
    completed.sort();
    let expected = [("Conference", "2"), ("DialVerb", "2")];
    let expected = expected.map(|(source, count)| (source.to_owned(), count.to_owned()));
    assert_eq!(completed, expected, "{told:?}");
}
