//! After-call work: what follows a conversation, or is begun by hand.

use std::time::Duration;

use super::event::{About, EventName};
use super::machine::Router;
use super::state::{After, Engaged, Status, Wrap};
use super::{Output, TaskOutcome, WrapUp};
use crate::base::{TaskId, Timestamp};

impl Router {
    /// The conversation is over; after-call work begins when the queue has any. With a code there
    /// is some in any case, and it is over at once.
    pub(super) fn finish(&mut self, number: u64, code: Option<&String>) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let Status::Assigned {
            worker,
            reservation,
        } = &task.status
        else {
            return;
        };
        let worker = worker.clone();
        let after = After {
            task: task.id.clone(),
            call: task.call.clone(),
            queue: task.queue().cloned().unwrap_or_default(),
            reservation: Some(reservation.clone()),
        };
        let (channel, id) = (task.channel.clone(), task.id.clone());
        let place = self.state.workers.get_index_of(&worker);
        // Nobody would end that of a worker who is no longer in the plan.
        let is_removed = place.is_none_or(|place| self.state.workers[place].removed);
        let spec = self.queue_spec(number).filter(|_| !is_removed);
        let wrap_up = spec.map_or(WrapUp::None, |spec| {
            if spec.wrap_up_open {
                WrapUp::Open
            } else if spec.wrap_up > Duration::ZERO {
                WrapUp::Until(self.state.clock + spec.wrap_up)
            } else {
                WrapUp::None
            }
        });
        let wrap_up = match wrap_up {
            WrapUp::None if code.is_some() => WrapUp::Open,
            known => known,
        };
        if let Some(place) = place {
            let until = match wrap_up {
                WrapUp::None => {
                    self.disengage(place, number, Some(self.state.clock));
                    return self.end(number, Some((worker, wrap_up)), TaskOutcome::Completed);
                }
                WrapUp::Open => None,
                WrapUp::Until(at) => Some(at),
            };
            let wrap = Wrap {
                after: Some(after),
                until,
            };
            // One for the other, so that he is not free in between.
            let mut engaged = self.state.workers[place].engagements.iter_mut();
            let own = engaged.find(|one| one.what == Engaged::Assigned(number));
            match own {
                Some(own) => {
                    own.what = Engaged::Wrapping(wrap);
                    own.since = self.state.clock;
                    self.state.workers[place].since = self.state.clock;
                    self.worker_changed(place);
                }
                None => self.engage(place, &channel, Engaged::Wrapping(wrap)),
            }
        }
        self.end(
            number,
            Some((worker.clone(), wrap_up)),
            TaskOutcome::Completed,
        );
        if code.is_some() {
            self.end_wraps(&worker, Some(&id), code, self.state.clock);
        }
    }

    /// After-call work that follows nothing.
    pub(super) fn start_wrap(&mut self, name: &str, lasts: Option<Duration>) {
        let Some(place) = self.state.workers.get_index_of(name) else {
            return;
        };
        let wrap = Wrap {
            after: None,
            until: lasts.map(|lasts| self.state.clock + lasts),
        };
        // Begun again, it lasts from now; there is never more than one of it.
        let worker = &mut self.state.workers[place];
        worker.engagements.retain(|one| !one.channel.is_empty());
        let about = About {
            until: wrap.until,
            ..About::worker(name)
        };
        self.event(EventName::WorkerWrapStarted, about);
        // It is on no channel: it keeps him from all.
        self.engage(place, "", Engaged::Wrapping(wrap));
    }

    pub(super) fn extend_wraps(&mut self, name: &str, by: Duration) {
        let Some(place) = self.state.workers.get_index_of(name) else {
            return;
        };
        for one in &mut self.state.workers[place].engagements {
            if let Engaged::Wrapping(wrap) = &mut one.what {
                wrap.until = wrap.until.map(|until| until + by);
            }
        }
        let ends = self.state.workers[place].wraps();
        let about = About {
            until: ends.filter_map(|wrap| wrap.until).min(),
            ..About::worker(name)
        };
        self.event(EventName::WorkerWrapExtended, about);
        self.worker_changed(place);
    }

    /// After-call work lasted as long as it may.
    pub(super) fn wrap_over(&mut self, name: &str, task: Option<&TaskId>) {
        let worker = self.state.workers.get(name);
        let due = worker.and_then(|worker| {
            let timed = worker.wraps().filter(|wrap| wrap.until.is_some());
            timed.min_by_key(|wrap| wrap.until)
        });
        let Some(until) = due.and_then(|wrap| wrap.until) else {
            return;
        };
        let clock = self.state.clock;
        self.end_those(name, until.min(clock), None, |wrap| {
            let after = wrap.after.as_ref().map(|after| &after.task);
            wrap.until == Some(until) && after == task
        });
    }

    /// The worker goes on to something else: his after-call work ends, but for what needs a code.
    pub(super) fn leave_wraps(&mut self, place: usize) {
        let Some((name, worker)) = self.state.workers.get_index(place) else {
            return;
        };
        let needs_code = |wrap: &Wrap| {
            let queue = wrap.after.as_ref().map(|after| &after.queue);
            let queue = queue.and_then(|queue| self.state.queues.get(queue));
            queue.is_some_and(|queue| queue.spec.wrap_up_code_required)
        };
        let kept: Vec<Wrap> = worker
            .wraps()
            .filter(|wrap| needs_code(wrap))
            .cloned()
            .collect();
        let name = name.clone();
        self.end_those(&name, self.state.clock, None, |wrap| !kept.contains(wrap));
    }

    /// The worker ends after-call work: that of one task, or all.
    pub(super) fn end_wraps(
        &mut self,
        name: &str,
        task: Option<&TaskId>,
        code: Option<&String>,
        idle_since: Timestamp,
    ) {
        self.end_those(name, idle_since, code, |wrap| {
            task.is_none() || wrap.after.as_ref().map(|after| &after.task) == task
        });
    }

    fn end_those(
        &mut self,
        name: &str,
        idle_since: Timestamp,
        code: Option<&String>,
        is_meant: impl Fn(&Wrap) -> bool,
    ) {
        let Some(place) = self.state.workers.get_index_of(name) else {
            return;
        };
        let clock = self.state.clock;
        let worker = &mut self.state.workers[place];
        let mut ended = Vec::new();
        worker.engagements.retain(|one| match &one.what {
            Engaged::Wrapping(wrap) if is_meant(wrap) => {
                ended.push((one.channel.clone(), wrap.clone()));
                false
            }
            _ => true,
        });
        if ended.is_empty() {
            return;
        }
        worker.idle_since = idle_since;
        worker.since = clock;
        self.worker_changed(place);
        for (channel, wrap) in ended {
            let Some(after) = wrap.after else {
                self.event(EventName::WorkerWrapEnded, About::worker(name));
                continue;
            };
            let about = About {
                reservation: after.reservation,
                task: Some(after.task.clone()),
                call: after.call.clone(),
                queue: Some(after.queue),
                channel: Some(channel),
                code: code.cloned(),
                ..About::worker(name)
            };
            self.event(EventName::ReservationCompleted, about.clone());
            self.event(EventName::TaskCompleted, about);
            self.say(Output::WrapEnded {
                task: after.task,
                call: after.call,
                worker: name.to_owned(),
                code: code.cloned(),
            });
        }
        self.go_to_next_activity(place);
    }
}
