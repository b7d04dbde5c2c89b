//! Typed views of header fields (RFC 3261 §20); one file a header or a part that headers share.

mod cseq;
mod media_type;
mod name;
mod name_addr;
mod params;
mod refer_to;
mod replaces;
pub(super) mod scan;
mod via;

pub use cseq::CSeq;
pub use media_type::MediaType;
pub use name::HeaderName;
pub use name_addr::{Contacts, NameAddr};
pub use params::Params;
pub use refer_to::{BadReferTo, ReferTo};
pub use replaces::Replaces;
pub use via::Via;
