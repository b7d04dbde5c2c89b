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
    wrong: Mutex<Wrong>,
    /// Where calls' wishes go.
    errands: Errands,
}

/// Wrong PINs of the last while.
///
/// A phone has few tries for all numbers together, and nobody calls without a phone of his own: numbers
/// that are made up get him nowhere. A number has more, so that one phone cannot take it from all others.
/// Tries that are not taken count for nothing, so that every pause ends.
#[derive(Debug, Default)]
struct Wrong {
    /// How many, and when the last was given, by phone and by what was dialled.
    counts: BTreeMap<(String, String), (u32, Timestamp)>,
}

/// Wrong PINs of a phone after which none is taken from it.
const TRIES: u32 = 5;
/// Wrong PINs for a number, from whatever phones, after which none is taken for it.
const TRIES_OF_ALL: u32 = 10;
/// For how long they are remembered, and none is taken.
const PAUSE: Duration = Duration::from_secs(300);
/// Phones with numbers that are remembered. There are as many only where hundreds of phones guess; then no PIN
/// is taken from anybody.
const MOST_COUNTS: usize = 1_000;

/// What the reason of a closing by telephone begins with; the phone follows.
const BY_TELEPHONE: &str = "by telephone ";

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
        wrong.forget(now);
        if wrong.is_too_much(phone, number) {
            return ClosingOutcome::Locked.reply();
        }
        let Some(calendar) = &wish.calendar else {
            tracing::warn!(number = %Pii(number), phone = %Pii(phone), "calendar.wrong_pin");
            wrong.add(phone, number, now);
            return match wrong.is_too_much(phone, number) {
                true => ClosingOutcome::Locked.reply(),
                false => ClosingOutcome::Wrong.reply(),
            };
        };
        wrong.pardon(phone, number);
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
                    reason: Some(format!("{BY_TELEPHONE}{phone}")),
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

impl Wrong {
    /// Forgets what is long past.
    fn forget(&mut self, now: Timestamp) {
        self.counts.retain(|_, (_, last)| now.since(*last) < PAUSE);
    }

    /// Whether a PIN from this phone for this number is not even looked at.
    fn is_too_much(&self, phone: &str, number: &str) -> bool {
        let (mut of_phone, mut of_number) = (0, 0);
        for ((by, dialled), (count, _)) in &self.counts {
            of_phone += if by == phone { *count } else { 0 };
            of_number += if dialled == number { *count } else { 0 };
        }
        of_phone >= TRIES || of_number >= TRIES_OF_ALL || self.counts.len() >= MOST_COUNTS
    }

    /// One more.
    fn add(&mut self, phone: &str, number: &str, now: Timestamp) {
        let key = (phone.to_owned(), number.to_owned());
        let (count, last) = self.counts.entry(key).or_insert((0, now));
        *count += 1;
        *last = now;
    }

    /// Whoever knows it now had mistyped it. What he tried elsewhere, and others here, stays.
    fn pardon(&mut self, phone: &str, number: &str) {
        let key = (phone.to_owned(), number.to_owned());
        self.counts.remove(&key);
    }
}

