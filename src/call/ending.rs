//! How legs and calls end: what is said to whom, what is given back, what is still waited for.

use super::core::Core;
use super::hands::Hands;
use super::leg::Progress;
use super::reason;
use crate::base::{Cause, LegId, Party, RecordingId};
use crate::events::{Fact, MediaSummary};
use crate::media::Command;
use crate::twiml::ParticipantEnd;

impl Core {
    /// Ends one leg, whatever state its INVITE is in. Nothing happens to a leg already over.
    pub(crate) fn hang_up(&mut self, hands: &mut Hands<'_>, id: LegId, by: Party, cause: Cause) {
        let Some(leg) = self.leg(id) else { return };
        let (session, progress) = (leg.session, leg.progress);
        let said = |hands: &Hands<'_>| reason::passed_on(hands, self.generation, by, &cause);
        match progress {
            Progress::Arriving => {
                let status = if cause.sip >= 300 { cause.sip } else { 480 };
                let headers = self.identity.refusal_headers(status);
                hands.ua.reject(hands.now, session, status, &headers);
            }
            Progress::Answered => hands.ua.bye(hands.now, session, &said(hands)),
            Progress::Calling | Progress::Ringing => {
                hands.ua.cancel(hands.now, session, &said(hands));
            }
            Progress::Over => return,
        }
        self.leg_over(hands, id, by, cause);
    }

    /// Notes that a leg's SIP is over and closes its media.
    pub(crate) fn leg_over(&mut self, hands: &mut Hands<'_>, id: LegId, by: Party, cause: Cause) {
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.id == id) else {
            return;
        };
        if leg.progress == Progress::Over {
            return;
        }
        leg.progress = Progress::Over;
        let (trunk, status) = (leg.trunk.clone(), cause.sip);
        hands.phone_released(&leg.party, id);
        leg.over = Some((hands.now, by, cause));
        hands.index.sessions.remove(&leg.session);
        if let Some(trunk) = trunk {
            let story = self.record.legs.iter().find(|story| story.leg == id);
            let answered = story.and_then(|story| story.answered);
            let talked = answered.map(|at| hands.now.since(at));
            let status = if talked.is_some() { 200 } else { status };
            hands.carriers.ended(&trunk, status, talked);
        }
        let Some(leg) = self.leg(id) else { return };
        if leg.local.is_some() {
            if self.is_lead(id) {
                self.leave_conference(hands, ParticipantEnd::Left);
            }
            if let Some(room) = self.room {
                hands.tell(Command::Leave { room, leg: id });
            }
            hands.tell(Command::CloseLeg { leg: id });
        } else {
            self.leg_closed(hands, id, MediaSummary::default());
        }
    }

    /// Takes the counts of a leg whose media is closed, and says that the leg ended.
    pub(crate) fn leg_closed(&mut self, hands: &mut Hands<'_>, id: LegId, summary: MediaSummary) {
        hands.index.legs.remove(&id);
        let Some(leg) = self.leg_mut(id) else { return };
        if leg.summary.is_some() {
            return;
        }
        leg.summary = Some(summary);
        if let Some(trunk) = &leg.trunk {
            hands.carriers.exit(trunk);
        }
        let (at, by, cause) = leg
            .over
            .clone()
            .unwrap_or_else(|| (hands.now, Party::Switch, Cause::from_status(500)));
        self.emit_at(
            hands,
            at,
            Fact::LegEnded {
                leg: id,
                by,
                cause,
                media: summary,
            },
        );
    }

    /// Ends the call: every leg, the room, the recordings. Publishing follows when all is counted.
    pub(crate) fn end(&mut self, hands: &mut Hands<'_>, by: Party, cause: &Cause) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(hands.now);
        for recording in self.recordings.clone() {
            hands.tell(Command::StopRecord {
                recording,
                at: hands.now,
            });
        }
        self.emit(
            hands,
            Fact::CallEnded {
                by,
                cause: cause.clone(),
            },
        );
        let live: Vec<LegId> = self
            .legs
            .iter()
            .filter(|leg| leg.is_live())
            .map(|leg| leg.id)
            .collect();
        for leg in live {
            self.hang_up(hands, leg, by, cause.clone());
        }
        self.close_room(hands);
    }

    /// Ends the recordings that run.
    ///
    /// What is to be recorded as long as the call lasts goes on.
    pub(crate) fn stop_recording(&mut self, hands: &Hands<'_>) {
        let stays = |id: &RecordingId| self.commissions.iter().any(|one| one.is_of_call(id));
        let open = self.recordings.iter().filter(|id| !stays(id));
        let open: Vec<RecordingId> = open.cloned().collect();
        self.stop_recordings(hands, open);
    }

    /// Ends the call's conference with its recordings; the legs stay.
    pub(crate) fn close_room(&mut self, hands: &mut Hands<'_>) {
        self.stop_recording(hands);
        if let Some(room) = self.room.take() {
            for leg in self.legs.iter_mut().filter(|leg| leg.hears_music) {
                leg.hears_music = false;
                let (leg, sound) = (leg.id, None);
                hands.tell(Command::HoldMusic { room, leg, sound });
            }
            hands.tell(Command::CloseRoom { room });
        }
    }

    /// Media or the router did not report in time: what is known now is all there will be.
    pub(crate) fn wait_no_longer(&mut self, hands: &mut Hands<'_>) {
        let silent: Vec<LegId> = self
            .legs
            .iter()
            .filter(|leg| leg.summary.is_none())
            .map(|leg| leg.id)
            .collect();
        for leg in silent {
            tracing::warn!(%leg, "media never reported of a leg");
            self.leg_closed(hands, leg, MediaSummary::default());
        }
        for recording in std::mem::take(&mut self.recordings) {
            tracing::warn!(%recording, "recording not published in time");
            hands.index.recordings.remove(&recording);
        }
        (self.stopping, self.leg_tapes) = Default::default();
        self.wrap_ended(hands, None);
    }

    /// Whether everything is known but when after-call work ends.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended.is_some()
            && self.recordings.is_empty()
            && self.legs.iter().all(|leg| leg.summary.is_some())
    }
}
