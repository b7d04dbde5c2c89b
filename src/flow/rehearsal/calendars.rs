//! The calendars of an office, asked without a switch.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::base::Timestamp;
use crate::calendar::{Calendar, Closings};
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
        let of_queue = queue.and_then(|queue| self.of_queues.get(queue));
        Reply::hours(
            calendar,
            (queue, of_queue.map(String::as_str)),
            |calendar| {
                let calendar = self.calendars.get(calendar)?;
                Some(calendar.now(now, &self.closings))
            },
        )
    }
}
