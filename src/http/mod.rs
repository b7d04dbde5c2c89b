//! Metrics, health and the API: the operator's window on the running switch.
//!
//! Two listeners: the API with everything, on loopback only until there are tokens; and, when
//! wanted, one with nothing but `/metrics` and `/health/*`, which may bind anywhere. Both run on a
//! thread of their own; what may wait for a shard or the disk runs on a few blocking threads.

mod account;
mod answer;
mod api;
mod ask;
pub mod bans;
mod by_hand;
mod calendars;
pub mod dead_letters;
pub mod decisions;
mod events;
mod guard;
mod health;
mod listener;
mod live;
pub mod metrics;
mod numbers;
mod openapi;
mod pcap;
mod plan;
mod pulse;
mod query;
mod reservations;
mod routing;
mod server;
mod tasks;
pub mod trace;
pub mod view;
mod voicemail;
mod workers;

pub use account::Account;
pub use live::{Live, Reload};
pub use openapi::document;
pub use pulse::Pulse;
pub use routing::Routing;
pub use server::{Error, Server, Settings};
