//! E-mail that the switch sends: how it is written, handed to a server, and tried again.
//!
//! A [`Letter`] is what goes to one address; [`Client`] hands it over by SMTP (RFC 5321, lettre) within
//! a bounded time. [`Outbox`] says which letter goes next and when a failed one is tried again;
//! sans-IO. What waits is kept by whoever has letters to send: see `voicemail`. Not here: receiving
//! mail, DKIM, delivery to the recipients' own servers; the server named is to relay.

mod address;
mod client;
mod letter;
mod outbox;
mod settings;
mod template;

#[cfg(test)]
pub(crate) mod tests;

pub use address::{Address, AddressError, mask_addresses};
pub use client::{Client, Fault};
pub use letter::{Enclosure, Letter};
pub use outbox::{Fate, Outbox};
pub use settings::{Account, Figures, Roots, RootsError, Security, Server, Settings};
pub use template::{Template, TemplateError};
