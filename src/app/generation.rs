//! From a checked configuration to what calls look up.

use std::sync::Arc;
use std::time::Duration;

use crate::calendar::ClosingBoard;
use crate::call::{Applications, Generation, Phone, QueueCare};
use crate::config::Office;
use crate::media::Library;
use crate::sip::auth::Offers;

/// How long a dialled phone or trunk rings when no flow says otherwise: as long as most carriers
/// let it ring.
const RING_TIMEOUT: Duration = Duration::from_secs(60);

/// Prepares the generation of an office. Nothing is changed yet. What is closed by hand outlives it.
pub fn prepare(
    office: &Office,
    number: u64,
    sounds: Library,
    closings: ClosingBoard,
) -> Arc<Generation> {
    let phones = office.phones.iter().map(|phone| {
        let known = Phone {
            number: phone.number.clone(),
            display_name: phone.display_name.clone(),
            ha1: phone.ha1.clone(),
            networks: phone.networks.clone(),
            may_transfer: phone.may_transfer,
            replaces: phone.replaces,
            shows: phone.shows.clone(),
            redirects: phone.redirects,
            media: phone.media.clone(),
            srtp: phone.srtp,
        };
        (phone.number.clone(), known)
    });
    let trunks = office
        .trunks
        .iter()
        .map(|trunk| (trunk.name.clone(), Arc::new(trunk.clone())))
        .collect();
    let wraps_up = |name: &String| {
        let spec = office.plan.queues.iter().find(|spec| spec.name == *name);
        spec.is_some_and(|spec| spec.wrap_up_open || !spec.wrap_up.is_zero())
    };
    let queues = office.lines.iter().map(|(name, line)| {
        (
            name.clone(),
            QueueCare {
                line: line.clone(),
                calendar: office.queue_calendars.get(name).cloned(),
                flows: office.queue_flows.get(name).cloned().unwrap_or_default(),
                record: office.recorded.contains(name),
                wraps_up: wraps_up(name),
            },
        )
    });
    let secrets = office.phones.iter();
    let offers = Offers::new(secrets.map(|phone| (phone.number.as_str(), &phone.ha1)));
    Arc::new(Generation {
        number,
        offers,
        phones: phones.collect(),
        trunks,
        numbers: office.numbers.clone(),
        caller_id: office.node.site.caller_id.clone(),
        caller_ids: office.node.site.caller_ids.clone(),
        calendars: office.calendars.clone(),
        closings,
        tables: office.tables.clone(),
        flows: office.flows.clone(),
        number_profiles: office.number_profiles.clone(),
        applications: Applications::default(),
        queues: queues.collect(),
        desk: office.desk.clone(),
        recording: office.node.recording.terms.clone(),
        transfers: office.node.transfers.clone(),
        conferences: office.node.conferences.clone(),
        voicemail: office.voicemail.clone(),
        sounds,
        max_calls: office.node.max_calls,
        ring_timeout: RING_TIMEOUT,
        redirect_domains: office.node.sip.redirect_domains.clone(),
        terms: office.node.dialogs.terms,
        pass_reason: office.node.dialogs.pass_reason,
    })
}
