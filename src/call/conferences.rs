//! The conferences of a node: who is in which, when one begins, when it is over. Shared by the
//! shards; knows no media and no SIP, and tells nobody: whoever changes something does.

mod open;
mod promises;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{CallId, LegId, RecordingId, RoomId, Timestamp};
use crate::twiml::{
    ConferenceEnd, ConferenceFact, ConferenceTeller, Notice, Participant, ParticipantEnd, Sid,
    SidKind,
};

use open::{Open, participant};
use promises::Promises;

/// The open conferences of a node, by name; shared by its shards.
#[derive(Debug, Default)]
pub struct Conferences {
    open: BTreeMap<String, Open>,
    promises: Promises,
}

/// One who is in a conference, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// His call.
    pub call: CallId,
    /// His leg.
    pub leg: LegId,
    /// A name for him, unique in the conference.
    pub label: Option<String>,
    /// Whether it begins with him.
    pub starts: bool,
    /// Whether it ends with him.
    pub ends: bool,
    /// Whether nobody hears him.
    pub muted: bool,
    /// Whether he is on hold.
    pub held: bool,
    /// The call he coaches.
    pub coaches: Option<CallId>,
    /// Whether the others hear a beep when he leaves.
    pub beeps_out: bool,
    /// Whether he waits with music that whoever begins the conference stops: he dialled in.
    pub dialled_in: bool,
    /// Since when he is in.
    pub since: Timestamp,
}

/// How a conference is opened by who comes first.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: String,
    pub(super) room: RoomId,
    pub(super) most: usize,
    pub(super) teller: Option<ConferenceTeller>,
    /// When it began, of one that another process had open.
    pub(super) began: Option<Timestamp>,
}

/// What came of entering.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) id: String,
    pub(crate) room: RoomId,
    /// The room is to be opened.
    pub(crate) is_new: bool,
    /// Nobody else is in.
    pub(crate) is_alone: bool,
    /// It goes on, by this one or since before.
    pub(crate) is_on: bool,
    /// It began by this one: these waited.
    pub(crate) waited: Vec<Seat>,
    /// Who is to be told by a request.
    pub(crate) notices: Vec<Notice>,
}

/// What came of one or all leaving.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parted {
    pub(super) room: RoomId,
    /// Who left, or was made to.
    pub(super) gone: Vec<Seat>,
    /// The conference is over; the room is to be closed.
    pub(super) is_over: bool,
    pub(super) notices: Vec<Notice>,
}

/// Where a member stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) id: String,
    pub(crate) room: RoomId,
    pub(crate) is_on: bool,
    /// The leg he coaches.
    pub(crate) coaches: Option<LegId>,
    /// For how the conference would go on in another process.
    pub(crate) teller: Option<ConferenceTeller>,
    pub(crate) began: Option<Timestamp>,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// His label is another's.
    #[error("the label is taken")]
    Label,
    /// As many as may be are in.
    #[error("the conference is full")]
    Full,
    /// Whom he is to coach is not in.
    #[error("the call to coach is not in the conference")]
    Nobody,
}

impl Refused {
    /// Number in the public platform's error dictionary.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Full => 16020,
            Self::Label => 16025,
            Self::Nobody => 13240,
        }
    }
}

/// A conference, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceView {
    /// Its id for applications.
    pub sid: Sid,
    /// Its name.
    pub name: String,
    /// When the first came.
    pub opened: Timestamp,
    /// When it began; `None` while all wait.
    pub began: Option<Timestamp>,
    /// Who is in, in the order they came.
    pub participants: Vec<Seat>,
    /// Recordings of all of it, in the order they began.
    pub recordings: Vec<RecordingId>,
}

impl Conferences {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// All of them, by name.
    pub fn view(&self) -> Vec<ConferenceView> {
        let view = |(name, open): (&String, &Open)| ConferenceView {
            sid: open.sid(),
            name: name.clone(),
            opened: open.opened,
            began: open.began,
            participants: open.members.clone(),
            recordings: open.recordings.clone(),
        };
        self.open.iter().map(view).collect()
    }

    /// The id that the conference of a name has, or will have when somebody opens it within a quarter
    /// of an hour; `None` when too many are promised.
    pub fn promise(&mut self, now: Timestamp, name: &str) -> Option<Sid> {
        match self.open.get(name) {
            Some(open) => Some(open.sid()),
            None => self.promises.make(now, name),
        }
    }

    /// The name of the conference that is not open yet and will have this id.
    pub fn promised(&self, now: Timestamp, sid: &str) -> Option<String> {
        self.promises.name_of(now, sid)
    }

