//! The call record: one per logical call, a pure fold of its events.
//!
//! The fold is total: events in any order, doubled or missing, give a record whose caller timeline
//! is contiguous and adds up to the call exactly. Times are kept in whole milliseconds, so that
//! what is written adds up as well. The written form is described in `docs/call-record.md`.

mod archive;
mod parts;
mod rfc3339;
mod transfers;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Check, Direction, Diverted, Event, Fact, Role, Stretch};
use crate::base::{CallId, Party, Timestamp};

pub use archive::{Archive, ArchiveError, Filter};
pub use transfers::TransferRecord;

pub use parts::{
    AgentPart, AgentTimeline, CallerPart, Digit, LegRecord, OfferRecord, Outage, QueueVisit,
    RecordingRecord, StepRecord,
};

/// Everything worth keeping about one call, finished or still going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Version of the written form: [`CallRecord::SCHEMA`].
    pub schema: u32,
    /// The logical call; empty before the first event.
    pub id: CallId,
    /// Region of the node that held the call.
    pub region: Arc<str>,
    /// Node that held the call.
    pub node: Arc<str>,
    /// Which way it went; `None` while `CallStarted` is missing.
    pub direction: Option<Direction>,
    /// Caller's number; `anonymous` when withheld.
    pub from: String,
    /// Dialled number.
    pub to: String,
    /// The caller's number as it was sent, when `from` is another form of it.
    #[serde(default)]
    pub from_raw: Option<String>,
    /// The dialled number as it was dialled, when `to` is another form of it.
    #[serde(default)]
    pub to_raw: Option<String>,
    /// The caller's name.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Whether the caller kept his number from whom he called; `from` of a call in then says
    /// `anonymous`.
    #[serde(default)]
    pub withheld: bool,
    /// The number the network gave although the caller withheld it: not to be shown to agents.
    #[serde(default)]
    pub asserted: Option<String>,
    /// The number a call out showed.
    #[serde(default)]
    pub shown: Option<String>,
    /// Who sent the call on, the earliest first.
    #[serde(default)]
    pub diversions: Vec<Diverted>,
    /// What was checked before legs were placed, in order.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Trunk it came in by.
    pub trunk: Option<String>,
    /// Configuration generation it ran under.
    pub generation: u64,
    /// When the first event happened.
    #[serde(with = "rfc3339")]
    pub started: Timestamp,
    /// When the caller's leg was answered.
    #[serde(with = "rfc3339::option")]
    pub answered: Option<Timestamp>,
    /// When the call ended; `None` while it goes on.
    #[serde(with = "rfc3339::option")]
    pub ended: Option<Timestamp>,
    /// From `started` to `ended`, or to the instant given to [`CallRecord::as_of`].
    pub duration_ms: Option<u64>,
    /// Who ended the call.
    pub hung_up_by: Option<Party>,
    /// SIP status that tells best why it ended.
    pub sip: Option<u16>,
    /// Q.850 cause value.
    pub q850: Option<u8>,
    /// Why it ended, in words.
    pub cause: Option<String>,
    /// Every SIP leg, in the order they were added.
    pub legs: Vec<LegRecord>,
    /// The caller's time: contiguous, from `started` to `ended`.
    pub caller_timeline: Vec<CallerPart>,
    /// Each agent's own time in this call.
    pub agents: Vec<AgentTimeline>,
    /// Steps of flows the caller came to, in order.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
    /// Keys pressed.
    pub digits: Vec<Digit>,
    /// What flows and API clients said about the call; the last value of each name.
    pub attributes: Map<String, Value>,
    /// Queues the call stood in.
    pub queues: Vec<QueueVisit>,
    /// Offers to agents, each with its reason and outcome.
    pub offers: Vec<OfferRecord>,
    /// Recordings.
    pub recordings: Vec<RecordingRecord>,
    /// Transfers, in the order they were asked for.
    #[serde(default)]
    pub transfers: Vec<TransferRecord>,
    /// The call that this one became part of: it was a consultation.
    #[serde(default)]
    pub continued_in: Option<CallId>,
    /// When the last event was taken in.
    #[serde(with = "rfc3339")]
    pub updated: Timestamp,
    /// Whether something was left out because the call exceeded a limit of the record.
    pub truncated: bool,
}

impl Default for CallRecord {
    fn default() -> Self {
        Self {
            schema: Self::SCHEMA,
            id: CallId::new(""),
            region: "".into(),
            node: "".into(),
            direction: None,
            from: String::new(),
            to: String::new(),
            from_raw: None,
            to_raw: None,
            from_name: None,
            withheld: false,
            asserted: None,
            shown: None,
            diversions: Vec::new(),
            checks: Vec::new(),
            trunk: None,
            generation: 0,
            started: Timestamp::ZERO,
            answered: None,
            ended: None,
            duration_ms: None,
            hung_up_by: None,
            sip: None,
            q850: None,
            cause: None,
            legs: Vec::new(),
            caller_timeline: Vec::new(),
            agents: Vec::new(),
            steps: Vec::new(),
            digits: Vec::new(),
            attributes: Map::new(),
            queues: Vec::new(),
            offers: Vec::new(),
            recordings: Vec::new(),
            transfers: Vec::new(),
            continued_in: None,
            updated: Timestamp::ZERO,
            truncated: false,
        }
    }
}

