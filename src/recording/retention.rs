//! How long recordings stay: the oldest go when they are too old, or when there are too many bytes.
//!
//! A recording goes whole, sound file and sidecar. What is still being written stays, and so does
//! what has a legal hold: a file `STEM.hold` beside it, put there by `tsunagu recording hold` or by
//! hand. Nothing is deleted that has no sidecar: it is none of ours.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Format, VOICEMAIL};

/// What may be kept; everything where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Age of the oldest, since it ended.
    pub age: Option<Duration>,
    /// Bytes of all sound files together, those on hold included.
    pub bytes: Option<u64>,
}

impl Limits {
    /// Whether everything is kept for ever.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Recordings deleted.
    pub deleted: u64,
    /// Bytes of them.
    pub freed: u64,
    /// Recordings that should have gone and are on hold.
    pub held: u64,
    /// Bytes that are left.
    pub left: u64,
    /// Recordings that could not be deleted.
    pub failed: u64,
}

/// A published recording.
#[derive(Debug)]
struct Published {
    sound: PathBuf,
    ended: SystemTime,
    bytes: u64,
}

impl Published {
    fn is_held(&self) -> bool {
        self.sound.with_extension("hold").exists()
    }

    /// The sidecar goes last: should we die in between, it still says what there was.
    fn delete(&self) -> io::Result<()> {
        std::fs::remove_file(&self.sound)?;
        std::fs::remove_file(self.sound.with_extension("json"))
    }
}

/// Deletes what is too much below `directory`.
///
/// # Errors
///
/// When the directory cannot be read; one that is missing holds nothing.
pub fn sweep(directory: &Path, limits: Limits, now: SystemTime) -> io::Result<Swept> {
    let mut swept = Swept::default();
    if limits.is_none() {
        return Ok(swept);
    }
    let mut found = published(directory)?;
    found.sort_by_key(|one| one.ended);
    swept.left = found.iter().map(|one| one.bytes).sum();
    for one in found {
        let age = now.duration_since(one.ended).unwrap_or_default();
        let is_old = limits.age.is_some_and(|limit| age > limit);
        let is_much = limits.bytes.is_some_and(|limit| swept.left > limit);
        if !is_old && !is_much {
            break;
        }
        if one.is_held() {
            swept.held += 1;
            continue;
        }
        let path = one.sound.display();
        match one.delete() {
            Ok(()) => {
                swept.deleted += 1;
                swept.freed += one.bytes;
                swept.left -= one.bytes;
                let why = if is_old { "age" } else { "size" };
                tracing::info!(%path, why, "recording.deleted");
            }
            Err(error) => {
                swept.failed += 1;
                tracing::error!(%path, %error, "recording.deletion_failed");
            }
        }
        if let Some(day) = one.sound.parent().filter(|day| *day != directory) {
            // The day's directory goes with its last recording.
            let _ = std::fs::remove_dir(day);
        }
    }
    Ok(swept)
}

/// Deletes one recording, by its sound file, with its sidecar; `false` when it is on hold and stays.
///
/// # Errors
///
/// When its files cannot be deleted; one that is gone is no error.
pub fn delete(sound: &Path) -> io::Result<bool> {
    let one = Published {
        sound: sound.to_owned(),
        ended: SystemTime::UNIX_EPOCH,
        bytes: 0,
    };
    if one.is_held() {
        return Ok(false);
    }
    match one.delete() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}

/// Whether a directory holds mailboxes, whose messages stay as long as their own rules say.
fn is_voicemail(path: &Path, root: &Path) -> bool {
    path.strip_prefix(root)
        .is_ok_and(|below| below == Path::new(VOICEMAIL))
}

/// Sound files with a sidecar, wherever below the directory.
fn published(root: &Path) -> io::Result<Vec<Published>> {
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), MAX_DEPTH)];
    while let Some((directory, depth)) = directories.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(about) = entry.metadata() else {
                continue;
            };
            if about.is_dir() {
                if depth > 0 && !is_voicemail(&path, root) {
                    directories.push((path, depth - 1));
                }
            } else if Format::of(&path).is_some() && path.with_extension("json").exists() {
                found.push(Published {
                    sound: path,
                    ended: about.modified()?,
                    bytes: about.len(),
                });
            }
        }
    }
    Ok(found)
}

/// Directories below the recordings directory that are looked through.
const MAX_DEPTH: usize = 6;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Five recordings of 1000 bytes, 1 to 5 hours old; the oldest on hold.
    fn shelf() -> (tempfile::TempDir, SystemTime) {
        let directory = tempfile::tempdir().expect("a directory");
        let now = SystemTime::now();
        for age in 1..=5u32 {
            let day = directory.path().join(format!("day-{age}"));
            fs::create_dir(&day).expect("made");
            let sound = day.join("call.flac");
            fs::write(&sound, [0; 1000]).expect("written");
            fs::write(sound.with_extension("json"), "{}").expect("written");
            let file = File::options().write(true).open(&sound).expect("there");
            file.set_modified(now - HOUR * age).expect("set");
        }
        fs::write(directory.path().join("day-5/call.hold"), "").expect("written");
        fs::write(directory.path().join("day-4/other.wav.part"), [0; 50]).expect("written");
        fs::write(directory.path().join("day-4/strange.wav"), [0; 50]).expect("written");
        (directory, now)
    }

    fn left(directory: &Path) -> Vec<u32> {
        let there = |age: &u32| directory.join(format!("day-{age}/call.flac")).exists();
        (1..=5).filter(there).collect()
    }

    #[test]
    fn the_oldest_go_by_age_but_what_is_held_stays() {
        let (directory, now) = shelf();
        let path = directory.path();
        assert_eq!(
            sweep(path, Limits::default(), now).expect("read"),
            Swept::default()
        );
        let limits = Limits {
            age: Some(HOUR * 5 / 2),
            bytes: None,
        };
        let swept = sweep(path, limits, now).expect("read");
        assert_eq!((swept.deleted, swept.freed, swept.held), (2, 2000, 1));
        assert_eq!(left(path), [1, 2, 5]);
        assert!(!path.join("day-3").exists(), "nothing is left in it");
        assert!(
            path.join("day-4/other.wav.part").exists(),
            "it is being written"
        );
        assert!(path.join("day-4/strange.wav").exists(), "it has no sidecar");
        assert_eq!(sweep(path, limits, now).expect("read").deleted, 0);
    }

    #[test]
    fn the_oldest_go_until_the_rest_is_small_enough() {
        let (directory, now) = shelf();
        let limits = Limits {
            age: None,
            bytes: Some(2500),
        };
        let swept = sweep(directory.path(), limits, now).expect("read");
        assert_eq!((swept.deleted, swept.held, swept.left), (3, 1, 2000));
        assert_eq!(left(directory.path()), [1, 5]);
        let nowhere = directory.path().join("nowhere");
        assert_eq!(
            sweep(&nowhere, limits, now).expect("none"),
            Swept::default()
        );
    }
}
