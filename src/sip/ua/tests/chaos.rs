//! Calls whose owners do anything at any time, over a link that may do anything too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::base::Entropy;
use crate::sip::ua::{Body, Event, ReferId, Reliable, SessionId, SessionTimer, Terms};

fn anything(world: &mut World, entropy: &mut Entropy, agent: usize, session: SessionId) -> bool {
    let body = (entropy.below(3) > 0).then(|| Body::sdp("sdp"));
    let status = 180 + u16::try_from(entropy.below(4)).unwrap();
    let choice = entropy.below(28);
    let mut is_rejected = false;
    world.with(agent, |ua, now| match choice {
        0..=3 => ua.ring(now, session, status, &[], body),
        4..=8 => ua.accept(now, session, &[], body),
        9 => {
            is_rejected = ua.state(session) == Some(crate::sip::ua::State::Ringing);
            ua.reject(now, session, 486, &[]);
        }
        10 => ua.cancel(now, session, &[]),
        11 => ua.bye(now, session, &[]),
        12..=13 => ua.reinvite(now, session, body),
        14..=15 => ua.update(now, session, Body::sdp("sdp")),
        16..=18 => ua.answer_reoffer(now, session, body),
        19 => ua.refuse_reoffer(now, session, 488),
        20..=22 => ua.acknowledge(now, session, body),
        23..=24 => drop(ua.refer(now, session, "<sip:c@d>", &[])),
        25..=26 => {
            let refer = ReferId(u32::try_from(choice).unwrap() - 23);
            ua.notify(now, session, refer, status);
            ua.notify(now, session, refer, 200);
        }
        _ => drop(ua.checkpoint(session)),
    });
    is_rejected
}

/// Everything reliable, and intervals short enough to matter here.
fn demanding() -> Terms {
    let timer = SessionTimer {
        expires: Duration::from_secs(20),
        min_se: Duration::from_secs(10),
        ..SessionTimer::default()
    };
    Terms {
        reliable: Reliable::Required,
        timer: Some(timer),
        update: true,
    }
}

fn run(seed: u64) {
    let mut entropy = Entropy::from_seed(seed);
    let mut world = World::new(seed);
    world.loss = entropy.below(4) * 100;
    world.delay = 1 + entropy.below(3) * 300;
    for terms in &mut world.terms {
        *terms = [Terms::PLAIN, Terms::default(), demanding()][entropy.below(3) as usize];
    }
    if seed.is_multiple_of(5) {
        world.protocol = crate::sip::Protocol::Tcp;
        world.loss = 0;
    }
    let mut rejected = Vec::new();
    for _ in 0..60 {
        let agent = entropy.below(2) as usize;
        if entropy.below(6) == 0 {
            let mut invite = world.call(agent);
            if entropy.below(3) == 0 {
                invite.body = None;
            }
            world.place(agent, invite);
        }
        let sessions = sessions(&world);
        for (agent, session) in sessions {
            if entropy.below(3) == 0 && anything(&mut world, &mut entropy, agent, session) {
                rejected.push((agent, session));
            }
        }
        world.run_for(entropy.below(1500));
    }
    // Whoever is left hangs up.
    for (agent, session) in sessions(&world) {
        if world.agents[agent].state(session) == Some(crate::sip::ua::State::Ringing) {
            rejected.push((agent, session));
            world.with(agent, |ua, now| ua.reject(now, session, 480, &[]));
        } else {
            world.with(agent, |ua, now| ua.bye(now, session, &[]));
        }
    }
    world.reflex(|world, agent, event| match event {
        Event::Incoming { session, .. } => {
            let session = *session;
            world.with(agent, |ua, now| ua.bye(now, session, &[]));
        }
        Event::Refer { session, refer, .. } => {
            let (session, refer) = (*session, *refer);
            world.with(agent, |ua, now| {
                ua.accept_refer(now, session, refer);
                ua.notify(now, session, refer, 486);
            });
        }
        Event::Reoffer { session, .. } => {
            let session = *session;
            world.with(agent, |ua, now| ua.refuse_reoffer(now, session, 488));
        }
        _ => {}
    });
    world.run_out();
    let mut lasts: BTreeMap<(usize, SessionId), usize> = BTreeMap::new();
    for agent in [A, B] {
        for event in &world.events[agent] {
            let (session, is_last) = match event {
                Event::Notified { session, .. }
                | Event::Refer { session, .. }
                | Event::ReferAnswered { session, .. } => (*session, 0),
                Event::Cancelled { session, .. }
                | Event::Ended { session, .. }
                | Event::Failed { session, .. } => (*session, 1),
                Event::Acknowledged { session, .. }
                | Event::Answered { session, .. }
                | Event::EarlyAnswer { session, .. }
                | Event::EarlyEnded { session, .. }
                | Event::Incoming { session, .. }
                | Event::Info { session, .. }
                | Event::Progress { session, .. }
                | Event::Reanswered { session, .. }
                | Event::Reoffer { session, .. }
                | Event::ReofferFailed { session, .. } => (*session, 0),
                Event::Request { .. } | Event::Response { .. } => continue,
            };
            let last = lasts.entry((agent, session)).or_default();
            assert_eq!(*last, 0, "{seed}: {event:?} after the last event");
            *last += is_last;
        }
    }
    for (key, last) in lasts {
        let wanted = usize::from(!rejected.contains(&key));
        assert_eq!(last, wanted, "{seed}: {key:?}");
    }
}

/// Sessions that events spoke of and that still live.
fn sessions(world: &World) -> Vec<(usize, SessionId)> {
    let mut found = Vec::new();
    for agent in [A, B] {
        let mut ids: Vec<_> = world.agents[agent].sessions.keys().copied().collect();
        ids.sort_unstable();
        found.extend(ids.into_iter().map(|id| (agent, id)));
    }
    found
}

#[test]
fn whatever_anybody_does_every_session_ends_once_and_nothing_is_left() {
    for seed in 0..200 {
        run(seed);
    }
}

#[test]
fn fuzz_dialogs() {
    crate::sip::transaction::fuzz("dialogs", |seed| run(1000 + seed));
}
