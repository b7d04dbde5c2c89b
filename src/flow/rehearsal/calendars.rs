//! The calendars of an office, asked without a switch.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::Timestamp;
use crate::calendar::{Calendar, Closings, Reason};
use crate::flow::Reply;

/// What the step `hours` looks at in a call, for rehearsals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendars {
    /// By name.
    pub calendars: IndexMap<String, Arc<Calendar>>,
    /// Names of those of queues, by queue.
    pub of_queues: HashMap<String, String>,
    /// What is closed by hand.
    pub closings: Closings,
}

impl Calendars {
    /// What a calendar says at an instant, by its own clock, as a call would be told: the one that
    /// is named, else the queue's. [`Reply::Failed`] when there is none.
    pub fn hours(&self, calendar: Option<&str>, queue: Option<&str>, now: Timestamp) -> Reply {
        let of_queue = || self.of_queues.get(queue?).map(String::as_str);
        let Some(name) = calendar.or_else(of_queue) else {
            return Reply::Failed(match queue {
                Some(queue) => format!("queue \"{queue}\" has no calendar"),
                None => "the dialled number has no calendar".to_owned(),
            });
        };
        let Some(calendar) = self.calendars.get(name) else {
            return Reply::Failed(format!("there is no calendar \"{name}\""));
        };
        let (open, reason) = calendar.now(now, &self.closings);
        Reply::Hours {
            open,
            why: why(&reason),
        }
    }
}

/// The rule that decided: its kind, its name if it has one, and where it is written.
fn why(reason: &Reason) -> String {
    let (layer, spot) = (reason.layer.as_str(), &reason.spot);
    match &reason.name {
        Some(name) => format!("{layer}: {}, {spot}", name.english),
        None => format!("{layer}, {spot}"),
    }
}
