//! A call in a queue: music and announcements for the caller, offers to agents as the router
//! decides. The router reserves, this rings; nobody is joined before the router says `Assigned`.

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Next, Stage, Talk, Treatment};
use crate::base::{Cause, LegId, Party, ReservationId, TaskId, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::refusal::is_do_not_disturb;
use crate::events::{AgentStretch, Fact, Role, Stretch};
use crate::flow::{Input, QueueOutcome, Run};
use crate::media::PlayId;
use crate::router::{self, Rejection, RevokedWhy};
use crate::waiting::{Action, LeaveWhy, Line};

/// A caller in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The flow that queued the caller, to go on with when nobody takes the call.
    run: Run,
    queue: String,
    priority: i64,
    task: Option<TaskId>,
    line: Option<Line>,
    play: Option<PlayId>,
    offer: Option<Offer>,
}

/// One agent being rung.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offer {
    reservation: ReservationId,
    agent: String,
    /// Legs that ring, one a registered contact.
    legs: Vec<LegId>,
    /// The leg that answered first; the router was told.
    answered: Option<LegId>,
    /// The last refusal, told to the router when no leg is left.
    refused: Option<u16>,
}

impl Waiting {
    pub(crate) fn new(run: Run, queue: String, priority: i64) -> Self {
        Self {
            run,
            queue,
            priority,
            task: None,
            line: None,
            play: None,
            offer: None,
        }
    }

    /// One more leg of the offer under way that may answer.
    pub(crate) fn add(&mut self, leg: LegId) {
        if let Some(offer) = self.offer.as_mut() {
            offer.legs.push(leg);
        }
    }

    /// Makes the task that the router finds an agent for.
    fn stand_in_line(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let task = hands.ids.task(hands.now);
        self.task = Some(task.clone());
        let (queue, call) = (self.queue.clone(), core.id.clone());
        core.emit(
            hands,
            Fact::Queued {
                queue: queue.clone(),
                task: task.clone(),
            },
        );
        let attributes = core.attributes.clone();
        hands.route(router::Command::CreateTask {
            task,
            call,
            queue,
            attributes,
            priority: self.priority,
        });
    }

    /// The router gave the call to the agent who answered: they talk.
    fn on_assigned(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (reservation, task, worker): (&ReservationId, &TaskId, &String),
    ) -> Next {
        let answered = self
            .offer
            .as_ref()
            .filter(|offer| offer.reservation == *reservation)
            .and_then(|offer| offer.answered);
        // The agent may be gone meanwhile; then the task was given back.
        let Some(leg) = answered else {
            return Next::Stay;
        };
        self.offer = None;
        self.task = None;
        let (reservation, agent) = (reservation.clone(), worker.clone());
        core.emit(
            hands,
            Fact::OfferEnded {
                reservation,
                agent,
                outcome: "accepted".to_owned(),
                said: None,
            },
        );
        let queue = self.queue.clone();
        core.emit(
            hands,
            Fact::Unqueued {
                queue,
                outcome: "answered".to_owned(),
            },
        );
        core.stop_play(hands, core.caller().id);
        let mut run = self.run.clone();
        run.handle(hands.now, Input::QueueLeft(QueueOutcome::Answered));
        let care = hands
            .generations
            .get(&core.generation)
            .and_then(|now| now.queues.get(&self.queue));
        let talk = Talk::with_agent(leg, worker.clone(), task.clone(), care, run);
        Next::Become(Stage::Talk(Box::new(talk)))
    }

