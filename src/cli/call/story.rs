//! A record as rows in the order of time: what to say, and what each lane shows.

use owo_colors::Style;

use super::super::text::{faint, paint, strong};
use crate::base::{Cause, Party, Timestamp};
use crate::events::record::{AgentPart, CallRecord, CallerPart, Digit, OfferRecord};
use crate::events::{AgentStretch, Role, Stretch, TransferKind};

/// What happened, ready to be drawn.
#[derive(Debug)]
pub(super) struct Story {
    /// The caller, then each agent.
    pub(super) lanes: Vec<String>,
    /// In the order of time.
    pub(super) rows: Vec<Row>,
    /// In the order of time.
    pub(super) changes: Vec<Change>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Row {
    /// Milliseconds from the start of the call.
    pub(super) at: u64,
    rank: u8,
    /// What happened.
    pub(super) text: String,
    /// How long it lasted, when it is a stretch.
    pub(super) lasts: Option<Lasts>,
}

/// How long a stretch lasted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasts {
    pub(super) ms: u64,
    /// Whether it still goes on.
    pub(super) open: bool,
}

/// A lane looks different from here on; `None` ends it.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) lane: usize,
    pub(super) look: Option<Look>,
}

/// How a lane looks while a stretch lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) begin: &'static str,
    pub(super) goes_on: &'static str,
    pub(super) style: Style,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Agent(AgentStretch),
    Caller(Stretch),
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

/// Tells a record.
pub(super) fn tell(record: &CallRecord) -> Story {
    let mut teller = Teller {
        record,
        rows: Vec::new(),
        changes: Vec::new(),
    };
    teller.caller();
    teller.legs();
    teller.digits();
    teller.queues_and_offers();
    teller.agents();
    teller.transfers();
    teller.recordings();
    teller.end();
    let Teller {
        mut rows,
        mut changes,
        ..
    } = teller;
    rows.sort_by_key(|row| (row.at, row.rank));
    changes.sort_by_key(|change| change.at);
    let agents = record.agents.iter().map(|agent| agent.agent.clone());
    Story {
        lanes: std::iter::once("caller".to_owned()).chain(agents).collect(),
        rows,
        changes,
    }
}

/// What has happened so far, line by line: milliseconds from the start, and words. A line stays as it is
/// while the call goes on.
pub(in super::super) fn happened(record: &CallRecord) -> Vec<(u64, String)> {
    let rows = tell(record).rows.into_iter();
    let lasting = rows.filter(|row| row.rank != NOW);
    lasting.map(|row| (row.at, row.text)).collect()
}

struct Teller<'a> {
    record: &'a CallRecord,
    rows: Vec<Row>,
    changes: Vec<Change>,
}

