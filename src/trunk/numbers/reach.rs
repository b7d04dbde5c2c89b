//! Who reaches a line of the plan.

use serde::{Deserialize, Serialize};

use super::Origin;

/// Who reaches an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Whether phones (and flows) do.
    pub phones: bool,
    /// Which trunks do.
    pub trunks: TrunkReach,
}

/// Which trunks reach an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkReach {
    /// Every trunk.
    All,
    /// These, by name.
    Named(Vec<String>),
    /// None.
    None,
}

impl Reach {
    /// Phones and flows, no trunk.
    pub const PHONES: Reach = Reach {
        phones: true,
        trunks: TrunkReach::None,
    };

    pub(super) fn includes(&self, origin: Origin<'_>) -> bool {
        match (origin, &self.trunks) {
            (Origin::Flow | Origin::Phone(_), _) => self.phones,
            (Origin::Trunk(_), TrunkReach::All) => true,
            (Origin::Trunk(name), TrunkReach::Named(names)) => {
                names.iter().any(|named| named == name)
            }
            (Origin::Trunk(_), TrunkReach::None) => false,
        }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        let trunks = match (&self.trunks, &other.trunks) {
            (TrunkReach::None, _) | (_, TrunkReach::None) => false,
            (TrunkReach::All, _) | (_, TrunkReach::All) => true,
            (TrunkReach::Named(ours), TrunkReach::Named(theirs)) => {
                ours.iter().any(|name| theirs.contains(name))
            }
        };
        trunks || (self.phones && other.phones)
    }
}
