//! What name servers have said, as long as it is good, and some time beyond (RFC 8767).

use std::collections::HashMap;
use std::time::Duration;

use crate::base::{Timers, Timestamp};

use super::question::{Answer, Question, Record};

/// Bounded: what goes stale first goes first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Question, Entry>,
    /// When each entry is of no more use.
    ends: Timers<Question>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: no server answered.
    records: Option<Vec<Record>>,
    fresh_until: Timestamp,
}

/// What the cache knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'c> {
    /// No server answered just now.
    Failed,
    /// To be asked.
    Nothing,
    /// Good records; none for what does not exist.
    Fresh(&'c [Record]),
    /// Records past their time.
    Stale(&'c [Record]),
}

impl Cache {
    pub(super) fn find(&self, now: Timestamp, question: &Question) -> Known<'_> {
        let Some(entry) = self.entries.get(question) else {
            return Known::Nothing;
        };
        let is_fresh = now < entry.fresh_until;
        match &entry.records {
            Some(records) if is_fresh => Known::Fresh(records),
            Some(records) if !records.is_empty() && now < entry.fresh_until + STALE => {
                Known::Stale(records)
            }
            None if is_fresh => Known::Failed,
            _ => Known::Nothing,
        }
    }

    /// Takes an answer. A failure leaves what was known in force for a short while more.
    pub(super) fn store(&mut self, now: Timestamp, question: &Question, answer: Answer) {
        let (records, life) = match answer {
            Answer::Failed => match self.find(now, question) {
                Known::Stale(records) | Known::Fresh(records) => {
                    (Some(records.to_vec()), FAILURE_LIFE)
                }
                Known::Failed | Known::Nothing => (None, FAILURE_LIFE),
            },
            Answer::Nothing(life) => (
                Some(Vec::new()),
                life.clamp(SHORTEST_LIFE, LONGEST_NEGATIVE),
            ),
            Answer::Records(mut records, life) => {
                records.truncate(MAX_RECORDS);
                (Some(records), life.clamp(SHORTEST_LIFE, LONGEST_LIFE))
            }
        };
        let fresh_until = now + life;
        let keep = if records.as_ref().is_some_and(|records| !records.is_empty()) {
            fresh_until + STALE
        } else {
            fresh_until
        };
        self.make_room(now);
        self.ends.set(question.clone(), keep);
        let entry = Entry {
            records,
            fresh_until,
        };
        self.entries.insert(question.clone(), entry);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn make_room(&mut self, now: Timestamp) {
        while let Some((_, question)) = self.ends.pop_due(now) {
            self.entries.remove(&question);
        }
        while self.entries.len() >= MAX_ENTRIES {
            let far = Timestamp::from_micros(i64::MAX);
            let Some((_, question)) = self.ends.pop_due(far) else {
                return;
            };
            self.entries.remove(&question);
        }
    }
}

/// Answers kept; some 200 bytes each.
pub(super) const MAX_ENTRIES: usize = 4096;
/// Records read of one answer; a carrier has a handful, and the rest could only be an attack.
pub(super) const MAX_RECORDS: usize = 32;
/// Also the life of a TTL of 0: one location in several steps sees one picture.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// RFC 8767 §4 advises a cap of days; a wrong record should not outlive a working day.
const LONGEST_LIFE: Duration = Duration::from_secs(6 * 3600);
/// RFC 2308 §5 advises one to three hours; a carrier that appears should not wait so long.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(300);
/// How long a server that failed is not asked the same again (RFC 2308 §7: at most 5 minutes).
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// How long records serve past their time when no server answers (RFC 8767 §5: 1 to 3 days).
const STALE: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::super::question::Kind;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn question(name: &str) -> Question {
        Question::new(name, Kind::A)
    }

    fn records() -> Vec<Record> {
        vec![Record::Address([192, 0, 2, 1].into())]
    }

    fn good(seconds: u64) -> Answer {
        Answer::Records(records(), Duration::from_secs(seconds))
    }

    #[test]
    fn records_live_as_long_as_their_ttl_and_serve_stale_for_a_day() {
        let mut cache = Cache::default();
        let asked = question("a.example");
        assert_eq!(cache.find(at(0), &asked), Known::Nothing);
        cache.store(at(0), &asked, good(60));
        assert_eq!(cache.find(at(59), &asked), Known::Fresh(&records()));
        assert_eq!(cache.find(at(60), &asked), Known::Stale(&records()));
        assert_eq!(cache.find(at(60 + 86_400), &asked), Known::Nothing);
    }

    #[test]
    fn a_ttl_is_capped_at_both_ends() {
        let mut cache = Cache::default();
        let asked = question("a.example");
        cache.store(at(0), &asked, good(0));
        assert_eq!(cache.find(at(0), &asked), Known::Fresh(&records()));
        assert_eq!(cache.find(at(1), &asked), Known::Stale(&records()));
        cache.store(at(10), &asked, good(u64::from(u32::MAX)));
        assert_eq!(
            cache.find(at(10 + 6 * 3600), &asked),
            Known::Stale(&records())
        );
    }

    #[test]
    fn what_does_not_exist_is_remembered_and_never_stale() {
        let mut cache = Cache::default();
        let asked = question("no.example");
        cache.store(at(0), &asked, Answer::Nothing(Duration::from_secs(3600)));
        assert_eq!(cache.find(at(299), &asked), Known::Fresh(&[]));
        assert_eq!(cache.find(at(300), &asked), Known::Nothing);
    }

    #[test]
    fn a_dead_server_revives_what_was_known() {
        let mut cache = Cache::default();
        let asked = question("a.example");
        cache.store(at(0), &asked, good(10));
        cache.store(at(20), &asked, Answer::Failed);
        assert_eq!(cache.find(at(24), &asked), Known::Fresh(&records()));
        assert_eq!(cache.find(at(25), &asked), Known::Stale(&records()));
        let other = question("b.example");
        cache.store(at(20), &other, Answer::Failed);
        assert_eq!(cache.find(at(24), &other), Known::Failed);
        assert_eq!(cache.find(at(25), &other), Known::Nothing);
    }

    #[test]
    fn it_never_grows_past_its_bounds() {
        let mut cache = Cache::default();
        for number in 0..MAX_ENTRIES + 100 {
            let asked = question(&format!("{number}.example"));
            let life = Duration::from_secs(10 + number as u64);
            let many = vec![Record::Address([192, 0, 2, 1].into()); 1000];
            cache.store(at(0), &asked, Answer::Records(many, life));
        }
        assert_eq!(cache.len(), MAX_ENTRIES);
        // What would have gone first is gone.
        assert_eq!(cache.find(at(0), &question("0.example")), Known::Nothing);
        let last = question(&format!("{}.example", MAX_ENTRIES + 99));
        let Known::Fresh(records) = cache.find(at(0), &last) else {
            panic!("the last is kept");
        };
        assert_eq!(records.len(), MAX_RECORDS);
        cache.store(at(10_000_000), &question("late"), good(1));
        assert_eq!((cache.len(), cache.ends.len()), (1, 1));
    }
}
