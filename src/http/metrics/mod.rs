//! Metrics in OpenMetrics text: a fold of events, and snapshots the app hands in at each scrape.
//!
//! Every metric is described in `docs/metrics.md` (a test compares). Labels hold only what the
//! configuration or a table bounds, never a number, a call or an address.

mod calls;
mod collector;
mod page;
mod process;
mod sip;
mod snapshot;
mod trunks;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use calls::Calls;
use collector::Snapshots;
pub use snapshot::{
    DefenceSnapshot, MediaSnapshot, QueueSnapshot, RecorderSnapshot, SipSnapshot, Snapshot, Source,
    TransportSnapshot,
};

use crate::events::{Event, Subscription};

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Mutex<Calls>,
}

impl Metrics {
    /// Metrics over a source of snapshots.
    pub fn new(source: Arc<dyn Source>) -> Self {
        let mut registry = Registry::default();
        let calls = Mutex::new(Calls::register(&mut registry));
        registry.register_collector(Box::new(Snapshots::new(source)));
        Self { registry, calls }
    }

    /// Counts one event.
    pub fn observe(&self, event: &Event) {
        let calls = self.calls.lock();
        calls.unwrap_or_else(PoisonError::into_inner).observe(event);
    }

    /// Counts events on a thread of its own until the bus is gone.
    pub fn listen(self: &Arc<Self>, events: Subscription) -> io::Result<()> {
        let metrics = self.clone();
        thread::Builder::new()
            .name("metrics".into())
            .spawn(move || {
                while let Some(event) = events.recv_at_leisure() {
                    metrics.observe(&event);
                }
            })?;
        Ok(())
    }

    /// The text of one scrape; asks the source, which may take a moment.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string fails only if a metric's own encoder does; ours do not.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The content type of [`Metrics::render`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::events::{Direction, Stretch};

    #[derive(Debug)]
    struct Fixed;

    impl Source for Fixed {
        fn snapshot(&self) -> Snapshot {
            Snapshot {
                region: "jp1".into(),
                node: "tokyo1".into(),
                ready: true,
                calls: vec![(Direction::Inbound, Stretch::Queue); 3],
                registrations: 4,
                queues: vec![QueueSnapshot {
                    queue: "営業 \"a\"".into(),
                    waiting: 3,
                    oldest_wait: std::time::Duration::from_millis(1500),
                }],
                agents: vec![("available".into(), 2), ("talk".into(), 1)],
                sip: SipSnapshot {
                    requests: vec![("INVITE".into(), 5), ("X-EVIL".into(), 1)],
                    responses: vec![(200, 7), (9999, 1)],
                    ..SipSnapshot::default()
                },
                defence: DefenceSnapshot {
                    attacks: vec![("request_flood", 3)],
                    ..DefenceSnapshot::default()
                },
                ..Snapshot::default()
            }
        }
    }

    fn metrics() -> Metrics {
        let metrics = Metrics::new(Arc::new(Fixed));
        calls::tests::story(|event| metrics.observe(&event));
        metrics
    }

    #[test]
    fn a_scrape_shows_events_and_snapshots() {
        let text = metrics().render();
        for line in [
            "tsunagu_calls{direction=\"inbound\",state=\"queue\"} 3",
            "tsunagu_registrations 4",
            "tsunagu_queue_waiting{queue=\"営業 \\\"a\\\"\"} 3",
            "tsunagu_queue_oldest_wait_seconds{queue=\"営業 \\\"a\\\"\"} 1.5",
            "tsunagu_agents{state=\"available\"} 2",
            "tsunagu_sip_requests_total{method=\"INVITE\"} 5",
            "tsunagu_sip_requests_total{method=\"other\"} 1",
            "tsunagu_sip_responses_total{status=\"200\"} 7",
            "tsunagu_sip_responses_total{status=\"other\"} 1",
            "tsunagu_calls_started_total{direction=\"inbound\"} 1",
            "tsunagu_attacks_total{attack=\"request_flood\"} 3",
            "tsunagu_ready 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\nin\n{text}");
        }
        assert!(text.contains("\nprocess_open_fds "), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_is_documented_and_no_other() {
        let text = metrics().render();
        let shown: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        let docs = include_str!("../../../docs/metrics.md");
        let documented: BTreeSet<&str> = docs
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .map(|name| name.trim_end_matches("_total").trim_end_matches("_info"))
            .collect();
        assert_eq!(shown, documented);
    }
}
