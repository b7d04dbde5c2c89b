//! Calls that outlive their process: rebuilt from checkpoints, they go on as if nothing had
//! happened.

use tsunagu::call::Control;
use tsunagu::events::{CallRecord, Stretch};
use tsunagu::media::rtp;
use tsunagu::sdp::Direction;

use crate::ear::{Got, level, listen};
use crate::peer::{Manners, Offer};
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// Who is in the call: far end and place of its talk.
type Who = (usize, usize);

/// A stable state of a call: how to get there, the caller, and the other party if there is one.
type State = (&'static str, fn(&mut World) -> (Who, Option<Who>));

/// What happens next.
type Probe = (&'static str, fn(&mut World, Who, Option<Who>));

const STATES: [State; 8] = [
    ("treatment", |world| {
        let carrier = world.carrier();
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(1000);
        ((carrier, 0), None)
    }),
    ("waiting", |world| {
        let carrier = world.carrier();
        world.phone("1001", Manners::Answers(300));
        world.customer(carrier);
        world.until_talking();
        world.customer(carrier);
        world.run_for(6000);
        ((carrier, 1), None)
    }),
    ("talk", |world| {
        let carrier = world.carrier();
        let agent = world.phone("1001", Manners::Answers(300));
        world.customer(carrier);
        world.until_talking();
        world.run_for(1000);
        ((carrier, 0), Some((agent, 0)))
    }),
    ("hold", |world| {
        let carrier = world.carrier();
        let agent = world.phone("1001", Manners::Answers(300));
        world.customer(carrier);
        world.until_talking();
        world.run_for(1000);
        reoffer(world, (agent, 0), Direction::SendOnly, Offer::Early);
        ((carrier, 0), Some((agent, 0)))
    }),
    ("three", |world| {
        let carrier = world.carrier();
        let agent = world.phone("1001", Manners::Answers(300));
        world.phone("1005", Manners::Answers(300));
        world.customer(carrier);
        world.until_talking();
        world
            .control(Control::AddParty {
                number: "1005".to_owned(),
            })
            .expect("rings");
        world.run_for(1000);
        ((carrier, 0), Some((agent, 0)))
    }),
    ("echo", |world| ((service(world, "600"), 0), None)),
    ("tone", |world| ((service(world, "602"), 0), None)),
    ("conference", |world| {
        let caller = service(world, "3000");
        let other = world.phone("1006", Manners::Rings);
        world.with_peer(other, |peer, now| peer.call(now, "3000", "1006"));
        world.until_answered(other, 0);
        world.run_for(500);
        ((caller, 0), Some((other, 0)))
    }),
];

const PROBES: [Probe; 5] = [
    ("the caller hangs up", |_, _, _| {}),
    ("the other hangs up", |world, _, other| {
        if let Some((peer, talk)) = other {
            world.hang_up(peer, talk);
            world.run_for(500);
        }
    }),
    ("the caller holds and resumes", |world, caller, _| {
        reoffer(world, caller, Direction::SendOnly, Offer::Early);
        reoffer(world, caller, Direction::SendRecv, Offer::Early);
    }),
    (
        "the other holds and resumes with delayed offers",
        |world, caller, other| {
            let who = other.unwrap_or(caller);
            reoffer(world, who, Direction::SendOnly, Offer::Delayed);
            reoffer(world, who, Direction::SendRecv, Offer::Delayed);
        },
    ),
    ("keys are pressed", |world, (peer, talk), _| {
        world.peers[peer].talks[talk].voice.press("77");
        world.run_for(1000);
    }),
];

fn service(world: &mut World, number: &str) -> usize {
    let phone = world.phone("1005", Manners::Rings);
    world.with_peer(phone, |peer, now| peer.call(now, number, "1005"));
    world.until_answered(phone, 0);
    world.run_for(500);
    phone
}

fn reoffer(world: &mut World, (peer, talk): Who, direction: Direction, offer: Offer) {
    let before = world.peers[peer].talks[talk].reoffers_done;
    world.with_peer(peer, |peer, now| peer.reoffer(now, talk, direction, offer));
    world.run_to("agreed anew", 5000, |world| {
        world.peers[peer].talks[talk].reoffers_done > before
    });
    world.run_for(300);
}

/// What can be seen of a story from outside after its checkpoint.
struct Seen {
    messages: Vec<String>,
    record: CallRecord,
    heard: Vec<Vec<Got>>,
    tale: String,
}

fn play(seed: u64, state: State, probe: Probe, is_restored: bool) -> Seen {
    let mut world = World::new(seed);
    let (caller, other) = (state.1)(&mut world);
    let mark = world.sent.len();
    let known = world.dialogs();
    let call = world.call_of(caller.1);
    if is_restored {
        world.restart();
    }
    world.run_for(700);
    (probe.1)(&mut world, caller, other);
    for peer in 0..world.peers.len() {
        for talk in 0..world.peers[peer].talks.len() {
            if (peer, talk) != caller {
                continue;
            }
            world.hang_up(peer, talk);
        }
    }
    world.run_for(500);
    for peer in 0..world.peers.len() {
        for talk in 0..world.peers[peer].talks.len() {
            world.hang_up(peer, talk);
        }
    }
    world.finish();
    let messages = world.sent[mark..]
        .iter()
        .filter_map(|sent| sent.within(&known))
        .collect();
    let record = world
        .records
        .iter()
        .find(|record| record.id == call)
        .expect("published")
        .clone();
    let talks = world.peers.iter_mut().flat_map(|peer| &mut peer.talks);
    let heard = talks
        .map(|talk| std::mem::take(&mut talk.voice.got))
        .collect();
    Seen {
        messages,
        record,
        heard,
        tale: world.tell(),
    }
}

/// One SSRC, and timestamps that go on with time across the seam.
fn goes_on(got: &[Got]) -> Result<(), String> {
    for pair in got.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        if a.header.ssrc != b.header.ssrc {
            return Err(format!("another SSRC at {}", b.at));
        }
        let step = rtp::sequence_distance(b.header.sequence, a.header.sequence);
        if !(1..1000).contains(&step) {
            return Err(format!("sequence steps by {step} at {}", b.at));
        }
        let passed = i64::try_from(b.at.since(a.at).as_micros() / 125).expect("short");
        let said = i64::from(rtp::distance(b.header.timestamp, a.header.timestamp));
        if (said - passed).abs() > 480 && a.header.payload_type == b.header.payload_type {
            return Err(format!("{said} samples in {passed} at {}", b.at));
        }
    }
    Ok(())
}

fn outcome(record: &CallRecord) -> impl PartialEq + std::fmt::Debug + use<> {
    let parts = record
        .caller_timeline
        .iter()
        .map(|part| (part.stretch, part.with.clone()));
    let legs = record.legs.iter();
    (
        parts.collect::<Vec<_>>(),
        legs.map(|leg| (leg.role, leg.by, leg.cause.clone(), leg.sip_call_id.clone()))
            .collect::<Vec<_>>(),
        (
            record.hung_up_by,
            record.sip,
            record.q850,
            record.generation,
        ),
        record
            .digits
            .iter()
            .map(|digit| digit.digit)
            .collect::<String>(),
        record
            .agents
            .iter()
            .map(|agent| agent.agent.clone())
            .collect::<Vec<_>>(),
    )
}

#[test]
fn a_rebuilt_call_does_what_the_original_would_have_done() {
    for (number, state) in STATES.into_iter().enumerate() {
        for probe in PROBES {
            let seed = 500 + number as u64;
            let [original, rebuilt] = [false, true].map(|is| play(seed, state, probe, is));
            let what = || format!("{}: {}\n{}", state.0, probe.0, rebuilt.tale);
            assert_eq!(original.messages, rebuilt.messages, "{}", what());
            assert_eq!(
                outcome(&original.record),
                outcome(&rebuilt.record),
                "{}",
                what()
            );
            for (before, after) in original.heard.iter().zip(&rebuilt.heard) {
                if let Err(why) = goes_on(after) {
                    panic!("{why}\n{}", what());
                }
                // A few frames are lost with the process and no more.
                let missing = before.len().saturating_sub(after.len());
                assert!(missing <= 5, "{missing} packets fewer\n{}", what());
            }
        }
    }
}

#[test]
fn two_still_hear_each_other_after_the_restart() {
    let mut world = World::new(520);
    let (caller, agent) = STATES[2].1(&mut world);
    let agent = agent.expect("there is one");
    world.restart();
    world.run_for(200);
    let marks = [caller, agent].map(|(peer, talk)| world.peers[peer].talks[talk].voice.got.len());
    world.run_for(2000);
    for (((peer, talk), mark), hz) in [caller, agent].into_iter().zip(marks).zip([880.0, 440.0]) {
        let heard = listen(&world.peers[peer].talks[talk].voice.got[mark..]);
        assert!(level(&heard, hz) > -14.0);
    }
    world.hang_up(caller.0, caller.1);
    world.finish();
    assert_eq!(world.record().recordings.len(), 2, "one a process");
}

#[test]
fn how_loud_one_is_for_another_outlives_the_process() {
    let mut world = World::new(521);
    let (caller, agent) = STATES[2].1(&mut world);
    let agent = agent.expect("there is one");
    let legs = world.legs();
    for (from, to, db) in [(legs[0], legs[1], Some(-20)), (legs[1], legs[0], None)] {
        world
            .control(Control::SetGain { from, to, db })
            .expect("set");
    }
    let levels = |world: &mut World| {
        world.run_for(300);
        let mark = |(peer, talk): Who| world.peers[peer].talks[talk].voice.got.len();
        let marks = [mark(caller), mark(agent)];
        world.run_for(1000);
        let heard = |(peer, talk): Who, mark: usize, hz| {
            level(
                &listen(&world.peers[peer].talks[talk].voice.got[mark..]),
                hz,
            )
        };
        [
            heard(caller, marks[0], 880.0),
            heard(agent, marks[1], 440.0),
        ]
    };
    for time in ["before", "after"] {
        let [agents, callers] = levels(&mut world);
        assert!(agents < -50.0, "{time}: {agents}");
        assert!((-35.0..-31.0).contains(&callers), "{time}: {callers}");
        if time == "before" {
            world.restart();
        }
    }
}

#[test]
fn a_caller_whose_agent_was_being_rung_is_offered_anew() {
    let mut world = World::new(521);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Rings);
    world.customer(carrier);
    world.run_to("rings", 10_000, |world| world.peers[agent].live() == 1);
    world.run_for(500);
    world.peers[agent].manners = Manners::Answers(500);
    world.restart();
    // The phone rings on for a call that nobody knows any more; it gives up by itself.
    world.with_peer(agent, |peer, now| peer.hang_up(now, 0));
    world.until_talking();
    world.run_for(1000);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(world.record().total_ms(Stretch::Talk) >= 1000);
}

