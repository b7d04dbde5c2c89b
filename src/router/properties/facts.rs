//! A fact, before it counts: whether it is the right one.

use super::World;
use super::naive::Naive;
use crate::base::{TaskId, Timestamp};
use crate::router::fact::{Decision, Fact, Timer};
use crate::router::state::Task;
use crate::router::{At, LeftWhy, MovedWhy, NobodyWhy, SkippedWhy, WorkflowSpec};

impl World {
    /// A fact, before it counts: whether it is the right one.
    pub(super) fn check_fact(&self, fact: &Fact, at: Timestamp) {
        let state = &self.shadow.state;
        match fact {
            Fact::Decision(Decision::Offered {
                task,
                offers,
                explanation,
                ..
            }) => {
                let number = self.shadow.index.tasks[task];
                let place = |name: &String| state.workers.get_index_of(name).expect("known");
                let offered: Vec<usize> = offers.iter().map(|one| place(&one.worker)).collect();
                let (chosen, is_chance) = Naive(state).chosen(number, &self.idle);
                if is_chance {
                    let queue = state.tasks[&number].queue().expect("in one");
                    let most = state.queues[queue].spec.max_reserved as usize;
                    assert_eq!(offered.len(), chosen.len().min(most));
                    assert!(offered.iter().all(|one| chosen.contains(one)), "{task}");
                } else {
                    assert_eq!(offered, chosen, "who should be offered {task}");
                }
                let first = explanation.chosen.as_ref().expect("someone was chosen");
                assert_eq!(first.worker, offers[0].worker);
                let not_chosen: usize = explanation.not_chosen.values().sum();
                assert_eq!(not_chosen + offers.len(), explanation.considered);
            }
            Fact::Decision(Decision::Moved { task, why, to, .. }) => {
                let task = self.shadow_task(task);
                let step = task.step.as_ref();
                self.check_way(task, *to);
                match why {
                    MovedWhy::Entered => assert!(step.is_none(), "{} is somewhere", task.id),
                    MovedWhy::TimedOut => {
                        let is_over = step.is_some_and(|step| step.is_over);
                        assert!(is_over, "{} moved too early", task.id);
                    }
                    MovedWhy::Skipped(why) => {
                        assert_eq!(self.skips(task), Some(*why), "{}", task.id);
                    }
                }
            }
            Fact::Decision(Decision::NobodyCanTake { task, why, .. }) => {
                let task = self.shadow_task(task);
                assert_eq!(Naive(state).nobody(task), Some(*why), "{}", task.id);
                assert!(task.is_pending() && !task.nobody_told);
                let queue = &state.queues[task.queue().expect("in one")].spec;
                assert!(task.workflow.is_none() && why.matters_to(queue.when_nobody));
            }
            Fact::Decision(Decision::TaskDropped { task, why, .. }) => {
                self.check_dropped(self.shadow_task(task), *why, at);
            }
            Fact::Decision(Decision::Waits { task, .. }) => {
                let task = self.shadow_task(task);
                assert!(!self.is_taken_up(task), "{} has who takes it", task.id);
                assert_eq!(self.skips(task), None, "{} waits in vain", task.id);
            }
            Fact::Input(_) => {}
            Fact::Timer(timer) => self.check_timer(timer, at),
        }
    }

    /// Forwards, by filters that are for the task, and not to the default when it timed out.
    fn check_way(&self, task: &Task, to: At) {
        let content = self.shadow.state.content_of(task).expect("it follows one");
        let step = task.step.as_ref();
        let from = step.and_then(|step| step.at);
        assert!(from.is_none_or(|from| from < to), "{} goes back", task.id);
        match (from, to) {
            (Some(At::Filter(from, _)), At::Filter(to, _)) if from == to => {}
            (_, At::Filter(to, _)) => {
                let expression = &content.filters[to].expression;
                let is_for = Naive::is_for(expression, content, task);
                assert!(is_for, "{} does not match filter {to}", task.id);
            }
            (_, At::Default) => assert!(step.is_none_or(|step| !step.is_over)),
        }
    }

