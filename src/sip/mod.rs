//! SIP (RFC 3261): messages, transactions, dialogs, authentication, transports.

mod dialog;
mod dtmf_relay;
mod flow;
mod framing;
mod header;
pub mod location;
mod message;
mod server_name;
mod stats;
mod transaction;
mod uri;

pub mod auth;
pub mod guard;
pub mod trace;
pub mod transport;
pub mod ua;

pub use dtmf_relay::{DTMF_RELAY, DtmfRelay};
pub use flow::{ConnectionId, Flow, Protocol};
pub use framing::{Frame, FrameError, StreamFramer, StreamLimits, is_keep_alive};
pub use header::{
    Asserted, BadReferTo, CSeq, Contacts, Diversion, DivertReason, HeaderName, HistoryEntry,
    HistoryOrigin, MediaType, NameAddr, Params, Privacy, RAck, Reason, ReferTo, RefresherRole,
    RemoteParty, Replaces, SessionExpires, Telephone, Via, diversions,
};
pub use message::{
    MAX_HEADERS, MAX_MESSAGE, Message, Method, ParseError, Refusal, RequestBuilder, ResponseBuilder,
};
pub use server_name::ServerName;
pub use stats::Stats;
pub use transaction::{Failure, Timing};
pub use transport::{Transport, TransportLimits};
pub use ua::{UserAgent, owner_shard, shard_for};
pub use uri::{Host, Scheme, Uri};
