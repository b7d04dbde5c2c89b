//! Counters and histograms of calls: a fold of events.

use std::collections::{HashMap, HashSet};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::collector::direction_word;
use crate::base::{CallId, LegId, Timestamp};
use crate::events::{Event, Fact, MediaSummary, Role, Way};

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The fold, with what it must remember of calls in progress.
#[derive(Debug)]
pub(super) struct Calls {
    open: HashMap<CallId, Open>,
    queues: HashSet<String>,
    started: Family<ByDirection, Counter>,
    ended: Family<Ended, Counter>,
    setup: Histograms<ByDirection>,
    ring_delay: Histograms<ByDirection>,
    duration: Histograms<ByDirection>,
    entered: Family<ByQueue, Counter>,
    left: Family<QueueOutcome, Counter>,
    wait: Histograms<ByQueue>,
    offers: Family<QueueOutcome, Counter>,
    loss: Histogram,
    jitter: Histogram,
    opinion: Histograms<ByWay>,
    round_trip: Histogram,
    lost: Family<AudioLost, Counter>,
    lost_for: Histograms<ByWay>,
    recordings: Family<Recording, Counter>,
    transfers: Family<Transferred, Counter>,
    logins: Family<LoggedIn, Counter>,
}

/// What is kept of one call in progress.
#[derive(Debug)]
struct Open {
    direction: &'static str,
    started: Timestamp,
    caller: Option<LegId>,
    rang: bool,
    answered: bool,
    queued: Option<Timestamp>,
    offered: String,
    /// Kind of the transfer under way.
    transfer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWay {
    way: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AudioLost {
    way: &'static str,
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    direction: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByQueue {
    queue: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueOutcome {
    queue: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Recording {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Transferred {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoggedIn {
    outcome: &'static str,
}

impl Calls {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let calls = Self {
            open: HashMap::new(),
            queues: HashSet::new(),
            started: Family::default(),
            ended: Family::default(),
            setup: Family::new_with_constructor(set_up_seconds),
            ring_delay: Family::new_with_constructor(set_up_seconds),
            duration: Family::new_with_constructor(long_seconds),
            entered: Family::default(),
            left: Family::default(),
            wait: Family::new_with_constructor(long_seconds),
            offers: Family::default(),
            loss: Histogram::new([0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]),
            jitter: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1]),
            opinion: Family::new_with_constructor(opinions),
            round_trip: Histogram::new([
                0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0,
            ]),
            lost: Family::default(),
            lost_for: Family::new_with_constructor(long_seconds),
            recordings: Family::default(),
            transfers: Family::default(),
            logins: Family::default(),
        };
        registry.register(
            "tsunagu_calls_started",
            "Calls accepted for processing",
            calls.started.clone(),
        );
        registry.register(
            "tsunagu_calls_ended",
            "Calls that ended, by how",
            calls.ended.clone(),
        );
        registry.register(
            "tsunagu_call_setup_seconds",
            "From the INVITE to the answer of the caller's leg",
            calls.setup.clone(),
        );
        registry.register(
            "tsunagu_call_ring_delay_seconds",
            "From the INVITE to the first ringing or answered leg",
            calls.ring_delay.clone(),
        );
        registry.register(
            "tsunagu_call_duration_seconds",
            "From the INVITE to the end of the call",
            calls.duration.clone(),
        );
        registry.register(
            "tsunagu_queue_entered",
            "Calls that entered a queue",
            calls.entered.clone(),
        );
        registry.register(
            "tsunagu_queue_left",
            "Calls that left a queue, by how",
            calls.left.clone(),
        );
        registry.register(
            "tsunagu_queue_wait_seconds",
            "Time calls spent in a queue",
            calls.wait.clone(),
        );
        registry.register(
            "tsunagu_offers",
            "Offers to agents, by how they ended",
            calls.offers.clone(),
        );
        registry.register(
            "tsunagu_leg_loss_ratio",
            "Packets lost of those expected, for each leg at its end",
            calls.loss.clone(),
        );
        registry.register(
            "tsunagu_leg_jitter_seconds",
            "Interarrival jitter, for each leg at its end",
            calls.jitter.clone(),
        );
        registry.register(
            "tsunagu_leg_mos",
            "Estimated opinion (ITU-T G.107), for each leg every ten seconds",
            calls.opinion.clone(),
        );
        registry.register(
            "tsunagu_leg_round_trip_seconds",
            "Round trip to the party's device, for each leg every ten seconds",
            calls.round_trip.clone(),
        );
        registry.register(
            "tsunagu_audio_lost",
            "Times a direction of an answered leg was without sound for two seconds, by why",
            calls.lost.clone(),
        );
        registry.register(
            "tsunagu_audio_lost_seconds",
            "How long it was until the direction was heard again",
            calls.lost_for.clone(),
        );
        registry.register(
            "tsunagu_recordings",
            "Recordings published",
            calls.recordings.clone(),
        );
        registry.register(
            "tsunagu_transfers",
            "Transfers that were tried, by how they ended",
            calls.transfers.clone(),
        );
        registry.register(
            "tsunagu_agent_logins",
            "Agents who logged in or out by phone, or failed to",
            calls.logins.clone(),
        );
        calls
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match &event.fact {
            Fact::CallStarted { direction, .. } => {
                let direction = direction_word(*direction);
                self.started.get_or_create(&ByDirection { direction }).inc();
                // Only a bus that lost ends of calls leads here.
                if self.open.len() >= MOST_OPEN {
                    self.open.clear();
                }
                let open = Open {
                    direction,
                    started: event.at,
                    caller: None,
                    rang: false,
                    answered: false,
                    queued: None,
                    offered: String::new(),
                    transfer: "",
                };
                self.open.insert(event.call.clone(), open);
            }
            Fact::CallEnded { cause, .. } => {
                let Some(open) = self.open.remove(&event.call) else {
                    return;
                };
                let direction = open.direction;
                let outcome = outcome(open.answered, cause.sip);
                self.ended
                    .get_or_create(&Ended { direction, outcome })
                    .inc();
                observe(
                    &self.duration,
                    &ByDirection { direction },
                    open.started,
                    event.at,
                );
            }
            Fact::LegEnded { media, .. } => self.leg_ended(media),
            Fact::LegMeasured { media, .. } => self.measured(media),
            Fact::AudioLost { way, cause, .. } => {
                let (way, cause) = (way.as_str(), cause.as_str());
                self.lost.get_or_create(&AudioLost { way, cause }).inc();
            }
            Fact::AudioBack { way, after_ms, .. } => {
                let way = way.as_str();
                let seconds = *after_ms as f64 / 1000.0;
                self.lost_for.get_or_create(&ByWay { way }).observe(seconds);
            }
            Fact::RecordingPublished { recording } => {
                let result = if recording.defect.is_some() {
                    "defect"
                } else {
                    "whole"
                };
                self.recordings.get_or_create(&Recording { result }).inc();
            }
            _ => self.in_call(event),
        }
    }

    fn in_call(&mut self, event: &Event) {
        let Some(open) = self.open.get_mut(&event.call) else {
            return;
        };
        let by_direction = ByDirection {
            direction: open.direction,
        };
        match &event.fact {
            Fact::LegAdded {
                leg,
                role: Role::Caller,
                ..
            } => open.caller = Some(*leg),
            Fact::LegRinging { .. } if !open.rang => {
                open.rang = true;
                observe(&self.ring_delay, &by_direction, open.started, event.at);
            }
            Fact::LegAnswered { leg, .. } => {
                if !open.rang {
                    open.rang = true;
                    observe(&self.ring_delay, &by_direction, open.started, event.at);
                }
                if open.caller == Some(*leg) && !open.answered {
                    open.answered = true;
                    observe(&self.setup, &by_direction, open.started, event.at);
                }
            }
            Fact::Queued { queue, .. } => {
                open.queued = Some(event.at);
                let queue = known(&mut self.queues, queue);
                self.entered.get_or_create(&ByQueue { queue }).inc();
            }
            Fact::Unqueued { queue, outcome } => {
                let since = open.queued.take().unwrap_or(event.at);
                let queue = known(&mut self.queues, queue);
                let by_queue = ByQueue {
                    queue: queue.clone(),
                };
                observe(&self.wait, &by_queue, since, event.at);
                let outcome = word(outcome, &LEFT);
                self.left
                    .get_or_create(&QueueOutcome { queue, outcome })
                    .inc();
            }
            Fact::TransferRequested { kind, .. } => open.transfer = kind.as_str(),
            Fact::TransferDone { .. } | Fact::TransferFailed { .. } => {
                let outcome = match &event.fact {
                    Fact::TransferDone { .. } => "done",
                    _ => "failed",
                };
                let kind = open.transfer;
                self.transfers
                    .get_or_create(&Transferred { kind, outcome })
                    .inc();
            }
            Fact::AgentLogin { outcome, .. } => {
                let outcome = word(outcome, &LOGINS);
                self.logins.get_or_create(&LoggedIn { outcome }).inc();
            }
            Fact::Offered { queue, .. } => open.offered = known(&mut self.queues, queue),
            Fact::OfferEnded { outcome, .. } => {
                let (queue, outcome) = (open.offered.clone(), word(outcome, &OFFERS));
                self.offers
                    .get_or_create(&QueueOutcome { queue, outcome })
                    .inc();
            }
            _ => {}
        }
    }

    fn measured(&self, media: &MediaSummary) {
        for (way, figure) in [(Way::Said, media.mos_said), (Way::Heard, media.mos_heard)] {
            if let Some(figure) = figure {
                let way = way.as_str();
                let opinion = self.opinion.get_or_create(&ByWay { way });
                opinion.observe(f64::from(figure.now));
            }
        }
        if let Some(figure) = media.round_trip_ms {
            self.round_trip.observe(f64::from(figure.now) / 1000.0);
        }
    }

    fn leg_ended(&self, media: &MediaSummary) {
        let expected = media.received.saturating_add(media.lost);
        if expected > 0 {
            self.loss.observe(media.lost as f64 / expected as f64);
        }
        if media.received > 0 && media.jitter_ms.is_finite() {
            self.jitter.observe(media.jitter_ms / 1000.0);
        }
    }
}

fn observe<L>(family: &Histograms<L>, labels: &L, from: Timestamp, until: Timestamp)
where
    L: Clone + Eq + std::hash::Hash,
{
    let seconds = until.since(from).as_secs_f64();
    family.get_or_create(labels).observe(seconds);
}

/// A queue's name as a label, while there are few enough of them.
fn known(queues: &mut HashSet<String>, queue: &str) -> String {
    if !queues.contains(queue) {
        if queues.len() >= MOST_QUEUES {
            return "other".to_owned();
        }
        queues.insert(queue.to_owned());
    }
    queue.to_owned()
}

fn word(outcome: &str, known: &[&'static str]) -> &'static str {
    let known = known.iter().find(|known| **known == outcome);
    known.copied().unwrap_or("other")
}

fn outcome(answered: bool, sip: u16) -> &'static str {
    match sip {
        _ if answered => "answered",
        401 | 403 | 407 | 603 => "refused",
        404 | 410 | 484 | 485 | 604 => "no_such_number",
        408 | 480 => "no_answer",
        486 | 600 => "busy",
        487 | 200 => "cancelled",
        503 => "overload",
        500..=599 => "failed",
        _ => "other",
    }
}

fn opinions() -> Histogram {
    Histogram::new([1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4])
}

fn set_up_seconds() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
    ])
}

fn long_seconds() -> Histogram {
    Histogram::new([
        1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
    ])
}

/// More calls than a node can hold.
const MOST_OPEN: usize = 100_000;

/// Most queue names that become labels; a reload may bring new ones again and again.
const MOST_QUEUES: usize = 256;

const LEFT: [&str; 6] = [
    "abandoned",
    "answered",
    "call_ended",
    "nobody_available",
    "overflow",
    "timeout",
];

const OFFERS: [&str; 9] = [
    "accepted",
    "busy",
    "caller_left",
    "declined",
    "failed",
    "no_answer",
    "rejected",
    "revoked",
    "unreachable",
];

const LOGINS: [&str; 5] = ["accepted", "locked", "logged_out", "phone_in_use", "wrong"];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{Cause, Party, RecordingId, ReservationId, TaskId};
    use crate::events::{Deafness, Direction, Figure, RecordingFacts, TransferKind};

    /// A call through a queue, one offer missed and one taken.
    pub(in super::super) fn story(mut tell: impl FnMut(Event)) {
        let mut at = 0;
        let mut fact = |after: i64, fact| {
            at += after;
            tell(Event {
                at: Timestamp::from_millis(at),
                call: CallId::new("c"),
                fact,
            });
        };
        let added = |leg, role| Fact::LegAdded {
            leg: LegId(leg),
            role,
            party: "1001".into(),
            agent: None,
            trunk: None,
            sip_call_id: "x".into(),
        };
        let answered = |leg| Fact::LegAnswered {
            leg: LegId(leg),
            codec: "PCMU".into(),
        };
        fact(
            0,
            Fact::CallStarted {
                region: "jp1".into(),
                node: "tokyo1".into(),
                direction: Direction::Inbound,
                from: "+819012345678".into(),
                to: "+81312345678".into(),
                trunk: None,
                generation: 1,
            },
        );
        fact(0, added(1, Role::Caller));
        fact(3, answered(1));
        fact(
            1000,
            Fact::Queued {
                queue: "sales".into(),
                task: TaskId::new("t"),
            },
        );
        for outcome in ["no_answer", "accepted", "something new"] {
            fact(
                1,
                Fact::Offered {
                    reservation: ReservationId::new(outcome),
                    agent: "hanako".into(),
                    queue: "sales".into(),
                    why: String::new(),
                },
            );
            fact(
                1000,
                Fact::OfferEnded {
                    reservation: ReservationId::new(outcome),
                    agent: "hanako".into(),
                    outcome: outcome.into(),
                    said: None,
                },
            );
        }
        fact(
            0,
            Fact::Unqueued {
                queue: "sales".into(),
                outcome: "answered".into(),
            },
        );
        let leg = LegId(1);
        let requested = Fact::TransferRequested {
            kind: TransferKind::Blind,
            leg,
            by: "1001".into(),
            party: "1002".into(),
            target: "1003".into(),
            consultation: None,
        };
        fact(1, requested);
        let login = Fact::AgentLogin {
            agent: Some("hanako".into()),
            outcome: "wrong".into(),
        };
        fact(1, login);
        fact(1, Fact::TransferDone { leg, to: None });
        for fact_of_sound in sound(leg) {
            fact(0, fact_of_sound);
        }
        fact(
            60_000,
            Fact::CallEnded {
                by: Party::Caller,
                cause: Cause::normal(),
            },
        );
        fact(
            1,
            Fact::LegEnded {
                leg: LegId(1),
                by: Party::Caller,
                cause: Cause::normal(),
                media: MediaSummary {
                    received: 99,
                    lost: 1,
                    jitter_ms: 3.0,
                    ..MediaSummary::default()
                },
            },
        );
        fact(
            1,
            Fact::RecordingPublished {
                recording: RecordingFacts {
                    recording: RecordingId::new("r"),
                    started: Timestamp::ZERO,
                    duration_ms: 1,
                    path: "r.wav".into(),
                    bytes: 1,
                    sha256: String::new(),
                    seal: String::new(),
                    channels: Vec::new(),
                    defect: None,
                },
            },
        );
    }

    /// A leg that is measured, lost and found again.
    fn sound(leg: LegId) -> [Fact; 3] {
        let figure = |now| {
            Some(Figure {
                now,
                ..Figure::default()
            })
        };
        let media = MediaSummary {
            mos_said: figure(4.25),
            round_trip_ms: figure(30.0),
            ..MediaSummary::default()
        };
        let (way, since, after_ms) = (Way::Said, Timestamp::ZERO, 3400);
        let lost = Fact::AudioLost {
            leg,
            way,
            since,
            cause: Deafness::Elsewhere,
            why: String::new(),
        };
        let back = Fact::AudioBack { leg, way, after_ms };
        [Fact::LegMeasured { leg, media }, lost, back]
    }

    #[test]
    fn a_call_is_counted_once_and_forgotten() {
        let mut registry = Registry::default();
        let mut calls = Calls::register(&mut registry);
        story(|event| calls.observe(&event));
        story(|event| calls.observe(&event));
        assert!(calls.open.is_empty());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "tsunagu_calls_ended_total{direction=\"inbound\",outcome=\"answered\"} 2",
            "tsunagu_call_setup_seconds_bucket{le=\"0.002\",direction=\"inbound\"} 0",
            "tsunagu_call_setup_seconds_bucket{le=\"0.005\",direction=\"inbound\"} 2",
            "tsunagu_queue_entered_total{queue=\"sales\"} 2",
            "tsunagu_queue_left_total{queue=\"sales\",outcome=\"answered\"} 2",
            "tsunagu_queue_wait_seconds_count{queue=\"sales\"} 2",
            "tsunagu_offers_total{queue=\"sales\",outcome=\"no_answer\"} 2",
            "tsunagu_offers_total{queue=\"sales\",outcome=\"other\"} 2",
            "tsunagu_leg_loss_ratio_bucket{le=\"0.01\"} 2",
            "tsunagu_agent_logins_total{outcome=\"wrong\"} 2",
            "tsunagu_recordings_total{result=\"whole\"} 2",
            "tsunagu_leg_mos_bucket{le=\"4.2\",way=\"said\"} 0",
            "tsunagu_leg_mos_bucket{le=\"4.3\",way=\"said\"} 2",
            "tsunagu_leg_round_trip_seconds_bucket{le=\"0.05\"} 2",
            "tsunagu_audio_lost_total{way=\"said\",cause=\"elsewhere\"} 2",
            "tsunagu_audio_lost_seconds_count{way=\"said\"} 2",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\nin\n{text}");
        }
    }

    #[test]
    fn queue_names_without_end_become_one_label() {
        let mut queues = HashSet::new();
        for n in 0..MOST_QUEUES {
            known(&mut queues, &n.to_string());
        }
        assert_eq!(known(&mut queues, "7"), "7");
        assert_eq!(known(&mut queues, "one more"), "other");
    }
}
