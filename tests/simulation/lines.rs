//! Lines that documents make by standing callers in them, and dial: who waits, who is taken, who leaves.

use tsunagu::twiml::{Link, Modification};

use crate::ear::level;
use crate::hold::hear;
use crate::pages::{Pages, hears_music, office, value};
use crate::peer::Manners;
use crate::script::seeds;
use crate::world::World;

/// Phones and what each says, in Hz: the first two wait, the third dials the line.
const PHONES: [(&str, u32); 3] = [("1005", 440), ("1006", 880), ("1007", 1320)];

const STAND: &str = "<Enqueue action=\"/after\" waitUrl=\"/wait\">vip</Enqueue>";
const DIAL: &str = "<Dial action=\"/dialled\" timeout=\"20\"><Queue>vip</Queue></Dial>";
const WHISPER: &str =
    "<Dial action=\"/dialled\"><Queue url=\"https://app.example/whisper\">vip</Queue></Dial>";
const WAIT: (&str, &str, &str) = ("/wait", "", "<Play>/music</Play>");
const AFTER: (&str, &str, &str) = ("/after", "", "<Pause length=\"60\"/>");
const DIALLED: (&str, &str, &str) = ("/dialled", "", "<Pause length=\"60\"/>");

fn office_of(dial: &str) -> (World, Pages) {
    let world = World::with(4300, office(&[]));
    let pages = Pages::new(&[
        ("/call", "1007", dial),
        ("/call", "", STAND),
        ("/whisper", "", "<Pause length=\"2\"/>"),
        WAIT,
        AFTER,
        DIALLED,
    ]);
    (world, pages)
}

fn dial(world: &mut World, pages: &mut Pages, place: usize) -> usize {
    let (number, hz) = PHONES[place];
    let phone = world.phone(number, Manners::Rings);
    world.peers[phone].set_tone(hz);
    world.with_peer(phone, |peer, now| peer.call(now, "100", number));
    pages.run_to(world, "answered", 5000, |world| {
        world.peers[phone].talks[0].is_answered
    });
    pages.run_for(world, 500);
    phone
}

fn hears(world: &mut World, pages: &mut Pages, peer: usize, hz: f64) -> bool {
    pages.run_for(world, 200);
    let heard = hear(world, peer, 600);
    heard.len() > 3000 && level(&heard[1600..], hz) > -20.0
}

fn results(pages: &Pages, path: &str, name: &str) -> Vec<String> {
    let forms = pages.forms(path).into_iter();
    forms
        .map(|form| value(form, name).unwrap_or_default().to_owned())
        .collect()
}

fn standing(world: &World) -> usize {
    let lines = world.switch.lines.lock().expect("not poisoned").view();
    lines.iter().map(|line| line.members.len()).sum()
}

fn over(world: &mut World, pages: &mut Pages) {
    for peer in 0..world.peers.len() {
        for talk in 0..world.peers[peer].talks.len() {
            world.hang_up(peer, talk);
            pages.run_for(world, 200);
        }
    }
    pages.run_for(world, 500);
    assert_eq!(standing(world), 0, "nobody left in a line");
    world.finish();
}

#[test]
fn whoever_dials_the_line_talks_with_the_first_and_the_first_goes_on_after() {
    let (mut world, mut pages) = office_of(DIAL);
    let first = dial(&mut world, &mut pages, 0);
    let second = dial(&mut world, &mut pages, 1);
    assert!(hears_music(&mut world, first), "{}", world.tell());
    let stood = results(&pages, "/wait", "QueuePosition");
    assert_eq!(stood[0], "1");
    assert!(stood.contains(&"2".to_owned()), "{stood:?}");
    let dialler = dial(&mut world, &mut pages, 2);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    assert!(hears(&mut world, &mut pages, dialler, 440.0));
    assert_eq!(standing(&world), 1);
    assert!(hears_music(&mut world, second));
    world.hang_up(dialler, 0);
    pages.run_for(&mut world, 1000);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    assert!(!world.peers[first].talks[0].is_over);
    over(&mut world, &mut pages);
    let waited: Vec<_> = world
        .records
        .iter()
        .flat_map(|record| &record.queues)
        .map(|stay| stay.outcome.as_deref())
        .collect();
    assert!(waited.contains(&Some("answered")) && waited.contains(&Some("abandoned")));
}