impl Teller<'_> {
    fn say(&mut self, at: Timestamp, rank: u8, text: impl Into<String>) {
        let at = self.since_start(at);
        self.rows.push(Row {
            at,
            rank,
            text: text.into(),
            lasts: None,
        });
    }

    fn stretch(&mut self, at: Timestamp, rank: u8, text: String, lasts: Option<Lasts>) {
        let at = self.since_start(at);
        self.rows.push(Row {
            at,
            rank,
            text,
            lasts,
        });
    }

    fn change(&mut self, at: Timestamp, lane: usize, look: Option<Look>) {
        let at = self.since_start(at);
        self.changes.push(Change { at, lane, look });
    }

    fn since_start(&self, at: Timestamp) -> u64 {
        u64::try_from(at.since(self.record.started).as_millis()).unwrap_or(u64::MAX)
    }

    fn caller(&mut self) {
        let record = self.record;
        let arrives = format!("{} calls {}", record.from, record.to);
        self.say(record.started, 0, arrives);
        for part in &record.caller_timeline {
            self.change(part.from, 0, Some(caller_look(part.stretch)));
            let lasts = lasts(part.duration_ms, part.until);
            self.stretch(part.from, 1, caller_words(part), lasts);
        }
    }

    fn legs(&mut self) {
        for leg in &self.record.legs {
            let who = match leg.role {
                Role::Caller => "caller".to_owned(),
                _ => leg.agent.clone().unwrap_or_else(|| leg.party.clone()),
            };
            if let Some(at) = leg.answered.filter(|_| leg.role == Role::Caller) {
                self.say(at, 2, faint("answered"));
            }
            if let (Role::Callee, Some(at)) = (leg.role, leg.ringing) {
                self.say(at, 2, format!("{who} {}", faint("rings")));
            }
            // 487 is the answer to our own CANCEL: why we sent it stands in another row.
            let failed = |sip| sip >= 300 && sip != 487;
            let failed = leg.cause.as_ref().filter(|cause| failed(cause.sip));
            if let (Some(at), Some(cause), true) = (leg.ended, failed, leg.role != Role::Caller) {
                let cause = paint(cause, Style::new().yellow());
                self.say(at, 3, format!("{who}: {cause}"));
            }
        }
    }

    /// Keys pressed in one go are told in one line.
    fn digits(&mut self) {
        let mut groups: Vec<Vec<&Digit>> = Vec::new();
        for digit in &self.record.digits {
            match groups.last_mut() {
                Some(group) if close(group, digit) => group.push(digit),
                _ => groups.push(vec![digit]),
            }
        }
        for group in groups {
            let keys = group.iter().map(|digit| digit.digit.to_string());
            let keys = keys.collect::<Vec<_>>().join(" ");
            let text = format!("{} {}", faint("pressed"), paint(keys, key_style()));
            self.say(group[0].at, 2, text);
        }
    }

    fn queues_and_offers(&mut self) {
        for visit in &self.record.queues {
            let outcome = visit.outcome.as_deref().filter(|one| *one != "answered");
            if let (Some(at), Some(outcome)) = (visit.left, outcome) {
                let outcome = paint(outcome.replace('_', " "), Style::new().yellow());
                self.say(at, 4, format!("left queue {}: {outcome}", visit.queue));
            }
        }
        for offer in &self.record.offers {
            let who = strong(&offer.agent);
            let why = faint(reason(offer));
            self.say(offer.offered, 5, format!("offered to {who}: {why}"));
            let outcome = offer.outcome.as_deref().filter(|one| *one != "accepted");
            if let (Some(at), Some(outcome)) = (offer.ended, outcome) {
                let outcome = paint(outcome.replace('_', " "), Style::new().yellow());
                let said = offer.said.iter().map(|said| format!(": {said}"));
                let said: String = said.collect();
                self.say(at, 4, format!("{who}: {outcome}{said}"));
            }
        }
    }

    fn agents(&mut self) {
        for (index, agent) in self.record.agents.iter().enumerate() {
            let lane = index + 1;
            let mut parts = agent.timeline.iter().peekable();
            while let Some(part) = parts.next() {
                self.change(part.from, lane, Some(agent_look(part.stretch)));
                if !self.is_told(&agent.agent, part) {
                    let words = agent_words(part.stretch);
                    let text = format!("{} {words}", strong(&agent.agent));
                    let lasts = lasts(part.duration_ms, part.until);
                    self.stretch(part.from, 7, text, lasts);
                }
                let Some(until) = part.until else {
                    continue;
                };
                if parts.peek().is_none_or(|next| next.from > until) {
                    self.change(until, lane, None);
                    if part.stretch == AgentStretch::Wrap {
                        let text = format!("{} {}", strong(&agent.agent), faint("is done"));
                        self.say(until, 7, text);
                    }
                }
            }
        }
    }

    /// Whether another row says the same: the offer, or the caller's talk or hold with this agent.
    fn is_told(&self, agent: &str, part: &AgentPart) -> bool {
        let near = |at: Timestamp| at.since(part.from).max(part.from.since(at)).as_millis() <= 100;
        match part.stretch {
            AgentStretch::Offer => {
                let mut offers = self.record.offers.iter();
                offers.any(|offer| offer.agent == agent && near(offer.offered))
            }
            AgentStretch::Hold | AgentStretch::Talk => {
                let stretch = match part.stretch {
                    AgentStretch::Hold => Stretch::Hold,
                    _ => Stretch::Talk,
                };
                let mut parts = self.record.caller_timeline.iter();
                parts.any(|one| one.stretch == stretch && one.with == agent && near(one.from))
            }
            _ => false,
        }
    }

    fn transfers(&mut self) {
        for transfer in &self.record.transfers {
            let (by, party) = (strong(&transfer.by), &transfer.party);
            let to = strong(&transfer.target);
            let verb = match transfer.kind {
                TransferKind::Replaced => format!("{by} takes the place of {party}"),
                TransferKind::Passed => format!("{by} has the carrier send {party} to {to}"),
                _ => format!("{by} transfers {party} to {to}"),
            };
            let kind = faint(format!("({})", transfer.kind.as_str()));
            self.say(transfer.requested, 6, format!("{verb} {kind}"));
            let failed = transfer.status.filter(|status| *status != 200);
            if let (Some(at), Some(status)) = (transfer.ended, failed) {
                let cause = Cause::from_status(status).to_string();
                let cause = paint(cause, Style::new().yellow());
                self.say(at, 3, format!("transfer to {to} failed: {cause}"));
            }
        }
        if let (Some(call), Some(at)) = (&self.record.continued_in, self.record.ended) {
            self.say(at, 5, format!("goes on as {}", strong(call)));
        }
    }

    fn recordings(&mut self) {
        for recording in &self.record.recordings {
            let dot = paint("●", Style::new().red());
            self.say(
                recording.started,
                6,
                format!("{dot} {}", faint("recording")),
            );
        }
    }

    fn end(&mut self) {
        let record = self.record;
        let Some(at) = record.ended else {
            let now = record.started
                + std::time::Duration::from_millis(record.duration_ms.unwrap_or_default());
            self.say(now, NOW, paint("still going on", Style::new().cyan()));
            return;
        };
        let who = match record.hung_up_by {
            Some(Party::Agent) => "the agent hung up",
            Some(Party::Callee) => "the callee hung up",
            Some(Party::Caller) => "the caller hung up",
            Some(Party::Switch) | None => "the switch ended the call",
        };
        let (words, sip, q850) = (
            record.cause.as_deref().unwrap_or_default(),
            record.sip.unwrap_or_default(),
            record.q850.unwrap_or_default(),
        );
        let cause = faint(format!("{words} (SIP {sip}, Q.850 {q850})"));
        self.change(at, 0, None);
        self.say(at, 6, format!("{}: {cause}", strong(who)));
    }
}

