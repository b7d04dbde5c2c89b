//! What a switch that was killed left behind: calls without an end, recordings without a record.
//!
//! Calls that stood in a queue or talked with an agent were stored when they did; the next start
//! ends them, and joins them with the recordings that the recorder repaired.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::base::{Cause, LegId, Party, Timestamp};
use crate::events::{CallRecord, Event, Fact, MediaSummary, RecordingFacts};
use crate::store::Records;

/// How long repaired recordings may take to report; they are repaired before calls are taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins to settle what was left; give repaired recordings to what is returned.
///
/// `alive` is when the switch was last seen alive: who waited or talked then did so until then.
pub(super) fn settle(
    records: &Records,
    alive: Option<Timestamp>,
) -> anyhow::Result<Sender<Box<RecordingFacts>>> {
    let left = records.unfinished()?;
    let (sender, receiver) = channel();
    if !left.is_empty() {
        tracing::warn!(
            calls = left.len(),
            "the switch was stopped without warning; ending its calls"
        );
        let records = records.clone();
        std::thread::Builder::new()
            .name("aftermath".to_owned())
            .spawn(move || wait(&records, left, &receiver, alive.unwrap_or(Timestamp::ZERO)))?;
    }
    Ok(sender)
}

fn wait(
    records: &Records,
    left: Vec<CallRecord>,
    recordings: &Receiver<Box<RecordingFacts>>,
    alive: Timestamp,
) {
    let until = Instant::now() + PATIENCE;
    let mut left: HashMap<String, CallRecord> = left
        .into_iter()
        .map(|record| (record.id.to_string(), record))
        .collect();
    loop {
        let (waiting, done): (HashMap<_, _>, HashMap<_, _>) = left
            .into_iter()
            .partition(|(_, record)| awaits_recording(record));
        for record in done.into_values() {
            publish(records, record, alive);
        }
        left = waiting;
        if left.is_empty() {
            return;
        }
        match recordings.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(facts) => {
                let owner = left.values_mut().find(|record| names(record, &facts));
                if let Some(record) = owner {
                    let end = facts.started + Duration::from_millis(facts.duration_ms);
                    let fact = Fact::RecordingPublished { recording: *facts };
                    apply(record, end, fact);
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                for record in left.into_values() {
                    publish(records, record, alive);
                }
                return;
            }
        }
    }
}

fn awaits_recording(record: &CallRecord) -> bool {
    record
        .recordings
        .iter()
        .any(|recording| recording.path.is_none())
}

fn names(record: &CallRecord, facts: &RecordingFacts) -> bool {
    record
        .recordings
        .iter()
        .any(|recording| recording.recording == facts.recording)
}

fn apply(record: &mut CallRecord, at: Timestamp, fact: Fact) {
    let call = record.id.clone();
    record.apply(&Event { at, call, fact });
}

/// The call ended when something was last known of it, or of the switch.
fn publish(records: &Records, mut record: CallRecord, alive: Timestamp) {
    let cause =
        Cause::from_status(500).with_words("lost-by-crash: the switch was stopped without warning");
    let (at, by) = (record.updated.max(alive), Party::Switch);
    for fact in open_ends(&record) {
        apply(&mut record, at, fact);
    }
    let agents: Vec<String> = record.agents.iter().map(|one| one.agent.clone()).collect();
    for agent in agents {
        let (leg, stretch) = (None, None);
        apply(
            &mut record,
            at,
            Fact::AgentEntered {
                agent,
                leg,
                stretch,
            },
        );
    }
    let legs: Vec<LegId> = record
        .legs
        .iter()
        .filter(|leg| leg.ended.is_none())
        .map(|leg| leg.leg)
        .collect();
    for leg in legs {
        let (cause, media) = (cause.clone(), MediaSummary::default());
        apply(
            &mut record,
            at,
            Fact::LegEnded {
                leg,
                by,
                cause,
                media,
            },
        );
    }
    apply(&mut record, at, Fact::CallEnded { by, cause });
    if let Err(full) = records.publish(record) {
        tracing::error!(%full, call = %full.0.id, "call record not stored");
    }
}

