//! A call's checkpoint: everything from which it can be rebuilt in another process.
//!
//! Taken when the caller's dialog is stable. Legs that only ring are left out: their INVITEs die
//! with the process and the far ends hear nothing of it; the stage is told and rings anew.

use serde::{Deserialize, Serialize};

use super::CallKey;
use super::exchange::Exchange;
use super::machine::Call;
use crate::base::{CallId, Timestamp};
use crate::events::MediaSummary;
use crate::media::{Command, LegState, MediaError};
use crate::sip::ua::SessionCheckpoint;

/// One call, frozen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallCheckpoint {
    call: Call,
    /// One a living leg, in the order of the call's legs.
    sessions: Vec<SessionCheckpoint>,
    /// Likewise; a leg whose media did not report yet has none and begins a new stream.
    media: Vec<Option<LegState>>,
}

impl CallCheckpoint {
    /// Which call.
    pub fn call(&self) -> &CallId {
        &self.call.core.id
    }
}

impl Exchange {
    /// Asks media to report where its streams are; a checkpoint taken after the reports came in
    /// continues them without a seam.
    pub fn prepare_checkpoint(&mut self, call: &CallId) {
        let Some(call) = self
            .index
            .calls
            .get(call)
            .and_then(|key| self.calls.get(key))
        else {
            return;
        };
        for leg in call.core.legs.iter().filter(|leg| leg.is_answered()) {
            // A full ring means no fresh report: the checkpoint then does without.
            let _ = self.media.send(Command::Checkpoint { leg: leg.id });
        }
    }

    /// Freezes a call; `None` when it is unknown, over, or its caller's dialog is not stable.
    pub fn checkpoint(&self, call: &CallId) -> Option<CallCheckpoint> {
        let call = self.calls.get(self.index.calls.get(call)?)?;
        if call.core.ended.is_some() || !call.core.caller().is_answered() {
            return None;
        }
        let mut call = Call::clone(call);
        let (mut sessions, mut media) = (Vec::new(), Vec::new());
        for leg in call.core.legs.iter().filter(|leg| leg.is_answered()) {
            sessions.push(self.ua.checkpoint(leg.session)?);
            media.push(leg.media.as_deref().cloned());
        }
        call.core
            .legs
            .retain(|leg| leg.is_answered() || !leg.is_live());
        Some(CallCheckpoint {
            call,
            sessions,
            media,
        })
    }

    /// Rebuilds a call. It must run under a generation that this exchange has; the newest one is
    /// taken when its own is gone.
    ///
    /// # Errors
    ///
    /// When a media port of the call cannot be taken again.
    pub fn restore(
        &mut self,
        now: Timestamp,
        checkpoint: CallCheckpoint,
    ) -> Result<(), MediaError> {
        let CallCheckpoint {
            mut call,
            sessions,
            media,
        } = checkpoint;
        if !self.generations.contains_key(&call.core.generation) {
            call.core.generation = self.generation().number;
        }
        self.next_key += 1;
        let key = CallKey(self.next_key);
        call.core.key = key;
        call.core.recordings.clear();
        let mut frozen = sessions.into_iter().zip(media);
        for leg in &mut call.core.legs {
            if !leg.is_answered() {
                leg.summary.get_or_insert_with(MediaSummary::default);
                continue;
            }
            let Some((session, state)) = frozen.next() else {
                break;
            };
            if let Some(state) = state {
                self.media.restore_leg(&state)?;
            }
            leg.session = self.ua.restore(now, session);
            self.index.sessions.insert(leg.session, (key, leg.id));
            self.index.legs.insert(leg.id, key);
        }
        self.admit(Box::new(call));
        self.with_call(now, key, |call, hands| {
            if let Some(room) = call.core.room {
                hands.tell(Command::OpenRoom { room });
                for leg in call.core.legs.iter().filter(|leg| leg.is_answered()) {
                    hands.tell(Command::Join { room, leg: leg.id });
                }
            }
            if let Some(playing) = call.core.playing.clone() {
                call.core.start_play(hands, &playing);
            }
            call.restored(hands);
        });
        self.pump(now);
        Ok(())
    }
}
