//! SIP (RFC 3261): messages, transactions, dialogs, authentication, transports.

mod flow;
mod framing;
mod header;
mod message;
mod uri;

pub mod auth;

pub use flow::{ConnectionId, Flow, Protocol};
pub use framing::{Frame, FrameError, StreamFramer, StreamLimits};
pub use header::{CSeq, Contacts, HeaderName, MediaType, NameAddr, Params, Via};
pub use message::{
    MAX_HEADERS, MAX_MESSAGE, Message, Method, ParseError, Refusal, RequestBuilder, ResponseBuilder,
};
pub use uri::{Host, Scheme, Uri};
