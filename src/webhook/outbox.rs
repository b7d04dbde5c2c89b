//! Notices on their way: which is delivered next, when a failed one is tried again, when it is dead.
//!
//! Sans-IO. Notices of one call form a line: the next goes when the one before arrived or died. The
//! notices of other calls do not wait for them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::letters::{DeadLetter, Notice};
use super::reply::FailureKind;
use super::settings::NoticeTerms;
use crate::base::{CallId, Entropy, Timers, Timestamp};

/// One notice with its fate so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letter {
    /// Also its idempotency token.
    pub(super) id: String,
    pub(super) notice: Notice,
    pub(super) made: Timestamp,
    pub(super) tries: u32,
    /// Whether the shelf has it.
    pub(super) is_kept: bool,
}

/// What a notice waits in: the line of its call, or one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum LineKey {
    Alone(String),
    Call(CallId),
}

/// All notices on their way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    lines: HashMap<LineKey, VecDeque<Letter>>,
    /// Lines whose first letter may go, in their order.
    ready: VecDeque<LineKey>,
    /// When the first letter of a line is tried again.
    pauses: Timers<LineKey>,
    /// Lines whose first letter is under way, by its id.
    out: HashMap<String, LineKey>,
    waiting: usize,
}

/// What became of a delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// It arrived, and the shelf may throw it out when it has it.
    Delivered { was_kept: bool },
    /// It is given up.
    Dead(Box<DeadLetter>),
    /// It is tried again.
    Later,
    /// Nobody knows it any more.
    Unknown,
}

impl Outbox {
    /// Takes a notice; gives it back as dead when too many wait.
    pub(super) fn push(
        &mut self,
        letter: Letter,
        terms: &NoticeTerms,
        now: Timestamp,
    ) -> Result<(), Box<DeadLetter>> {
        if self.waiting >= terms.waiting {
            let words = format!("{} notices waited already", self.waiting);
            return Err(Box::new(letter.dead(now, FailureKind::TooBusy, words)));
        }
        let key = match &letter.notice.call {
            Some(call) => LineKey::Call(call.clone()),
            None => LineKey::Alone(letter.id.clone()),
        };
        let line = self.lines.entry(key.clone()).or_default();
        line.push_back(letter);
        self.waiting += 1;
        if line.len() == 1 {
            self.ready.push_back(key);
        }
        Ok(())
    }

    /// The next letter that is to be delivered now; at most `MOST_OUT` at a time.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Letter> {
        while let Some((_, key)) = self.pauses.pop_due(now) {
            self.ready.push_back(key);
        }
        if self.out.len() >= MOST_OUT {
            return None;
        }
        let key = self.ready.pop_front()?;
        let letter = self.lines.get_mut(&key)?.front_mut()?;
        letter.tries += 1;
        self.out.insert(letter.id.clone(), key);
        Some(letter.clone())
    }

    /// When [`Outbox::next`] may have something new by itself.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.pauses.next()
    }

    /// A delivery ended.
    pub(super) fn done(
        &mut self,
        id: &str,
        failure: Option<(FailureKind, String)>,
        terms: &NoticeTerms,
        (now, chance): (Timestamp, &mut Entropy),
    ) -> Outcome {
        let Some(key) = self.out.remove(id) else {
            return Outcome::Unknown;
        };
        let Some(line) = self.lines.get_mut(&key) else {
            return Outcome::Unknown;
        };
        let is_busy = matches!(failure, Some((FailureKind::TooBusy, _)));
        if let Some(letter) = line.front_mut()
            && is_busy
        {
            // Nothing was sent: it was no try.
            letter.tries = letter.tries.saturating_sub(1);
        }
        let tries = line.front().map_or(0, |letter| letter.tries);
        if failure
            .as_ref()
            .is_some_and(|(kind, _)| tries < terms.tries && may_pass(*kind))
        {
            let pause = pause(terms.pause, tries, chance);
            self.pauses.set(key, now + pause);
            return Outcome::Later;
        }
        let letter = line.pop_front();
        match line.is_empty() {
            true => drop(self.lines.remove(&key)),
            false => self.ready.push_back(key),
        }
        let Some(letter) = letter else {
            return Outcome::Unknown;
        };
        self.waiting -= 1;
        match failure {
            None => Outcome::Delivered {
                was_kept: letter.is_kept,
            },
            Some((kind, words)) => Outcome::Dead(Box::new(letter.dead(now, kind, words))),
        }
    }

    /// Whether a letter is on its way.
    pub(super) fn has(&self, id: &str) -> bool {
        self.lines.values().flatten().any(|letter| letter.id == id)
    }

    /// Notices that wait or are under way.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Gives all up: the switch stops.
    pub(super) fn give_up(&mut self, now: Timestamp) -> Vec<DeadLetter> {
        let all = std::mem::take(self);
        let words = "the switch stopped before it was delivered";
        let letters = all.lines.into_values().flatten();
        letters
            .map(|letter| letter.dead(now, FailureKind::BudgetSpent, words.to_owned()))
            .collect()
    }
}

impl Letter {
    fn dead(self, now: Timestamp, kind: FailureKind, words: String) -> DeadLetter {
        DeadLetter {
            id: self.id,
            notice: self.notice,
            made: self.made,
            died: now,
            tries: self.tries,
            kind,
            words,
        }
    }
}

/// Whether a later try may end otherwise: what denies an address, names no endpoint or is too long
/// stays so.
fn may_pass(kind: FailureKind) -> bool {
    !matches!(
        kind,
        FailureKind::DeniedAddress | FailureKind::NoEndpoint | FailureKind::TooLarge
    )
}

