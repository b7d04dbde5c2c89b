//! The configuration directory: parse, check everything, report every error at once.
//!
//! [`load`] reads a directory of TOML files and the environment, and gives an [`Office`] or a
//! [`Report`] of all that is wrong, each with `file:line:column` and a remedy. One file of this
//! room reads one section; the types it fills belong to the rooms that use them.

mod agents;
mod applications;
mod calendars;
mod conference;
mod defence;
mod desk;
mod dialogs;
mod dns;
mod duration;
mod environment;
mod files;
mod flows;
mod heartbeat;
mod journal;
mod layers;
mod mail;
mod media;
mod names;
mod node;
mod notes;
mod numbers;
mod office;
mod phones;
mod profiles;
mod queues;
mod recording;
mod report;
mod rest;
mod secret;
mod section;
mod site;
mod sounds;
mod source;
mod speech;
mod tables;
mod terms;
mod tls;
mod trace;
mod transfer;
mod trunks;
mod value;
mod voicemail;
mod webhooks;
mod whisper;
mod words;
mod workflows;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::calendar::Closings;
use crate::flow::rehearsal::Calendars;
use crate::router::Plan;
use crate::trunk::Origin;

use files::Files;
use flows::Flows;
use notes::Notes;

pub use defence::DefenceSettings;
pub use desk::published_pin;
pub use dialogs::DialogSettings;
pub use environment::Environment;
pub use node::{MediaSettings, NodeSettings, SipSettings};
pub use office::{Changes, Office};
pub use phones::{Phone, published_password};
pub use queues::Placement;
pub use recording::RecordingSettings;
pub use report::{Level, Problem, Report, Style};
pub use rest::RestSettings;
pub use site::SiteSettings;
pub use source::{Place, Source};
pub use tls::{SYSTEM_ROOTS, TlsSettings};
pub use trace::TraceSettings;

/// Reads and checks a configuration directory.
///
/// Touches no socket and creates nothing. The error holds every problem found, warnings included.
pub fn load(directory: &Path, environment: &Environment) -> Result<Office, Report> {
    read(directory, environment, Tests::Left).map(|(office, _)| office)
}

/// The same, and plays the tests beside the flows: how many there are. One that comes out otherwise
/// is an error like any other.
pub fn load_and_test(
    directory: &Path,
    environment: &Environment,
) -> Result<(Office, usize), Report> {
    read(directory, environment, Tests::Played)
}

/// Whether the tests beside flows are played: not where a switch waits for its configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tests {
    Left,
    Played,
}

