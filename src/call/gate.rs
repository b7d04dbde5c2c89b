//! The admission gate: past a configured number of calls, or when the node cannot keep up, a new
//! INVITE gets 503 with Retry-After before anything is spent on it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::ShardId;
use crate::router::RouterHandle;

/// Shared by all shards of a node.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: AtomicUsize,
    /// Calls whose record is not out yet.
    untold: AtomicUsize,
    /// Shards that are behind their work, a bit each.
    late: AtomicU64,
    /// Shards that turn new work away because they cannot keep up, a bit each.
    overloaded: AtomicU64,
    refusals: AtomicU64,
    draining: AtomicBool,
    /// Without one every task is taken.
    router: OnceLock<RouterHandle>,
}

/// Why a call was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The node shuts down.
    Draining,
    /// As many calls as configured.
    Full,
    /// The router's journal cannot be written, or too much waits for it.
    Journal,
    /// A shard or media worker is late.
    Late,
}

impl Gate {
    /// An open gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls inside.
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::Relaxed)
    }

    /// Whom calls that may be queued depend on; the first one given stays.
    pub fn depend_on(&self, router: RouterHandle) {
        // Given once, at the start.
        let _ = self.state.router.set(router);
    }

    /// Whether a call that may be queued may come in: nobody is to stand in a line that the
    /// journal does not know.
    pub(crate) fn check_router(&self) -> Result<(), Closed> {
        match self.state.router.get() {
            Some(router) if !router.is_ready() => Err(Closed::Journal),
            _ => Ok(()),
        }
    }

    /// A shard says whether it is behind its work.
    pub fn set_late(&self, shard: ShardId, late: bool) {
        let bit = 1 << (shard.0 % 64);
        if late {
            self.state.late.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.state.late.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// A shard says whether it turns new work away.
    pub fn set_overloaded(&self, shard: ShardId, overloaded: bool) {
        let bit = 1 << (shard.0 % 64);
        if overloaded {
            self.state.overloaded.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.state.overloaded.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// How many shards turn new work away.
    pub fn overloaded(&self) -> u32 {
        self.state.overloaded.load(Ordering::Relaxed).count_ones()
    }

    /// Calls that were not let in since the start.
    pub fn refusals(&self) -> u64 {
        self.state.refusals.load(Ordering::Relaxed)
    }

    /// A call was not let in.
    pub(crate) fn refused(&self) {
        self.state.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on nobody is let in; those inside finish.
    pub fn drain(&self) {
        self.state.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the gate is shut for good.
    pub fn is_draining(&self) -> bool {
        self.state.draining.load(Ordering::Relaxed)
    }

    /// Whether a call may come in, or why not. `media_ready` is what the media engine says of
    /// itself. Shards that ask at the same instant may pass the limit by one each.
    pub(crate) fn check(&self, most: usize, media_ready: bool) -> Result<(), Closed> {
        if self.is_draining() {
            return Err(Closed::Draining);
        }
        if !media_ready || self.state.late.load(Ordering::Relaxed) != 0 {
            return Err(Closed::Late);
        }
        if self.calls() >= most {
            Err(Closed::Full)
        } else {
            Ok(())
        }
    }

    /// A call came in.
    pub(crate) fn enter(&self) {
        self.state.calls.fetch_add(1, Ordering::Relaxed);
        self.state.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls whose record is not out yet: those inside, and those over whose media has not said
    /// its last word. The process must not end before.
    pub fn untold(&self) -> usize {
        self.state.untold.load(Ordering::Relaxed)
    }

    /// A call's record is out.
    pub(crate) fn tell(&self) {
        self.state.untold.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call that was let in is over.
    pub(crate) fn exit(&self) {
        self.state.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Closed {
    /// Seconds for Retry-After (RFC 3261 §20.33): short where the cause passes by itself.
    pub(crate) fn retry_after(self) -> u32 {
        match self {
            Closed::Draining => 30,
            Closed::Full | Closed::Journal => 5,
            Closed::Late => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuts_when_full_late_or_draining() {
        let gate = Gate::new();
        assert_eq!(gate.check(1, true), Ok(()));
        gate.enter();
        assert_eq!(gate.check(1, true), Err(Closed::Full));
        gate.exit();
        assert_eq!(gate.check(1, false), Err(Closed::Late));
        gate.set_late(ShardId(1), true);
        gate.set_late(ShardId(0), true);
        gate.set_late(ShardId(0), false);
        assert_eq!(gate.check(1, true), Err(Closed::Late));
        gate.set_late(ShardId(1), false);
        gate.drain();
        assert_eq!(gate.check(1, true), Err(Closed::Draining));
        assert_eq!((gate.calls(), gate.untold()), (0, 1));
        gate.tell();
        assert_eq!(gate.untold(), 0);
    }
}
