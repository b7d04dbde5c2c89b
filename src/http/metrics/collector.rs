//! Snapshots and the process, encoded at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;

use super::process::{Process, wall_seconds};
use super::snapshot::{Snapshot, Source, TransportSnapshot};
use crate::events::{Direction, Stretch};
use crate::trunk::{AccountState, Figures, TrunkView};

#[derive(Debug)]
pub(super) struct Snapshots {
    source: Arc<dyn Source>,
    started: f64,
}

impl Snapshots {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            started: wall_seconds(),
        }
    }
}

impl Collector for Snapshots {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.source.snapshot();
        let mut page = Page(encoder);
        node(&mut page, &snapshot)?;
        calls(&mut page, &snapshot)?;
        trunks(&mut page, &snapshot)?;
        sip(&mut page, &snapshot)?;
        defence(&mut page, &snapshot)?;
        media(&mut page, &snapshot)?;
        web(&mut page, &snapshot)?;
        mail(&mut page, &snapshot)?;
        disk(&mut page, &snapshot)?;
        process(&mut page, self.started)
    }
}

fn node(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    page.info(
        "tsunagu",
        "Which program this is, and where",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("node", &snapshot.node),
            ("region", &snapshot.region),
        ],
    )?;
    let ready = u64::from(snapshot.ready);
    page.gauge("tsunagu_ready", "Whether new calls are accepted", ready)?;
    page.gauge(
        "tsunagu_config_generation",
        "Configuration generation new calls run under",
        snapshot.generation,
    )?;
    page.gauge(
        "tsunagu_clock_error_seconds",
        "How far the wall clock is ahead of switch time",
        snapshot.clock_error_seconds,
    )
}

fn calls(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut count: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for direction in DIRECTIONS {
        for stretch in STRETCHES {
            count.insert((direction_word(direction), stretch_word(stretch)), 0);
        }
    }
    for (direction, stretch) in &snapshot.calls {
        let key = (direction_word(*direction), stretch_word(*stretch));
        *count.entry(key).or_default() += 1;
    }
    let rows = count
        .into_iter()
        .map(|((direction, state), calls)| ([("direction", direction), ("state", state)], calls));
    page.gauges("tsunagu_calls", "Calls in progress", rows)?;
    page.gauge(
        "tsunagu_registrations",
        "Phones with at least one binding",
        snapshot.registrations,
    )?;
    page.gauge(
        "tsunagu_phones",
        "Phones the configuration knows",
        snapshot.phones,
    )?;
    let queues = || snapshot.queues.iter().take(MOST_ROWS);
    page.gauges(
        "tsunagu_queue_waiting",
        "Calls waiting in each queue",
        queues().map(|one| ([("queue", one.queue.as_str())], one.waiting)),
    )?;
    page.gauges(
        "tsunagu_queue_oldest_wait_seconds",
        "How long the first call in each queue has waited",
        queues().map(|one| {
            (
                [("queue", one.queue.as_str())],
                one.oldest_wait.as_secs_f64(),
            )
        }),
    )?;
    let agents = snapshot.agents.iter().take(MOST_ROWS);
    page.gauges(
        "tsunagu_agents",
        "Agents in each state",
        agents.map(|(state, agents)| ([("state", state.as_str())], *agents)),
    )
}

