//! The threads that do the shelf's work, so that no call waits for the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Change, Filed, Finished, Message, Shelf, files};
use crate::base::{CallId, Clock, ShardId, Timestamp};
use crate::media::Sound;

/// What a call wants of the mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Somebody comes to leave a message; [`Word::Arrived`].
    Arrive {
        /// Mailbox.
        mailbox: String,
    },
    /// A recording ended; [`Word::Filed`].
    File(Finished),
    /// Somebody wants to open a mailbox, and has proven himself or has not; [`Word::Opened`] or
    /// [`Word::Refused`].
    Open {
        /// Mailbox, or a number that none has.
        mailbox: String,
        /// Whether the PIN was right; `None` when none is needed.
        pin: Option<bool>,
    },
    /// A sound is to be played; [`Word::Loaded`].
    Load {
        /// Mailbox.
        mailbox: String,
        /// Which.
        clip: Clip,
    },
    /// A message was heard, is to be saved, or is new again; [`Word::Done`].
    Mark {
        /// Mailbox.
        mailbox: String,
        /// Message.
        message: String,
        /// Whether it was heard.
        heard: bool,
        /// Whether it is to stay; as it was when `None`.
        saved: Option<bool>,
    },
    /// A message is to go; [`Word::Done`].
    Delete {
        /// Mailbox.
        mailbox: String,
        /// Message.
        message: String,
    },
    /// The recorded greeting is to go; [`Word::Done`].
    DropGreeting {
        /// Mailbox.
        mailbox: String,
    },
}

impl Wish {
    /// Whether a sound is to be read for it, which takes long.
    fn is_for_a_sound(&self) -> bool {
        matches!(self, Self::Arrive { .. } | Self::Load { .. })
    }
}

/// A sound of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clip {
    /// A message.
    Message(String),
    /// The recorded greeting.
    Greeting,
}

/// What a call is told.
#[derive(Clone, Debug)]
pub enum Word {
    /// What whoever leaves a message needs to know.
    Arrived {
        /// Whether the mailbox takes no more.
        is_full: bool,
        /// Its recorded greeting.
        greeting: Option<Arc<Sound>>,
    },
    /// What became of a recording.
    Filed {
        /// Its file.
        path: PathBuf,
        /// What.
        filed: Filed,
    },
    /// What a mailbox holds.
    Opened {
        /// Messages, oldest first.
        messages: Vec<Message>,
        /// Whether a greeting is recorded.
        has_greeting: bool,
    },
    /// The mailbox stays closed.
    Refused {
        /// Whether it takes no PIN for a while.
        is_locked: bool,
    },
    /// A sound; `None` when there is none, or it cannot be read.
    Loaded(Option<Arc<Sound>>),
    /// Whether it was done.
    Done(bool),
}

/// The mailboxes, for whoever has to do with them. Cheap to clone.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    desk: Mutex<Desk>,
    tell: Box<dyn Fn(Timestamp, Change) + Send + Sync>,
}

struct Desk {
    shelf: Shelf,
    /// Wrong PINs by mailbox, and when the last was given.
    wrong: BTreeMap<String, (u32, Timestamp)>,
}

/// The threads; the second ends with the first.
#[derive(Debug)]
pub struct KeeperTask([JoinHandle<()>; 2]);

/// A wish, the call that has it, and that call's shard.
pub type Letter = (ShardId, Option<CallId>, Wish);

/// Where wishes go.
pub type Wishes = SyncSender<Letter>;

/// Wishes that may wait: several of every call of a large node.
const LETTERS: usize = 16_384;
/// How often messages are looked at that are too old.
const SWEEP: Duration = Duration::from_secs(600);
/// Mailboxes of which wrong PINs are remembered; numbers that nobody has count, too.
const MOST_COUNTS: usize = 10_000;

impl Keeper {
    /// The mailboxes of a shelf; `tell` is told what happens to messages, and must not wait.
    pub fn new(shelf: Shelf, tell: impl Fn(Timestamp, Change) + Send + Sync + 'static) -> Self {
        let desk = Desk {
            shelf,
            wrong: BTreeMap::new(),
        };
        Self(Arc::new(Inner {
            desk: Mutex::new(desk),
            tell: Box::new(tell),
        }))
    }

