//! Numbers that lead elsewhere for a while: a file in `overrides/` of the data directory for each.
//!
//! The files are the whole truth: what people, scripts and the API do is the same thing, and it
//! outlives the process.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::trunk::{NumberOverride, NumberOverrides};

/// The folder of overrides.
#[derive(Clone, Debug)]
pub struct OverrideFiles {
    folder: PathBuf,
}

/// What the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOverrides {
    /// The overrides.
    pub overrides: NumberOverrides,
    /// What could not be understood, in words. Those numbers keep their own flows.
    pub doubts: Vec<String>,
}

impl OverrideFiles {
    /// Those in a data directory. Nothing is made or read yet.
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join("overrides"),
        }
    }

    /// Makes the folder, so that people can put files into it.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn make_folder(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)
    }

    /// Reads every override. A file whose name begins with a dot is none.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; when it is not there nothing is overridden.
    pub fn read(&self) -> io::Result<ReadOverrides> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(ReadOverrides::default());
            }
            Err(error) => return Err(error),
        };
        let mut read = Vec::new();
        let mut doubts = Vec::new();
        for entry in entries.take(MOST_FILES) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || entry.file_type()?.is_dir() {
                continue;
            }
            let understood = match read_text(&entry.path()) {
                Ok(text) => NumberOverride::parse(&text).map_err(|error| error.to_string()),
                // It was taken back meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(error.to_string()),
            };
            match understood {
                Ok(it) => read.push((name, it)),
                Err(error) => doubts.push(format!("overrides/{name}: {error}")),
            }
        }
        doubts.sort_unstable();
        Ok(ReadOverrides {
            overrides: read.into_iter().collect(),
            doubts,
        })
    }

    /// Leads a number elsewhere, on disk when this returns.
    ///
    /// # Errors
    ///
    /// What the file system says, or a number that is no file's name.
    pub fn set(&self, number: &str, it: &NumberOverride) -> io::Result<()> {
        let path = self.path(number)?;
        self.make_folder()?;
        let new = self.folder.join(format!(".{number}.new"));
        let mut file = File::create(&new)?;
        file.write_all(it.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Takes an override back; whether there was one.
    ///
    /// # Errors
    ///
    /// As [`OverrideFiles::set`].
    pub fn lift(&self, number: &str) -> io::Result<bool> {
        match fs::remove_file(self.path(number)?) {
            Ok(()) => {
                File::open(&self.folder)?.sync_all()?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, number: &str) -> io::Result<PathBuf> {
        if number.is_empty() || number.starts_with('.') || number.contains(['/', '\0']) {
            let words = format!("\"{number}\" is no file's name");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        Ok(self.folder.join(number))
    }
}

/// The beginning of a file: a reason is short.
fn read_text(path: &Path) -> io::Result<String> {
    let mut octets = Vec::new();
    File::open(path)?
        .take(MOST_OCTETS)
        .read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// More numbers than anybody has.
const MOST_FILES: usize = 10_000;
const MOST_OCTETS: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn an_override_is_a_file_that_appears_and_vanishes() {
        let data = tempfile::tempdir().unwrap();
        let files = OverrideFiles::of(data.path());
        assert_eq!(files.read().unwrap(), ReadOverrides::default());
        let it = NumberOverride {
            flow: "maintenance".to_owned(),
            until: None,
            reason: Some("保守".to_owned()),
        };
        files.set("+81312345678", &it).unwrap();
        fs::write(data.path().join("overrides/100"), "flow: test\nuntil: soon").unwrap();
        let read = files.read().unwrap();
        assert_eq!(
            read.overrides.of("+81312345678", Timestamp::ZERO),
            Some(&it)
        );
        assert!(read.overrides.of("100", Timestamp::ZERO).is_none());
        assert_eq!(read.doubts.len(), 1, "{:?}", read.doubts);
        assert!(files.lift("+81312345678").unwrap());
        assert!(!files.lift("+81312345678").unwrap());
        for name in ["", "../x", "a/b", ".x"] {
            assert!(files.set(name, &it).is_err(), "{name:?}");
        }
    }
}
