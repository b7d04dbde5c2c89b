//! Who calls, between us and one carrier: what we believe, what we say, which numbers are ours to
//! show (RFC 3323, RFC 3325, RFC 5806, RFC 7044, RFC 7315 §4.2).

mod caller_id;
mod caller_ids;
mod heard;
mod rights;
mod shown;

use serde::{Deserialize, Serialize};

use super::NumberFormat;

pub use caller_id::{
    CallerIdCase, Denied, Wish, WishSource, choose as choose_caller_id,
    for_emergency as caller_id_of_emergency,
};
pub use caller_ids::{CallerIds, CallerIdsError};
pub use heard::{Heard, is_anonymous};
pub use rights::CallerRights;
pub use shown::{Presented, Shown, anonymous};

/// How one trunk treats identities. `Default` is the generic carrier: From says who calls, nothing
/// is asserted, nothing that is asserted to us is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityPolicy {
    /// Whether the carrier is within our trust domain (RFC 3325 §2.3): what it asserts is believed,
    /// and it gets the number of a caller who withholds it, to keep it back itself. Without trust
    /// such a number never leaves.
    pub trusted: bool,
    /// Which header tells the carrier who calls, besides From.
    pub asserts: Assertion,
    /// Where the caller's number is looked for, in order. Without trust only From counts.
    pub caller_from: Vec<CallerSource>,
    /// Where the dialled number is looked for, in order. Without trust P-Called-Party-ID does not
    /// count (RFC 7315 §6.2).
    pub dialled_from: Vec<DialledSource>,
    /// What our INVITEs say about diversions.
    pub forwarding: Forwarding,
    /// Whether names go out with numbers.
    pub display_names: bool,
    /// What From says for a caller who withholds his number.
    pub anonymous: AnonymousForm,
    /// How the carrier is told to withhold a number.
    pub withhold: Withhold,
    /// Whether a call that we send on shows the number of its caller, which is not ours.
    pub pass_caller: bool,
    /// Form of dialled numbers, out; and the form in which the carrier sends them.
    pub called_format: NumberFormat,
    /// Form of callers' numbers, out; and the form in which the carrier sends them.
    pub caller_format: NumberFormat,
    /// Numbers the trunk owns. Empty: its `caller_id` alone, or, without one, not known.
    pub caller_ids: CallerIds,
}

/// Which header tells a carrier who calls, besides From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assertion {
    /// P-Asserted-Identity and P-Preferred-Identity.
    Both,
    /// None.
    #[default]
    Nothing,
    /// P-Asserted-Identity.
    Pai,
    /// P-Preferred-Identity: the carrier asserts what it chooses.
    Ppi,
}

/// Where a caller's number may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerSource {
    /// From.
    From,
    /// P-Asserted-Identity.
    Pai,
    /// P-Preferred-Identity.
    Ppi,
    /// Remote-Party-ID.
    Rpid,
}

/// Where a dialled number may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialledSource {
    /// P-Called-Party-ID.
    CalledParty,
    /// The Request-URI.
    RequestUri,
    /// To.
    To,
}

/// What our INVITEs say about diversions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    /// Diversion and History-Info.
    Both,
    /// Diversion.
    Diversion,
    /// History-Info.
    HistoryInfo,
    /// Nothing.
    #[default]
    Nothing,
}

/// What From says for a caller who withholds his number (RFC 3323 §4.1.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnonymousForm {
    /// `anonymous` at our own host, for carriers that want to see whose From it is.
    Host,
    /// `"Anonymous" <sip:anonymous@anonymous.invalid>`.
    #[default]
    Invalid,
}

/// How a carrier is told to withhold a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withhold {
    /// `Privacy: id` and an anonymous From.
    #[default]
    Header,
    /// The country's prefix before the dialled number (184 in Japan); From stays.
    Prefix,
}

impl Default for IdentityPolicy {
    fn default() -> Self {
        use CallerSource::{From, Pai, Ppi, Rpid};
        Self {
            trusted: false,
            asserts: Assertion::default(),
            caller_from: vec![Pai, Ppi, Rpid, From],
            dialled_from: vec![DialledSource::RequestUri],
            forwarding: Forwarding::default(),
            display_names: false,
            anonymous: AnonymousForm::default(),
            withhold: Withhold::default(),
            pass_caller: false,
            called_format: NumberFormat::default(),
            caller_format: NumberFormat::default(),
            caller_ids: CallerIds::default(),
        }
    }
}

impl IdentityPolicy {
    /// The NTT NGN (Hikari Denwa, direct): P-Preferred-Identity out and never P-Asserted-Identity,
    /// P-Called-Party-ID in, To when there is none; numbers in 0AB-J.
    pub fn ntt_ngn() -> Self {
        Self {
            trusted: true,
            asserts: Assertion::Ppi,
            dialled_from: vec![
                DialledSource::CalledParty,
                DialledSource::To,
                DialledSource::RequestUri,
            ],
            called_format: NumberFormat::National,
            caller_format: NumberFormat::National,
            ..Self::default()
        }
    }

    /// Twilio: `+` everywhere; From or P-Asserted-Identity tells the verified number.
    pub fn twilio() -> Self {
        Self {
            trusted: true,
            asserts: Assertion::Pai,
            forwarding: Forwarding::Diversion,
            called_format: NumberFormat::E164,
            caller_format: NumberFormat::E164,
            ..Self::default()
        }
    }

    /// Telnyx: reads P-Preferred-Identity before all others; `Privacy: id`.
    pub fn telnyx() -> Self {
        Self {
            trusted: true,
            asserts: Assertion::Ppi,
            forwarding: Forwarding::Diversion,
            called_format: NumberFormat::E164,
            caller_format: NumberFormat::E164,
            ..Self::default()
        }
    }

    /// Vonage: From alone, E.164 without `+`.
    pub fn vonage() -> Self {
        Self {
            called_format: NumberFormat::International,
            caller_format: NumberFormat::International,
            ..Self::default()
        }
    }
}

impl Assertion {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, Assertion); 4] = [
        ("both", Assertion::Both),
        ("from", Assertion::Nothing),
        ("pai", Assertion::Pai),
        ("ppi", Assertion::Ppi),
    ];

    fn has_pai(self) -> bool {
        matches!(self, Assertion::Both | Assertion::Pai)
    }

    fn has_ppi(self) -> bool {
        matches!(self, Assertion::Both | Assertion::Ppi)
    }
}

impl CallerSource {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, CallerSource); 4] = [
        ("from", CallerSource::From),
        ("pai", CallerSource::Pai),
        ("ppi", CallerSource::Ppi),
        ("rpid", CallerSource::Rpid),
    ];
}

impl DialledSource {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, DialledSource); 3] = [
        ("p-called-party-id", DialledSource::CalledParty),
        ("request-uri", DialledSource::RequestUri),
        ("to", DialledSource::To),
    ];
}

impl Forwarding {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, Forwarding); 4] = [
        ("both", Forwarding::Both),
        ("diversion", Forwarding::Diversion),
        ("history-info", Forwarding::HistoryInfo),
        ("none", Forwarding::Nothing),
    ];
}

impl AnonymousForm {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, AnonymousForm); 2] = [
        ("host", AnonymousForm::Host),
        ("invalid", AnonymousForm::Invalid),
    ];
}

impl Withhold {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, Withhold); 2] =
        [("header", Withhold::Header), ("prefix", Withhold::Prefix)];
}
