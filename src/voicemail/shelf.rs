//! The mailboxes on disk, and an index of them that is read from the disk at start.
//!
//! A message is three files: the sound and the sidecar are the recorder's, synced and named before
//! anybody hears of them; `ID.state` says whether it was heard and saved. Nothing else is needed to
//! know all messages, so nothing can be lost with an index.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::{self, GREETING, MAILBOX, MailboxState, State};
use super::{
    Change, ChangeKind, Clip, Counts, DeadMail, LetterKey, MailEnd, Message, VoicemailTerms, post,
};
use crate::base::Timestamp;
use crate::recording::{Closed, Format, VOICEMAIL};

/// All mailboxes of the node.
#[derive(Debug)]
pub struct Shelf {
    root: PathBuf,
    terms: Arc<VoicemailTerms>,
    mailboxes: BTreeMap<String, Mailbox>,
    /// What happened and was not told yet.
    changes: Vec<Change>,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// Oldest first.
    messages: Vec<Message>,
    greeting: Option<PathBuf>,
}

/// A recording that ended and is a mailbox's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its file.
    pub path: PathBuf,
    /// Length.
    pub length: Duration,
    /// Whether nothing was said at all.
    pub is_empty: bool,
}

impl Finished {
    /// A recording that the recorder told as closed.
    pub fn of(closed: &Closed, is_empty: bool) -> Self {
        Self {
            path: closed.path.clone(),
            length: Duration::from_millis(closed.duration_ms),
            is_empty,
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It is a message of its mailbox.
    Kept(Message),
    /// It was too short to count, and is gone.
    TooShort,
    /// It is a greeting.
    Greeting,
    /// It could not be stored, and why.
    Failed(String),
}

impl Shelf {
    /// Reads what there is below the recordings directory. Takes away what a process that died left
    /// half deleted, and greetings that were never taken into use.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read or made.
    pub fn open(recordings: &Path, terms: Arc<VoicemailTerms>) -> io::Result<Self> {
        let root = recordings.join(VOICEMAIL);
        std::fs::create_dir_all(&root)?;
        let mut shelf = Self {
            root: root.clone(),
            terms,
            mailboxes: BTreeMap::new(),
            changes: Vec::new(),
        };
        for entry in std::fs::read_dir(&root)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy());
            if let (true, Some(name)) = (path.is_dir(), name) {
                let mailbox = read_mailbox(&name, &path)?;
                shelf.mailboxes.insert(name.into_owned(), mailbox);
            }
        }
        Ok(shelf)
    }

    /// Another configuration holds from now on.
    pub fn set_terms(&mut self, terms: Arc<VoicemailTerms>) {
        self.terms = terms;
    }

    /// What holds.
    pub fn terms(&self) -> &Arc<VoicemailTerms> {
        &self.terms
    }

    /// Names of the mailboxes that are configured, or hold messages.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.terms.mailboxes.keys().cloned().collect();
        let held = self.mailboxes.iter();
        let held = held.filter(|(_, mailbox)| !mailbox.messages.is_empty());
        names.extend(held.map(|(name, _)| name.clone()));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Messages of a mailbox, oldest first.
    pub fn messages(&self, mailbox: &str) -> &[Message] {
        let mailbox = self.mailboxes.get(mailbox);
        mailbox.map_or(&[], |mailbox| &mailbox.messages)
    }

    /// One message.
    pub fn message(&self, mailbox: &str, id: &str) -> Option<&Message> {
        self.messages(mailbox)
            .iter()
            .find(|message| message.id == id)
    }

    /// How many messages a mailbox has.
    pub fn counts(&self, mailbox: &str) -> Counts {
        let messages = self.messages(mailbox);
        let old = messages.iter().filter(|message| message.heard).count();
        Counts {
            new: messages.len() - old,
            old,
        }
    }

    /// Whether a mailbox takes no more messages.
    pub fn is_full(&self, mailbox: &str) -> bool {
        let all = self.mailboxes.values();
        let bytes = || {
            let each = all.flat_map(|mailbox| &mailbox.messages);
            each.map(|message| message.bytes).sum::<u64>()
        };
        let terms = &self.terms;
        self.messages(mailbox).len() >= terms.messages
            || terms.bytes.is_some_and(|most| bytes() >= most)
    }

    /// Whether a mailbox has a greeting that was recorded.
    pub fn has_greeting(&self, mailbox: &str) -> bool {
        self.mailboxes
            .get(mailbox)
            .is_some_and(|mailbox| mailbox.greeting.is_some())
    }

    /// The file of a sound of a mailbox; `None` when there is no such sound.
    pub fn find(&self, mailbox: &str, clip: &Clip) -> Option<&Path> {
        match clip {
            Clip::Greeting => self.mailboxes.get(mailbox)?.greeting.as_deref(),
            Clip::Message(id) => Some(&self.message(mailbox, id)?.path),
        }
    }

