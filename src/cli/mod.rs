//! The command line: one file per command.

pub mod agents;
pub mod call;
pub mod calls;
pub mod queues;
pub mod reload;
pub mod why;

mod api;
mod table;
mod text;