#[test]
fn what_comes_after_a_restart_gets_numbers_of_its_own() {
    let mut world = World::new(522);
    let (caller, agent) = STATES[2].1(&mut world);
    world.phone("1002", Manners::Answers(300));
    world.phone("1005", Manners::Answers(300));
    world.restart();
    world
        .control(Control::AddParty {
            number: "1005".to_owned(),
        })
        .expect("rings");
    let second = world.customer(caller.0);
    world.run_for(6000);
    let legs = world.legs();
    let mut unique = legs.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), legs.len(), "{legs:?}");
    let heard = listen(&world.peers[caller.0].talks[caller.1].voice.got);
    assert!(level(&heard[heard.len() - 8000..], 880.0) > -16.0);
    world.hang_up(caller.0, second);
    world.hang_up(agent.expect("there is one").0, 0);
    world.hang_up(caller.0, caller.1);
    world.finish();
    assert_eq!(world.records.len(), 2);
}

#[test]
fn a_call_whose_port_is_taken_ends_as_its_parties_must_hear() {
    let mut world = World::new(523);
    let (caller, agent) = STATES[2].1(&mut world);
    let (peer, talk) = agent.expect("there is one");
    let port = world.peers[peer].talks[talk]
        .agreed
        .as_ref()
        .and_then(|agreed| agreed.remote);
    let squatters = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let house = squatters.clone();
    world.restart_after(move |net| {
        house.borrow_mut().push(net.endpoint(port.expect("agreed")));
    });
    world.run_for(1000);
    assert!(world.peers[peer].talks[talk].is_over);
    assert!(world.peers[caller.0].talks[caller.1].is_over);
    world.finish();
    assert_eq!(world.record().sip, Some(503));
}

#[test]
fn a_process_may_die_again_and_again() {
    let mut world = World::new(524);
    let (caller, _) = STATES[2].1(&mut world);
    for _ in 0..5 {
        world.restart();
        world.run_for(500);
    }
    assert!(goes_on(&world.peers[caller.0].talks[caller.1].voice.got).is_ok());
    world.hang_up(caller.0, caller.1);
    world.finish();
    assert!(world.record().total_ms(Stretch::Talk) > 3000);
}
