//! `[dialogs]`: which SIP extensions calls are held under, where a trunk says nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::section::{Notes, Section};
use crate::sip::ua::{Refresher, Reliable, SessionTimer, Terms};

/// What all calls of the node are held under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogSettings {
    /// Extensions. Default: all that we know, none demanded.
    pub terms: Terms,
    /// Whether one party's Reason (RFC 3326) is told to the other. Default yes.
    pub pass_reason: bool,
}

impl Default for DialogSettings {
    fn default() -> Self {
        Self {
            terms: Terms::default(),
            pass_reason: true,
        }
    }
}

/// How far the session timer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Off,
    Required,
    Supported,
}

/// Reads the section and closes it.
pub(super) fn read(section: Section<'_>, notes: &Notes) -> DialogSettings {
    let mut settings = DialogSettings::default();
    let terms = &mut settings.terms;
    let words = [
        ("off", Reliable::Off),
        ("supported", Reliable::Supported),
        ("required", Reliable::Required),
    ];
    if let Some(at) = section.one_of("reliable", &words) {
        terms.reliable = at.value;
    }
    if let Some(at) = section.flag("update") {
        terms.update = at.value;
    }
    if let Some(at) = section.flag("pass_reason") {
        settings.pass_reason = at.value;
    }
    let mut timer = SessionTimer::default();
    let bounds = Duration::from_secs(1)..=Duration::from_secs(86_400);
    if let Some(at) = section.duration("session_expires", bounds.clone()) {
        timer.expires = at.value;
    }
    let min_se = section.duration("min_se", bounds);
    if let Some(at) = &min_se {
        timer.min_se = at.value;
        if at.value < Duration::from_secs(90) {
            let message = "`min_se` below 90s is less than RFC 4028 allows";
            notes.warning(
                &at.place,
                message,
                "fit for tests; write min_se = \"90s\" or more",
            );
        }
    }
    if timer.expires < timer.min_se {
        let place = min_se.as_ref().map_or(section.place(), |at| &at.place);
        let help = "make `session_expires` the longer of the two";
        notes.error(place, "`session_expires` is shorter than `min_se`", help);
    }
    let words = [
        ("any", Refresher::Any),
        ("peer", Refresher::Peer),
        ("us", Refresher::Us),
    ];
    if let Some(at) = section.one_of("refresher", &words) {
        timer.refresher = at.value;
    }
    let words = [
        ("off", Asked::Off),
        ("supported", Asked::Supported),
        ("required", Asked::Required),
    ];
    let asked = section.one_of("session_timer", &words);
    let asked = asked.map_or(Asked::Supported, |at| at.value);
    timer.required = asked == Asked::Required;
    terms.timer = (asked != Asked::Off).then_some(timer);
    section.close();
    settings
}
