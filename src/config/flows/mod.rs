//! `flows/*.toml`: one flow a file, named as the file.

mod step;
mod trial;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::files::{File, Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use super::value::{self, Table};
use crate::flow::rehearsal::Calendars;
use crate::flow::{
    self, Document, Fault, Figures, FlowType, HANG_UP, MAX_DEPTH, Outside, Part, SealingKey, Spot,
    Step,
};
use crate::trunk::{Meaning, Numbers};
use crate::voicemail::VoicemailTerms;

use trial::Test;

/// The flows as read, with what finds a place in them again.
#[derive(Debug)]
pub(super) struct Flows<'f> {
    /// Documents by name, good or not.
    pub(super) documents: HashMap<String, Arc<Document>>,
    /// Their names.
    pub(super) names: Names,
    files: HashMap<String, &'f File>,
    tests: Vec<Test>,
}

impl<'f> Flows<'f> {
    /// Reads every flow and checks each by itself; messages are taken on the office's terms where a
    /// step has none of its own.
    pub(super) fn read(files: &'f Files, voicemail: &VoicemailTerms, notes: &Notes) -> Self {
        let mut flows = Self {
            documents: HashMap::new(),
            names: Names::new("flow", files.is_complete(Kind::Flows)),
            files: HashMap::new(),
            tests: Vec::new(),
        };
        let mut read = BTreeMap::new();
        let (tests, files): (Vec<&File>, Vec<&File>) = files
            .of(Kind::Flows)
            .iter()
            .partition(|file| file.stem.ends_with(trial::SUFFIX));
        for file in files {
            let name = At {
                value: file.stem.clone(),
                place: file.table.place.clone(),
            };
            flows.names.declare(notes, &name);
            flows.files.insert(file.stem.clone(), file);
            let document = read_document(file, voicemail, &mut flows.tests, notes);
            flows.note(&file.stem, document.check(), notes);
            read.insert(file.stem.clone(), document);
        }
        flows.link(&read, notes);
        for file in tests {
            flows.tests.extend(trial::read_file(file, notes));
        }
        for test in &flows.tests {
            let flow = At {
                value: test.flow().to_owned(),
                place: test.place().clone(),
            };
            flows.names.refer(notes, &flow);
        }
        flows
    }

    /// Plays the tests beside the flows, where these calendars hold; says how many there are. A test
    /// that does not say which number is called has the calendar of the first that leads to its flow.
    pub(super) fn rehearse(&self, calendars: Calendars, numbers: &Numbers, notes: &Notes) -> usize {
        let calendars = Arc::new(calendars);
        for test in &self.tests {
            if let Some(document) = self.documents.get(test.flow()) {
                let of_number = match test.to() {
                    Some(to) => numbers.calendar_of(to),
                    None => calendar_of_flow(numbers, test.flow()),
                };
                test.run(document, &calendars, of_number, notes);
            }
        }
        self.tests.len()
    }

    /// Joins flows with those that are parts of them; notes each that is not there, and rings.
    fn link(&mut self, read: &BTreeMap<String, Document>, notes: &Notes) {
        for (name, document) in read {
            for (spot, part) in document.parts() {
                let place = self.place_of(name, &spot);
                let named = At {
                    value: part.to_owned(),
                    place,
                };
                if !part.is_empty() && self.names.refer(notes, &named) {
                    self.check_part(read, name, &named, notes);
                }
            }
            let whispers: Vec<(Spot, &str)> = document.whispers().collect();
            for (spot, part) in document.parts() {
                let Some(part) = read.get(part) else { continue };
                let is_whisper = whispers.iter().any(|(whisper, _)| *whisper == spot);
                let place = self.place_of(name, &spot);
                match is_whisper {
                    true => check_type(part, FlowType::OutboundWhisper, &place, notes),
                    false => check_fits(part, document.flow_type, &place, notes),
                }
            }
        }
        for name in read.keys() {
            if let Some(document) = linked(read, name, &mut Vec::new()) {
                self.documents.insert(name.clone(), document);
            }
        }
        for (name, document) in &self.documents {
            self.note(name, document.check_exits(), notes);
        }
    }

