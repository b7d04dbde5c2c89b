//! Where a shard's outputs go: the router, the archive, the bindings' keeper.

use std::sync::mpsc::{Sender, SyncSender, TrySendError};

use tokio::sync::mpsc;

use super::aftermath;
use super::inquiries::Outside;
use crate::base::{CallId, ShardId};
use crate::call::Inquiry;
use crate::call::task::{Order, Outlets};
use crate::events::{CallRecord, RecordingFacts};
use crate::router::{Command, RouterHandle};
use crate::store::Records;
use crate::voicemail::{Wish, Wishes};
use crate::webhook::Notice;

/// One shard's outlets.
pub(super) struct ShardOutlets {
    pub(super) shard: ShardId,
    pub(super) router: RouterHandle,
    pub(super) records: Records,
    /// Holds one wish: that bindings be saved again.
    pub(super) bindings: SyncSender<()>,
    /// Whom flows ask.
    pub(super) outside: Outside,
    /// Where repaired recordings are waited for.
    pub(super) orphans: Sender<Box<RecordingFacts>>,
    /// Where the mailboxes are asked.
    pub(super) voicemail: Wishes,
}

impl Outlets for ShardOutlets {
    fn inquire(&mut self, inquiry: Box<Inquiry>, answers: mpsc::Sender<Order>) {
        self.outside.inquire(*inquiry, answers);
    }

    fn notify(&mut self, notice: Box<Notice>) {
        self.outside.web.notify(*notice);
    }

    fn bindings_changed(&mut self) {
        // Full means that a save is wished for already.
        let _ = self.bindings.try_send(());
    }

    fn recording_found(&mut self, recording: Box<RecordingFacts>) {
        aftermath::report(&self.orphans, recording);
    }

    fn publish(&mut self, record: Box<CallRecord>) {
        if record.ended.is_some() {
            self.outside.web.forget(&record.id);
        }
        if let Err(full) = self.records.publish(*record) {
            // The last resort that loses nothing: the log is the record's paper copy.
            let record = serde_json::to_string(&full.0).unwrap_or_default();
            tracing::error!(%full, %record, "call record not stored");
        }
    }

    fn ask_voicemail(&mut self, call: Option<CallId>, wish: Wish) {
        let letter = (self.shard, call, wish);
        if let Err(TrySendError::Full((_, _, wish)) | TrySendError::Disconnected((_, _, wish))) =
            self.voicemail.try_send(letter)
        {
            // What is recorded is on the disk, and found at the next start.
            tracing::error!(?wish, "voicemail.not_asked");
        }
    }

    fn route(&mut self, command: Command) -> Result<(), Box<Command>> {
        self.router.send(self.shard, command).map_err(|full| {
            tracing::error!("{full}");
            full.0
        })
    }
}