    /// Lets somebody in, and opens the conference for the first.
    pub(super) fn enter(
        &mut self,
        now: Timestamp,
        name: &str,
        seat: Seat,
        opening: impl FnOnce() -> Opening,
    ) -> Result<Entered, Refused> {
        if let Some(open) = self.open.get(name) {
            open.admits(&seat)?;
        } else if seat.coaches.is_some() {
            return Err(Refused::Nobody);
        }
        let mut is_new = false;
        let promises = &mut self.promises;
        let open = self.open.entry(name.to_owned()).or_insert_with(|| {
            is_new = true;
            let mut opening = opening();
            if let Some(id) = promises.keep(name) {
                opening.id = id;
            }
            Open::new(now, opening)
        });
        let mut notices = Vec::new();
        let one = participant(&seat);
        open.members.push(seat);
        notices.extend(open.tell(now, name, ConferenceFact::Joined(&one)));
        let mut entered = open.entered(now, is_new);
        if !entered.waited.is_empty() {
            notices.extend(open.tell(now, name, ConferenceFact::Started));
        }
        entered.notices = notices;
        Ok(entered)
    }

    /// One who was in before the process started anew is in again; nobody is told.
    pub(super) fn enter_again(
        &mut self,
        now: Timestamp,
        name: &str,
        seat: Seat,
        opening: impl FnOnce() -> Opening,
    ) -> Entered {
        let mut is_new = false;
        let open = self.open.entry(name.to_owned()).or_insert_with(|| {
            is_new = true;
            Open::new(now, opening())
        });
        open.members.push(seat);
        open.entered(now, is_new)
    }

    /// Takes a call out. The conference is over with the last, and with one who ends it.
    pub(super) fn leave(
        &mut self,
        now: Timestamp,
        name: &str,
        call: &CallId,
        why: ParticipantEnd,
    ) -> Option<Parted> {
        let open = self.open.get_mut(name)?;
        let place = open.place(call)?;
        let seat = open.members.remove(place);
        let one = participant(&seat);
        let mut notices = Vec::new();
        notices.extend(open.tell(now, name, ConferenceFact::Left(&one, why)));
        let is_kicked = why == ParticipantEnd::Kicked;
        let end = match (seat.ends, open.members.is_empty(), is_kicked) {
            (true, _, false) => Some(ConferenceEnd::EnderLeft),
            (true, _, true) => Some(ConferenceEnd::EnderKicked),
            (false, true, false) => Some(ConferenceEnd::LastLeft),
            (false, true, true) => Some(ConferenceEnd::LastKicked),
            (false, false, _) => None,
        };
        let room = open.room;
        let mut gone = vec![seat];
        if let Some(end) = end {
            let (others, told) =
                self.close(now, name, ParticipantEnd::Moderator, (end, Some(&one)));
            gone.extend(others);
            notices.extend(told);
        }
        Some(Parted {
            room,
            gone,
            is_over: end.is_some(),
            notices,
        })
    }

    /// Ends a conference; nothing happens when it is not open.
    pub(super) fn end(&mut self, now: Timestamp, name: &str) -> Option<Parted> {
        let room = self.open.get(name)?.room;
        let end = (ConferenceEnd::Api, None);
        let (gone, notices) = self.close(now, name, ParticipantEnd::Api, end);
        Some(Parted {
            room,
            gone,
            is_over: true,
            notices,
        })
    }

    fn close(
        &mut self,
        now: Timestamp,
        name: &str,
        why: ParticipantEnd,
        (end, by): (ConferenceEnd, Option<&Participant>),
    ) -> (Vec<Seat>, Vec<Notice>) {
        let Some(mut open) = self.open.remove(name) else {
            return (Vec::new(), Vec::new());
        };
        let mut notices = Vec::new();
        let gone = std::mem::take(&mut open.members);
        for seat in &gone {
            let one = participant(seat);
            notices.extend(open.tell(now, name, ConferenceFact::Left(&one, why)));
        }
        notices.extend(open.tell(now, name, ConferenceFact::Ended(end, by)));
        (gone, notices)
    }

    /// Changes how a call is in. Who is to be told.
    pub(super) fn change(
        &mut self,
        now: Timestamp,
        name: &str,
        call: &CallId,
        change: impl FnOnce(&mut Seat),
    ) -> Vec<Notice> {
        let Some(open) = self.open.get_mut(name) else {
            return Vec::new();
        };
        let Some(place) = open.place(call) else {
            return Vec::new();
        };
        let before = open.members[place].clone();
        change(&mut open.members[place]);
        let after = open.members[place].clone();
        let one = participant(&after);
        let mut notices = Vec::new();
        if before.muted != after.muted {
            notices.extend(open.tell(now, name, ConferenceFact::Muted(&one)));
        }
        if before.held != after.held {
            notices.extend(open.tell(now, name, ConferenceFact::Held(&one)));
        }
        if before.coaches != after.coaches {
            notices.extend(open.tell(now, name, ConferenceFact::Modified(&one)));
        }
        notices
    }

