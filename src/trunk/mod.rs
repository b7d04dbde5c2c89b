//! Carriers: trunks, and the number plan that says what a dialled number means.

mod carrier;
mod carriers;
mod identity;
mod numbering;
mod numbers;
mod overriding;
mod pattern;
pub mod profile;
pub mod qualify;
mod redirects;
pub mod registration;
mod transfer;

pub use crate::sip::location::Destination as Target;
pub use carrier::{Account, Trunk, accepting, calling};
pub use carriers::{
    AccountState, Carriers, Closed, Figures, Granted, Returned, TargetState, TrunkView, Way,
    is_alike,
};
pub use identity::{
    AnonymousForm, Assertion, CallerIdCase, CallerIds, CallerIdsError, CallerRights, CallerSource,
    Denied, DialledSource, Forwarding, Heard, IdentityPolicy, Presented, Shown, Wish, WishSource,
    Withhold, anonymous, caller_id_of_emergency, choose_caller_id, is_anonymous,
};

pub use crate::base::{Network, NetworkError};
pub use numbering::{
    Country, Number, NumberFormat, NumberKind, Presentation, Site, SiteError, Unreadable,
};
pub use numbers::{
    AgentService, Destination, Entry, MailboxService, Meaning, Numbers, Origin, Overlap, Reach,
    Service, Strip, TrunkReach,
};
pub use overriding::{NumberOverride, NumberOverrides, OverrideBoard, OverrideError};
pub use pattern::{Pattern, PatternError, normalise};
pub use profile::Profile;
pub use redirects::Redirects;
pub use transfer::TransferPolicy;
