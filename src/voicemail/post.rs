//! The thread that mails messages.
//!
//! It needs no memory of its own: what is to be mailed is read from the shelf when it starts, and what
//! was mailed is written there before the next letter goes.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

use super::mailing::{LetterKey, MailEnd};
use super::{Change, ChangeKind, Keeper, MailTerms, Message, Shelf, wording};
use crate::base::{Clock, Entropy, Pii, Timestamp};
use crate::mail::{
    Address, Client, Enclosure, Fate, Figures, Letter, Outbox, Server, Settings, mask_addresses,
};
use crate::recording::Format;

/// Mails messages. Cheap to clone.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    settings: ArcSwap<Settings>,
    outbox: Mutex<Outbox<LetterKey>>,
    news: Notify,
    is_stopping: AtomicBool,
    sent: AtomicU64,
    deferred: AtomicU64,
    dead: AtomicU64,
}

/// The thread.
#[derive(Debug)]
pub struct PostTask {
    post: Post,
    thread: JoinHandle<()>,
}

/// A letter that was given up, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadMail {
    /// Message and address.
    pub key: LetterKey,
    /// The message, as it is.
    pub message: Message,
    /// When it was given up.
    pub died: Timestamp,
    /// Tries.
    pub tries: u32,
    /// Why the last one failed.
    pub words: String,
}

/// How long the letter under way may take when the switch stops.
const LAST_LETTER: Duration = Duration::from_secs(2);
/// How often whoever waits looks whether the switch stops, at the latest.
const LOOK: Duration = Duration::from_secs(3600);

impl Post {
    /// A post that knows of no letter yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self(Arc::new(Inner {
            settings: ArcSwap::new(settings),
            outbox: Mutex::default(),
            news: Notify::new(),
            is_stopping: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            deferred: AtomicU64::new(0),
            dead: AtomicU64::new(0),
        }))
    }

    /// Starts the thread; what waits on the shelf goes at once.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub fn start(
        &self,
        keeper: Keeper,
        clock: Arc<dyn Clock>,
        chance: Entropy,
    ) -> io::Result<PostTask> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let post = self.clone();
        let work = move || {
            runtime.block_on(post.run(&keeper, &*clock, chance));
            // A resolver that nobody answers is not waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("mail".to_owned())
            .spawn(work)?;
        Ok(PostTask {
            post: self.clone(),
            thread,
        })
    }

    /// Other settings hold from now on; a server that was away is tried at once.
    pub fn set(&self, settings: Arc<Settings>) {
        if **self.0.settings.load() != *settings {
            self.0.settings.store(settings);
            self.outbox().wake();
            self.0.news.notify_one();
        }
    }

    /// Something happened to a message. Never waits.
    pub fn heard(&self, change: &Change) {
        let message = &change.message;
        match change.kind {
            ChangeKind::Left => self.take(keys(message)),
            ChangeKind::Marked => {}
            ChangeKind::Deleted => {
                let mut outbox = self.outbox();
                keys(message).for_each(|(key, _)| outbox.forget(&key));
            }
        }
    }

    /// What became of letters.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let outbox = self.outbox();
        Figures {
            sent: read(&self.0.sent),
            deferred: read(&self.0.deferred),
            dead: read(&self.0.dead),
            waiting: outbox.waiting() as u64,
            is_away: outbox.is_resting(),
        }
    }

    /// Tries a dead letter again; whether there is one of this id. Waits for the disk.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn replay(&self, now: Timestamp, shelf: &mut Shelf, id: &str) -> io::Result<bool> {
        let Some(dead) = shelf.dead_mail().into_iter().find(|it| it.key.id() == id) else {
            return Ok(false);
        };
        shelf.mail_again(&dead.key)?;
        self.outbox().wake();
        // It has a life of its own; after another start it is as old as its message.
        self.take([(dead.key, now)]);
        Ok(true)
    }

    /// Throws a dead letter out; whether there is one of this id. Waits for the disk.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn discard(&self, now: Timestamp, shelf: &mut Shelf, id: &str) -> io::Result<bool> {
        let Some(dead) = shelf.dead_mail().into_iter().find(|it| it.key.id() == id) else {
            return Ok(false);
        };
        shelf.mailed(&dead.key, MailEnd::Dropped(now))?;
        Ok(true)
    }

    fn take(&self, letters: impl IntoIterator<Item = (LetterKey, Timestamp)>) {
        let mut outbox = self.outbox();
        for (key, made) in letters {
            outbox.push(key, made);
        }
        drop(outbox);
        self.0.news.notify_one();
    }

    async fn run(&self, keeper: &Keeper, clock: &dyn Clock, mut chance: Entropy) {
        let waiting = keeper.with_shelf(clock.now(), |shelf| shelf.open_mail());
        self.take(waiting);
        let mut client = Client::default();
        while !self.is_stopping() {
            let settings = self.0.settings.load_full();
            let now = clock.now();
            let (next, wake) = {
                let mut outbox = self.outbox();
                let next = settings.server.as_ref().and_then(|_| outbox.next(now));
                (next, outbox.poll_timeout())
            };
            let (Some(key), Some(server)) = (next, &settings.server) else {
                client.close().await;
                let wait = wake.filter(|_| settings.server.is_some());
                let wait = wait.map_or(LOOK, |at| at.since(now)).min(LOOK);
                // It rings for a letter that is pushed, other settings, and the end.
                let _ = tokio::time::timeout(wait, self.0.news.notified()).await;
                continue;
            };
            let Some(letter) = write(keeper, now, &key, server, &settings) else {
                self.outbox().forget(&key);
                continue;
            };
            let came = tokio::select! {
                came = client.send(server, &letter) => came,
                () = self.stopped() => return,
            };
            let now = clock.now();
            let reason = came.as_ref().err().map(ToString::to_string);
            let fate = {
                let mut outbox = self.outbox();
                outbox.done(&key, came, &settings, (now, &mut chance))
            };
            self.settle(keeper, now, &key, fate, reason.as_deref());
            if let Some(reason) = reason.filter(|_| self.outbox().is_resting()) {
                // The others will not be tried while the server is away; they die of age alone.
                let old = self.outbox().expire(now, settings.give_up);
                for (key, tries) in old {
                    let fate = Fate::Dead(tries, reason.clone());
                    self.settle(keeper, now, &key, fate, None);
                }
            }
        }
        client.close().await;
    }

    /// Writes down what became of a letter.
    fn settle(
        &self,
        keeper: &Keeper,
        now: Timestamp,
        key: &LetterKey,
        fate: Fate,
        reason: Option<&str>,
    ) {
        let LetterKey {
            mailbox,
            message,
            to,
        } = key;
        let end = match fate {
            Fate::Sent => {
                self.0.sent.fetch_add(1, Ordering::Relaxed);
                tracing::info!(mailbox, id = message, to = %Pii(to), "mail.sent");
                MailEnd::Sent(now)
            }
            Fate::Later => {
                self.0.deferred.fetch_add(1, Ordering::Relaxed);
                let reason = reason.map(|words| mask_addresses(words, to));
                tracing::warn!(mailbox, id = message, to = %Pii(to), reason, "mail.deferred");
                return;
            }
            Fate::Dead(tries, words) => {
                self.0.dead.fetch_add(1, Ordering::Relaxed);
                let reason = mask_addresses(&words, to);
                tracing::error!(mailbox, id = message, to = %Pii(to), tries, words = reason, "mail.dead");
                MailEnd::Dead {
                    at: now,
                    tries,
                    words,
                }
            }
        };
        let written = keeper.with_shelf(now, |shelf| shelf.mailed(key, end));
        if let Err(error) = written {
            // After the next start it is sent once more: rather twice than never.
            tracing::error!(mailbox, id = message, to = %Pii(to), %error, "mail.end_not_written");
        }
    }

    fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Acquire)
    }

    /// Comes back a little after the switch began to stop.
    async fn stopped(&self) {
        while !self.is_stopping() {
            self.0.news.notified().await;
        }
        tokio::time::sleep(LAST_LETTER).await;
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox<LetterKey>> {
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Post").field(&self.figures()).finish()
    }
}

