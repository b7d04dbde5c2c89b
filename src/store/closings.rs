//! Closed by hand: a file in `closed/` of the data directory for each calendar that is, or `all`.
//!
//! The files are the whole truth: what people, scripts and the API do is the same thing, and it
//! outlives the process.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::calendar::{Closing, Closings};

/// The folder of closings.
#[derive(Clone, Debug)]
pub struct ClosingFiles {
    folder: PathBuf,
}

/// What the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadClosings {
    /// The closings.
    pub closings: Closings,
    /// What could not be understood, in words. Those calendars are closed all the same.
    pub doubts: Vec<String>,
}

impl ClosingFiles {
    /// Those in a data directory. Nothing is made or read yet.
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join("closed"),
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

    /// Reads every closing. A file whose name begins with a dot is none; one that is there and cannot
    /// be read closes without a reason.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; when it is not there nothing is closed.
    pub fn read(&self) -> io::Result<ReadClosings> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(ReadClosings::default());
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
            match read_text(&entry.path()) {
                Ok(text) => {
                    let (closing, doubt) = Closing::parse(&text);
                    doubts.extend(doubt.map(|doubt| format!("closed/{name}: {doubt}")));
                    read.push((name, closing));
                }
                // It was taken back meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    doubts.push(format!("closed/{name}: {error}"));
                    read.push((name, Closing::default()));
                }
            }
        }
        Ok(ReadClosings {
            closings: read.into_iter().collect(),
            doubts,
        })
    }

    /// Closes a calendar, on disk when this returns.
    ///
    /// # Errors
    ///
    /// What the file system says, or a name that is no file's.
    pub fn close(&self, name: &str, closing: &Closing) -> io::Result<()> {
        let path = self.path(name)?;
        self.make_folder()?;
        let new = self.folder.join(format!(".{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(closing.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Takes a closing back; whether there was one.
    ///
    /// # Errors
    ///
    /// As [`ClosingFiles::close`].
    pub fn open(&self, name: &str) -> io::Result<bool> {
        match fs::remove_file(self.path(name)?) {
            Ok(()) => {
                File::open(&self.folder)?.sync_all()?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            let words = format!("\"{name}\" is no file's name");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        Ok(self.folder.join(name))
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

/// More calendars than anybody has.
const MOST_FILES: usize = 10_000;
const MOST_OCTETS: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn a_closing_is_a_file_that_appears_and_vanishes() {
        let data = tempfile::tempdir().unwrap();
        let files = ClosingFiles::of(data.path());
        assert_eq!(files.read().unwrap(), ReadClosings::default());
        let closing = Closing {
            reason: Some("台風のため".to_owned()),
            until: Some(Timestamp::from_millis(1_795_136_523_000)),
        };
        files.close("診療所", &closing).unwrap();
        fs::write(data.path().join("closed/all"), "").unwrap();
        fs::write(data.path().join("closed/.hidden"), "").unwrap();
        fs::write(data.path().join("closed/odd"), "until: soon").unwrap();
        fs::create_dir(data.path().join("closed/folder")).unwrap();
        let read = files.read().unwrap();
        let names: Vec<&str> = read.closings.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["all", "odd", "診療所"]);
        let (_, kept) = read.closings.of("診療所", Timestamp::ZERO).unwrap();
        assert_eq!(kept, &closing);
        assert_eq!(read.doubts.len(), 1, "{:?}", read.doubts);
        assert!(files.open("診療所").unwrap());
        assert!(!files.open("診療所").unwrap());
        assert_eq!(files.read().unwrap().closings.iter().count(), 2);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let files = ClosingFiles::of(data.path());
        for name in ["", "..", "../x", "a/b", ".x", "a\0"] {
            assert!(files.close(name, &Closing::default()).is_err(), "{name:?}");
            assert!(files.open(name).is_err(), "{name:?}");
        }
    }
}
