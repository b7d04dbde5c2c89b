//! Voicemail: messages for phones, queues and flows, and the machines that callers leave and hear
//! them by.
//!
//! A [`Shelf`] is the mailboxes on disk: the files are the recorder's, published before anybody is
//! told that a message is stored, and the shelf's index is only what was read from them. A
//! [`Keeper`] does the shelf's work on a thread of its own; calls send it [`Wish`]es and get
//! [`Word`]s. A [`Post`] mails messages on a thread of its own. A [`Session`] is a subscriber who listens to messages or records a greeting; sans-IO.

mod files;
mod greeting;
mod keeper;
mod listen;
mod mailing;
mod message;
mod post;
mod session;
mod shelf;
mod terms;
mod wording;

#[cfg(test)]
pub(crate) mod tests;

pub use keeper::{Clip, Keeper, KeeperTask, Letter, Wish, Wishes, Word};
pub use mailing::{LetterKey, MailEnd, Mailing};
pub use message::{Change, ChangeKind, Counts, Message};
pub use post::{DeadMail, Post, PostTask};
pub use session::{Around, Output, Service, Session};
pub use shelf::{Filed, Finished, Shelf};
pub use terms::{MailTerms, MailboxTerms, PhoneMail, Unanswered, VoicemailTerms};
pub use wording::{MAIL_NAMES, mail_template};

/// Label of a recording: whom the message is to be mailed to.
pub const EMAIL_LABEL: &str = "email";

/// Where a message that begins now is recorded: path below the recordings directory, without ending.
pub fn stem(mailbox: &str, recording: &crate::base::RecordingId) -> String {
    let name = crate::recording::plain_name(recording.as_str());
    format!("{}/{mailbox}/{name}", crate::recording::VOICEMAIL)
}

/// The same for a greeting.
pub fn greeting_stem(mailbox: &str, recording: &crate::base::RecordingId) -> String {
    let name = crate::recording::plain_name(recording.as_str());
    let folder = crate::recording::VOICEMAIL;
    format!("{folder}/{mailbox}/{}{name}", files::GREETING)
}

/// Whether a recording in a mailbox was to be its greeting. One that its speaker did not end, because
/// he hung up or the switch died, is none.
pub fn is_greeting(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    is_in_a_mailbox(path) && name.starts_with(files::GREETING)
}

/// Whether a recording's file is a mailbox's.
pub fn is_in_a_mailbox(path: &std::path::Path) -> bool {
    let folder = path.parent().and_then(std::path::Path::parent);
    folder.is_some_and(|folder| folder.ends_with(crate::recording::VOICEMAIL))
}
