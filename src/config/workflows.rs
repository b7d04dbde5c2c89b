//! `workflows.toml` and `workflows/*.json`: the way of a call through queues, in our own form or as
//! TaskRouter's documents.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::agents::Agents;
use super::files::{Files, Kind, PlainFile};
use super::names::Names;
use super::notes::Notes;
use super::queues::Queues;
use super::section::{At, Section};
use super::source::{Place, Source};
use super::value::{self, Table};
use crate::expr::{Expression, Scope};
use crate::router::{
    At as StepAt, Document, DocumentFault, DocumentPlaces, FilterSpec, KnownWorker, StepSpec,
    WhenNobody, WorkerKey, WorkflowPart, WorkflowSpec, WorkflowSpot,
};

/// Workflows as read.
#[derive(Debug)]
pub(super) struct Workflows {
    /// What the router is to know.
    pub(super) specs: Vec<WorkflowSpec>,
    /// Names.
    pub(super) names: Names,
}

/// What a workflow was read from, to find places in it again.
enum Written<'f> {
    Json(&'f Arc<Source>, DocumentPlaces<'f>),
    Toml(&'f Table),
}

/// Most problems of one kind that one workflow is told of: nobody reads more, and each costs a
/// look at the whole text when it is drawn.
const MOST_PROBLEMS: usize = WorkflowSpec::MOST_LINTS;

/// Reads workflows, and checks each with the queues and agents there are.
pub(super) fn read(files: &Files, agents: &Agents, queues: &Queues, notes: &Notes) -> Workflows {
    let is_complete = files.is_complete(Kind::Workflows);
    let mut reader = Reader {
        files,
        agents,
        queues,
        notes,
        named: HashSet::new(),
        workflows: Workflows {
            specs: Vec::new(),
            names: Names::new("workflow", is_complete),
        },
    };
    for file in files.of(Kind::Workflows) {
        let top = Section::new(notes, &file.table, "workflows.toml");
        for workflow in top.sections("workflow", "a workflow") {
            reader.read_workflow(workflow);
        }
        top.close();
    }
    for file in &files.documents {
        if !reader.named.contains(file.stem.as_str()) {
            let name = At {
                value: file.stem.clone(),
                place: Place::new(&file.source, 0..0),
            };
            if let Some(spec) = reader.read_document(&name.value, file) {
                reader.add(name, spec, &Written::of(file));
            } else {
                reader.workflows.names.declare(notes, &name);
            }
        }
    }
    reader.workflows
}

impl Workflows {
    /// Warns of workflows that are not among those `named` by flows.
    pub(super) fn check_named(&self, named: &HashSet<String>, notes: &Notes) {
        for spec in self.specs.iter().filter(|spec| !named.contains(&spec.name)) {
            if let Some(place) = self.names.place(&spec.name) {
                let message = format!("no flow leads to the workflow \"{}\"", spec.name);
                let help = "name it in a flow's step: do = \"queue\" with workflow = \"...\"; \
                            else only tasks made over the API come here";
                notes.warning(place, message, help);
            }
        }
    }
}

struct Reader<'f> {
    files: &'f Files,
    agents: &'f Agents,
    queues: &'f Queues,
    notes: &'f Notes,
    /// Documents that a `[[workflow]]` has taken.
    named: HashSet<String>,
    workflows: Workflows,
}

