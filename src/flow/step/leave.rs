//! `leave`: out of the queue the caller waits in, back to the flow that sent him there.

use serde::{Deserialize, Serialize};

use super::{Kind, Run, See, Turn};
use crate::base::Timestamp;

/// Out of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {}

impl Kind for Leaving {
    fn mentions<'a>(&'a self, _: See<'_, 'a>) {}

    fn enter(&self, run: &mut Run, _now: Timestamp, _at: &str) -> Turn {
        run.leave_queue();
        Turn::Stay
    }
}
