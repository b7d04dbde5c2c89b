//! Whom an application dials: a number as a phone would dial it, a phone by its name, a SIP address.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{LegId, Timestamp};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::events::Role;
use crate::media::Command;
use crate::sip::{Host, Uri};
use crate::trunk::{Destination, Origin, Trunk};
use crate::twiml::TargetKind;

/// Rings it. The status a phone would get when it cannot be.
pub(super) fn ring(
    core: &mut Core,
    hands: &mut Hands<'_>,
    kind: &TargetKind,
) -> Result<Vec<LegId>, u16> {
    match kind {
        TargetKind::Client { identity } => core.ring_phone(hands, identity, Role::Callee, None),
        TargetKind::Number { number, .. } => ring_number(core, hands, number),
        TargetKind::Queue { .. } => Err(501),
        TargetKind::Sip { uri, .. } => ring_address(core, hands, uri),
    }
}

fn ring_number(core: &mut Core, hands: &mut Hands<'_>, number: &str) -> Result<Vec<LegId>, u16> {
    let generation = hands.generations.get(&core.generation).ok_or(500_u16)?;
    let found = generation.numbers.dialled(Origin::Flow, number);
    match found.ok_or(404_u16)? {
        Destination::Phone(phone) => core.ring_phone(hands, &phone, Role::Callee, None),
        Destination::Trunk { trunks, number } => {
            let leg = core.ring_by_trunks(hands, trunks, number)?;
            Ok(vec![leg])
        }
        _ => Err(404),
    }
}

/// A phone of ours when the address is at one of our own; else a trunk must lead to its host.
fn ring_address(core: &mut Core, hands: &mut Hands<'_>, uri: &str) -> Result<Vec<LegId>, u16> {
    let uri: Uri = uri.parse().map_err(|_| 416_u16)?;
    if !uri.is_sip() {
        return Err(416);
    }
    let generation = hands.generations.get(&core.generation).ok_or(500_u16)?;
    let user = uri.user_decoded().into_owned();
    if is_ours(core, hands, &uri.host) && generation.phones.contains_key(&user) {
        return core.ring_phone(hands, &user, Role::Callee, None);
    }
    // RFC 3261 §19.1.4: hosts are the same in capitals.
    let name = uri.host.to_string();
    let is_it = |known: &str| known.eq_ignore_ascii_case(&name);
    let leads = |trunk: &Trunk| {
        let mut targets = trunk.targets.iter();
        targets.any(|target| is_it(&target.host.to_string()))
            || trunk.domain.as_deref().is_some_and(is_it)
            || trunk.accept_hosts.iter().any(|host| is_it(host))
    };
    let trunk = generation.trunks.values().find(|trunk| leads(trunk));
    let name = trunk.map(|trunk| trunk.name.clone()).ok_or(403_u16)?;
    let leg = core.ring_by_trunks(hands, vec![name], user)?;
    Ok(vec![leg])
}

fn is_ours(core: &Core, hands: &Hands<'_>, host: &Host) -> bool {
    let Some(address) = host.address() else {
        return false;
    };
    let listens = |local: IpAddr| local == address;
    let mut listeners = hands.listeners.iter().map(|(_, local)| local.ip());
    let mut legs = core.legs.iter().map(|leg| leg.flow.local.ip());
    listeners.any(listens) || legs.any(listens)
}

/// Keys that are pressed for the caller before a party is connected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Keys {
    left: VecDeque<char>,
    next: Option<Timestamp>,
}

/// From one key to the next: it and the silence after it.
const KEY: Duration = Duration::from_millis(250);

impl Keys {
    /// `w` is half a second, `W` a second.
    pub(super) fn new(keys: &str) -> Self {
        Self {
            left: keys.chars().collect(),
            next: None,
        }
    }

    /// The party has answered.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.next = Some(now + KEY);
    }

    /// Whether all were.
    pub(super) fn are_pressed(&self) -> bool {
        self.left.is_empty() && self.next.is_none()
    }

    /// When to call [`Keys::press`].
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.next
    }

    /// Presses what is due; whether that was the end of it.
    pub(super) fn press(&mut self, hands: &Hands<'_>, leg: LegId) -> bool {
        if self.next.is_none_or(|next| next > hands.now) {
            return false;
        }
        let Some(key) = self.left.pop_front() else {
            self.next = None;
            return true;
        };
        let wait = match key {
            'w' => Duration::from_millis(500),
            'W' => Duration::from_secs(1),
            key => {
                let digits = key.to_string();
                hands.tell(Command::SendDigits { leg, digits });
                KEY
            }
        };
        self.next = Some(hands.now + wait);
        false
    }
}