    /// Somebody began to speak, or stopped. Who is to be told.
    pub(super) fn spoke(
        &mut self,
        now: Timestamp,
        name: &str,
        (call, on): (&CallId, bool),
    ) -> Option<Notice> {
        let open = self.open.get_mut(name)?;
        let place = open.place(call)?;
        let one = participant(&open.members[place]);
        open.tell(now, name, ConferenceFact::Spoke(&one, on))
    }

    /// Where a call stands in the conference it is in; `None`: in none of the name.
    pub(crate) fn standing(&self, name: &str, call: &CallId) -> Option<Standing> {
        let open = self.open.get(name)?;
        let seat = &open.members[open.place(call)?];
        let coached = seat.coaches.as_ref();
        let coached = coached.and_then(|coached| open.place(coached));
        Some(Standing {
            id: open.id.clone(),
            room: open.room,
            is_on: open.began.is_some(),
            coaches: coached.map(|place| open.members[place].leg),
            teller: open.teller.clone(),
            began: open.began,
        })
    }

    /// The call in a conference that has this id for applications.
    pub(crate) fn member(&self, name: &str, sid: &str) -> Option<CallId> {
        let open = self.open.get(name)?;
        let mut calls = open.members.iter().map(|seat| &seat.call);
        calls
            .find(|call| Sid::derive(SidKind::Call, call.as_str()).as_str() == sid)
            .cloned()
    }

    /// The legs in a conference, in the order they came.
    pub(super) fn legs(&self, name: &str) -> Vec<LegId> {
        let members = self.open.get(name).map(|open| open.members.iter());
        members.into_iter().flatten().map(|seat| seat.leg).collect()
    }

    /// The call of a leg in a conference.
    pub(super) fn call_of(&self, name: &str, leg: LegId) -> Option<CallId> {
        let mut members = self.open.get(name)?.members.iter();
        members
            .find(|seat| seat.leg == leg)
            .map(|seat| seat.call.clone())
    }

    /// The room of a conference that is open.
    pub(super) fn room(&self, name: &str) -> Option<RoomId> {
        self.open.get(name).map(|open| open.room)
    }

    /// Whether a call is to record the whole conference: the first that asks does.
    pub(crate) fn records(&mut self, name: &str, call: &CallId) -> bool {
        let Some(open) = self.open.get_mut(name) else {
            return false;
        };
        open.recorded_by.get_or_insert_with(|| call.clone()) == call
    }

    /// A recording of the whole conference has begun.
    pub(super) fn recorded(&mut self, name: &str, recording: &RecordingId) {
        if let Some(open) = self.open.get_mut(name)
            && open.recordings.len() < MOST_RECORDINGS
        {
            open.recordings.push(recording.clone());
        }
    }
}

