//! What every stage of a call shares: its legs, its room, its record; and the few verbs on them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CallKey;
use super::breadth::Breadth;
use super::commission::Commission;
use super::hands::Hands;
use super::identity::Identity;
use super::leg::{Leg, Progress};
use crate::base::{CallId, Cause, LegId, Party, RecordingId, RoomId, TaskId, Timestamp};
use crate::events::{AgentStretch, CallRecord, Direction, Event, Fact, Role, Stretch};
use crate::media::recorder::Channel;
use crate::media::{Command, PlayId};
use crate::sdp::LocalMedia;
use crate::trunk::Way;

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
    /// Of these the ones that were told to stop.
    #[serde(default)]
    pub(crate) stopping: Vec<RecordingId>,
    /// Recordings of one leg each, by that leg: media keeps one of a leg, and the next ends it.
    #[serde(default)]
    pub(crate) leg_tapes: Vec<(LegId, RecordingId)>,
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
    /// Recordings that applications ordered and that are not there yet.
    #[serde(default)]
    pub(crate) commissions: Vec<Commission>,
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
            stopping: Vec::new(),
            leg_tapes: Vec::new(),
            pauses: Vec::new(),
            asks_secret: false,
            pauses_for_secret: false,
            is_concealed: false,
            keys: String::new(),
            shows: None,
            attributes: Map::new(),
            plays: 0,
            playing: None,
            commissions: Vec::new(),
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

    /// Places legs that show another number than the caller's.
    pub(crate) fn showing<T>(
        &mut self,
        number: Option<String>,
        place: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.shows = number;
        let placed = place(self);
        self.shows = None;
        placed
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