    /// Notes a part that leads back to its whole, or is too deep.
    fn check_part(
        &self,
        read: &BTreeMap<String, Document>,
        whole: &str,
        part: &At<String>,
        notes: &Notes,
    ) {
        match way(read, &part.value, whole) {
            Some(way) => {
                let way: Vec<&str> = std::iter::once(whole).chain(way).collect();
                let message = format!("this flow is a part of itself: {}", way.join(" -> "));
                let help = "let one of them go on by itself, or write the steps out";
                notes.error(&part.place, message, help);
            }
            None if depth(read, &part.value, 0) >= MAX_DEPTH => {
                let message = format!("flows are parts of each other {MAX_DEPTH} deep and deeper");
                notes.error(&part.place, message, "write some of the steps out");
            }
            None => {}
        }
    }

    /// Checks what texts and conditions look at, now that it is known which number leads where, and
    /// which columns tables have.
    pub(super) fn check_names(
        &self,
        numbers: &Numbers,
        tables: &HashMap<String, Arc<flow::Table>>,
        notes: &Notes,
    ) {
        let everything = self.everything(numbers);
        let beside = Outside {
            attributes: self.sets_of(|flow_type| flow_type != FlowType::Inbound),
            ..Outside::default()
        };
        for (name, document) in &self.documents {
            let family = self.family(name);
            let mut outside = match document.flow_type {
                FlowType::Inbound => beside.clone(),
                _ => everything.clone(),
            };
            for member in &family {
                if let Some(document) = self.documents.get(*member) {
                    outside.attributes.extend(document.sets());
                }
            }
            if document.flow_type == FlowType::Inbound {
                outside.replies = self.replies(&family, tables);
                outside.figures = self.figures(&family);
            }
            for entry in numbers.entries() {
                if let Meaning::Flow {
                    name, attributes, ..
                } = &entry.meaning
                    && family.contains(name.as_str())
                {
                    outside.attributes.extend(attributes.keys().cloned());
                    outside.number.extend(attributes.keys().cloned());
                }
            }
            self.note(name, document.check_names(&outside), notes);
        }
    }

    /// What the replies to any of these flows have, if all of them are rows of tables.
    fn replies(
        &self,
        family: &BTreeSet<&str>,
        tables: &HashMap<String, Arc<flow::Table>>,
    ) -> Option<BTreeSet<String>> {
        let mut replies = BTreeSet::new();
        for document in family.iter().filter_map(|name| self.documents.get(*name)) {
            if document.endpoints().next().is_some() {
                return None;
            }
            for (_, table) in document.tables() {
                replies.extend(tables.get(table)?.columns().iter().cloned());
            }
        }
        Some(replies)
    }

    /// Whether any of these flows looks at a queue.
    fn figures(&self, family: &BTreeSet<&str>) -> Figures {
        let mut documents = family.iter().filter_map(|name| self.documents.get(*name));
        let looks = |step: &Step| matches!(step, Step::QueueStatus(_) | Step::Staffing(_));
        match documents.any(|document| document.steps.values().any(looks)) {
            true => Figures::Seen,
            false => Figures::Unseen,
        }
    }

    /// Every attribute that any flow or number sets: of what is heard beside a caller's own flow it
    /// is not known which one that is.
    pub(super) fn everything(&self, numbers: &Numbers) -> Outside {
        let mut outside = Outside {
            attributes: self.sets_of(|_| true),
            ..Outside::default()
        };
        for entry in numbers.entries() {
            if let Meaning::Flow { attributes, .. } = &entry.meaning {
                outside.attributes.extend(attributes.keys().cloned());
                outside.number.extend(attributes.keys().cloned());
            }
        }
        outside
    }

    /// The attributes that flows of some types set.
    fn sets_of(&self, is_meant: impl Fn(FlowType) -> bool) -> BTreeSet<String> {
        let documents = self.documents.values();
        let meant = documents.filter(|document| is_meant(document.flow_type));
        meant.flat_map(|document| document.sets()).collect()
    }

