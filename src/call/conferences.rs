//! Conferences that people dial into: rooms shared by several calls.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::hands::Hands;
use crate::base::{LegId, RoomId};
use crate::media::{Command, PlayId, Standing};

/// The open conferences of a node, by number; shared by its shards.
#[derive(Debug, Default)]
pub struct Conferences {
    open: BTreeMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    room: RoomId,
    members: Vec<LegId>,
}

/// Plays to conference members are not a call's own: their number is out of the way.
const WAITING_MUSIC: PlayId = PlayId(u64::MAX);

impl Conferences {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Seats a leg. The conference's room, whether it is new, and who sits there now.
    fn enter(
        &mut self,
        name: &str,
        leg: LegId,
        new_room: impl FnOnce() -> RoomId,
    ) -> (RoomId, Vec<LegId>) {
        let open = self.open.entry(name.to_owned()).or_insert_with(|| Open {
            room: new_room(),
            members: Vec::new(),
        });
        open.members.push(leg);
        (open.room, open.members.clone())
    }

    /// Takes a leg out. The room, and whether it is empty and forgotten now.
    fn leave(&mut self, name: &str, leg: LegId) -> Option<(RoomId, bool)> {
        let open = self.open.get_mut(name)?;
        open.members.retain(|member| *member != leg);
        let (room, empty) = (open.room, open.members.is_empty());
        if empty {
            self.open.remove(name);
        }
        Some((room, empty))
    }
}

impl Hands<'_> {
    /// Seats a leg. Whoever is alone hears music until somebody else comes.
    pub(crate) fn enter_conference(
        &mut self,
        name: &str,
        (leg, standing): (LegId, Standing),
        generation: u64,
    ) {
        let conferences = self.conferences.clone();
        let mut conferences = conferences.lock().unwrap_or_else(PoisonError::into_inner);
        let (room, members) = conferences.enter(name, leg, || self.ids.room());
        if members.len() == 1 {
            self.open_room(room, generation);
        }
        self.tell(Command::Join {
            room,
            leg,
            standing,
        });
        match members.as_slice() {
            [alone] => {
                let music = self
                    .generations
                    .get(&generation)
                    .and_then(|now| now.sounds.sound("music"));
                if let Some(music) = music {
                    let (leg, play) = (*alone, WAITING_MUSIC);
                    self.tell(Command::Play {
                        leg,
                        play,
                        sounds: vec![music],
                        looped: true,
                    });
                }
            }
            [first, _] => self.tell(Command::StopPlay { leg: *first }),
            _ => {}
        }
    }

    /// Opens a room on the terms of a generation.
    pub(crate) fn open_room(&mut self, room: RoomId, generation: u64) {
        self.tell(Command::OpenRoom { room });
        if let Some(now) = self.generations.get(&generation) {
            let terms = now.conferences.room;
            self.tell(Command::SetRoom { room, terms });
        }
    }

    /// Lets all of a conference hear that somebody has come in, if they are to.
    pub(crate) fn announce_entry(&self, name: &str, generation: u64) {
        let now = self.generations.get(&generation);
        let beep = now.and_then(|now| now.sounds.sound(now.conferences.beep.as_deref()?));
        if let Some((beep, room)) = beep.zip(self.conference_room(name)) {
            let sounds = vec![beep];
            self.tell(Command::Announce { room, sounds });
        }
    }

    /// The room of a conference that is open.
    pub(crate) fn conference_room(&self, name: &str) -> Option<RoomId> {
        let conferences = self.conferences.lock();
        let conferences = conferences.unwrap_or_else(PoisonError::into_inner);
        conferences.open.get(name).map(|open| open.room)
    }

    /// Takes a leg out; the last one out closes the conference.
    pub(crate) fn leave_conference(&mut self, name: &str, leg: LegId) {
        let conferences = self.conferences.clone();
        let mut conferences = conferences.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((room, empty)) = conferences.leave(name, leg) else {
            return;
        };
        self.tell(Command::Leave { room, leg });
        if empty {
            self.tell(Command::CloseRoom { room });
        }
    }
}
