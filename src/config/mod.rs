//! The configuration directory: parse, check everything, report every error at once.

mod report;
mod source;
mod value;

pub use report::{Level, Problem, Report, Style};
pub use source::{Place, Source};
