//! What every stage of a call shares: its legs, its room, its record; and the few verbs on them.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CallKey;
use super::breadth::Breadth;
use super::hands::Hands;
use super::identity::{Identity, caller_name};
use super::keys::Keys;
use super::leg::{Leg, Progress};
use super::negotiate;
use crate::base::{CallId, Cause, LegId, Party, RecordingId, RoomId, TaskId, Timestamp};
use crate::events::{AgentStretch, CallRecord, Direction, Event, Fact, Role, Stretch};
use crate::media::recorder::Channel;
use crate::media::{Command, Pause, PlayId, Sound, Tape};
use crate::recording::{Format, stem};
use crate::sdp::{self, Description, LocalCrypto, LocalMedia};
use crate::sip::ua::Body;
use crate::trunk::Way;
use crate::trunk::profile::MediaTerms;

/// The part of a call that outlives its stages. Serialisable: this is what a checkpoint keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) id: CallId,
    pub(crate) key: CallKey,
    /// Generation of configuration the call started with and keeps.
    pub(crate) generation: u64,
    pub(crate) direction: Direction,
    /// Caller's number, normalised.
    pub(crate) from: String,
    /// Dialled number, normalised.
    pub(crate) to: String,
    /// What else is known of the caller.
    #[serde(default)]
    pub(crate) identity: Identity,
    /// Max-Forwards for legs we place: one less than the caller's (RFC 7332 would refuse loops).
    pub(crate) max_forwards: u8,
    /// Max-Breadth for legs we place.
    #[serde(default)]
    pub(crate) breadth: Breadth,
    /// Who transfers the call, while that is under way: named to whoever is rung (RFC 3892).
    pub(crate) referred_by: Option<String>,
    /// All legs, living and dead. The first is the one the call is for: the caller's, or, when a
    /// caller has transferred the other party, that party's.
    pub(crate) legs: Vec<Leg>,
    /// The conference that joins the parties, once there are two.
    pub(crate) room: Option<RoomId>,
    /// The shared conference the caller sits in, when the call is to one.
    pub(crate) conference: Option<String>,
    /// Recordings not yet published.
    pub(crate) recordings: Vec<RecordingId>,
    /// What of a recording is not kept at the moment: channels, or all of them (`None`).
    #[serde(default)]
    pub(crate) pauses: Vec<Option<Channel>>,
    /// Whether a flow asks for something secret.
    #[serde(default)]
    pub(crate) asks_secret: bool,
    /// Whether recordings are paused for that and nothing else.
    #[serde(default)]
    pub(crate) pauses_for_secret: bool,
    /// Whether media was told to conceal the legs.
    #[serde(default)]
    pub(crate) is_concealed: bool,
    /// The last keys that agents pressed.
    #[serde(default)]
    pub(crate) keys: String,
    /// Agents in after-call work, until the router says that it is over.
    pub(crate) wrapping: Vec<Wrapping>,
    /// Calls that became part of this one and whose tasks go on here.
    pub(crate) also: Vec<CallId>,
    /// Whether the gate was told that the call is over.
    pub(crate) exited: bool,
    /// Whether the record went out once.
    pub(crate) published: bool,
    /// The number that a flow shows to whom it calls, while it rings.
    #[serde(default)]
    pub(crate) shows: Option<String>,
    /// Attributes set by flows, handed to the router.
    pub(crate) attributes: Map<String, Value>,
    /// Counts plays, so that a late `PlayDone` is told from the present one.
    pub(crate) plays: u64,
    /// What the caller hears from us, to begin it again after a restore.
    pub(crate) playing: Option<Playing>,
    /// Counts the questions that documents put.
    #[serde(default)]
    pub(crate) tickets: u64,
    /// Set when the call ended; what is left is to gather counts and publish.
    pub(crate) ended: Option<Timestamp>,
    /// The record so far.
    pub(crate) record: CallRecord,
}

impl Core {
    /// A call that has just come to be: no legs yet, and as many hops left as a new request has.
    pub(crate) fn new(
        (id, key): (CallId, CallKey),
        generation: u64,
        direction: Direction,
        (from, to): (String, String),
    ) -> Self {
        Self {
            id,
            key,
            generation,
            direction,
            from,
            to,
            identity: Identity::default(),
            max_forwards: 70,
            breadth: Breadth::default(),
            legs: Vec::new(),
            room: None,
            conference: None,
            recordings: Vec::new(),
            pauses: Vec::new(),
            asks_secret: false,
            pauses_for_secret: false,
            is_concealed: false,
            keys: String::new(),
            shows: None,
            attributes: Map::new(),
            plays: 0,
            playing: None,
            tickets: 0,
            wrapping: Vec::new(),
            also: Vec::new(),
            referred_by: None,
            exited: false,
            published: false,
            ended: None,
            record: CallRecord::default(),
        }
    }

