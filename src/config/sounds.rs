//! Every sound that is named must be there.

use std::path::PathBuf;

use super::files::nowhere;
use super::notes::Notes;
use super::section::At;
use super::words::nearest;
use crate::media::Library;

/// Checks that one of `directories` has a file for every sound in `named`.
pub(super) fn check(directories: &[PathBuf], language: &str, named: &[At<String>], notes: &Notes) {
    if named.is_empty() {
        return;
    }
    let library = match Library::open(directories, language) {
        Ok(library) => library,
        Err(errors) => {
            let help = "set sounds = \"...\" in node.toml to the directory of sound files";
            for error in errors {
                notes.error(&nowhere("node.toml"), error.to_string(), help);
            }
            return;
        }
    };
    let names = library.names();
    for sound in named {
        if !library.has(&sound.value) {
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
