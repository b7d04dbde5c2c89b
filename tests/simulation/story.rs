//! The whole story: carrier, greeting, digit, queue, agent, conversation, recording, record.

use tsunagu::base::Party;
use tsunagu::events::record::{CallRecord, RecordingRecord};
use tsunagu::events::{AgentStretch, Direction, Stretch};

use crate::ear::{irregularities, level, likeness, listen, loudness};
use crate::judge::stretches;
use crate::office::spoken;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// The story up to the conversation: carrier, agent, the caller's talk.
fn conversation(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(3000));
    world.customer(carrier);
    world.until_talking();
    (world, carrier, agent)
}

#[test]
fn a_caller_hears_greeting_and_music_and_talks_with_an_agent() {
    let (mut world, carrier, agent) = conversation(1);
    let talk_began = world.now;
    world.run_for(5000);
    world.hang_up(agent, 0);
    world.finish();

    let got = &world.peers[carrier].talks[0].voice.got;
    let heard = listen(got);
    assert!(
        irregularities(got).expect("one stream") <= 6,
        "{}",
        world.tell()
    );
    let greeting = spoken("ja/greeting");
    assert!(likeness(&greeting[800..4000], &heard[..8000]) > 0.95);
    // Ringing took three seconds in which music was to be heard.
    let ear = |from: i64, until: i64| {
        let first = got[0].at.as_millis();
        let place = |at: i64| usize::try_from((at - first) * 8).expect("heard");
        &heard[place(from)..place(until)]
    };
    let began = talk_began.as_millis();
    assert!(loudness(ear(began - 2500, began - 200)) > -50.0, "no music");
    assert!(level(ear(began + 200, began + 4800), 880.0) > -14.0);
    assert!(level(ear(began + 200, began + 4800), 440.0) < -60.0);
    let heard = listen(&world.peers[agent].talks[0].voice.got);
    assert!(level(&heard[1600..], 440.0) > -14.0);
    assert!(level(&heard[1600..], 880.0) < -60.0);
}

#[test]
fn the_record_tells_it_all() {
    let (mut world, _, agent) = conversation(2);
    world.run_for(2000);
    world.hang_up(agent, 0);
    world.finish();
    let record = world.record();
    assert_eq!(
        stretches(record),
        [Stretch::Ivr, Stretch::Queue, Stretch::Talk],
        "{}",
        world.tell()
    );
    assert_eq!(
        (record.from.as_str(), record.to.as_str()),
        (CUSTOMER, OFFICE)
    );
    assert_eq!(record.direction, Some(Direction::Inbound));
    assert_eq!(record.trunk.as_deref(), Some("demo"));
    assert_eq!(
        (record.region.as_ref(), record.node.as_ref()),
        ("jp1", "tokyo1")
    );
    assert_eq!(record.hung_up_by, Some(Party::Agent));
    assert_eq!((record.sip, record.q850), (Some(200), Some(16)));
    assert_eq!(
        record
            .digits
            .iter()
            .map(|digit| digit.digit)
            .collect::<String>(),
        "1"
    );
    assert_eq!(record.attributes["topic"], "sales");
    assert_eq!(record.queues[0].outcome.as_deref(), Some("answered"));
    assert_eq!(record.offers[0].outcome.as_deref(), Some("accepted"));
    assert!(!record.offers[0].why.is_empty());
    let parts: Vec<_> = record.agents[0]
        .timeline
        .iter()
        .map(|part| part.stretch)
        .collect();
    assert_eq!(
        parts,
        [AgentStretch::Offer, AgentStretch::Ring, AgentStretch::Talk]
    );
    assert_eq!(record.legs.len(), 2);
    assert!(
        record
            .legs
            .iter()
            .all(|leg| leg.codec.as_deref() == Some("PCMU"))
    );
    let media = record.legs[0].media.as_ref().expect("counted");
    assert_eq!((media.lost, media.refused), (0, 0));
}

#[test]
fn the_caller_may_hang_up_first() {
    let (mut world, carrier, agent) = conversation(3);
    world.run_for(2000);
    world.hang_up(carrier, 0);
    world.finish();
    assert_eq!(world.record().hung_up_by, Some(Party::Caller));
    assert!(
        world.peers[agent].talks[0]
            .reason
            .as_deref()
            .is_some_and(|why| why.contains("16"))
    );
}

#[test]
fn left_is_the_caller_and_right_the_agent_for_the_length_of_the_talk() {
    let (mut world, carrier, _) = conversation(4);
    world.run_for(10_000);
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    let [left, right] = channels(record);
    for (side, own, other) in [(&left, 440.0, 880.0), (&right, 880.0, 440.0)] {
        let own = level(&side[1600..], own);
        assert!(own > -14.0, "{own} dB");
        assert!(level(&side[1600..], other) < own - 60.0);
    }
    let talk = record.total_ms(Stretch::Talk);
    let recorded = record.recordings[0].duration_ms.expect("published");
    assert!(
        talk.abs_diff(recorded) <= 20,
        "{talk} ms of talk, {recorded} ms recorded"
    );
    assert_eq!(record.recordings[0].channels, [CUSTOMER, "sato"]);
}

#[test]
fn five_percent_loss_on_one_side_shifts_nothing() {
    let (mut world, carrier, _) = conversation(5);
    world.peers[carrier].talks[0].voice.loss = 50;
    world.run_for(20_000);
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    let [left, right] = channels(record);
    // Both tones are still in phase with their beginning at the end: nothing was shifted.
    for (side, hz) in [(&left, 440.0), (&right, 880.0)] {
        let whole = level(&side[1600..], hz);
        assert!(
            whole > -15.0,
            "{hz} Hz at {whole} dB over the whole recording"
        );
    }
    assert!(
        record.legs[0]
            .media
            .as_ref()
            .is_some_and(|media| media.lost > 30)
    );
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let tell = |seed| {
        let (mut world, carrier, _) = conversation(seed);
        world.run_for(500);
        world.hang_up(carrier, 0);
        world.finish();
        world.tell()
    };
    assert_eq!(tell(6), tell(6));
}

#[test]
fn a_record_goes_out_half_a_minute_later_when_media_never_reports() {
    let (mut world, carrier, _) = conversation(7);
    world.run_for(500);
    world.is_media_silent = true;
    world.hang_up(carrier, 0);
    world.run_for(29_000);
    assert!(world.records.is_empty());
    world.run_for(10_000);
    let record = world.record();
    assert!(record.legs.iter().all(|leg| leg.ended.is_some()));
    assert_eq!(
        (record.recordings.len(), record.recordings[0].path.as_ref()),
        (1, None)
    );
    assert_eq!(
        (world.switch.exchange.inventory(), world.switch.gate.calls()),
        ([0; 5], 0)
    );
}

/// Left and right of the only recording of a call.
pub(crate) fn channels(record: &CallRecord) -> [Vec<i16>; 2] {
    assert_eq!(record.recordings.len(), 1);
    sides(&record.recordings[0])
}

/// The same of one of several.
pub(crate) fn sides(recording: &RecordingRecord) -> [Vec<i16>; 2] {
    let path = recording.path.as_ref().expect("published");
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    let samples: Vec<i16> = reader
        .samples()
        .map(|sample| sample.expect("16 bit"))
        .collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}
