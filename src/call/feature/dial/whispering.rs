//! What whoever has answered hears alone, before he is joined with the caller.

use super::Dial;
use crate::base::{Cause, LegId, Party};
use crate::call::aside::{Aside, Course};
use crate::call::core::Core;
use crate::call::feature::Next;
use crate::call::hands::Hands;
use crate::flow::DialOutcome;

impl Dial {
    /// Whoever answered hears what he is to hear alone; the others ring on only where he may
    /// still turn out not to take the call.
    pub(super) fn whisper(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
    ) -> Option<Next> {
        let document = self.terms.as_ref()?.whisper.clone()?;
        let run = self.run.as_ref()?.beside(document.clone());
        if !document.may_decline() {
            for other in std::mem::replace(&mut self.legs, vec![leg]) {
                if other != leg {
                    core.hang_up(hands, other, Party::Switch, Cause::answered_elsewhere());
                    self.listen_no_more(core, hands, other);
                }
            }
        }
        // The caller hears no whisper.
        self.listen_no_more(core, hands, leg);
        let mut whisper = Aside::whisper(leg, run, None, hands.now);
        let how = whisper.begin(core, hands);
        self.whispers.push(whisper);
        Some(self.whispered(core, hands, leg, how))
    }

    /// A whisper went on, or is over.
    pub(super) fn whispered(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        how: Course,
    ) -> Next {
        match how {
            Course::Under => Next::Stay,
            Course::Returned => self.connect(core, hands, leg),
            Course::HungUp(_) | Course::Left => {
                core.hang_up(hands, leg, Party::Switch, Cause::normal());
                self.lost(core, hands, leg)
            }
        }
    }

    /// The flow that dialled learns what a whisper has set and taken away.
    pub(super) fn learn(&mut self, core: &Core, leg: LegId) {
        let mut whispers = self.whispers.iter();
        let whisper = whispers.find(|whisper| whisper.leg() == Some(leg));
        if let (Some(run), Some(whisper)) = (&mut self.run, whisper) {
            run.learn(whisper.run().attributes(), &core.attributes);
        }
    }

    /// Lets every whisper take something in, until one of them changes what the call does.
    pub(super) fn tell_whispers(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        mut tell: impl FnMut(&mut Aside, &mut Core, &mut Hands<'_>) -> Course,
    ) -> Next {
        let legs: Vec<LegId> = self.whispers.iter().filter_map(Aside::leg).collect();
        for leg in legs {
            let mut whispers = self.whispers.iter_mut();
            let Some(whisper) = whispers.find(|whisper| whisper.leg() == Some(leg)) else {
                continue;
            };
            let how = tell(whisper, core, hands);
            match self.whispered(core, hands, leg, how) {
                Next::Stay => {}
                next => return next,
            }
        }
        Next::Stay
    }

    /// Whoever had answered is gone without taking the call: as if he had not answered.
    pub(super) fn lost(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        self.learn(core, leg);
        self.whispers.retain(|whisper| whisper.leg() != Some(leg));
        let outcome = DialOutcome::NoAnswer;
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
        let over = |id: &LegId| core.leg(*id).is_none_or(|leg| !leg.is_live());
        if !self.legs.iter().all(over) || self.ring_next(core, hands) {
            return Next::Stay;
        }
        self.give_up(core, hands, Party::Callee, 480)
    }
}
