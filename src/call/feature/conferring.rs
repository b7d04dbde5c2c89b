//! A caller whom a document has put into a conference: he waits until it begins, takes part, and
//! goes on with his documents when he leaves or it is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Application, Feature, Next, Stage};
use crate::base::{CallId, Cause, Party, RoomId, Timestamp};
use crate::call::commission::Commission;
use crate::call::conferences::{Refused, Seat, Standing};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::reading::Reading;
use crate::call::seating::Terms;
use crate::events::Stretch;
use crate::media::{self, Command, Role};
use crate::twiml::{
    Action, Beep, ConferenceNews, ConferenceRecording, ConferenceTeller, Input, Joining,
    ParticipantEnd, Track, WaitSound,
};

/// A part in a conference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Conferring {
    reading: Reading,
    joining: Joining,
    /// The call he coaches.
    #[serde(default)]
    coaches: Option<CallId>,
    /// Where he stood when he last looked.
    stands: Option<Standing>,
    /// Whether he hears the others.
    is_on: bool,
    /// When he looks by himself: the word that something changed may have been lost.
    looks_at: Option<Timestamp>,
}

/// How often one looks by himself.
const LOOKS: Duration = Duration::from_secs(5);

impl Conferring {
    /// On his way in.
    pub(crate) fn new(reading: Reading, joining: Joining) -> Self {
        Self {
            reading,
            joining,
            coaches: None,
            stands: None,
            is_on: false,
            looks_at: None,
        }
    }

    fn name(&self) -> &str {
        &self.joining.conference.name
    }

    /// How he is in.
    fn seat(&self, core: &Core, hands: &Hands<'_>) -> Seat {
        let conference = &self.joining.conference;
        Seat {
            label: conference.label.clone(),
            starts: conference.start_on_enter,
            ends: conference.end_on_exit,
            beeps_out: matches!(conference.beep, Beep::Both | Beep::OnExit),
            coaches: self.coaches.clone(),
            ..core.seat(hands)
        }
    }

    fn go_in(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Result<(), Refused> {
        let caller = core.caller().id;
        if let Some(leg) = core.leg_mut(caller) {
            leg.standing = media::Standing {
                muted: self.joining.conference.muted,
                ..media::Standing::default()
            };
        }
        let conference = &self.joining.conference;
        if let Some(sid) = &conference.coach {
            let coached = hands.conferences().member(&conference.name, sid);
            self.coaches = Some(coached.ok_or(Refused::Nobody)?);
        }
        let seat = self.seat(core, hands);
        let account = &self.reading.run().facts().account;
        let teller = conference
            .status
            .clone()
            .map(|link| ConferenceTeller::new(link, conference.events.clone(), account.clone()));
        let terms = Terms {
            most: Some(conference.max_participants),
            teller,
        };
        let name = conference.name.clone();
        let entered = core.enter_conference(hands, &name, seat, terms)?;
        match entered.is_on {
            true => self.begin(core, hands, entered.room),
            false => self.wait(core, hands),
        }
        self.note_standing(core, hands);
        Ok(())
    }

    /// Nobody to talk with yet.
    fn wait(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        match self.joining.wait {
            WaitSound::Document => {
                let news = Input::Conference(ConferenceNews::Waiting);
                self.reading.handle(hands, news);
            }
            WaitSound::Music => {
                let caller = core.caller().id;
                core.play(hands, caller, ["music"], Looped::Forever);
            }
            WaitSound::Silence => {}
        }
    }

    /// He hears the others from now on.
    fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>, room: RoomId) {
        self.is_on = true;
        let news = Input::Conference(ConferenceNews::Started);
        self.reading.handle(hands, news);
        core.stop_play(hands, core.caller().id);
        self.sit(core, hands, room);
        self.record(core, hands, room);
        if matches!(self.joining.conference.beep, Beep::Both | Beep::OnEnter) {
            hands.beep(room, core.generation);
        }
    }

