//! What the door goes by, from a checked office.

use std::sync::{Mutex, PoisonError};

use crate::base::Timestamp;
use crate::config::Office;
use crate::registrar::Registrar;
use crate::sip::guard::{Guard, Rules};

/// The office's rules; trunks' networks are exempt, for each has limits of its own.
pub(super) fn rules(office: &Office) -> Rules {
    let mut rules = office.node.sip.defence.rules.clone();
    let trunks = office.trunks.iter();
    rules
        .exempt
        .extend(trunks.flat_map(|trunk| trunk.accept.iter().copied()));
    rules
}

/// Tells the door where phones were registered when the process before this one ended.
pub(super) fn welcome(guard: &Guard, registrar: &Mutex<Registrar>, now: Timestamp) {
    let registrar = registrar.lock().unwrap_or_else(PoisonError::into_inner);
    for phone in registrar.phones() {
        for binding in registrar.bindings(phone) {
            let (address, until) = (binding.flow.remote.ip(), Some(binding.expires_at));
            guard.welcome(now, address, phone, until);
        }
    }
}