    /// Notes a fact: into the record, and out to whoever listens.
    pub(crate) fn emit(&mut self, hands: &mut Hands<'_>, fact: Fact) {
        self.emit_at(hands, hands.now, fact);
    }

    pub(super) fn emit_at(&mut self, hands: &mut Hands<'_>, at: Timestamp, fact: Fact) {
        let event = Event {
            at,
            call: self.id.clone(),
            fact,
        };
        self.record.apply(&event);
        hands
            .outbox
            .push_back(super::Output::Event(std::sync::Arc::new(event)));
    }

    /// The leg the call is for; see [`Core::legs`].
    pub(crate) fn caller(&self) -> &Leg {
        &self.legs[0]
    }

    /// Whether a leg is the one the call is for.
    pub(crate) fn is_lead(&self, id: LegId) -> bool {
        self.legs.first().is_some_and(|leg| leg.id == id)
    }

    /// From now on the call is for another of its legs.
    pub(crate) fn lead(&mut self, id: LegId) {
        if let Some(place) = self.legs.iter().position(|leg| leg.id == id) {
            self.legs[..=place].rotate_right(1);
        }
    }

    /// Legs that were answered and live.
    pub(crate) fn talking(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_answered())
    }

    /// A leg by id.
    pub(crate) fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    /// A leg by id, to change.
    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// Says what the caller is in from now on.
    pub(crate) fn caller_enters(&mut self, hands: &mut Hands<'_>, stretch: Stretch, with: &str) {
        self.emit(
            hands,
            Fact::CallerEntered {
                stretch,
                with: with.to_owned(),
            },
        );
    }

    /// Says what an agent is in from now on; `None` ends the agent's timeline.
    pub(crate) fn agent_enters(
        &mut self,
        hands: &mut Hands<'_>,
        agent: &str,
        leg: Option<LegId>,
        stretch: Option<AgentStretch>,
    ) {
        self.emit(
            hands,
            Fact::AgentEntered {
                agent: agent.to_owned(),
                leg,
                stretch,
            },
        );
    }

    /// Stores the record as it is: from here on a killed process must leave a trace of the call.
    pub(crate) fn save(&self, hands: &mut Hands<'_>) {
        let record = Box::new(self.record.clone());
        hands.outbox.push_back(super::Output::Record(record));
    }

    /// An agent's part in the conversation is over; after-call work may follow.
    pub(crate) fn agent_done(
        &mut self,
        hands: &mut Hands<'_>,
        (agent, task): (String, TaskId),
        wraps_up: bool,
    ) {
        let stretch = wraps_up.then_some(AgentStretch::Wrap);
        self.agent_enters(hands, &agent, None, stretch);
        if wraps_up {
            self.wrapping.push(Wrapping { agent, task });
        }
    }

    /// After-call work is over: the one after a task, or all of it.
    pub(crate) fn wrap_ended(&mut self, hands: &mut Hands<'_>, task: Option<&TaskId>) {
        let is_over = |one: &mut Wrapping| task.is_none_or(|task| one.task == *task);
        for Wrapping { agent, .. } in self.wrapping.extract_if(.., is_over).collect::<Vec<_>>() {
            // The same agent may have the call again meanwhile.
            let talks = self.record.agents.iter().any(|known| {
                let open = known.open().map(|part| part.stretch);
                known.agent == agent && open != Some(AgentStretch::Wrap)
            });
            if !talks {
                self.agent_enters(hands, &agent, None, None);
            }
        }
    }

    /// Takes a leg into the call.
    pub(crate) fn add_leg(&mut self, hands: &mut Hands<'_>, leg: Leg) {
        if let Some(trunk) = &leg.trunk {
            let way = match leg.role {
                Role::Caller => Way::In,
                Role::Agent | Role::Callee => Way::Out,
            };
            hands.carriers.enter(trunk, way);
        }
        self.take_leg(hands, leg);
    }

    /// Takes a leg into the call that was in another one, and counted, before.
    pub(crate) fn take_leg(&mut self, hands: &mut Hands<'_>, leg: Leg) {
        hands.index.sessions.insert(leg.session, (self.key, leg.id));
        hands.index.legs.insert(leg.id, self.key);
        if leg.is_phones_own() {
            hands.phone_engaged(self.generation, &leg.party, leg.id);
        }
        let fact = Fact::LegAdded {
            leg: leg.id,
            role: leg.role,
            party: leg.party.clone(),
            agent: leg.agent.clone(),
            trunk: leg.trunk.clone(),
            sip_call_id: hands.ua.call_id(leg.session).unwrap_or_default().to_owned(),
        };
        self.legs.push(leg);
        self.emit(hands, fact);
    }

    /// An agent's leg that lives is none of a task, or no longer: his phone is in a call of its own.
    pub(crate) fn beside_task(&mut self, hands: &mut Hands<'_>, id: LegId) {
        let lives = |leg: &&mut Leg| leg.is_live() && leg.agent.is_some();
        let Some(leg) = self.leg_mut(id).filter(lives) else {
            return;
        };
        leg.is_beside_task = true;
        let phone = leg.party.clone();
        hands.phone_engaged(self.generation, &phone, id);
    }

    /// Opens the media of a leg that has none yet. The status to refuse with when no port is left.
    pub(crate) fn open_media(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<(), u16> {
        let other = self.leg_with_media();
        let wanted = self.codecs_beside(id);
        let generation = hands.generations.get(&self.generation).cloned();
        let Some(leg) = self.leg_mut(id) else {
            return Err(500);
        };
        if leg.local.is_some() {
            return Ok(());
        }
        // Where their sound comes from may be of another family than their signalling.
        let offer = leg.remote_offer.as_ref();
        let offered = offer.and_then(|offer| offer.audio().next()?.address);
        let remote = offered.unwrap_or(leg.flow.remote.ip());
        let terms = generation
            .as_ref()
            .and_then(|generation| generation.media_of(leg.trunk.as_deref(), &leg.party));
        leg.keys = Keys::by(terms.map(|terms| terms.dtmf));
        let mut local = open_local(hands, id, other, terms, remote)?;
        local.prefer(&wanted);
        local.crypto = LocalCrypto::new(leg.srtp, hands.entropy);
        leg.local = Some(local);
        Ok(())
    }

    /// Answers the offer of a leg that called us, opening its media: the body for a 183 or 200.
    /// Without an offer (delayed offer, RFC 3264 §5) the body is our own.
    pub(crate) fn answer_body(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<Body, u16> {
        self.open_media(hands, id)?;
        let preferred = self.codec_beside(id);
        let Some(leg) = self.leg_mut(id) else {
            return Err(500);
        };
        let Some(local) = leg.local.clone() else {
            return Err(500);
        };
        let Some(offer) = leg.remote_offer.as_ref() else {
            leg.offer_pending = true;
            return Ok(sdp_body(&sdp::offer(&local)));
        };
        let (answer, agreed) = sdp::answer(&local, offer, preferred).map_err(|refusal| {
            tracing::info!(%refusal, "offer refused");
            488_u16
        })?;
        let flow = leg.flow_of(&agreed);
        leg.negotiated = Some(agreed);
        hands.tell(Command::SetLeg { leg: id, flow });
        Ok(sdp_body(&answer))
    }

    /// Answers the caller (200), unless that was done before.
    pub(crate) fn answer_caller(&mut self, hands: &mut Hands<'_>) -> Result<(), u16> {
        let caller = self.caller().id;
        self.answer_leg(hands, caller)
    }

    /// Answers a leg that called us (200), unless that was done before.
    pub(crate) fn answer_leg(&mut self, hands: &mut Hands<'_>, id: LegId) -> Result<(), u16> {
        let arrives = |leg: &&Leg| leg.progress == Progress::Arriving;
        let Some(session) = self.leg(id).filter(arrives).map(|leg| leg.session) else {
            return Ok(());
        };
        let body = self.answer_body(hands, id)?;
        hands.ua.accept(hands.now, session, &[], Some(body));
        let mut codec = "";
        if let Some(leg) = self.leg_mut(id) {
            leg.progress = Progress::Answered;
            codec = leg.negotiated.as_ref().map_or("", negotiate::codec_name);
        }
        let codec = codec.to_owned();
        self.answered(hands, id, codec);
        Ok(())
    }

    /// Takes the far end's answer to our offer. False when there is nothing to agree on.
    pub(crate) fn take_answer(&mut self, hands: &mut Hands<'_>, id: LegId, body: &[u8]) -> bool {
        let Some(leg) = self.leg_mut(id) else {
            return false;
        };
        let Some(local) = leg.local.as_ref() else {
            return false;
        };
        let agreed = Description::parse(body)
            .ok()
            .and_then(|answer| sdp::accept_answer(local, &answer).ok());
        let Some(agreed) = agreed else {
            return leg.negotiated.is_some();
        };
        leg.offer_pending = false;
        let flow = leg.flow_of(&agreed);
        leg.negotiated = Some(agreed);
        hands.tell(Command::SetLeg { leg: id, flow });
        true
    }

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
        let sounds = playing
            .names
            .iter()
            .filter_map(|name| {
                let sound = self.sound(hands, name, language);
                if sound.is_none() {
                    tracing::warn!(call = %self.id, name, "no such sound");
                }
                sound
            })
            .collect();
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
        let find = |name: &String| {
            let sound = self.sound(hands, name, language);
            if sound.is_none() {
                tracing::warn!(call = %self.id, name, "no such sound");
            }
            sound
        };
        let sounds = names.iter().filter_map(find).collect();
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

    /// Joins a leg into the call's room, which is opened for the first.
    pub(crate) fn join(&mut self, hands: &mut Hands<'_>, leg: LegId) {
        let room = match self.room {
            Some(room) => room,
            None => {
                let room = hands.ids.room();
                self.room = Some(room);
                hands.open_room(room, self.generation);
                room
            }
        };
        let standing = self.leg(leg).map(|leg| leg.standing).unwrap_or_default();
        hands.tell(Command::Join {
            room,
            leg,
            standing,
        });
        if self.is_concealed {
            hands.tell(Command::Conceal { leg, on: true });
        }
    }

    /// Hangs up those who only listen or coach: there is nobody left to be heard.
    pub(crate) fn dismiss_supervisors(&mut self, hands: &mut Hands<'_>) {
        let supervisors: Vec<LegId> = self
            .others()
            .filter(|leg| leg.supervises())
            .map(|leg| leg.id)
            .collect();
        for leg in supervisors {
            self.hang_up(hands, leg, Party::Switch, Cause::normal());
        }
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

    /// Records the caller (left) and another leg (right) of the call's room.
    pub(crate) fn record(&mut self, hands: &mut Hands<'_>, right: LegId) {
        let Some(room) = self.room else { return };
        let recording = hands.ids.recording(hands.now);
        let label = |leg: Option<&Leg>| {
            leg.map_or_else(String::new, |leg| {
                leg.agent.clone().unwrap_or_else(|| leg.party.clone())
            })
        };
        let mut channels = vec![label(Some(self.caller())), label(self.leg(right))];
        // Who joins has one of the others; the marks say who and when.
        let generation = hands.generations.get(&self.generation);
        let count = generation.map_or(2, |now| now.recording.channels);
        channels.resize_with(count.max(2), String::new);
        let labels = Map::from_iter([
            ("call".to_owned(), Value::from(self.id.as_str())),
            ("from".to_owned(), Value::from(self.from.as_str())),
            ("to".to_owned(), Value::from(self.to.as_str())),
        ]);
        hands.tell(Command::Record {
            recording: recording.clone(),
            room,
            left: self.caller().id,
            right: vec![right],
            at: hands.now,
            tape: Tape {
                stem: stem(&recording, hands.now),
                channels,
                labels,
                format: None,
            },
        });
        hands.index.recordings.insert(recording.clone(), self.key);
        self.recordings.push(recording.clone());
        self.emit(hands, Fact::RecordingStarted { recording });
        // A new recording of a conversation that is paused is paused from its beginning.
        for channel in std::mem::take(&mut self.pauses) {
            self.pause_recording(hands, channel, true);
        }
    }

    /// Records what the caller says, and nobody else.
    pub(crate) fn record_alone(
        &mut self,
        hands: &mut Hands<'_>,
        recording: &RecordingId,
        stem: String,
        format: Option<Format>,
        mailbox: Option<&str>,
    ) {
        let generation = hands.generations.get(&self.generation);
        let name = generation.and_then(|now| caller_name(now, &self.from, Some(&self.identity)));
        let labels = [
            ("call", Some(self.id.as_str())),
            ("from", Some(self.from.as_str())),
            ("from_name", name.as_deref()),
            ("to", Some(self.to.as_str())),
            ("mailbox", mailbox),
        ];
        let labels = labels
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))));
        hands.tell(Command::RecordLeg {
            recording: recording.clone(),
            leg: self.caller().id,
            at: hands.now,
            tape: Tape {
                stem,
                channels: vec![self.caller().party.clone()],
                labels: labels.collect(),
                format,
            },
        });
        let recording = recording.clone();
        hands.index.recordings.insert(recording.clone(), self.key);
        self.recordings.push(recording.clone());
        self.emit(hands, Fact::RecordingStarted { recording });
    }

    /// Pauses the recordings that run, or one channel of them, or lets them go on; `false` when
    /// nothing is recorded.
    pub(crate) fn pause_recording(
        &mut self,
        hands: &mut Hands<'_>,
        channel: Option<Channel>,
        on: bool,
    ) -> bool {
        let is_paused = self.pauses.contains(&channel);
        if self.recordings.is_empty() || is_paused == on {
            return !self.recordings.is_empty();
        }
        match on {
            true => self.pauses.push(channel),
            false if channel.is_none() => self.pauses.clear(),
            false => self.pauses.retain(|paused| *paused != channel),
        }
        let (pause, at) = (Pause { channel, on }, hands.now);
        let channel = channel.map(|channel| channel.0);
        for recording in self.recordings.clone() {
            hands.tell(Command::PauseRecord {
                recording: recording.clone(),
                pause,
                at,
            });
            let fact = match on {
                true => Fact::RecordingPaused { recording, channel },
                false => Fact::RecordingResumed { recording, channel },
            };
            self.emit(hands, fact);
        }
        self.conceal(hands);
        true
    }

    /// Takes a key of an agent: the ones that pause a recording, or let it go on.
    pub(crate) fn take_key(&mut self, hands: &mut Hands<'_>, leg: LegId, key: char) {
        let generation = hands.generations.get(&self.generation);
        let Some(wanted) = generation.and_then(|now| now.recording.pause_key.clone()) else {
            return;
        };
        if self.leg(leg).is_none_or(|leg| leg.agent.is_none()) {
            return;
        }
        self.keys.push(key);
        if self.keys.ends_with(&wanted) {
            self.keys.clear();
            let is_paused = self.pauses.contains(&None);
            self.pause_recording(hands, None, !is_paused);
        } else if self.keys.len() > MAX_KEYS {
            self.keys.remove(0);
        }
    }

    /// Living legs other than the caller's that talk or are rung.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().skip(1).filter(|leg| leg.is_live())
    }

    /// A leg whose media is open.
    pub(crate) fn leg_with_media(&self) -> Option<LegId> {
        let mut open = self
            .legs
            .iter()
            .filter(|leg| leg.local.is_some() && leg.is_live());
        open.next().map(|leg| leg.id)
    }

    /// A new leg towards someone, not yet in the call.
    pub(crate) fn outgoing(
        &self,
        id: LegId,
        session: crate::sip::ua::SessionId,
        role: Role,
        party: String,
        flow: crate::sip::Flow,
        local: LocalMedia,
    ) -> Leg {
        Leg {
            progress: Progress::Calling,
            local: Some(local),
            offer_pending: true,
            ..Leg::arriving((id, session), flow, role, party)
        }
    }
}

