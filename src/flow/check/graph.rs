//! The document as a graph: steps nobody comes to, and rings without an exit.

use std::collections::{BTreeMap, BTreeSet};

use super::{Document, Fault, Spot};
use crate::flow::Step;

impl Document {
    /// Rings made only of steps that take no time: those that nothing leads out of would never end,
    /// those that a condition or chance leads out of may not.
    pub(super) fn endless(&self) -> Vec<Fault> {
        let instant: BTreeMap<&str, BTreeSet<&str>> = self
            .steps
            .iter()
            .filter(|(_, step)| step.kind().is_instant())
            .map(|(name, step)| {
                let exits = self.exits(name, step).into_iter();
                (name.as_str(), exits.map(|(_, to)| to).collect())
            })
            .collect();
        let reached: BTreeMap<&str, BTreeSet<&str>> = instant
            .keys()
            .map(|&name| (name, reached_from(name, &instant)))
            .collect();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut faults = Vec::new();
        for name in self.steps.keys().map(String::as_str) {
            let Some(after) = reached.get(name).filter(|it| it.contains(name)) else {
                continue;
            };
            let is_in_ring = |it: &&&str| reached.get(**it).is_some_and(|it| it.contains(name));
            let ring: BTreeSet<&str> = after.iter().filter(is_in_ring).copied().collect();
            if !known.is_disjoint(&ring) {
                continue;
            }
            let leads_out = ring
                .iter()
                .any(|it| instant[it].iter().any(|to| !ring.contains(to)));
            let is_counted = |it: &&str| matches!(self.steps.get(*it), Some(Step::Loop(_)));
            if !leads_out || !ring.iter().any(is_counted) {
                faults.push(self.ring(name, &ring, leads_out));
            }
            known.extend(ring);
        }
        faults
    }

    fn ring(&self, name: &str, ring: &BTreeSet<&str>, leads_out: bool) -> Fault {
        let (spot, way) = self.walk(name, ring);
        match leads_out {
            false => {
                let message = format!("these steps go round without end: {way}");
                let help = "lead one of them to a step that plays, asks, queues or hangs up";
                Fault::fatal(spot, message, help)
            }
            true => {
                let message = format!("these steps may go round without end: {way}");
                let help = "put a step with do = \"loop\" into the ring, which counts its rounds";
                Fault::doubt(spot, message, help)
            }
        }
    }

    /// A ring from one of its steps on: where that leads into it, and the steps in their order.
    pub(super) fn walk(&self, name: &str, ring: &BTreeSet<&str>) -> (Spot, String) {
        // As one walks it, from where it is written first.
        let (mut way, mut at) = (Vec::new(), name);
        while !way.contains(&at) {
            way.push(at);
            let exits = self.steps.get(at).map(|step| self.exits(at, step));
            let mut exits = exits.into_iter().flatten().map(|(_, to)| to);
            match exits.find(|to| ring.contains(to)) {
                Some(next) => at = next,
                None => break,
            }
        }
        let exits = self.steps.get(name).map(|step| self.exits(name, step));
        let mut exits = exits.into_iter().flatten();
        let into = exits.find(|(_, to)| ring.contains(to));
        let spot = into.map_or_else(|| Spot::step(name), |(spot, _)| spot);
        (spot, way.join(" -> "))
    }

    /// Steps that no way leads to.
    pub(super) fn unreachable(&self) -> Vec<Fault> {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![self.start.as_str()];
        while let Some(at) = open.pop() {
            if let Some((name, step)) = self.steps.get_key_value(at)
                && reached.insert(name)
            {
                open.extend(self.exits(name, step).into_iter().map(|(_, to)| to));
            }
        }
        let steps = self.steps.keys();
        steps
            .filter(|step| !reached.contains(step.as_str()))
            .map(|step| {
                let message = format!("no caller ever comes to step \"{step}\"");
                let help = "lead another step to it, or delete it";
                Fault::doubt(Spot::step(step), message, help)
            })
            .collect()
    }
}

/// Steps that one leads to, over steps of `graph` only; itself when it is in a ring.
pub(super) fn reached_from<'g>(
    from: &'g str,
    graph: &BTreeMap<&'g str, BTreeSet<&'g str>>,
) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for &to in graph.get(at).into_iter().flatten() {
            if graph.contains_key(to) && reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}
