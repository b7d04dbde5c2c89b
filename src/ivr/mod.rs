//! Prompts and digits: ask a caller for keys, wait, ask again, give up.
//!
//! [`Collect`] is the one machine behind every question: a menu is a question whose answers are
//! known beforehand ([`Accept::OneOf`]), a number is one whose length is ([`Accept::Digits`]).
//! [`Take`] takes down what is said.

mod collect;
mod late;
pub mod say;
mod take;

pub use collect::{Accept, Answer, BargeIn, Collect, Failure, Output, Question, is_key, pattern};
pub use late::LateTerminator;
pub use take::{Take, TakeOutput, TakeTerms, Taken};
