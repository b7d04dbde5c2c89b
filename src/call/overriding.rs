//! Numbers that lead elsewhere for a while: by hand, or by the configuration. Whichever decided is in
//! the record.

use super::Generation;
use crate::base::Timestamp;
use crate::events::Check;
use crate::flow::FlowType;
use crate::trunk::{Destination, NumberOverride};

impl Generation {
    /// Where a destination leads at this moment, and what the record says of it when that is
    /// another flow than the number's own. What is done by hand outranks the configuration; a flow
    /// that is not there leads nobody anywhere.
    pub(super) fn lead_elsewhere(
        &self,
        now: Timestamp,
        destination: Destination,
    ) -> (Destination, Option<Check>) {
        let (number, attributes, calendar) = match &destination {
            Destination::Flow {
                number,
                attributes,
                calendar,
                ..
            } => (number.clone(), attributes.clone(), calendar.clone()),
            Destination::Application { number, attributes } => {
                let calendar = self.numbers.calendar_of(number).map(str::to_owned);
                (number.clone(), attributes.clone(), calendar)
            }
            _ => return (destination, None),
        };
        let board = self.overrides.read();
        let profile = self.number_profiles.get(&number);
        let written = profile.and_then(|profile| profile.instead.as_ref());
        let written = written.filter(|it| it.holds(now));
        let (it, by) = match (board.of(&number, now), written) {
            (Some(it), _) => (it, "by hand"),
            (None, Some(it)) => (it, "by numbers.toml"),
            (None, None) => return (destination, None),
        };
        let what = describe(it, by);
        let document = self.flows.get(&it.flow);
        if document.is_none_or(|document| document.flow_type != FlowType::Inbound) {
            let words = format!("{what}, which is no flow for callers: the number keeps its own");
            tracing::warn!(number, flow = it.flow, "number.override_without_flow");
            // The call goes on, so it is no check that failed.
            let check = Check::passed(NAME, &number, words);
            return (destination, Some(check));
        }
        let check = Check::passed(NAME, &number, what);
        let flow = Destination::Flow {
            name: it.flow.clone(),
            number,
            attributes,
            calendar,
        };
        (flow, Some(check))
    }
}

fn describe(it: &NumberOverride, by: &str) -> String {
    let until = match it.until {
        Some(until) => format!("until {until}"),
        None => "until it is taken back".to_owned(),
    };
    match &it.reason {
        Some(reason) => format!("{by} to flow {} {until}: {reason}", it.flow),
        None => format!("{by} to flow {} {until}", it.flow),
    }
}

const NAME: &str = "number.override";
