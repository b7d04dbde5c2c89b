//! Who is there: agents' programs that say so from time to time.
//!
//! Phones say it by registering, which is the registrar's business. Lamps and message waiting are to
//! come.

mod heartbeat;

pub use heartbeat::{Change, HeartbeatTerms, Heartbeats, Present};
