//! What a record is made of, and how one fact changes each part.
//!
//! Every list is bounded: a call that presses keys all day fills its record, not the memory.

use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::base::{Cause, LegId, Party, RecordingId, ReservationId, TaskId, Timestamp};
use crate::events::{AgentStretch, Deafness, Fact, MediaSummary, Role, Stretch, Way};

/// Most entries of any list of a record: a day of one key press a minute, or of hold and resume.
pub(super) const MOST_PARTS: usize = 2048;

/// Most attribute names of a call.
pub(super) const MOST_ATTRIBUTES: usize = 256;

/// A stretch of the caller's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallerPart {
    /// What the caller was in.
    pub stretch: Stretch,
    /// Flow, queue, agent or number it belonged to.
    pub with: String,
    /// When it began; equal to the end of the part before.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When it ended; `None` while it goes on.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
    /// Its length.
    pub duration_ms: Option<u64>,
}

/// One agent's own time in the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentTimeline {
    /// Agent.
    pub agent: String,
    /// What the agent was in, in order; there are gaps between attempts.
    pub timeline: Vec<AgentPart>,
}

/// A stretch of an agent's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentPart {
    /// What the agent was in.
    pub stretch: AgentStretch,
    /// Leg that rang or held the agent, once there was one.
    pub leg: Option<LegId>,
    /// When it began.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When it ended; `None` while it goes on.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
    /// Its length.
    pub duration_ms: Option<u64>,
}

/// One SIP leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Leg.
    pub leg: LegId,
    /// What the leg was to the call.
    pub role: Role,
    /// Number or address of the party.
    pub party: String,
    /// Agent, when the leg rang one.
    pub agent: Option<String>,
    /// Trunk, when it went through one.
    pub trunk: Option<String>,
    /// SIP Call-ID of its dialog.
    pub sip_call_id: String,
    /// When it was added.
    #[serde(with = "rfc3339")]
    pub added: Timestamp,
    /// When the far end first rang.
    #[serde(with = "rfc3339::option")]
    pub ringing: Option<Timestamp>,
    /// When it was answered.
    #[serde(with = "rfc3339::option")]
    pub answered: Option<Timestamp>,
    /// When it ended.
    #[serde(with = "rfc3339::option")]
    pub ended: Option<Timestamp>,
    /// Codec negotiated last.
    pub codec: Option<String>,
    /// Who ended it.
    pub by: Option<Party>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// What its media counted; what it has counted so far while the leg lives.
    pub media: Option<MediaSummary>,
    /// Whether it is talking now, in a conversation of more than two; `false` once it is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub talking: bool,
    /// Times at which one direction was without sound although both were to have some.
    #[serde(default)]
    pub outages: Vec<Outage>,
}

/// A time without sound in one direction of a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// Which direction.
    pub way: Way,
    /// Why.
    pub cause: Deafness,
    /// Why in words, with the addresses.
    pub why: String,
    /// When the direction was last heard, or expected first.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When it was heard again or the leg ended; `None` while it lasts.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Timestamp>,
}

/// One step of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// When the caller came to it.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Flow, by the name of its file; also of one that is a part of another.
    pub flow: String,
    /// Step.
    pub step: String,
}

/// One key press.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digit {
    /// When it was taken in.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Leg that pressed.
    pub leg: LegId,
    /// `0`-`9`, `*`, `#`, `A`-`D`; `*` too for a key that is secret.
    pub digit: char,
}

/// One stay in a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueVisit {
    /// Queue.
    pub queue: String,
    /// Task made for it.
    pub task: TaskId,
    /// When the call entered.
    #[serde(with = "rfc3339")]
    pub entered: Timestamp,
    /// When the call left.
    #[serde(with = "rfc3339::option")]
    pub left: Option<Timestamp>,
    /// How it left: `answered`, `abandoned`, `timeout`, ...
    pub outcome: Option<String>,
    /// What the agent said the conversation was about.
    #[serde(default)]
    pub wrap_up_code: Option<String>,
}

/// One offer to an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferRecord {
    /// Reservation.
    pub reservation: ReservationId,
    /// Agent.
    pub agent: String,
    /// Queue.
    pub queue: String,
    /// Why this agent, in one sentence.
    pub why: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub offered: Timestamp,
    /// When it ended.
    #[serde(with = "rfc3339::option")]
    pub ended: Option<Timestamp>,
    /// How it ended: `accepted`, `no_answer`, `busy`, ...
    pub outcome: Option<String>,
    /// What the agent's phone said when it refused.
    #[serde(default)]
    pub said: Option<String>,
}

