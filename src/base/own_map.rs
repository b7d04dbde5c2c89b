//! Maps whose keys are ours.

use std::collections::HashMap;

/// A map keyed by what we number or draw ourselves (sessions, calls, legs, tags): nobody outside
/// can choose keys that collide, so the hash need not stand an attack. SipHash, which has to, was
/// four per cent of all instructions of a call; what the network names stays with it.
pub type OwnMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
