//! The ordered log of facts: the trait, fact classes, snapshot, replay.
