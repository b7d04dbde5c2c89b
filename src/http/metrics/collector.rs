//! Snapshots and the process, encoded at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::page::{MOST_ROWS, Page};
use super::process::{Process, wall_seconds};
use super::sip::sip;
use super::snapshot::{Snapshot, Source};
use super::trunks::trunks;
use crate::events::{Direction, Stretch};

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
