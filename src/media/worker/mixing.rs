//! The rooms' part of a tick: voices are added up, and everybody who hears the mix is sent it.

use super::leg::{Leg, Room};
use super::silence::{Due, power};
use super::speech::MAX_PAYLOAD;
use super::{Counts, Wire, Worker};
use crate::base::Timestamp;
use crate::media::graph::{Audience, Hears, Line};
use crate::media::mixer::{Gain, Heard, Levelling, Listener, Mixer, Place};
use crate::media::rtp::Header;
use crate::media::{MAX_FRAME, Notice};

/// Scratch space for one room at one tick, allocated once.
#[derive(Debug)]
pub(super) struct Floor {
    /// The place of each member among the speakers.
    places: Vec<Option<Place>>,
    /// Whom one listener hears otherwise than all do.
    others: Vec<(Place, (Gain, Gain))>,
    frame: Box<[i16; MAX_FRAME]>,
    /// What is announced to the room.
    sound: Box<[i16; MAX_FRAME]>,
}

impl Floor {
    /// For rooms of so many members.
    pub(super) fn new(members: usize) -> Self {
        Self {
            places: Vec::with_capacity(members),
            others: Vec::with_capacity(members),
            frame: Box::new([0; MAX_FRAME]),
            sound: Box::new([0; MAX_FRAME]),
        }
    }
}

impl Worker {
    /// All rooms in which somebody hears the mix.
    pub(super) fn mix(&mut self, at: Timestamp) {
        let Wire { packet, counts, .. } = &mut *self.wire;
        let Floor {
            places,
            others,
            frame,
            sound,
        } = &mut self.floor;
        let mixer = &mut self.mixer;
        mixer.limit_talkers(self.load.shed().talkers());
        for (key, room) in &mut self.rooms {
            for tape in &mut room.tapes {
                tape.tick(at);
            }
            let announced = match &mut room.announcement {
                Some(announcement) if !announcement.is_over() => {
                    announcement.next_frame().is_some_and(|frame| {
                        sound[..frame.len()].copy_from_slice(frame);
                        true
                    })
                }
                _ => false,
            };
            let is_over = room.announcement.as_ref().is_some_and(|it| it.is_over());
            let is_settled = room.is_settled;
            let is_led = room.settle_gains();
            self.stale
                .extend((announced && is_over || is_led).then_some(key));
            if !room.plan.mixes() {
                continue;
            }
            let frame = &mut frame[..room.plan.rate().frame()];
            mixer.begin(room.plan.rate(), room.levelling());
            if announced {
                mixer.announce(&sound[..room.plan.rate().frame()]);
            }
            places.clear();
            for (key, line) in room.members.iter().zip(room.plan.lines()) {
                let leg = self.legs.get_mut(*key);
                places.push(leg.and_then(|leg| leg.enter(line, mixer)));
            }
            mixer.mix();
            // As the tick before left them: a word begins with a frame or two of its own.
            let talkers = room
                .members
                .iter()
                .filter(|key| self.legs.get(**key).is_some_and(|leg| leg.talks()))
                .count();
            let Room {
                plan,
                members,
                outlets,
                terms,
                ..
            } = &mut **room;
            let tells_talkers = terms.tells_talkers && plan.is_crowd();
            outlets.iter_mut().for_each(|outlet| outlet.begin());
            for ((key, line), own) in members.iter().zip(plan.lines()).zip(&*places) {
                let Some(leg) = self.legs.get_mut(*key) else {
                    continue;
                };
                if let (Some(ear), Some(place)) = (&mut leg.inbound.ear, own) {
                    mixer.settle(*place, &mut ear.talker);
                }
                let turn = leg.inbound.ear.as_mut().and_then(|ear| ear.talker.turn());
                if let Some(talking) = turn.filter(|_| tells_talkers) {
                    leg.inbound.told_talking = talking;
                    let notice = Notice::Talking {
                        leg: leg.id,
                        talking,
                    };
                    self.notices.tell(leg.shard, notice, &self.stats);
                }
                if line.hears != Hears::Mix {
                    continue;
                }
                let (Some(_), Some(voicing)) = (leg.sending(), leg.voicing()) else {
                    continue;
                };
                others.clear();
                others.extend(plan.class(line.class).iter().filter_map(|deviation| {
                    let place = places.get(deviation.speaker).copied().flatten()?;
                    let before = if is_settled {
                        deviation.gain
                    } else {
                        deviation.before
                    };
                    Some((place, (before, deviation.gain)))
                }));
                let listener = Listener {
                    own: *own,
                    others,
                    aside: None,
                };
                let is_alone = mixer.shares(&listener) == Heard::Own;
                let is_speech = announced || talkers > usize::from(leg.talks());
                let mut outlet = outlets
                    .iter_mut()
                    .find(|outlet| outlet.serves(line.class, voicing));
                let shared = Listener {
                    own: None,
                    ..listener
                };
                if let Some(own) = leg.own_mix.as_mut()
                    && own.is_wanted(at, is_alone, outlet.as_deref())
                {
                    let is_ending = own.is_about_to_end(at, is_alone);
                    if let Some(outlet) = outlet.filter(|_| is_ending) {
                        outlet.payload(frame, |frame| {
                            mixer.hear(&shared, frame);
                        });
                    }
                    mixer.hear(&listener, frame);
                    if !leg.keeps_silent(at, (power(frame), is_speech), packet, counts) {
                        leg.send_own_mix(at, frame, packet, counts);
                    }
                } else if let Some(outlet) = &mut outlet {
                    let (payload, power) = outlet.payload(frame, |frame| {
                        mixer.hear(&shared, frame);
                    });
                    if !leg.keeps_silent(at, (power, is_speech), packet, counts) {
                        leg.send_frame(at, Some(payload), packet, counts);
                    }
                }
            }
        }
    }
}