/// Keys kept to find those that mean something.
const MAX_KEYS: usize = 8;

/// An agent in after-call work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wrapping {
    pub(crate) agent: String,
    /// The task it follows.
    pub(crate) task: TaskId,
}

/// A play under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Playing {
    pub(crate) leg: LegId,
    pub(crate) play: PlayId,
    pub(crate) names: Vec<String>,
    pub(crate) looped: Looped,
    /// Another than the caller's.
    #[serde(default)]
    pub(crate) language: Option<String>,
}

/// Whether a sound is played once or until stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Looped {
    Forever,
    Once,
}

/// Opens ports for a leg and describes our side of it.
/// Legs of one call are on one media worker, as far as it keeps up: `other` is one of them.
/// `terms` are those of the trunk it goes through, or of the phone.
pub(crate) fn open_local(
    hands: &mut Hands<'_>,
    id: LegId,
    other: Option<LegId>,
    terms: Option<&MediaTerms>,
    remote: IpAddr,
) -> Result<LocalMedia, u16> {
    let band = terms.and_then(|terms| terms.ports.as_ref());
    let ports = hands
        .media
        .open_leg_beside(id, hands.ids.origin().shard, other, band, Some(remote))
        .map_err(|error| {
            tracing::warn!(%error, "no media port for a leg");
            503_u16
        })?;
    // RFC 8866 §5.2: the session id is a number; 31 bits keep it readable for every peer.
    let session_id = u64::from(hands.entropy.u32() >> 1);
    Ok(match terms {
        Some(terms) => negotiate::media_on(ports, session_id, terms),
        None => negotiate::local_media(ports, session_id),
    })
}

/// A session description as a message body.
pub(crate) fn sdp_body(description: &Description) -> Body {
    Body::sdp(description.to_bytes())
}
