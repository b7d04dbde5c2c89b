//! Where recordings of a phone are made, and where they are put in the end.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A directory in the system's temporary place; gone with the phone.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("tsunagu-phone-{name}"));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over in the system's temporary place harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The file of the `number`th call, counted from 1: `call.wav`, `call-2.wav`, ...
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(ending) => format!("{stem}-{number}.{}", ending.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

/// Moves a finished recording to where it was asked for.
pub(super) fn place(made: &Path, wanted: &Path) -> anyhow::Result<()> {
    // Between file systems a file can only be copied.
    if std::fs::rename(made, wanted).is_err() {
        std::fs::copy(made, wanted)
            .with_context(|| format!("cannot write {}", wanted.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_calls_have_numbers_in_their_files_names() {
        let name = |path: &str, number| numbered(Path::new(path), number).display().to_string();
        assert_eq!(name("a/call.wav", 1), "a/call.wav");
        assert_eq!(name("a/call.wav", 2), "a/call-2.wav");
        assert_eq!(name("call", 12), "call-12");
    }
}