impl Room {
    /// Gains that this tick leads to stay there from the next on; says whether there are any. The
    /// plan, which this tick goes by and maybe the next, has both.
    fn settle_gains(&mut self) -> bool {
        let mut is_led = false;
        for route in &mut self.gains {
            is_led |= route.before != route.gain;
            route.before = route.gain;
        }
        if is_led {
            self.gains.retain(|route| route.gain != Gain::UNITY);
            self.is_settled = true;
        }
        is_led
    }

    /// Whether its members are brought to one loudness: two people are left as they are.
    fn levelling(&self) -> Levelling {
        match self.terms.levelling && self.plan.is_crowd() {
            true => Levelling::On,
            false => Levelling::Off,
        }
    }
}

impl Leg {
    /// Gives this tick's voice to the mixer.
    fn enter(&mut self, line: &Line, mixer: &mut Mixer) -> Option<Place> {
        let (talker, voice) = self.inbound.ear.as_mut()?.speaker();
        match line.audience {
            _ if !line.feeds_mix => None,
            Audience::Nobody => None,
            Audience::One(_) => mixer.whisper(talker, voice),
            Audience::Room => mixer.speak(talker, voice),
        }
    }

    /// Whether it is talking in a mix.
    fn talks(&self) -> bool {
        let ear = self.inbound.ear.as_ref();
        ear.is_some_and(|ear| ear.talker.is_talking())
    }

    /// Whether the mix of this tick is silence that is left out, given its mean square and whether
    /// somebody talks in it. Tells the far end what the silence sounds like when that is due.
    fn keeps_silent(
        &mut self,
        at: Timestamp,
        (power, is_speech): (f32, bool),
        packet: &mut [u8],
        counts: &mut Counts,
    ) -> bool {
        let Some(payload_type) = self.flow.as_ref().and_then(|flow| flow.comfort_noise) else {
            return false;
        };
        if self.is_dialling() {
            self.silence.interrupt();
            return false;
        }
        let Some(place) = self.out.next_tick(at) else {
            return false;
        };
        match self.silence.weigh(power, is_speech) {
            Due::Frame => false,
            Due::Nothing => true,
            Due::Noise(model) => {
                // What is held of a packet is silence too.
                if let Some(packing) = &mut self.packing {
                    packing.clear();
                }
                let header = Header {
                    marker: false,
                    payload_type,
                    sequence: place.sequence,
                    timestamp: place.timestamp,
                    ssrc: self.out.ssrc(),
                };
                self.out.take(at, place);
                self.transmit(at, header, &model.to_payload(), packet, counts);
                true
            }
        }
    }

    /// Sends what only this one hears.
    fn send_own_mix(
        &mut self,
        at: Timestamp,
        frame: &[i16],
        packet: &mut [u8],
        counts: &mut Counts,
    ) {
        let mut payload = [0; MAX_PAYLOAD];
        let Some(own) = &mut self.own_mix else {
            return;
        };
        let length = own.say(frame, &mut payload);
        self.send_frame(at, Some(&payload[..length]), packet, counts);
    }
}