fn read(
    directory: &Path,
    environment: &Environment,
    tests: Tests,
) -> Result<(Office, usize), Report> {
    let notes = Notes::default();
    let files = Files::read(directory, &notes);
    let (node, listeners) = node::read(directory, &files, environment, &notes);
    let site = node.site.plan.as_ref();
    let around = trunks::Around {
        listeners: &listeners,
        ports: &node.media.ports,
        site,
    };
    let trunks = trunks::read(directory, &files, environment, &around, &notes);
    let phones = phones::read(directory, &files, environment, (&node.realm, site), &notes);
    phones.check_listeners(&listeners, &notes);
    let secrets = (directory, environment);
    let mail = mail::read(&files, secrets, &notes);
    let mut voicemail = voicemail::read(&files, secrets, (&node, &mail), &notes);
    voicemail.give_to(&phones, &listeners, &notes);
    let agents = agents::read(&files, &phones.names, secrets, &notes);
    agents.desk.check_listeners(&listeners, &notes);
    let calendars = calendars::read((directory, environment), &files, &notes);
    let queues = queues::read(
        &files,
        &agents,
        (&listeners.region, &calendars.names, &voicemail.names),
        &notes,
    );
    let profiles = profiles::read(&files, &agents, &queues, &notes);
    let workflows = workflows::read(&files, &agents, &queues, &notes);
    let voices = speech::read(&files, &notes);
    let (webhooks, endpoints) = webhooks::read(directory, &files, environment, &notes);
    if let (Some(place), None) = (&listeners.rest, &webhooks.account) {
        let help = "add [account] with sid and token to webhooks.toml";
        notes.error(place, "the REST API has no account to ask for", help);
    }
    for endpoint in &voices.endpoints {
        endpoints.refer(&notes, endpoint);
    }
    let tables = tables::read(&files, &notes);
    let flows = Flows::read(&files, &voicemail.terms, &notes);
    let mut led_to = HashSet::new();
    for workflow in flows.named(|flow| flow.workflows()) {
        workflows.names.refer(&notes, &workflow);
        led_to.insert(workflow.value);
    }
    workflows.check_named(&led_to, &notes);
    for queue in flows.named(|flow| flow.queues()) {
        // A step without one was told of already.
        if !queue.value.is_empty() {
            queues.names.refer(&notes, &queue);
        }
    }
    for calendar in flows.named(|flow| flow.calendars()) {
        calendars.names.refer(&notes, &calendar);
    }
    for endpoint in flows.named(|flow| flow.endpoints()) {
        endpoints.refer(&notes, &endpoint);
    }
    for table in flows.named(|flow| flow.tables()) {
        tables.names.refer(&notes, &table);
    }
    for voice in flows.named(|flow| flow.voices()) {
        voices.names.refer(&notes, &voice);
    }
    for mailbox in flows.named(|flow| flow.mailboxes()) {
        // A step without one was told of already.
        if !mailbox.value.is_empty() {
            voicemail.names.refer(&notes, &mailbox);
        }
    }
    let named = (&trunks.names, &calendars.names);
    let around = (site, webhooks.urls.as_ref());
    let read = numbers::read(&files, &phones, named, around, &notes);
    let numbers = read.numbers;
    check_dialled(&flows, &numbers, &notes);
    flows.check_names(&numbers, &tables.tables, &notes);
    let everything = flows.everything(&numbers);
    let mut named: Vec<_> = flows.named(|flow| flow.sounds()).collect();
    named.extend(queues.sounds);
    named.extend(read.sounds);
    for uses in [&read.uses, &queues.uses] {
        named.extend(uses.check(&flows, &voices.names, &everything, &notes));
    }
    named.extend(voicemail.sounds);
    named.extend(listeners.beep);
    named.extend(agents.desk.sounds);
    sounds::check(&node.sounds, &node.language, &named, &notes);
    let mut sounds: Vec<String> = named.into_iter().map(|at| at.value).collect();
    sounds.sort_unstable();
    sounds.dedup();

    let plan = Plan {
        generation: 0,
        workers: agents.workers,
        queues: queues.specs,
        activities: agents.activities,
        channels: profiles.channels,
        workflows: workflows.specs,
        profiles: profiles.specs,
        prioritize_queue_order: queues.prioritized.map(|at| at.value).unwrap_or_default(),
    };
    if !notes.has_errors() {
        // What the router would refuse was told with its place above; should that have been
        // forgotten somewhere, it is told here and not at the activation.
        for error in plan.check() {
            let help = error.help.clone().unwrap_or_default();
            notes.error(&files::nowhere("the plan"), error.to_string(), help);
        }
    }
    let played = match tests {
        Tests::Played if !notes.has_errors() => {
            let calendars = Calendars {
                calendars: calendars.calendars.clone(),
                of_queues: queues.calendars.clone(),
                // A test says the same on every day.
                closings: Closings::default(),
            };
            flows.rehearse(calendars, &numbers, &notes)
        }
        _ => 0,
    };
    let report = Report::new(directory.display().to_string(), notes.into_problems());
    if report.errors() > 0 {
        return Err(report);
    }
    let office = Office {
        hash: hash(&files, &calendars.sources, &node),
        calendars: calendars.calendars,
        closing_numbers: Arc::new(calendars.numbers),
        queue_calendars: queues.calendars,
        queue_flows: queues.flows,
        number_profiles: read.profiles,
        queue_mailboxes: queues.mailboxes,
        node,
        tls: listeners.tls,
        trunks: trunks.trunks,
        phones: phones.phones,
        plan,
        desk: agents.desk.terms,
        heartbeat: agents.heartbeat.terms,
        lines: queues.lines,
        placements: queues.placements,
        recorded: queues.recorded,
        voicemail: Arc::new(voicemail.terms),
        mail: mail.settings,
        flows: flows.documents,
        numbers,
        applications: read.applications,
        sounds,
        speech: voices.settings,
        tables: tables.tables,
        webhooks,
        warnings: report,
    };
    Ok((office, played))
}

/// The directory to use: the one asked for, else `./config`, else `/etc/tsunagu`.
pub fn directory(asked_for: Option<&Path>) -> PathBuf {
    let here = Path::new("config");
    match asked_for {
        Some(directory) => directory.to_owned(),
        None if here.is_dir() => here.to_owned(),
        None => PathBuf::from("/etc/tsunagu"),
    }
}

/// Numbers that flows dial must lead somewhere, as long as the plan itself could be read.
fn check_dialled(flows: &Flows<'_>, numbers: &crate::trunk::Numbers, notes: &Notes) {
    if numbers.entries().is_empty() {
        return;
    }
    for number in flows.named(|flow| flow.numbers()) {
        if numbers.dialled(Origin::Flow, &number.value).is_none() {
            let message = format!("nothing answers \"{}\"", number.value);
            let help = "write a phone's number, or one that numbers.toml knows";
            notes.error(&number.place, message, help);
        }
    }
}

/// Digest of what was read, secrets left out.
fn hash(files: &Files, more: &[Arc<Source>], node: &NodeSettings) -> String {
    let mut digest = Sha256::new();
    for source in files.sources().chain(more) {
        for part in [&source.name, &source.text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    // Settings may come from the environment too.
    digest.update(serde_json::to_vec(node).unwrap_or_default());
    hex::encode(&digest.finalize()[..8])
}

#[cfg(test)]
mod tests;
