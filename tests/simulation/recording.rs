//! Recordings from the call's side: pauses by the operator and by an agent's keys, and what happens
//! when nothing can be recorded.

use tsunagu::call::{Control, ControlError};
use tsunagu::events::Fact;
use tsunagu::media::recorder::Channel;
use tsunagu::twiml::{Link, RecordingCallback, RecordingEvent, Track};

use crate::ear::level;
use crate::office;
use crate::pages::{told, value};
use crate::peer::Manners;
use crate::story::{channels, sides};
use crate::world::World;

const CARRIER: usize = 0;
const AGENT: usize = 1;

/// The carrier's customer (440 Hz) talks with the agent on 1001 (880 Hz).
fn talking(seed: u64, recording: &str) -> World {
    // What the example says of the section stays behind it as a comment.
    let section = format!("[recording]\n{recording}\n# ");
    let changes = [("node.toml", "# [recording] ", &*section)];
    let mut world = World::with(seed, office::changed(&changes));
    world.carrier();
    world.phone("1001", Manners::Answers(500));
    world.customer(CARRIER);
    world
}

/// What was paused (`true`) and resumed, and on which channel.
fn pauses(world: &World) -> Vec<(bool, Option<u8>)> {
    world.facts(|fact| match fact {
        Fact::RecordingPaused { channel, .. } => Some((true, *channel)),
        Fact::RecordingResumed { channel, .. } => Some((false, *channel)),
        _ => None,
    })
}

#[test]
fn the_operator_pauses_one_channel_and_lets_it_go_on() {
    let mut world = talking(301, "");
    world.run_for(1000);
    assert_eq!(
        world.control(Control::PauseRecording { channel: None }),
        Err(ControlError::NotRecorded)
    );
    world.until_talking();
    world.run_for(2000);
    let channel = Some(Channel::LEFT);
    for _ in 0..2 {
        // Twice is once.
        let paused = world.control(Control::PauseRecording { channel });
        paused.expect("paused");
    }
    world.run_for(2000);
    let resumed = world.control(Control::ResumeRecording { channel });
    resumed.expect("resumed");
    world.run_for(2000);
    world.hang_up(CARRIER, 0);
    world.finish();
    assert_eq!(pauses(&world), [(true, Some(0)), (false, Some(0))]);
    let [left, right] = channels(world.record());
    assert!(level(&left[1600..14_000], 440.0) > -14.0);
    assert!(left[18_000..30_000].iter().all(|sample| *sample == 0));
    assert!(level(&left[34_000..46_000], 440.0) > -14.0);
    assert!(level(&right[1600..46_000], 880.0) > -14.0);
}

/// A program wants the caller's leg recorded.
fn start() -> Control {
    Control::StartRecording {
        leg: None,
        track: Track::Both,
        callback: Some(RecordingCallback {
            link: Link::post("https://app.example/recording"),
            events: vec![RecordingEvent::InProgress, RecordingEvent::Completed],
        }),
    }
}