impl<'f> Reader<'f> {
    fn read_workflow(&mut self, section: Section<'f>) {
        let name = section.required("name", "owner-first");
        let document = section.text("document");
        let table = section.written();
        if let Some(document) = &document
            && (section.has("filter") || section.has("default"))
        {
            let help = "keep one of them: a document has its own filters";
            let message = "both `document` and filters";
            self.notes.error(&document.place, message, help);
            self.read_filters(&section);
            section.section("default", "a default");
        }
        let (mut spec, written) = match &document {
            Some(document) => match self.find_document(document) {
                None => (None, Written::Toml(table)),
                Some(file) => {
                    let name = name.as_ref().map_or("", |at| at.value.as_str());
                    (self.read_document(name, file), Written::of(file))
                }
            },
            None => {
                let default = section.section("default", "a default");
                let spec = WorkflowSpec {
                    filters: self.read_filters(&section),
                    default: default.map(|step| self.read_step(step, None)),
                    ..WorkflowSpec::new("", "")
                };
                (Some(spec), Written::Toml(table))
            }
        };
        if let Some(spec) = &mut spec {
            read_terms(&section, spec);
        }
        section.close();
        let Some(name) = name else { return };
        match spec {
            Some(spec) => self.add(name, spec, &written),
            None => self.workflows.names.declare(self.notes, &name),
        }
    }

