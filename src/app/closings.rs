//! Calendars closed by hand: what of their files hangs on the board, what the log says, and closing
//! by telephone.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::lookout::{Errands, Lookout, Posted, Watch};
use crate::base::{Clock, Pii, Timestamp};
use crate::calendar::{Closing, ClosingBoard};
use crate::call::{ClosingOutcome, ClosingWish};
use crate::flow::Reply;
use crate::store::ClosingFiles;
use crate::trunk::ClosingService;

/// Who closes and opens.
pub(super) struct Closer {
    lookout: Arc<Lookout<Closing>>,
    clock: Arc<dyn Clock>,
    /// Wrong PINs by what was dialled, and when the last was given.
    wrong: Mutex<BTreeMap<String, (u32, Timestamp)>>,
    /// Where calls' wishes go.
    errands: Errands,
}

/// Wrong PINs after which none is taken for [`PAUSE`].
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(300);
/// Numbers of which wrong PINs are remembered; those that nobody has count, too.
const MOST_COUNTS: usize = 10_000;

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
    ) -> io::Result<(Arc<Self>, Watch)> {
        let (lookout, watch) = Lookout::start(files, board, clock.clone())?;
        let closer = Arc::new(Self {
            lookout,
            clock,
            wrong: Mutex::default(),
            errands: watch.errands(),
        });
        Ok((closer, watch))
    }

    /// Closes a calendar, or all.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub(super) fn close(&self, name: &str, closing: &Closing) -> io::Result<()> {
        self.lookout.write(name, closing)
    }

    /// Takes a closing back; whether there was one.
    ///
    /// # Errors
    ///
    /// It could not be taken back.
    pub(super) fn open(&self, name: &str) -> io::Result<bool> {
        self.lookout.remove(name)
    }

    /// Has a call's wish carried out, which waits for nothing; `tell` is told what came of it.
    pub(super) fn wish(
        self: &Arc<Self>,
        wish: ClosingWish,
        tell: impl FnOnce(Reply) + Send + 'static,
    ) {
        let closer = self.clone();
        if !self.errands.ask(move || tell(closer.grant(&wish))) {
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
            tracing::warn!(number = %Pii(number), phone = %Pii(phone), "calendar.wrong_pin");
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
            phone = %Pii(phone),
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
}

impl fmt::Debug for Closer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closer").field(&self.lookout).finish()
    }
}

impl Posted for Closing {
    type Board = ClosingBoard;

    const THREAD: &'static str = "closings";

    fn holds(&self, now: Timestamp) -> bool {
        Closing::holds(self, now)
    }

    fn hang(board: &ClosingBoard, holding: BTreeMap<String, Self>) {
        board.set(holding.into_iter().collect());
    }

    fn say_on(&self, calendar: &str) {
        let until = self.until.map(Timestamp::to_rfc3339);
        tracing::info!(calendar, until, reason = self.reason, "calendar.closed");
    }

    fn say_off(calendar: &str) {
        tracing::info!(calendar, "calendar.opened");
    }

    fn say_doubtful(doubt: &str) {
        tracing::warn!(doubt, "calendar.closing_doubtful");
    }

    fn say_unread(error: &str) {
        // What was closed stays closed, and open open.
        tracing::error!(error, "calendar.closings_unread");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::base::patience;
    use crate::calendar::Closings;

    struct Turned(Mutex<Timestamp>);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    struct Lines(mpsc::Sender<String>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
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
        let (closer, watch) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        let (tell, told) = mpsc::channel();
        closer.wish(wish(Some("office"), ClosingService::Close), move |reply| {
            tell.send(ClosingOutcome::of(&reply)).unwrap();
        });
        assert_eq!(patience::told(&told), Some(ClosingOutcome::Done));
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
        watch.stop();
    }

    #[test]
    fn the_log_of_a_wrong_pin_is_no_address_book() {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(Turned(Mutex::new(Timestamp::from_millis(1_000))));
        let files = ClosingFiles::of(data.path());
        let (closer, watch) = Closer::start(files, ClosingBoard::default(), clock).unwrap();
        let (lines, log) = mpsc::channel();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Lines(lines.clone()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            closer.grant(&ClosingWish {
                number: "+81312345678".to_owned(),
                phone: "+819012345678".to_owned(),
                ..wish(None, ClosingService::Close)
            });
        });
        let log: String = log.iter().collect();
        assert!(log.contains("calendar.wrong_pin"), "{log}");
        assert!(!log.contains("345"), "{log}");
        watch.stop();
    }

    #[test]
    fn files_close_within_a_look_and_end_by_themselves() {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(Turned(Mutex::new(Timestamp::from_millis(1_000))));
        let board = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let (closer, watch) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        watch.stop();
        let now = Timestamp::from_millis(1_000);
        assert!(board.read().of("office", now).is_none());
        std::fs::write(data.path().join("closed/all"), "fire drill").unwrap();
        closer.lookout.look_again();
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
        let (closer, watch) = Closer::start(files, board.clone(), clock.clone()).unwrap();
        watch.stop();
        assert!(board.read().of("office", now).is_some());
        *clock.0.lock().unwrap() = Timestamp::from_millis(5_000);
        closer.lookout.look_again();
        assert_eq!(*board.read(), Closings::default());
        assert!(!data.path().join("closed/office").exists());
        assert!(!closer.open("office").unwrap());
    }
}
