//! Loops that take time and that no way leads out of.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::reached_from;
use super::{Document, Fault};
use crate::flow::FlowType;
use crate::flow::document::RETURN;
use crate::flow::step::Step;

/// How a flow may be over for those who come into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// The call ends, or somebody else has the caller.
    ends: bool,
    /// It comes to `return`.
    returns: bool,
}

impl Document {
    /// Rings of steps that a caller comes into and never out of, whatever he presses and whatever
    /// happens: no hang-up, no queue, no transfer behind any of them. The flows that are parts of this
    /// one must be linked. Flows of queues and holds may go round: somebody else takes the caller out.
    pub fn check_exits(&self) -> Vec<Fault> {
        if matches!(
            self.flow_type,
            FlowType::AgentHold | FlowType::CustomerHold | FlowType::CustomerQueue
        ) {
            return Vec::new();
        }
        let mut parts = BTreeMap::new();
        let ways: BTreeMap<&str, (bool, BTreeSet<&str>)> = self
            .steps
            .iter()
            .map(|(name, step)| {
                let (ends, exits) = self.ways(name, step, &mut parts);
                // The built-in ends; a step that is not there was told of.
                let leads_out = exits.iter().any(|to| !self.steps.contains_key(*to));
                (name.as_str(), (ends || leads_out, exits))
            })
            .collect();
        let graph: BTreeMap<&str, BTreeSet<&str>> = ways
            .iter()
            .map(|(name, (_, to))| (*name, to.clone()))
            .collect();
        let leaving = leaving(&ways);
        let reached = reached_from(&self.start, &graph);
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut faults = Vec::new();
        for name in self.steps.keys().map(String::as_str) {
            let is_reached = name == self.start || reached.contains(name);
            if !is_reached || leaving.contains(name) || known.contains(name) {
                continue;
            }
            let after = reached_from(name, &graph);
            if !after.contains(name) {
                continue;
            }
            let is_in_ring = |it: &&&str| reached_from(it, &graph).contains(name);
            let ring: BTreeSet<&str> = after.iter().filter(is_in_ring).copied().collect();
            let takes_time = |it: &&str| {
                let step = self.steps.get(*it);
                step.is_some_and(|step| !step.kind().is_instant())
            };
            // Those that take no time were told of by `Document::check`.
            if ring.iter().any(takes_time) {
                let (spot, way) = self.walk(name, &ring);
                let message = format!("whoever comes to these steps never comes out: {way}");
                let help = "lead one of them to a step that queues, transfers or hangs up; a step with \
                            do = \"loop\" counts rounds";
                faults.push(Fault::doubt(spot, message, help));
            }
            known.extend(ring);
        }
        faults
    }

    /// Whether the call may end in a step, or somebody else has the caller then; and the steps it may
    /// lead to.
    fn ways<'d>(
        &'d self,
        name: &str,
        step: &'d Step,
        parts: &mut BTreeMap<String, Outcome>,
    ) -> (bool, BTreeSet<&'d str>) {
        let exits = self.exits(name, step).into_iter().map(|(_, to)| to);
        let exits: BTreeSet<&str> = exits.collect();
        let ends = match step {
            Step::Conference(_)
            | Step::Hangup(_)
            | Step::Leave(_)
            | Step::Queue(_)
            | Step::Return(_)
            | Step::Transfer(_)
            | Step::Twiml(_) => true,
            Step::Flow(calling) => {
                let outcome = self.outcome_of(&calling.flow, parts);
                if !outcome.returns && outcome.ends {
                    return (true, BTreeSet::new());
                }
                // A part that is never over was told of itself.
                outcome.ends || !outcome.returns
            }
            _ => false,
        };
        (ends, exits)
    }

    /// How a part of this flow may be over; one that is not there was told of, and may be everything.
    fn outcome_of(&self, part: &str, known: &mut BTreeMap<String, Outcome>) -> Outcome {
        if let Some(outcome) = known.get(part) {
            return *outcome;
        }
        let Some(document) = self.flows.get(part) else {
            return Outcome {
                ends: true,
                returns: true,
            };
        };
        let outcome = document.outcome(known);
        known.insert(part.to_owned(), outcome);
        outcome
    }

    fn outcome(&self, known: &mut BTreeMap<String, Outcome>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![self.start.as_str()];
        while let Some(at) = open.pop() {
            let Some((name, step)) = self.steps.get_key_value(at) else {
                match at {
                    RETURN => outcome.returns = true,
                    _ => outcome.ends = true,
                }
                continue;
            };
            if !seen.insert(name) {
                continue;
            }
            if matches!(step, Step::Return(_)) {
                outcome.returns = true;
                continue;
            }
            let (ends, exits) = self.ways(name, step, known);
            outcome.ends |= ends;
            open.extend(exits);
        }
        outcome
    }
}

/// The steps from which a way leads to an end.
fn leaving<'d>(ways: &BTreeMap<&'d str, (bool, BTreeSet<&'d str>)>) -> BTreeSet<&'d str> {
    let mut before: BTreeMap<&str, Vec<&'d str>> = BTreeMap::new();
    for (name, (_, exits)) in ways {
        for to in exits {
            before.entry(to).or_default().push(name);
        }
    }
    let ends = ways.iter().filter(|(_, (ends, _))| *ends);
    let mut open: Vec<&'d str> = ends.map(|(name, _)| *name).collect();
    let mut leaving = BTreeSet::new();
    while let Some(at) = open.pop() {
        if leaving.insert(at) {
            open.extend(before.get(at).into_iter().flatten());
        }
    }
    leaving
}