    fn find_document(&mut self, name: &At<String>) -> Option<&'f PlainFile> {
        let mut documents = Names::new("document", self.files.is_complete(Kind::Workflows));
        for file in &self.files.documents {
            let name = At {
                value: file.stem.clone(),
                place: Place::new(&file.source, 0..0),
            };
            documents.declare(self.notes, &name);
        }
        let stem = name.value.strip_suffix(".json").unwrap_or(&name.value);
        let stem = At {
            value: stem.to_owned(),
            place: name.place.clone(),
        };
        documents.refer(self.notes, &stem);
        let file = self
            .files
            .documents
            .iter()
            .find(|file| file.stem == stem.value);
        self.named.extend(file.map(|file| file.stem.clone()));
        file
    }

    fn read_document(&self, name: &str, file: &PlainFile) -> Option<WorkflowSpec> {
        let place = |fault: &DocumentFault| Place::new(&file.source, fault.span.clone());
        match Document::parse(name, &file.source.text) {
            Ok(document) => {
                for doubt in document.doubts {
                    self.notes
                        .warning(&place(&doubt), doubt.message, doubt.help);
                }
                Some(document.workflow)
            }
            Err(faults) => {
                for fault in faults {
                    self.notes.error(&place(&fault), fault.message, fault.help);
                }
                None
            }
        }
    }

    fn read_filters(&self, workflow: &Section<'_>) -> Vec<FilterSpec> {
        let filters = workflow.sections("filter", "a filter").into_iter();
        let filters = filters.map(|filter| {
            let name = filter.text("name");
            let expression = filter.required("expression", "topic == 'sales'");
            let mut steps: Vec<StepSpec> = Vec::new();
            for step in filter.sections("step", "a step") {
                let inherited = steps.last().map(|step| step.queue.clone());
                let step = self.read_step(step, inherited);
                steps.push(step);
            }
            filter.close();
            FilterSpec {
                name: name.map(|at| at.value).unwrap_or_default(),
                expression: expression.map(|at| at.value).unwrap_or_default(),
                steps,
                ..FilterSpec::default()
            }
        });
        filters.collect()
    }

    fn read_step(&self, step: Section<'_>, inherited: Option<String>) -> StepSpec {
        let queue = match &inherited {
            None => step.required("queue", "sales"),
            Some(_) => step.text("queue"),
        };
        let text = |key| step.text(key).map(|at| at.value);
        let highest = WorkflowSpec::HIGHEST_PRIORITY;
        let read = StepSpec {
            queue: queue
                .map(|at| at.value)
                .or(inherited)
                .unwrap_or_else(|| UNREADABLE.to_owned()),
            expression: text("expression"),
            priority: step
                .integer("priority", -highest..=highest)
                .map(|at| at.value),
            timeout: step
                .duration("timeout", Duration::ZERO..=WorkflowSpec::LONGEST_LIFE)
                .map(|at| at.value),
            order_by: text("order_by"),
            skip_if: text("skip_if"),
            known_worker: read_known_worker(&step, self.notes),
            unknown: Map::new(),
        };
        step.close();
        read
    }

    /// Takes a workflow whose form is right.
    fn add(&mut self, name: At<String>, mut spec: WorkflowSpec, written: &Written<'_>) {
        self.workflows.names.declare(self.notes, &name);
        spec.name = name.value;
        let faults = spec.faults();
        // Those of a document by itself were told when it was read, and kept it from coming here.
        for fault in faults.iter().take(MOST_PROBLEMS) {
            let place = written.place(&fault.spot);
            self.notes.error(&place, &fault.message, &fault.help);
        }
        self.check_queues(&spec, written);
        spec.resolve(&self.queues.specs);
        if faults.is_empty() {
            for lint in spec.lints(&self.agents.schema) {
                let place = written.place(&lint.spot);
                self.notes
                    .doubt(lint.is_note, &place, lint.message, lint.help);
            }
            self.check_served(&spec, written);
        }
        self.workflows.specs.push(spec);
    }

    /// Every queue that a step names is there.
    fn check_queues(&self, spec: &WorkflowSpec, written: &Written<'_>) {
        let unknown = spec
            .steps()
            .filter(|(_, step)| step.queue != UNREADABLE && !self.queues.knows(&step.queue))
            .map(|(at, step)| (step, step_spot(at, "queue")))
            // An inherited name was looked up where it is written.
            .filter(|(_, spot)| written.says(spot));
        for (step, spot) in unknown.take(MOST_PROBLEMS) {
            let queue = At {
                value: step.queue.clone(),
                place: written.place(&spot),
            };
            self.queues.names.refer(self.notes, &queue);
        }
    }

    /// Steps that no agent can ever take.
    fn check_served(&self, spec: &WorkflowSpec, written: &Written<'_>) {
        // Each costs a look at every agent: past this, it is no office any more but a test of one.
        const MOST_LOOKS: usize = 10_000_000;
        if self
            .agents
            .workers
            .len()
            .saturating_mul(spec.steps().count())
            > MOST_LOOKS
        {
            return;
        }
        let nothing = Map::new();
        let may_hold = |expression: &Expression, seen| {
            expression.uses_task()
                || expression.looks_at_state()
                || expression.eval(&Scope::new(seen, &nothing))
        };
        let targets: HashMap<&str, &str> = self
            .queues
            .specs
            .iter()
            .map(|queue| (&*queue.name, &*queue.target))
            .collect();
        let mut members: HashMap<&str, Vec<&Map<String, Value>>> = HashMap::new();
        let mut told = 0;
        for (at, step) in spec.steps() {
            let text = step.expression.as_deref();
            let Some(Ok(expression)) = text.map(|text| spec.parse(text)) else {
                continue;
            };
            let members = members.entry(&step.queue).or_insert_with(|| {
                let target = targets.get(&*step.queue).copied().unwrap_or_default();
                let target = Expression::parse(target).ok();
                let all = self.agents.seen.iter();
                all.filter(|seen| target.as_ref().is_some_and(|it| may_hold(it, seen)))
                    .collect()
            });
            if !members.is_empty() && !members.iter().any(|seen| may_hold(&expression, seen)) {
                let place = written.place(&step_spot(at, "expression"));
                let message = format!("no agent of \"{}\" can take this step", step.queue);
                let help = "compare the keys and values with the attributes in agents.toml";
                self.notes.warning(&place, message, help);
                told += 1;
                if told == MOST_PROBLEMS {
                    break;
                }
            }
        }
    }
}

