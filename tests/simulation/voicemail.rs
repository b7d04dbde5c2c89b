//! Messages: who leaves them, who hears them, and that none is lost of which somebody was told that it is
//! stored.

use tsunagu::events::{Fact, Stretch};
use tsunagu::voicemail::Message;

use crate::ear::{likeness, listen};
use crate::judge::stretches;
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// What the caller says: 1.8 s of speech, three times, with pauses of 0.2 s.
fn words() -> Vec<i16> {
    let one = spoken("greeting").to_vec();
    let mut all = one.clone();
    for _ in 0..2 {
        all.extend(vec![0; 1600]);
        all.extend(&one);
    }
    all
}

/// Whether a talk heard a sound, any time after some packet.
fn hears_since(world: &World, (peer, talk): (usize, usize), from: usize, name: &str) -> bool {
    // Its beginning: prompts end with the same words.
    let said = spoken(name);
    let loud = said.iter().position(|sample| sample.abs() > 1000);
    let begin = loud.expect("loud");
    let piece = &said[begin..(begin + 1000).min(said.len())];
    let heard = listen(&world.peers[peer].talks[talk].voice.got[from..]);
    heard.len() > piece.len() && likeness(piece, &heard) > 0.9
}

fn hears(world: &World, at: (usize, usize), name: &str) -> bool {
    hears_since(world, at, 0, name)
}

fn messages(world: &World, mailbox: &str) -> Vec<Message> {
    let now = world.now;
    let mailboxes = &world.switch.mailboxes;
    mailboxes.with_shelf(now, |shelf| shelf.messages(mailbox).to_vec())
}

/// What happened to messages: the kind, and how many are new and old.
fn changes(world: &World) -> Vec<(&'static str, usize, usize)> {
    world.facts(|fact| match fact {
        Fact::MessageLeft { new, old, .. } => Some(("left", *new, *old)),
        Fact::MessageMarked { new, old, .. } => Some(("marked", *new, *old)),
        Fact::MessageDeleted { new, old, .. } => Some(("deleted", *new, *old)),
        _ => None,
    })
}

/// The samples of a message's file.
fn sound(message: &Message) -> Vec<i16> {
    let mut reader = hound::WavReader::open(&message.path).expect("a WAV file");
    assert_eq!(reader.spec().channels, 1);
    let samples = reader.samples();
    samples.map(|sample| sample.expect("16 bit")).collect()
}

/// A phone calls 1010 and is led to its mailbox.
fn arrive(world: &mut World, caller: usize) -> (usize, usize) {
    let number = world.peers[caller].name.clone();
    let talk = world.with_peer(caller, |peer, now| peer.call(now, "1010", &number));
    world.peers[caller].talks[talk].voice.words = Some(Default::default());
    world.run_to("answered", 30_000, |world| {
        world.peers[caller].talks[talk].is_answered
    });
    (caller, talk)
}

/// Waits until the tone is over: greeting and request take 7 s.
fn until_recorded(world: &mut World) {
    let count = |world: &World| {
        let facts: Vec<()> = world.facts(|fact| match fact {
            Fact::RecordingStarted { .. } => Some(()),
            _ => None,
        });
        facts.len()
    };
    let before = count(world);
    world.run_to("recorded", 20_000, |world| count(world) > before);
}

fn speak(world: &mut World, (peer, talk): (usize, usize)) {
    world.peers[peer].talks[talk].voice.words = Some(words().into());
}

fn press(world: &mut World, (peer, talk): (usize, usize), keys: &str) {
    world.peers[peer].talks[talk].voice.press(keys);
}

fn until_over(world: &mut World, (peer, talk): (usize, usize)) {
    world.run_to("over", 90_000, |world| {
        world.peers[peer].talks[talk].is_over
    });
}

