//! Somebody hangs up at every instant of the whole story: nothing is left over, the record is
//! right, and it is one.

use std::cell::Cell;
use std::rc::Rc;

use tsunagu::base::Party;
use tsunagu::events::Stretch;

use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// Who hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Agent,
    Caller,
}

/// How the world is, and what is different in each.
#[derive(Clone, Copy, Debug)]
struct Weather {
    seed: u64,
    /// Longest way between rooms in microseconds.
    hallway: u64,
    jitter: u64,
}

const CARRIER: usize = 0;
const BUSY: usize = 1;
const AGENT: usize = 2;

/// The story from its first word on: nobody has called yet.
fn stage(weather: Weather) -> World {
    let mut world = World::new(weather.seed);
    world.carrier();
    // Idle for longest, and busy: the caller is offered twice.
    world.phone("1001", Manners::Refuses(486));
    world.phone("1002", Manners::Answers(1500));
    world.link.hallway = weather.hallway;
    world.link.jitter = weather.jitter;
    world.happened = 0;
    world.with_peer(CARRIER, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.after(std::time::Duration::from_millis(300), |world| {
        if let Some(talk) = world.peers[CARRIER].talks.first_mut() {
            talk.voice.press("1");
        }
    });
    world
}

/// Plays the story to its end, in which the agent hangs up after a second or so.
fn play(world: &mut World) {
    for seconds in [6, 12, 18, 24] {
        world.after(
            std::time::Duration::from_millis(seconds * 1000 + 500),
            |world| {
                for talk in 0..world.peers[AGENT].talks.len() {
                    if world.peers[AGENT].talks[talk].is_answered {
                        world.hang_up(AGENT, talk);
                    }
                }
            },
        );
    }
    world.finish();
}

/// Things that happen in a story without interruption.
fn length(weather: Weather) -> usize {
    let mut world = stage(weather);
    play(&mut world);
    let record = world.record();
    assert!(record.total_ms(Stretch::Talk) > 500, "{}", world.tell());
    assert_eq!(record.offers.len(), 2);
    world.happened
}

fn hang_up_everywhere(who: Who, weather: Weather) {
    let length = length(weather);
    assert!(length > 25, "a short story: {length}");
    for instant in 0..length {
        let mut world = stage(weather);
        let was_over = Rc::new(Cell::new(false));
        let told = was_over.clone();
        world.interrupt(instant, move |world| {
            let records = world.switch.exchange.records();
            let ended = records.iter().any(|record| record.ended.is_some());
            told.set(ended || !world.records.is_empty());
            match who {
                Who::Agent => {
                    for agent in [BUSY, AGENT] {
                        world.hang_up(agent, 0);
                    }
                }
                Who::Caller => world.hang_up(CARRIER, 0),
            }
        });
        play(&mut world);
        assert!(!world.is_uninterrupted(), "instant {instant} never came");
        let by = world.record().hung_up_by;
        if who == Who::Caller && !was_over.get() {
            assert_eq!(
                by,
                Some(Party::Caller),
                "instant {instant}\n{}",
                world.tell()
            );
        } else {
            assert_eq!(
                by,
                Some(Party::Agent),
                "instant {instant}\n{}",
                world.tell()
            );
        }
    }
}

const CALM: Weather = Weather {
    seed: 11,
    hallway: 100,
    jitter: 0,
};

#[test]
fn a_caller_may_leave_before_anything_that_happens() {
    hang_up_everywhere(Who::Caller, CALM);
}

#[test]
fn an_agent_may_leave_before_anything_that_happens() {
    hang_up_everywhere(Who::Agent, CALM);
}

#[test]
fn a_caller_may_leave_whatever_is_late_between_the_rooms() {
    for seed in [21, 22] {
        hang_up_everywhere(
            Who::Caller,
            Weather {
                seed,
                hallway: 40_000,
                jitter: 10_000,
            },
        );
    }
}

#[test]
fn an_agent_may_leave_whatever_is_late_between_the_rooms() {
    for seed in [31, 32] {
        hang_up_everywhere(
            Who::Agent,
            Weather {
                seed,
                hallway: 40_000,
                jitter: 10_000,
            },
        );
    }
}
