//! Somebody hangs up, the switch stops or the process dies, at every instant of whole stories:
//! nothing is left over, and the record is right and one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tsunagu::base::Party;
use tsunagu::events::Stretch;

use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE, seeds};
use crate::world::World;

/// A story: two far ends who call or are called, and how it goes when nobody interrupts.
#[derive(Clone, Copy)]
struct Story {
    /// Sets the stage; from its end on everything counts.
    open: fn(&mut World),
    /// Far ends that are called.
    called: &'static [usize],
    /// Things that happen at least.
    length: usize,
}

/// How the world is.
#[derive(Clone, Copy, Debug)]
struct Weather {
    seed: u64,
    /// Longest way between rooms in microseconds.
    hallway: u64,
    jitter: u64,
}

const CALM: Weather = Weather {
    seed: 11,
    hallway: 100,
    jitter: 0,
};

const fn windy(seed: u64) -> Weather {
    Weather {
        seed,
        hallway: 40_000,
        jitter: 10_000,
    }
}

/// Who calls; the others are called.
const CALLER: usize = 0;

/// Carrier, greeting, digit, queue; one agent is busy, the other answers.
const QUEUE: Story = Story {
    open: |world| {
        world.carrier();
        world.phone("1001", Manners::Refuses(486));
        world.phone("1002", Manners::Answers(1500));
        world.with_peer(CALLER, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.after(Duration::from_millis(300), |world| {
            if let Some(talk) = world.peers[CALLER].talks.first_mut() {
                talk.voice.press("1");
            }
        });
    },
    called: &[1, 2],
    length: 30,
};

/// A phone calls another.
const DIAL: Story = Story {
    open: |world| {
        world.phone("1005", Manners::Rings);
        world.phone("1006", Manners::Answers(700));
        world.with_peer(CALLER, |peer, now| peer.call(now, "1006", "1005"));
    },
    called: &[1],
    length: 8,
};

/// A phone calls out by the trunk and hears early media.
const TRUNK: Story = Story {
    open: |world| {
        world.phone("1005", Manners::Rings);
        let carrier = world.carrier();
        world.peers[carrier].manners = Manners::Early(700);
        world.with_peer(CALLER, |peer, now| peer.call(now, "0312345678901", "1005"));
    },
    called: &[1],
    length: 8,
};

/// Two phones meet in a conference.
const CONFERENCE: Story = Story {
    open: |world| {
        world.phone("1005", Manners::Rings);
        world.phone("1006", Manners::Rings);
        world.with_peer(CALLER, |peer, now| peer.call(now, "3000", "1005"));
        world.after(Duration::from_millis(500), |world| {
            world.with_peer(1, |peer, now| peer.call(now, "3000", "1006"));
        });
    },
    called: &[1],
    length: 10,
};

/// The beginning of a story.
fn begin(story: Story, weather: Weather) -> World {
    let mut world = World::new(weather.seed);
    (story.open)(&mut world);
    world.link.hallway = weather.hallway;
    world.link.jitter = weather.jitter;
    world.happened = 0;
    // Who was called hangs up after a while, and again should he be called again.
    for seconds in [6, 12, 18, 24] {
        world.after(Duration::from_millis(seconds * 1000 + 500), move |world| {
            for peer in story.called {
                for talk in 0..world.peers[*peer].talks.len() {
                    if world.peers[*peer].talks[talk].is_answered {
                        world.hang_up(*peer, talk);
                    }
                }
            }
        });
    }
    // In the end whoever is still there does.
    world.after(Duration::from_secs(30), leave_all);
    world
}

fn leave_all(world: &mut World) {
    for peer in 0..world.peers.len() {
        for talk in 0..world.peers[peer].talks.len() {
            world.hang_up(peer, talk);
        }
    }
}

/// Things that happen in a story without interruption.
fn length(story: Story, weather: Weather) -> usize {
    let mut world = begin(story, weather);
    world.finish();
    assert!(
        world.happened >= story.length,
        "a short story\n{}",
        world.tell()
    );
    world.happened
}

/// Plays a story once for each of its instants, with something done right before it.
fn at_every_instant(story: Story, weather: Weather, act: impl Fn(&mut World) + Copy + 'static) {
    for instant in 0..length(story, weather) {
        let mut world = begin(story, weather);
        world.interrupt(instant, act);
        world.finish();
        assert!(!world.is_uninterrupted(), "instant {instant} never came");
        assert!(world.records.len() <= 2);
    }
}

fn called_leave(story: Story) -> impl Fn(&mut World) + Copy + 'static {
    move |world| {
        for peer in story.called {
            world.hang_up(*peer, 0);
        }
    }
}