/// Most recordings of one conference that are told apart from others of the call that made them.
const MOST_RECORDINGS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(call: &str, starts: bool, ends: bool) -> Seat {
        Seat {
            call: CallId::new(call),
            leg: LegId(call.len() as u64),
            label: None,
            starts,
            ends,
            muted: false,
            held: false,
            coaches: None,
            beeps_out: false,
            dialled_in: false,
            since: Timestamp::ZERO,
        }
    }

    fn opening() -> Opening {
        Opening {
            id: "1".to_owned(),
            room: RoomId(7),
            most: 3,
            teller: None,
            began: None,
        }
    }

    fn enter(all: &mut Conferences, seat: Seat) -> Result<Entered, Refused> {
        all.enter(Timestamp::ZERO, "x", seat, opening)
    }

    fn leave(all: &mut Conferences, call: &str) -> Option<Parted> {
        let (now, call) = (Timestamp::ZERO, CallId::new(call));
        all.leave(now, "x", &call, ParticipantEnd::Left)
    }

    #[test]
    fn it_begins_when_two_are_in_and_one_of_them_begins_it() {
        let mut all = Conferences::default();
        let first = enter(&mut all, seat("a", false, false)).expect("in");
        assert!(first.is_new && !first.is_on);
        let second = enter(&mut all, seat("bb", false, false)).expect("in");
        assert!(!second.is_new && !second.is_on && second.waited.is_empty());
        let third = enter(&mut all, seat("ccc", true, false)).expect("in");
        assert!(third.is_on);
        let waited: Vec<_> = third.waited.iter().map(|one| one.call.as_str()).collect();
        assert_eq!(waited, ["a", "bb"]);
    }

    #[test]
    fn one_alone_waits_though_it_begins_with_him() {
        let mut all = Conferences::default();
        assert!(!enter(&mut all, seat("a", true, false)).expect("in").is_on);
        assert!(enter(&mut all, seat("bb", false, false)).expect("in").is_on);
        // It goes on with one.
        assert!(!leave(&mut all, "bb").expect("was in").is_over);
        let call = CallId::new("a");
        assert!(all.standing("x", &call).expect("in").is_on);
        assert!(leave(&mut all, "a").expect("was in").is_over);
        assert!(all.is_empty());
        assert_eq!(leave(&mut all, "a"), None);
    }

    #[test]
    fn whoever_ends_it_takes_all_with_him() {
        let mut all = Conferences::default();
        for (call, ends) in [("a", false), ("bb", true), ("ccc", false)] {
            enter(&mut all, seat(call, true, ends)).expect("in");
        }
        let parted = leave(&mut all, "bb").expect("was in");
        assert!(parted.is_over && all.is_empty());
        let gone: Vec<_> = parted.gone.iter().map(|one| one.call.as_str()).collect();
        assert_eq!(gone, ["bb", "a", "ccc"]);
        // A later one of the name is another.
        assert!(
            enter(&mut all, seat("dddd", true, false))
                .expect("in")
                .is_new
        );
    }

    #[test]
    fn who_is_one_too_many_or_has_anothers_label_is_not_let_in() {
        let mut all = Conferences::default();
        let labelled = |call: &str| Seat {
            label: Some("agent".to_owned()),
            ..seat(call, true, false)
        };
        enter(&mut all, labelled("a")).expect("in");
        assert_eq!(enter(&mut all, labelled("bb")), Err(Refused::Label));
        enter(&mut all, seat("bb", true, false)).expect("in");
        enter(&mut all, seat("ccc", true, false)).expect("in");
        assert_eq!(
            enter(&mut all, seat("dddd", true, false)),
            Err(Refused::Full)
        );
        assert_eq!(all.view()[0].participants.len(), 3);
    }

    #[test]
    fn only_who_is_in_can_be_coached() {
        let mut all = Conferences::default();
        let coach = |of: &str| Seat {
            coaches: Some(CallId::new(of)),
            ..seat("ccc", true, false)
        };
        assert_eq!(enter(&mut all, coach("a")), Err(Refused::Nobody));
        assert!(all.is_empty());
        enter(&mut all, seat("a", true, false)).expect("in");
        assert_eq!(enter(&mut all, coach("bb")), Err(Refused::Nobody));
        enter(&mut all, coach("a")).expect("in");
        let standing = all.standing("x", &CallId::new("ccc")).expect("in");
        assert_eq!(standing.coaches, Some(LegId(1)));
        let sid = Sid::derive(SidKind::Call, "a");
        assert_eq!(all.member("x", sid.as_str()), Some(CallId::new("a")));
    }

    #[test]
    fn one_that_another_process_had_open_goes_on() {
        let mut all = Conferences::default();
        let began = Some(Timestamp::ZERO);
        let entered = all.enter_again(Timestamp::ZERO, "x", seat("a", false, false), || Opening {
            began,
            ..opening()
        });
        assert!(entered.is_new && entered.is_on && entered.room == RoomId(7));
        assert!(all.standing("x", &CallId::new("a")).expect("in").is_on);
    }

    #[test]
    fn a_conference_has_the_id_that_was_promised_and_its_recordings() {
        let mut all = Conferences::default();
        let now = Timestamp::ZERO;
        let promised = all.promise(now, "x").unwrap();
        assert_eq!(all.promised(now, promised.as_str()).as_deref(), Some("x"));
        enter(&mut all, seat("a", true, false)).unwrap();
        all.recorded("x", &RecordingId::new("r"));
        all.recorded("y", &RecordingId::new("s"));
        let view = all.view().remove(0);
        assert_eq!(view.sid, promised);
        assert_eq!(view.recordings, [RecordingId::new("r")]);
        assert_eq!(all.promised(now, promised.as_str()), None);
        assert_eq!(all.promise(now, "x"), Some(promised.clone()));
        leave(&mut all, "a").unwrap();
        let later = now + std::time::Duration::from_secs(1);
        assert_ne!(all.promise(later, "x"), Some(promised));
    }
}
