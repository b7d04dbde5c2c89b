//! A caller whom a document connects with the first of a line, or lets wait for one; or with the
//! caller of a queue whose task is reserved for him.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::in_line::LOOKS;
use super::{Application, Feature, Next, Stage};
use crate::base::{CallId, Cause, Party, Timestamp};
use crate::call::claims::{Claim, Claimed, NotOpen, Open, Side};
use crate::call::commission::Commission;
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::lines::Taken;
use crate::call::reading::Reading;
use crate::events::Stretch;
use crate::twiml::{
    Action, CallRecording, Channels, Fault, Input, LegNews, Link, RecordingCallback, Ringing, Sid,
    SidKind, TargetKind, Track,
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
    /// The reservation by which somebody is taken, who need not be the first.
    #[serde(default)]
    reserved: Option<Reserved>,
}

/// A reservation that a document names.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reserved {
    /// As it is named.
    named: String,
    /// The activity of the worker afterwards, as it is named.
    post_work: Option<String>,
    claim: Option<Claim>,
    /// When the document wanted it.
    since: Timestamp,
}

/// How long a reservation is looked for that is not known: what is seen of the router may be a second
/// old.
const FINDS: Duration = Duration::from_secs(2);
/// From one look for it to the next.
const FINDS_EVERY: Duration = Duration::from_millis(250);
/// How long the caller's call may say nothing: it is asked twice.
const REPLIES: Duration = Duration::from_secs(10);

/// Number in Twilio's error dictionary of a reservation that is not open.
const NOT_PENDING: u16 = 40_135;
/// Of an activity that is none.
const NO_ACTIVITY: u16 = 40_130;

impl Dequeuing {
    /// As a document wants it.
    pub(crate) fn new(reading: Reading, ringing: Ringing) -> Self {
        let (name, reserved) = match ringing.kind {
            TargetKind::Queue {
                name,
                reservation,
                post_work_activity,
            } => {
                let reserved = reservation.map(|named| Reserved {
                    named,
                    post_work: post_work_activity,
                    claim: None,
                    since: Timestamp::ZERO,
                });
                (name, reserved)
            }
            other => (other.to(), None),
        };
        Self {
            reading,
            name,
            leg: ringing.leg,
            whisper: ringing.whisper,
            taken: None,
            talks: false,
            looks_at: None,
            reserved,
        }
    }

    fn tell(&mut self, hands: &Hands<'_>, news: LegNews) {
        let leg = self.leg;
        self.reading.handle(hands, Input::Leg { leg, news });
    }

    /// What has changed?
    fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.looks_at = Some(hands.now + LOOKS);
        if self.reserved.is_some() {
            return self.look_at_claim(core, hands);
        }
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

    /// What has changed of the caller who is claimed?
    fn look_at_claim(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let reserved = self.reserved.as_ref();
        let since = reserved.map_or(hands.now, |reserved| reserved.since);
        let Some(claim) = reserved.and_then(|reserved| reserved.claim.clone()) else {
            return self.claim(core, hands);
        };
        let course = hands.lines().claims.course(&claim, Side::Taker);
        match course {
            Some(Claimed::Met) if !self.talks => {
                self.tell(hands, LegNews::Answered);
                self.follow(core, hands)
            }
            Some(Claimed::Made) if since + REPLIES <= hands.now => {
                self.refuse(core, hands, "the caller's call says nothing".to_owned())
            }
            Some(Claimed::Made) => {
                hands.rouse(&claim.caller);
                self.follow(core, hands)
            }
            Some(Claimed::Granted | Claimed::Met) => self.follow(core, hands),
            None if self.talks => {
                self.tell(hands, LegNews::Ended { status: 200 });
                self.go_on(core, hands)
            }
            None => {
                let words = "the reservation is over, or its caller is gone";
                self.refuse(core, hands, words.to_owned())
            }
        }
    }

