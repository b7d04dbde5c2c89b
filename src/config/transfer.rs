//! Keys about transfers: `[transfer]` in `node.toml`, and those of trunks and phones.

use super::section::Section;
use crate::call::{Replace, Transfers};
use crate::trunk::TransferPolicy;

/// Reads the node's `[transfer]`.
pub(super) fn read(node: &Section<'_>) -> Transfers {
    let default = Transfers::default();
    let Some(section) = node.section("transfer", "[transfer]") else {
        return default;
    };
    let sounds = [("ringback", "ringback"), ("music", "music")];
    let transfers = Transfers {
        sound: section
            .one_of("sound", &sounds)
            .map_or(default.sound, |at| at.value.to_owned()),
        recall: section.flag("recall").map_or(default.recall, |at| at.value),
    };
    section.close();
    transfers
}

/// Reads a trunk's keys.
pub(super) fn read_trunk(trunk: &Section<'_>) -> TransferPolicy {
    let flag = |key| trunk.flag(key).is_some_and(|at| at.value);
    TransferPolicy {
        accept_refer: flag("accept_refer"),
        pass_refer: flag("pass_refer"),
        referred_by: flag("referred_by"),
    }
}

/// Reads a phone's keys: whether it may transfer, and whose dialogs it may take over.
pub(super) fn read_phone(phone: &Section<'_>) -> (bool, Replace) {
    let words = [
        ("own", Replace::Own),
        ("ringing", Replace::Ringing),
        ("any", Replace::Any),
    ];
    (
        phone.flag("may_transfer").is_none_or(|at| at.value),
        phone
            .one_of("replaces", &words)
            .map_or(Replace::Own, |at| at.value),
    )
}
