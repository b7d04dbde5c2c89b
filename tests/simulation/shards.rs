//! Calls of two shards that meet: in a conference, in a line.

use crate::ear::level;
use crate::pages::{Pages, office, value};
use crate::peer::Manners;
use crate::world::World;

/// One shard each, with a phone of its own and what its application says.
struct Side {
    world: World,
    pages: Pages,
}

/// Two shards of one switch.
struct Both([Side; 2]);

impl Both {
    fn new(seed: u64, pages: [&[(&'static str, &'static str, &str)]; 2]) -> Self {
        let first = World::with(seed, office(&[]));
        let second = World::beside(&first, seed + 1, office(&[]));
        let [one, two] = pages.map(Pages::new);
        Self([
            Side {
                world: first,
                pages: one,
            },
            Side {
                world: second,
                pages: two,
            },
        ])
    }

    /// Time passes for both; what one shard has to say to calls of the other comes there.
    fn run_for(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            for side in 0..2 {
                let Side { world, pages } = &mut self.0[side];
                pages.run_for(world, 10);
                let abroad = std::mem::take(&mut world.abroad);
                let other = &mut self.0[1 - side].world;
                for call in abroad {
                    let now = other.now;
                    other.switch.exchange.rouse(now, &call);
                }
                other.collect();
            }
        }
    }

    /// A phone of one side calls the application and says its tone.
    fn dial(&mut self, side: usize, number: &str, hz: u32) {
        let Side { world, pages } = &mut self.0[side];
        // Registers by itself: the other side's time follows.
        let phone = world.phone(number, Manners::Rings);
        world.peers[phone].set_tone(hz);
        world.with_peer(phone, |peer, now| peer.call(now, "100", number));
        pages.run_to(world, "answered", 5000, |world| {
            world.peers[phone].talks[0].is_answered
        });
        let (here, there) = (self.0[side].world.now, self.0[1 - side].world.now);
        if here > there {
            let behind = &mut self.0[1 - side];
            let late = u64::try_from(here.since(there).as_millis()).expect("short");
            behind.pages.run_for(&mut behind.world, late);
        }
        self.run_for(500);
    }

    fn hears(&mut self, side: usize, hz: f64) -> bool {
        self.run_for(300);
        let last = self.0[side].world.peers.len() - 1;
        let from = self.0[side].world.peers[last].talks[0].voice.got.len();
        self.run_for(1000);
        let got = &self.0[side].world.peers[last].talks[0].voice.got[from..];
        let heard = crate::ear::listen(got);
        heard.len() > 3000 && level(&heard[1600..], hz) > -20.0
    }

    fn hang_up(&mut self, side: usize) {
        let last = self.0[side].world.peers.len() - 1;
        self.0[side].world.hang_up(last, 0);
        self.run_for(500);
    }

    fn finish(mut self) {
        self.run_for(1000);
        for side in &mut self.0 {
            side.world.finish();
        }
    }
}

const AFTER: (&str, &str, &str) = ("/after", "", "<Pause length=\"60\"/>");

#[test]
fn callers_of_two_shards_meet_in_a_conference_and_leave_it_with_who_ends_it() {
    let room = "<Dial action=\"/after\"><Conference beep=\"false\">room</Conference></Dial>";
    let ends = room.replace("<Conference", "<Conference endConferenceOnExit=\"true\"");
    let mut both = Both::new(
        4401,
        [&[("/call", "", room), AFTER], &[("/call", "", &ends)]],
    );
    both.dial(0, "1005", 440);
    both.dial(1, "1006", 880);
    assert!(both.hears(0, 880.0), "{}", both.0[0].world.tell());
    assert!(both.hears(1, 440.0));
    both.hang_up(1);
    assert_eq!(both.0[0].pages.forms("/after").len(), 1);
    both.hang_up(0);
    both.finish();
}

#[test]
fn whoever_dials_a_line_on_one_shard_gets_who_waits_on_another() {
    let stand = "<Enqueue action=\"/after\">vip</Enqueue>";
    let dial = "<Dial action=\"/dialled\"><Queue>vip</Queue></Dial>";
    let mut both = Both::new(
        4403,
        [
            &[("/call", "", stand), AFTER],
            &[("/call", "", dial), ("/dialled", "", "<Hangup/>")],
        ],
    );
    both.dial(0, "1005", 440);
    both.dial(1, "1006", 880);
    assert!(both.hears(0, 880.0), "{}", both.0[0].world.tell());
    assert!(both.hears(1, 440.0));
    both.hang_up(1);
    let after = both.0[0].pages.forms("/after");
    let results: Vec<_> = after
        .iter()
        .map(|form| value(form, "QueueResult"))
        .collect();
    assert_eq!(results, [Some("bridged")]);
    both.hang_up(0);
    both.finish();
}

#[test]
fn a_caller_of_one_shard_is_taken_by_his_reservation_from_the_other() {
    let queue = "<Enqueue action=\"/after\">sales</Enqueue>";
    let mut both = Both::new(4451, [&[("/call", "", queue), AFTER], &[AFTER]]);
    both.0[0].world.phone("1001", Manners::Rings);
    both.dial(0, "1005", 440);
    let view = both.0[0].world.switch.pump.view();
    let reservation = view.tasks[0].reservation.clone().expect("an offer");
    let dial = format!(
        "<Dial action=\"/after\"><Queue reservationSid=\"{}\"/></Dial>",
        reservation.as_str()
    );
    both.0[1].pages.say("/call", &dial);
    both.dial(1, "1006", 880);
    assert!(both.hears(0, 880.0), "{}", both.0[0].world.tell());
    assert!(both.hears(1, 440.0), "{}", both.0[1].world.tell());
    assert!(both.0[0].world.peers[0].talks[0].is_over, "the agent's own");
    both.hang_up(1);
    let forms = both.0[0].pages.forms("/after");
    assert_eq!(value(forms[0], "QueueResult"), Some("bridged"));
    both.hang_up(0);
    both.finish();
}
