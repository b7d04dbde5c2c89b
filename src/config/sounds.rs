//! Every sound that is named must be there.

use std::collections::HashSet;
use std::path::Path;

use super::files::nowhere;
use super::section::{At, Notes};
use super::words::remedy;

/// Checks that `directory` has a file for every sound in `named`.
pub(super) fn check(directory: &Path, named: &[At<String>], notes: &Notes) {
    if named.is_empty() {
        return;
    }
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("cannot read the sounds in {}: {error}", directory.display());
            let help = "set sounds = \"...\" in node.toml to the directory of WAV files";
            return notes.error(&nowhere("node.toml"), message, help);
        }
    };
    let mut known: HashSet<String> = BUILT_IN.iter().map(|&name| name.to_owned()).collect();
    known.extend(entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(name.strip_suffix(".wav")?.to_owned())
    }));
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    names.sort_unstable();
    for sound in named {
        if !known.contains(&sound.value) {
            let message = format!("there is no sound \"{}\"", sound.value);
            let introduction = format!("put {}.wav into the sounds directory; it has", sound.value);
            notes.error(
                &sound.place,
                message,
                remedy(&sound.value, &names, &introduction),
            );
        }
    }
}

/// Sounds the switch makes itself.
const BUILT_IN: [&str; 3] = ["busy", "ringback", "tone-1004"];