/// What a workflow says of tasks and offers as a whole.
fn read_terms(section: &Section<'_>, spec: &mut WorkflowSpec) {
    let second = Duration::from_secs(1);
    if let Some(lenient) = section.flag("lenient") {
        spec.lenient = lenient.value;
    }
    if let Some(equals) = section.flag("missing_equals_missing") {
        spec.missing_equals_missing = equals.value;
    }
    if let Some(extensions) = section.flag("extensions") {
        spec.extensions = extensions.value;
    }
    if let Some(when) = section.one_of("skip_when_nobody", &WhenNobody::WORDS) {
        spec.skip_when_nobody = when.value;
    }
    let offer = second..=WorkflowSpec::LONGEST_OFFER;
    if let Some(timeout) = section.duration("reservation_timeout", offer) {
        spec.reservation_timeout = Some(timeout.value);
    }
    if let Some(life) = section.duration("time_to_live", second..=WorkflowSpec::LONGEST_LIFE) {
        spec.time_to_live = life.value;
    }
    let offers = section.integer("most_offers", 1..=1_000_000);
    if let Some(offers) = offers.and_then(|at| u32::try_from(at.value).ok()) {
        spec.most_offers = offers;
    }
}

fn read_known_worker(step: &Section<'_>, notes: &Notes) -> Option<KnownWorker> {
    let by_name = step.text("known_worker");
    let by_sid = step.text("known_worker_sid");
    if let (Some(_), Some(by_sid)) = (&by_name, &by_sid) {
        let message = "both `known_worker` and `known_worker_sid`";
        let help = "keep `known_worker` when the attribute holds a name, else the other";
        notes.error(&by_sid.place, message, help);
    }
    let known = |by| move |at: At<String>| KnownWorker { path: at.value, by };
    by_name
        .map(known(WorkerKey::Name))
        .or(by_sid.map(known(WorkerKey::Sid)))
}

fn step_spot(at: StepAt, key: &'static str) -> WorkflowSpot {
    WorkflowSpot {
        part: WorkflowPart::Step(at),
        key: Some(key),
        span: None,
    }
}

impl<'f> Written<'f> {
    fn of(file: &'f PlainFile) -> Self {
        Self::Json(&file.source, DocumentPlaces::of(&file.source.text))
    }

    /// Where something stands; what is around it when it is not written.
    fn place(&self, spot: &WorkflowSpot) -> Place {
        match self {
            Self::Json(source, places) => Place::new(source, places.span_of(spot)),
            Self::Toml(table) => place_of(table, spot),
        }
    }

    /// Whether a field is written in its own part.
    fn says(&self, spot: &WorkflowSpot) -> bool {
        let part = WorkflowSpot {
            key: None,
            ..spot.clone()
        };
        self.place(spot) != self.place(&part)
    }
}

fn place_of(workflow: &Table, spot: &WorkflowSpot) -> Place {
    fn nth<'t>(table: &'t Table, key: &str, place: usize) -> Option<&'t Table> {
        match &table.entries.get(key)?.value.kind {
            value::Kind::List(items) => match &items.get(place)?.kind {
                value::Kind::Table(table) => Some(table),
                _ => None,
            },
            _ => None,
        }
    }
    let part = match spot.part {
        WorkflowPart::Whole => Some(workflow),
        WorkflowPart::Filter(filter) => nth(workflow, "filter", filter),
        WorkflowPart::Step(StepAt::Filter(filter, step)) => {
            nth(workflow, "filter", filter).and_then(|filter| nth(filter, "step", step))
        }
        WorkflowPart::Step(StepAt::Default) => {
            let default = workflow
                .entries
                .get("default")
                .map(|entry| &entry.value.kind);
            match default {
                Some(value::Kind::Table(table)) => Some(table),
                _ => None,
            }
        }
    };
    let Some(table) = part else {
        return workflow.place.clone();
    };
    let entry = |key: &str| table.entries.get(key);
    let written = match spot.key {
        None => None,
        Some("known_worker") => entry("known_worker").or_else(|| entry("known_worker_sid")),
        Some(key) => entry(key),
    };
    let Some(value) = written.map(|entry| &entry.value) else {
        return table.place.clone();
    };
    match (&value.kind, &spot.span) {
        (value::Kind::Text(text), Some(span)) => value.place.inside(text, span.clone()),
        _ => value.place.clone(),
    }
}

/// Stands for the queue of a step that names none, which was told already.
const UNREADABLE: &str = "?";