fn sip(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let sip = &snapshot.sip;
    let mut requests: BTreeMap<&str, u64> = BTreeMap::new();
    for (method, count) in &sip.requests {
        let known = METHODS.iter().find(|known| **known == method.as_str());
        *requests.entry(known.unwrap_or(&"other")).or_default() += count;
    }
    page.counters(
        "tsunagu_sip_requests",
        "SIP requests received",
        requests
            .into_iter()
            .map(|(method, n)| ([("method", method)], n)),
    )?;
    let mut responses: BTreeMap<String, u64> = BTreeMap::new();
    for (status, count) in &sip.responses {
        let label = match status {
            100..=699 => status.to_string(),
            _ => "other".to_owned(),
        };
        *responses.entry(label).or_default() += count;
    }
    page.counters(
        "tsunagu_sip_responses",
        "SIP responses, sent and received",
        responses
            .iter()
            .map(|(status, n)| ([("status", status.as_str())], *n)),
    )?;
    page.counter(
        "tsunagu_sip_malformed",
        "SIP messages that could not be read",
        sip.malformed,
    )?;
    page.counter(
        "tsunagu_sip_retransmissions",
        "SIP messages sent again by us",
        sip.retransmissions,
    )?;
    page.counter(
        "tsunagu_sip_dropped",
        "SIP messages dropped: beyond answering, or belonging to nothing",
        sip.dropped,
    )?;
    page.counter(
        "tsunagu_sip_gate_refusals",
        "Calls refused with 503 because of load",
        sip.refused_by_gate,
    )?;
    page.counter(
        "tsunagu_dns_questions",
        "Questions put to name servers",
        sip.questions,
    )?;
    page.counter(
        "tsunagu_sip_failovers",
        "SIP requests that went on to another address",
        sip.failovers,
    )?;
    page.gauge(
        "tsunagu_sip_targets_resting",
        "Addresses spared because they failed or asked for a pause",
        sip.resting,
    )?;
    page.gauge(
        "tsunagu_sip_transactions",
        "SIP transactions alive",
        sip.transactions,
    )?;
    page.gauge("tsunagu_sip_sessions", "SIP sessions alive", sip.sessions)?;
    transport(page, &sip.transport)
}

fn transport(page: &mut Page<'_>, transport: &TransportSnapshot) -> fmt::Result {
    page.gauge(
        "tsunagu_sip_connections",
        "SIP connections open, TCP and TLS",
        transport.connections,
    )?;
    page.counters(
        "tsunagu_sip_connections_by_fate",
        "SIP connections by what became of them",
        [
            ([("fate", "accepted")], transport.accepted),
            ([("fate", "cut")], transport.cut),
            ([("fate", "handshake_failed")], transport.handshakes_failed),
            ([("fate", "opened")], transport.opened),
            ([("fate", "refused")], transport.refused),
            ([("fate", "unreachable")], transport.unreachable),
        ],
    )?;
    page.counters(
        "tsunagu_sip_datagrams",
        "SIP datagrams by what became of them",
        [
            ([("fate", "received")], transport.datagrams_received),
            ([("fate", "unsent")], transport.datagrams_unsent),
        ],
    )?;
    page.counter(
        "tsunagu_sip_pings_answered",
        "Signs of life given to peers that asked (RFC 5626)",
        transport.pings_answered,
    )
}

fn defence(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let defence = &snapshot.defence;
    page.counters(
        "tsunagu_attacks",
        "Attacks seen, by kind; each message or failure of one counts",
        defence
            .attacks
            .iter()
            .map(|(attack, n)| ([("attack", *attack)], *n)),
    )?;
    page.gauge("tsunagu_bans", "Sources not listened to", defence.bans)?;
    page.counter(
        "tsunagu_turned_away",
        "Messages and connections turned away by their source",
        defence.turned_away,
    )?;
    page.gauge(
        "tsunagu_overloaded_shards",
        "Shards that refuse new work because they cannot keep up",
        defence.overloaded,
    )
}

