//! The numbering plan as an object: what a number is where it is dialled (ITU-T E.164).
//!
//! A country is data ([`Country`]); a [`Site`] is a place in it. A site reads what people dial and
//! what carriers send into a [`Number`], and writes a number in the form a carrier wants. Japan's
//! plan follows the MIC's 電気通信番号計画, the others those of NANPA and the BNetzA.

mod country;
mod format;
mod germany;
mod japan;
mod kind;
mod north_america;
mod site;

pub use country::Country;
pub use format::NumberFormat;
pub use kind::NumberKind;
pub use site::{Number, Presentation, Site, SiteError, Unreadable};

#[cfg(test)]
mod tests;
