//! Calendars closed by hand: looks after their files, twice a second, and hangs up what they say.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::Clock;
use crate::calendar::{Closing, ClosingBoard, Closings};
use crate::store::{ClosingFiles, ReadClosings};

/// How often the files are looked at: a closing takes effect within a second.
const PACE: Duration = Duration::from_millis(500);

/// Who closes and opens.
pub(super) struct Closer {
    files: ClosingFiles,
    board: ClosingBoard,
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
pub(super) struct Caretaker {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Closer {
    /// Hangs up what the files say, and keeps looking.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read.
    pub(super) fn start(
        files: ClosingFiles,
        board: ClosingBoard,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Arc<Self>, Caretaker)> {
        files.make_folder()?;
        let closer = Arc::new(Self {
            files,
            board,
            clock,
            said: Mutex::default(),
        });
        closer.look(&mut closer.lock())?;
        let (stop, stopped) = mpsc::channel();
        let watched = closer.clone();
        let keep = move || {
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                watched.look_again();
            }
        };
        let thread = std::thread::Builder::new()
            .name("closings".to_owned())
            .spawn(keep)?;
        Ok((closer, Caretaker { stop, thread }))
    }

    /// The closings of now.
    pub(super) fn closings(&self) -> Arc<Closings> {
        self.board.read()
    }

    /// Closes a calendar, or all.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub(super) fn close(&self, name: &str, closing: &Closing) -> io::Result<()> {
        let mut said = self.lock();
        self.files.close(name, closing)?;
        self.look(&mut said)
    }

    /// Takes a closing back; whether there was one.
    ///
    /// # Errors
    ///
    /// It could not be taken back.
    pub(super) fn open(&self, name: &str) -> io::Result<bool> {
        let mut said = self.lock();
        let was_closed = self.files.open(name)?;
        self.look(&mut said)?;
        Ok(was_closed)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_again(&self) {
        let mut said = self.lock();
        let failure = self.look(&mut said).err().map(|error| error.to_string());
        if let Some(error) = failure.as_ref().filter(|_| said.failure != failure) {
            // What was closed stays closed, and open open.
            tracing::error!(error, "calendar.closings_unread");
        }
        said.failure = failure;
    }

    fn look(&self, said: &mut Said) -> io::Result<()> {
        let ReadClosings { closings, doubts } = self.files.read()?;
        let now = self.clock.now();
        let over = closings.iter().filter(|(_, it)| !it.holds(now));
        // It would be in the way of the next. That it stays keeps no other from being hung up.
        let removed = over.map(|(name, _)| self.files.open(name).map(drop));
        let removed: io::Result<()> = removed.collect();
        let holding = closings.iter().filter(|(_, it)| it.holds(now));
        let holding = holding.map(|(name, it)| (name.to_owned(), it.clone()));
        let closings: Closings = holding.collect();
        if doubts != said.doubts {
            for doubt in &doubts {
                tracing::warn!(doubt, "calendar.closing_doubtful");
            }
            said.doubts = doubts;
        }
        let before = self.board.read();
        if *before != closings {
            tell(&before, &closings);
            self.board.set(closings);
        }
        removed
    }
}

fn tell(before: &Closings, after: &Closings) {
    let known = |closings: &Closings, name: &str| closings.iter().any(|(known, _)| known == name);
    for (calendar, closing) in after.iter() {
        let until = closing.until.map(|until| until.to_rfc3339());
        tracing::info!(calendar, until, reason = closing.reason, "calendar.closed");
    }
    for (calendar, _) in before.iter().filter(|(name, _)| !known(after, name)) {
        tracing::info!(calendar, "calendar.opened");
    }
}

impl Caretaker {
    /// Looks no more.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("who looks after closings ended by a panic");
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
    fn files_close_within_a_look_and_end_by_themselves() {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(Turned(Mutex::new(Timestamp::from_millis(1_000))));
        let board = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let (closer, caretaker) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        caretaker.stop();
        let now = Timestamp::from_millis(1_000);
        assert!(board.read().of("office", now).is_none());
        std::fs::write(data.path().join("closed/all"), "fire drill").unwrap();
        closer.look_again();
        assert!(board.read().of("office", now).is_some());
        std::fs::remove_file(data.path().join("closed/all")).unwrap();
        let until = Some(Timestamp::from_millis(5_000));
        let closing = Closing {
            reason: None,
            until,
        };
        closer.close("office", &closing).unwrap();
        assert!(board.read().of("office", now).is_some());
        assert!(board.read().of("other", now).is_none());

        // Another process finds it.
        let board = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let (closer, caretaker) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        caretaker.stop();
        assert!(board.read().of("office", now).is_some());
        *clock.0.lock().unwrap() = Timestamp::from_millis(5_000);
        closer.look_again();
        assert_eq!(*board.read(), Closings::default());
        assert!(!data.path().join("closed/office").exists());
        assert!(!closer.open("office").unwrap());
    }
}
