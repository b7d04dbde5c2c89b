//! The transport's side of the door: who may open a stream, and whose stream had to be cut.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::Clock;
use crate::sip::guard::{Attack, Guard};

/// A guard with the time of day.
#[derive(Clone)]
pub(super) struct Door {
    guard: Guard,
    clock: Arc<dyn Clock>,
}

impl Door {
    pub(super) fn new(guard: Guard, clock: Arc<dyn Clock>) -> Self {
        Self { guard, clock }
    }

    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.guard.admit_connection(self.clock.now(), address)
    }

    /// Whether everybody there is to be heard whatever happens.
    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.guard.is_exempt(address)
    }

    /// Slow streams and broken ones happen to honest peers too.
    pub(super) fn suspect(&self, attack: Attack, address: IpAddr) {
        self.guard.stray(self.clock.now(), attack, address);
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}
