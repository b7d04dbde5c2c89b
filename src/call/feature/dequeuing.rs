//! A caller whom a document connects with the first of a line, or lets wait for one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::in_line::LOOKS;
use super::{Application, Feature, Next, Stage};
use crate::base::{CallId, Cause, Party, Timestamp};
use crate::call::commission::Commission;
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::lines::Taken;
use crate::call::reading::Reading;
use crate::events::Stretch;
use crate::twiml::{
    Action, CallRecording, Channels, Input, LegNews, Link, RecordingCallback, Ringing, Sid,
    SidKind, Track,
};

/// Somebody of a line, wanted or there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dequeuing {
    reading: Reading,
    name: String,
    /// The documents' number of the leg.
    leg: u64,
    whisper: Option<Link>,
    /// Who was taken.
    taken: Option<CallId>,
    /// Whether both hear each other.
    talks: bool,
    /// When he looks by himself: the word that something changed may have been lost.
    looks_at: Option<Timestamp>,
}

impl Dequeuing {
    /// As a document wants it; the line's name.
    pub(crate) fn new(reading: Reading, name: String, ringing: Ringing) -> Self {
        Self {
            reading,
            name,
            leg: ringing.leg,
            whisper: ringing.whisper,
            taken: None,
            talks: false,
            looks_at: None,
        }
    }

    fn tell(&mut self, hands: &Hands<'_>, news: LegNews) {
        let leg = self.leg;
        self.reading.handle(hands, Input::Leg { leg, news });
    }

    /// What has changed?
    fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.looks_at = Some(hands.now + LOOKS);
        match self.taken.clone() {
            None => {
                self.take(core, hands);
                self.follow(core, hands)
            }
            Some(caller) => {
                let is_there = hands.lines().is_there(&self.name, &caller, &core.id);
                match is_there {
                    Some(true) if !self.talks => {
                        self.tell(hands, LegNews::Answered);
                        self.follow(core, hands)
                    }
                    Some(_) => self.follow(core, hands),
                    None if self.talks => {
                        self.tell(hands, LegNews::Ended { status: 200 });
                        self.go_on(core, hands)
                    }
                    // He hung up on his way: the next one.
                    None => {
                        self.taken = None;
                        self.take(core, hands);
                        self.follow(core, hands)
                    }
                }
            }
        }
    }

    /// Takes the first of the line, when there is one.
    fn take(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let caller = core.caller().id;
        core.join(hands, caller);
        let Some(room) = core.room else { return };
        let (by, whisper) = (core.id.clone(), self.whisper.clone());
        let taken = hands.lines().take(&self.name, || Taken {
            by,
            room,
            whisper,
            has_come: false,
        });
        if let Some(taken) = taken {
            let call = Sid::derive(SidKind::Call, taken.as_str());
            self.tell(hands, LegNews::Initiated { call });
            hands.rouse(&taken);
            self.taken = Some(taken);
        }
    }

    /// Records the caller (left) and who stood in the line (right), or one of them.
    fn record(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        how: CallRecording,
        callback: Option<RecordingCallback>,
    ) {
        let Some(room) = core.room else { return };
        if how.track == Track::Outbound {
            // There is no tape without the caller; one with him was not ordered.
            let name = &self.name;
            tracing::warn!(call = %core.id, name, "twiml.outbound_track_not_recorded");
            return;
        }
        let caller = core.caller().id;
        let (recording, channels) = match (how.track, how.channels) {
            (Track::Inbound, _) => (core.record_track(hands, caller), 1),
            (Track::Both, Channels::Mono) => {
                let legs = (caller, Vec::new());
                (core.record_room(hands, (&self.name, room), legs, 1), 1)
            }
            (Track::Both | Track::Outbound, _) => {
                let legs = (caller, Vec::new());
                (core.record_room(hands, (&self.name, room), legs, 2), 2)
            }
        };
        let run = self.reading.run_mut();
        let commission = Commission::new(&recording, run, callback, "DialVerb", channels);
        run.note_recording(commission.sid(), Duration::ZERO);
        core.commission(hands, commission);
    }

    /// Out of the line.
    fn withdraw(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.looks_at = None;
        core.close_room(hands);
        core.stop_play(hands, core.caller().id);
        let concerned = hands.lines().leave(&self.name, &core.id);
        for call in concerned {
            hands.rouse(&call);
        }
    }

    /// On with the documents.
    fn go_on(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.withdraw(core, hands);
        let application = Application::go_on(self.reading.clone());
        Next::Become(Stage::Application(Box::new(application)))
    }

    /// Does what the documents want beside what the caller hears.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.reading.poll(core, hands) {
            match action {
                Action::Bridge { .. } => {
                    self.talks = true;
                    core.stop_play(hands, core.caller().id);
                    core.caller_enters(hands, Stretch::Talk, &format!("queue {}", self.name));
                    core.save(hands);
                }
                Action::RecordCall {
                    recording,
                    callback,
                } => self.record(core, hands, recording, callback),
                Action::Cancel { .. } => return self.go_on(core, hands),
                Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }
}

impl Feature for Dequeuing {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        if !hands.lines().knows(&self.name) {
            self.tell(hands, LegNews::Ended { status: 404 });
            return self.go_on(core, hands);
        }
        core.caller_enters(hands, Stretch::Ring, &format!("queue {}", self.name));
        let caller = core.caller().id;
        core.play(hands, caller, ["ringback"], Looped::Forever);
        hands.lines().wants(&self.name, &core.id);
        self.look(core, hands)
    }

    fn reading(&mut self) -> Option<&mut Reading> {
        Some(&mut self.reading)
    }

    fn read_on(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.follow(core, hands)
    }

    fn on_rouse(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.look(core, hands)
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.reading.handle_timeout(core, hands);
        match self.follow(core, hands) {
            Next::Stay if self.looks_at.is_some_and(|at| at <= hands.now) => self.look(core, hands),
            next => next,
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        [self.reading.poll_timeout(), self.looks_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        // The line is there again by whoever stands in it.
        hands.lines().wants_again(hands.now, &self.name, &core.id);
        self.reading.restored(core, hands);
        self.looks_at = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.withdraw(core, hands);
        self.reading.leave(core, hands);
    }
}