#[test]
fn who_is_not_answered_leaves_a_message_and_it_is_heard_saved_and_deleted() {
    let mut world = World::new(1701);
    let caller = world.phone("1005", Manners::Rings);
    let owner = world.phone("1010", Manners::Rings);
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    for sound in ["vm-greeting", "vm-leave-message"] {
        assert!(hears(&world, at, sound), "{sound}\n{}", world.tell());
    }
    speak(&mut world, at);
    world.run_for(4000);
    press(&mut world, at, "#");
    until_over(&mut world, at);
    assert!(hears(&world, at, "vm-recorded"), "{}", world.tell());
    let left = messages(&world, "1010");
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].from.as_str(), left[0].heard), ("1005", false));
    assert_eq!(left[0].from_name.as_deref(), Some("受付 (Reception)"));
    assert!((3900..4500).contains(&left[0].length_ms), "{left:?}");
    let said = &words()[4000..8000];
    assert!(likeness(said, &sound(&left[0])) > 0.99);
    // Nothing of what was played to him is in it.
    let beep = spoken("beep");
    assert!(likeness(&beep[400..800], &sound(&left[0])[..1600]) < 0.5);

    // Its owner: one new message, when and from whom, the message; then again, saved.
    let talk = world.with_peer(owner, |peer, now| peer.call(now, "*97", "1010"));
    let desk = (owner, talk);
    world.run_for(17_000);
    for sound in ["vm-you-have", "vm-new-message", "vm-received", "vm-from"] {
        assert!(hears(&world, desk, sound), "{sound}\n{}", world.tell());
    }
    let heard = listen(&world.peers[owner].talks[talk].voice.got);
    assert!(likeness(said, &heard) > 0.9, "{}", world.tell());
    assert!(hears(&world, desk, "vm-menu"));
    press(&mut world, desk, "3");
    until_over(&mut world, desk);
    assert!(hears(&world, desk, "vm-saved") && hears(&world, desk, "vm-end"));
    let kept = messages(&world, "1010");
    assert!(kept[0].heard && kept[0].saved);

    // Once more: none is new. Deleted while it plays.
    let talk = world.with_peer(owner, |peer, now| peer.call(now, "*97", "1010"));
    let desk = (owner, talk);
    world.run_for(10_000);
    press(&mut world, desk, "4");
    until_over(&mut world, desk);
    assert!(hears(&world, desk, "vm-deleted"));
    assert_eq!(messages(&world, "1010"), []);
    let folder = kept[0].path.parent().expect("a folder");
    let files = std::fs::read_dir(folder).expect("readable").count();
    assert_eq!(files, 0, "nothing of it is left");
    assert_eq!(
        changes(&world),
        [
            ("left", 1, 0),
            ("marked", 0, 1),
            ("marked", 0, 1),
            ("deleted", 0, 0)
        ]
    );
    world.finish();
    let story = stretches(&world.records[0]);
    assert_eq!(story, [Stretch::Ring, Stretch::Service]);
    assert!(world.records[0].recordings[0].path.is_some());
}

#[test]
fn nobody_is_told_that_a_message_is_stored_before_its_file_is_there() {
    let mut world = World::new(1702);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1010", Manners::Refuses(486));
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(3000);
    press(&mut world, at, "#");
    world.run_to("stored", 5000, |world| !changes(world).is_empty());
    assert!(!hears(&world, at, "vm-recorded"));
    assert!(messages(&world, "1010")[0].path.is_file());
    until_over(&mut world, at);
    assert!(hears(&world, at, "vm-recorded"));
    world.finish();
}

#[test]
fn who_hangs_up_has_left_his_message_and_one_that_is_too_short_is_none() {
    let mut world = World::new(1703);
    let caller = world.phone("1005", Manners::Rings);
    // 1010 is not registered at all.
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(2500);
    world.hang_up(at.0, at.1);
    world.run_for(2000);
    assert_eq!(messages(&world, "1010").len(), 1, "{}", world.tell());
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(1000);
    press(&mut world, at, "#");
    until_over(&mut world, at);
    assert!(hears(&world, at, "vm-too-short"));
    let kept = messages(&world, "1010");
    assert_eq!(kept.len(), 1);
    let folder = kept[0].path.parent().expect("a folder");
    assert_eq!(std::fs::read_dir(folder).expect("readable").count(), 2);
    world.finish();
}

