//! Conferences that people dial into: rooms shared by several calls.

use std::collections::BTreeMap;

use super::hands::Hands;
use crate::base::{LegId, RoomId};
use crate::media::{Command, PlayId};

/// The open conferences of a shard, by number.
#[derive(Debug, Default)]
pub(crate) struct Conferences {
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
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Hands<'_> {
    /// Seats a leg. Whoever is alone hears music until somebody else comes.
    pub(crate) fn enter_conference(&mut self, name: &str, leg: LegId, generation: u64) {
        if !self.conferences.open.contains_key(name) {
            let room = self.ids.room();
            self.tell(Command::OpenRoom { room });
            self.conferences.open.insert(name.to_owned(), Open { room, members: Vec::new() });
        }
        let Some(open) = self.conferences.open.get_mut(name) else { return };
        open.members.push(leg);
        let (room, members) = (open.room, open.members.clone());
        self.tell(Command::Join { room, leg });
        match members.as_slice() {
            [alone] => {
                let music = self.generations.get(&generation).and_then(|now| now.sounds.sound("music"));
                if let Some(music) = music {
                    let (leg, play) = (*alone, WAITING_MUSIC);
                    self.tell(Command::Play { leg, play, sounds: vec![music], looped: true });
                }
            }
            [first, _] => self.tell(Command::StopPlay { leg: *first }),
            _ => {}
        }
    }

    /// Takes a leg out; the last one out closes the conference.
    pub(crate) fn leave_conference(&mut self, name: &str, leg: LegId) {
        let Some(open) = self.conferences.open.get_mut(name) else { return };
        open.members.retain(|member| *member != leg);
        let (room, empty) = (open.room, open.members.is_empty());
        self.tell(Command::Leave { room, leg });
        if empty {
            self.conferences.open.remove(name);
            self.tell(Command::CloseRoom { room });
        }
    }
}
