//! The system: clock, signals, service manager, logging.

mod clock;
pub mod logging;
mod service;
mod signals;

pub use clock::{Source, System, SystemClock};
pub use service::Service;
pub use signals::{Signal, Signals};
