//! `[journal]` of `node.toml`: how long the router's facts stay.

use std::time::Duration;

use super::section::Section;
use crate::journal::Retention;

/// Reads the section.
pub(super) fn read(journal: Section<'_>) -> Retention {
    let default = Retention::default();
    let hour = Duration::from_secs(3600);
    let keep = journal.duration("keep", hour..=hour * 24 * 36_500);
    let facts = journal.integer("keep_facts", 10_000..=1 << 40);
    journal.close();
    Retention {
        age: keep.map_or(default.age, |at| at.value),
        facts: facts.map_or(default.facts, |at| at.value.unsigned_abs()),
    }
}
