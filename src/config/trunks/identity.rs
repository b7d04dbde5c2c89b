//! What a trunk believes and says about who calls: `trusted`, `assert`, `caller_from`,
//! `dialled_from`, `forwarding`, `display_names`, `anonymous`, `withhold`, `pass_caller`,
//! `called_format`, `caller_format`, `caller_ids`.

use crate::config::notes::Notes;
use crate::config::section::Section;
use crate::config::site;
use crate::config::words::remedy;
use crate::trunk::{
    AnonymousForm, Assertion, CallerSource, DialledSource, Forwarding, IdentityPolicy,
    NumberFormat, Site, Withhold,
};

/// Reads one trunk's keys over what its profile says.
pub(super) fn read(
    trunk: &Section<'_>,
    base: IdentityPolicy,
    site: Option<&Site>,
    notes: &Notes,
) -> IdentityPolicy {
    let flag = |key, base| trunk.flag(key).map_or(base, |at| at.value);
    let caller_ids = site::caller_ids(trunk, site, notes);
    IdentityPolicy {
        trusted: flag("trusted", base.trusted),
        asserts: word(trunk, "assert", &Assertion::WORDS, base.asserts),
        caller_from: words(
            trunk,
            "caller_from",
            &CallerSource::WORDS,
            base.caller_from,
            notes,
        ),
        dialled_from: words(
            trunk,
            "dialled_from",
            &DialledSource::WORDS,
            base.dialled_from,
            notes,
        ),
        forwarding: word(trunk, "forwarding", &Forwarding::WORDS, base.forwarding),
        display_names: flag("display_names", base.display_names),
        anonymous: word(trunk, "anonymous", &AnonymousForm::WORDS, base.anonymous),
        withhold: word(trunk, "withhold", &Withhold::WORDS, base.withhold),
        pass_caller: flag("pass_caller", base.pass_caller),
        called_format: format(trunk, "called_format", base.called_format, site, notes),
        caller_format: format(trunk, "caller_format", base.caller_format, site, notes),
        caller_ids: match caller_ids.is_empty() {
            true => base.caller_ids,
            false => caller_ids,
        },
    }
}

fn word<T: Copy>(
    trunk: &Section<'_>,
    key: &'static str,
    words: &[(&'static str, T)],
    base: T,
) -> T {
    trunk.one_of(key, words).map_or(base, |at| at.value)
}

/// A list of words, in the order written.
fn words<T: Copy>(
    trunk: &Section<'_>,
    key: &'static str,
    known: &[(&'static str, T)],
    base: Vec<T>,
    notes: &Notes,
) -> Vec<T> {
    let Some(texts) = trunk.texts(key) else {
        return base;
    };
    let mut found = Vec::new();
    for text in texts {
        match known.iter().find(|(word, _)| *word == text.value) {
            Some((_, value)) => found.push(*value),
            None => {
                let all: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
                let message = format!("`{key}` cannot hold \"{}\"", text.value);
                let help = remedy(&text.value, &all, &format!("`{key}` holds"));
                notes.error(&text.place, message, help);
            }
        }
    }
    found
}

/// A form of numbers; all but one need the plan of a site.
fn format(
    trunk: &Section<'_>,
    key: &'static str,
    base: NumberFormat,
    site: Option<&Site>,
    notes: &Notes,
) -> NumberFormat {
    let Some(at) = trunk.one_of(key, &NumberFormat::WORDS) else {
        return base;
    };
    if site.is_none() && at.value != NumberFormat::AsDialled {
        let message = format!("`{key}` needs a numbering plan");
        let help = "set country and area in [site] of node.toml, such as \"jp\" and \"3\"";
        notes.error(&at.place, message, help);
    }
    at.value
}