/// Rank of the row that says how far the call is; the last of its instant.
const NOW: u8 = 9;

/// Why this agent, without the name that stands before it.
pub(in super::super) fn reason(offer: &OfferRecord) -> &str {
    let rest = offer.why.strip_prefix(offer.agent.as_str());
    rest.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(&offer.why)
}

fn close(group: &[&Digit], next: &Digit) -> bool {
    group
        .last()
        .is_some_and(|last| last.leg == next.leg && next.at.since(last.at).as_millis() <= 3_000)
}

fn lasts(duration_ms: Option<u64>, until: Option<Timestamp>) -> Option<Lasts> {
    let open = until.is_none();
    duration_ms.map(|ms| Lasts { ms, open })
}

fn caller_words(part: &CallerPart) -> String {
    let verb = paint(noun(part.stretch), style(part.stretch));
    if part.with.is_empty() {
        return verb;
    }
    format!("{verb} {}", part.with)
}

fn agent_words(stretch: AgentStretch) -> String {
    let words = match stretch {
        AgentStretch::Hold => "is on hold",
        AgentStretch::Offer => "is chosen",
        AgentStretch::Ring => "rings",
        AgentStretch::Talk => "talks",
        AgentStretch::Wrap => "wraps up",
    };
    paint(words, agent_look(stretch).style)
}

/// What a stretch of the caller's is called.
pub(super) fn noun(stretch: Stretch) -> &'static str {
    match stretch {
        Stretch::Hold => "hold",
        Stretch::Ivr => "flow",
        Stretch::Queue => "queue",
        Stretch::Ring => "ring",
        Stretch::Service => "service",
        Stretch::SetUp => "set-up",
        Stretch::Talk => "talk",
    }
}

/// Colour of a stretch of the caller's.
pub(super) fn style(stretch: Stretch) -> Style {
    match stretch {
        Stretch::Hold => Style::new().magenta(),
        Stretch::Ivr => Style::new().blue(),
        Stretch::Queue => Style::new().yellow(),
        Stretch::Ring => Style::new().cyan(),
        Stretch::Service => Style::new().cyan(),
        Stretch::SetUp => Style::new().dimmed(),
        Stretch::Talk => Style::new().green(),
    }
}

/// Filling of a stretch in the bar; told apart without colours too.
pub(super) fn fill(stretch: Stretch) -> &'static str {
    match stretch {
        Stretch::Hold => "╱",
        Stretch::Ivr => "▒",
        Stretch::Queue => "░",
        Stretch::Ring => "╌",
        Stretch::Service => "▓",
        Stretch::SetUp => "·",
        Stretch::Talk => "█",
    }
}

fn caller_look(stretch: Stretch) -> Look {
    let (begin, goes_on) = match stretch {
        Stretch::Talk => ("┏", "┃"),
        Stretch::Hold | Stretch::Queue | Stretch::Ring => ("┍", "┆"),
        Stretch::Ivr | Stretch::Service | Stretch::SetUp => ("┍", "│"),
    };
    Look {
        begin,
        goes_on,
        style: style(stretch),
        what: What::Caller(stretch),
    }
}

fn agent_look(stretch: AgentStretch) -> Look {
    let (begin, goes_on, style) = match stretch {
        AgentStretch::Hold => ("┍", "┆", Style::new().magenta()),
        AgentStretch::Offer => ("┍", "┆", Style::new().dimmed()),
        AgentStretch::Ring => ("┍", "┆", Style::new().cyan()),
        AgentStretch::Talk => ("┏", "┃", Style::new().green()),
        AgentStretch::Wrap => ("┍", "┆", Style::new().dimmed()),
    };
    Look {
        begin,
        goes_on,
        style,
        what: What::Agent(stretch),
    }
}

fn key_style() -> Style {
    Style::new().blue().bold()
}