    /// A flow with all that it is a part of, or that are parts of it, however far.
    fn family(&self, name: &str) -> BTreeSet<&str> {
        let mut family = BTreeSet::new();
        let Some((name, _)) = self.documents.get_key_value(name) else {
            return family;
        };
        let mut open = vec![name.as_str()];
        while let Some(member) = open.pop() {
            if !family.insert(member) {
                continue;
            }
            for (other, document) in &self.documents {
                let is_part = document.flows.contains_key(member);
                let has_part = || {
                    let member = self.documents.get(member);
                    member.is_some_and(|it| it.flows.contains_key(other))
                };
                if is_part || has_part() {
                    open.push(other);
                }
            }
        }
        family
    }

    /// Notes a flow that is not there, or not of the type that is asked for.
    pub(super) fn check_use(&self, flow: &At<String>, wanted: FlowType, notes: &Notes) {
        if self.names.refer(notes, flow)
            && let Some(document) = self.documents.get(&flow.value)
        {
            check_type(document, wanted, &flow.place, notes);
        }
    }

    fn note(&self, flow: &str, faults: Vec<Fault>, notes: &Notes) {
        for fault in faults {
            let mut place = self.place_of(flow, &fault.spot);
            if let Some((text, range)) = &fault.inside {
                place = place.inside(text, range.clone());
            }
            notes.push(match fault.fatal {
                true => Problem::error(&place, fault.message, fault.help),
                false => Problem::warning(&place, fault.message, fault.help),
            });
        }
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
            select(document).map(|(spot, text)| At {
                value: text.to_owned(),
                place: self.place_of(name, &spot),
            })
        })
    }

    fn place_of(&self, flow: &str, spot: &Spot) -> Place {
        match self.files.get(flow) {
            Some(file) => place_in(&file.table, spot),
            None => super::files::nowhere(flow),
        }
    }
}

/// The calendar of the first number that leads to a flow.
fn calendar_of_flow<'n>(numbers: &'n Numbers, flow: &str) -> Option<&'n str> {
    let mut entries = numbers.entries().iter();
    entries.find_map(|entry| match &entry.meaning {
        Meaning::Flow { name, calendar, .. } if name == flow => Some(calendar.as_deref()),
        _ => None,
    })?
}

/// Notes a flow that is not of the type that is asked for at a place.
fn check_type(flow: &Document, wanted: FlowType, place: &Place, notes: &Notes) {
    if flow.flow_type != wanted {
        let (name, is, wanted) = (&flow.name, flow.flow_type.as_str(), wanted.as_str());
        let message = format!("flow \"{name}\" is of type \"{is}\", not \"{wanted}\"");
        let help =
            format!("name another, or write type = \"{wanted}\" at the top of flows/{name}.toml");
        notes.error(place, message, help);
    }
}

/// Notes a flow that has steps which a flow that it becomes a part of may not have.
fn check_fits(part: &Document, whole: FlowType, place: &Place, notes: &Notes) {
    if part.flow_type == whole {
        return;
    }
    if let Some(fault) = part.misfits_of(whole).first() {
        let step = fault.spot.step.as_deref().unwrap_or_default();
        let message = format!(
            "flow \"{}\" cannot be a part of this one: {} (step \"{step}\")",
            part.name, fault.message
        );
        notes.error(place, message, fault.help.clone());
    }
}

/// A document with its parts, each with its own; a ring, noted elsewhere, is cut.
fn linked(
    read: &BTreeMap<String, Document>,
    name: &str,
    way: &mut Vec<String>,
) -> Option<Arc<Document>> {
    let document = read.get(name)?;
    if way.len() > MAX_DEPTH || way.iter().any(|before| before == name) {
        return None;
    }
    way.push(name.to_owned());
    let parts: BTreeSet<&str> = document.parts().map(|(_, part)| part).collect();
    let mut found: HashMap<String, Arc<Document>> = HashMap::new();
    for part in parts {
        if let Some(part) = linked(read, part, way) {
            found.insert(part.name.clone(), part);
        }
    }
    way.pop();
    let document = document.clone();
    Some(Arc::new(document.link(|part| found.get(part).cloned())))
}