/// One recording; the fields after `started` are known once it is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingRecord {
    /// Recording.
    pub recording: RecordingId,
    /// When its first sample was spoken.
    #[serde(with = "rfc3339")]
    pub started: Timestamp,
    /// Length.
    pub duration_ms: Option<u64>,
    /// Path of the published file; `None` until it is published.
    pub path: Option<String>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// SHA-256 of the file, hex.
    pub sha256: Option<String>,
    /// SHA-256 of the sidecar, hex.
    #[serde(default)]
    pub seal: Option<String>,
    /// Who is on which channel, left first.
    pub channels: Vec<String>,
    /// Why it is incomplete, when it is.
    pub defect: Option<String>,
    /// Whether nothing is kept at the moment, on any channel. Never of one that is published.
    #[serde(default)]
    pub paused: bool,
}

impl CallerPart {
    pub(super) fn open(stretch: Stretch, with: &str, from: Timestamp) -> Self {
        Self {
            stretch,
            with: with.to_owned(),
            from,
            until: None,
            duration_ms: None,
        }
    }

    pub(super) fn close(&mut self, at: Timestamp) {
        if self.until.is_none() {
            self.until = Some(at);
            self.duration_ms = Some(super::millis_between(self.from, at));
        }
    }
}

impl AgentTimeline {
    /// The part that is still going on.
    pub fn open(&self) -> Option<&AgentPart> {
        self.timeline.last().filter(|part| part.until.is_none())
    }
}

/// Appends unless the list is full; says whether it fitted.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    let fits = list.len() < MOST_PARTS;
    if fits {
        list.push(item);
    }
    fits
}

/// Moves an agent to another stretch, or out of the call; says whether it fitted.
pub(super) fn agent_entered(
    agents: &mut Vec<AgentTimeline>,
    agent: &str,
    leg: Option<LegId>,
    stretch: Option<AgentStretch>,
    at: Timestamp,
) -> bool {
    let known = agents.iter().position(|one| one.agent == agent);
    let index = match (known, stretch) {
        (Some(index), _) => index,
        (None, None) => return true,
        (None, Some(_)) => {
            let timeline = Vec::new();
            let agent = agent.to_owned();
            if !push(agents, AgentTimeline { agent, timeline }) {
                return false;
            }
            agents.len() - 1
        }
    };
    let timeline = &mut agents[index].timeline;
    if let Some(open) = timeline.last_mut().filter(|part| part.until.is_none()) {
        if Some(open.stretch) == stretch {
            open.leg = leg.or(open.leg);
            return true;
        }
        open.until = Some(at);
        open.duration_ms = Some(super::millis_between(open.from, at));
    }
    stretch.is_none_or(|stretch| {
        let part = AgentPart {
            stretch,
            leg,
            from: at,
            until: None,
            duration_ms: None,
        };
        push(timeline, part)
    })
}

/// Takes in a fact about a leg; facts about unknown legs change nothing.
pub(super) fn leg(legs: &mut Vec<LegRecord>, fact: &Fact, at: Timestamp) -> bool {
    match fact {
        Fact::LegAdded {
            leg,
            role,
            party,
            agent,
            trunk,
            sip_call_id,
        } => {
            if legs.iter().any(|known| known.leg == *leg) {
                return true;
            }
            let added = LegRecord {
                leg: *leg,
                role: *role,
                party: party.clone(),
                agent: agent.clone(),
                trunk: trunk.clone(),
                sip_call_id: sip_call_id.clone(),
                added: at,
                ringing: None,
                answered: None,
                ended: None,
                codec: None,
                by: None,
                cause: None,
                media: None,
                talking: false,
                outages: Vec::new(),
            };
            return push(legs, added);
        }
        Fact::LegRinging { leg } => {
            if let Some(leg) = open_leg(legs, *leg) {
                leg.ringing.get_or_insert(at);
            }
        }
        Fact::LegAnswered { leg, codec } => {
            if let Some(leg) = open_leg(legs, *leg) {
                leg.answered.get_or_insert(at);
                leg.codec = Some(codec.clone());
            }
        }
        Fact::LegTalking { leg, talking } => {
            if let Some(leg) = open_leg(legs, *leg) {
                leg.talking = *talking;
            }
        }
        Fact::LegEnded {
            leg,
            by,
            cause,
            media,
        } => {
            if let Some(leg) = open_leg(legs, *leg) {
                leg.talking = false;
                leg.ended = Some(at);
                leg.by = Some(*by);
                leg.cause = Some(cause.clone());
                leg.media = Some(readable(*media));
                for outage in &mut leg.outages {
                    outage.until.get_or_insert(at.max(outage.from));
                }
            }
        }
        Fact::LegMeasured { leg, media } => {
            if let Some(leg) = open_leg(legs, *leg) {
                leg.media = Some(readable(*media));
            }
        }
        Fact::AudioLost {
            leg,
            way,
            since,
            cause,
            why,
        } => {
            if let Some(leg) = open_leg(legs, *leg) {
                let outage = Outage {
                    way: *way,
                    cause: *cause,
                    why: why.clone(),
                    from: super::whole_millis(*since).clamp(leg.added, at),
                    until: None,
                };
                return push(&mut leg.outages, outage);
            }
        }
        Fact::AudioBack { leg, way, .. } => {
            if let Some(leg) = open_leg(legs, *leg) {
                let open = leg.outages.iter_mut().rev();
                let mut open = open.filter(|outage| outage.way == *way);
                if let Some(outage) = open.next() {
                    outage.until.get_or_insert(at);
                }
            }
        }
        _ => {}
    }
    true
}

