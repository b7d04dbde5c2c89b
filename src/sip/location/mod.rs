//! Location (RFC 3263): from a URI's host to the addresses a request may be sent to, in order.
//!
//! [`Locator`] is sans-IO: destinations and answers of name servers go in, [`Question`]s and
//! ordered [`Hop`]s come out. Its cache honours TTLs (RFC 2308 for what does not exist), outlives
//! a dead name server (RFC 8767), and several askers share one question. [`Resolver`] is the pump
//! that puts questions to name servers. ENUM (RFC 6116) is left out: `tel:` is the number plan's.

mod cache;
mod choice;
mod destination;
mod locator;
mod plan;
mod question;
mod rest;
mod task;
#[cfg(test)]
mod tests;

pub use destination::{Destination, Hop, Means};
pub use locator::{AskId, Located, Locator, Settings};
pub use plan::NoLocation;
pub use question::{Answer, Kind, Naptr, Question, Record, Srv};
pub use rest::{Fault, Urgency};
pub use task::{NameServers, Resolver};
