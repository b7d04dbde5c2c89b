//! What the door learns from the calls' room.

use bytes::Bytes;
use tsunagu::sip::guard::Attack;
use tsunagu::sip::{Flow, Message};

use crate::office;
use crate::peer::{Manners, SWITCH};
use crate::world::World;

#[test]
fn a_trunk_known_by_name_is_exempt_wherever_the_name_is() {
    let target = (
        "udp:127.0.0.1:5080",
        "sip:carrier.example:5080;transport=udp",
    );
    let mut world = World::with(821, office::changed(&[("trunks.toml", target.0, target.1)]));
    let caller = world.phone("1005", Manners::Rings);
    let [address, stranger] = ["192.0.2.7", "192.0.2.8"].map(|text| text.parse().unwrap());
    world.named = Some(address);
    assert!(!world.switch.guard.is_exempt(address));
    world.switch.exchange.watch_hosts(world.now);
    world.run_for(1000);
    // Nothing is asked for its own sake; a call that goes there says where it is.
    assert!(!world.switch.guard.is_exempt(address));
    world.with_peer(caller, |peer, now| peer.call(now, "0398765432", "1005"));
    world.run_for(1000);
    assert!(world.switch.guard.is_exempt(address));
    assert!(!world.switch.guard.is_exempt(stranger));
    world.hang_up(caller, 0);
    // Without the trunk its addresses are like others.
    let office = office::demo();
    world.switch.reload(world.now, &office, 2);
    world.run_for(1000);
    assert!(!world.switch.guard.is_exempt(address));
}

#[test]
fn empty_datagrams_keep_a_way_open_and_are_no_attack() {
    let mut world = World::new(822);
    let flow = Flow::udp(SWITCH, "192.0.2.7:5060".parse().unwrap());
    let mut send = |octets: &'static [u8]| {
        let bytes = Bytes::from_static(octets);
        let why = Message::parse(bytes.clone()).expect_err("no message");
        let exchange = &mut world.switch.exchange;
        for _ in 0..50 {
            exchange.handle_malformed(world.now, flow, bytes.clone(), why.clone());
        }
        world.switch.guard.tally().of(Attack::MalformedFlood)
    };
    for octets in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"\n"] {
        assert_eq!(send(octets), 0, "{octets:?}");
    }
    assert!(send(b"hello") > 0);
}
