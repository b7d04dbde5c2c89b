//! `[conference]` of `node.toml`: what holds where more than two talk.

use super::section::{At, Section};
use crate::call::ConferenceTerms;
use crate::media::RoomTerms;

/// Reads the section, and where its sound was named.
pub(super) fn read(node: &Section<'_>) -> (ConferenceTerms, Option<At<String>>) {
    let default = ConferenceTerms::default();
    let Some(section) = node.section("conference", "[conference]") else {
        return (default, None);
    };
    let flag = |key, default| section.flag(key).map_or(default, |at| at.value);
    let beep = section.text("beep");
    let terms = ConferenceTerms {
        room: RoomTerms {
            levelling: flag("level", default.room.levelling),
            tells_talkers: flag("talkers", default.room.tells_talkers),
        },
        beep: beep.as_ref().map(|at| at.value.clone()),
    };
    section.close();
    (terms, beep)
}