/// Trunks by name; statuses are bounded in the trunk room.
fn trunks(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let trunks = || snapshot.trunks.iter().take(MOST_ROWS);
    let named = |trunk: &TrunkView| [("trunk", trunk.name.clone())];
    page.gauges(
        "tsunagu_trunk_channels",
        "Calls each trunk carries",
        trunks().map(|trunk| (named(trunk), trunk.channels as u64)),
    )?;
    page.gauges(
        "tsunagu_trunk_well",
        "Whether a trunk is expected to carry a call out",
        trunks().map(|trunk| (named(trunk), u64::from(trunk.well))),
    )?;
    page.gauges(
        "tsunagu_trunk_calls_per_second",
        "New calls a second over the last ten",
        trunks().map(|trunk| (named(trunk), trunk.rate)),
    )?;
    page.counters(
        "tsunagu_trunk_calls",
        "Calls by trunk and way",
        trunks().flat_map(|trunk| {
            let way = |way: &str, calls| {
                let labels = [("trunk", trunk.name.clone()), ("way", way.to_owned())];
                (labels, calls)
            };
            let figures = &trunk.figures;
            [
                way("in", figures.calls_in),
                way("out", figures.calls_out),
                way("turned_away", figures.turned_away),
            ]
        }),
    )?;
    page.counters(
        "tsunagu_trunk_ended",
        "Calls that ended, by trunk and final SIP status",
        trunks().flat_map(|trunk| {
            let by_status = trunk.figures.by_status.iter();
            by_status.map(|(status, calls)| {
                let labels = [
                    ("trunk", trunk.name.clone()),
                    ("status", status.to_string()),
                ];
                (labels, *calls)
            })
        }),
    )?;
    let ratios = |of: fn(&Figures) -> Option<f64>| {
        trunks().filter_map(move |trunk| Some((named(trunk), of(&trunk.figures)?)))
    };
    page.gauges(
        "tsunagu_trunk_asr",
        "Answer-seizure ratio since the start, 0 to 1",
        ratios(Figures::asr),
    )?;
    page.gauges(
        "tsunagu_trunk_ner",
        "Network effectiveness ratio since the start, 0 to 1",
        ratios(Figures::ner),
    )?;
    page.gauges(
        "tsunagu_trunk_mean_length_seconds",
        "Mean length of answered calls since the start",
        ratios(Figures::mean_length),
    )?;
    trunk_states(page, snapshot)
}

fn trunk_states(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let trunks = || snapshot.trunks.iter().take(MOST_ROWS);
    page.gauges(
        "tsunagu_trunk_accounts",
        "Accounts by state of their registration",
        trunks().flat_map(|trunk| {
            let mut count = BTreeMap::new();
            for state in trunk.accounts.values() {
                *count.entry(account_word(state)).or_insert(0_u64) += 1;
            }
            count.into_iter().map(|(state, accounts)| {
                let labels = [("trunk", trunk.name.clone()), ("state", state.to_owned())];
                (labels, accounts)
            })
        }),
    )?;
    let targets = || {
        trunks().flat_map(|trunk| {
            // By their place in the list: addresses are no labels.
            let places = trunk.targets.iter().enumerate();
            places.map(|(place, target)| {
                let place = (place + 1).to_string();
                ([("trunk", trunk.name.clone()), ("target", place)], target)
            })
        })
    };
    page.gauges(
        "tsunagu_trunk_target_up",
        "Whether a target answers OPTIONS",
        targets().filter_map(|(labels, target)| Some((labels, u64::from(target.up?)))),
    )?;
    page.gauges(
        "tsunagu_trunk_options_rtt_seconds",
        "Round trip of the last answered OPTIONS",
        targets().filter_map(|(labels, target)| Some((labels, target.rtt_ms? / 1000.0))),
    )
}

fn account_word(state: &AccountState) -> &'static str {
    match state {
        AccountState::Failed { .. } => "failed",
        AccountState::Registered { .. } => "registered",
        AccountState::Trying => "trying",
        AccountState::Unregistered => "unregistered",
        AccountState::Waiting => "waiting",
    }
}

