//! Typed views of header fields (RFC 3261 §20); one file a header or a part that headers share.

mod cseq;
mod media_type;
mod name;
mod name_addr;
mod params;
mod rack;
mod reason;
pub(super) mod scan;
mod session_expires;
mod via;

pub use cseq::CSeq;
pub use media_type::MediaType;
pub use name::HeaderName;
pub use name_addr::{Contacts, NameAddr};
pub use params::Params;
pub use rack::RAck;
pub use reason::Reason;
pub use session_expires::{RefresherRole, SessionExpires};
pub use via::Via;
