//! The call: legs, bridge, negotiation, machine, checkpoint.
