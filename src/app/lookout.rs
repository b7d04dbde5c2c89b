//! What is said by hand, kept up: looks after a folder of notes, twice a second, and hangs up what
//! they say.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, Timestamp};
use crate::store::{Note, Notes, ReadNotes};

/// How often the files are looked at: what is said takes effect within a second.
const PACE: Duration = Duration::from_millis(500);
/// Errands that may wait.
const ERRANDS: usize = 64;

/// A note whose words hang on a board, and what the log says of it.
pub(super) trait Posted: Note + Clone + PartialEq + Send + 'static {
    /// Where those that hold hang.
    type Board: Send + Sync + 'static;

    /// The thread's name.
    const THREAD: &'static str;

    /// Whether it holds.
    fn holds(&self, now: Timestamp) -> bool;

    /// Hangs up all that hold.
    fn hang(board: &Self::Board, holding: BTreeMap<String, Self>);

    /// Says that it holds.
    fn say_on(&self, name: &str);

    /// Says that one of this name holds no more.
    fn say_off(name: &str);

    /// Says what could not be understood.
    fn say_doubtful(doubt: &str);

    /// Says that the folder cannot be read, or one that is over not be removed.
    fn say_unread(error: &str);
}

/// Who looks after the notes of one kind, writes them and takes them back.
pub(super) struct Lookout<N: Posted> {
    notes: Notes<N>,
    board: N::Board,
    clock: Arc<dyn Clock>,
    /// What was last said of the files. Whoever looks and hangs up holds it, so that what is older
    /// never covers what is newer.
    said: Mutex<Said<N>>,
}

struct Said<N> {
    holding: BTreeMap<String, N>,
    doubts: Vec<String>,
    failure: Option<String>,
}

/// The thread that looks. Between two looks it does what it is asked to.
#[derive(Debug)]
pub(super) struct Watch {
    what: &'static str,
    errands: Errands,
    thread: JoinHandle<()>,
}

/// Where the thread is asked. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Errands(SyncSender<Errand>);

enum Errand {
    Do(Box<dyn FnOnce() + Send>),
    /// Look no more.
    Stop,
}

impl<N: Posted> Lookout<N> {
    /// Hangs up what the files say, and keeps looking.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read.
    pub(super) fn start(
        notes: Notes<N>,
        board: N::Board,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Arc<Self>, Watch)> {
        notes.make_folder()?;
        notes.recover()?;
        let said = Said {
            holding: BTreeMap::new(),
            doubts: Vec::new(),
            failure: None,
        };
        let lookout = Arc::new(Self {
            notes,
            board,
            clock,
            said: Mutex::new(said),
        });
        lookout.look(&mut lookout.lock())?;
        let watched = lookout.clone();
        let watch = Watch::start(N::THREAD, move || watched.look_again())?;
        Ok((lookout, watch))
    }

    /// Writes a note, and hangs it up.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub(super) fn write(&self, name: &str, note: &N) -> io::Result<()> {
        let mut said = self.lock();
        self.notes.write(name, note)?;
        self.look(&mut said)
    }

    /// Takes a note back; whether there was one.
    ///
    /// # Errors
    ///
    /// It could not be taken back.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        let mut said = self.lock();
        let was_there = self.notes.remove(name)?;
        self.look(&mut said)?;
        Ok(was_there)
    }

    /// Looks once more. What cannot be read leaves the board as it is.
    pub(super) fn look_again(&self) {
        let mut said = self.lock();
        let failure = self.look(&mut said).err().map(|error| error.to_string());
        if let Some(error) = failure.as_ref().filter(|_| said.failure != failure) {
            N::say_unread(error);
        }
        said.failure = failure;
    }

    fn lock(&self) -> MutexGuard<'_, Said<N>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, said: &mut Said<N>) -> io::Result<()> {
        let read = self.notes.read()?;
        self.post(said, read)
    }

    /// Hangs up what was read, and takes back what is over.
    fn post(&self, said: &mut Said<N>, read: ReadNotes<N>) -> io::Result<()> {
        let ReadNotes { notes, doubts } = read;
        let now = self.clock.now();
        let (mut holding, over): (BTreeMap<_, _>, BTreeMap<_, _>) =
            notes.into_iter().partition(|(_, note)| note.holds(now));
        // It would be in the way of the next. That it stays keeps no other from being hung up.
        let mut removed = Ok(());
        for name in over.into_keys() {
            match self.notes.remove_over(&name, |note| !note.holds(now)) {
                Ok(Some(put_off)) if put_off.holds(now) => drop(holding.insert(name, put_off)),
                Ok(_) => {}
                Err(error) => removed = Err(error),
            }
        }
        if doubts != said.doubts {
            for doubt in &doubts {
                N::say_doubtful(doubt);
            }
            said.doubts = doubts;
        }
        if holding != said.holding {
            for (name, note) in &holding {
                note.say_on(name);
            }
            for name in said.holding.keys() {
                if !holding.contains_key(name) {
                    N::say_off(name);
                }
            }
            N::hang(&self.board, holding.clone());
            said.holding = holding;
        }
        removed
    }
}

impl Watch {
    fn start(what: &'static str, look: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (errands, inbox) = mpsc::sync_channel(ERRANDS);
        let keep = move || {
            loop {
                match inbox.recv_timeout(PACE) {
                    Ok(Errand::Do(errand)) => errand(),
                    Ok(Errand::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => look(),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name(what.to_owned())
            .spawn(keep)?;
        Ok(Self {
            what,
            errands: Errands(errands),
            thread,
        })
    }

    /// Where it is asked.
    pub(super) fn errands(&self) -> Errands {
        self.errands.clone()
    }

    /// Looks no more.
    pub(super) fn stop(self) {
        // It reads on until it stops.
        let _ = self.errands.0.send(Errand::Stop);
        if self.thread.join().is_err() {
            tracing::error!("who looks after {} ended by a panic", self.what);
        }
    }
}

impl Errands {
    /// Has the thread do something, without waiting; whether it will.
    #[must_use]
    pub(super) fn ask(&self, errand: impl FnOnce() + Send + 'static) -> bool {
        self.0.try_send(Errand::Do(Box::new(errand))).is_ok()
    }
}

impl<N: Posted> fmt::Debug for Lookout<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookout")
            .field("what", &N::THREAD)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Errand")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Closing, ClosingBoard};
    use crate::store::ClosingFiles;

    struct Stopped(Timestamp);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn whose_end_was_put_off_after_it_was_read_stays_closed() {
        let data = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(10_000);
        let board = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let clock = Arc::new(Stopped(now));
        let (lookout, watch) = Lookout::start(files.clone(), board.clone(), clock).unwrap();
        watch.stop();
        let until = |seconds: i64| Closing {
            reason: None,
            until: Some(Timestamp::from_millis(seconds * 1000)),
        };
        files.write("a", &until(10)).unwrap();
        files.write("b", &until(10)).unwrap();
        let read = files.read().unwrap();
        // By a script, at the worst moment.
        files.write("a", &until(20)).unwrap();
        lookout.post(&mut lookout.lock(), read).unwrap();
        assert_eq!(board.read().of("a", now), Some(("a", &until(20))));
        lookout.look_again();
        assert_eq!(board.read().of("a", now), Some(("a", &until(20))));
        assert!(!data.path().join("closed/b").exists());
    }
}
