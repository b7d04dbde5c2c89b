//! What becomes of a message's e-mail: to whom it goes, and to whom it went.
//!
//! To whom stands in the sidecar, published with the message: what is to be mailed is known as surely as
//! the message itself. What came of it is `ID.mail` beside the message, one entry an address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::Timestamp;

/// One message's e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailing {
    /// Addresses that the mailbox had when the message was left.
    pub to: Vec<String>,
    /// What came of it, by address.
    pub ends: BTreeMap<String, MailEnd>,
}

/// How a letter ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailEnd {
    /// A server took it, then.
    Sent(Timestamp),
    /// Somebody threw it out after it was given up, then.
    Dropped(Timestamp),
    /// It was given up.
    Dead {
        /// When.
        at: Timestamp,
        /// Tries since the start of the process that gave it up.
        tries: u32,
        /// Why the last one failed.
        words: String,
    },
}

/// Names a letter: a message and an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterKey {
    /// Mailbox.
    pub mailbox: String,
    /// Message.
    pub message: String,
    /// To whom.
    pub to: String,
}

impl Mailing {
    /// Addresses to which it is still to go.
    pub fn open(&self) -> impl Iterator<Item = &String> {
        self.to.iter().filter(|to| !self.ends.contains_key(*to))
    }
}

impl LetterKey {
    /// What it is called where dead letters are listed.
    pub fn id(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.mailbox, &self.message, &self.to] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        format!("{PREFIX}{}", hex::encode(&digest.finalize()[..12]))
    }

    /// Whether an id of a dead letter is one of these.
    pub fn is_one(id: &str) -> bool {
        id.starts_with(PREFIX)
    }
}

/// What the ids of dead e-mail begin with; no other letter's does.
const PREFIX: &str = "mail-";
