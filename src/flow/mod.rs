//! Flow documents: what a caller hears and may decide.
//!
//! A [`Document`] is a set of named steps; [`Document::check`] finds what is wrong with it without
//! running it; a [`Run`] walks one caller through it. The run is a machine that only *asks*,
//! through [`Action`] values which the call carries out: it knows no queue, trunk or sound, so it
//! runs in a call, in a test and in the checker alike.

mod check;
mod document;
mod run;
mod step;

pub use check::{Fault, Part, Spot};
pub use document::{Document, HANG_UP};
pub use run::{Action, Context, DialOutcome, Input, QueueOutcome, Run};
pub use step::{
    Collecting, Dialling, HangingUp, Menu, Patience, Queueing, Rejection, Setting, Speech, Step,
};
