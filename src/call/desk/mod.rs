//! The agent's desk: what an agent tells the switch by phone alone, and what he is told.
//!
//! [`Session`] is the machine behind every feature code: sans-IO, with one file a feature. It gives
//! [`AgentOrder`]s, which `order` alone translates to the router's commands.

mod activity;
mod agents;
mod lockout;
mod login;
mod order;
mod room;
mod seats;
mod session;
mod speech;
mod standing;
mod terms;
#[cfg(test)]
mod tests;
mod wrap;

pub use agents::Agents;
pub use room::Desks;
pub use terms::{ActivityTerms, AgentTerms, DeskTerms};

pub(crate) use order::{Told, worker_of};
pub(crate) use session::{Around, Output, Session};
pub(crate) use standing::Standing;
