//! What the router is asked for a caller in a queue, and what it says.

use super::{Waiting, care};
use crate::base::{ReservationId, TaskId};
use crate::call::core::Core;
use crate::call::feature::briefing::Whispers;
use crate::call::feature::{Briefing, Next, Stage, Talk};
use crate::call::hands::Hands;
use crate::events::Fact;
use crate::router::{self, LeftWhy, NewTask, Refusal, RevokedWhy, TaskOutcome};
use crate::waiting::LeaveWhy;

impl Waiting {
    /// Makes the task that the router finds an agent for.
    pub(super) fn ask_router(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let task = hands.ids.task(hands.now);
        self.task = Some(task.clone());
        let mut attributes = core.attributes.clone();
        attributes.extend(self.attributes.clone());
        hands.route(router::Command::CreateTask(Box::new(NewTask {
            to: self.to.clone(),
            attributes,
            priority: self.priority,
            started: self.since,
            time_to_live: self.timeout,
            ..NewTask::of_call(task, core.id.clone(), "")
        })));
    }

    /// What the router says of the task.
    pub(super) fn on_output(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        output: &router::Output,
    ) -> Next {
        if task_of(output).is_some_and(|task| self.task.as_ref() != Some(task)) {
            // About an earlier stay in a queue.
            return Next::Stay;
        }
        match output {
            router::Output::Offer {
                reservation,
                worker,
                phone,
                queue,
                explanation,
                ..
            } => {
                core.emit(
                    hands,
                    Fact::Offered {
                        reservation: reservation.clone(),
                        agent: worker.clone(),
                        queue: queue.clone(),
                        why: explanation.to_string(),
                    },
                );
                self.ringing
                    .begin(core, hands, (reservation, worker, phone));
                // Should the switch die now, the record says who was rung.
                core.save(hands);
                Next::Stay
            }
            router::Output::OfferRevoked {
                reservation, why, ..
            } => {
                self.ringing
                    .drop_one(core, hands, reservation, revoked(*why));
                Next::Stay
            }
            router::Output::Assigned {
                reservation,
                task,
                worker,
                ..
            } => self.on_assigned(core, hands, (reservation, task, worker)),
            router::Output::Moved { queue, .. } => {
                if self.queue.as_ref() != Some(queue) {
                    self.stand_in(core, hands, queue);
                    self.entered = None;
                    self.hear_queue(core, hands);
                    self.tell_standing(core, hands, None);
                }
                self.serve(core, hands)
            }
            router::Output::NobodyCanTake { .. } => {
                if let Some(line) = self.line.as_mut() {
                    line.nobody(hands.now);
                }
                self.serve(core, hands)
            }
            router::Output::Position {
                position, waiting, ..
            } => {
                if let Some(line) = self.line.as_mut() {
                    line.position(hands.now, *position, *waiting);
                }
                self.tell_standing(core, hands, Some((*position, *waiting)));
                self.serve(core, hands)
            }
            router::Output::Refused {
                why: Refusal::QueueFull,
                ..
            } => {
                self.task = None;
                self.withdraw(core, hands, "nobody_available");
                Next::Become(self.script.clone().turned_away(hands))
            }
            router::Output::Refused { .. } | router::Output::TaskEnded { .. } => {
                // The router wants no more of it: nobody else will ever speak to this caller.
                self.task = None;
                self.give_up(core, hands, left(output))
            }
            router::Output::WorkerChanged { .. } | router::Output::WrapEnded { .. } => Next::Stay,
        }
    }

    /// The router gave the call to the agent who answered: they talk.
    fn on_assigned(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (reservation, task, worker): (&ReservationId, &TaskId, &String),
    ) -> Next {
        if let Some(claim) = self.ringing.claimed(core, hands, reservation) {
            return self.on_claimed(core, hands, claim, (worker.clone(), task.clone()));
        }
        // The agent may be gone meanwhile; then the task was given back.
        let Some(leg) = self.ringing.accepted(core, hands, reservation) else {
            return Next::Stay;
        };
        self.ringing.drop_all(core, hands, "taken_elsewhere");
        self.task = None;
        let queue = self.queue.clone().unwrap_or_default();
        self.leave_queue(core, hands, "answered");
        let mut script = self.script.clone();
        let care = care(core, hands, &queue).cloned();
        let care = care.as_ref();
        let whispers = Whispers::of(core, hands, &script, care.map(|care| &care.flows));
        // A document ends what the caller hears by itself, and has nothing to say before.
        let documents = script.flow().is_none();
        if whispers.is_empty() || documents {
            core.stop_play(hands, core.caller().id);
            script.answered(core, hands);
        }
        let talk = Talk::with_agent(leg, worker.clone(), task.clone(), care, script);
        let back = self.anew(queue);
        let music = care.map_or_else(|| "music".to_owned(), |care| care.line.music.clone());
        match Briefing::new(core, hands, (talk.clone(), leg), whispers, (back, music)) {
            Some(briefing) => Next::Become(Stage::Briefing(Box::new(briefing))),
            None => Next::Become(Stage::Talk(Box::new(talk))),
        }
    }
}

/// The task an output is about.
fn task_of(output: &router::Output) -> Option<&TaskId> {
    match output {
        router::Output::Assigned { task, .. }
        | router::Output::Moved { task, .. }
        | router::Output::NobodyCanTake { task, .. }
        | router::Output::Offer { task, .. }
        | router::Output::OfferRevoked { task, .. }
        | router::Output::Position { task, .. }
        | router::Output::TaskEnded { task, .. }
        | router::Output::WrapEnded { task, .. } => Some(task),
        router::Output::Refused { command, .. } => match command.as_ref() {
            router::Command::CreateTask(new) => Some(&new.task),
            _ => None,
        },
        router::Output::WorkerChanged { .. } => None,
    }
}

/// Why a caller whom the router gave up leaves the line.
fn left(output: &router::Output) -> LeaveWhy {
    match output {
        router::Output::TaskEnded {
            outcome: TaskOutcome::Left(LeftWhy::TimeToLive | LeftWhy::WorkflowTimedOut),
            ..
        } => LeaveWhy::MaxWait,
        _ => LeaveWhy::Nobody,
    }
}

/// The outcome a withdrawn offer has in the record.
fn revoked(why: RevokedWhy) -> &'static str {
    match why {
        RevokedWhy::ActivityChanged => "agent_left",
        RevokedWhy::Recovered => "switch-restart",
        RevokedWhy::Reevaluated => "reevaluated",
        RevokedWhy::Rejected => "declined",
        RevokedWhy::Rescinded => "taken_elsewhere",
        RevokedWhy::RingTimeout => "no_answer",
        RevokedWhy::TaskCancelled => "caller_left",
        RevokedWhy::WorkerRemoved => "agent_removed",
    }
}
