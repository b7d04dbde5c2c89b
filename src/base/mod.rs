//! What every room may use: time, ids, chance, timers, reasons and redaction. Imports nothing of ours.

mod entropy;
mod id;
mod language;
mod network;
mod own_map;
#[cfg(test)]
pub(crate) mod patience;
mod pii;
mod pin;
pub mod reason;
mod time;
mod timers;

pub use entropy::Entropy;
pub use id::{
    CallId, IdSource, LegId, Origin, RecordingId, ReservationId, RoomId, ShardId, TaskId,
};
pub use language::Language;
pub use network::{Network, NetworkError};
pub use own_map::OwnMap;
pub use pii::Pii;
pub use pin::Pin;
pub use reason::{Cause, Party};
pub use time::{Clock, Timestamp};
pub use timers::Timers;