#[test]
fn the_caller_hears_the_whisper_before_and_the_one_who_dials_waits() {
    let (mut world, mut pages) = office_of(WHISPER);
    let first = dial(&mut world, &mut pages, 0);
    let dialler = dial(&mut world, &mut pages, 2);
    let whisper = pages.forms("/whisper")[0];
    assert!(value(whisper, "DequeingCallSid").is_some());
    assert!(
        !hears(&mut world, &mut pages, first, 1320.0),
        "it is not over"
    );
    pages.run_for(&mut world, 2000);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    world.hang_up(first, 0);
    pages.run_for(&mut world, 500);
    assert_eq!(results(&pages, "/dialled", "DialCallStatus"), ["completed"]);
    assert_eq!(results(&pages, "/dialled", "DialBridged"), ["true"]);
    assert!(!world.peers[dialler].talks[0].is_over);
    over(&mut world, &mut pages);
}

#[test]
fn a_caller_hears_of_waiting_again_when_whoever_took_him_gives_up_in_the_whisper() {
    let of_the_switch = "<Enqueue action=\"/after\">vip</Enqueue>";
    for stand in [STAND, of_the_switch] {
        let (mut world, mut pages) = office_of(WHISPER);
        pages.say("/whisper", "<Say loop=\"50\">words</Say>");
        pages.say_to("/call", "", stand);
        let first = dial(&mut world, &mut pages, 0);
        let dialler = dial(&mut world, &mut pages, 2);
        assert!(!hears_music(&mut world, first), "he hears the whisper");
        let asked = pages.forms("/wait").len();
        world.hang_up(dialler, 0);
        pages.run_for(&mut world, 1000);
        assert!(hears_music(&mut world, first), "{}", world.tell());
        let again = pages.forms("/wait").len() - asked;
        assert_eq!(again, usize::from(stand == STAND));
        assert_eq!(standing(&world), 1);
        // He is the first again for whoever comes next.
        pages.say("/whisper", "<Pause length=\"1\"/>");
        let again = world.with_peer(dialler, |peer, now| peer.call(now, "100", "1007"));
        pages.run_for(&mut world, 4000);
        assert!(world.peers[dialler].talks[again].is_answered);
        assert!(
            hears(&mut world, &mut pages, first, 1320.0),
            "{}",
            world.tell()
        );
        over(&mut world, &mut pages);
    }
}

#[test]
fn whoever_dials_an_empty_line_waits_for_somebody_and_not_for_ever() {
    let (mut world, mut pages) = office_of(DIAL);
    // The line is there once somebody has stood in it.
    let gone = dial(&mut world, &mut pages, 1);
    world.hang_up(gone, 0);
    let dialler = dial(&mut world, &mut pages, 2);
    pages.run_for(&mut world, 5000);
    let first = dial(&mut world, &mut pages, 0);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    world.hang_up(first, 0);
    world.hang_up(dialler, 0);
    pages.run_for(&mut world, 500);
    let again = world.with_peer(dialler, |peer, now| peer.call(now, "100", "1007"));
    pages.run_for(&mut world, 25_000);
    let dialled = results(&pages, "/dialled", "DialCallStatus");
    assert_eq!(dialled.last().map(String::as_str), Some("no-answer"));
    assert!(!world.peers[dialler].talks[again].is_over);
    over(&mut world, &mut pages);
}

#[test]
fn a_line_nobody_knows_cannot_be_dialled_and_a_full_one_takes_nobody() {
    let (mut world, _) = office_of(DIAL);
    let small = "<Enqueue maxQueueSize=\"1\" action=\"/after\">vip</Enqueue>";
    let mut pages = Pages::new(&[
        ("/call", "1007", DIAL),
        ("/call", "", small),
        AFTER,
        DIALLED,
    ]);
    dial(&mut world, &mut pages, 2);
    assert_eq!(results(&pages, "/dialled", "DialCallStatus"), ["failed"]);
    dial(&mut world, &mut pages, 0);
    dial(&mut world, &mut pages, 1);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["queue-full"]);
    over(&mut world, &mut pages);
}

