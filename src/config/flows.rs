//! `flows/*.toml`: one flow a file, named as the file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::files::{File, Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use super::value::{self, Table};
use super::words::remedy;
use crate::flow::{
    Collecting, Dialling, Document, HANG_UP, HangingUp, Menu, Part, Patience, Queueing, Rejection,
    Setting, Speech, Spot, Step,
};
use crate::ivr::BargeIn;
use crate::router::Destination;

/// The flows as read, with what finds a place in them again.
#[derive(Debug)]
pub(super) struct Flows<'f> {
    /// Documents by name, good or not.
    pub(super) documents: HashMap<String, Arc<Document>>,
    /// Their names.
    pub(super) names: Names,
    files: HashMap<String, &'f File>,
}

impl<'f> Flows<'f> {
    /// Reads every flow and checks each by itself.
    pub(super) fn read(files: &'f Files, notes: &Notes) -> Self {
        let mut flows = Self {
            documents: HashMap::new(),
            names: Names::new("flow", files.is_complete(Kind::Flows)),
            files: HashMap::new(),
        };
        for file in files.of(Kind::Flows) {
            let name = At {
                value: file.stem.clone(),
                place: file.table.place.clone(),
            };
            flows.names.declare(notes, &name);
            let document = read_document(file, notes);
            for fault in document.check() {
                let place = place_of(&file.table, &fault.spot);
                notes.push(if fault.fatal {
                    Problem::error(&place, fault.message, fault.help)
                } else {
                    Problem::warning(&place, fault.message, fault.help)
                });
            }
            flows
                .documents
                .insert(file.stem.clone(), Arc::new(document));
            flows.files.insert(file.stem.clone(), file);
        }
        flows
    }

