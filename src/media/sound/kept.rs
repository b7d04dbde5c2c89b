//! Sounds that were made while the switch ran and are kept for the next time, in a directory of
//! bounded size; who was not heard for longest makes room.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Sound;

/// Folder their names begin with, so that no file of a sounds directory can be meant.
pub(super) const FOLDER: &str = "speech";
/// Ending of a file that is not whole yet.
const UNFINISHED: &str = "part";
/// Octets of samples kept in memory.
const MOST_IN_MEMORY: usize = 32 << 20;

/// Sounds kept on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    most: u64,
    shelf: Mutex<Shelf>,
}

/// Where a kept sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has to be read.
    Disk,
    /// It is at hand.
    Memory,
    /// It is not kept.
    Nowhere,
}

#[derive(Debug, Default)]
struct Shelf {
    sounds: BTreeMap<String, Entry>,
    /// Octets on disk.
    size: u64,
    /// Octets of samples in memory.
    in_memory: usize,
    /// Counts uses.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    size: u64,
    used: u64,
    sound: Option<Arc<Sound>>,
}

impl Kept {
    /// What is in a directory, which is made where it is not there. `most` octets may be kept.
    ///
    /// # Errors
    ///
    /// A directory that cannot be made or read.
    pub fn open(directory: &Path, most: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            match path.extension().and_then(OsStr::to_str) {
                Some("wav") => {
                    let about = fs::metadata(&path)?;
                    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                    found.push((about.modified()?, stem.into_owned(), about.len()));
                }
                // Another process may have been stopped in the middle of it.
                Some(UNFINISHED) => fs::remove_file(&path)?,
                _ => {}
            }
        }
        found.sort();
        let mut shelf = Shelf::default();
        for (_, stem, size) in found {
            shelf.uses += 1;
            shelf.size += size;
            let (used, sound) = (shelf.uses, None);
            shelf.sounds.insert(stem, Entry { size, used, sound });
        }
        let kept = Self(Arc::new(Inner {
            directory: directory.to_owned(),
            most,
            shelf: Mutex::new(shelf),
        }));
        kept.make_room(&mut kept.shelf());
        Ok(kept)
    }

    /// The name by which a [`super::Library`] plays what is kept by this key.
    pub fn name(key: &str) -> String {
        format!("{FOLDER}/{key}")
    }

    /// Where what is kept by a key is; does not look at the disk.
    pub fn place(&self, key: &str) -> Place {
        let mut shelf = self.shelf();
        shelf.uses += 1;
        let used = shelf.uses;
        let Some(entry) = shelf.sounds.get_mut(key) else {
            return Place::Nowhere;
        };
        entry.used = used;
        match entry.sound {
            Some(_) => Place::Memory,
            None => Place::Disk,
        }
    }

    /// What is kept by a key of letters and digits. Read from its file where it was not heard for long.
    pub fn sound(&self, key: &str) -> Option<Arc<Sound>> {
        {
            let mut shelf = self.shelf();
            shelf.uses += 1;
            let used = shelf.uses;
            let entry = shelf.sounds.get_mut(key)?;
            entry.used = used;
            if let Some(sound) = &entry.sound {
                return Some(Arc::clone(sound));
            }
        }
        match Sound::read(&self.path(key)) {
            Ok(sound) => {
                let sound = Arc::new(sound);
                self.hold(&mut self.shelf(), key, &sound);
                Some(sound)
            }
            Err(error) => {
                tracing::error!(%error, "a kept sound cannot be played");
                let mut shelf = self.shelf();
                self.forget(&mut shelf, key);
                None
            }
        }
    }

    /// Keeps samples of a rate (Hz) by a key of letters and digits.
    ///
    /// # Errors
    ///
    /// A file that cannot be written; nothing is kept then.
    pub fn put(&self, key: &str, hz: u32, samples: &[i16]) -> io::Result<()> {
        // Several threads may keep the same at a time.
        let thread = std::thread::current().id();
        let unfinished = self.unfinished(&format!("{key}-{thread:?}-kept"));
        let spec = WavSpec {
            channels: 1,
            sample_rate: hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let written = (|| {
            let mut writer = WavWriter::create(&unfinished, spec)?;
            for sample in samples {
                writer.write_sample(*sample)?;
            }
            writer.finalize()
        })();
        let moved = written
            .map_err(io::Error::other)
            .and_then(|()| fs::rename(&unfinished, self.path(key)));
        if let Err(error) = moved {
            // What is left of it is removed at the next start at the latest.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        let size = fs::metadata(self.path(key))?.len();
        let mut shelf = self.shelf();
        shelf.uses += 1;
        let used = shelf.uses;
        let entry = Entry {
            size,
            used,
            sound: None,
        };
        shelf.size += size;
        if let Some(old) = shelf.sounds.insert(key.to_owned(), entry) {
            shelf.size -= old.size;
            shelf.in_memory -= old.sound.map_or(0, |sound| weight(&sound));
        }
        let sound = Arc::new(Sound::plain(hz, key, samples.to_vec()));
        self.hold(&mut shelf, key, &sound);
        self.make_room(&mut shelf);
        Ok(())
    }

    /// Where something half done may lie: it is removed at the next start.
    pub fn unfinished(&self, name: &str) -> PathBuf {
        self.0.directory.join(format!("{name}.{UNFINISHED}"))
    }

    /// Keeps a sound in memory, and lets others go that were not heard for longer.
    fn hold(&self, shelf: &mut Shelf, key: &str, sound: &Arc<Sound>) {
        let Some(entry) = shelf.sounds.get_mut(key) else {
            return;
        };
        if entry.sound.replace(Arc::clone(sound)).is_none() {
            shelf.in_memory += weight(sound);
        }
        while shelf.in_memory > MOST_IN_MEMORY {
            let held = shelf.sounds.values_mut();
            let held = held.filter(|entry| entry.sound.is_some());
            let Some(oldest) = held.min_by_key(|entry| entry.used) else {
                return;
            };
            let gone = oldest.sound.take().map_or(0, |sound| weight(&sound));
            shelf.in_memory -= gone;
        }
    }

    fn make_room(&self, shelf: &mut Shelf) {
        while shelf.size > self.0.most {
            let oldest = shelf.sounds.iter().min_by_key(|(_, entry)| entry.used);
            let Some((key, _)) = oldest else { return };
            let key = key.clone();
            self.forget(shelf, &key);
        }
    }

    fn forget(&self, shelf: &mut Shelf, key: &str) {
        if let Some(entry) = shelf.sounds.remove(key) {
            shelf.size -= entry.size;
            shelf.in_memory -= entry.sound.map_or(0, |sound| weight(&sound));
            if let Err(error) = fs::remove_file(self.path(key)) {
                tracing::warn!(%error, key, "a kept sound cannot be removed");
            }
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.directory.join(format!("{key}.wav"))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(sound: &Sound) -> usize {
    std::mem::size_of_val(sound.samples())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_put_is_heard_again_by_the_next_process_too() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 1 << 20).unwrap();
        assert!(kept.sound("a").is_none());
        kept.put("a", 16_000, &[500; 1600]).unwrap();
        let heard = kept.sound("a").unwrap();
        assert_eq!((heard.hz(), heard.samples()[700]), (16_000, 500));
        fs::write(kept.unfinished("b"), b"half").unwrap();
        let kept = Kept::open(directory.path(), 1 << 20).unwrap();
        assert_eq!(kept.sound("a").unwrap().samples(), heard.samples());
        assert_eq!(files(directory.path()), ["a.wav"]);
    }

    #[test]
    fn who_was_not_heard_for_longest_makes_room() {
        let directory = tempfile::tempdir().unwrap();
        // Three of 3244 octets fit, four do not.
        let kept = Kept::open(directory.path(), 10_000).unwrap();
        for key in ["a", "b", "c"] {
            kept.put(key, 16_000, &[1; 1600]).unwrap();
        }
        assert!(kept.sound("a").is_some());
        kept.put("d", 16_000, &[1; 1600]).unwrap();
        assert!(kept.sound("b").is_none());
        assert_eq!(files(directory.path()), ["a.wav", "c.wav", "d.wav"]);
        kept.put("d", 16_000, &[2; 1600]).unwrap();
        assert_eq!(kept.sound("d").unwrap().samples()[0], 2, "the later one");
        drop(kept);
        Kept::open(directory.path(), 4_000).unwrap();
        assert_eq!(files(directory.path()).len(), 1);
    }

    #[test]
    fn a_file_that_was_spoilt_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        fs::write(&path, b"no sound").unwrap();
        let kept = Kept::open(directory.path(), 1 << 20).unwrap();
        assert!(kept.sound("a").is_none());
        assert!(!path.exists());
        kept.put("a", 8000, &[1; 160]).unwrap();
        assert!(kept.sound("a").is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 1 << 30).unwrap();
        let minute = vec![1; 16_000 * 60];
        for key in 0..20 {
            kept.put(&key.to_string(), 16_000, &minute).unwrap();
        }
        let in_memory = |kept: &Kept| kept.shelf().in_memory;
        assert!(in_memory(&kept) <= MOST_IN_MEMORY);
        assert!(kept.sound("0").is_some(), "read again");
        assert!(in_memory(&kept) <= MOST_IN_MEMORY);
    }
}
