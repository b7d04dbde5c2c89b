//! `[dialogs]`: which SIP extensions phones' calls are held under; trunks have their profile.

use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::section::Section;
use super::terms;
use crate::sip::ua::{SessionTimer, Terms};

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
    terms::read(&section, terms);
    if let Some(at) = section.flag("pass_reason") {
        settings.pass_reason = at.value;
    }
    let mut timer = SessionTimer::default();
    if let Some(at) = section.duration("session_expires", terms::SESSION) {
        timer.expires = at.value;
    }
    terms::read_timer(&section, Some(&mut timer), notes);
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