/// Ends what a call was in: its offers, which nobody missed, and its stay in the line.
fn open_ends(record: &CallRecord) -> Vec<Fact> {
    let offers = record.offers.iter().filter(|offer| offer.ended.is_none());
    let offers = offers.map(|offer| Fact::OfferEnded {
        reservation: offer.reservation.clone(),
        agent: offer.agent.clone(),
        outcome: "switch-restart".to_owned(),
        said: None,
    });
    let stays = record.queues.iter().filter(|stay| stay.left.is_none());
    let stays = stays.map(|stay| Fact::Unqueued {
        queue: stay.queue.clone(),
        outcome: "lost-by-crash".to_owned(),
    });
    offers.chain(stays).collect()
}

/// Hands a repaired recording on; nobody listens any more when all was settled.
pub(super) fn report(orphans: &Sender<Box<RecordingFacts>>, facts: Box<RecordingFacts>) {
    let recording = facts.recording.clone();
    if orphans.send(facts).is_err() {
        // Repaired after a crash, or published at last; the call's record has been written.
        tracing::info!(%recording, "recording.without_call");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, ReservationId, TaskId};
    use crate::events::record::Archive as _;
    use crate::events::{Direction, Stretch};
    use crate::store::DataDir;

    /// A call that came at 0 ms, stood in line at 100 ms and was offered to an agent at 200 ms.
    fn left() -> CallRecord {
        let facts = [
            Fact::CallStarted {
                region: "jp1".into(),
                node: "tokyo1".into(),
                direction: Direction::Inbound,
                from: "+819012345678".to_owned(),
                to: "+81312345678".to_owned(),
                trunk: None,
                generation: 1,
            },
            Fact::CallerEntered {
                stretch: Stretch::Queue,
                with: "sales".to_owned(),
            },
            Fact::Queued {
                queue: "sales".to_owned(),
                task: TaskId::new("a"),
            },
            Fact::Offered {
                reservation: ReservationId::new("a.1"),
                agent: "花子".to_owned(),
                queue: "sales".to_owned(),
                why: "idle for longest".to_owned(),
            },
        ];
        let mut record = CallRecord::default();
        for (millis, fact) in [0, 100, 100, 200].into_iter().zip(facts) {
            let call = CallId::new("jp1-tokyo1-0-x-1");
            let at = at(millis);
            record.apply(&Event { at, call, fact });
        }
        record
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    #[test]
    fn who_waited_did_so_until_the_switch_was_last_alive_and_nobody_missed_an_offer() {
        let folder = tempfile::tempdir().unwrap();
        let records = DataDir::open(folder.path()).unwrap().records().unwrap();
        publish(&records, left(), at(61_000));
        assert!(records.flush(PATIENCE));
        let record = records.list(&Default::default()).unwrap().remove(0);
        assert_eq!(record.offers[0].outcome.as_deref(), Some("switch-restart"));
        let stay = &record.queues[0];
        assert_eq!(stay.outcome.as_deref(), Some("lost-by-crash"));
        assert_eq!((stay.entered, stay.left), (at(100), Some(at(61_000))));
        assert_eq!(record.total_ms(Stretch::Queue), 60_900);
        assert!(record.is_settled());
    }

    #[test]
    fn what_is_known_of_a_call_after_the_last_pulse_counts() {
        let folder = tempfile::tempdir().unwrap();
        let records = DataDir::open(folder.path()).unwrap().records().unwrap();
        publish(&records, left(), at(150));
        assert!(records.flush(PATIENCE));
        let record = records.list(&Default::default()).unwrap().remove(0);
        assert_eq!(record.ended, Some(at(200)));
    }
}
