//! What holds between any two commands, whatever they were.

use super::World;
use super::naive::Naive;
use crate::base::{TaskId, Timestamp};
use crate::router::index::Index;
use crate::router::machine::Router;
use crate::router::state::{Engaged, State};
use crate::router::{Command, NobodyWhy, Output, WhenNobody, WorkerState};

impl World {
    pub(super) fn check_outputs(&mut self) {
        let mut last = 0;
        self.router.tell_positions();
        while let Some(released) = self.router.poll_output() {
            assert!(released.sequence >= last && released.sequence <= self.router.sequence());
            last = released.sequence;
            match released.output {
                Output::Offer { reservation, .. } => {
                    assert!(!self.offers.contains(&reservation), "offered twice");
                    self.offers.push(reservation);
                }
                Output::Assigned {
                    reservation, task, ..
                } => {
                    assert!(self.offers.contains(&reservation));
                    assert!(self.accepted.insert(reservation), "accepted twice");
                    self.held.insert(task);
                }
                Output::Position { task, position, .. } => {
                    let before = self.places.insert(task, position);
                    assert_ne!(before, Some(position), "told without need");
                }
                Output::TaskEnded { task, .. } => {
                    assert!(self.tasks.remove(&task).is_some(), "ended twice");
                    self.places.remove(&task);
                }
                Output::Refused { command, .. } => {
                    if let Command::CreateTask(new) = *command {
                        self.tasks.remove(&new.task);
                    }
                }
                _ => {}
            }
        }
        let held: Vec<&TaskId> = self.router.state.tasks.values().map(|t| &t.id).collect();
        let is_same = held.len() == self.tasks.len();
        assert!(is_same, "no task is lost and none is left over");
        assert!(held.iter().all(|task| self.tasks.contains_key(task)));
        for lane in &self.router.index.queues {
            for (place, key) in lane.line.iter().enumerate() {
                let task = &self.router.state.tasks[&key.number()].id;
                assert_eq!(self.places.get(task), Some(&(place + 1)), "knows its place");
            }
        }
    }

    /// A worker is engaged with exactly the task that says so, and with no more than he can take.
    pub(super) fn check_engagements(&self) {
        let state = &self.router.state;
        let mut engaged = 0;
        for (name, worker) in &state.workers {
            for one in &worker.engagements {
                let (number, is_assigned) = match one.what {
                    Engaged::Assigned(number) => (number, true),
                    Engaged::Reserved(number) => (number, false),
                    Engaged::Wrapping(_) => continue,
                };
                engaged += 1;
                let task = state.tasks.get(&number).expect("the task is there");
                assert_eq!(task.is_assigned(), is_assigned);
                let held = task.holders().filter(|(worker, _)| *worker == name);
                assert_eq!(held.count(), 1);
            }
            let by_hand = worker
                .engagements
                .iter()
                .filter(|one| one.channel.is_empty());
            assert!(by_hand.count() <= 1);
            if worker.state() == WorkerState::Free {
                assert!(worker.next_activity.is_none(), "he would be gone");
            }
        }
        let held = state.tasks.values().map(|task| task.holders().count());
        assert_eq!(held.sum::<usize>(), engaged, "no task is held by nobody");
    }

    /// What is kept for speed is what would be computed anew; a snapshot says everything.
    pub(super) fn check_rebuilt(&self) {
        assert_eq!(Index::build(&self.router.state), self.router.index);
        let restored = Router::restore(&self.router.snapshot()).expect("a snapshot reads back");
        assert_eq!(restored.state(), self.router.state());
        assert_eq!(self.router.view().tasks.len(), self.tasks.len());
    }
}

/// Nobody is free for a task that waits, and no task stays where it has nothing to wait for.
pub(super) fn check_nothing_is_left_to_do(router: &Router, now: Timestamp) {
    let state = &router.state;
    let naive = Naive(state);
    for (name, worker) in &state.workers {
        let paused = worker.paused_until;
        assert!(
            paused.is_none_or(|until| until > now),
            "{name} is left alone"
        );
        let mut wraps = worker.wraps().filter_map(|wrap| wrap.until);
        assert!(wraps.all(|until| until > now), "{name} wraps up for ever");
    }
    for (number, task) in &state.tasks {
        if !task.is_pending() {
            continue;
        }
        for (place, (name, _)) in state.workers.iter().enumerate() {
            let could = naive.could_take(*number, place);
            assert!(!could, "{} waits while {name} is free", task.id);
        }
        let step = task.step.as_ref().expect("it is at a step");
        assert!(!step.is_over, "{} should have moved", task.id);
        assert!(!step.is_fresh, "{} was left without a word", task.id);
        // What is due has happened: else it would wait for ever, and nobody would know.
        assert!(step.until.is_none_or(|at| at > now), "{}", task.id);
        assert!(task.until > now, "{} outlived its time", task.id);
        assert!(task.cooling.iter().all(|(_, until)| *until > now));
        let delays = naive.delays(task);
        let over = delays.iter().filter(|delay| step.queued + **delay <= now);
        assert_eq!(step.seen, over.count(), "{} is seen by who may", task.id);
        let Some(why) = naive.nobody(task) else {
            continue;
        };
        match state.content_of(task) {
            Some(content) => {
                assert!(
                    !why.matters_to(content.skip_when_nobody),
                    "{} should go on",
                    task.id
                );
            }
            None => {
                let policy = state.queues[task.queue().expect("in one")].spec.when_nobody;
                assert!(
                    task.nobody_told || !why.matters_to(policy),
                    "{} was not told",
                    task.id
                );
                let is_needless = policy == WhenNobody::Wait && why == NobodyWhy::NoMatch;
                assert!(!is_needless || !task.nobody_told);
            }
        }
    }
}

/// Nobody has more than he can take, unless he had it already when a plan lowered that; then it gets
/// no more.
pub(super) fn check_loads(before: &State, after: &State) {
    for (name, worker) in &after.workers {
        for channel in &after.channels {
            let had = before.workers.get(name);
            let had = had.map_or(0, |worker| worker.load(&channel.name));
            let may = Naive(after).capacity(worker, &channel.name);
            let has = worker.load(&channel.name);
            let name_of = &channel.name;
            assert!(
                has <= may.max(had),
                "{name} has {has} of {name_of}, not {may}"
            );
        }
    }
}
