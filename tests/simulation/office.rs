//! The demo office of the repository, as it is or with a few words changed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tsunagu::config::{self, Environment, Office};
use tsunagu::media::Library;

/// The demo office.
pub(crate) fn demo() -> Office {
    static DEMO: OnceLock<Office> = OnceLock::new();
    DEMO.get_or_init(|| load(&root().join("config"))).clone()
}

/// The demo office with texts of its files replaced: file, what stands there, what is to.
pub(crate) fn changed(changes: &[(&str, &str, &str)]) -> Office {
    let directory = tempfile::tempdir().expect("a directory");
    copy(&root().join("config"), directory.path());
    for (file, before, after) in changes {
        let path = directory.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a file of the office");
        assert!(text.contains(before), "{file} does not say {before:?}");
        std::fs::write(&path, text.replace(before, after)).expect("written");
    }
    load(directory.path())
}

/// The sounds of the repository, read once.
pub(crate) fn sounds() -> Library {
    static SOUNDS: OnceLock<Library> = OnceLock::new();
    SOUNDS
        .get_or_init(|| Library::load(&root().join("sounds")).expect("sounds that can be read"))
        .clone()
}

fn load(directory: &Path) -> Office {
    let sounds = root().join("sounds").display().to_string();
    let line = ("LINE", "secret".to_owned());
    let environment = Environment::from_iter([("TSUNAGU_SOUNDS", sounds), line]);
    config::load(directory, &environment).unwrap_or_else(|report| panic!("{report}"))
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
