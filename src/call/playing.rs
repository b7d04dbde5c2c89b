//! What the parties of a call hear from us: sounds by name in their language, and music for who has
//! nobody to talk with.

use std::sync::Arc;

use super::core::{Core, Looped, Playing};
use super::hands::Hands;
use super::leg::Leg;
use crate::base::LegId;
use crate::media::{Command, PlayId, Sound};

impl Core {
    /// Plays sounds by name to a leg; unknown names are skipped (the configuration was checked, so
    /// only a sound that a flow computes can be unknown).
    pub(crate) fn play<'n>(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        names: impl IntoIterator<Item = &'n str>,
        looped: Looped,
    ) -> PlayId {
        self.play_in(None, hands, leg, names, looped)
    }

    /// Plays sounds in a language; the caller's when none is given.
    pub(crate) fn play_in<'n>(
        &mut self,
        language: Option<&str>,
        hands: &mut Hands<'_>,
        leg: LegId,
        names: impl IntoIterator<Item = &'n str>,
        looped: Looped,
    ) -> PlayId {
        self.plays += 1;
        let play = PlayId(self.plays);
        let names = names.into_iter().map(str::to_owned).collect();
        let playing = Playing {
            leg,
            play,
            names,
            looped,
            language: language.map(str::to_owned),
        };
        self.start_play(hands, &playing);
        self.playing = Some(playing);
        play
    }

    /// Begins a play, or begins it again.
    pub(crate) fn start_play(&self, hands: &mut Hands<'_>, playing: &Playing) {
        let language = playing.language.as_deref().or(self.language());
        let sounds = self.sounds(hands, &playing.names, language);
        let (leg, play, looped) = (playing.leg, playing.play, playing.looped == Looped::Forever);
        hands.tell(Command::Play {
            leg,
            play,
            sounds,
            looped,
        });
    }

    /// Plays sounds to a party beside what the caller hears; begun again after a restore by whoever
    /// began it. Without a language it is the office's.
    pub(crate) fn play_aside(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        names: &[String],
        language: Option<&str>,
    ) -> PlayId {
        self.plays += 1;
        let play = PlayId(self.plays);
        let sounds = self.sounds(hands, names, language);
        hands.tell(Command::Play {
            leg,
            play,
            sounds,
            looped: false,
        });
        play
    }

    /// Stops what was played to a party beside what the caller hears.
    pub(crate) fn stop_aside(&self, hands: &mut Hands<'_>, leg: LegId) {
        hands.tell(Command::StopPlay { leg });
    }

    /// The sounds of names in a language, without those that are unknown.
    fn sounds(
        &self,
        hands: &Hands<'_>,
        names: &[String],
        language: Option<&str>,
    ) -> Vec<Arc<Sound>> {
        let find = |name: &String| {
            let sound = self.sound(hands, name, language);
            if sound.is_none() {
                tracing::warn!(call = %self.id, name, "no such sound");
            }
            sound
        };
        names.iter().filter_map(find).collect()
    }

    /// The sound of a name in a language.
    pub(crate) fn sound(
        &self,
        hands: &Hands<'_>,
        name: &str,
        language: Option<&str>,
    ) -> Option<Arc<Sound>> {
        let generation = hands.generations.get(&self.generation);
        let sound = generation.and_then(|now| now.sounds.spoken(name, language));
        // The music of a queue that a later configuration brought.
        let newest = || hands.newest()?.sounds.spoken(name, language);
        sound.or_else(newest)
    }

    /// Plays one sound that has no name, such as a message. It is not begun again after a restore.
    pub(crate) fn play_sound(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        sound: Arc<Sound>,
    ) -> PlayId {
        self.play_sounds(hands, leg, vec![sound])
    }

    /// The same of several, one after the other.
    pub(crate) fn play_sounds(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        sounds: Vec<Arc<Sound>>,
    ) -> PlayId {
        self.plays += 1;
        let play = PlayId(self.plays);
        self.playing = None;
        hands.tell(Command::Play {
            leg,
            play,
            sounds,
            looped: false,
        });
        play
    }

    /// Stops whatever is played to a leg.
    pub(crate) fn stop_play(&mut self, hands: &mut Hands<'_>, leg: LegId) {
        self.playing = None;
        hands.tell(Command::StopPlay { leg });
    }

    /// The language the caller is spoken to in: his attribute `language`; `None`: the office's.
    pub(crate) fn language(&self) -> Option<&str> {
        self.attributes.get("language")?.as_str()
    }

    /// What is heard on hold: silence where no music is configured.
    pub(crate) fn music(&self, hands: &Hands<'_>) -> Arc<Sound> {
        let generation = hands.generations.get(&self.generation);
        let music = generation.and_then(|now| now.sounds.sound("music"));
        music.unwrap_or_else(|| Arc::new(Sound::new("silence", vec![0; 160])))
    }

    /// Whoever has nobody left to talk with hears music: all others of the room hold.
    pub(crate) fn refresh_music(&mut self, hands: &mut Hands<'_>) {
        let Some(room) = self.room else { return };
        let music = self.music(hands);
        for place in 0..self.legs.len() {
            let leg = &self.legs[place];
            let mut others = self.legs.iter().filter(|other| other.is_answered());
            let (mut any, mut all) = (false, true);
            // Who only supervises is nobody to talk with.
            let talks = |other: &&Leg| other.id != leg.id && !other.supervises();
            for other in others.by_ref().filter(talks) {
                (any, all) = (true, all && other.holds_us());
            }
            let is_lonely = leg.is_answered() && (leg.is_held || any && all);
            if leg.hears_music != is_lonely {
                let sound = is_lonely.then(|| music.clone());
                let leg = leg.id;
                hands.tell(Command::HoldMusic { room, leg, sound });
                self.legs[place].hears_music = is_lonely;
            }
        }
    }
}
