//! What a call's record says of its sound.

use tsunagu::events::{Deafness, Way};

use crate::peer::Manners;
use crate::world::World;

const CARRIER: usize = 0;
const AGENT: usize = 1;

#[test]
fn a_leg_that_falls_silent_is_named_in_the_record_with_cause_and_length() {
    let mut world = World::new(91);
    world.carrier();
    world.phone("1001", Manners::Answers(500));
    world.customer(CARRIER);
    world.until_talking();
    world.run_for(12_000);
    world.peers[AGENT].talks[0].voice.is_mute = true;
    world.run_for(3_400);
    world.peers[AGENT].talks[0].voice.is_mute = false;
    world.run_for(2_000);
    world.hang_up(CARRIER, 0);
    world.finish();
    let record = world.record();
    for leg in &record.legs {
        let media = leg.media.as_ref().expect("counted");
        let mos = media.mos_said.expect("an opinion");
        assert!(mos.min > 4.2 && mos.max < 4.42, "{mos:?}");
        assert_eq!((media.bursts, media.late), (0, 0));
    }
    let [caller, agent] = &record.legs[..] else {
        panic!("two legs: {:?}", record.legs);
    };
    assert_eq!(caller.outages, []);
    let [outage] = &agent.outages[..] else {
        panic!("one outage: {:?}", agent.outages);
    };
    assert_eq!((outage.way, outage.cause), (Way::Said, Deafness::Stopped));
    assert!(
        outage.why.starts_with("agent leg: RTP from "),
        "{}",
        outage.why
    );
    let until = outage.until.expect("over");
    let length = until.since(outage.from).as_millis();
    assert!((3_380..=3_440).contains(&length), "{length}");
}