impl PostTask {
    /// Lets the letter under way arrive, a moment at the longest; the others go after the next start.
    pub fn stop(self) {
        self.post.0.is_stopping.store(true, Ordering::Release);
        self.post.0.news.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the mail thread ended by a panic");
        }
    }
}

/// The letters of a message that are still to go, and when it was left.
pub(super) fn keys(message: &Message) -> impl Iterator<Item = (LetterKey, Timestamp)> + '_ {
    let key = |to: &String| LetterKey {
        mailbox: message.mailbox.clone(),
        message: message.id.clone(),
        to: to.clone(),
    };
    message.mailing.open().map(move |to| (key(to), message.at))
}

/// A message, to whom it is to be mailed, and in which words; taken from the shelf.
struct Draft {
    message: Message,
    terms: MailTerms,
    to: Address,
}

impl Draft {
    /// `None` when the letter needs to go no more: the message is gone, or its mailbox has the
    /// address no more.
    fn of(shelf: &Shelf, key: &LetterKey) -> Option<Self> {
        let message = shelf.message(&key.mailbox, &key.message)?;
        let terms = shelf.terms().mailboxes.get(&key.mailbox)?.mail.as_ref()?;
        let to = terms.to.iter().find(|to| to.plain() == key.to)?;
        let is_open = message.mailing.open().any(|open| *open == key.to);
        is_open.then(|| Self {
            message: message.clone(),
            terms: terms.clone(),
            to: to.clone(),
        })
    }
}

/// The letter as it goes now; `None` when it needs to go no more.
fn write(
    keeper: &Keeper,
    now: Timestamp,
    key: &LetterKey,
    server: &Server,
    settings: &Settings,
) -> Option<Letter> {
    let draft = || keeper.with_shelf(now, |shelf| Draft::of(shelf, key));
    let Draft { message, terms, to } = draft()?;
    let is_enclosed = terms.attach && message.bytes <= settings.largest;
    // To read it takes long: not while the shelf is held.
    let octets = is_enclosed.then(|| std::fs::read(&message.path).ok());
    // Meanwhile it may have been deleted.
    draft()?;
    let enclosure = octets.flatten().map(|octets| Enclosure {
        name: file_name(&message),
        media_type: match Format::of(&message.path) {
            Some(Format::Flac) => "audio/flac",
            Some(Format::Opus) => "audio/ogg",
            _ => "audio/wav",
        },
        octets,
    });
    let link = settings.base_url.as_ref().map(|base| {
        let (mailbox, id) = (&key.mailbox, &key.message);
        format!("{base}/v1/voicemail/{mailbox}/{id}/audio")
    });
    let about = (link, enclosure.is_some());
    let (subject, text) = wording::word(&message, &terms, &TimeZone::system(), about);
    Some(Letter {
        id: format!("{}.{}@{}", key.message, key.mailbox, server.from.domain()),
        from: server.from.clone(),
        to,
        at: message.at,
        subject,
        text,
        enclosure,
    })
}

fn file_name(message: &Message) -> String {
    let ending = message.path.extension().unwrap_or_default();
    format!("{}.{}", message.id, ending.to_string_lossy())
}
