//! A call's checkpoint: everything from which it can be rebuilt in another process.
//!
//! Taken when the caller's dialog is stable. Legs that only ring are left out: their INVITEs die
//! with the process and the far ends hear nothing of it; the stage is told and rings anew.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::exchange::Exchange;
use super::feature::Stage;
use super::hands::Hands;
use super::leg::{Leg, Progress};
use super::machine::Call;
use super::{CallKey, negotiate};
use crate::base::{CallId, Cause, Party, Timestamp};
use crate::events::MediaSummary;
use crate::media::{Command, LegPorts, LegState};
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
        let is_answered = call.core.legs.first().is_some_and(Leg::is_answered);
        // A trunk test dies with the switch that makes it.
        let is_test = matches!(call.stage, Stage::Test(_));
        if call.core.ended.is_some() || is_test || !is_answered {
            return None;
        }
        let call = Call::clone(call);
        let (mut sessions, mut media) = (Vec::new(), Vec::new());
        for leg in call.core.legs.iter().filter(|leg| leg.is_answered()) {
            sessions.push(self.ua.checkpoint(leg.session)?);
            media.push(leg.media.as_deref().cloned());
        }
        Some(CallCheckpoint {
            call,
            sessions,
            media,
        })
    }

    /// Rebuilds calls, all that are to be in one go: ids in use are kept clear of first. A call
    /// whose generation is gone takes the newest; one whose ports are taken ends, as its parties
    /// must hear.
    pub fn restore(&mut self, now: Timestamp, checkpoints: Vec<CallCheckpoint>) {
        for CallCheckpoint { call, .. } in &checkpoints {
            let legs = call.core.legs.iter().map(|leg| leg.id.0);
            for number in legs.chain(call.core.room.map(|room| room.0)) {
                self.ids.skip_past(number);
            }
        }
        for checkpoint in checkpoints {
            self.restore_call(now, checkpoint);
        }
        self.pump(now);
    }

    fn restore_call(&mut self, now: Timestamp, checkpoint: CallCheckpoint) {
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
        let mut is_whole = true;
        let answered = call.core.legs.iter_mut().filter(|leg| leg.is_answered());
        for ((leg, session), state) in answered.zip(sessions).zip(media) {
            is_whole &= self.restore_leg(now, (key, call.core.generation), leg, (session, state));
        }
        for recording in &call.core.recordings {
            self.index.recordings.insert(recording.clone(), key);
        }
        self.admit(Box::new(call));
        self.with_call(now, key, |call, hands| {
            let counted = |leg: &&Leg| leg.summary.is_none();
            for trunk in call
                .core
                .legs
                .iter()
                .filter(counted)
                .filter_map(|leg| leg.trunk.as_ref())
            {
                hands.carriers.resume(trunk);
            }
            call.core.end_unrestored(hands);
            for leg in call.core.legs.iter().filter(|leg| leg.is_live()) {
                if leg.is_phones_own() {
                    hands.phone_engaged(call.core.generation, &leg.party, leg.id);
                }
            }
            if !is_whole {
                let cause = Cause::from_status(503).with_words("media could not be restored");
                return call.end(hands, Party::Switch, &cause);
            }
            if let Some(room) = call.core.room {
                hands.open_room(room, call.core.generation);
                for leg in call.core.legs.iter().filter(|leg| leg.is_answered()) {
                    hands.tell(Command::Join {
                        room,
                        leg: leg.id,
                        standing: leg.standing,
                    });
                }
                call.set_gains_again(hands, room);
            }
            call.core.conceal_again(hands);
            if let Some(playing) = call.core.playing.clone() {
                call.core.start_play(hands, &playing);
            }
            call.restored(hands);
        });
    }

    /// Takes up one leg's dialog and media. False when its media is lost.
    fn restore_leg(
        &mut self,
        now: Timestamp,
        (key, generation): (CallKey, u64),
        leg: &mut Leg,
        (session, state): (SessionCheckpoint, Option<LegState>),
    ) -> bool {
        leg.session = self.ua.restore(now, session);
        self.index.sessions.insert(leg.session, (key, leg.id));
        let generation = self.generations.get(&generation);
        let trunk = leg.trunk.as_ref();
        let trunk = generation.and_then(|now| trunk.and_then(|name| now.trunks.get(name)));
        if let Some(trunk) = trunk {
            let manners = trunk.profile.manners.clone();
            self.ua.set_manners(leg.session, manners);
            if let Some(credentials) = trunk.credentials_for(&leg.shown_as).cloned() {
                self.ua.set_credentials(leg.session, credentials);
            }
        }
        let state = state.or_else(|| self.fresh_media(now, leg));
        let restored = state.map(|state| self.media.restore_leg(&state));
        if let Some(Err(error)) = &restored {
            tracing::warn!(leg = %leg.id, %error, "media not restored");
        }
        let is_restored = matches!(restored, Some(Ok(_)));
        if is_restored {
            self.index.legs.insert(leg.id, key);
        } else {
            leg.local = None;
        }
        is_restored
    }

    /// The media of a leg that did not report in time: the same ports, a new stream.
    fn fresh_media(&mut self, now: Timestamp, leg: &Leg) -> Option<LegState> {
        let local = leg.local.as_ref()?;
        Some(LegState {
            leg: leg.id,
            shard: self.ids.origin().shard,
            at: now,
            ports: LegPorts {
                rtp: local.address,
                rtcp: local.rtcp?,
            },
            flow: leg
                .negotiated
                .as_ref()
                .map(|agreed| negotiate::leg_flow(agreed, Some(leg.flow.remote.ip()))),
            latched: None,
            srtp: None,
            ssrc: self.entropy.u32(),
            sequence: self.entropy.u32() as u16,
            timestamp: self.entropy.u32(),
        })
    }
}

impl Core {
    /// Legs that were ringing died with the process; of those that were over, the counts did.
    fn end_unrestored(&mut self, hands: &mut Hands<'_>) {
        let gone = self
            .legs
            .iter()
            .filter(|leg| !leg.is_answered() && leg.summary.is_none());
        for leg in gone.map(|leg| leg.id).collect::<Vec<_>>() {
            if let Some(leg) = self.leg_mut(leg).filter(|leg| leg.is_live()) {
                let cause = Cause::from_status(503).with_words("the switch started anew");
                leg.progress = Progress::Over;
                leg.over = Some((hands.now, Party::Switch, cause));
            }
            self.leg_closed(hands, leg, MediaSummary::default());
        }
    }
}
