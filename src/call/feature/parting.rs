//! A call that is over, whose disconnect flow still runs: it hears nobody and nobody hears it. The
//! record waits for it, though not for long.

use serde::{Deserialize, Serialize};

use super::{Feature, Next, Stage};
use crate::base::Timestamp;
use crate::call::aside::{Aside, Course};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::flow::Reply;

/// A disconnect flow under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parting {
    flow: Aside,
}

impl Parting {
    /// The disconnect flow of the last queue the caller stood in, else of the number he dialled.
    pub(crate) fn of(core: &Core, hands: &Hands<'_>) -> Option<Self> {
        let generation = hands.generations.get(&core.generation)?;
        let queue = core.record.queues.last();
        let queue = queue.and_then(|stay| generation.queues.get(&stay.queue));
        let of_queue = queue.and_then(|care| care.flows.disconnect.as_ref());
        let number = generation.number_profiles.get(&core.to);
        let of_number = number.and_then(|profile| profile.disconnect.as_ref());
        let document = core.document(hands, of_queue.or(of_number)?)?;
        let run = core.run_beside(hands, &document);
        Some(Self {
            flow: Aside::of_nobody(run),
        })
    }

    fn go_on(how: &Course) -> Next {
        match how {
            Course::Under => Next::Stay,
            _ => Next::Become(Stage::Over),
        }
    }
}

impl Feature for Parting {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        Self::go_on(&self.flow.begin(core, hands))
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Next {
        Self::go_on(&self.flow.on_told(core, hands, request, reply))
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        Self::go_on(&self.flow.handle_timeout(core, hands))
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.flow.poll_timeout()
    }
}
