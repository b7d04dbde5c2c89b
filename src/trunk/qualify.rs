//! Asking targets with OPTIONS whether they are there (RFC 3261 §11): round trip, up and down,
//! with as many answers or silences in a row as the profile wants. Sans-IO.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::carriers::{Carriers, TargetState};
use super::profile::Qualify;
use super::{Target, Trunk};
use crate::base::{Entropy, Pii, Timers, Timestamp};

/// Every target that is asked.
#[derive(Debug)]
pub struct Probes {
    carriers: Carriers,
    entropy: Entropy,
    probes: BTreeMap<TargetKey, Probe>,
    timers: Timers<TargetKey>,
    questions: VecDeque<Question>,
}

/// One target of one trunk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// Name of the trunk.
    pub trunk: String,
    /// The target, as shown.
    pub target: String,
}

/// An OPTIONS to be sent.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom it is about.
    pub key: TargetKey,
    /// Counts the questions to this target; comes back with the answer.
    pub number: u64,
    /// The trunk.
    pub trunk: Arc<Trunk>,
    /// Where to send it.
    pub target: Target,
}

#[derive(Debug)]
struct Probe {
    trunk: Arc<Trunk>,
    target: Target,
    qualify: Qualify,
    state: TargetState,
    number: u64,
    /// When the question under way was sent.
    sent: Option<Timestamp>,
    /// Silences, or answers while down, in a row.
    against: u32,
}

impl Probes {
    /// Nobody asked; states are told to `carriers`.
    pub fn new(carriers: Carriers, entropy: Entropy) -> Self {
        Self {
            carriers,
            entropy,
            probes: BTreeMap::new(),
            timers: Timers::new(),
            questions: VecDeque::new(),
        }
    }

    /// Takes over the trunks of a configuration; what is known of a target stays known.
    pub fn commit<'t>(&mut self, now: Timestamp, trunks: impl IntoIterator<Item = &'t Arc<Trunk>>) {
        let mut before = std::mem::take(&mut self.probes);
        for trunk in trunks {
            let Some(qualify) = trunk.profile.qualify else {
                continue;
            };
            for target in trunk.targets.iter().cloned() {
                let key = TargetKey {
                    trunk: trunk.name.clone(),
                    target: target.to_string(),
                };
                let probe = before.remove(&key).map_or_else(
                    || Probe::new(trunk, target, qualify),
                    |probe| Probe {
                        trunk: trunk.clone(),
                        qualify,
                        ..probe
                    },
                );
                if self.timers.deadline(&key).is_none() {
                    let jitter = Duration::from_millis(self.entropy.below(START_JITTER_MS));
                    self.timers.set(key.clone(), now + jitter);
                    let state = probe.state.clone();
                    self.carriers.set_target(&key.trunk, state);
                }
                self.probes.insert(key, probe);
            }
        }
        for key in before.into_keys() {
            self.timers.stop(&key);
            self.carriers.forget_target(&key.trunk, &key.target);
        }
    }

    /// Does what is due: a question still open counts as silence, and the next goes out.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.timers.pop_due(now) {
            let Some(probe) = self.probes.get_mut(&key) else {
                continue;
            };
            if probe.sent.take().is_some() {
                probe.silent();
                self.carriers.set_target(&key.trunk, probe.state.clone());
            }
            probe.number += 1;
            probe.sent = Some(now);
            let tenth = u64::try_from(probe.qualify.interval.as_millis() / 10).unwrap_or(0);
            let early = Duration::from_millis(self.entropy.below(tenth + 1));
            let next = now + probe.qualify.interval - early;
            self.questions.push_back(Question {
                key: key.clone(),
                number: probe.number,
                trunk: probe.trunk.clone(),
                target: probe.target.clone(),
            });
            self.timers.set(key, next);
        }
    }

    /// When to be woken.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// What to send.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Takes the status that came back; `None` when nothing did, or nothing could be sent.
    pub fn handle_answer(
        &mut self,
        now: Timestamp,
        key: &TargetKey,
        number: u64,
        status: Option<u16>,
    ) {
        let Some(probe) = self.probes.get_mut(key) else {
            return;
        };
        let Some(sent) = probe.sent.filter(|_| probe.number == number) else {
            return;
        };
        probe.sent = None;
        match status {
            // 408 is a proxy's way to say that nobody is behind it, 503 that nobody can serve.
            None | Some(408 | 503) => {
                probe.state.status = status;
                probe.silent();
            }
            Some(status) => {
                probe.state.status = Some(status);
                probe.state.rtt_ms = Some(now.since(sent).as_secs_f64() * 1000.0);
                probe.heard();
            }
        }
        self.carriers.set_target(&key.trunk, probe.state.clone());
    }
}