    /// Records what is to be: his leg, and the conference when he is the first who wants that.
    fn record(&mut self, core: &mut Core, hands: &mut Hands<'_>, room: RoomId) {
        let name = self.name().to_owned();
        if let Some(how) = self.joining.record
            && how.track == Track::Outbound
        {
            // There is no tape without him; one with him was not ordered.
            tracing::warn!(call = %core.id, name, "twiml.outbound_track_not_recorded");
        } else if let Some(how) = self.joining.record {
            let caller = core.caller().id;
            let (recording, channels) = match how.track {
                Track::Inbound => (core.record_track(hands, caller), 1),
                Track::Both | Track::Outbound => (core.record_seat(hands, &name), 2),
            };
            let callback = self.joining.callback.clone();
            let run = self.reading.run_mut();
            let commission = Commission::new(&recording, run, callback, "DialVerb", channels);
            run.note_recording(commission.sid(), Duration::ZERO);
            core.commission(hands, commission);
        }
        let is_wanted = self.joining.conference.record == ConferenceRecording::FromStart;
        if is_wanted && hands.conferences().records(&name, &core.id) {
            let recording = core.record_conference(hands, (&name, room));
            let callback = self.joining.conference.recording.clone();
            let run = self.reading.run();
            let commission = Commission::new(&recording, run, callback, "Conference", 2);
            core.commission(hands, commission);
        }
    }

    /// Takes his place in the room.
    fn sit(&mut self, core: &mut Core, hands: &mut Hands<'_>, room: RoomId) {
        let standing = hands.conferences().standing(self.name(), &core.id);
        let coached = standing.and_then(|standing| standing.coaches);
        let caller = core.caller().id;
        let Some(leg) = core.leg_mut(caller) else {
            return;
        };
        match coached {
            Some(coached) => leg.standing.role = Role::Coach(coached),
            // Whom he was to coach is gone: the others are not to hear him all the same.
            None if self.coaches.is_some() && leg.standing.role == Role::Normal => {
                leg.standing.role = Role::Listener;
            }
            None => {}
        }
        let (standing, is_held) = (leg.standing, leg.is_held);
        hands.seat_in_room(room, caller, standing);
        if is_held {
            let (leg, sound) = (caller, Some(core.music(hands)));
            hands.tell(Command::HoldMusic { room, leg, sound });
        }
    }

    /// What has changed?
    fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match self.note_standing(core, hands) {
            None => {
                core.conference = None;
                let news = Input::Conference(ConferenceNews::Left);
                self.reading.handle(hands, news);
                self.go_on(core, hands)
            }
            Some(standing) => {
                if standing.is_on && !self.is_on {
                    self.begin(core, hands, standing.room);
                }
                self.follow(core, hands)
            }
        }
    }

    fn note_standing(&mut self, core: &Core, hands: &Hands<'_>) -> Option<Standing> {
        self.looks_at = Some(hands.now + LOOKS);
        let standing = hands.conferences().standing(self.name(), &core.id);
        if standing.is_some() {
            self.stands.clone_from(&standing);
        }
        standing
    }

    /// Does what the documents want beside what the caller hears.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.reading.poll(core, hands) {
            match action {
                Action::LeaveConference => {
                    core.leave_conference(hands, ParticipantEnd::Left);
                    return self.go_on(core, hands);
                }
                Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }

    /// Out of the conference, and on with the documents.
    fn go_on(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        core.stop_recording(hands);
        core.stop_play(hands, caller);
        if let Some(leg) = core.leg_mut(caller) {
            leg.standing = media::Standing::default();
            leg.is_held = false;
        }
        let application = Application::go_on(self.reading.clone());
        Next::Become(Stage::Application(Box::new(application)))
    }
}

impl Feature for Conferring {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let with = format!("conference {}", self.name());
        core.caller_enters(hands, Stretch::Service, &with);
        if let Err(refused) = self.go_in(core, hands) {
            tracing::info!(call = %core.id, %refused, "not let into a conference");
            let code = refused.code();
            let news = Input::Conference(ConferenceNews::Refused { code });
            self.reading.handle(hands, news);
            return self.go_on(core, hands);
        }
        self.follow(core, hands)
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
        if self.looks_at.is_some_and(|at| at <= hands.now) {
            return self.look(core, hands);
        }
        self.follow(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        [self.reading.poll_timeout(), self.looks_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let seat = self.seat(core, hands);
        let name = self.name().to_owned();
        let entered = core.enter_conference_again(hands, &name, seat, self.stands.as_ref());
        if self.is_on {
            self.sit(core, hands, entered.room);
            self.record(core, hands, entered.room);
        }
        self.reading.restored(core, hands);
        // It may have begun by those who were there before him.
        self.looks_at = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        core.leave_conference(hands, ParticipantEnd::Left);
        self.reading.leave(core, hands);
    }
}
