//! The past, read from a journal: in words, run once more, and run with another plan.
//!
//! - [`Told`]: one fact in words.
//! - [`rerun`], [`verify`]: the machine, told the same, decides the same, byte for byte.
//! - [`Figures`]: how a period went. [`model`]: how it would have gone with another plan.

mod behaviour;
mod figures;
mod happening;
mod model;
mod past;
mod rerun;
mod words;

#[cfg(test)]
mod tests;

pub use behaviour::Behaviour;
pub use figures::{Figures, Load, Spread, Terms};
pub use model::{Modelled, model};
pub use past::{Error, Past};
pub use rerun::{Difference, Rerun, Verified, rerun, verify};
pub use words::{Names, Told, left, not_chosen};
