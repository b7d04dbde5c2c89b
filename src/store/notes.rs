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

    /// Takes a note back that is over. What the file says is asked once more when nobody can write it any
    /// more: somebody may have put the end off since it was read. Then it stays, and is told, if it counts.
    ///
    /// # Errors
    ///
    /// As [`Notes::write`].
    pub fn remove_over(
        &self,
        name: &str,
        is_over: impl FnOnce(&N) -> bool,
    ) -> io::Result<Option<N>> {
        let path = self.path(name)?;
        let aside = self.folder.join(format!(".{name}{ASIDE}"));
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            done => done?,
        }
        let note = N::parse(read_text(&aside)).0;
        // What cannot be understood is not over: whoever writes it may not be done.
        if note.as_ref().is_some_and(is_over) {
            fs::remove_file(&aside)?;
            File::open(&self.folder)?.sync_all()?;
            return Ok(None);
        }
        match put_back(&aside, &path)? {
            true => Ok(note),
            false => Ok(N::parse(read_text(&path)).0),
        }
    }

    /// Puts back what [`Notes::remove_over`] had set aside when the process died.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn recover(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)?.take(MOST_FILES) {
            let entry = entry?;
            let file = entry.file_name();
            let name = file.to_str().and_then(|it| it.strip_prefix('.'));
            let name = name.and_then(|it| it.strip_suffix(ASIDE));
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                put_back(&entry.path(), &self.folder.join(name))?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            let words = format!("\"{name}\" is no file's name");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        Ok(self.folder.join(name))
    }
}

/// Gives a file its name again; `false` when there is a newer one of it, which counts.
fn put_back(aside: &Path, path: &Path) -> io::Result<bool> {
    let is_first = match fs::hard_link(aside, path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        // Not every file system has a second name for a file.
        Err(_) if !path.try_exists()? => {
            fs::rename(aside, path)?;
            return Ok(true);
        }
        Err(_) => false,
    };
    fs::remove_file(aside)?;
    Ok(is_first)
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
/// Ending of a note that is looked at once more before it goes.
const ASIDE: &str = ".over";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::calendar::Closing;

    #[test]
    fn what_was_put_off_meanwhile_is_not_over() {
        let data = tempfile::tempdir().unwrap();
        let notes = Notes::of(data.path());
        let ends = |seconds: i64| Closing {
            reason: None,
            until: Some(Timestamp::from_millis(seconds * 1000)),
        };
        let now = Timestamp::from_millis(10_000);
        let remove = |name: &str| notes.remove_over(name, |it: &Closing| !it.holds(now));
        let files = || {
            let entries = fs::read_dir(data.path().join("closed")).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        notes.write("a", &ends(10)).unwrap();
        notes.write("b", &ends(20)).unwrap();
        assert_eq!(remove("a").unwrap(), None);
        assert_eq!(remove("b").unwrap(), Some(ends(20)));
        assert_eq!(remove("none").unwrap(), None);
        assert_eq!(files(), ["b"]);
        // A script that has opened it and not written yet.
        fs::write(data.path().join("closed/b"), "").unwrap();
        assert_eq!(remove("b").unwrap(), Some(Closing::default()));
        assert_eq!(files(), ["b"]);
    }

    #[test]
    fn what_was_set_aside_when_the_process_died_comes_back_unless_there_is_a_newer_one() {
        let data = tempfile::tempdir().unwrap();
        let notes = Notes::<Closing>::of(data.path());
        notes.make_folder().unwrap();
        for (name, text) in [(".a.over", "old"), (".b.over", "old"), ("b", "new")] {
            fs::write(data.path().join("closed").join(name), text).unwrap();
        }
        notes.recover().unwrap();
        notes.recover().unwrap();
        let read = notes.read().unwrap().notes;
        let reasons: Vec<_> = read.iter().map(|(name, it)| (name, &it.reason)).collect();
        let reason = |text: &str| Some(text.to_owned());
        assert_eq!(
            reasons,
            [
                (&"a".to_owned(), &reason("old")),
                (&"b".to_owned(), &reason("new"))
            ]
        );
        assert!(!data.path().join("closed/.b.over").exists());
    }

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
