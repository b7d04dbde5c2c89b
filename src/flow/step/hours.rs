//! `hours`: whether it is open.

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_error};
use crate::base::Timestamp;
use crate::flow::request::{Reply, Request};

/// A look at a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Calendar; `None` for the dialled number's own.
    pub calendar: Option<String>,
    /// Queue whose calendar it is, where `calendar` is `None`.
    #[serde(default)]
    pub queue: Option<String>,
    /// Step when it is open.
    pub open: String,
    /// Step when it is closed.
    pub closed: String,
    /// Step when it cannot be said; the document's when left out.
    pub error: Option<String>,
}

impl Kind for Opening {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        if let Some(calendar) = &self.calendar {
            see("calendar", Part::Whole, Mention::Calendar(calendar));
        }
        if let Some(queue) = &self.queue {
            see("queue", Part::Whole, Mention::Queue(queue));
        }
        see("open", Part::Whole, Mention::Step(&self.open));
        see("closed", Part::Whole, Mention::Step(&self.closed));
        see_error(self.error.as_deref(), see);
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let queue = self.queue.clone();
        let calendar = self.calendar.clone();
        let calendar = calendar.or_else(|| run.calendar().filter(|_| queue.is_none()));
        let request = Request::Hours { calendar, queue };
        run.consult(now, at, request, super::AT_ONCE)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Reply(Reply::Hours { open, .. }) => Turn::Go(match open {
                true => self.open.clone(),
                false => self.closed.clone(),
            }),
            Heard::Reply(_) => run.error(self.error.as_deref()),
            _ => Turn::Stay,
        }
    }
}