/// Four times as long with each try, half of it by chance.
fn pause(first: Duration, tries: u32, chance: &mut Entropy) -> Duration {
    let factor = 4_u32.saturating_pow(tries.saturating_sub(1).min(10));
    let half = first.saturating_mul(factor).min(LONGEST_PAUSE) / 2;
    half + Duration::from_micros(chance.below(half.as_micros() as u64 + 1))
}

/// Notices under way: callers who wait for replies have the other places.
const MOST_OUT: usize = 16;
/// No longer is waited between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::ask::{Content, To};

    const TERMS: NoticeTerms = NoticeTerms {
        tries: 3,
        pause: Duration::from_secs(2),
        waiting: 5,
        keep: 10,
        keep_for: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    fn letter(id: &str, call: Option<&str>) -> Letter {
        Letter {
            id: id.to_owned(),
            notice: Notice {
                to: To::Endpoint("crm".into()),
                method: None,
                content: Content::Nothing,
                call: call.map(CallId::new),
                what: "status callback".into(),
            },
            made: at(0),
            tries: 0,
            is_kept: false,
        }
    }

    struct World {
        outbox: Outbox,
        chance: Entropy,
    }

    impl World {
        fn new(letters: &[(&str, Option<&str>)]) -> Self {
            let mut world = Self {
                outbox: Outbox::default(),
                chance: Entropy::from_seed(1),
            };
            for (id, call) in letters {
                world.outbox.push(letter(id, *call), &TERMS, at(0)).unwrap();
            }
            world
        }

        fn due(&mut self, second: i64) -> Vec<String> {
            std::iter::from_fn(|| self.outbox.next(at(second)).map(|letter| letter.id)).collect()
        }

        fn done(&mut self, id: &str, second: i64, kind: Option<FailureKind>) -> Outcome {
            let failure = kind.map(|kind| (kind, "why".to_owned()));
            self.outbox
                .done(id, failure, &TERMS, (at(second), &mut self.chance))
        }
    }

    #[test]
    fn notices_of_one_call_go_one_after_the_other_and_hold_up_no_others() {
        let mut world = World::new(&[
            ("a1", Some("a")),
            ("a2", Some("a")),
            ("b1", Some("b")),
            ("n", None),
        ]);
        assert_eq!(world.due(0), ["a1", "b1", "n"]);
        assert_eq!(
            world.done("a1", 0, Some(FailureKind::Refused)),
            Outcome::Later
        );
        assert!(world.due(0).is_empty());
        let again = world.outbox.poll_timeout().unwrap();
        assert!(again >= at(1) && again <= at(2), "{again}");
        assert_eq!(world.due(2), ["a1"]);
        assert_eq!(
            world.done("a1", 2, None),
            Outcome::Delivered { was_kept: false }
        );
        assert_eq!(world.due(2), ["a2"]);
        for id in ["a2", "b1", "n"] {
            world.done(id, 3, None);
        }
        assert_eq!((world.outbox.waiting(), world.outbox.lines.len()), (0, 0));
    }

    #[test]
    fn after_its_tries_a_notice_is_dead_and_the_next_goes() {
        let mut world = World::new(&[("a1", Some("a")), ("a2", Some("a"))]);
        for (second, last) in [(0, false), (10, false), (100, true)] {
            assert_eq!(world.due(second), ["a1"]);
            let outcome = world.done("a1", second, Some(FailureKind::BadStatus));
            match (last, outcome) {
                (false, Outcome::Later) => {}
                (true, Outcome::Dead(letter)) => {
                    assert_eq!((letter.id.as_str(), letter.tries), ("a1", 3));
                    assert_eq!(letter.died, at(100));
                }
                (_, other) => panic!("{other:?}"),
            }
        }
        assert_eq!(world.due(100), ["a2"]);
    }

    #[test]
    fn what_cannot_change_is_not_tried_again() {
        let mut world = World::new(&[("a", None)]);
        world.due(0);
        let outcome = world.done("a", 0, Some(FailureKind::DeniedAddress));
        assert!(matches!(outcome, Outcome::Dead(_)));
    }

    #[test]
    fn too_many_are_dead_at_once() {
        let mut world = World::new(&[
            ("1", None),
            ("2", None),
            ("3", None),
            ("4", None),
            ("5", None),
        ]);
        let dead = world
            .outbox
            .push(letter("6", None), &TERMS, at(0))
            .unwrap_err();
        assert_eq!(
            (dead.kind, dead.words.as_str()),
            (FailureKind::TooBusy, "5 notices waited already")
        );
    }

    #[test]
    fn few_are_under_way_at_a_time() {
        let terms = NoticeTerms {
            waiting: 100,
            ..TERMS
        };
        let mut world = World::new(&[]);
        for number in 0..50 {
            let letter = letter(&number.to_string(), None);
            world.outbox.push(letter, &terms, at(0)).unwrap();
        }
        assert_eq!(world.due(0).len(), MOST_OUT);
        world.done("3", 0, None);
        assert_eq!(world.due(0), ["16"]);
    }

    #[test]
    fn at_the_end_all_are_given_up() {
        let mut world = World::new(&[("a1", Some("a")), ("a2", Some("a"))]);
        world.due(0);
        let dead = world.outbox.give_up(at(1));
        let ids: Vec<&str> = dead.iter().map(|letter| letter.id.as_str()).collect();
        assert_eq!(ids, ["a1", "a2"]);
        assert_eq!(world.done("a1", 1, None), Outcome::Unknown);
    }
}
