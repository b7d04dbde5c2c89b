//! Supervisors listen and coach unheard, and members are muted, held and announced to, from outside.

use tsunagu::call::{Control, ControlError};
use tsunagu::events::Stretch;
use tsunagu::media::Role;

use crate::ear::level;
use crate::hold::{AGENT, CARRIER, hear, is_music, talking};
use crate::peer::Manners;

#[test]
fn a_supervisor_listens_coaches_and_takes_part() {
    let mut world = talking(301);
    let third = world.phone("1005", Manners::Answers(60));
    world.peers[third].set_tone(1320);
    let wish = Control::Supervise {
        number: "1005".to_owned(),
        coach: None,
    };
    let leg = world.control(wish).expect("rings").expect("a leg");
    world.run_for(500);
    let heard = hear(&mut world, third, 1000);
    assert!(level(&heard[1600..], 440.0) > -16.0 && level(&heard[1600..], 880.0) > -16.0);
    for peer in [CARRIER, AGENT] {
        assert!(level(&hear(&mut world, peer, 1000)[800..], 1320.0) < -50.0);
    }
    let agent = world.legs()[1];
    let role = Role::Coach(agent);
    world
        .control(Control::SetRole { leg, role })
        .expect("coaches");
    world.run_for(300);
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 1320.0) > -16.0);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 1320.0) < -50.0);
    let role = Role::Normal;
    world
        .control(Control::SetRole { leg, role })
        .expect("takes part");
    world.run_for(300);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 1320.0) > -16.0);
    let role = Role::Listener;
    world
        .control(Control::SetRole { leg, role })
        .expect("listens");
    world.run_for(300);
    // The conversation ends with its parties, whoever listens.
    world.hang_up(AGENT, 0);
    world.finish();
    assert!(world.peers[third].talks[0].is_over);
}

#[test]
fn a_party_is_muted_held_and_announced_to() {
    let mut world = talking(302);
    let leg = world.legs()[1];
    world
        .control(Control::Mute { leg, on: true })
        .expect("muted");
    world.run_for(300);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) < -50.0);
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 440.0) > -16.0);
    world
        .control(Control::Mute { leg, on: false })
        .expect("heard");
    world.run_for(300);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) > -16.0);
    // The caller waits, and the agent hears nothing of it.
    let caller = world.legs()[0];
    let hold = |on| Control::Hold { leg: caller, on };
    world.control(hold(true)).expect("held");
    assert!(is_music(&hear(&mut world, CARRIER, 400)));
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 440.0) < -50.0);
    world.control(hold(false)).expect("back");
    world.run_for(300);
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 440.0) > -16.0);
    let sounds = vec!["tone-1004".to_owned()];
    let wish = Control::Announce { sounds, leg: None };
    world.control(wish).expect("announced");
    for peer in [CARRIER, AGENT] {
        let heard = hear(&mut world, peer, 400);
        assert!(level(&heard[1600..], 1004.0) > -10.0, "{peer}");
        world
            .control(Control::Announce {
                sounds: vec!["tone-1004".to_owned()],
                leg: None,
            })
            .expect("again");
    }
    let sounds = vec!["none".to_owned()];
    assert!(matches!(
        world.control(Control::Announce { sounds, leg: None }),
        Err(ControlError::NoSound { .. })
    ));
    world.hang_up(AGENT, 0);
    world.finish();
    assert!(world.record().total_ms(Stretch::Hold) > 0);
}
