//! One test of a flow: who calls and what he does, what the world says, and what is to come of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Calendars, Rehearsal, Wait};
use crate::base::Timestamp;
use crate::flow::request::{QueueFigures, Reply, Request};
use crate::flow::run::{Action, Context, DialOutcome, QueueOutcome};
use crate::flow::{Document, FlowType, Rejection};
use crate::router::Destination;

/// One test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Who calls whom.
    pub context: Context,
    /// When.
    pub at: Timestamp,
    /// What the caller does, in order; then he is silent.
    pub caller: Vec<Move>,
    /// What the world says.
    pub world: World,
    /// What is to come of it.
    pub expect: Expectation,
}

/// One thing a caller does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// He hangs up, at the next question, sound or conversation.
    HangsUp,
    /// He presses these keys while something plays.
    Interrupts(String),
    /// He presses these keys when he is asked.
    Presses(String),
    /// He says nothing when he is asked.
    Silent,
}

impl Move {
    /// Reads `1`, `123#`, `silence`, `hangs up`, `interrupts 1`; `None` when it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let are_keys = |it: &str| !it.is_empty() && it.chars().all(crate::ivr::is_key);
        match text.trim() {
            "hangs up" => Some(Self::HangsUp),
            "silence" => Some(Self::Silent),
            keys if are_keys(keys) => Some(Self::Presses(keys.to_owned())),
            other => {
                let keys = other.strip_prefix("interrupts ")?.trim();
                are_keys(keys).then(|| Self::Interrupts(keys.to_owned()))
            }
        }
    }
}

/// What everybody else does, each kind in the order it is asked. Where nothing is left, queues and
/// dialled numbers answer, calendars say what they say at that instant, and whoever else is asked
/// something fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Outcomes of stands in queues.
    pub queue: VecDeque<QueueOutcome>,
    /// Outcomes of dialled numbers.
    pub dial: VecDeque<DialOutcome>,
    /// Replies in place of those of calendars: open or not; `None` for a failure.
    pub hours: VecDeque<Option<bool>>,
    /// The calendars.
    pub calendars: Arc<Calendars>,
    /// Replies of endpoints; `None` for a failure.
    pub http: VecDeque<Option<Value>>,
    /// Replies of tables; `None` for a failure.
    pub lookup: VecDeque<Option<Value>>,
    /// Figures of queues; `None` for a failure.
    pub figures: VecDeque<Option<QueueFigures>>,
    /// Lengths of what is recorded; `None` for a failure.
    pub record: VecDeque<Option<Duration>>,
}

/// What is to come of a trial; what is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Sounds in order.
    pub heard: Option<Vec<String>>,
    /// Steps in order.
    pub path: Option<Vec<String>>,
    /// Attributes that are set at the end, among others.
    pub attributes: Option<Map<String, Value>>,
    /// Queues and workflows in order.
    pub queue: Option<Vec<String>>,
    /// Numbers dialled, in order.
    pub dialled: Option<Vec<String>>,
    /// How it ends.
    pub end: Option<Ending>,
}

/// How a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// An application has the caller.
    Application,
    /// The caller hung up.
    CallerLeft,
    /// The caller is in a conference.
    Conference,
    /// It did not end within the limits of a trial.
    Endless,
    /// The flow ended the call.
    HungUp(Rejection),
    /// The caller left the queue.
    Left,
    /// The flow came to its end, and the call goes on: of flows of other types than `inbound`.
    Returned,
    /// The flow took too many steps.
    TooManySteps,
}

impl Ending {
    /// Every ending, by the word tests use.
    pub const WORDS: [(&'static str, Ending); 12] = [
        ("application", Ending::Application),
        ("busy", Ending::HungUp(Rejection::Busy)),
        ("caller_left", Ending::CallerLeft),
        ("conference", Ending::Conference),
        ("declined", Ending::HungUp(Rejection::Declined)),
        ("endless", Ending::Endless),
        ("left", Ending::Left),
        ("normal", Ending::HungUp(Rejection::Normal)),
        ("not_found", Ending::HungUp(Rejection::NotFound)),
        ("returned", Ending::Returned),
        ("too_many_steps", Ending::TooManySteps),
        ("unavailable", Ending::HungUp(Rejection::Unavailable)),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        let found = words.find(|(_, ending)| *ending == self);
        found.map_or("normal", |(word, _)| word)
    }
}

/// What came of a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Sounds in order.
    pub heard: Vec<String>,
    /// Steps in order, those of another flow as `flow/step`.
    pub path: Vec<String>,
    /// Attributes at the end.
    pub attributes: Map<String, Value>,
    /// Queues and workflows in order.
    pub queue: Vec<String>,
    /// Numbers dialled, in order.
    pub dialled: Vec<String>,
    /// Which actions, in order: for tests of the engine.
    pub actions: Vec<Action>,
    /// How it ended.
    pub end: Option<Ending>,
    /// How long it took, in the time of the rehearsal.
    pub took: Duration,
}