#[test]
fn a_program_begins_a_recording_pauses_it_and_ends_it() {
    let mut world = talking(305, "");
    world.until_talking();
    world.run_for(1000);
    let recordings = |world: &World| world.switch.exchange.records()[0].recordings.clone();
    world.control(start()).expect("begun");
    assert_eq!(
        world.control(start()),
        Err(ControlError::AlreadyRecorded),
        "another would end it"
    );
    world.run_for(2000);
    let channel = None;
    let pause = || Control::PauseRecording { channel };
    world.control(pause()).expect("paused");
    assert!(recordings(&world).iter().all(|it| it.paused));
    world.run_for(2000);
    let resume = Control::ResumeRecording { channel };
    world.control(resume).expect("resumed");
    assert!(recordings(&world).iter().all(|it| !it.paused));
    world.run_for(2000);
    // The queue's own goes on.
    let recording = Some(recordings(&world)[1].recording.clone());
    let stop = || Control::StopRecording {
        recording: recording.clone(),
    };
    world.control(stop()).expect("stopped");
    assert_eq!(world.control(stop()), Err(ControlError::NotRecorded));
    // What begins in a pause is paused.
    world.control(pause()).expect("paused");
    world.control(start()).expect("begun");
    assert!(recordings(&world)[2].paused);
    world.run_for(500);
    // After the last has ended there is nothing to pause.
    let all = Control::StopRecording { recording: None };
    world.control(all).expect("stopped");
    world.run_for(500);
    assert_eq!(world.control(pause()), Err(ControlError::NotRecorded));
    world.control(start()).expect("begun");
    assert!(!recordings(&world)[3].paused);
    world.run_for(2000);
    world.hang_up(CARRIER, 0);
    world.finish();
    let made = &world.record().recordings;
    assert_eq!(made.len(), 4, "{made:?}");
    let [left, right] = sides(&made[1]);
    for (side, hz) in [(left, 440.0), (right, 880.0)] {
        assert!(level(&side[1600..14_000], hz) > -14.0);
        assert!(side[18_000..30_000].iter().all(|sample| *sample == 0));
        assert!(level(&side[34_000..46_000], hz) > -14.0);
        assert!(side.len() < 50_000, "{}", side.len());
    }
    let [left, right] = sides(&made[3]);
    assert!(level(&left[1600..14_000], 440.0) > -14.0);
    assert!(level(&right[1600..14_000], 880.0) > -14.0);
    let told = told(&world, "RecordingStatus");
    let count = |status| {
        let is_it = |form: &&&_| value(form, "RecordingStatus") == Some(status);
        told.iter().filter(is_it).count()
    };
    assert_eq!((count("in-progress"), told.len()), (3, 6), "{told:?}");
    let source = value(told[0], "RecordingSource");
    assert_eq!(source, Some("StartCallRecordingAPI"));
}

#[test]
fn an_agent_pauses_by_keys_and_the_caller_cannot() {
    let mut world = talking(302, "pause_key = \"*1\"");
    world.until_talking();
    world.run_for(1000);
    let press = |world: &mut World, peer, keys| {
        world.with_peer(peer, |peer: &mut crate::peer::Peer, _| {
            peer.talks[0].voice.press(keys);
        });
        world.run_for(1500);
    };
    press(&mut world, CARRIER, "*1");
    assert_eq!(pauses(&world), []);
    press(&mut world, AGENT, "2*1");
    assert_eq!(pauses(&world), [(true, None)]);
    press(&mut world, AGENT, "*1");
    assert_eq!(pauses(&world), [(true, None), (false, None)]);
    world.hang_up(CARRIER, 0);
    world.finish();
}

#[test]
fn a_recording_that_cannot_be_made_ends_the_call_only_where_that_is_wanted() {
    for (seed, setting) in [(303, ""), (304, "without_recording = \"no_call\"")] {
        let mut world = talking(seed, setting);
        // The volume is gone, and a file is in its place.
        let place = world.directory.path().to_owned();
        std::fs::remove_dir_all(&place).expect("removed");
        std::fs::write(&place, "in the way").expect("written");
        if setting.is_empty() {
            world.until_talking();
            world.run_for(2000);
            world.hang_up(CARRIER, 0);
        } else {
            world.run_to("the end", 20_000, |world| {
                world.peers[CARRIER].talks[0].is_over
            });
        }
        world.run_for(40_000);
        let why = world.facts(|fact| match fact {
            Fact::RecordingFailing { why, .. } => Some(why.clone()),
            _ => None,
        });
        assert!(why[0].contains("cannot create the file"), "{why:?}");
        let record = world.records.first().expect("told");
        assert_eq!(record.sip, Some(if setting.is_empty() { 200 } else { 503 }));
        let defect = record.recordings[0].defect.as_ref();
        assert!(defect.is_some_and(|defect| defect.contains("cannot create")));
        std::fs::remove_file(&place).expect("removed");
    }
}
