//! The sound files of one directory: those of no language, and those of each language in a folder of
//! its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::Sound;
use super::import::{ENDINGS, SoundError, read};
use super::progress::{self, Progress};

/// The sounds of a directory, each read when it is first wanted.
#[derive(Debug, Default)]
pub(super) struct Shelf(HashMap<String, Entry>);

/// Where a sound comes from, and the sound once it was wanted; nothing when it cannot be read.
#[derive(Debug)]
struct Entry {
    source: Source,
    sound: OnceLock<Option<Arc<Sound>>>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Tone(Progress),
    /// It was there from the first.
    Given,
}

impl Shelf {
    /// What lies in a directory, without a look inside the files. A name is the file's without its
    /// ending, behind its language's folder: `music`, `ja/greeting`.
    pub(super) fn list(directory: &Path) -> Result<Self, Vec<SoundError>> {
        let (mut shelf, mut errors) = (Self::default(), Vec::new());
        let mut folders = Vec::new();
        for path in paths(directory).map_err(|error| vec![error])? {
            if let Some(name) = sound_name(&path) {
                errors.extend(shelf.put(name, path));
            } else if let Some(language) = language(&path) {
                folders.push((language, path));
            }
        }
        for (language, folder) in folders {
            match paths(&folder) {
                Ok(paths) => {
                    for path in paths {
                        if let Some(name) = sound_name(&path) {
                            errors.extend(shelf.put(format!("{language}/{name}"), path));
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        match errors.is_empty() {
            true => Ok(shelf),
            false => Err(errors),
        }
    }

    /// The sounds that need no file.
    pub(super) fn built_in() -> Self {
        let tones = progress::all().map(|tone| {
            let sound = OnceLock::new();
            let source = Source::Tone(tone);
            (tone.name().to_owned(), Entry { source, sound })
        });
        Self(tones.collect())
    }

    /// These sounds.
    pub(super) fn of(sounds: impl IntoIterator<Item = Sound>) -> Self {
        let sounds = sounds.into_iter().map(|sound| {
            let name = sound.name().to_owned();
            let sound = OnceLock::from(Some(Arc::new(sound)));
            let source = Source::Given;
            (name, Entry { source, sound })
        });
        Self(sounds.collect())
    }

    fn put(&mut self, name: String, path: PathBuf) -> Option<SoundError> {
        if let Some(first) = self.path(&name) {
            return Some(SoundError::Twice {
                first: first.to_owned(),
                second: path,
                name,
            });
        }
        let (source, sound) = (Source::File(path), OnceLock::new());
        self.0.insert(name, Entry { source, sound });
        None
    }

    /// Whether there is a file of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The file of a sound; `None` too when it needs none.
    pub(super) fn path(&self, name: &str) -> Option<&Path> {
        match &self.0.get(name)?.source {
            Source::File(path) => Some(path),
            Source::Tone(_) | Source::Given => None,
        }
    }

    /// The sound of that name; its file is read now when it was not wanted before.
    pub(super) fn sound(&self, name: &str) -> Option<Arc<Sound>> {
        let entry = self.0.get(name)?;
        let sound = entry.sound.get_or_init(|| {
            entry.source.read().unwrap_or_else(|error| {
                tracing::error!(%error, "a sound cannot be played");
                None
            })
        });
        sound.clone()
    }

    /// Reads a file before it is wanted.
    pub(super) fn warm(&self, name: &str) -> Result<(), SoundError> {
        if let Some(entry) = self.0.get(name)
            && entry.sound.get().is_none()
        {
            // Somebody may be faster meanwhile: his is as good.
            let _ = entry.sound.set(entry.source.read()?);
        }
        Ok(())
    }

    /// Reads a file, and keeps nothing of it.
    pub(super) fn check(&self, name: &str) -> Result<(), SoundError> {
        self.path(name)
            .map_or(Ok(()), |path| read(path).map(|_| ()))
    }
}

impl Source {
    fn read(&self) -> Result<Option<Arc<Sound>>, SoundError> {
        Ok(match self {
            Self::File(path) => Some(Arc::new(read(path)?)),
            Self::Tone(tone) => Some(Arc::new(tone.make())),
            Self::Given => None,
        })
    }
}

/// What is in a directory, sorted.
fn paths(directory: &Path) -> Result<Vec<PathBuf>, SoundError> {
    let broken = |source| SoundError::Directory {
        path: directory.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(broken)? {
        paths.push(entry.map_err(broken)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The name of the sound in a file, if it looks like one.
fn sound_name(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_str()?;
    let is_sound = ENDINGS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(ending));
    is_sound.then(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into()
    })
}

/// The language of a folder that is named like one: `ja`, `pt-BR` (BCP 47: two or three letters,
/// then what narrows it).
fn language(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let mut parts = name.split('-');
    let primary = parts.next()?;
    let is_primary =
        matches!(primary.len(), 2 | 3) && primary.bytes().all(|c| c.is_ascii_lowercase());
    let narrows = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    (is_primary && parts.all(narrows) && path.is_dir()).then(|| name.to_owned())
}