#[test]
fn a_caller_who_is_sent_elsewhere_leaves_the_line() {
    let (mut world, mut pages) = office_of(DIAL);
    dial(&mut world, &mut pages, 0);
    let call = world.call_of(0);
    let elsewhere = Modification::Redirect(Link::post("https://app.example/dialled"));
    let now = world.now;
    let done = world.switch.exchange.modify(now, &call, elsewhere);
    assert_eq!(done, Ok(()));
    world.collect();
    pages.run_for(&mut world, 500);
    assert_eq!(standing(&world), 0);
    assert_eq!(pages.forms("/dialled").len(), 1);
    let told = crate::pages::told(&world, "QueueResult");
    assert_eq!(value(told[0], "QueueResult"), Some("redirected"));
    over(&mut world, &mut pages);
}

#[test]
fn a_process_that_dies_keeps_the_line_and_those_who_talk() {
    let (mut world, mut pages) = office_of(DIAL);
    let first = dial(&mut world, &mut pages, 0);
    let second = dial(&mut world, &mut pages, 1);
    world.restart();
    pages.run_for(&mut world, 2000);
    assert_eq!(standing(&world), 2);
    let dialler = dial(&mut world, &mut pages, 2);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    world.restart();
    pages.run_for(&mut world, 2000);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    assert!(hears(&mut world, &mut pages, dialler, 440.0));
    assert_eq!(standing(&world), 1);
    world.hang_up(dialler, 0);
    pages.run_for(&mut world, 500);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    assert!(!world.peers[second].talks[0].is_over);
    over(&mut world, &mut pages);
}

#[test]
fn what_is_said_to_the_first_of_the_line_is_recorded() {
    let recorded = "<Dial action=\"/dialled\" record=\"record-from-answer-dual\" \
        recordingStatusCallback=\"/told\"><Queue>vip</Queue></Dial>";
    let (mut world, mut pages) = office_of(recorded);
    let first = dial(&mut world, &mut pages, 0);
    dial(&mut world, &mut pages, 2);
    pages.run_for(&mut world, 2000);
    world.hang_up(first, 0);
    pages.run_for(&mut world, 2000);
    let dialled = pages.forms("/dialled")[0];
    assert!(value(dialled, "RecordingUrl").is_some());
    let told = crate::pages::told(&world, "RecordingStatus");
    let status = told.last().and_then(|form| value(form, "RecordingStatus"));
    assert_eq!(status, Some("completed"), "{told:?}");
    over(&mut world, &mut pages);
}

#[test]
fn calls_look_by_themselves_when_nobody_tells_them() {
    let (mut world, mut pages) = office_of(DIAL);
    world.is_deaf = true;
    let first = dial(&mut world, &mut pages, 0);
    let dialler = dial(&mut world, &mut pages, 2);
    pages.run_for(&mut world, 11_000);
    assert!(
        hears(&mut world, &mut pages, first, 1320.0),
        "{}",
        world.tell()
    );
    assert!(hears(&mut world, &mut pages, dialler, 440.0));
    world.hang_up(dialler, 0);
    pages.run_for(&mut world, 6000);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    over(&mut world, &mut pages);
}

/// Whoever hangs up whenever: no leg is left, nobody stands in a line.
#[test]
fn nobody_is_left_in_a_line_whenever_somebody_hangs_up() {
    for seed in seeds(43, 12) {
        let (mut world, mut pages) = office_of(if seed % 2 == 0 { DIAL } else { WHISPER });
        let mut chance = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut next = move |most: u64| {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (chance >> 33) % most
        };
        for (number, hz) in PHONES {
            let phone = world.phone(number, Manners::Rings);
            world.peers[phone].set_tone(hz);
        }
        for _ in 0..14 {
            let peer = usize::try_from(next(3)).expect("small");
            let number = PHONES[peer].0;
            let live = world.peers[peer]
                .talks
                .iter()
                .rposition(|talk| !talk.is_over);
            match live {
                Some(talk) => world.hang_up(peer, talk),
                None => drop(world.with_peer(peer, |phone, now| phone.call(now, "100", number))),
            }
            pages.run_for(&mut world, 100 + next(2500));
            if next(9) == 0 {
                world.restart();
            }
        }
        over(&mut world, &mut pages);
    }
}
