//! Which letter goes when.

use std::time::Duration;

use crate::base::{Entropy, Timestamp};
use crate::mail::{Fate, Fault, Outbox, Settings};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_136_523_000) + Duration::from_secs(seconds)
}

struct World {
    outbox: Outbox<&'static str>,
    settings: Settings,
    chance: Entropy,
}

impl World {
    fn new(letters: &[&'static str]) -> Self {
        let mut outbox = Outbox::new();
        letters.iter().for_each(|key| outbox.push(*key, at(0)));
        Self {
            outbox,
            settings: Settings::default(),
            chance: Entropy::from_seed(7),
        }
    }

    fn done(&mut self, key: &'static str, came: Result<(), Fault>, now: Timestamp) -> Fate {
        let around = (now, &mut self.chance);
        self.outbox.done(&key, came, &self.settings, around)
    }
}

fn away() -> Result<(), Fault> {
    Err(Fault::Away("nobody listens".to_owned()))
}

#[test]
fn letters_go_in_their_order_and_once() {
    let mut world = World::new(&["a", "b", "a"]);
    assert_eq!(world.outbox.next(at(0)), Some("a"));
    assert_eq!(world.done("a", Ok(()), at(0)), Fate::Sent);
    assert_eq!(world.outbox.next(at(0)), Some("b"));
    assert_eq!(world.done("b", Ok(()), at(0)), Fate::Sent);
    assert_eq!(world.outbox.next(at(0)), None);
    assert_eq!(
        (world.outbox.waiting(), world.outbox.poll_timeout()),
        (0, None)
    );
}

#[test]
fn a_server_that_is_away_is_asked_by_one_letter_after_pauses_that_double() {
    let mut world = World::new(&["a", "b"]);
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let key = world.outbox.next(now).expect("a letter");
        assert_eq!(world.done(key, away(), now), Fate::Later);
        assert!(world.outbox.is_resting());
        assert_eq!(world.outbox.next(now), None);
        let wake = world.outbox.poll_timeout().expect("a time");
        pauses.push(wake.since(now).as_secs_f64());
        now = wake;
    }
    for (count, pause) in pauses.iter().enumerate() {
        let least = (30.0 * 2_f64.powi(count as i32)).min(1800.0);
        assert!((least..=least * 1.1).contains(pause), "{pauses:?}");
    }
    // It is back: both go at once.
    let first = world.outbox.next(now).expect("a letter");
    assert_eq!(world.done(first, Ok(()), now), Fate::Sent);
    assert!(world.outbox.next(now).is_some());
    assert!(!world.outbox.is_resting());
}

#[test]
fn a_letter_refused_for_now_waits_alone_and_one_refused_is_dead() {
    let mut world = World::new(&["a", "b", "c"]);
    let later = Err(Fault::Deferred("450".to_owned()));
    let never = Err(Fault::Refused("550".to_owned()));
    let first = world.outbox.next(at(0)).expect("a letter");
    assert_eq!(world.done(first, later, at(0)), Fate::Later);
    let second = world.outbox.next(at(0)).expect("a letter");
    assert_eq!(
        world.done(second, never, at(0)),
        Fate::Dead(1, "550".to_owned())
    );
    assert_eq!(world.outbox.next(at(0)), Some("c"));
    assert_eq!(world.done("c", Ok(()), at(0)), Fate::Sent);
    assert_eq!(world.outbox.next(at(29)), None);
    assert_eq!(world.outbox.next(at(34)), Some("a"));
}

#[test]
fn age_ends_letters_also_those_that_were_never_tried() {
    let mut world = World::new(&["a", "b"]);
    let old = at(0) + world.settings.give_up;
    let key = world.outbox.next(old).expect("a letter");
    assert_eq!(
        world.done(key, away(), old),
        Fate::Dead(1, "nobody listens".to_owned())
    );
    let give_up = world.settings.give_up;
    assert_eq!(world.outbox.expire(old, give_up), [("b", 0)]);
    assert_eq!(world.outbox.waiting(), 0);
}

#[test]
fn other_settings_wake_it_and_what_is_forgotten_never_goes() {
    let mut world = World::new(&["a", "b"]);
    let key = world.outbox.next(at(0)).expect("a letter");
    world.done(key, away(), at(0));
    assert_eq!(world.outbox.next(at(1)), None);
    world.outbox.forget(&"b");
    world.outbox.wake();
    assert_eq!(world.outbox.next(at(1)), Some("a"));
    assert_eq!(world.outbox.next(at(1)), None);
}
