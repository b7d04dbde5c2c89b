//! Typed views of header fields (RFC 3261 §20); one file a header or a part that headers share.

mod asserted;
mod cseq;
mod diversion;
mod history_info;
mod media_type;
mod name;
mod name_addr;
mod params;
mod privacy;
mod rack;
mod reason;
mod refer_to;
mod remote_party;
mod replaces;
pub(super) mod scan;
mod session_expires;
mod telephone;
mod via;

pub use asserted::Asserted;
pub use cseq::CSeq;
pub use diversion::{Diversion, DivertReason};
pub use history_info::{HistoryEntry, HistoryOrigin, diversions};
pub use media_type::MediaType;
pub use name::HeaderName;
pub use name_addr::{Contacts, NameAddr};
pub use params::Params;
pub use privacy::Privacy;
pub use rack::RAck;
pub use reason::Reason;
pub use refer_to::{BadReferTo, ReferTo};
pub use remote_party::RemoteParty;
pub use replaces::Replaces;
pub use session_expires::{RefresherRole, SessionExpires};
pub use telephone::Telephone;
pub use via::Via;