    /// Does what the line machine asks for.
    fn serve(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        while let Some(action) = self.line.as_mut().and_then(Line::poll_action) {
            match action {
                Action::Announce(sounds) => {
                    let names = sounds.iter().map(String::as_str);
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                Action::Music(sound) => {
                    self.play = None;
                    core.play(hands, caller, [sound.as_str()], Looped::Forever);
                }
                Action::Leave(why) => return self.give_up(core, hands, why),
            }
        }
        Next::Stay
    }

    /// Leaves the queue unserved: back to the flow, which says goodbye in its own words.
    fn give_up(&mut self, core: &mut Core, hands: &mut Hands<'_>, why: LeaveWhy) -> Next {
        let outcome = match why {
            LeaveWhy::MaxWait => "timeout",
            LeaveWhy::Nobody => "nobody_available",
        };
        self.drop_offer(core, hands, outcome);
        if let Some(task) = self.task.take() {
            hands.route(router::Command::CancelTask {
                task,
                why: outcome.to_owned(),
            });
        }
        core.stop_play(hands, core.caller().id);
        core.emit(
            hands,
            Fact::Unqueued {
                queue: self.queue.clone(),
                outcome: outcome.to_owned(),
            },
        );
        let input = Input::QueueLeft(match why {
            LeaveWhy::MaxWait => QueueOutcome::TimedOut,
            LeaveWhy::Nobody => QueueOutcome::Nobody,
        });
        Next::Become(Stage::Treatment(Box::new(Treatment::resume(
            self.run.clone(),
            input,
        ))))
    }

    /// Stops ringing whoever is rung, and says how the offer ended.
    fn drop_offer(&mut self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        self.drop_refused(core, hands, outcome, None);
    }

    /// The same, with what the agent's phone said.
    fn drop_refused(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        outcome: &str,
        said: Option<String>,
    ) {
        let Some(offer) = self.offer.take() else {
            return;
        };
        for leg in &offer.legs {
            let cause = match outcome {
                "no_answer" => Cause::no_answer(),
                outcome => Cause::from_status(487).with_words(outcome.replace('_', " ")),
            };
            core.hang_up(hands, *leg, Party::Switch, cause);
        }
        core.emit(
            hands,
            Fact::OfferEnded {
                reservation: offer.reservation,
                agent: offer.agent.clone(),
                outcome: outcome.to_owned(),
                said,
            },
        );
        core.agent_enters(hands, &offer.agent, None, None);
    }

    fn begin_offer(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reservation: &ReservationId,
        agent: &str,
        phone: &str,
    ) {
        core.agent_enters(hands, agent, None, Some(AgentStretch::Offer));
        let mut offer = Offer {
            reservation: reservation.clone(),
            agent: agent.to_owned(),
            legs: Vec::new(),
            answered: None,
            refused: None,
        };
        let seat = hands.generations.get(&core.generation).map(|now| {
            let known = now.desk.agents.contains_key(agent);
            known.then(|| hands.desks.phone_of(&now.desk, agent))
        });
        // He may work at another phone than his own.
        let rung = match seat.flatten() {
            Some(seat) => seat.map_or(Err(480), |phone| {
                core.ring_phone(hands, &phone, Role::Agent, Some(agent))
            }),
            None => core.ring_phone(hands, phone, Role::Agent, Some(agent)),
        };
        match rung {
            Ok(legs) => {
                offer.legs = legs;
                self.offer = Some(offer);
            }
            Err(status) => {
                self.offer = Some(offer);
                self.refuse_offer(core, hands, status, None);
            }
        }
    }

    /// No leg of the offer is left: tells the router why, and forgets the offer.
    fn refuse_offer(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        status: u16,
        said: Option<String>,
    ) {
        let Some(reservation) = self.offer.as_ref().map(|offer| offer.reservation.clone()) else {
            return;
        };
        let is_wished = said.as_deref().is_some_and(is_do_not_disturb);
        let (why, outcome) = match status {
            480 | 486 | 600 if is_wished => (Rejection::Declined, "declined"),
            486 | 600 => (Rejection::Busy, "busy"),
            603 => (Rejection::Declined, "declined"),
            // RFC 3261 §8.1.3.1: no reply at all counts as 408, a dead transport as 503.
            404 | 408 | 410 | 480 | 503 => (Rejection::Unreachable, "unreachable"),
            status => (Rejection::Failed(status), "failed"),
        };
        hands.route(router::Command::Reject { reservation, why });
        self.drop_refused(core, hands, outcome, said);
    }

    /// Whoever answered is gone before the router's word came: the task goes back into its place
    /// in the line. A refusal means that the router had withdrawn the offer itself.
    fn give_back(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some(offer) = &self.offer {
            let reservation = offer.reservation.clone();
            let why = Rejection::Declined;
            hands.route(router::Command::GiveBack { reservation, why });
        }
        self.drop_offer(core, hands, "declined");
    }
}

impl Feature for Waiting {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let Some(care) = hands
            .generations
            .get(&core.generation)
            .and_then(|now| now.queues.get(&self.queue))
        else {
            let cause = Cause::from_status(500).with_words("the queue does not exist");
            return Next::End(Party::Switch, cause);
        };
        let mut line = Line::new(care.line.clone());
        core.caller_enters(hands, Stretch::Queue, &self.queue);
        self.stand_in_line(core, hands);
        core.save(hands);
        line.entered(hands.now);
        self.line = Some(line);
        self.serve(core, hands)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        let Some(offer) = self
            .offer
            .as_mut()
            .filter(|offer| offer.legs.contains(&leg))
        else {
            return Next::Stay;
        };
        let agent = offer.agent.clone();
        match event {
            LegEvent::Answered if offer.answered.is_none() => {
                offer.answered = Some(leg);
                let reservation = offer.reservation.clone();
                for other in offer.legs.clone().into_iter().filter(|other| *other != leg) {
                    let cause = Cause::answered_elsewhere();
                    core.hang_up(hands, other, Party::Switch, cause);
                }
                hands.route(router::Command::Accept { reservation });
            }
            LegEvent::Answered => {
                let cause = Cause::normal().with_words("answered elsewhere");
                core.hang_up(hands, leg, Party::Switch, cause);
            }
            LegEvent::Failed(status) => {
                offer.refused = Some(status);
                // RFC 3261 §16.7 step 5: a 6xx speaks for the agent, wherever else it rings.
                let is_last = status >= 600 || all_over(core, &offer.legs);
                if offer.answered.is_none() && is_last {
                    let said = core.leg(leg).and_then(|leg| leg.refusal.clone());
                    self.refuse_offer(core, hands, status, said);
                }
            }
            LegEvent::Ended if offer.answered == Some(leg) => {
                // Hung up between the answer and the router's word: as if declined.
                self.give_back(core, hands);
            }
            LegEvent::Ended => {}
            LegEvent::Progress(_) => {
                core.agent_enters(hands, &agent, Some(leg), Some(AgentStretch::Ring));
            }
        }
        Next::Stay
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            return Next::Stay;
        }
        self.play = None;
        if let Some(line) = self.line.as_mut() {
            line.play_done(hands.now, true);
        }
        self.serve(core, hands)
    }

    fn on_router(
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
                self.drop_offer(core, hands, "superseded");
                core.emit(
                    hands,
                    Fact::Offered {
                        reservation: reservation.clone(),
                        agent: worker.clone(),
                        queue: queue.clone(),
                        why: explanation.to_string(),
                    },
                );
                self.begin_offer(core, hands, reservation, worker, phone);
                Next::Stay
            }
            router::Output::OfferRevoked {
                reservation, why, ..
            } => {
                if self
                    .offer
                    .as_ref()
                    .is_some_and(|offer| offer.reservation == *reservation)
                {
                    self.drop_offer(core, hands, revoked(*why));
                }
                Next::Stay
            }
            router::Output::Assigned {
                reservation,
                task,
                worker,
                ..
            } => self.on_assigned(core, hands, (reservation, task, worker)),
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
                self.serve(core, hands)
            }
            router::Output::Refused { .. } | router::Output::TaskEnded { .. } => {
                // The router wants no more of it: nobody else will ever speak to this caller.
                self.task = None;
                self.give_up(core, hands, LeaveWhy::Nobody)
            }
            router::Output::WorkerChanged { .. } | router::Output::WrapEnded { .. } => Next::Stay,
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Some(line) = self.line.as_mut() {
            line.handle_timeout(hands.now);
        }
        self.serve(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.line.as_ref().and_then(Line::poll_timeout)
    }

    /// A phone that was ringing heard nothing of the restore: its offer is given back.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let Some(offer) = &self.offer else { return };
        if offer.answered.is_some() {
            // The router's word may have died with the process.
            self.give_back(core, hands);
        } else if all_over(core, &offer.legs) {
            self.refuse_offer(core, hands, 503, None);
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.drop_offer(core, hands, "caller_left");
        if let Some(task) = self.task.take() {
            let why = "abandoned".to_owned();
            hands.route(router::Command::CancelTask {
                task,
                why: why.clone(),
            });
            core.emit(
                hands,
                Fact::Unqueued {
                    queue: self.queue.clone(),
                    outcome: why,
                },
            );
        }
    }
}

/// The task an output is about.
fn task_of(output: &router::Output) -> Option<&TaskId> {
    match output {
        router::Output::Assigned { task, .. }
        | router::Output::NobodyCanTake { task, .. }
        | router::Output::Offer { task, .. }
        | router::Output::OfferRevoked { task, .. }
        | router::Output::Position { task, .. }
        | router::Output::TaskEnded { task, .. }
        | router::Output::WrapEnded { task, .. } => Some(task),
        router::Output::Refused { command, .. } => match command.as_ref() {
            router::Command::CreateTask { task, .. } => Some(task),
            _ => None,
        },
        router::Output::WorkerChanged { .. } => None,
    }
}

fn all_over(core: &Core, legs: &[LegId]) -> bool {
    legs.iter()
        .all(|leg| core.leg(*leg).is_none_or(|leg| !leg.is_live()))
}

/// The outcome a withdrawn offer has in the record.
fn revoked(why: RevokedWhy) -> &'static str {
    match why {
        RevokedWhy::Recovered => "restarted",
        RevokedWhy::RingTimeout => "no_answer",
        RevokedWhy::TaskCancelled => "caller_left",
        RevokedWhy::WorkerRemoved => "agent_removed",
    }
}
