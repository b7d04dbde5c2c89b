//! Notices, and what becomes of those that cannot be delivered.

use serde::{Deserialize, Serialize};

use super::ask::{Content, To};
use super::reply::FailureKind;
use super::settings::{Method, NoticeTerms};
use crate::base::{CallId, Timestamp};

/// Something an endpoint is told, without an answer that anybody waits for: a status callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// To whom.
    pub to: To,
    /// How; as the endpoint says when `None`.
    pub method: Option<Method>,
    /// What.
    pub content: Content,
    /// The call it is about: notices of one call arrive in their order.
    pub call: Option<CallId>,
    /// What it is, for lists: `status callback`.
    pub what: String,
}

/// A notice that could not be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id; also the idempotency token of every try, the replayed ones included.
    pub id: String,
    /// The notice.
    pub notice: Notice,
    /// When it was to be said.
    pub made: Timestamp,
    /// When it was given up.
    pub died: Timestamp,
    /// Deliveries that were tried.
    pub tries: u32,
    /// Why the last one failed.
    pub kind: FailureKind,
    /// The same in words, free of secrets.
    pub words: String,
}

/// A dead letter as it is listed: not what it says, nor a password or query of its URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterView {
    /// Its id.
    pub id: String,
    /// Endpoint's name, or URL without query.
    pub to: String,
    /// What it is.
    pub what: String,
    /// The call it is about.
    pub call: Option<String>,
    /// When it was to be said, RFC 3339.
    pub made: String,
    /// When it was given up, RFC 3339.
    pub died: String,
    /// Deliveries that were tried.
    pub tries: u32,
    /// Why the last one failed: the word of a [`FailureKind`]; `mail` for an e-mail.
    pub kind: String,
    /// The same in words.
    pub words: String,
}

impl DeadLetter {
    /// As it is listed.
    pub fn view(&self) -> LetterView {
        LetterView {
            id: self.id.clone(),
            to: self.notice.to.redacted(),
            what: self.notice.what.clone(),
            call: self.notice.call.as_ref().map(ToString::to_string),
            made: self.made.to_rfc3339(),
            died: self.died.to_rfc3339(),
            tries: self.tries,
            kind: self.kind.as_str().to_owned(),
            words: self.words.clone(),
        }
    }
}

/// The shelf cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dead letters: {0}")]
pub struct ShelfError(pub String);

/// Where dead letters are kept; called from threads that may wait for the disk.
pub trait Shelf: Send + Sync {
    /// Keeps letters, one of the same id replaced; then throws out what is beyond `terms`.
    ///
    /// # Errors
    ///
    /// They are not kept.
    fn keep(
        &self,
        letters: &[DeadLetter],
        terms: &NoticeTerms,
        now: Timestamp,
    ) -> Result<(), ShelfError>;

    /// The letters that died last, the newest first.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, ShelfError>;

    /// One letter.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn find(&self, id: &str) -> Result<Option<DeadLetter>, ShelfError>;

    /// Throws a letter out; whether it was there.
    ///
    /// # Errors
    ///
    /// It cannot be thrown out.
    fn remove(&self, id: &str) -> Result<bool, ShelfError>;
}