    /// A task that is given up: whether it must be.
    fn check_dropped(&self, task: &Task, why: LeftWhy, at: Timestamp) {
        let content = self.shadow.state.content_of(task);
        let step = task.step.as_ref();
        let most = content.map_or(WorkflowSpec::MOST_OFFERS, |content| content.most_offers);
        let is_right = match why {
            LeftWhy::TimeToLive => task.until <= at,
            LeftWhy::TooManyOffers => task.offers >= most,
            LeftWhy::Unmatched => {
                let content = content.expect("it follows one");
                let mut filters = content.filters.iter();
                let matches = filters.any(|one| Naive::is_for(&one.expression, content, task));
                step.is_none() && !matches && content.default.is_none()
            }
            LeftWhy::WorkflowSkipped => match step {
                // All that it might have entered is full or gone.
                None => content.is_some(),
                Some(step) => step.is_over || self.skips(task).is_some(),
            },
            LeftWhy::WorkflowTimedOut => step.is_some_and(|step| step.is_over),
        };
        assert!(is_right, "{} is dropped: {why:?}", task.id);
        assert!(task.is_pending(), "{} is dropped while it rings", task.id);
    }

    /// Why a pending task that nobody takes is to leave its step, found the long way.
    fn skips(&self, task: &Task) -> Option<SkippedWhy> {
        let naive = Naive(&self.shadow.state);
        let (content, step) = (self.shadow.state.content_of(task)?, task.step.as_ref()?);
        if step.is_fresh && naive.skip_if_holds(task) {
            assert!(!self.is_taken_up(task), "{} has who takes it", task.id);
            return Some(SkippedWhy::SkipIf);
        }
        let why = naive.nobody(task)?;
        why.matters_to(content.skip_when_nobody)
            .then_some(match why {
                NobodyWhy::NoMatch => SkippedWhy::NoMatch,
                NobodyWhy::NoneOnDuty => SkippedWhy::NoneOnDuty,
            })
    }

    /// Whether somebody could be offered a pending task at once.
    fn is_taken_up(&self, task: &Task) -> bool {
        let naive = Naive(&self.shadow.state);
        let number = self.shadow.index.tasks[&task.id];
        (0..self.shadow.state.workers.len()).any(|place| naive.could_take(number, place))
    }

    fn shadow_task(&self, id: &TaskId) -> &Task {
        &self.shadow.state.tasks[&self.shadow.index.tasks[id]]
    }

    /// A deadline acts at its instant, unless it could not act then.
    fn check_timer(&self, timer: &Timer, at: Timestamp) {
        let state = &self.shadow.state;
        let task = |id: &TaskId| &state.tasks[&self.shadow.index.tasks[id]];
        let mut was_held = false;
        let mut held = |id: &TaskId| was_held = self.held.contains(id);
        let due = match timer {
            Timer::CoolDownOver { task: id, worker } => {
                let mut cooling = task(id).cooling.iter();
                cooling
                    .find(|(name, _)| name == worker)
                    .map(|(_, until)| *until)
            }
            Timer::NewDay => Some(state.day_ends),
            Timer::PauseOver { worker } => state.workers[worker].paused_until,
            Timer::RingTimeout { reservation } => {
                let number = self.shadow.index.reservations[reservation];
                let mut open = state.tasks[&number].reservations().iter();
                open.find(|one| one.id == *reservation)
                    .map(|one| one.expires_at)
            }
            Timer::StepOver { task: id } => {
                held(id);
                task(id).step.as_ref().and_then(|step| step.until)
            }
            Timer::TaskOver { task: id } => {
                held(id);
                Some(task(id).until)
            }
            Timer::Visible { task: id } => {
                held(id);
                let step = task(id).step.as_ref().expect("it stands");
                let delays = Naive(state).delays(task(id));
                delays.get(step.seen).map(|delay| step.queued + *delay)
            }
            Timer::WrapOver { worker, task } => {
                let mut wraps = state.workers[worker].wraps();
                let is_it = |after: Option<&TaskId>| after == task.as_ref();
                let wrap = wraps.find(|wrap| is_it(wrap.after.as_ref().map(|after| &after.task)));
                wrap.and_then(|wrap| wrap.until)
            }
        };
        let due = due.expect("it was set");
        assert!(
            due == at || was_held && due < at,
            "{timer:?} due {due:?} at {at:?}"
        );
    }
}
