//! One open conference: who is in, who may come in, when it begins.

use super::{Entered, Opening, Refused, Seat};
use crate::base::{CallId, RecordingId, RoomId, Timestamp};
use crate::twiml::{ConferenceFact, ConferenceTeller, Notice, Participant, Sid, SidKind};

/// A conference that is open.
#[derive(Debug)]
pub(super) struct Open {
    /// Tells it from earlier ones of the name.
    pub(super) id: String,
    pub(super) room: RoomId,
    pub(super) opened: Timestamp,
    pub(super) began: Option<Timestamp>,
    most: usize,
    pub(super) teller: Option<ConferenceTeller>,
    pub(super) members: Vec<Seat>,
    /// The call that records all of it.
    pub(super) recorded_by: Option<CallId>,
    /// Its recordings.
    pub(super) recordings: Vec<RecordingId>,
}

impl Open {
    pub(super) fn new(now: Timestamp, opening: Opening) -> Self {
        Self {
            id: opening.id,
            room: opening.room,
            opened: now,
            began: opening.began,
            most: opening.most,
            teller: opening.teller,
            members: Vec::new(),
            recorded_by: None,
            recordings: Vec::new(),
        }
    }

    /// The last member has entered: it may begin by him.
    pub(super) fn entered(&mut self, now: Timestamp, is_new: bool) -> Entered {
        let mut waited = Vec::new();
        if self.began.is_none() && self.may_begin() {
            self.began = Some(now);
            waited = self.members.clone();
            waited.pop();
        }
        Entered {
            id: self.id.clone(),
            room: self.room,
            is_new,
            is_alone: self.members.len() == 1,
            is_on: self.began.is_some(),
            waited,
            notices: Vec::new(),
        }
    }

    pub(super) fn sid(&self) -> Sid {
        Sid::derive(SidKind::Conference, &self.id)
    }

    pub(super) fn place(&self, call: &CallId) -> Option<usize> {
        self.members.iter().position(|seat| seat.call == *call)
    }

    pub(super) fn admits(&self, seat: &Seat) -> Result<(), Refused> {
        if self.members.len() >= self.most {
            return Err(Refused::Full);
        }
        let is_taken = |other: &Seat| other.label.is_some() && other.label == seat.label;
        if self.members.iter().any(is_taken) {
            return Err(Refused::Label);
        }
        match &seat.coaches {
            Some(call) if self.place(call).is_none() => Err(Refused::Nobody),
            _ => Ok(()),
        }
    }

    /// Two are in, and one of them is one it begins with.
    fn may_begin(&self) -> bool {
        self.members.len() > 1 && self.members.iter().any(|seat| seat.starts)
    }

    pub(super) fn tell(
        &mut self,
        now: Timestamp,
        name: &str,
        fact: ConferenceFact<'_>,
    ) -> Option<Notice> {
        let sid = self.sid();
        self.teller.as_mut()?.tell(now, (&sid, name), fact)
    }
}

/// One who is in, as notices name him.
pub(super) fn participant(seat: &Seat) -> Participant {
    let sid = |call: &CallId| Sid::derive(SidKind::Call, call.as_str());
    Participant {
        call: sid(&seat.call),
        label: seat.label.clone(),
        muted: seat.muted,
        held: seat.held,
        coaches: seat.coaches.as_ref().map(sid),
        starts: seat.starts,
        ends: seat.ends,
    }
}