#[test]
fn silence_ends_a_message_and_silence_alone_is_none() {
    let mut world = World::new(1704);
    let caller = world.phone("1005", Manners::Rings);
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    speak(&mut world, at);
    until_over(&mut world, at);
    let kept = messages(&world, "1010");
    // 5.7 s of words, 0.6 s until they are believed to be over, 5 s of silence.
    assert!((9_500..12_500).contains(&kept[0].length_ms), "{kept:?}");
    let at = arrive(&mut world, caller);
    until_over(&mut world, at);
    assert_eq!(messages(&world, "1010").len(), 1);
    world.finish();
}

#[test]
fn a_strange_phone_needs_the_pin_and_guessing_ends() {
    let mut world = World::new(1705);
    let stranger = world.phone("1005", Manners::Rings);
    let mut dial = |pins: &[&str]| {
        let talk = world.with_peer(stranger, |peer, now| peer.call(now, "*971010", "1005"));
        world.run_for(500);
        for pin in pins {
            world.run_for(1500);
            press(&mut world, (stranger, talk), pin);
            world.run_for(2000);
        }
        until_over(&mut world, (stranger, talk));
        ["vm-no-messages", "vm-wrong-pin", "agent-locked"]
            .map(|sound| hears(&world, (stranger, talk), sound))
    };
    assert_eq!(dial(&["1010#"]), [true, false, false]);
    assert_eq!(dial(&["1111#", "1010#"]), [true, true, false]);
    assert_eq!(dial(&["1111#", "2222#", "3333#"]), [false, true, false]);
    assert_eq!(dial(&["4444#", "5555#"]), [false, true, true]);
    assert_eq!(dial(&["1010#"]), [false, false, true]);
    let keys = world.facts(|fact| match fact {
        Fact::DigitPressed { digit, .. } => Some(*digit),
        _ => None,
    });
    assert!(keys.iter().all(|key| *key == '*'), "{keys:?}");
    world.finish();
}

#[test]
fn a_recorded_greeting_is_what_callers_hear_until_it_is_dropped() {
    let mut world = World::new(1706);
    let caller = world.phone("1005", Manners::Rings);
    let owner = world.phone("1010", Manners::Refuses(486));
    let talk = world.with_peer(owner, |peer, now| peer.call(now, "*98", "1010"));
    let desk = (owner, talk);
    world.peers[owner].talks[talk].voice.words = Some(Default::default());
    until_recorded(&mut world);
    speak(&mut world, desk);
    world.run_for(3000);
    press(&mut world, desk, "#");
    world.run_for(8000);
    assert!(hears(&world, desk, "vm-greeting-menu"), "{}", world.tell());
    world.hang_up(owner, talk);
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    let heard = listen(&world.peers[at.0].talks[at.1].voice.got);
    assert!(likeness(&words()[4000..8000], &heard) > 0.9);
    assert!(!hears(&world, at, "vm-greeting"));
    world.hang_up(at.0, at.1);

    // Whoever hangs up before he has ended a new one has thought better of it.
    let talk = world.with_peer(owner, |peer, now| peer.call(now, "*98", "1010"));
    world.run_for(2000);
    press(&mut world, (owner, talk), "2");
    until_recorded(&mut world);
    world.run_for(3000);
    world.hang_up(owner, talk);
    world.run_for(1000);
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    let heard = listen(&world.peers[at.0].talks[at.1].voice.got);
    assert!(likeness(&words()[4000..8000], &heard) > 0.9);
    world.hang_up(at.0, at.1);

    let talk = world.with_peer(owner, |peer, now| peer.call(now, "*98", "1010"));
    world.run_for(2000);
    press(&mut world, (owner, talk), "3");
    until_over(&mut world, (owner, talk));
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    assert!(hears(&world, at, "vm-greeting"));
    world.hang_up(at.0, at.1);
    world.finish();
}

