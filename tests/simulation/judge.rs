//! What must be true of any story: in the end nothing is left over, and the record is right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::Digest as _;
use tsunagu::events::{AgentStretch, CallRecord, Fact, Stretch};
use tsunagu::router::WorkerState;

use crate::world::World;

/// Longest time after which everything must be over: a lost BYE takes 32 s, an INVITE nobody
/// answers and nobody cancels 64 T1 more, a record without its media's word another 30 s.
const LONGEST_END_MS: u64 = 200_000;

impl World {
    /// Runs until everything is over and judges it.
    pub(crate) fn finish(&mut self) {
        let until = self.now + std::time::Duration::from_millis(LONGEST_END_MS);
        while !self.is_over() && self.step(until) {}
        self.nothing_is_left();
        self.records_are_right();
    }

    fn is_over(&self) -> bool {
        let view = self.switch.pump.view();
        self.switch.exchange.inventory() == [0; 5]
            && self.peers.iter().all(|peer| peer.ua.session_count() == 0)
            && self.switch.engine.open_ports() == 0
            && view.tasks.is_empty()
    }

    fn nothing_is_left(&self) {
        let story = || self.tell();
        assert_eq!(
            self.switch.exchange.inventory(),
            [0; 5],
            "calls, sessions, transactions, legs, conferences\n{}",
            story()
        );
        assert_eq!(self.switch.gate.calls(), 0, "{}", story());
        assert_eq!(self.switch.engine.open_ports(), 0, "{}", story());
        let stats = self.switch.engine.stats();
        let left = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        let media = [
            left(&stats.legs),
            left(&stats.rooms),
            left(&stats.recordings),
        ];
        assert_eq!(media, [0; 3], "legs, rooms, recordings\n{}", story());
        let view = self.switch.pump.view();
        assert!(view.tasks.is_empty(), "{:?}\n{}", view.tasks, story());
        for worker in &view.workers {
            let is_free = matches!(worker.state, WorkerState::Away | WorkerState::Free);
            assert!(is_free && worker.task.is_none(), "{worker:?}\n{}", story());
        }
        for peer in self.peers.iter().filter(|peer| !peer.is_gone) {
            let open: Vec<_> = peer.talks.iter().filter(|talk| !talk.is_over).collect();
            assert!(open.is_empty(), "{} still talks\n{}", peer.name, story());
        }
    }

    fn records_are_right(&self) {
        let mut calls: HashMap<&str, Vec<_>> = HashMap::new();
        for event in &self.events {
            calls
                .entry(event.call.as_str())
                .or_default()
                .push(event.as_ref());
        }
        for (call, events) in &calls {
            let mut records = self
                .records
                .iter()
                .filter(|record| record.id.as_str() == *call);
            let record = records
                .next()
                .unwrap_or_else(|| panic!("no record\n{}", self.tell()));
            assert!(records.next().is_none(), "published twice\n{}", self.tell());
            let folded = CallRecord::fold(events.iter().copied());
            assert_eq!(*record, folded, "{}", self.tell());
        }
        assert_eq!(self.records.len(), calls.len(), "{}", self.tell());
        for record in &self.records {
            if let Err(wrong) = is_right(record, self.restarts > 0) {
                let text = serde_json::to_string_pretty(&record.to_json()).expect("JSON");
                panic!("{wrong}\n{text}\n{}", self.tell());
            }
        }
    }

    /// The only record there is.
    pub(crate) fn record(&self) -> &CallRecord {
        assert_eq!(self.records.len(), 1, "{}", self.tell());
        &self.records[0]
    }

    /// Facts of one kind, in order.
    pub(crate) fn facts<T>(&self, pick: impl Fn(&Fact) -> Option<T>) -> Vec<T> {
        self.events
            .iter()
            .filter_map(|event| pick(&event.fact))
            .collect()
    }
}

/// What is wrong with a record that should be complete. Recordings of a process that died may end
/// early and say so.
pub(crate) fn is_right(record: &CallRecord, was_restarted: bool) -> Result<(), String> {
    let ended = record.ended.ok_or("not ended")?;
    if !record.is_settled() {
        return Err("something is still open".to_owned());
    }
    if record.hung_up_by.is_none() || record.sip.is_none() || record.q850.is_none() {
        return Err("nobody knows why it ended".to_owned());
    }
    let mut at = record.started;
    let mut total = 0;
    for part in &record.caller_timeline {
        if part.from != at {
            return Err(format!("a gap in the caller's timeline at {at}"));
        }
        at = part.until.ok_or("an open part in the caller's timeline")?;
        total += part.duration_ms.ok_or("a part without length")?;
    }
    if at != ended || Some(total) != record.duration_ms {
        return Err("the caller's timeline does not add up".to_owned());
    }
    for agent in &record.agents {
        let mut last = record.started;
        for part in &agent.timeline {
            let until = part.until.ok_or("an open part in an agent's timeline")?;
            let is_late = until > ended && part.stretch != AgentStretch::Wrap;
            if part.from < last || is_late {
                return Err(format!("{} works outside of the call", agent.agent));
            }
            last = until;
        }
    }
    for leg in &record.legs {
        let over = leg.ended.ok_or("a leg that never ended")?;
        let begun = leg.answered.or(leg.ringing).unwrap_or(leg.added);
        if leg.added < record.started || begun < leg.added || over < begun || over > ended {
            return Err(format!("leg {} is out of time", leg.leg));
        }
    }
    for offer in &record.offers {
        if offer.outcome.is_none() {
            return Err(format!("offer {} has no outcome", offer.reservation));
        }
    }
    for visit in &record.queues {
        if visit.left.is_none() || visit.outcome.is_none() {
            return Err(format!("never left the queue {}", visit.queue));
        }
    }
    for recording in &record.recordings {
        let path = recording
            .path
            .as_ref()
            .ok_or("a recording without a file")?;
        // What a mailbox no longer needs is gone.
        let is_a_message = path.contains("/voicemail/");
        if is_a_message && !std::path::Path::new(path).exists() {
            continue;
        }
        let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let sum = hex(&sha2::Sha256::digest(&bytes));
        if Some(bytes.len() as u64) != recording.bytes || Some(sum) != recording.sha256 {
            return Err(format!("{path} is not what was recorded"));
        }
        if recording.defect.is_some() && !was_restarted {
            return Err(format!("{path}: {:?}", recording.defect));
        }
    }
    Ok(())
}

/// The stretches of the caller's time.
pub(crate) fn stretches(record: &CallRecord) -> Vec<Stretch> {
    record
        .caller_timeline
        .iter()
        .map(|part| part.stretch)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
