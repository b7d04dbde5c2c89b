//! How calls take their places in conferences: the room, the music of who waits, beeps, who is told
//! and which other calls are to look.

use std::sync::{MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::Output;
use super::conferences::{Conferences, Entered, Opening, Parted, Refused, Seat, Standing};
use super::core::Core;
use super::hands::Hands;
use crate::base::{CallId, LegId, RecordingId, RoomId};
use crate::events::Fact;
use crate::media::{self, Command, PlayId, Tape};
use crate::recording::stem;
use crate::twiml::{ConferenceTeller, ParticipantEnd};

/// Plays to conference members are not a call's own: their number is out of the way.
const WAITING_MUSIC: PlayId = PlayId(u64::MAX);
/// Most who are in a conference that says nothing of it.
const MOST: u32 = 250;

/// How a conference is when somebody opens it.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    /// Most who may be in.
    pub(crate) most: Option<u32>,
    /// Who is told what happens in it.
    pub(crate) teller: Option<ConferenceTeller>,
}

impl Core {
    /// A plain seat of the caller in a conference.
    pub(crate) fn seat(&self, hands: &Hands<'_>) -> Seat {
        let caller = self.caller();
        Seat {
            call: self.id.clone(),
            leg: caller.id,
            label: None,
            starts: true,
            ends: false,
            muted: caller.standing.muted,
            held: caller.is_held,
            coaches: None,
            beeps_out: false,
            dialled_in: false,
            since: hands.now,
        }
    }

    /// Takes the caller out of the conference he is in.
    pub(crate) fn leave_conference(&mut self, hands: &mut Hands<'_>, why: ParticipantEnd) {
        let Some(name) = self.conference.take() else {
            return;
        };
        let parted = hands.conferences().leave(hands.now, &name, &self.id, why);
        if let Some(parted) = parted {
            self.parted(hands, parted);
        }
    }

    /// Ends the conference the caller is in, for everybody.
    pub(crate) fn end_conference(&mut self, hands: &mut Hands<'_>) {
        let Some(name) = self.conference.take() else {
            return;
        };
        let parted = hands.conferences().end(hands.now, &name);
        if let Some(parted) = parted {
            self.parted(hands, parted);
        }
    }

    fn parted(&self, hands: &mut Hands<'_>, parted: Parted) {
        let room = parted.room;
        for seat in &parted.gone {
            hands.tell(Command::Leave {
                room,
                leg: seat.leg,
            });
            if seat.call != self.id {
                hands.rouse(&seat.call);
            }
        }
        let beeps = parted.gone.first().is_some_and(|seat| seat.beeps_out);
        if parted.is_over {
            hands.tell(Command::CloseRoom { room });
        } else if beeps {
            hands.beep(room, self.generation);
        }
        for notice in parted.notices {
            self.notify(hands, notice);
        }
    }

    /// How the caller is in his conference has changed: the view says so, and who is to know is told.
    pub(crate) fn seat_changed(&self, hands: &mut Hands<'_>, change: impl FnOnce(&mut Seat)) {
        let Some(name) = &self.conference else {
            return;
        };
        let notices = hands
            .conferences()
            .change(hands.now, name, &self.id, change);
        for notice in notices {
            self.notify(hands, notice);
        }
    }

    /// A leg in a conference began to speak, or stopped.
    pub(crate) fn spoke(&self, hands: &mut Hands<'_>, leg: LegId, on: bool) {
        let Some(name) = self.conference.as_ref().filter(|_| self.is_lead(leg)) else {
            return;
        };
        let notice = hands.conferences().spoke(hands.now, name, (&self.id, on));
        if let Some(notice) = notice {
            self.notify(hands, notice);
        }
    }

    /// Puts a seat into a conference: the room is opened for the first, and who waited there hears
    /// that it begins.
    pub(crate) fn enter_conference(
        &mut self,
        hands: &mut Hands<'_>,
        name: &str,
        seat: Seat,
        terms: Terms,
    ) -> Result<Entered, Refused> {
        let (id, room) = (self.conference_id(hands), hands.ids.room());
        let opening = || Opening {
            id,
            room,
            most: terms.most.unwrap_or(MOST) as usize,
            teller: terms.teller,
            began: None,
        };
        let entered = {
            let mut all = hands.conferences();
            let entered = all.enter(hands.now, name, seat, opening)?;
            // Before anybody of another shard knows of the room.
            if entered.is_new {
                hands.open_room(entered.room, self.generation);
            }
            entered
        };
        self.conference = Some(name.to_owned());
        self.wake_waiting(hands, &entered);
        for notice in entered.notices.iter().cloned() {
            self.notify(hands, notice);
        }
        Ok(entered)
    }

    /// The same after the process started anew: the conference is the one it was.
    pub(crate) fn enter_conference_again(
        &mut self,
        hands: &mut Hands<'_>,
        name: &str,
        seat: Seat,
        was: Option<&Standing>,
    ) -> Entered {
        let (id, room) = (self.conference_id(hands), hands.ids.room());
        let opening = || Opening {
            id: was.map_or(id, |was| was.id.clone()),
            room,
            most: MOST as usize,
            teller: was.and_then(|was| was.teller.clone()),
            began: was.and_then(|was| was.began),
        };
        let entered = hands
            .conferences()
            .enter_again(hands.now, name, seat, opening);
        self.conference = Some(name.to_owned());
        if entered.is_new {
            hands.open_room(entered.room, self.generation);
        }
        self.wake_waiting(hands, &entered);
        entered
    }