/// JSON knows no infinities; a record must read back.
fn readable(mut media: MediaSummary) -> MediaSummary {
    if !media.jitter_ms.is_finite() {
        media.jitter_ms = 0.0;
    }
    media
}

fn open_leg(legs: &mut [LegRecord], wanted: LegId) -> Option<&mut LegRecord> {
    legs.iter_mut()
        .find(|leg| leg.leg == wanted && leg.ended.is_none())
}

/// Takes in that the call entered or left a queue; says whether it fitted.
pub(super) fn queue(queues: &mut Vec<QueueVisit>, fact: &Fact, at: Timestamp) -> bool {
    match fact {
        Fact::Queued { queue, task } => {
            let visit = QueueVisit {
                queue: queue.clone(),
                task: task.clone(),
                entered: at,
                left: None,
                outcome: None,
                wrap_up_code: None,
            };
            push(queues, visit)
        }
        Fact::WrapUpCoded { task, code, .. } => {
            // Of the stays of one task the last is the one that was answered.
            if let Some(visit) = queues.iter_mut().rev().find(|visit| visit.task == *task) {
                visit.wrap_up_code = Some(code.clone());
            }
            true
        }
        Fact::Unqueued { queue, outcome } => {
            let open = |visit: &&mut QueueVisit| visit.queue == *queue && visit.left.is_none();
            if let Some(visit) = queues.iter_mut().rev().find(open) {
                visit.left = Some(at);
                visit.outcome = Some(outcome.clone());
            }
            true
        }
        _ => true,
    }
}

/// Takes in an offer or its end; says whether it fitted.
pub(super) fn offer(offers: &mut Vec<OfferRecord>, fact: &Fact, at: Timestamp) -> bool {
    match fact {
        Fact::Offered {
            reservation,
            agent,
            queue,
            why,
        } => {
            if offers.iter().any(|one| one.reservation == *reservation) {
                return true;
            }
            let offer = OfferRecord {
                reservation: reservation.clone(),
                agent: agent.clone(),
                queue: queue.clone(),
                why: why.clone(),
                offered: at,
                ended: None,
                outcome: None,
                said: None,
            };
            push(offers, offer)
        }
        Fact::OfferEnded {
            reservation,
            outcome,
            said,
            ..
        } => {
            let open = |one: &&mut OfferRecord| one.reservation == *reservation;
            if let Some(offer) = offers.iter_mut().find(open).filter(|o| o.ended.is_none()) {
                offer.ended = Some(at);
                offer.outcome = Some(outcome.clone());
                offer.said.clone_from(said);
            }
            true
        }
        _ => true,
    }
}

/// Takes in that a recording is paused as a whole, or goes on; of one channel nothing is told.
pub(super) fn pause(list: &mut [RecordingRecord], fact: &Fact) {
    let (id, on) = match fact {
        Fact::RecordingPaused {
            recording,
            channel: None,
        } => (recording, true),
        Fact::RecordingResumed {
            recording,
            channel: None,
        } => (recording, false),
        _ => return,
    };
    for one in list.iter_mut().filter(|one| one.recording == *id) {
        one.paused = on && one.path.is_none();
    }
}

/// Takes in the start or the publication of a recording; says whether it fitted.
pub(super) fn recording(list: &mut Vec<RecordingRecord>, fact: &Fact, at: Timestamp) -> bool {
    let (id, started) = match fact {
        Fact::RecordingStarted { recording } => (recording, at),
        Fact::RecordingPublished { recording } => {
            (&recording.recording, super::whole_millis(recording.started))
        }
        _ => return true,
    };
    let index = match list.iter().position(|one| one.recording == *id) {
        Some(index) => index,
        None => {
            let begun = RecordingRecord {
                recording: id.clone(),
                started,
                duration_ms: None,
                path: None,
                bytes: None,
                sha256: None,
                seal: None,
                channels: Vec::new(),
                defect: None,
                paused: false,
            };
            if !push(list, begun) {
                return false;
            }
            list.len() - 1
        }
    };
    if let Fact::RecordingPublished { recording: facts } = fact {
        list[index] = RecordingRecord {
            recording: facts.recording.clone(),
            started,
            duration_ms: Some(facts.duration_ms),
            path: Some(facts.path.clone()),
            bytes: Some(facts.bytes),
            sha256: Some(facts.sha256.clone()),
            seal: Some(facts.seal.clone()),
            channels: facts.channels.clone(),
            defect: facts.defect.clone(),
            paused: false,
        };
    }
    true
}