impl Probe {
    fn new(trunk: &Arc<Trunk>, target: Target, qualify: Qualify) -> Self {
        Self {
            trunk: trunk.clone(),
            state: TargetState {
                target: target.to_string(),
                up: None,
                rtt_ms: None,
                status: None,
            },
            target,
            qualify,
            number: 0,
            sent: None,
            against: 0,
        }
    }

    fn silent(&mut self) {
        if self.state.up == Some(false) {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against >= self.qualify.down_after {
            self.turn(false);
        }
    }

    fn heard(&mut self) {
        if self.state.up != Some(false) {
            self.against = 0;
            if self.state.up.is_none() {
                self.turn(true);
            }
            return;
        }
        self.against += 1;
        if self.against >= self.qualify.up_after {
            self.turn(true);
        }
    }

    fn turn(&mut self, up: bool) {
        self.against = 0;
        let (trunk, target) = (&self.trunk.name, Pii(&self.state.target));
        if up {
            tracing::info!(trunk, %target, "target up");
        } else {
            tracing::warn!(trunk, %target, "target down");
        }
        self.state.up = Some(up);
    }
}

/// First questions after a start or reload are spread over this.
const START_JITTER_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_and_up_with_hysteresis_and_the_round_trip() {
        let mut trunk = crate::trunk::carrier::tests::trunk("a", &[]);
        trunk.profile.qualify = Some(Qualify {
            interval: Duration::from_secs(10),
            down_after: 3,
            up_after: 2,
        });
        let trunk = Arc::new(trunk);
        let carriers = Carriers::new();
        let mut probes = Probes::new(carriers.clone(), Entropy::from_seed(1));
        probes.commit(Timestamp::ZERO, [&trunk]);
        let mut now = Timestamp::ZERO;
        let mut ask = |probes: &mut Probes| {
            now = probes.poll_timeout().expect("asked at intervals");
            probes.handle_timeout(now);
            (now, probes.poll_question().expect("a question"))
        };
        let ups = |carriers: &Carriers| carriers.view(now_of(), &trunk).targets[0].up;
        let (at, first) = ask(&mut probes);
        probes.handle_answer(
            at + Duration::from_millis(12),
            &first.key,
            first.number,
            Some(404),
        );
        let state = carriers.view(at, &trunk).targets[0].clone();
        assert_eq!(
            (state.up, state.rtt_ms),
            (Some(true), Some(12.0)),
            "any answer is one"
        );
        // Silence: the next question finds the one before still open.
        for expected in [true, true, true, false] {
            let (_, _) = ask(&mut probes);
            assert_eq!(ups(&carriers), Some(expected));
        }
        for expected in [false, true] {
            let (at, question) = ask(&mut probes);
            probes.handle_answer(at, &question.key, question.number - 1, Some(200));
            assert_eq!(ups(&carriers), Some(false), "a late answer is none");
            probes.handle_answer(at, &question.key, question.number, Some(200));
            assert_eq!(ups(&carriers), Some(expected));
        }
    }

    fn now_of() -> Timestamp {
        Timestamp::ZERO
    }

    #[test]
    fn a_reload_keeps_what_is_known_and_forgets_who_is_gone() {
        let mut trunk = crate::trunk::carrier::tests::trunk("a", &[]);
        trunk.profile.qualify = Some(Qualify {
            interval: Duration::from_secs(10),
            down_after: 1,
            up_after: 1,
        });
        let trunk = Arc::new(trunk);
        let carriers = Carriers::new();
        let mut probes = Probes::new(carriers.clone(), Entropy::from_seed(1));
        probes.commit(Timestamp::ZERO, [&trunk]);
        let at = probes.poll_timeout().expect("asked");
        probes.handle_timeout(at);
        let question = probes.poll_question().expect("a question");
        probes.handle_answer(at, &question.key, question.number, None);
        probes.commit(at, [&trunk]);
        assert!(!carriers.is_well(at, &trunk));
        probes.commit(at, []);
        assert!(carriers.is_well(at, &trunk));
        assert_eq!(probes.poll_timeout(), None);
    }
}