    /// Takes up a recording that ended. A caller who was let in is not sent away: a mailbox may hold
    /// a few more than it should. To be told twice of one is no harm.
    pub fn file(&mut self, finished: &Finished) -> Filed {
        let sound = &finished.path;
        let mailbox = sound.parent().and_then(Path::file_name);
        let mailbox = mailbox.map(|name| name.to_string_lossy().into_owned());
        let Some(mailbox) = mailbox.filter(|_| Format::of(sound).is_some() && sound.is_file())
        else {
            return Filed::Failed("the recording is not published yet".to_owned());
        };
        let path = self.root.join(&mailbox);
        let file = sound.file_name().unwrap_or_default();
        let sound = path.join(file);
        let known = self.messages(&mailbox).iter();
        if let Some(known) = known.into_iter().find(|known| known.path == sound) {
            return Filed::Kept(known.clone());
        }
        if file.to_string_lossy().starts_with(GREETING) {
            return match finished.is_empty || finished.length < self.terms.shortest {
                true => discard(&sound),
                false => self.take_greeting(&mailbox, &sound),
            };
        }
        if finished.is_empty || finished.length < self.terms.shortest {
            return discard(&sound);
        }
        let Some(message) = files::read_message(&mailbox, &sound) else {
            return Filed::Failed("its sidecar cannot be read".to_owned());
        };
        let own = self.mailboxes.entry(mailbox).or_default();
        own.messages.push(message.clone());
        sort(&mut own.messages);
        self.changed(ChangeKind::Left, message.clone());
        Filed::Kept(message)
    }

    /// Says of a message whether it was heard and is to stay.
    ///
    /// # Errors
    ///
    /// When it cannot be written. `Ok(false)`: there is no such message.
    pub fn mark(
        &mut self,
        mailbox: &str,
        id: &str,
        heard: bool,
        saved: Option<bool>,
    ) -> io::Result<bool> {
        let own = self.mailboxes.get_mut(mailbox);
        let mut messages = own.into_iter().flat_map(|own| &mut own.messages);
        let Some(message) = messages.find(|message| message.id == id) else {
            return Ok(false);
        };
        let saved = saved.unwrap_or(message.saved);
        if (message.heard, message.saved) == (heard, saved) {
            return Ok(true);
        }
        let state = message.path.with_extension(files::STATE);
        files::write_state(&state, &State { heard, saved })?;
        (message.heard, message.saved) = (heard, saved);
        let message = message.clone();
        self.changed(ChangeKind::Marked, message);
        Ok(true)
    }

    /// Deletes a message.
    ///
    /// # Errors
    ///
    /// When its files cannot be deleted, or must not be (`ID.hold` is beside them). `Ok(false)`: there
    /// is no such message.
    pub fn delete(&mut self, mailbox: &str, id: &str) -> io::Result<bool> {
        let Some(own) = self.mailboxes.get_mut(mailbox) else {
            return Ok(false);
        };
        let Some(place) = own.messages.iter().position(|message| message.id == id) else {
            return Ok(false);
        };
        let sound = &own.messages[place].path;
        if files::is_held(sound) {
            return Err(io::Error::other("the message is on legal hold"));
        }
        match files::delete(sound) {
            // Somebody else took it away.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let message = own.messages.remove(place);
        self.changed(ChangeKind::Deleted, message);
        Ok(true)
    }

    /// Letters that are still to go, and when their messages were left.
    pub fn open_mail(&self) -> Vec<(LetterKey, Timestamp)> {
        self.all().flat_map(post::keys).collect()
    }

    /// Letters that were given up.
    pub fn dead_mail(&self) -> Vec<DeadMail> {
        let of = |message: &Message| {
            let ends = message.mailing.ends.iter();
            let dead = ends.filter_map(|(to, end)| match end {
                MailEnd::Sent(_) | MailEnd::Dropped(_) => None,
                MailEnd::Dead { at, tries, words } => Some(DeadMail {
                    key: LetterKey {
                        mailbox: message.mailbox.clone(),
                        message: message.id.clone(),
                        to: to.clone(),
                    },
                    message: message.clone(),
                    died: *at,
                    tries: *tries,
                    words: words.clone(),
                }),
            });
            dead.collect::<Vec<_>>()
        };
        self.all().flat_map(of).collect()
    }

    /// Writes down what came of a letter. A message that is gone needs no word.
    ///
    /// # Errors
    ///
    /// When it cannot be written; it counts all the same until the next start.
    pub fn mailed(&mut self, key: &LetterKey, end: MailEnd) -> io::Result<()> {
        self.write_mail(key, |message| {
            message.mailing.ends.insert(key.to.clone(), end);
        })
    }

    /// A letter that was given up is to go once more.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn mail_again(&mut self, key: &LetterKey) -> io::Result<()> {
        self.write_mail(key, |message| {
            message.mailing.ends.remove(&key.to);
        })
    }

