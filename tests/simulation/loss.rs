//! SIP over a bad network: whatever is lost, doubled or late, everything ends and the record is
//! right.

use tsunagu::events::Stretch;

use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE, seeds};
use crate::world::World;

/// One caller, two agents, one phone that dials another, over a network this bad.
fn weather(seed: u64, loss: u64) {
    let mut world = World::new(seed);
    world.link.loss = loss;
    world.link.doubles = loss / 2;
    world.link.jitter = 30_000;
    let carrier = world.carrier();
    let agents =
        ["1001", "1002"].map(|number| world.phone_in_a_storm(number, Manners::Answers(1500)));
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    for wait in [2500, 12_000] {
        world.after(std::time::Duration::from_millis(wait), move |world| {
            if let Some(talk) = world.peers[carrier].talks.first_mut() {
                talk.voice.press("1");
            }
        });
    }
    let ends = seed % 3;
    world.after(
        std::time::Duration::from_millis(9000 + seed % 7 * 2000),
        move |world| match ends {
            0 => world.hang_up(carrier, 0),
            _ => {
                for agent in agents {
                    world.hang_up(agent, 0);
                }
            }
        },
    );
    world.after(std::time::Duration::from_millis(40_000), move |world| {
        world.hang_up(carrier, 0);
        for agent in agents {
            world.hang_up(agent, 0);
        }
    });
    world.run_for(41_000);
    world.finish();
    assert!(world.records.len() <= 1);
    if let Some(record) = world.records.first() {
        assert!(record.total_ms(Stretch::Talk) <= 60_000);
    }
}

#[test]
fn everything_ends_with_one_message_in_a_hundred_lost() {
    for seed in seeds(100, 12) {
        weather(seed, 10);
    }
}

#[test]
fn everything_ends_with_five_in_a_hundred_lost() {
    for seed in seeds(200, 12) {
        weather(seed, 50);
    }
}

#[test]
fn everything_ends_with_ten_in_a_hundred_lost() {
    for seed in seeds(300, 12) {
        weather(seed, 100);
    }
}

#[test]
fn everything_ends_with_twenty_in_a_hundred_lost() {
    for seed in seeds(400, 12) {
        weather(seed, 200);
    }
}