/// The caller leaves the queue's story at every instant, and the record says that it was he.
fn caller_leaves_the_queue(weather: Weather) {
    for instant in 0..length(QUEUE, weather) {
        let mut world = begin(QUEUE, weather);
        let was_over = Rc::new(Cell::new(false));
        let told = was_over.clone();
        world.interrupt(instant, move |world| {
            let records = world.switch.exchange.records();
            let ended = records.iter().any(|record| record.ended.is_some());
            told.set(ended || !world.records.is_empty());
            world.hang_up(CALLER, 0);
        });
        world.finish();
        let by = world.record().hung_up_by;
        let expected = if was_over.get() {
            Party::Agent
        } else {
            Party::Caller
        };
        assert_eq!(by, Some(expected), "instant {instant}\n{}", world.tell());
    }
}

#[test]
fn the_whole_story_is_whole() {
    let mut world = begin(QUEUE, CALM);
    world.finish();
    let record = world.record();
    assert!(record.total_ms(Stretch::Talk) > 500, "{}", world.tell());
    assert_eq!((record.offers.len(), record.recordings.len()), (2, 1));
}

#[test]
fn a_caller_may_leave_before_anything_that_happens() {
    caller_leaves_the_queue(CALM);
}

#[test]
fn a_caller_may_leave_whatever_is_late_between_the_rooms() {
    for seed in seeds(21, 2) {
        caller_leaves_the_queue(windy(seed));
    }
}

#[test]
fn an_agent_may_leave_before_anything_that_happens() {
    at_every_instant(QUEUE, CALM, called_leave(QUEUE));
}

#[test]
fn an_agent_may_leave_whatever_is_late_between_the_rooms() {
    for seed in seeds(31, 2) {
        at_every_instant(QUEUE, windy(seed), called_leave(QUEUE));
    }
}

#[test]
fn caller_and_called_may_leave_at_once() {
    for seed in seeds(41, 1) {
        for story in [QUEUE, DIAL, TRUNK, CONFERENCE] {
            at_every_instant(story, windy(seed), leave_all);
        }
    }
}

#[test]
fn a_dialled_call_may_be_left_by_either_side_before_anything_that_happens() {
    for seed in seeds(42, 1) {
        for (story, weather) in [
            (DIAL, CALM),
            (TRUNK, windy(seed)),
            (CONFERENCE, windy(seed)),
        ] {
            at_every_instant(story, weather, |world| world.hang_up(CALLER, 0));
            at_every_instant(story, weather, called_leave(story));
        }
    }
}

#[test]
fn the_switch_may_stop_before_anything_that_happens() {
    for story in [QUEUE, DIAL, TRUNK, CONFERENCE] {
        at_every_instant(story, CALM, |world| {
            world.switch.gate.drain();
            world.switch.exchange.end_all(world.now);
        });
    }
}

#[test]
fn an_operator_may_end_a_call_before_anything_that_happens() {
    for seed in seeds(43, 1) {
        at_every_instant(QUEUE, windy(seed), |world| {
            // Before the call or after it there is nothing to end.
            let _ = world.control(tsunagu::call::Control::HangUp);
        });
    }
}

#[test]
fn a_phone_may_vanish_before_anything_that_happens() {
    for (story, seed) in [(QUEUE, 44), (DIAL, 45)] {
        at_every_instant(story, Weather { seed, ..CALM }, move |world| {
            for peer in story.called {
                world.peers[*peer].is_gone = true;
            }
        });
    }
}

#[test]
fn the_process_may_die_after_anything_that_happens() {
    for seed in seeds(46, 1) {
        for story in [QUEUE, DIAL, TRUNK, CONFERENCE] {
            let weather = windy(seed);
            for instant in 0..length(story, weather) {
                let mut world = begin(story, weather);
                world.run_to("the instant", 250_000, |world| world.happened > instant);
                world.restart();
                world.finish();
            }
        }
    }
}
