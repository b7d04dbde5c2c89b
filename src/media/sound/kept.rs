//! Sounds that were made while the switch ran and are kept for the next time, in a directory of
//! bounded size; who was not heard for longest makes room.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Sound;

/// Folder their names begin with, so that no file of a sounds directory can be meant.
pub(super) const FOLDER: &str = "speech";
/// Ending of a file that is not whole yet.
const UNFINISHED: &str = "part";
/// Octets of a file before its samples.
const HEADER: u64 = 44;
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
    /// Rings when a key is not busy any more.
    settled: Condvar,
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
    /// Keys whose files somebody puts into place or deletes, without the lock: nobody else does.
    busy: BTreeSet<String>,
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
    /// Tells it from one of the same key before or after.
    made: u64,
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
            let entry = Entry {
                size,
                made: shelf.uses,
                used: shelf.uses,
                sound: None,
            };
            shelf.sounds.insert(stem, entry);
        }
        let kept = Self(Arc::new(Inner {
            directory: directory.to_owned(),
            most,
            shelf: Mutex::new(shelf),
            settled: Condvar::new(),
        }));
        let chosen = kept.choose(&mut kept.shelf());
        kept.delete(&chosen);
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
        let mut before = None;
        loop {
            let made = {
                let mut shelf = self.shelf();
                shelf.uses += 1;
                let used = shelf.uses;
                let entry = shelf.sounds.get_mut(key)?;
                entry.used = used;
                if let Some(sound) = &entry.sound {
                    return Some(Arc::clone(sound));
                }
                entry.made
            };
            let error = match Sound::read(&self.path(key)) {
                Ok(sound) => {
                    let sound = Arc::new(sound);
                    self.hold(&mut self.shelf(), (key, made), &sound);
                    return Some(sound);
                }
                Err(error) => error,
            };
            // It may have been deleted meanwhile, and made again: that one is read.
            if before.replace(made) == Some(made) {
                tracing::error!(%error, "a kept sound cannot be played");
                let spoilt = self.take_out_spoilt(key, made);
                self.delete(spoilt.as_slice());
                return None;
            }
        }
    }

    /// Keeps samples of a rate (Hz) by a key of letters and digits.
    ///
    /// # Errors
    ///
    /// A file that cannot be written, or one larger than all that may be kept; nothing is kept then, and
    /// nobody makes room for it.
    pub fn put(&self, key: &str, hz: u32, samples: &[i16]) -> io::Result<()> {
        // Several threads may keep the same at a time.
        let thread = std::thread::current().id();
        let unfinished = self.unfinished(&format!("{key}-{thread:?}-kept"));
        let written = self
            .fits(samples)
            .and_then(|()| write(&unfinished, hz, samples));
        let shelf = self.shelf();
        let is_busy = |shelf: &mut Shelf| shelf.busy.contains(key);
        let waited = self.0.settled.wait_while(shelf, is_busy);
        let mut shelf = waited.unwrap_or_else(PoisonError::into_inner);
        shelf.busy.insert(key.to_owned());
        drop(shelf);
        let moved = written.and_then(|size| {
            fs::rename(&unfinished, self.path(key))?;
            Ok(size)
        });
        let mut shelf = self.shelf();
        self.settle(&mut shelf, key);
        let size = match moved {
            Ok(size) => size,
            Err(error) => {
                drop(shelf);
                // What is left of it is removed at the next start at the latest.
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        };
        shelf.uses += 1;
        let made = shelf.uses;
        let entry = Entry {
            size,
            made,
            used: made,
            sound: None,
        };
        shelf.size += size;
        if let Some(old) = shelf.sounds.insert(key.to_owned(), entry) {
            shelf.forget(old);
        }
        let sound = Arc::new(Sound::plain(hz, key, samples.to_vec()));
        self.hold(&mut shelf, (key, made), &sound);
        let chosen = self.choose(&mut shelf);
        drop(shelf);
        self.delete(&chosen);
        Ok(())
    }

    /// Whether there can be room for samples at all.
    fn fits(&self, samples: &[i16]) -> io::Result<()> {
        let (size, most) = (HEADER + size_of_val(samples) as u64, self.0.most);
        if size <= most {
            return Ok(());
        }
        let words = format!("the sound has {size} octets, and {most} are kept of all together");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, words))
    }

    /// Where something half done may lie: it is removed at the next start.
    pub fn unfinished(&self, name: &str) -> PathBuf {
        self.0.directory.join(format!("{name}.{UNFINISHED}"))
    }

    /// Keeps a sound in memory, and lets others go that were not heard for longer.
    fn hold(&self, shelf: &mut Shelf, (key, made): (&str, u64), sound: &Arc<Sound>) {
        let entry = shelf.sounds.get_mut(key);
        // Another may have taken its place while it was read.
        let Some(entry) = entry.filter(|entry| entry.made == made) else {
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

    /// Who makes room: nobody is given them from now on, and their keys are busy until
    /// [`Kept::delete`] is through, which nobody waits for who holds the lock.
    fn choose(&self, shelf: &mut Shelf) -> Vec<String> {
        let mut chosen = Vec::new();
        while shelf.size > self.0.most {
            let busy = &shelf.busy;
            let free = shelf.sounds.iter().filter(|(key, _)| !busy.contains(*key));
            let Some((key, _)) = free.min_by_key(|(_, entry)| entry.used) else {
                break;
            };
            let key = key.clone();
            shelf.take_out(&key);
            chosen.push(key);
        }
        chosen
    }

    /// The key, when what was made then is to go; somebody may see to it already.
    fn take_out_spoilt(&self, key: &str, made: u64) -> Option<String> {
        let mut shelf = self.shelf();
        let is_it = shelf.sounds.get(key).is_some_and(|it| it.made == made);
        (is_it && !shelf.busy.contains(key)).then(|| {
            shelf.take_out(key);
            key.to_owned()
        })
    }

    /// Deletes the files of keys that were taken out.
    fn delete(&self, keys: &[String]) {
        for key in keys {
            if let Err(error) = fs::remove_file(self.path(key)) {
                tracing::warn!(%error, key, "a kept sound cannot be removed");
            }
            self.settle(&mut self.shelf(), key);
        }
    }

    fn settle(&self, shelf: &mut Shelf, key: &str) {
        shelf.busy.remove(key);
        self.0.settled.notify_all();
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.directory.join(format!("{key}.wav"))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Nobody is given a key any more, which is busy from now on.
    fn take_out(&mut self, key: &str) {
        if let Some(entry) = self.sounds.remove(key) {
            self.forget(entry);
            self.busy.insert(key.to_owned());
        }
    }

    /// What was in an entry counts no more.
    fn forget(&mut self, entry: Entry) {
        self.size -= entry.size;
        self.in_memory -= entry.sound.map_or(0, |sound| weight(&sound));
    }
}

/// Writes a file, and how large it is.
fn write(path: &Path, hz: u32, samples: &[i16]) -> io::Result<u64> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: hz,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let written = (|| {
        let mut writer = WavWriter::create(path, spec)?;
        for sample in samples {
            writer.write_sample(*sample)?;
        }
        writer.finalize()
    })();
    written.map_err(io::Error::other)?;
    Ok(fs::metadata(path)?.len())
}

fn weight(sound: &Sound) -> usize {
    std::mem::size_of_val(sound.samples())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::patience;

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
    fn what_can_never_be_kept_is_refused_and_nobody_makes_room_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 3_244).unwrap();
        kept.put("a", 16_000, &[1; 1600]).unwrap();
        let error = kept.put("b", 16_000, &[1; 1601]).unwrap_err().to_string();
        assert!(error.contains("3246 octets, and 3244"), "{error}");
        assert!(kept.sound("a").is_some() && kept.sound("b").is_none());
        assert!(kept.put("a", 16_000, &[2; 1601]).is_err());
        assert_eq!(kept.sound("a").unwrap().samples()[0], 1, "the one before");
        assert_eq!(files(directory.path()), ["a.wav"]);
        assert_eq!(kept.shelf().size, 3_244);
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

    #[test]
    fn what_makes_room_is_handed_out_no_more_and_made_again_when_it_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 10_000).unwrap();
        for key in ["a", "b", "c"] {
            kept.put(key, 16_000, &[1; 1600]).unwrap();
        }
        // As other threads do it: one puts `b` into place, one has chosen, and not deleted yet.
        kept.shelf().busy.insert("b".to_owned());
        kept.shelf().size += 10_000;
        let chosen = kept.choose(&mut kept.shelf());
        kept.shelf().size = 3_244;
        kept.settle(&mut kept.shelf(), "b");
        assert_eq!(chosen, ["a", "c"]);
        assert_eq!(files(directory.path()).len(), 3);
        assert_eq!(kept.place("a"), Place::Nowhere, "and the lock is free");
        assert!(kept.sound("a").is_none());
        let other = kept.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(()).unwrap();
            other.put("a", 16_000, &[2; 1600]).unwrap();
        });
        patience::told(&told);
        kept.delete(&chosen);
        thread.join().unwrap();
        assert_eq!(files(directory.path()), ["a.wav", "b.wav"]);
        assert_eq!(kept.sound("a").unwrap().samples()[0], 2);
    }

    #[test]
    fn whoever_puts_and_deletes_at_a_time_the_list_is_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        // Two of 364 octets fit, three do not.
        let kept = Kept::open(directory.path(), 1_000).unwrap();
        let put = |thread: usize| {
            let kept = kept.clone();
            move || {
                for turn in 0..400 {
                    let key = ["a", "b", "c", "d"][(turn * (thread + 1)) % 4];
                    kept.put(key, 16_000, &[1; 160]).unwrap();
                    // Nothing is given that is not there.
                    let sound = kept.sound(key);
                    assert!(sound.is_none_or(|sound| sound.samples()[0] == 1));
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|it| std::thread::spawn(put(it))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let shelf = kept.shelf();
        let listed = shelf.sounds.keys().map(|key| format!("{key}.wav"));
        let listed: Vec<_> = listed.collect();
        assert_eq!(files(directory.path()), listed);
        assert!(shelf.busy.is_empty() && shelf.size <= 1_000);
    }
}
