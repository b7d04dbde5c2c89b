//! Transactions: the four machines of RFC 3261 §17 (figures 5 to 8, with RFC 6026) and the table
//! that keeps them.
//!
//! A machine is a state and its timers; it is told what happened and says what to do in a
//! [`Step`]. The table adds what they share: identity, the message to repeat, the flow, the owner.

mod ack;
mod client;
mod invite_client;
mod invite_server;
mod key;
#[cfg(test)]
mod operations;
mod server;
mod table;
mod timing;

pub use timing::Timing;

pub(crate) use ack::{acknowledgement, cancellation};
pub(crate) use key::{Keys, TransactionId};
#[cfg(test)]
pub(crate) use operations::fuzz;
pub(crate) use table::{Arrival, Reaction, Table};

use serde::{Deserialize, Serialize};

/// Why a transaction ended without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No answer within 64 × T1.
    Timeout,
    /// The transport could not deliver.
    Transport,
}

/// What a machine wants done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Build the ACK of a refusal from the response at hand, keep it and send it.
    pub(crate) acknowledge: bool,
    /// Hand the message to the user of the transaction.
    pub(crate) deliver: bool,
    /// Tell the user of the transaction that it failed.
    pub(crate) failure: Option<Failure>,
    /// Send what the transaction keeps.
    pub(crate) send: bool,
}

impl Step {
    const NOTHING: Self = Self {
        acknowledge: false,
        deliver: false,
        failure: None,
        send: false,
    };
    const DELIVER: Self = Self {
        deliver: true,
        ..Self::NOTHING
    };
    const SEND: Self = Self {
        send: true,
        ..Self::NOTHING
    };

    const fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::NOTHING
        }
    }
}