    /// Starts the thread, and one that reads sounds, so that no other wish waits for them. They end
    /// when nobody can have wishes any more; `sink` is told what is for calls, and may wait.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub fn start(
        &self,
        clock: Arc<dyn Clock>,
        sink: impl Fn(ShardId, CallId, Word) + Send + Sync + 'static,
    ) -> io::Result<(Wishes, KeeperTask)> {
        let sink = Arc::new(sink);
        let (sounds, asked) = sync_channel::<(ShardId, CallId, Wish)>(LETTERS);
        let (keeper, time, tell) = (self.clone(), clock.clone(), sink.clone());
        let reader = std::thread::Builder::new()
            .name("voicemail-sound".to_owned())
            .spawn(move || {
                for (shard, call, wish) in asked {
                    tell(shard, call, keeper.answer(time.now(), wish));
                }
            })?;
        let (sender, receiver) = sync_channel(LETTERS);
        let keeper = self.clone();
        let thread = std::thread::Builder::new()
            .name("voicemail".to_owned())
            .spawn(move || keeper.run(&receiver, sounds, &*clock, &*sink))?;
        let threads = [thread, reader];
        Ok((sender, KeeperTask(threads)))
    }

    /// Does what a call wants. Waits for the disk.
    pub fn answer(&self, now: Timestamp, wish: Wish) -> Word {
        let word = match wish {
            Wish::Arrive { mailbox } => {
                let is_full = self.desk().shelf.is_full(&mailbox);
                let greeting = (!is_full).then(|| self.sound(&mailbox, &Clip::Greeting));
                let greeting = greeting.flatten();
                Word::Arrived { is_full, greeting }
            }
            Wish::File(finished) => self.desk().file(finished),
            Wish::Open { mailbox, pin } => self.desk().open(now, mailbox, pin),
            Wish::Load { mailbox, clip } => Word::Loaded(self.sound(&mailbox, &clip)),
            Wish::Mark {
                mailbox,
                message,
                heard,
                saved,
            } => done(self.desk().shelf.mark(&mailbox, &message, heard, saved)),
            Wish::Delete { mailbox, message } => done(self.desk().shelf.delete(&mailbox, &message)),
            Wish::DropGreeting { mailbox } => {
                done(self.desk().shelf.drop_greeting(&mailbox).map(|()| true))
            }
        };
        self.tell(now);
        word
    }

    /// A sound of a mailbox; `None` when there is none, or it cannot be read. Waits for the disk,
    /// and nobody for it: a long message takes a second to decode.
    pub fn sound(&self, mailbox: &str, clip: &Clip) -> Option<Arc<Sound>> {
        let find = || self.desk().shelf.find(mailbox, clip).map(Path::to_owned);
        let mut path = find()?;
        loop {
            let error = match files::load(&path) {
                Ok(sound) => return Some(sound),
                Err(error) => error,
            };
            // Meanwhile it may have been deleted, or another greeting be in use.
            let now = find()?;
            if now == path {
                tracing::error!(path = %path.display(), %error, "voicemail.unreadable");
                return None;
            }
            path = now;
        }
    }

    /// Looks at, or changes, the shelf. Waits for the disk when it changes something.
    pub fn with_shelf<T>(&self, now: Timestamp, act: impl FnOnce(&mut Shelf) -> T) -> T {
        let result = act(&mut self.desk().shelf);
        self.tell(now);
        result
    }

    fn run(
        &self,
        letters: &Receiver<Letter>,
        sounds: SyncSender<(ShardId, CallId, Wish)>,
        clock: &dyn Clock,
        sink: &dyn Fn(ShardId, CallId, Word),
    ) {
        let mut swept = None;
        loop {
            let now = clock.now();
            if swept.is_none_or(|at| now.since(at) >= SWEEP) {
                self.with_shelf(now, |shelf| shelf.sweep(now));
                swept = Some(now);
            }
            match letters.recv_timeout(SWEEP) {
                Ok((shard, Some(call), wish)) if wish.is_for_a_sound() => {
                    if sounds.send((shard, call, wish)).is_err() {
                        tracing::error!("nobody reads sounds of mailboxes any more");
                    }
                }
                Ok((shard, call, wish)) => {
                    let word = self.answer(clock.now(), wish);
                    if let Some(call) = call {
                        sink(shard, call, word);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tell(&self, now: Timestamp) {
        // Not while the desk is held: whoever is told may look.
        let changes = self.desk().shelf.take_changes();
        for change in changes {
            (self.0.tell)(now, change);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keeper").field(&self.desk().shelf).finish()
    }
}

impl Desk {
    fn file(&mut self, finished: Finished) -> Word {
        let filed = self.shelf.file(&finished);
        let path = finished.path;
        if let Filed::Failed(why) = &filed {
            tracing::error!(path = %path.display(), why, "voicemail.not_stored");
        }
        Word::Filed { path, filed }
    }

    fn open(&mut self, now: Timestamp, mailbox: String, pin: Option<bool>) -> Word {
        let terms = self.shelf.terms().clone();
        self.wrong
            .retain(|_, (_, last)| now.since(*last) < terms.pin_pause);
        if let Some(is_right) = pin {
            let count = self.wrong.get(&mailbox).map_or(0, |(count, _)| *count);
            if count >= terms.pin_tries {
                return Word::Refused { is_locked: true };
            }
            if !is_right {
                // Mailboxes that exist are counted always: there are as many as the configuration has.
                let exists = terms.mailboxes.contains_key(&mailbox);
                if exists || self.wrong.len() < MOST_COUNTS {
                    self.wrong.insert(mailbox, (count + 1, now));
                }
                let is_locked = count + 1 >= terms.pin_tries;
                return Word::Refused { is_locked };
            }
            self.wrong.remove(&mailbox);
        }
        Word::Opened {
            messages: self.shelf.messages(&mailbox).to_vec(),
            has_greeting: self.shelf.has_greeting(&mailbox),
        }
    }
}

fn done(result: io::Result<bool>) -> Word {
    Word::Done(result.unwrap_or_else(|error| {
        tracing::error!(%error, "voicemail.write_failed");
        false
    }))
}

impl KeeperTask {
    /// Waits for the threads to do what is left.
    pub fn stop(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("a voicemail thread ended by a panic");
            }
        }
    }
}