/// Most that may happen in a trial, and longest it may last: more than 5000 steps of 20 questions, or
/// of the longest pauses and announcements, can come to.
const MOST_EVENTS: usize = 500_000;
const LONGEST: Duration = Duration::from_secs(100 * 24 * 3600);
/// From key to key.
const KEY: Duration = Duration::from_millis(300);

impl Trial {
    /// Plays it.
    pub fn play(&self, document: &Arc<Document>) -> Course {
        let context = Context {
            started: self.at,
            ..self.context.clone()
        };
        let mut rehearsal = Rehearsal::new(Arc::clone(document), context, self.at);
        let mut course = Course::default();
        let mut world = self.world.clone();
        let mut caller: VecDeque<Move> = self.caller.iter().cloned().collect();
        let mut left = false;
        for _ in 0..MOST_EVENTS {
            course.take(&mut rehearsal, document);
            if rehearsal.wait() == Wait::Over {
                break;
            }
            if rehearsal.now().since(self.at) > LONGEST {
                course.end = Some(Ending::Endless);
                break;
            }
            left |= step(&mut rehearsal, &mut caller, &mut world);
        }
        course.take(&mut rehearsal, document);
        if left {
            course.end = Some(Ending::CallerLeft);
        } else if rehearsal.wait() != Wait::Over {
            course.end = Some(Ending::Endless);
        }
        course.attributes = rehearsal.run().attributes().clone();
        course.took = rehearsal.now().since(self.at);
        course
    }
}

/// Lets one thing happen; says whether the caller left.
fn step(rehearsal: &mut Rehearsal, caller: &mut VecDeque<Move>, world: &mut World) -> bool {
    let hangs_up = caller.front() == Some(&Move::HangsUp);
    match rehearsal.wait() {
        Wait::Over => {}
        Wait::Sound => match caller.front() {
            Some(Move::Interrupts(keys)) => {
                let keys = keys.clone();
                caller.pop_front();
                press(rehearsal, &keys);
            }
            Some(Move::HangsUp) if !rehearsal.run().is_asking() => rehearsal.hang_up(),
            _ => drop(rehearsal.pass()),
        },
        Wait::Caller if hangs_up => rehearsal.hang_up(),
        Wait::Caller => match caller.pop_front() {
            Some(Move::Presses(keys) | Move::Interrupts(keys)) => press(rehearsal, &keys),
            _ => drop(rehearsal.pass()),
        },
        Wait::Time => drop(rehearsal.pass()),
        Wait::Talk if hangs_up => rehearsal.hang_up(),
        Wait::Talk => rehearsal.end_talk(),
        Wait::Queue { .. } if hangs_up => rehearsal.hang_up(),
        Wait::Queue { .. } => {
            let outcome = world.queue.pop_front();
            rehearsal.leave_queue(outcome.unwrap_or(QueueOutcome::Answered));
        }
        Wait::Dial { .. } if hangs_up => rehearsal.hang_up(),
        Wait::Dial { .. } => {
            let outcome = world.dial.pop_front();
            rehearsal.end_dial(outcome.unwrap_or(DialOutcome::Answered));
        }
        Wait::Request { about, .. } => {
            let reply = world.reply(&about, rehearsal.now());
            rehearsal.reply(reply);
        }
    }
    hangs_up && rehearsal.wait() == Wait::Over
}

fn press(rehearsal: &mut Rehearsal, keys: &str) {
    for key in keys.chars() {
        rehearsal.press(key);
        // The last silence between keys is the caller's own.
        if rehearsal.wait() == Wait::Caller {
            rehearsal.pass_for(KEY);
        }
    }
}

