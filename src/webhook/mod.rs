//! The user's own web application: questions put to it while a caller waits, and notices sent
//! after him. It carries the flow step `http`, lookups, TwiML documents and all callbacks.
//!
//! [`Web::ask`] never takes longer than its budget and always ends in a [`Reply`] or a [`Failure`]
//! of a known kind. What decides is sans-IO: `attempts` (retries, redirects), `breaker`, `outbox`
//! (order and retries of notices), `address` (where a request may go), `signature`, `overrides`,
//! `shape`. The pumps are `task`, `delivery`, `exchange` and `connection`. Not here: HTTP/2,
//! proxies, compression.

mod address;
mod admission;
mod ask;
mod attempts;
mod breaker;
mod cache;
mod connection;
mod delivery;
mod exchange;
mod figures;
mod jars;
mod letters;
mod outbox;
mod overrides;
mod pool;
mod question;
mod reply;
mod settings;
mod shape;
mod signature;
mod target;
mod task;
#[cfg(test)]
mod tests;
mod tls;

pub use address::{AddressRule, Denied};
pub use ask::{Ask, Content, To};
pub use breaker::{BreakerState, BreakerTerms};
pub use delivery::ReplayError;
pub use figures::Figures;
pub use letters::{DeadLetter, LetterView, Notice, Shelf, ShelfError};
pub use overrides::{OverrideError, Overrides, RetryOn};
pub use reply::{Expects, Failure, FailureKind, Reply};
pub use settings::{Account, Endpoint, Limits, Method, NoticeTerms, Settings, Terms};
pub use shape::{About, ReplyError, ReplyLimits, Shape, merge, read_reply};
pub use signature::{
    IDEMPOTENCY_HEADER, REPLAY_WINDOW_SECONDS, SIGNATURE_HEADER, SignatureMode, SigningSecret,
    TIMESTAMP_HEADER, TWILIO_HEADER, ours, twilio,
};
pub use target::{Target, TargetError};
pub use task::{Asked, Web, WebTask};
pub use tls::{TlsClient, TlsTextError, TlsTexts};
