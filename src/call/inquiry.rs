//! Questions that a call's flow puts to somebody who takes time: the answer comes back to the call,
//! whichever stage it is in by then.

use std::time::Duration;

use super::core::Core;
use super::hands::Hands;
use super::{ClosingWish, Exchange, Output};
use crate::base::{CallId, Pii, Timestamp};
use crate::events::Direction;
use crate::flow::{QueueFigures, Reply, Request, Run};
use crate::router::WorkerView;
use crate::speech::Wish;
use crate::twiml::{Fetch, Fetched};
use crate::webhook::{About, Shape};

/// A question under way. Whoever carries it out gives the answer to [`Exchange::told`], within its
/// budget; past that the flow has gone on by itself.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// Whose call it is.
    pub call: CallId,
    /// Which of its questions.
    pub request: u64,
    /// What is asked.
    pub subject: Subject,
}

/// What is asked, and whom.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An endpoint of the user's web application; answered by [`Reply::Data`].
    Endpoint {
        /// Its name.
        endpoint: String,
        /// The call that asks, and the step's parameters.
        about: Box<About>,
        /// In which shape.
        shape: Shape,
        /// Longest it may take.
        budget: Duration,
    },
    /// Whoever keeps the closings; answered by a [`super::ClosingOutcome`].
    Closing(ClosingWish),
    /// The document of a URL, for a call whose application says what becomes of it; answered by
    /// [`Supply::Document`].
    Document(Fetch),
    /// The sound of a URL; answered by [`Supply::Sound`].
    Sound(String),
    /// A voice; answered by [`Reply::Said`].
    Text(Wish),
}

/// What comes of a question that a document put; told by [`Exchange::supplied`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// A document, or why there is none.
    Document(Fetched),
    /// The name of a sound that is kept; else a number of Twilio's error dictionary, and why.
    Sound(Result<String, (u16, String)>),
}

impl Exchange {
    /// An [`Inquiry`] is answered. A call that is gone or past it does not listen.
    pub fn told(&mut self, now: Timestamp, call: &CallId, request: u64, reply: &Reply) {
        if let Some(key) = self.index.calls.get(call).copied() {
            self.with_call(now, key, |call, hands| call.on_told(hands, request, reply));
            self.pump(now);
        }
    }
}

/// Asks whoever knows: what is known here is told at once, for the rest `None` says that an
/// [`Inquiry`] is under way.
pub(super) fn inquire(
    core: &Core,
    hands: &mut Hands<'_>,
    run: &Run,
    (request, about): (u64, Request),
) -> Option<Reply> {
    let subject = match about {
        Request::Queue { queue } => return Some(queue_figures(hands, &queue)),
        Request::Hours { calendar, queue } => {
            return Some(hours(core, hands, calendar.as_deref(), queue.as_deref()));
        }
        Request::Http {
            endpoint,
            parameters,
            shape,
            budget,
        } => {
            let record = &core.record;
            Subject::Endpoint {
                endpoint,
                shape,
                budget,
                about: Box::new(About {
                    call: core.id.clone(),
                    at: hands.now,
                    from: record.from.clone(),
                    from_name: record.from_name.clone(),
                    to: record.to.clone(),
                    inbound: record.direction == Some(Direction::Inbound),
                    trunk: record.trunk.clone(),
                    flow: run.document().name.clone(),
                    // The one he waits in, else the last he was in.
                    queue: record.queues.last().map(|stay| stay.queue.clone()),
                    language: core.language().map(str::to_owned),
                    attributes: core.attributes.clone(),
                    parameters,
                }),
            }
        }
        Request::Say {
            text,
            voice,
            language,
        } => Subject::Text(Wish {
            text: Pii(text),
            voice,
            language,
        }),
        Request::Lookup { table, key } => {
            let generation = hands.generations.get(&core.generation);
            let table = generation.and_then(|it| it.tables.get(&table));
            return Some(match table {
                Some(table) => Reply::Data(table.row(&key).into()),
                None => Reply::Failed("there is no such table".to_owned()),
            });
        }
        // A message has a stage of its own (`Message::for_flow`).
        Request::Record(_) | Request::Voicemail { .. } => {
            return Some(Reply::Failed("flows do not ask that here".to_owned()));
        }
    };
    hands.outbox.push_back(Output::Inquire(Box::new(Inquiry {
        call: core.id.clone(),
        request,
        subject,
    })));
    None
}

/// What a calendar says at this moment.
fn hours(core: &Core, hands: &Hands<'_>, calendar: Option<&str>, queue: Option<&str>) -> Reply {
    let generation = hands.generations.get(&core.generation);
    let own = |queue| generation?.queues.get(queue)?.calendar.as_deref();
    Reply::hours(calendar, (queue, queue.and_then(own)), |calendar| {
        generation?.hours(calendar, hands.now)
    })
}

/// How a queue is, as the router's last view shows it.
fn queue_figures(hands: &Hands<'_>, name: &str) -> Reply {
    let view = hands.desks.view();
    let Some(queue) = view.queues.iter().find(|queue| queue.name == name) else {
        return Reply::Failed("the router does not know the queue".to_owned());
    };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let is_online =
        |worker: &&WorkerView| worker.reachable && worker.queues.iter().any(|queue| queue == name);
    let since = queue.oldest_since;
    Reply::Queue(QueueFigures {
        waiting: count(queue.waiting),
        oldest_wait: since.map_or(0, |since| hands.now.since(since).as_secs()),
        available: count(queue.free),
        staffed: count(queue.on_duty),
        online: count(view.workers.iter().filter(is_online).count()),
    })
}
