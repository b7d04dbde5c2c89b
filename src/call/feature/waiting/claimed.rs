//! A caller in a queue whom another call claims by a reservation, and who comes back into the line
//! when that one gives up.

use super::{Waiting, care};
use crate::base::TaskId;
use crate::call::claims::Claim;
use crate::call::core::Core;
use crate::call::feature::{Next, Script, Served, Stage};
use crate::call::hands::Hands;
use crate::router::Destination;

impl Waiting {
    /// The same at its beginning, but for the time: for whoever may have to wait on.
    pub(super) fn anew(&self, queue: String) -> Self {
        Self {
            attributes: self.attributes.clone(),
            timeout: self.timeout,
            wait: self.wait,
            since: self.since,
            entered: self.entered,
            ..Self::new(
                self.script.clone(),
                Destination::Queue(queue),
                self.priority,
            )
        }
    }

    /// The same with what its documents have said by now; the task is the router's again.
    pub(in crate::call::feature) fn goes_on(&self, script: Script) -> Self {
        Self {
            script,
            ..self.clone()
        }
    }

    /// The router gave the task to the agent by whose reservation another call claims the caller.
    pub(super) fn on_claimed(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        claim: Claim,
        (agent, task): (String, TaskId),
    ) -> Next {
        self.ringing.drop_all(core, hands, "taken_elsewhere");
        let queue = self.queue.clone().unwrap_or_default();
        self.leave_queue(core, hands, "answered");
        core.stop_play(hands, core.caller().id);
        let care = care(core, hands, &queue);
        let back = Self {
            task: self.task.take(),
            ..self.anew(queue)
        };
        let script = self.script.clone();
        let served = Served::new(script, claim, (agent, task), care, back);
        Next::Become(Stage::Served(Box::new(served)))
    }
}
