//! Since when each worker is idle, kept from what facts did to him, beside the router's own book.

use std::collections::{HashMap, HashSet};

use crate::base::Timestamp;
use crate::router::fact::Fact;
use crate::router::state::{Engaged, State, Worker};
use crate::router::{Command, Rejection};

/// By worker: since when he is there, or was last done with something.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle(HashMap<String, Timestamp>);

impl Idle {
    pub(super) fn since(&self, worker: &str) -> Timestamp {
        self.0[worker]
    }

    /// What a fact did to everybody.
    pub(super) fn follow(&mut self, fact: &Fact, before: &State, after: &State) {
        let was_given_back = matches!(fact, Fact::Input(Command::GiveBack { .. }));
        // Who misses an offer is gone for a moment, even if the same word brings him back.
        let missed = match fact {
            Fact::Input(Command::Reject {
                reservation,
                why: Rejection::NoAnswer,
                ..
            }) => {
                let mut open = before.tasks.values().flat_map(|task| task.reservations());
                open.find(|one| one.id == *reservation)
            }
            _ => None,
        };
        let missed = missed.map(|one| &one.worker);
        for (name, worker) in &after.workers {
            let is_anew = before.workers.get(name).is_none_or(|old| {
                let had = at_work(before, old);
                let is_done = !had.is_subset(&at_work(after, worker)) && !was_given_back;
                let came = worker.available && !old.available;
                let paused =
                    worker.paused_until.is_some() && worker.paused_until != old.paused_until;
                is_done || came || paused || missed == Some(name)
            });
            if is_anew {
                self.0.insert(name.clone(), after.clock);
            }
        }
    }
}

/// What a worker accepted and is not done with: tasks, wrapped up or not; empty for after-call work
/// that he began by hand.
fn at_work(state: &State, worker: &Worker) -> HashSet<String> {
    let engaged = worker.engagements.iter();
    let of = |what: &Engaged| match what {
        Engaged::Assigned(number) => Some(state.tasks[number].id.to_string()),
        Engaged::Reserved(_) => None,
        Engaged::Wrapping(wrap) => Some(match &wrap.after {
            Some(after) => after.task.to_string(),
            None => String::new(),
        }),
    };
    engaged.filter_map(|one| of(&one.what)).collect()
}