/// A reason as the log has it: without the phone that closed.
fn masked(reason: &str) -> String {
    match reason.strip_prefix(BY_TELEPHONE) {
        Some(phone) => format!("{BY_TELEPHONE}{}", Pii(phone)),
        None => reason.to_owned(),
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
        let reason = self.reason.as_deref().map(masked);
        tracing::info!(calendar, until, reason, "calendar.closed");
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
    fn a_telephone_closes_and_opens_and_wrong_pins_are_too_many_for_a_while() {
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

    /// What comes of a PIN for a number, from a phone.
    fn given(closer: &Closer, phone: &str, number: &str, is_right: bool) -> ClosingOutcome {
        let calendar = is_right.then_some("office");
        let reply = closer.grant(&ClosingWish {
            number: number.to_owned(),
            phone: phone.to_owned(),
            ..wish(calendar, ClosingService::Open)
        });
        ClosingOutcome::of(&reply).unwrap()
    }

    #[test]
    fn no_made_up_number_buys_another_try_and_one_phone_locks_nobody_out() {
        let data = tempfile::tempdir().unwrap();
        let begin = Timestamp::from_millis(1_000);
        let clock = Arc::new(Turned(Mutex::new(begin)));
        let files = ClosingFiles::of(data.path());
        let (closer, watch) = Closer::start(files, ClosingBoard::default(), clock.clone()).unwrap();
        let guess = |phone: &str, number: &str| given(&closer, phone, number, false);
        // What one phone may try in a while, whatever it dials.
        let tried = (0..20_000).filter(|n| guess("1001", &n.to_string()) == ClosingOutcome::Wrong);
        assert_eq!(tried.count() as u32, TRIES - 1);
        assert_eq!(guess("1001", "1"), ClosingOutcome::Locked);
        // Others are not in his way, nor he in theirs.
        assert_eq!(given(&closer, "1002", "1", true), ClosingOutcome::Done);
        for _ in 1..TRIES {
            assert_eq!(guess("1002", "1"), ClosingOutcome::Wrong);
        }
        // The right one elsewhere buys no try here.
        assert_eq!(given(&closer, "1002", "2", true), ClosingOutcome::Done);
        assert_eq!(guess("1002", "1"), ClosingOutcome::Locked);
        assert_eq!(given(&closer, "1003", "1", true), ClosingOutcome::Done);
        // Several phones have no more for a number than it takes.
        let phones = (0..100).map(|n| format!("2{n:03}"));
        let tried = phones.filter(|phone| guess(phone, "1") == ClosingOutcome::Wrong);
        assert!(tried.count() as u32 <= TRIES_OF_ALL - TRIES);
        assert_eq!(given(&closer, "1003", "1", true), ClosingOutcome::Locked);
        assert_eq!(given(&closer, "1003", "2", true), ClosingOutcome::Done);
        // Knocking does not keep it shut.
        *clock.0.lock().unwrap() = begin + PAUSE / 2;
        assert_eq!(guess("1001", "1"), ClosingOutcome::Locked);
        *clock.0.lock().unwrap() = begin + PAUSE;
        assert_eq!(given(&closer, "1001", "1", true), ClosingOutcome::Done);
        watch.stop();
    }

    #[test]
    fn where_hundreds_of_phones_guess_none_is_taken_for_a_while() {
        let data = tempfile::tempdir().unwrap();
        let begin = Timestamp::from_millis(1_000);
        let clock = Arc::new(Turned(Mutex::new(begin)));
        let files = ClosingFiles::of(data.path());
        let (closer, watch) = Closer::start(files, ClosingBoard::default(), clock.clone()).unwrap();
        for n in 0..2 * MOST_COUNTS {
            given(&closer, &n.to_string(), &n.to_string(), false);
        }
        let counts = closer.wrong.lock().unwrap().counts.len();
        assert_eq!(counts, MOST_COUNTS);
        assert_eq!(given(&closer, "x", "x", true), ClosingOutcome::Locked);
        *clock.0.lock().unwrap() = begin + PAUSE;
        assert_eq!(given(&closer, "x", "x", true), ClosingOutcome::Done);
        watch.stop();
    }

    #[test]
    fn the_log_has_no_telephone_that_closes() {
        let of_phone = format!("{BY_TELEPHONE}+819012345678");
        assert_eq!(masked(&of_phone), "by telephone +8***78");
        assert_eq!(masked("Typhoon"), "Typhoon");
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
        let mut said = None;
        let mut guesses = 0;
        tracing::subscriber::with_default(subscriber, || {
            // Whoever comes first to where the log is written decides whether anybody listens
            // there, and may be another test, to which nobody does: asked anew, it is ours.
            patience::until("a wrong PIN is in the log", || {
                guesses += 1;
                closer.grant(&ClosingWish {
                    number: format!("+8131234567{guesses}"),
                    phone: format!("+81901234567{guesses}"),
                    ..wish(None, ClosingService::Close)
                });
                said = log
                    .try_iter()
                    .find(|line| line.contains("calendar.wrong_pin"));
                tracing::callsite::rebuild_interest_cache();
                said.is_some()
            });
        });
        let log = said.unwrap();
        // More figures than the time has behind its point could be alike by chance.
        assert!(!log.contains("1234567"), "{log}");
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
