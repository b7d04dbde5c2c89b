//! Judges that are not ours, written in Python: where they are, and what runs them.

use std::path::{Path, PathBuf};

/// Python with the pinned libraries of `tests/data/judges`.
pub(crate) fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("target/tmp has a parent");
    let python = target.join("tools/judges/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/set-up test",
        python.display()
    );
    python
}

/// One of them.
pub(crate) fn judge(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/judges")
        .join(name)
}
