//! From a checked configuration to what calls look up.

use std::sync::Arc;
use std::time::Duration;

use crate::calendar::ClosingBoard;
use crate::call::{Applications, Generation, Phone, QueueCare};
use crate::config::Office;
use crate::media::Library;
use crate::sip::auth::Offers;
use crate::trunk::Meaning;
use crate::twiml::Terms;

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
    let max_waiting = |name: &String| {
        let spec = office.plan.queues.iter().find(|spec| spec.name == *name);
        spec.map_or(0, |spec| spec.max_waiting)
    };
    let workflows = office.plan.workflows.iter();
    let queues = office.lines.iter().map(|(name, line)| {
        (
            name.clone(),
            QueueCare {
                line: line.clone(),
                calendar: office.queue_calendars.get(name).cloned(),
                record: office.recorded.contains(name),
                wraps_up: wraps_up(name),
                max_waiting: max_waiting(name),
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
        applications: applications(office),
        queues: queues.collect(),
        workflows: workflows.map(|workflow| workflow.name.clone()).collect(),
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

/// Applications with what holds for all of them: account, REST API, numbers that may be shown.
fn applications(office: &Office) -> Applications {
    let account = office.webhooks.account.as_ref();
    let account = account.and_then(|account| account.sid.parse().ok());
    let api = office.node.rest.as_ref().map(|rest| rest.url.clone());
    let mut applications = Applications::default();
    applications.account = account.unwrap_or(applications.account);
    applications.api = api.unwrap_or_default();
    applications.caller_ids = own_numbers(office);
    for (number, terms) in &office.applications {
        let terms = Terms {
            caller_ids: applications.caller_ids.clone(),
            api: applications.api.clone(),
            ..terms.clone()
        };
        applications.numbers.insert(number.clone(), Arc::new(terms));
    }
    applications
}

/// Numbers by which the office can be called, as they are written and in E.164.
fn own_numbers(office: &Office) -> Vec<String> {
    let entries = office.numbers.entries().iter();
    let inbound = entries.filter_map(|entry| match &entry.meaning {
        Meaning::Application { number, .. } | Meaning::Flow { number, .. } => Some(number),
        _ => None,
    });
    let site = &office.node.site;
    let written = inbound.chain(&site.caller_id).cloned();
    let plan = site.plan.as_ref();
    let mut numbers: Vec<String> = written
        .flat_map(|number| {
            let e164 = plan.and_then(|plan| plan.e164(&number));
            [Some(number), e164]
        })
        .flatten()
        .chain(site.caller_ids.first().map(str::to_owned))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
