//! Hold flows of a conversation: what whoever is on hold hears over the hold music. One that comes to
//! its end begins anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Script;
use crate::base::{LegId, Timestamp};
use crate::call::aside::{Aside, Course};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::flow::{QueueFlows, Reply};
use crate::media::PlayId;

/// The hold flows of a queue, and those under way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Holding {
    /// The caller's, by name.
    customer: Option<String>,
    /// Agents', by name.
    agent: Option<String>,
    under_way: Vec<Aside>,
    /// When those that came to their end begin anew: one that has little to say is no hammer.
    #[serde(default)]
    again: Option<Timestamp>,
}

/// How long after its end a hold flow begins anew.
const REST: Duration = Duration::from_secs(1);

impl Holding {
    /// Those of a queue.
    pub(super) fn of(flows: &QueueFlows) -> Self {
        Self {
            customer: flows.customer_hold.clone(),
            agent: flows.agent_hold.clone(),
            under_way: Vec::new(),
            again: None,
        }
    }

    /// Begins for whoever hears the hold music by now, and ends for whoever does no longer.
    pub(super) fn refresh(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        script: Option<&Script>,
    ) {
        if self.customer.is_none() && self.agent.is_none() {
            return;
        }
        let holds = |aside: &mut Aside| {
            let leg = aside.leg().and_then(|leg| core.leg(leg));
            leg.is_some_and(|leg| leg.is_answered() && leg.hears_music)
        };
        let over: Vec<Aside> = self.under_way.extract_if(.., |it| !holds(it)).collect();
        for mut aside in over {
            aside.stop(core, hands);
        }
        for (leg, name) in self.lonely(core) {
            let Some(document) = core.document(hands, &name) else {
                continue;
            };
            let run = match script {
                Some(script) => script.beside(core, hands, &document),
                None => core.run_beside(hands, &document),
            };
            let mut aside = match core.is_lead(leg) {
                true => Aside::of_caller(leg, run),
                false => {
                    let agent = core.leg(leg).and_then(|leg| leg.agent.as_deref());
                    let desk = hands.newest().map(|now| &now.desk);
                    let language = desk.and_then(|desk| desk.language_of(agent));
                    Aside::of_other(leg, run, language)
                }
            };
            // One that has nothing to say is begun again only when something else happens.
            if aside.begin(core, hands) == Course::Under {
                self.under_way.push(aside);
            }
        }
    }

    /// Who is on hold and hears no flow yet, with the flow he is to hear.
    fn lonely(&self, core: &Core) -> Vec<(LegId, String)> {
        let known = |leg: LegId| self.under_way.iter().any(|it| it.leg() == Some(leg));
        let legs = core.legs.iter();
        let on_hold = legs.filter(|leg| leg.is_answered() && leg.hears_music && !known(leg.id));
        on_hold
            .filter_map(|leg| {
                let flow = match (core.is_lead(leg.id), &leg.agent) {
                    (true, _) => &self.customer,
                    (false, Some(_)) => &self.agent,
                    (false, None) => &None,
                };
                Some((leg.id, flow.clone()?))
            })
            .collect()
    }

    /// Lets every flow take something in; those that come to their end begin anew.
    fn tell(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        mut tell: impl FnMut(&mut Aside, &mut Core, &mut Hands<'_>) -> Course,
    ) {
        let mut is_over = false;
        self.under_way.retain_mut(|aside| {
            let goes_on = tell(aside, core, hands) == Course::Under;
            is_over |= !goes_on;
            goes_on
        });
        if is_over {
            self.again = Some(hands.now + REST);
        }
    }

    /// A play of the call came to its end.
    pub(super) fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) {
        self.tell(core, hands, |aside, core, hands| {
            aside.on_play_done(core, hands, play)
        });
    }

    /// A question of the call is answered.
    pub(super) fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (request, reply): (u64, &Reply),
    ) {
        self.tell(core, hands, |aside, core, hands| {
            aside.on_told(core, hands, request, reply)
        });
    }

    /// The deadline came.
    pub(super) fn handle_timeout(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        script: Option<&Script>,
    ) {
        if self.again.take_if(|again| *again <= hands.now).is_some() {
            self.refresh(core, hands, script);
        }
        self.tell(core, hands, Aside::handle_timeout);
    }

    /// When to be woken.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let under_way = self.under_way.iter().filter_map(Aside::poll_timeout);
        under_way.chain(self.again).min()
    }

    /// The call was rebuilt.
    pub(super) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        for aside in &mut self.under_way {
            aside.restored(core, hands);
        }
    }
}