    /// Claims the caller whom the document's reservation is for.
    fn claim(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let Some(mut reserved) = self.reserved.clone() else {
            return Next::Stay;
        };
        let open = match Open::find(&hands.desks.view(), &reserved.named, &self.name) {
            Ok(open) => open,
            Err(NotOpen::Unknown) if hands.now < reserved.since + FINDS => {
                self.looks_at = Some(hands.now + FINDS_EVERY);
                return self.follow(core, hands);
            }
            Err(why) => return self.refuse(core, hands, why.to_string()),
        };
        let post_work = reserved.post_work.clone().and_then(|named| {
            let activity = activity(hands, &named);
            if activity.is_none() {
                let words = format!("postWorkActivitySid {named:?}: no such activity");
                let run = self.reading.run_mut();
                run.remark(Fault::new(NO_ACTIVITY, words));
            }
            activity
        });
        core.join(hands, core.caller().id);
        let Some(room) = core.room else {
            return self.refuse(core, hands, "there is no room to meet in".to_owned());
        };
        let claim = Claim {
            reservation: open.reservation,
            by: core.id.clone(),
            caller: open.caller,
            room,
            whisper: self.whisper.clone(),
            post_work,
        };
        if !hands.lines().claims.make(claim.clone()) {
            let words = "another call takes the caller";
            return self.refuse(core, hands, words.to_owned());
        }
        // The queue is known by now, whatever the document says of it.
        self.name = open.queue;
        let caller = claim.caller.clone();
        reserved.claim = Some(claim);
        self.reserved = Some(reserved);
        self.looks_at = Some(hands.now + LOOKS);
        let call = Sid::derive(SidKind::Call, caller.as_str());
        self.tell(hands, LegNews::Initiated { call });
        hands.rouse(&caller);
        self.follow(core, hands)
    }

    /// There is nobody to take by the reservation: on with the documents, which are told so.
    fn refuse(&mut self, core: &mut Core, hands: &mut Hands<'_>, why: String) -> Next {
        let named = self.reserved.as_ref().map(|reserved| &reserved.named);
        let words = format!("reservationSid {:?}: {why}", named.map_or("", |it| it));
        let run = self.reading.run_mut();
        run.remark(Fault::new(NOT_PENDING, words));
        self.tell(hands, LegNews::Ended { status: 410 });
        self.go_on(core, hands)
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
        if let Some(reserved) = &mut self.reserved {
            if let Some(claim) = reserved.claim.take() {
                hands.lines().claims.end(&claim);
                hands.rouse(&claim.caller);
            }
            return;
        }
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
        if self.reserved.is_none() && !hands.lines().knows(&self.name) {
            self.tell(hands, LegNews::Ended { status: 404 });
            return self.go_on(core, hands);
        }
        core.caller_enters(hands, Stretch::Ring, &format!("queue {}", self.name));
        let caller = core.caller().id;
        core.play(hands, caller, ["ringback"], Looped::Forever);
        if let Some(reserved) = &mut self.reserved {
            reserved.since = hands.now;
            return self.claim(core, hands);
        }
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
        match &self.reserved {
            // What the caller's call remembers of it counts, when it is there again.
            Some(reserved) => {
                if let Some(claim) = reserved.claim.clone() {
                    let claims = &mut hands.lines().claims;
                    claims.make_again(claim, Claimed::Made, Side::Taker);
                }
            }
            // The line is there again by whoever stands in it.
            None => hands.lines().wants_again(hands.now, &self.name, &core.id),
        }
        self.reading.restored(core, hands);
        self.looks_at = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.withdraw(core, hands);
        self.reading.leave(core, hands);
    }
}

/// The activity that a document names by its SID, or by its name.
fn activity(hands: &Hands<'_>, named: &str) -> Option<String> {
    let sid = |name: &str| Sid::derive(SidKind::Activity, name);
    let mut activities = hands.newest()?.desk.activities.iter();
    let found = activities.find(|one| one.name == named || sid(&one.name).as_str() == named);
    found.map(|one| one.name.clone())
}
