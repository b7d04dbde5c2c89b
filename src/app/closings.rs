//! Calendars closed by hand: looks after their files, twice a second, and hangs up what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, Timestamp};
use crate::calendar::{Closing, ClosingBoard, Closings};
use crate::call::{ClosingOutcome, ClosingWish};
use crate::flow::Reply;
use crate::store::{ClosingFiles, ReadNotes};
use crate::trunk::ClosingService;

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
    /// Wrong PINs by what was dialled, and when the last was given.
    wrong: Mutex<BTreeMap<String, (u32, Timestamp)>>,
    /// Where calls' wishes go.
    errands: OnceLock<SyncSender<Errand>>,
}

/// What the thread is to do.
enum Errand {
    /// Do what a call wants, and tell it.
    Wish(ClosingWish, Box<dyn FnOnce(Reply) + Send>),
    /// Look no more.
    Stop,
}

/// Wishes that may wait.
const ERRANDS: usize = 64;
/// Wrong PINs after which none is taken for [`PAUSE`].
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(300);
/// Numbers of which wrong PINs are remembered; those that nobody has count, too.
const MOST_COUNTS: usize = 10_000;

#[derive(Debug, Default)]
struct Said {
    doubts: Vec<String>,
    failure: Option<String>,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Caretaker {
    errands: SyncSender<Errand>,
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
            wrong: Mutex::default(),
            errands: OnceLock::new(),
        });
        closer.look(&mut closer.lock())?;
        let (errands, inbox) = mpsc::sync_channel(ERRANDS);
        // The only one that is ever set.
        let _ = closer.errands.set(errands.clone());
        let watched = closer.clone();
        let keep = move || {
            loop {
                match inbox.recv_timeout(PACE) {
                    Ok(Errand::Wish(wish, tell)) => tell(watched.grant(&wish)),
                    Ok(Errand::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => watched.look_again(),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("closings".to_owned())
            .spawn(keep)?;
        Ok((closer, Caretaker { errands, thread }))
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
        self.files.write(name, closing)?;
        self.look(&mut said)
    }

    /// Takes a closing back; whether there was one.
    ///
    /// # Errors
    ///
    /// It could not be taken back.
    pub(super) fn open(&self, name: &str) -> io::Result<bool> {
        let mut said = self.lock();
        let was_closed = self.files.remove(name)?;
        self.look(&mut said)?;
        Ok(was_closed)
    }

    /// Has a call's wish carried out, which waits for nothing; `tell` is told what came of it.
    pub(super) fn wish(&self, wish: ClosingWish, tell: impl FnOnce(Reply) + Send + 'static) {
        let errand = Errand::Wish(wish, Box::new(tell));
        let sent = self.errands.get().map(|errands| errands.try_send(errand));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!("calendar.not_asked");
        }
    }

    /// Does what a call wants, on the disk when it returns.
    fn grant(&self, wish: &ClosingWish) -> Reply {
        let now = self.clock.now();
        let ClosingWish { number, phone, .. } = wish;
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, (_, last)| now.since(*last) < PAUSE);
        let count = wrong.get(number).map_or(0, |(count, _)| *count);
        if count >= TRIES {
            return ClosingOutcome::Locked.reply();
        }
        let Some(calendar) = &wish.calendar else {
            tracing::warn!(number, phone, "calendar.wrong_pin");
            if wrong.len() < MOST_COUNTS {
                wrong.insert(number.clone(), (count + 1, now));
            }
            return match count + 1 >= TRIES {
                true => ClosingOutcome::Locked.reply(),
                false => ClosingOutcome::Wrong.reply(),
            };
        };
        wrong.remove(number);
        drop(wrong);
        tracing::info!(
            calendar,
            phone,
            what = wish.service.words(),
            "calendar.by_telephone"
        );
        let done = match wish.service {
            ClosingService::Close => {
                let closing = Closing {
                    reason: Some(format!("by telephone {phone}")),
                    until: None,
                };
                self.close(calendar, &closing)
            }
            ClosingService::Open => self.open(calendar).map(drop),
        };
        match done {
            Ok(()) => ClosingOutcome::Done.reply(),
            Err(error) => {
                tracing::error!(calendar, %error, "calendar.not_written");
                Reply::Failed(error.to_string())
            }
        }
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
        let ReadNotes { notes, doubts } = self.files.read()?;
        let now = self.clock.now();
        let over = notes.iter().filter(|(_, it)| !it.holds(now));
        // It would be in the way of the next. That it stays keeps no other from being hung up.
        let removed = over.map(|(name, _)| self.files.remove(name).map(drop));
        let removed: io::Result<()> = removed.collect();
        let holding = notes.into_iter().filter(|(_, it)| it.holds(now));
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

impl fmt::Debug for Closer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closer").field(&self.files).finish()
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Errand")
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
        // It reads on until it stops.
        let _ = self.errands.send(Errand::Stop);
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

    fn wish(calendar: Option<&str>, service: ClosingService) -> ClosingWish {
        ClosingWish {
            number: "1".to_owned(),
            calendar: calendar.map(str::to_owned),
            service,
            phone: "1001".to_owned(),
        }
    }

    #[test]
    fn a_telephone_closes_and_opens_and_wrong_pins_lock_the_number_for_a_while() {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(Turned(Mutex::new(Timestamp::from_millis(1_000))));
        let board = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let (closer, caretaker) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        let (tell, told) = mpsc::channel();
        closer.wish(wish(Some("office"), ClosingService::Close), move |reply| {
            tell.send(ClosingOutcome::of(&reply)).unwrap();
        });
        assert_eq!(told.recv().unwrap(), Some(ClosingOutcome::Done));
        let now = clock.now();
        let by_hand = board
            .read()
            .of("office", now)
            .map(|(_, it)| it.reason.clone());
        assert_eq!(by_hand, Some(Some("by telephone 1001".to_owned())));
        assert!(data.path().join("closed/office").exists());
        let outcome = |wish| ClosingOutcome::of(&closer.grant(&wish)).unwrap();
        let open = || wish(Some("office"), ClosingService::Open);
        assert_eq!(outcome(open()), ClosingOutcome::Done);
        assert!(board.read().of("office", now).is_none());
        // There is nothing to take back: that is no mistake of whoever dials.
        assert_eq!(outcome(open()), ClosingOutcome::Done);
        for _ in 1..TRIES {
            let wrong = outcome(wish(None, ClosingService::Close));
            assert_eq!(wrong, ClosingOutcome::Wrong);
        }
        let last = outcome(wish(None, ClosingService::Close));
        assert_eq!(last, ClosingOutcome::Locked);
        assert_eq!(
            outcome(open()),
            ClosingOutcome::Locked,
            "also the right one"
        );
        *clock.0.lock().unwrap() = now + PAUSE;
        assert_eq!(outcome(open()), ClosingOutcome::Done);
        caretaker.stop();
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
