//! What is done to members of a conversation from outside: mute, hold, whisper, coach, announce.

use std::sync::Arc;

use super::control::ControlError;
use super::feature::Next;
use super::hands::Hands;
use super::machine::Call;
use crate::base::{LegId, RoomId};
use crate::media::mixer::Gain;
use crate::media::{Command, PlayId, Role, Sound, Standing};
use crate::twiml::Modification;

/// Announcements to one leg are not plays of its flow: their number is out of the way.
const ANNOUNCEMENT: PlayId = PlayId(u64::MAX - 1);

impl Call {
    /// The room a leg talks in: the call's own, or a conference that was dialled into.
    fn room_of(&self, hands: &Hands<'_>, leg: LegId) -> Result<RoomId, ControlError> {
        let core = &self.core;
        if core.leg(leg).is_none_or(|leg| !leg.is_answered()) {
            return Err(ControlError::NoLeg);
        }
        let conference = core.conference.as_deref();
        let conference = conference.and_then(|name| hands.conference_room(name));
        core.room.or(conference).ok_or(ControlError::NotTalking)
    }

    /// Changes a leg's part.
    pub(super) fn stand(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        change: impl FnOnce(&mut Standing),
    ) -> Result<(), ControlError> {
        let room = self.room_of(hands, leg)?;
        let member = self.core.leg_mut(leg).ok_or(ControlError::NoLeg)?;
        let before = member.standing.role;
        change(&mut member.standing);
        let standing = member.standing;
        hands.tell(Command::SetMember {
            room,
            leg,
            standing,
        });
        if self.core.is_lead(leg) {
            let coached = match standing.role {
                Role::Coach(coached) => Some(coached),
                Role::Listener | Role::Normal => None,
            };
            let conference = self.core.conference.as_deref();
            let coached = conference.and_then(|name| hands.conferences().call_of(name, coached?));
            self.core.seat_changed(hands, |seat| {
                seat.muted = standing.muted;
                // Nobody coaches before the conference begins: his seat knows whom he will.
                if standing.role != before {
                    seat.coaches = coached;
                }
            });
        }
        self.refresh(hands);
        Ok(())
    }

    /// Lets a leg wait with music, or talk again.
    pub(super) fn hold(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        on: bool,
    ) -> Result<(), ControlError> {
        let room = self.room_of(hands, leg)?;
        if let Some(member) = self.core.leg_mut(leg) {
            member.is_held = on;
        }
        if self.core.room.is_some() {
            self.core.refresh_music(hands);
        } else {
            let sound = on.then(|| self.core.music(hands));
            hands.tell(Command::HoldMusic { room, leg, sound });
            self.core.seat_changed(hands, |seat| seat.held = on);
        }
        if !on && self.core.is_lead(leg) {
            // What a document said on hold is over with it.
            self.with_stage(hands, |stage, core, hands| {
                let over = Modification::HoldDocument(None);
                stage.modify(core, hands, over).unwrap_or(Next::Stay)
            });
        }
        self.refresh(hands);
        Ok(())
    }

    /// Sets how loud one leg is for another.
    pub(super) fn set_gain(
        &mut self,
        hands: &mut Hands<'_>,
        (from, to): (LegId, LegId),
        db: Option<i8>,
    ) -> Result<(), ControlError> {
        let room = self.room_of(hands, from)?;
        if self.core.room.is_some() {
            // Of a conference the other may belong to another call.
            self.room_of(hands, to)?;
            let gains = self.core.leg_mut(to).map(|leg| &mut leg.gains);
            if let Some(gains) = gains {
                gains.retain(|(other, _)| *other != from);
                gains.extend((db != Some(0)).then_some((from, db)));
            }
        }
        tell_gain(hands, room, (from, to), db);
        Ok(())
    }

    /// Plays sounds to all, over the conversation, or to one in its place.
    pub(super) fn announce(
        &mut self,
        hands: &mut Hands<'_>,
        names: &[String],
        leg: Option<LegId>,
    ) -> Result<(), ControlError> {
        let place = leg.unwrap_or_else(|| self.core.caller().id);
        let room = self.room_of(hands, place)?;
        let generation = hands.generations.get(&self.core.generation);
        let mut sounds: Vec<Arc<Sound>> = Vec::new();
        for name in names {
            let language = self.core.language();
            let sound = generation.and_then(|now| now.sounds.spoken(name, language));
            let name = || name.clone();
            sounds.push(sound.ok_or_else(|| ControlError::NoSound { name: name() })?);
        }
        hands.tell(match leg {
            None => Command::Announce { room, sounds },
            Some(leg) => Command::Play {
                leg,
                play: ANNOUNCEMENT,
                sounds,
                looped: false,
            },
        });
        Ok(())
    }

    /// Sets again how loud legs are for each other, in a room that was opened anew.
    pub(super) fn set_gains_again(&self, hands: &mut Hands<'_>, room: RoomId) {
        for leg in self.core.legs.iter().filter(|leg| leg.is_answered()) {
            for (from, db) in &leg.gains {
                tell_gain(hands, room, (*from, leg.id), *db);
            }
        }
    }

    /// The timelines follow.
    fn refresh(&mut self, hands: &mut Hands<'_>) {
        if let Some(talk) = self.stage.talk_mut() {
            talk.refresh(&mut self.core, hands);
        }
    }
}

fn tell_gain(hands: &mut Hands<'_>, room: RoomId, (from, to): (LegId, LegId), db: Option<i8>) {
    let gain = db.map_or(Gain::SILENT, |db| Gain::from_db(f32::from(db)));
    hands.tell(Command::SetGain {
        room,
        from,
        to,
        gain,
    });
}