impl World {
    /// What is replied to a request at an instant.
    pub fn reply(&mut self, about: &Request, now: Timestamp) -> Reply {
        let reply = match about {
            Request::Hours { calendar, queue } => match self.hours.pop_front() {
                Some(written) => written.map(|open| Reply::Hours {
                    open,
                    why: String::new(),
                }),
                None => {
                    let (calendar, queue) = (calendar.as_deref(), queue.as_deref());
                    Some(self.calendars.hours(calendar, queue, now))
                }
            },
            Request::Http { .. } => self.http.pop_front().flatten().map(Reply::Data),
            Request::Lookup { .. } => self.lookup.pop_front().flatten().map(Reply::Data),
            Request::Queue { .. } => self.figures.pop_front().flatten().map(Reply::Queue),
            // As if somebody had recorded it.
            Request::Say { text, .. } => Some(Reply::Said {
                sound: text.clone(),
            }),
            Request::Record(_) | Request::Voicemail { .. } => {
                let length = self.record.pop_front().flatten();
                length.map(|length| Reply::Recorded {
                    name: "recording".to_owned(),
                    length,
                })
            }
        };
        reply.unwrap_or_else(|| Reply::Failed("the test gives no reply".to_owned()))
    }
}

impl Course {
    fn take(&mut self, rehearsal: &mut Rehearsal, document: &Document) {
        let main = &document.name;
        while let Some(action) = rehearsal.poll_action() {
            match &action {
                Action::Play { sounds, .. } => self.heard.extend(sounds.iter().cloned()),
                Action::Enter { flow, step } if flow == main => self.path.push(step.clone()),
                Action::Enter { flow, step } => self.path.push(format!("{flow}/{step}")),
                Action::Enqueue { to, .. } => self.queue.push(match to {
                    Destination::Queue(name) | Destination::Workflow(name) => name.clone(),
                }),
                Action::Dial(terms) => self.dialled.extend(terms.numbers.iter().cloned()),
                Action::Application(_) => self.end = Some(Ending::Application),
                Action::Leave => self.end = Some(Ending::Left),
                Action::Conference { .. } => self.end = Some(Ending::Conference),
                Action::HangUp { cause } => {
                    let known = Rejection::WORDS.iter().map(|(_, how)| *how);
                    let how = known.into_iter().find(|how| how.cause().q850 == cause.q850);
                    let goes_on = document.flow_type != FlowType::Inbound;
                    self.end = Some(match how {
                        _ if goes_on && rehearsal.run().has_returned() => Ending::Returned,
                        _ if cause.sip == 500 => Ending::TooManySteps,
                        how => Ending::HungUp(how.unwrap_or(Rejection::Normal)),
                    });
                }
                _ => {}
            }
            self.actions.push(action);
        }
    }
}

/// Two lists compared line by line: what is only in the first begins with `-`, what is only in the
/// second with `+`.
pub fn difference(expected: &[String], got: &[String]) -> String {
    let (rows, columns) = (expected.len(), got.len());
    // Longest common parts of the rests, as of Hunt and McIlroy; both are short.
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = match expected[row] == got[column] {
                true => common[row + 1][column + 1] + 1,
                false => common[row + 1][column].max(common[row][column + 1]),
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::new();
    while row < rows || column < columns {
        if row < rows && column < columns && expected[row] == got[column] {
            lines.push(format!("  {}", expected[row]));
            (row, column) = (row + 1, column + 1);
        } else if row < rows
            && (column == columns || common[row + 1][column] >= common[row][column + 1])
        {
            lines.push(format!("- {}", expected[row]));
            row += 1;
        } else {
            lines.push(format!("+ {}", got[column]));
            column += 1;
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn moves_are_read() {
        assert_eq!(Move::parse("12#"), Some(Move::Presses("12#".to_owned())));
        assert_eq!(
            Move::parse("interrupts 9"),
            Some(Move::Interrupts("9".to_owned()))
        );
        assert_eq!(Move::parse("silence"), Some(Move::Silent));
        assert_eq!(Move::parse("hangs up"), Some(Move::HangsUp));
        assert_eq!(Move::parse("hang up"), None);
    }

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_too_much() {
        let shown = difference(&texts("greeting menu goodbye"), &texts("greeting no menu"));
        assert_eq!(shown, "  greeting\n+ no\n  menu\n- goodbye");
        assert_eq!(difference(&[], &[]), "");
    }
}
