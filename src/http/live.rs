//! What HTTP asks of the running switch; the app answers.

use serde_json::Value;

use crate::base::Timestamp;
use crate::events::CallRecord;

/// The running switch. Called from blocking threads: an answer may take a moment, and one that
/// takes longer than five seconds is reported as a fault.
pub trait Live: Send + Sync {
    /// Switch time.
    fn now(&self) -> Timestamp;

    /// Calls in progress, and those that ended but are not in the archive yet.
    fn calls(&self) -> Vec<CallRecord>;

    /// One of [`Live::calls`].
    fn call(&self, id: &str) -> Option<CallRecord>;

    /// What the router knows about a call that waits or was offered; `None` when it knows nothing.
    fn why(&self, id: &str) -> Option<Value>;

    /// The queues: see `docs/api.md`.
    fn queues(&self) -> Value;

    /// The agents: see `docs/api.md`.
    fn agents(&self) -> Value;

    /// Loads the configuration again: what changed, or everything that is wrong.
    fn reload(&self) -> Result<String, String>;

    /// Whether shards and workers keep time; otherwise which does not.
    fn alive(&self) -> Result<(), String>;

    /// Whether new calls are accepted; otherwise why not.
    fn ready(&self) -> Result<(), String>;
}