/// The flows from one to another, both named; `None` when none leads there.
fn way<'r>(read: &'r BTreeMap<String, Document>, from: &str, to: &str) -> Option<Vec<&'r str>> {
    let mut before: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let (from, _) = read.get_key_value(from)?;
    let mut open = vec![from.as_str()];
    before.insert(from, None);
    while let Some(at) = open.pop() {
        if at == to {
            let mut way = vec![at];
            while let Some(Some(earlier)) = way.last().and_then(|it| before.get(it)) {
                way.push(earlier);
            }
            way.reverse();
            return Some(way);
        }
        for (_, part) in read.get(at).into_iter().flat_map(Document::parts) {
            if let Some((part, _)) = read.get_key_value(part)
                && !before.contains_key(part.as_str())
            {
                before.insert(part, Some(at));
                open.push(part);
            }
        }
    }
    None
}

/// How deep the parts of a flow are, itself counted.
fn depth(read: &BTreeMap<String, Document>, name: &str, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    let parts = read.get(name).into_iter().flat_map(Document::parts);
    let deepest = parts.map(|(_, part)| depth(read, part, above + 1)).max();
    1 + deepest.unwrap_or(0)
}

fn read_document(
    file: &File,
    voicemail: &VoicemailTerms,
    tests: &mut Vec<Test>,
    notes: &Notes,
) -> Document {
    let flow = Section::new(notes, &file.table, "a flow");
    let help = "write a public key: openssl pkey -in private.pem -pubout";
    let sealing_key = flow.parsed("sealing_key", help, SealingKey::from_pem);
    let top = step::Top {
        error: flow.text("error").map(|at| at.value),
        sealing_key: sealing_key.map(|at| at.value),
        message: (voicemail.longest, voicemail.silence),
    };
    let steps: IndexMap<String, Step> = flow
        .named_sections("steps", "a step")
        .into_iter()
        .map(|(name, section)| {
            if name.value == HANG_UP {
                let message = format!("`{HANG_UP}` is built in");
                notes.error(&name.place, message, "give the step another name");
            }
            (name.value, step::read(section, &top, notes))
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
    let flow_type = flow.one_of("type", &FlowType::WORDS);
    let document = Document {
        flow_type: flow_type.map_or_else(FlowType::default, |at| at.value),
        start,
        attributes: flow.attributes("attributes"),
        error: top.error,
        parameters: flow.attributes("parameters"),
        expects: flow
            .texts("expects")
            .unwrap_or_default()
            .into_iter()
            .map(|at| at.value)
            .collect(),
        steps,
        ..Document::new(&file.stem)
    };
    tests.extend(trial::read(&file.stem, &flow, notes));
    flow.close();
    document
}

/// Finds what a document's checker means in the file it was read from.
fn place_in(file: &Table, spot: &Spot) -> Place {
    fn inner<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
        match &table.entries.get(key)?.value.kind {
            value::Kind::Table(table) => Some(table),
            _ => None,
        }
    }
    let table = match &spot.step {
        None => file,
        Some(step) => match inner(file, "steps").and_then(|steps| inner(steps, step)) {
            Some(table) => table,
            None => return file.place.clone(),
        },
    };
    let Some(entry) = spot.key.and_then(|key| table.entries.get(key)) else {
        return table.place.clone();
    };
    let below = match (&spot.part, &entry.value.kind) {
        (Part::Answer(name), value::Kind::Table(inner)) => {
            inner.entries.get(name).map(|entry| &entry.key)
        }
        (Part::Target(name), value::Kind::Table(inner)) => {
            inner.entries.get(name).map(|entry| &entry.value.place)
        }
        (Part::Item(index), value::Kind::List(items)) => items.get(*index).map(|item| &item.place),
        (Part::Field(index, key), value::Kind::List(items)) => {
            items.get(*index).map(|item| match &item.kind {
                value::Kind::Table(fields) => match fields.entries.get(*key) {
                    Some(field) => &field.value.place,
                    None => &item.place,
                },
                _ => &item.place,
            })
        }
        _ => None,
    };
    below.unwrap_or(&entry.value.place).clone()
}