    /// What `select` names in every flow, each with its place.
    pub(super) fn named<'d, I>(
        &'d self,
        select: impl Fn(&'d Document) -> I,
    ) -> impl Iterator<Item = At<String>>
    where
        I: Iterator<Item = (Spot, &'d str)> + 'd,
    {
        self.documents.iter().flat_map(move |(name, document)| {
            let table = self.files.get(name).map(|file| &file.table);
            select(document).filter_map(move |(spot, text)| {
                Some(At {
                    value: text.to_owned(),
                    place: place_of(table?, &spot),
                })
            })
        })
    }
}

fn read_document(file: &File, notes: &Notes) -> Document {
    let flow = Section::new(notes, &file.table, "a flow");
    let steps: IndexMap<String, Step> = flow
        .named_sections("steps", "a step")
        .into_iter()
        .map(|(name, section)| {
            if name.value == HANG_UP {
                let message = format!("`{HANG_UP}` is built in");
                notes.error(&name.place, message, "give the step another name");
            }
            (name.value, read_step(section, notes))
        })
        .collect();
    if steps.is_empty() {
        let help = "add one, such as [steps.greeting] with do = \"play\"";
        notes.error(flow.place(), "a flow without steps", help);
    }
    let first = steps.keys().next().map_or(HANG_UP, String::as_str);
    let start = match flow.required("start", first) {
        Some(start) => start.value,
        None => first.to_owned(),
    };
    let attributes = flow.attributes("attributes");
    flow.close();
    Document {
        name: file.stem.clone(),
        start,
        attributes,
        steps,
    }
}

fn read_step(step: Section<'_>, notes: &Notes) -> Step {
    let Some(kind) = step.required("do", "play") else {
        return PLACEHOLDER;
    };
    let target = |key| {
        step.required(key, HANG_UP)
            .map_or_else(hang_up, |at| at.value)
    };
    let read = match kind.value.as_str() {
        "collect" => Step::Collect(read_collecting(&step)),
        "dial" => {
            step.demand("number", "\"1001\"");
            Step::Dial(Dialling {
                number: step.text("number").map(|at| at.value).unwrap_or_default(),
                ring_timeout: step
                    .duration("ring_timeout", SECOND..=Duration::from_secs(300))
                    .map_or(Duration::from_secs(30), |at| at.value),
                failed: target("failed"),
                after: step.text("after").map_or_else(hang_up, |at| at.value),
            })
        }
        "hangup" => Step::Hangup(HangingUp {
            cause: step
                .one_of("cause", &Rejection::WORDS)
                .map_or(Rejection::Normal, |at| at.value),
        }),
        "menu" => {
            step.demand("choices", "{ 1 = \"hangup\" }");
            let choices = step.text_table("choices").into_iter();
            Step::Menu(Menu {
                patience: read_patience(&step),
                choices: choices.map(|(keys, to)| (keys.value, to.value)).collect(),
            })
        }
        "play" => {
            step.demand("sounds", "[\"greeting\"]");
            Step::Play(Speech {
                sounds: texts(&step, "sounds"),
                barge_in: barge_in(&step),
                next: target("next"),
            })
        }
        "queue" => {
            let nobody = target("nobody");
            Step::Queue(Queueing {
                to: read_destination(&step, notes),
                attributes: step.attributes("attributes"),
                priority: step
                    .integer("priority", -1000..=1000)
                    .map_or(0, |at| at.value),
                timeout: step
                    .text("timeout")
                    .map_or_else(|| nobody.clone(), |at| at.value),
                nobody,
                after: step.text("after").map_or_else(hang_up, |at| at.value),
            })
        }
        "set" => {
            step.demand("attributes", "{ language = \"ja\" }");
            Step::Set(Setting {
                attributes: step.attributes("attributes"),
                next: target("next"),
            })
        }
        other => {
            let message = format!("no step does \"{other}\"");
            notes.error(
                &kind.place,
                message,
                remedy(other, &STEPS, "a step does one of"),
            );
            return PLACEHOLDER;
        }
    };
    step.close();
    read
}

/// The queue or the workflow that a step leads callers into.
fn read_destination(step: &Section<'_>, notes: &Notes) -> Destination {
    let Some(workflow) = step.text("workflow") else {
        let queue = step.required("queue", "sales");
        return Destination::Queue(queue.map(|at| at.value).unwrap_or_default());
    };
    if let Some(queue) = step.text("queue") {
        let help = "keep `workflow`: its steps name the queues";
        notes.error(&queue.place, "both `queue` and `workflow`", help);
    }
    Destination::Workflow(workflow.value)
}

fn read_collecting(step: &Section<'_>) -> Collecting {
    let count = |key, default| {
        let number = step.integer(key, 0..=64);
        number
            .and_then(|at| usize::try_from(at.value).ok())
            .unwrap_or(default)
    };
    step.demand("max", "10");
    Collecting {
        patience: read_patience(step),
        min: count("min", 1),
        max: count("max", 64),
        terminators: step
            .text("terminators")
            .map_or_else(|| "#".to_owned(), |at| at.value),
        into: step
            .required("into", "customer")
            .map(|at| at.value)
            .unwrap_or_default(),
        secure: step.flag("secure").is_some_and(|at| at.value),
        next: step
            .required("next", HANG_UP)
            .map_or_else(hang_up, |at| at.value),
    }
}

fn read_patience(step: &Section<'_>) -> Patience {
    let silence = |key, default| {
        let silence = step.duration(key, SECOND..=Duration::from_secs(120));
        silence.map_or(Duration::from_secs(default), |at| at.value)
    };
    step.demand("prompt", "[\"menu\"]");
    let tries = step.integer("tries", 1..=20).map_or(3, |at| at.value);
    Patience {
        prompt: texts(step, "prompt"),
        barge_in: barge_in(step),
        timeout: silence("timeout", 5),
        digit_timeout: silence("digit_timeout", 3),
        tries: u32::try_from(tries).unwrap_or(1),
        no_input: texts(step, "no_input"),
        no_match: texts(step, "no_match"),
        failed: step
            .required("failed", HANG_UP)
            .map_or_else(hang_up, |at| at.value),
    }
}

fn texts(step: &Section<'_>, key: &'static str) -> Vec<String> {
    let texts = step.texts(key).unwrap_or_default();
    texts.into_iter().map(|at| at.value).collect()
}

fn barge_in(step: &Section<'_>) -> BargeIn {
    match step.flag("barge_in") {
        Some(At { value: false, .. }) => BargeIn::Ignored,
        _ => BargeIn::Interrupts,
    }
}

fn hang_up() -> String {
    HANG_UP.to_owned()
}

/// Finds what a document's checker means in the file it was read from.
fn place_of(file: &Table, spot: &Spot) -> Place {
    fn inner<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
        match &table.entries.get(key)?.value.kind {
            value::Kind::Table(table) => Some(table),
            _ => None,
        }
    }
    let Some(step) = &spot.step else {
        let entry = spot.key.and_then(|key| file.entries.get(key));
        return entry
            .map_or(&file.place, |entry| &entry.value.place)
            .clone();
    };
    let Some(table) = inner(file, "steps").and_then(|steps| inner(steps, step)) else {
        return file.place.clone();
    };
    let Some(entry) = spot.key.and_then(|key| table.entries.get(key)) else {
        return table.place.clone();
    };
    let below = match (&spot.part, &entry.value.kind) {
        (Part::Answer(keys), value::Kind::Table(choices)) => {
            choices.entries.get(keys).map(|entry| &entry.key)
        }
        (Part::Target(keys), value::Kind::Table(choices)) => {
            choices.entries.get(keys).map(|entry| &entry.value.place)
        }
        (Part::Item(index), value::Kind::List(items)) => items.get(*index).map(|item| &item.place),
        _ => None,
    };
    below.unwrap_or(&entry.value.place).clone()
}

/// Stands for a step that could not be read, so that others may still name it.
const PLACEHOLDER: Step = Step::Hangup(HangingUp {
    cause: Rejection::Normal,
});
const STEPS: [&str; 7] = ["collect", "dial", "hangup", "menu", "play", "queue", "set"];
const SECOND: Duration = Duration::from_secs(1);
