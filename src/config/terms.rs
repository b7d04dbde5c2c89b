//! Keys about extensions that `[dialogs]` and trunks have in common.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::notes::Notes;
use super::section::Section;
use crate::sip::ua::{Refresher, Reliable, SessionTimer, Terms};

/// Times that `session_expires` and `min_se` may have.
pub(super) const SESSION: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Reads `reliable` and `update`.
pub(super) fn read(section: &Section<'_>, terms: &mut Terms) {
    let modes = [
        ("off", Reliable::Off),
        ("supported", Reliable::Supported),
        ("required", Reliable::Required),
    ];
    if let Some(reliable) = section.one_of("reliable", &modes) {
        terms.reliable = reliable.value;
    }
    if let Some(update) = section.flag("update") {
        terms.update = update.value;
    }
}

/// Reads `min_se` and `refresher` of a timer whose `expires` is known; without a timer they are
/// only looked at.
pub(super) fn read_timer(section: &Section<'_>, timer: Option<&mut SessionTimer>, notes: &Notes) {
    let min_se = section.duration("min_se", SESSION);
    let refreshers = [
        ("any", Refresher::Any),
        ("peer", Refresher::Peer),
        ("us", Refresher::Us),
    ];
    let refresher = section.one_of("refresher", &refreshers);
    let Some(timer) = timer else { return };
    if let Some(refresher) = refresher {
        timer.refresher = refresher.value;
    }
    if let Some(min_se) = &min_se {
        timer.min_se = min_se.value;
        if min_se.value < Duration::from_secs(90) {
            notes.warning(
                &min_se.place,
                "`min_se` below 90s is less than RFC 4028 allows",
                "fit for tests; write min_se = \"90s\" or more",
            );
        }
    }
    if timer.expires < timer.min_se {
        let place = min_se.as_ref().map_or(section.place(), |at| &at.place);
        let help = "make `session_expires` the longer of the two";
        notes.error(place, "`session_expires` is shorter than `min_se`", help);
    }
}
