//! `queue_status` and `staffing`: ways that part by how a queue is.

use serde::{Deserialize, Serialize};

use super::branch::{Case, first_that_holds, no_cases, see_cases};
use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_error};
use crate::base::Timestamp;
use crate::flow::check::Fault;
use crate::flow::request::{Reply, Request};

/// A look at a queue: its line and its agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// The queue.
    pub queue: String,
    /// Ways, in order; conditions see the figures behind `queue.`.
    pub cases: Vec<Case>,
    /// Step when no condition holds.
    pub otherwise: String,
    /// Step when nothing is known of the queue; the document's when left out.
    pub error: Option<String>,
}

impl Kind for Watching {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("queue", Part::Whole, Mention::Queue(&self.queue));
        see_cases(&self.cases, see);
        see("otherwise", Part::Whole, Mention::Step(&self.otherwise));
        see_error(self.error.as_deref(), see);
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        no_cases(step, &self.cases)
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let queue = self.queue.clone();
        run.consult(now, at, Request::Queue { queue }, super::AT_ONCE)
    }

    fn hear(&self, run: &mut Run, now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Reply(Reply::Queue(figures)) => {
                run.take_figures(figures);
                first_that_holds(&self.cases, &self.otherwise, run, now)
            }
            Heard::Reply(_) => run.error(self.error.as_deref()),
            _ => Turn::Stay,
        }
    }
}
