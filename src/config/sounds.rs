//! Every sound that is named must be there.

use std::path::Path;

use super::files::nowhere;
use super::notes::Notes;
use super::section::At;
use super::words::nearest;
use crate::media::Library;

/// Checks that `directory` has a file for every sound in `named`.
pub(super) fn check(directory: &Path, named: &[At<String>], notes: &Notes) {
    if named.is_empty() {
        return;
    }
    let known = match Library::list(directory) {
        Ok(known) => known,
        Err(error) => {
            let message = format!("cannot read the sounds in {}: {error}", directory.display());
            let help = "set sounds = \"...\" in node.toml to the directory of sound files";
            return notes.error(&nowhere("node.toml"), message, help);
        }
    };
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    for sound in named {
        if !known.contains(&sound.value) {
            let message = format!("there is no sound \"{}\"", sound.value);
            // There are too many sounds for a list of them to help.
            let help = match nearest(&sound.value, &names) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("put {}.wav into the sounds directory", sound.value),
            };
            notes.error(&sound.place, message, help);
        }
    }
}
