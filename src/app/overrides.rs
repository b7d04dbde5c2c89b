//! Numbers that lead elsewhere by hand: looks after their files, twice a second, and hangs up what
//! they say.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::Clock;
use crate::store::{OverrideFiles, ReadNotes};
use crate::trunk::{NumberOverride, NumberOverrides, OverrideBoard};

/// How often the files are looked at: an override takes effect within a second.
const PACE: Duration = Duration::from_millis(500);

/// Who leads numbers elsewhere, and back.
pub(super) struct Overrider {
    files: OverrideFiles,
    board: OverrideBoard,
    clock: Arc<dyn Clock>,
    /// What was last said of the files. Whoever looks and hangs up holds it, so that what is older
    /// never covers what is newer.
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    doubts: Vec<String>,
    failure: Option<String>,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Porter {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Overrider {
    /// Hangs up what the files say, and keeps looking.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read.
    pub(super) fn start(
        files: OverrideFiles,
        board: OverrideBoard,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Arc<Self>, Porter)> {
        files.make_folder()?;
        let overrider = Arc::new(Self {
            files,
            board,
            clock,
            said: Mutex::default(),
        });
        overrider.look(&mut overrider.lock())?;
        let (stop, stopped) = mpsc::channel();
        let watched = overrider.clone();
        let keep = move || {
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                watched.look_again();
            }
        };
        let thread = std::thread::Builder::new()
            .name("overrides".to_owned())
            .spawn(keep)?;
        Ok((overrider, Porter { stop, thread }))
    }

    /// Leads a number elsewhere.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub(super) fn set(&self, number: &str, it: &NumberOverride) -> io::Result<()> {
        let mut said = self.lock();
        self.files.write(number, it)?;
        self.look(&mut said)
    }

    /// Takes an override back; whether there was one.
    ///
    /// # Errors
    ///
    /// It could not be taken back.
    pub(super) fn lift(&self, number: &str) -> io::Result<bool> {
        let mut said = self.lock();
        let was_there = self.files.remove(number)?;
        self.look(&mut said)?;
        Ok(was_there)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_again(&self) {
        let mut said = self.lock();
        let failure = self.look(&mut said).err().map(|error| error.to_string());
        if let Some(error) = failure.as_ref().filter(|_| said.failure != failure) {
            // Numbers lead where they led.
            tracing::error!(error, "number.overrides_unread");
        }
        said.failure = failure;
    }

    fn look(&self, said: &mut Said) -> io::Result<()> {
        let ReadNotes { notes, doubts } = self.files.read()?;
        let now = self.clock.now();
        let over = notes.iter().filter(|(_, it)| !it.holds(now));
        // It would be in the way of the next. That it stays keeps no other from being hung up.
        let removed = over.map(|(number, _)| self.files.remove(number).map(drop));
        let removed: io::Result<()> = removed.collect();
        let holding = notes.into_iter().filter(|(_, it)| it.holds(now));
        let overrides: NumberOverrides = holding.collect();
        if doubts != said.doubts {
            for doubt in &doubts {
                tracing::warn!(doubt, "number.override_doubtful");
            }
            said.doubts = doubts;
        }
        let before = self.board.read();
        if *before != overrides {
            tell(&before, &overrides);
            self.board.set(overrides);
        }
        removed
    }
}

fn tell(before: &NumberOverrides, after: &NumberOverrides) {
    let known = |all: &NumberOverrides, number: &str| all.iter().any(|(known, _)| known == number);
    for (number, it) in after.iter() {
        let until = it.until.map(|until| until.to_rfc3339());
        tracing::info!(
            number,
            flow = it.flow,
            until,
            reason = it.reason,
            "number.overridden"
        );
    }
    for (number, _) in before.iter().filter(|(number, _)| !known(after, number)) {
        tracing::info!(number, "number.restored");
    }
}

impl Porter {
    /// Looks no more.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("who looks after overrides ended by a panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    struct Turned(Mutex<Timestamp>);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn an_override_outlives_the_process_and_ends_by_itself() {
        let data = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_000);
        let clock = Arc::new(Turned(Mutex::new(now)));
        let begin = || {
            let board = OverrideBoard::default();
            let files = OverrideFiles::of(data.path());
            let (overrider, porter) =
                Overrider::start(files, board.clone(), clock.clone()).unwrap();
            porter.stop();
            (board, overrider)
        };
        let (board, overrider) = begin();
        assert_eq!(*board.read(), NumberOverrides::default());
        let it = NumberOverride {
            flow: "test".to_owned(),
            until: Some(Timestamp::from_millis(5_000)),
            reason: None,
        };
        overrider.set("100", &it).unwrap();
        assert_eq!(board.read().of("100", now), Some(&it));
        // By a script, meanwhile.
        std::fs::write(data.path().join("overrides/200"), "flow: test").unwrap();
        overrider.look_again();
        assert!(board.read().of("200", now).is_some());

        let (board, overrider) = begin();
        assert_eq!(board.read().of("100", now), Some(&it));
        *clock.0.lock().unwrap() = Timestamp::from_millis(5_000);
        overrider.look_again();
        assert!(!data.path().join("overrides/100").exists());
        assert_eq!(board.read().iter().count(), 1);
        assert!(overrider.lift("200").unwrap() && !overrider.lift("200").unwrap());
    }
}
