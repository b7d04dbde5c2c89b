//! What the door goes by, from a checked office.

use std::sync::{Mutex, PoisonError};

use crate::base::{Network, Timestamp};
use crate::config::Office;
use crate::registrar::Registrar;
use crate::sip::guard::{Guard, Rules};

/// The office's rules; trunks' networks and addresses are exempt, for each has limits of its own.
/// Those that have names are told to the door by who learns where they are.
pub(super) fn rules(office: &Office) -> Rules {
    let mut rules = office.node.sip.defence.rules.clone();
    for trunk in &office.trunks {
        rules.exempt.extend(&trunk.accept);
        let targets = trunk.targets.iter();
        let addresses = targets.filter_map(|target| target.host.address());
        rules.exempt.extend(addresses.map(Network::of));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;
    use crate::config::{self, Environment};

    #[test]
    fn who_is_a_trunk_by_network_or_target_is_exempt() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let sounds = root.join("sounds").display().to_string();
        let environment = Environment::from_iter([("TSUNAGU_SOUNDS", sounds)]);
        let mut office = config::load(&root.join("config"), &environment).unwrap();
        office.trunks[0].accept = vec![Network::parse("198.51.100.0/24").unwrap()];
        office.trunks[0].targets[0].host = crate::sip::Host::parse("192.0.2.7").unwrap();
        let guard = Guard::new(rules(&office), &mut Entropy::from_seed(1));
        for (address, exempt) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.2.8", false),
            ("198.51.100.9", true),
        ] {
            assert_eq!(
                guard.is_exempt(address.parse().unwrap()),
                exempt,
                "{address}"
            );
        }
    }
}