    fn write_mail(&mut self, key: &LetterKey, act: impl FnOnce(&mut Message)) -> io::Result<()> {
        let own = self.mailboxes.get_mut(&key.mailbox);
        let mut messages = own.into_iter().flat_map(|own| &mut own.messages);
        let Some(message) = messages.find(|message| message.id == key.message) else {
            return Ok(());
        };
        act(message);
        let file = message.path.with_extension(files::MAIL);
        files::write_state(&file, &message.mailing.ends)
    }

    fn all(&self) -> impl Iterator<Item = &Message> {
        let mailboxes = self.mailboxes.values();
        mailboxes.flat_map(|mailbox| &mailbox.messages)
    }

    /// Goes back to the greeting of the configuration.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn drop_greeting(&mut self, mailbox: &str) -> io::Result<()> {
        let Some(own) = self.mailboxes.get_mut(mailbox) else {
            return Ok(());
        };
        let state = self.root.join(mailbox).join(MAILBOX);
        files::write_state(&state, &MailboxState::default())?;
        if let Some(before) = own.greeting.take() {
            // The next start would take it away.
            let _ = files::delete(&before);
        }
        Ok(())
    }

    /// Deletes messages that are too old and that nobody saved.
    pub fn sweep(&mut self, now: Timestamp) {
        let Some(keep) = self.terms.keep else { return };
        let all = self.mailboxes.values();
        let all = all.flat_map(|mailbox| &mailbox.messages);
        let old: Vec<(String, String)> = all
            .filter(|message| !message.saved && now.since(message.at) > keep)
            .filter(|message| !files::is_held(&message.path))
            .map(|message| (message.mailbox.clone(), message.id.clone()))
            .collect();
        for (mailbox, id) in old {
            if let Err(error) = self.delete(&mailbox, &id) {
                tracing::error!(mailbox, id, %error, "voicemail.deletion_failed");
            }
        }
    }

    /// What happened since the last time.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn take_greeting(&mut self, mailbox: &str, sound: &Path) -> Filed {
        let name = sound.file_name().unwrap_or_default().to_string_lossy();
        let state = MailboxState {
            greeting: Some(name.into_owned()),
        };
        let path = self.root.join(mailbox).join(MAILBOX);
        if let Err(error) = files::write_state(&path, &state) {
            return Filed::Failed(error.to_string());
        }
        let own = self.mailboxes.entry(mailbox.to_owned()).or_default();
        if let Some(before) = own.greeting.replace(sound.to_owned())
            && before != sound
        {
            // The next start would take it away.
            let _ = files::delete(&before);
        }
        Filed::Greeting
    }

    fn changed(&mut self, kind: ChangeKind, message: Message) {
        let counts = self.counts(&message.mailbox);
        self.changes.push(Change {
            kind,
            message,
            counts,
        });
    }
}

fn read_mailbox(name: &str, folder: &Path) -> io::Result<Mailbox> {
    let remembered = files::read_state::<MailboxState>(&folder.join(MAILBOX));
    if let Err(error) = &remembered {
        tracing::error!(mailbox = name, %error, "voicemail.state_unreadable");
    }
    // Which greeting is in use is not known then: all of them stay.
    let (state, is_known) = match remembered {
        Ok(state) => (state.unwrap_or_default(), true),
        Err(_) => (MailboxState::default(), false),
    };
    let mut mailbox = Mailbox::default();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|ending| ending == "json") {
            let is_of = |format: &Format| path.with_extension(format.extension()).is_file();
            let is_being_made = || path.with_extension("json.part").exists();
            if !Format::ALL.iter().any(is_of) && !is_being_made() && !has_part(&path) {
                tracing::info!(path = %path.display(), "voicemail.deletion_finished");
                std::fs::remove_file(&path)?;
            }
            continue;
        }
        if Format::of(&path).is_none() {
            continue;
        }
        if file.starts_with(GREETING) {
            if state.greeting.as_deref() == Some(&*file) {
                mailbox.greeting = Some(path);
            } else if is_known {
                files::delete(&path)?;
            }
            continue;
        }
        match files::read_message(name, &path) {
            Some(message) => mailbox.messages.push(message),
            None => tracing::warn!(path = %path.display(), "voicemail.without_sidecar"),
        }
    }
    sort(&mut mailbox.messages);
    Ok(mailbox)
}

/// Whether the sound of a sidecar waits to be published.
fn has_part(sidecar: &Path) -> bool {
    Format::ALL.iter().any(|format| {
        let part = format!("{}.part", format.extension());
        sidecar.with_extension(part).is_file()
    })
}

/// The oldest first; those of one instant by their ids.
fn sort(messages: &mut [Message]) {
    messages.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
}

fn discard(sound: &Path) -> Filed {
    match files::delete(sound) {
        Ok(()) => Filed::TooShort,
        Err(error) => Filed::Failed(error.to_string()),
    }
}
