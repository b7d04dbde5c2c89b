//! What phones say of themselves while the channel is full: of each only the last.
//!
//! A phone may come and go as often as it likes, also while the journal cannot be written and nothing
//! is taken from the channel. What it says must not be lost, and what it said before need not be kept.

use std::collections::BTreeMap;
use std::sync::mpsc::SendError;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Message;
use crate::base::ShardId;
use crate::router::Command;

/// The last that was said of each phone, and by which signalling shard.
type Said = BTreeMap<Saying, (ShardId, Box<Command>)>;

/// What a command says something of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Saying {
    Busy(String, u16),
    Reachable(String),
}

/// The last that phones said, kept beside the channel.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Said>);

impl Latest {
    /// Sends a command that says how a phone is, or keeps it when the channel is full or others are
    /// kept: what is said later must not overtake what was said before. The first that is kept is
    /// announced in the channel, so that its place is known.
    pub(super) fn say(
        &self,
        from: ShardId,
        command: Box<Command>,
        is_full: bool,
        send: impl FnOnce(Message) -> Result<(), SendError<Message>>,
    ) -> Result<(), SendError<Message>> {
        // Held while it is sent: nobody keeps anything between the look and the sending.
        let mut said = self.said();
        let saying = match Saying::of(&command) {
            Some(saying) if is_full || !said.is_empty() => saying,
            _ => return send(Message::Command(from, command)),
        };
        let is_first = said.is_empty();
        said.insert(saying, (from, command));
        match is_first {
            true => send(Message::Phones),
            false => Ok(()),
        }
    }

    /// All that is kept; it is not kept any longer.
    pub(super) fn take(&self) -> impl Iterator<Item = (ShardId, Box<Command>)> + use<> {
        std::mem::take(&mut *self.said()).into_values()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Saying {
    fn of(command: &Command) -> Option<Self> {
        match command {
            Command::SetBusy { worker, shard, .. } => Some(Self::Busy(worker.clone(), *shard)),
            Command::SetReachable { worker, .. } => Some(Self::Reachable(worker.clone())),
            _ => None,
        }
    }
}