fn media(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let media = &snapshot.media;
    page.counters(
        "tsunagu_rtp_packets",
        "RTP packets by what became of them",
        [
            ([("fate", "received")], media.packets_received),
            ([("fate", "sent")], media.packets_sent),
            ([("fate", "lost")], media.packets_lost),
            ([("fate", "refused")], media.packets_refused),
        ],
    )?;
    page.counters(
        "tsunagu_srtp_refusals",
        "Secure packets that were not believed, or could not be sent",
        [
            ([("reason", "forged")], media.srtp_forged),
            ([("reason", "malformed")], media.srtp_malformed),
            ([("reason", "replayed")], media.srtp_replayed),
            ([("reason", "unsent")], media.srtp_unsent),
        ],
    )?;
    page.counter(
        "tsunagu_media_late_ticks",
        "Media ticks that began late",
        media.late_ticks,
    )?;
    page.gauge(
        "tsunagu_media_late_workers",
        "Media workers that are late and leave something out",
        media.late_workers,
    )?;
    page.gauge("tsunagu_media_legs", "Media legs open", media.legs)?;
    page.gauge("tsunagu_media_rooms", "Conferences open", media.rooms)?;
    page.gauges(
        "tsunagu_media_ports",
        "RTP ports by state",
        [
            ([("state", "in_use")], media.ports_in_use),
            ([("state", "quarantined")], media.ports_quarantined),
        ],
    )
}

fn web(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let web = &snapshot.web;
    page.counters(
        "tsunagu_web_questions",
        "Questions to web applications and notices, by what came of each",
        web.questions
            .iter()
            .map(|(outcome, n)| ([("outcome", *outcome)], *n)),
    )?;
    page.histogram(
        "tsunagu_web_seconds",
        "How long questions to web applications and notices took",
        web.seconds_sum,
        &web.seconds,
    )?;
    page.gauge(
        "tsunagu_web_running",
        "Questions to web applications under way",
        web.running,
    )?;
    page.gauge(
        "tsunagu_web_connections",
        "Connections to web applications at rest",
        web.resting,
    )?;
    page.gauges(
        "tsunagu_web_breakers",
        "Web applications by the state of their circuit breaker",
        web.breakers
            .iter()
            .map(|(state, n)| ([("state", *state)], *n)),
    )?;
    page.gauge(
        "tsunagu_web_notices_waiting",
        "Notices that wait for their delivery",
        web.notices_waiting,
    )?;
    page.counters(
        "tsunagu_web_notices",
        "Notices by what became of them",
        [
            ([("fate", "dead")], web.notices_dead),
            ([("fate", "delivered")], web.notices_delivered),
            ([("fate", "lost")], web.notices_lost),
        ],
    )
}

fn mail(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mail = &snapshot.mail;
    page.gauge(
        "tsunagu_mail_waiting",
        "Letters that wait for the mail server",
        mail.waiting,
    )?;
    page.gauge(
        "tsunagu_mail_away",
        "Whether the mail server is left alone for a while",
        u64::from(mail.is_away),
    )?;
    page.counters(
        "tsunagu_mail_letters",
        "Tries to hand a letter to the mail server, by what became of each",
        [
            ([("fate", "dead")], mail.dead),
            ([("fate", "deferred")], mail.deferred),
            ([("fate", "sent")], mail.sent),
        ],
    )
}

fn disk(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let recorder = &snapshot.recorder;
    page.gauge(
        "tsunagu_recordings_active",
        "Recordings in progress",
        recorder.active,
    )?;
    page.gauge(
        "tsunagu_recorder_backlog",
        "Blocks of audio that wait for the disk",
        recorder.backlog,
    )?;
    page.counter(
        "tsunagu_recorder_missed_samples",
        "Samples of audio lost because the disk was too slow",
        recorder.missed_samples,
    )?;
    page.gauge(
        "tsunagu_recordings_failing",
        "Recordings that cannot be written at the moment",
        recorder.failing,
    )?;
    page.gauge(
        "tsunagu_recordings_unpublished",
        "Recordings that are over and could not be published yet",
        recorder.unpublished,
    )?;
    page.counter(
        "tsunagu_recorder_failed_writes",
        "Writes of recordings that failed",
        recorder.failed_writes,
    )?;
    page.counter(
        "tsunagu_recordings_deleted",
        "Recordings deleted because their time had come",
        recorder.deleted,
    )?;
    page.counter(
        "tsunagu_recordings_deletion_failures",
        "Recordings that could not be deleted when their time had come",
        recorder.deletions_failed,
    )?;
    page.gauge(
        "tsunagu_records_waiting",
        "Call records that wait for the disk",
        snapshot.records_waiting,
    )?;
    page.counter(
        "tsunagu_journal_facts",
        "Facts appended to the router's journal",
        snapshot.journal_facts,
    )?;
    page.gauge(
        "tsunagu_journal_unsynced",
        "Facts written but not yet synced",
        snapshot.journal_unsynced,
    )?;
    page.counter(
        "tsunagu_events_lost",
        "Events a subscriber was too slow for",
        snapshot.events_lost,
    )?;
    page.counter(
        "tsunagu_log_lines_dropped",
        "Log lines dropped because standard error was too slow",
        snapshot.log_lines_dropped,
    )?;
    let [sent, lost] = snapshot.hep;
    page.counter(
        "tsunagu_hep_sent",
        "SIP messages sent to the HEP collector",
        sent,
    )?;
    page.counter(
        "tsunagu_hep_lost",
        "SIP messages the HEP collector did not get: too many at once, or unreachable",
        lost,
    )
}

