//! The pump of notices: delivers what the outbox says, and keeps what died.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::ask::Ask;
use super::letters::{DeadLetter, LetterView, Notice, Shelf, ShelfError};
use super::outbox::{Letter, Outbox, Outcome};
use super::reply::Expects;
use super::task::{Inner, TOKEN, Web, lock};

/// Notices on their way and where the dead ones are kept.
pub(super) struct Delivery {
    outbox: Mutex<Outbox>,
    shelf: Arc<dyn Shelf>,
    news: Notify,
    /// Rings when a delivery ended.
    ended: Notify,
    /// Dead letters that wait for the disk.
    burying: AtomicUsize,
}

/// Why a dead letter is not replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Too many notices wait.
    #[error("too many notices wait already")]
    Busy,
    /// There is none of this id.
    #[error("no dead letter {0}")]
    NoLetter(String),
    /// It is on its way already.
    #[error("dead letter {0} is being delivered")]
    OnItsWay(String),
    /// The shelf.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl Delivery {
    pub(super) fn new(shelf: Arc<dyn Shelf>) -> Self {
        Self {
            outbox: Mutex::default(),
            shelf,
            news: Notify::new(),
            ended: Notify::new(),
            burying: AtomicUsize::new(0),
        }
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.outbox).waiting()
    }
}

impl Web {
    /// Takes a notice; never waits. It is delivered, tried again, and at last a dead letter.
    pub fn notify(&self, notice: Notice) {
        let inner = &self.inner;
        let letter = Letter {
            id: lock(&inner.chance).token(TOKEN),
            notice,
            made: inner.now(),
            tries: 0,
            is_kept: false,
        };
        let terms = inner.settings.load().notices;
        let pushed = lock(&inner.delivery.outbox).push(letter, &terms, inner.now());
        match pushed {
            Ok(()) => inner.delivery.news.notify_one(),
            Err(dead) => inner.bury(vec![*dead]),
        }
    }

    /// The letters that died last, the newest first, at most `limit`. May wait for the disk.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<LetterView>, ShelfError> {
        let letters = self.inner.delivery.shelf.list(limit)?;
        Ok(letters.iter().map(DeadLetter::view).collect())
    }

    /// Tries to deliver a dead letter again; it stays listed until it arrives. May wait for the
    /// disk.
    ///
    /// # Errors
    ///
    /// Why it is not tried.
    pub fn replay(&self, id: &str) -> Result<(), ReplayError> {
        let inner = &self.inner;
        let found = inner.delivery.shelf.find(id)?;
        let dead = found.ok_or_else(|| ReplayError::NoLetter(id.to_owned()))?;
        let letter = Letter {
            id: dead.id,
            notice: dead.notice,
            made: dead.made,
            tries: 0,
            is_kept: true,
        };
        let terms = inner.settings.load().notices;
        let mut outbox = lock(&inner.delivery.outbox);
        if outbox.has(id) {
            return Err(ReplayError::OnItsWay(id.to_owned()));
        }
        let pushed = outbox.push(letter, &terms, inner.now());
        pushed.map_err(|_| ReplayError::Busy)?;
        drop(outbox);
        inner.delivery.news.notify_one();
        Ok(())
    }

    /// Throws a dead letter out; whether it was there. May wait for the disk.
    ///
    /// # Errors
    ///
    /// It cannot be thrown out.
    pub fn discard(&self, id: &str) -> Result<bool, ShelfError> {
        self.inner.delivery.shelf.remove(id)
    }

    /// Begins to deliver, on the runtime of the web.
    pub(super) fn deliver(&self) {
        let inner = self.inner.clone();
        self.inner.handle.spawn(async move {
            loop {
                let now = inner.now();
                let (next, wait) = {
                    let mut outbox = lock(&inner.delivery.outbox);
                    let next = outbox.next(now);
                    (next, outbox.poll_timeout().map(|at| at.since(now)))
                };
                if let Some(letter) = next {
                    let inner = inner.clone();
                    tokio::spawn(async move { inner.deliver(letter).await });
                    continue;
                }
                let pause = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = inner.delivery.news.notified() => {}
                    () = pause => {}
                }
            }
        });
    }

    /// Waits until nothing is on its way.
    pub(super) async fn delivered(&self) {
        let delivery = &self.inner.delivery;
        loop {
            let ended = delivery.ended.notified();
            if delivery.waiting() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Keeps what is on its way as dead letters: the switch stops.
    pub(super) fn keep_undelivered(&self) {
        let inner = &self.inner;
        let dead = lock(&inner.delivery.outbox).give_up(inner.now());
        inner.keep(&dead);
    }
}

impl Inner {
    async fn deliver(self: Arc<Self>, letter: Letter) {
        let notice = letter.notice;
        let ask = Ask {
            method: notice.method,
            call: notice.call,
            token: Some(letter.id.clone()),
            is_notice: true,
            ..Ask::new(notice.to, notice.content, Expects::Status)
        };
        let came = self.ask(ask).await;
        let failure = came.err().map(|failure| (failure.kind, failure.words));
        let terms = self.settings.load().notices;
        let outcome = {
            let mut chance = lock(&self.chance);
            let mut outbox = lock(&self.delivery.outbox);
            outbox.done(&letter.id, failure, &terms, (self.now(), &mut chance))
        };
        self.delivery.news.notify_one();
        self.delivery.ended.notify_waiters();
        match outcome {
            Outcome::Dead(dead) => self.bury(vec![*dead]),
            Outcome::Delivered { was_kept } => {
                self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                if was_kept {
                    let shelf = self.delivery.shelf.clone();
                    self.handle.spawn_blocking(move || {
                        if let Err(error) = shelf.remove(&letter.id) {
                            tracing::warn!(%error, "a delivered letter is still listed as dead");
                        }
                    });
                }
            }
            Outcome::Later | Outcome::Unknown => {}
        }
    }

    /// Keeps dead letters, on a thread that may wait for the disk.
    fn bury(self: &Arc<Self>, dead: Vec<DeadLetter>) {
        let burying = &self.delivery.burying;
        if burying.fetch_add(1, Ordering::Relaxed) >= MOST_BURYING {
            burying.fetch_sub(1, Ordering::Relaxed);
            tracing::error!("a dead letter is lost: too many wait for the disk");
            self.counters
                .lost
                .fetch_add(dead.len() as u64, Ordering::Relaxed);
            return;
        }
        let inner = self.clone();
        self.handle.spawn_blocking(move || {
            inner.keep(&dead);
            inner.delivery.burying.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn keep(&self, dead: &[DeadLetter]) {
        if dead.is_empty() {
            return;
        }
        for letter in dead {
            let (to, kind) = (letter.notice.to.redacted(), letter.kind.as_str());
            let (id, what) = (&letter.id, &letter.notice.what);
            tracing::warn!(id, to, what, kind, tries = letter.tries, "web_dead_letter");
        }
        let count = dead.len() as u64;
        let terms = self.settings.load().notices;
        match self.delivery.shelf.keep(dead, &terms, self.now()) {
            Ok(()) => self.counters.dead.fetch_add(count, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(%error, count, "dead letters are lost");
                self.counters.lost.fetch_add(count, Ordering::Relaxed)
            }
        };
    }
}

/// Dead letters that may wait for the disk; it takes some hundred a second.
const MOST_BURYING: usize = 10_000;
