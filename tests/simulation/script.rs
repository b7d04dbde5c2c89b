//! Scenes that many stories have in common.

use std::collections::HashSet;
use std::time::Duration;

use tsunagu::base::{CallId, LegId, ShardId};
use tsunagu::call::{Control, ControlError};
use tsunagu::events::Fact;
use tsunagu::sip::ConnectionId;

use crate::peer::{Manners, Peer};
use crate::world::World;

/// The number of the flow `main`.
pub(crate) const OFFICE: &str = "+81312345678";
/// Who calls it.
pub(crate) const CUSTOMER: &str = "+819012345678";

impl World {
    /// Adds the carrier. Its callers say 440 Hz.
    pub(crate) fn carrier(&mut self) -> usize {
        let peer = Peer::carrier(&self.net, self.seed * 1000);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    /// Adds a second carrier, on 127.0.0.2.
    pub(crate) fn other_carrier(&mut self) -> usize {
        let address = std::net::SocketAddr::from(([127, 0, 0, 2], 5080));
        let peer = Peer::carrier_at("other", address, &self.net, self.seed * 1000 + 1);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    /// Adds a phone and registers it. It says 880 Hz.
    pub(crate) fn phone(&mut self, number: &str, manners: Manners) -> usize {
        let seed = self.seed * 1000 + number.parse::<u64>().expect("a number");
        let peer = Peer::phone(number, &self.net, seed);
        self.enter(peer, manners)
    }

    /// Adds another place of a phone, and registers it there.
    pub(crate) fn contact(&mut self, number: &str, place: u8, manners: Manners) -> usize {
        let seed = self.seed * 1000 + number.parse::<u64>().expect("a number") * u64::from(place);
        let peer = Peer::phone_at(number, place, &self.net, seed);
        self.enter(peer, manners)
    }

    /// Adds a phone that registers over a connection and is reached over it.
    pub(crate) fn phone_over_tcp(&mut self, number: &str, manners: Manners) -> usize {
        let mut peer = Peer::phone(number, &self.net, self.seed * 1000);
        peer.connection = Some(ConnectionId::new(ShardId(0), 1 + self.peers.len() as u64));
        self.enter(peer, manners)
    }

    fn enter(&mut self, mut peer: Peer, manners: Manners) -> usize {
        peer.manners = manners;
        peer.set_tone(880);
        self.peers.push(peer);
        let peer = self.peers.len() - 1;
        self.with_peer(peer, |peer, now| peer.register(now, 3600));
        self.run_to("registered", 40_000, |world| {
            world.peers[peer].registered == Some(200)
        });
        peer
    }

    /// Adds a phone that registers until it is heard, however bad the network is.
    pub(crate) fn phone_in_a_storm(&mut self, number: &str, manners: Manners) -> usize {
        let loss = std::mem::take(&mut self.link.loss);
        let phone = self.phone(number, manners);
        self.link.loss = loss;
        phone
    }

    /// A caller of the carrier presses 1 in the greeting and stands in the queue `sales` a few
    /// seconds later.
    pub(crate) fn customer(&mut self, carrier: usize) -> usize {
        let talk = self.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        self.after(Duration::from_millis(700), move |world| {
            world.peers[carrier].talks[talk].voice.press("1");
        });
        talk
    }

    /// Runs until a talk of a far end is answered.
    pub(crate) fn until_answered(&mut self, peer: usize, talk: usize) {
        self.run_to("answered", 60_000, |world| {
            world.peers[peer]
                .talks
                .get(talk)
                .is_some_and(|talk| talk.is_answered)
        });
    }

    /// Runs until an agent talks with a caller.
    pub(crate) fn until_talking(&mut self) {
        self.run_to("a conversation", 60_000, |world| world.is_talking());
    }

    /// Whether the call's last word is that caller and agent talk.
    pub(crate) fn is_talking(&self) -> bool {
        let records = self.switch.exchange.records();
        records
            .iter()
            .any(|record| record.stretch() == Some(tsunagu::events::Stretch::Talk))
    }

    /// Hangs up the first talk of a far end.
    pub(crate) fn hang_up(&mut self, peer: usize, talk: usize) {
        self.with_peer(peer, |peer, now| peer.hang_up(now, talk));
    }

    /// The legs that were added to calls, in order.
    pub(crate) fn legs(&self) -> Vec<LegId> {
        self.facts(|fact| match fact {
            Fact::LegAdded { leg, .. } => Some(*leg),
            _ => None,
        })
    }

    /// The only call, or the one of a carrier's talk: calls are in the order of their talks.
    pub(crate) fn call_of(&self, talk: usize) -> CallId {
        let mut records = self.switch.exchange.records();
        records.sort_by_key(|record| record.started);
        let place = talk.min(records.len() - 1);
        records[place].id.clone()
    }

    /// What an operator does to the first call.
    pub(crate) fn control(&mut self, wish: Control) -> Result<Option<LegId>, ControlError> {
        let mut records = self.switch.exchange.records();
        records.sort_by_key(|record| record.started);
        let call = records.first().map(|record| record.id.clone());
        let call = call.ok_or(ControlError::NoCall)?;
        let outcome = self.switch.exchange.control(self.now, &call, wish);
        self.collect();
        outcome
    }

    /// Call-IDs that were seen on the link.
    pub(crate) fn dialogs(&self) -> HashSet<String> {
        self.sent.iter().map(|sent| sent.call_id.clone()).collect()
    }
}

/// Seeds from `first` on: so many, times `SIMULATION_SEEDS` for whoever has the time.
pub(crate) fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let factor = std::env::var("SIMULATION_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let first = first * 1000;
    first..first + count * factor.unwrap_or(1)
}