#[test]
fn a_flow_takes_a_message_and_goes_on() {
    let step = "[steps.nobody]\ndo = \"voicemail\"\nmailbox = \"sales\"\nnext = \"thanks\"\nerror = \"goodbye\"\n\n[steps.thanks]\ndo = \"play\"\nsounds = [\"thank-you\"]\nnext = \"hangup\"\n\n[steps.nobody-at-all]";
    let start = "start = \"nobody\"";
    let mut world = World::with(
        1707,
        changed(&[
            ("flows/main.toml", "[steps.nobody]", step),
            ("flows/main.toml", "start = \"greeting\"", start),
        ]),
    );
    let carrier = world.carrier();
    let talk = world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    let at = (carrier, talk);
    world.run_for(100);
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(4000);
    press(&mut world, at, "#");
    until_over(&mut world, at);
    assert!(hears(&world, at, "ja/thank-you"), "{}", world.tell());
    let left = messages(&world, "sales");
    assert_eq!(left.len(), 1);
    assert!(left[0].from.ends_with("9012345678"), "{left:?}");
    world.finish();
}

#[test]
fn a_full_mailbox_takes_no_more() {
    let mut world = World::with(
        1708,
        changed(&[(
            "voicemail.toml",
            "\n[[mailbox]]\nname = \"1010\"",
            "\nmessages = 1\n[[mailbox]]\nname = \"1010\"",
        )]),
    );
    let caller = world.phone("1005", Manners::Rings);
    let at = arrive(&mut world, caller);
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(4000);
    world.hang_up(at.0, at.1);
    world.run_for(1000);
    let at = arrive(&mut world, caller);
    until_over(&mut world, at);
    assert!(hears(&world, at, "nobody-available"));
    assert_eq!(messages(&world, "1010").len(), 1);
    world.finish();
}

/// A caller is led into queue "sales", which has a mailbox and which nobody serves; the flow says this of
/// that.
fn in_vain(seed: u64, nobody: &str) -> (World, (usize, usize)) {
    let office = changed(&[
        (
            "flows/main.toml",
            "start = \"greeting\"",
            "start = \"sales-queue\"",
        ),
        ("flows/main.toml", "nobody = \"nobody\" ", nobody),
        (
            "queues.toml",
            "# mailbox = \"sales\" ",
            "mailbox = \"sales\" #",
        ),
    ]);
    let mut world = World::with(seed, office);
    let carrier = world.carrier();
    let talk = world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.peers[carrier].talks[talk].voice.words = Some(Default::default());
    (world, (carrier, talk))
}

#[test]
fn whom_nobody_in_a_queue_answers_leaves_a_message_where_the_flow_would_hang_up() {
    let (mut world, at) = in_vain(1721, "nobody = \"hangup\" ");
    until_recorded(&mut world);
    speak(&mut world, at);
    world.run_for(4000);
    press(&mut world, at, "#");
    until_over(&mut world, at);
    let left = messages(&world, "sales");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].from, CUSTOMER);
    world.finish();
    assert_eq!(
        world.record().queues[0].outcome.as_deref(),
        Some("nobody_available")
    );
}

#[test]
fn a_flow_that_has_something_to_say_says_it_instead() {
    let (mut world, at) = in_vain(1722, "nobody = \"nobody\" ");
    until_over(&mut world, at);
    assert!(messages(&world, "sales").is_empty());
    world.finish();
    let steps = &world.record().steps;
    assert!(steps.iter().any(|step| step.step == "nobody"), "{steps:?}");
}
