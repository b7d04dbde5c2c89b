//! What HTTP asks of the running switch; the app answers.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::{LegId, Timestamp};
use crate::call::{Control, ControlError};
use crate::events::CallRecord;
use crate::router::{Explanation, RouterView};
use crate::sip::guard::Ban;

/// The running switch. Called from blocking threads: an answer may take a moment, and one that
/// takes longer than five seconds is reported as a fault.
pub trait Live: Send + Sync {
    /// Switch time.
    fn now(&self) -> Timestamp;

    /// Calls in progress, and those that ended but are not in the archive yet.
    fn calls(&self) -> Vec<CallRecord>;

    /// One of [`Live::calls`].
    fn call(&self, id: &str) -> Option<CallRecord>;

    /// The router's latest view: queues, agents, tasks.
    fn router(&self) -> Arc<RouterView>;

    /// Why a call that waits is where it is; `None` when the router has no task for it.
    fn why(&self, id: &str) -> Option<Explanation>;

    /// Does something to a living call; the leg that was added, if one was.
    fn control(&self, id: &str, wish: Control) -> Result<Option<LegId>, ControlError>;

    /// Sources that are not listened to, the one that is forgiven first at the front.
    fn bans(&self) -> Vec<Ban>;

    /// Listens to an address again; whether it was banned.
    fn lift(&self, address: IpAddr) -> bool;

    /// Loads the configuration again: what changed, or everything that is wrong.
    fn reload(&self) -> Result<String, String>;

    /// Whether shards and workers keep time; otherwise which does not.
    fn alive(&self) -> Result<(), String>;

    /// Whether new calls are accepted; otherwise why not.
    fn ready(&self) -> Result<(), String>;
}