impl CallRecord {
    /// Version of the written form; raised when a field changes its meaning or goes away.
    pub const SCHEMA: u32 = 1;

    /// The record of all of `events`.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut record = Self::default();
        for event in events {
            record.apply(event);
        }
        record
    }

    /// Takes one more event into account.
    ///
    /// The first event decides which call this is; events of other calls change nothing. An event
    /// older than the newest one seen counts as happening with that one.
    pub fn apply(&mut self, event: &Event) {
        // What becomes of a message later changes nothing of the call that left it.
        if event.fact.is_about_a_message() {
            return;
        }
        if self.is_empty() {
            self.begin(event);
        } else if self.id != event.call {
            return;
        }
        self.updated = self.updated.max(whole_millis(event.at));
        let at = self.updated;
        match &event.fact {
            Fact::CallStarted { .. } => self.started(&event.fact),
            Fact::CallEnded { by, cause } => {
                if self.ended.is_none() {
                    self.end(at);
                    self.hung_up_by = Some(*by);
                    self.sip = Some(cause.sip);
                    self.q850 = Some(cause.q850);
                    self.cause = Some(cause.words.clone());
                }
            }
            Fact::CallerEntered { stretch, with } => self.enter(*stretch, with, at),
            Fact::AgentEntered {
                agent,
                leg,
                stretch,
            } => {
                let fits = parts::agent_entered(&mut self.agents, agent, *leg, *stretch, at);
                self.truncated |= !fits;
            }
            Fact::DigitPressed { leg, digit } => {
                let (leg, digit) = (*leg, *digit);
                let fits = parts::push(&mut self.digits, Digit { at, leg, digit });
                self.truncated |= !fits;
            }
            Fact::StepEntered { flow, step } => {
                let (flow, step) = (flow.clone(), step.clone());
                let fits = parts::push(&mut self.steps, StepRecord { at, flow, step });
                self.truncated |= !fits;
            }
            Fact::AttributesSet { attributes } => self.set_attributes(attributes),
            Fact::CallIdentified { .. }
            | Fact::CallDiverted { .. }
            | Fact::CallerShown { .. }
            | Fact::Checked { .. } => self.identify(&event.fact),
            Fact::LegAdded { .. }
            | Fact::LegRinging { .. }
            | Fact::LegAnswered { .. }
            | Fact::LegTalking { .. }
            | Fact::LegMeasured { .. }
            | Fact::AudioLost { .. }
            | Fact::AudioBack { .. }
            | Fact::LegEnded { .. } => self.leg(&event.fact, at),
            Fact::Queued { .. } | Fact::Unqueued { .. } | Fact::WrapUpCoded { .. } => {
                let fits = parts::queue(&mut self.queues, &event.fact, at);
                self.truncated |= !fits;
            }
            Fact::Offered { .. } | Fact::OfferEnded { .. } => {
                let fits = parts::offer(&mut self.offers, &event.fact, at);
                self.truncated |= !fits;
            }
            Fact::TransferRequested { .. }
            | Fact::TransferDone { .. }
            | Fact::TransferFailed { .. } => {
                let fits = transfers::take(&mut self.transfers, &event.fact, at);
                self.truncated |= !fits;
            }
            // Said to whoever listens; a call of a service has no more to keep of it.
            Fact::AgentLogin { .. } => {}
            // Told apart above.
            Fact::MessageLeft { .. } | Fact::MessageMarked { .. } | Fact::MessageDeleted { .. } => {
            }
            Fact::Continued { into } => {
                self.continued_in.get_or_insert_with(|| into.clone());
            }
            // What they leave behind is in the sidecar, and in the defect when it is published.
            Fact::RecordingFailing { .. } | Fact::RecordingRecovered { .. } => {}
            Fact::RecordingPaused { .. } | Fact::RecordingResumed { .. } => {
                parts::pause(&mut self.recordings, &event.fact);
            }
            Fact::RecordingStarted { .. } | Fact::RecordingPublished { .. } => {
                let fits = parts::recording(&mut self.recordings, &event.fact, at);
                self.truncated |= !fits;
            }
        }
    }

    /// Whether no event was taken in yet.
    pub fn is_empty(&self) -> bool {
        self.caller_timeline.is_empty()
    }

    /// Whether the call is over and nothing more is expected: every leg and offer ended, every
    /// recording published, no agent still in wrap-up.
    pub fn is_settled(&self) -> bool {
        self.ended.is_some()
            && self.legs.iter().all(|leg| leg.ended.is_some())
            && self.offers.iter().all(|offer| offer.ended.is_some())
            && self.recordings.iter().all(|one| one.path.is_some())
            && self.agents.iter().all(|agent| agent.open().is_none())
    }

    /// What the caller is in now: the last stretch, `None` once the call has ended.
    pub fn stretch(&self) -> Option<Stretch> {
        self.caller_timeline
            .last()
            .filter(|part| part.until.is_none())
            .map(|part| part.stretch)
    }

    /// Milliseconds the caller spent in a kind of stretch, as far as they are closed.
    pub fn total_ms(&self, stretch: Stretch) -> u64 {
        self.caller_timeline
            .iter()
            .filter(|part| part.stretch == stretch)
            .filter_map(|part| part.duration_ms)
            .sum()
    }

    /// The same record with the durations of everything still open counted up to `now`.
    ///
    /// `until` and `ended` stay empty: they say what is still going on.
    pub fn as_of(mut self, now: Timestamp) -> Self {
        let now = whole_millis(now).max(self.updated);
        if self.ended.is_none() && !self.is_empty() {
            self.duration_ms = Some(millis_between(self.started, now));
        }
        for part in &mut self.caller_timeline {
            let until = part.until.unwrap_or(now);
            part.duration_ms = Some(millis_between(part.from, until));
        }
        for part in self.agents.iter_mut().flat_map(|one| &mut one.timeline) {
            let until = part.until.unwrap_or(now);
            part.duration_ms = Some(millis_between(part.from, until));
        }
        self
    }

    /// The written form.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a record has text keys only and no failing serialiser")
    }

    fn begin(&mut self, event: &Event) {
        self.id = event.call.clone();
        self.started = whole_millis(event.at);
        self.updated = self.started;
        self.caller_timeline
            .push(CallerPart::open(Stretch::SetUp, "", self.started));
    }

    fn started(&mut self, fact: &Fact) {
        let Fact::CallStarted {
            region,
            node,
            direction,
            from,
            to,
            trunk,
            generation,
        } = fact
        else {
            return;
        };
        if self.direction.is_some() {
            return;
        }
        self.region = region.clone();
        self.node = node.clone();
        self.direction = Some(*direction);
        self.from.clone_from(from);
        self.to.clone_from(to);
        self.trunk.clone_from(trunk);
        self.generation = *generation;
    }

    fn identify(&mut self, fact: &Fact) {
        match fact {
            Fact::CallIdentified {
                from_raw,
                to_raw,
                from_name,
                withheld,
                asserted,
            } => {
                self.from_raw.clone_from(from_raw);
                self.to_raw.clone_from(to_raw);
                self.from_name.clone_from(from_name);
                self.withheld = *withheld;
                self.asserted.clone_from(asserted);
            }
            Fact::CallDiverted { diverted } => {
                let fits = parts::push(&mut self.diversions, diverted.clone());
                self.truncated |= !fits;
            }
            Fact::CallerShown { number, withheld } => {
                self.shown = Some(number.clone());
                self.withheld |= withheld;
            }
            Fact::Checked { check } => {
                let fits = parts::push(&mut self.checks, check.clone());
                self.truncated |= !fits;
            }
            _ => {}
        }
    }

    fn enter(&mut self, stretch: Stretch, with: &str, at: Timestamp) {
        if self.ended.is_some() {
            return;
        }
        let Some(open) = self.caller_timeline.last_mut() else {
            return;
        };
        if open.stretch == stretch && open.with == with {
            return;
        }
        // Set-up is what lies before the first treatment; when nothing does, it does not show.
        if open.stretch == Stretch::SetUp && open.from == at {
            *open = CallerPart::open(stretch, with, at);
            return;
        }
        if self.caller_timeline.len() >= parts::MOST_PARTS {
            self.truncated = true;
            return;
        }
        if let Some(open) = self.caller_timeline.last_mut() {
            open.close(at);
        }
        self.caller_timeline
            .push(CallerPart::open(stretch, with, at));
    }

    fn end(&mut self, at: Timestamp) {
        self.ended = Some(at);
        self.duration_ms = Some(millis_between(self.started, at));
        if let Some(open) = self.caller_timeline.last_mut() {
            open.close(at);
        }
    }

    fn leg(&mut self, fact: &Fact, at: Timestamp) {
        let fits = parts::leg(&mut self.legs, fact, at);
        self.truncated |= !fits;
        if self.answered.is_none() && self.ended.is_none() {
            self.answered = self
                .legs
                .iter()
                .find(|leg| leg.role == Role::Caller)
                .and_then(|leg| leg.answered);
        }
    }

    fn set_attributes(&mut self, attributes: &Map<String, Value>) {
        for (name, value) in attributes {
            if value.is_null() {
                self.attributes.shift_remove(name);
                continue;
            }
            if self.attributes.len() >= parts::MOST_ATTRIBUTES
                && !self.attributes.contains_key(name)
            {
                self.truncated = true;
                continue;
            }
            self.attributes.insert(name.clone(), value.clone());
        }
    }
}

/// An instant in whole milliseconds, within what RFC 3339 can write.
fn whole_millis(at: Timestamp) -> Timestamp {
    const LATEST: i64 = 253_402_207_199_999;
    Timestamp::from_millis(at.as_millis().clamp(-LATEST / 8, LATEST))
}

/// Whole milliseconds from one instant to a later one; 0 when it is not later.
fn millis_between(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.as_millis().saturating_sub(from.as_millis())).unwrap_or(0)
}

#[cfg(test)]
mod tests;