    /// Records the caller (left) and what comes to him from the conference (right).
    pub(crate) fn record_seat(&mut self, hands: &mut Hands<'_>, name: &str) -> RecordingId {
        let recording = hands.ids.recording(hands.now);
        let channels = vec![self.caller().party.clone(), name.to_owned()];
        let tape = self.tape(hands, &recording, channels);
        self.tape_leg(hands, self.caller().id, &recording, tape);
        recording
    }

    /// Records a conference: whoever came first (left) and everybody else (right).
    pub(crate) fn record_conference(
        &mut self,
        hands: &mut Hands<'_>,
        (name, room): (&str, RoomId),
    ) -> RecordingId {
        let legs = hands.conferences().legs(name);
        let (left, right) = match legs.split_first() {
            Some((first, others)) => (*first, others.to_vec()),
            None => (self.caller().id, Vec::new()),
        };
        let recording = self.record_room(hands, (name, room), (left, right), 2);
        hands.conferences().recorded(name, &recording);
        recording
    }

    /// Records a room that not all of is this call's: one leg (left) and the others (right), or all
    /// on one channel.
    pub(crate) fn record_room(
        &mut self,
        hands: &mut Hands<'_>,
        (name, room): (&str, RoomId),
        (left, right): (LegId, Vec<LegId>),
        count: usize,
    ) -> RecordingId {
        let recording = hands.ids.recording(hands.now);
        let mut channels = vec![self.caller().party.clone(), name.to_owned()];
        channels.truncate(count);
        hands.tell(Command::Record {
            recording: recording.clone(),
            room,
            left,
            right,
            at: hands.now,
            tape: self.tape(hands, &recording, channels),
        });
        self.is_recorded(hands, recording)
    }

    fn tape(&self, hands: &Hands<'_>, recording: &RecordingId, channels: Vec<String>) -> Tape {
        let labels = [
            ("call", self.id.as_str()),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let labels = labels.map(|(name, text)| (name.to_owned(), Value::from(text)));
        Tape {
            stem: stem(recording, hands.now),
            channels,
            labels: labels.into_iter().collect::<Map<_, _>>(),
            format: None,
        }
    }

    fn is_recorded(&mut self, hands: &mut Hands<'_>, recording: RecordingId) -> RecordingId {
        hands.index.recordings.insert(recording.clone(), self.key);
        self.recordings.push(recording.clone());
        let started = recording.clone();
        self.emit(hands, Fact::RecordingStarted { recording: started });
        recording
    }

    /// An id like no other conference's.
    fn conference_id(&self, hands: &mut Hands<'_>) -> String {
        hands.ids.task(hands.now).as_str().to_owned()
    }

    fn wake_waiting(&self, hands: &mut Hands<'_>, entered: &Entered) {
        for seat in &entered.waited {
            match seat.dialled_in {
                true => hands.tell(Command::StopPlay { leg: seat.leg }),
                false => hands.rouse(&seat.call),
            }
        }
    }
}

impl Hands<'_> {
    /// The conferences of the node.
    pub(crate) fn conferences(&self) -> MutexGuard<'_, Conferences> {
        self.conferences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Another call of the node is to look: what it stands in has changed.
    pub(crate) fn rouse(&mut self, call: &CallId) {
        self.outbox.push_back(Output::Rouse(call.clone()));
    }

    /// Puts a leg into a conference's room.
    pub(crate) fn seat_in_room(&self, room: RoomId, leg: LegId, standing: media::Standing) {
        self.tell(Command::Join {
            room,
            leg,
            standing,
        });
    }

    /// Lets one who is alone in a conference hear music until somebody else comes.
    pub(crate) fn wait_with_music(&self, leg: LegId, generation: u64) {
        let music = self
            .generations
            .get(&generation)
            .and_then(|now| now.sounds.sound("music"));
        if let Some(music) = music {
            self.tell(Command::Play {
                leg,
                play: WAITING_MUSIC,
                sounds: vec![music],
                looped: true,
            });
        }
    }

    /// Opens a room on the terms of a generation.
    pub(crate) fn open_room(&self, room: RoomId, generation: u64) {
        self.tell(Command::OpenRoom { room });
        if let Some(now) = self.generations.get(&generation) {
            let terms = now.conferences.room;
            self.tell(Command::SetRoom { room, terms });
        }
    }

    /// Lets all of a conference that was dialled into hear that somebody has come in, if they are to.
    pub(crate) fn announce_entry(&self, room: RoomId, generation: u64) {
        let now = self.generations.get(&generation);
        if now.is_some_and(|now| now.conferences.beep.is_some()) {
            self.beep(room, generation);
        }
    }

    /// Lets all of a room hear a beep.
    pub(crate) fn beep(&self, room: RoomId, generation: u64) {
        let now = self.generations.get(&generation);
        let beep = now.and_then(|now| {
            let name = now.conferences.beep.as_deref().unwrap_or("beep");
            now.sounds.sound(name)
        });
        if let Some(beep) = beep {
            let sounds = vec![beep];
            self.tell(Command::Announce { room, sounds });
        }
    }

    /// The room of a conference that is open.
    pub(crate) fn conference_room(&self, name: &str) -> Option<RoomId> {
        self.conferences().room(name)
    }
}