fn process(page: &mut Page<'_>, started: f64) -> fmt::Result {
    let process = Process::read();
    page.counter(
        "process_cpu_seconds",
        "User and system CPU time",
        process.cpu_seconds,
    )?;
    page.gauge("process_max_fds", "Most descriptors", process.max_fds)?;
    page.gauge("process_open_fds", "Open descriptors", process.open_fds)?;
    page.gauge(
        "process_resident_memory_bytes",
        "Resident memory",
        process.resident_bytes,
    )?;
    page.gauge(
        "process_start_time_seconds",
        "Start, seconds since the epoch",
        started,
    )?;
    page.gauge("process_threads", "Threads", process.threads)
}

/// Writes one metric at a time.
struct Page<'a>(DescriptorEncoder<'a>);

type Labels<'l, const N: usize> = [(&'static str, &'l str); N];

impl Page<'_> {
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Info)?
            .encode_info(&labels)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Into<Figure>) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        match value.into() {
            Figure::Real(value) => metric.encode_gauge(&value),
            Figure::Whole(value) => metric.encode_gauge(&value),
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Into<Figure>) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        match value.into() {
            Figure::Real(value) => metric.encode_counter::<Labels<'_, 0>, _, f64>(&value, None),
            Figure::Whole(value) => metric.encode_counter::<Labels<'_, 0>, _, u64>(&value, None),
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, n)| n).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<Labels<'_, 0>>(sum, count, buckets, None)
    }

    fn gauges<S: EncodeLabelSet, V: Into<Figure>>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, V)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            let mut row = metric.encode_family(&labels)?;
            match value.into() {
                Figure::Real(value) => row.encode_gauge(&value)?,
                Figure::Whole(value) => row.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    fn counters<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            metric
                .encode_family(&labels)?
                .encode_counter::<Labels<'_, 0>, _, u64>(&value, None)?;
        }
        Ok(())
    }
}

enum Figure {
    Real(f64),
    Whole(u64),
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<u64> for Figure {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Internal => "internal",
        Direction::Outbound => "outbound",
    }
}

fn stretch_word(stretch: Stretch) -> &'static str {
    match stretch {
        Stretch::Hold => "hold",
        Stretch::Ivr => "ivr",
        Stretch::Queue => "queue",
        Stretch::Ring => "ring",
        Stretch::Service => "service",
        Stretch::SetUp => "set_up",
        Stretch::Talk => "talk",
    }
}

/// Most queues or agent states shown; a configuration with more needs another view than this.
const MOST_ROWS: usize = 512;

const DIRECTIONS: [Direction; 3] = [Direction::Inbound, Direction::Internal, Direction::Outbound];

const STRETCHES: [Stretch; 7] = [
    Stretch::Hold,
    Stretch::Ivr,
    Stretch::Queue,
    Stretch::Ring,
    Stretch::Service,
    Stretch::SetUp,
    Stretch::Talk,
];

/// Methods with a row of their own (RFC 3261 and its extensions).
const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];
