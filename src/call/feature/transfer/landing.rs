//! Where whoever stays lands when nobody has to be rung first: a flow, a conference, a service.

use crate::call::core::Core;
use crate::call::feature::{Application, Service, ServiceKind, Stage, Treatment};
use crate::call::hands::Hands;
use crate::flow::{Context, Run};
use crate::trunk::Destination;
use crate::twiml::Terms;

/// The stage of a destination, or of where its number leads for a while; `None`: somebody is to be
/// rung.
pub(super) fn led_to(
    core: &mut Core,
    hands: &mut Hands<'_>,
    destination: Destination,
) -> Option<Stage> {
    let generation = hands.generations.get(&core.generation)?;
    let (destination, check) = generation.lead_elsewhere(hands.now, destination);
    if let Some(check) = check {
        core.check(hands, check);
    }
    stage_of(core, hands, &destination)
}

/// The stage of a destination where nobody has to be rung first.
fn stage_of(core: &Core, hands: &Hands<'_>, destination: &Destination) -> Option<Stage> {
    let kind = match destination {
        Destination::Conference(number) => ServiceKind::Conference(number.clone()),
        Destination::Echo => ServiceKind::Echo,
        Destination::HoldMusic => ServiceKind::Music,
        Destination::Tone => ServiceKind::Tone,
        Destination::Application { number, attributes } => {
            let generation = hands.generations.get(&core.generation)?;
            let terms = generation.applications.numbers.get(number)?;
            let application = Application::of_caller(Terms::clone(terms), attributes.clone());
            return Some(Stage::Application(Box::new(application)));
        }
        Destination::Flow {
            name,
            number,
            attributes,
            calendar,
        } => {
            let generation = hands.generations.get(&core.generation)?;
            let document = generation.flows.get(name)?.clone();
            let context = Context {
                from: core.from.clone(),
                from_name: core.name_of_from(generation),
                to: number.clone(),
                trunk: core.caller().trunk.clone(),
                attributes: attributes.clone(),
                calendar: calendar.clone(),
                ..generation.context_of(number)
            };
            let flow = Treatment::new(Run::new(document, context));
            return Some(Stage::Treatment(Box::new(flow)));
        }
        _ => return None,
    };
    Some(Stage::Service(Service::new(kind)))
}
