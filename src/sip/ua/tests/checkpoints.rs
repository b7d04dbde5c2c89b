//! A session rebuilt from its checkpoint goes on exactly as the original would have.

use super::world::agent;
use super::*;
use crate::sip::ua::{Body, Event, SessionCheckpoint, SessionId};

/// What a scenario leads to, apart from what is drawn at random.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    messages: Vec<String>,
    events: [Vec<&'static str>; 2],
}

type Prelude = fn(&mut World, SessionId, SessionId);
type Act = fn(&mut World, usize, SessionId);

/// Brings a call to a stable state, perhaps replaces the agent `restored` by a new one that knows
/// only the checkpoint, lets `actor` do something, and tells what came of it.
fn course(prelude: Prelude, act: Act, actor: usize, restored: Option<usize>) -> Course {
    let mut world = World::new(42);
    world.reflex(|world, agent, event| match event {
        Event::Reoffer { session, request } => {
            let session = *session;
            let body = Body::sdp(if request.body().is_empty() { "o" } else { "a" });
            world.with(agent, |ua, now| {
                ua.answer_reoffer(now, session, Some(body.clone()))
            });
        }
        Event::Reanswered { session, .. } => {
            let session = *session;
            world.with(agent, |ua, now| {
                ua.acknowledge(now, session, Some(Body::sdp("late")));
            });
        }
        _ => {}
    });
    let (ours, theirs) = world.connect();
    let mut sessions = [ours, theirs];
    prelude(&mut world, ours, theirs);
    world.run_for(40_000);
    if let Some(restored) = restored {
        let checkpoint = world.agents[restored]
            .checkpoint(sessions[restored])
            .unwrap();
        let json = serde_json::to_string(&checkpoint).unwrap();
        let checkpoint: SessionCheckpoint = serde_json::from_str(&json).unwrap();
        world.agents[restored] = agent(restored, 4711);
        let session = world.with(restored, |ua, now| ua.restore(now, checkpoint));
        sessions[restored] = session;
    }
    let (sent, events) = (world.sent.len(), [A, B].map(|a| world.events[a].len()));
    act(&mut world, actor, sessions[actor]);
    world.run_for(10_000);
    for agent in [A, B] {
        let session = sessions[agent];
        world.with(agent, |ua, now| ua.bye(now, session, &[]));
        world.run_for(1000);
    }
    world.run_out();
    Course {
        messages: world.sent[sent..].iter().map(without_chance).collect(),
        events: [A, B].map(|agent| world.names(agent)[events[agent]..].to_vec()),
    }
}

/// A message without its branch.
fn without_chance(sent: &super::world::Sent) -> String {
    let text = String::from_utf8(sent.bytes.to_vec()).unwrap();
    let Some(start) = text.find("z9hG4bK") else {
        return text;
    };
    let end = text[start..]
        .find([';', '\r'])
        .map_or(text.len(), |end| start + end);
    format!("{} {}{}", sent.from, &text[..start], &text[end..])
}

const PRELUDES: [Prelude; 4] = [
    |_, _, _| {},
    |world, ours, _| world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("x")))),
    |world, _, theirs| world.with(B, |ua, now| ua.reinvite(now, theirs, Some(Body::sdp("x")))),
    |world, ours, _| world.with(A, |ua, now| ua.reinvite(now, ours, None)),
];

const ACTS: [Act; 4] = [
    |world, actor, session| world.with(actor, |ua, now| ua.bye(now, session, &[])),
    |world, actor, session| {
        world.with(actor, |ua, now| {
            ua.reinvite(now, session, Some(Body::sdp("y")))
        });
    },
    |world, actor, session| world.with(actor, |ua, now| ua.reinvite(now, session, None)),
    |_, _, _| {},
];

#[test]
fn a_restored_session_goes_on_like_the_original() {
    for (state, prelude) in PRELUDES.into_iter().enumerate() {
        for (step, act) in ACTS.into_iter().enumerate() {
            for actor in [A, B] {
                let original = course(prelude, act, actor, None);
                assert!(!original.messages.is_empty());
                for restored in [A, B] {
                    let again = course(prelude, act, actor, Some(restored));
                    let what = format!("state {state} act {step} by {actor} at {restored}");
                    assert_eq!(again, original, "{what}");
                }
            }
        }
    }
}

#[test]
fn there_is_no_checkpoint_while_something_is_under_way() {
    let mut world = World::new(1);
    let ours = world.invite(A);
    assert_eq!(world.agents[A].checkpoint(ours), None);
    world.run_for(50);
    let theirs = world.session_of(B);
    world.filter = Box::new(|sent| sent.what != "ACK");
    world.with(B, |ua, now| {
        ua.accept(now, theirs, &[], Some(Body::sdp("a")))
    });
    world.run_for(10);
    assert!(world.agents[A].checkpoint(ours).is_some());
    assert_eq!(world.agents[B].checkpoint(theirs), None);
    world.filter = Box::new(|_| true);
    world.run_for(1000);
    assert!(world.agents[B].checkpoint(theirs).is_some());
    world.with(A, |ua, now| ua.reinvite(now, ours, None));
    assert_eq!(world.agents[A].checkpoint(ours), None);
    world.run_for(10);
    assert_eq!(world.agents[B].checkpoint(theirs), None);
    world.with(A, |ua, now| ua.bye(now, ours, &[]));
    assert_eq!(world.agents[A].checkpoint(ours), None);
    world.run_out();
}
