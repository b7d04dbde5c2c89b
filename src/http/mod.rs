//! Metrics, health and the API: the operator's window on the running switch.
//!
//! Two listeners: the API with everything, on loopback only until there are tokens; and, when
//! wanted, one with nothing but `/metrics` and `/health/*`, which may bind anywhere. Both run on a
//! thread of their own; what may wait for a shard or the disk runs on a few blocking threads.

mod answer;
mod api;
pub mod bans;
mod guard;
mod listener;
mod live;
pub mod metrics;
mod pcap;
mod pulse;
mod query;
mod server;
pub mod trace;
pub mod view;

pub use live::Live;
pub use pulse::Pulse;
pub use server::{Error, Server, Settings};
