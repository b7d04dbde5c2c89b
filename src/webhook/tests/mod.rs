//! Questions to endpoints that behave, and to those that do not.

mod hostile;
mod notices;
mod questions;
mod sockets;
mod world;
