//! What callers of a number or a queue have of their own, besides the flow the number leads to.

use serde::{Deserialize, Serialize};

use super::Whisper;
use crate::trunk::NumberOverride;

/// The profile of an inbound number; its attributes and calendar are in the number plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NumberProfile {
    /// Sounds that greet its callers, where a flow plays the number's own greeting.
    pub greeting: Vec<String>,
    /// What an agent hears before he is joined with one of its callers; before that of the queue.
    pub whisper: Option<Whisper>,
    /// What runs when a caller is gone, where his last queue says nothing else: a flow of type
    /// `disconnect`.
    pub disconnect: Option<String>,
    /// Another flow for a while, as the configuration has it.
    pub instead: Option<NumberOverride>,
}

/// The flows of a queue, beside that of the number its callers dialled. What is `None` is as it is
/// without: the queue's music and announcements, the hold music, no whisper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueFlows {
    /// What a caller hears and may press while he waits: a flow of type `customer_queue`.
    pub waiting: Option<String>,
    /// What an agent hears before he is joined with a caller.
    pub agent_whisper: Option<Whisper>,
    /// What a caller hears before he is joined with his agent.
    pub customer_whisper: Option<Whisper>,
    /// What a caller hears on hold: a flow of type `customer_hold`.
    pub customer_hold: Option<String>,
    /// What an agent hears on hold: a flow of type `agent_hold`.
    pub agent_hold: Option<String>,
    /// What runs when the caller is gone: a flow of type `disconnect`.
    pub disconnect: Option<String>,
}
