//! What is said by hand: a folder of the data directory with a small file for each thing that is
//! closed or leads elsewhere.
//!
//! The files are the whole truth: what people, scripts and the API do is the same thing, and it
//! outlives the process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What a file can say.
pub trait Note: Sized {
    /// The folder's name in the data directory.
    const FOLDER: &'static str;

    /// What a file says, `None` if it counts for nothing, and what is doubtful about it, in words.
    /// The text is an error when the file is there and cannot be read.
    fn parse(text: io::Result<String>) -> (Option<Self>, Option<String>);

    /// The text that [`Note::parse`] reads.
    fn to_text(&self) -> String;
}

/// The folder of notes of one kind.
#[derive(Clone, Debug)]
pub struct Notes<N> {
    folder: PathBuf,
    kind: PhantomData<fn() -> N>,
}

/// What the folder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadNotes<N> {
    /// What counts, by the files' names.
    pub notes: BTreeMap<String, N>,
    /// What could not be understood, in words and in order.
    pub doubts: Vec<String>,
}

impl<N: Note> Notes<N> {
    /// Those in a data directory. Nothing is made or read yet.
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join(N::FOLDER),
            kind: PhantomData,
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

    /// Reads every note. A file whose name begins with a dot is none.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; when it is not there nothing is said.
    pub fn read(&self) -> io::Result<ReadNotes<N>> {
        let mut read = ReadNotes {
            notes: BTreeMap::new(),
            doubts: Vec::new(),
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(read),
            Err(error) => return Err(error),
        };
        for entry in entries.take(MOST_FILES) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || entry.file_type()?.is_dir() {
                continue;
            }
            let text = match read_text(&entry.path()) {
                // It was taken back meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text,
            };
            let (note, doubt) = N::parse(text);
            let doubt = doubt.map(|doubt| format!("{}/{name}: {doubt}", N::FOLDER));
            read.doubts.extend(doubt);
            if let Some(note) = note {
                read.notes.insert(name, note);
            }
        }
        read.doubts.sort_unstable();
        Ok(read)
    }

    /// Writes a note, on disk when this returns.
    ///
    /// # Errors
    ///
    /// What the file system says, or a name that is no file's.
    pub fn write(&self, name: &str, note: &N) -> io::Result<()> {
        let path = self.path(name)?;
        self.make_folder()?;
        let new = self.folder.join(format!(".{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(note.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Takes a note back; whether there was one.
    ///
    /// # Errors
    ///
    /// As [`Notes::write`].
    pub fn remove(&self, name: &str) -> io::Result<bool> {
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

/// More calendars and numbers than anybody has.
const MOST_FILES: usize = 10_000;
const MOST_OCTETS: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Closing;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let notes = Notes::of(data.path());
        for name in ["", "..", "../x", "a/b", ".x", "a\0"] {
            assert!(notes.write(name, &Closing::default()).is_err(), "{name:?}");
            assert!(notes.remove(name).is_err(), "{name:?}");
        }
    }
}
