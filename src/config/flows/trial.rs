//! `[[test]]` of a flow, in its file or in `NAME.test.toml` beside it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::super::files::File;
use super::super::notes::Notes;
use super::super::report::Problem;
use super::super::section::Section;
use super::super::source::Place;
use super::super::value::{Kind, Table, Value};
use crate::base::Timestamp;
use crate::flow::rehearsal::{Calendars, Ending, Expectation, Move, Trial, World, difference};
use crate::flow::{Context, DialOutcome, Document, QueueFigures, QueueOutcome};

/// A test with where everything stands that it may fail.
#[derive(Debug)]
pub(super) struct Test {
    flow: String,
    name: String,
    place: Place,
    /// Who is called, when that is written.
    to: Option<String>,
    trial: Trial,
    /// Places of what is expected, by key.
    expected: HashMap<&'static str, Place>,
}

/// Ending of the name of a file of tests, before `.toml`.
pub(super) const SUFFIX: &str = ".test";

/// Reads the tests of a flow from the section they stand in.
pub(super) fn read(flow: &str, section: &Section<'_>, notes: &Notes) -> Vec<Test> {
    let tests = section.sections("test", "a test").into_iter();
    tests
        .enumerate()
        .map(|(index, test)| read_one(flow, index, test, notes))
        .collect()
}

/// Reads the tests of `NAME.test.toml`, and says of which flow they are.
pub(super) fn read_file(file: &File, notes: &Notes) -> Vec<Test> {
    let section = Section::new(notes, &file.table, "a file of tests");
    let flow = file.stem.trim_end_matches(SUFFIX);
    let tests = read(flow, &section, notes);
    section.close();
    tests
}

impl Test {
    /// The flow it is of.
    pub(super) fn flow(&self) -> &str {
        &self.flow
    }

    /// Where it stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Who is called, when that is written.
    pub(super) fn to(&self) -> Option<&str> {
        self.to.as_deref()
    }

    /// Plays it where these calendars hold, one of which may be the dialled number's; everything
    /// that comes out otherwise is an error.
    pub(super) fn run(
        &self,
        document: &Arc<Document>,
        calendars: &Arc<Calendars>,
        of_number: Option<&str>,
        notes: &Notes,
    ) {
        let mut trial = self.trial.clone();
        trial.context.calendar = of_number.map(str::to_owned);
        trial.world.calendars = Arc::clone(calendars);
        let course = trial.play(document);
        let expect = &self.trial.expect;
        let lists = [
            ("heard", &expect.heard, &course.heard),
            ("path", &expect.path, &course.path),
            ("queue", &expect.queue, &course.queue),
            ("dialled", &expect.dialled, &course.dialled),
        ];
        for (key, expected, got) in lists {
            if let Some(expected) = expected.as_ref().filter(|it| *it != got) {
                self.fail(key, expected, got, notes);
            }
        }
        if let Some(attributes) = &expect.attributes {
            let line = |(name, value): (&String, &serde_json::Value)| format!("{name} = {value}");
            let expected: Vec<String> = attributes.iter().map(line).collect();
            let got: Vec<String> = attributes
                .keys()
                .filter_map(|name| course.attributes.get_key_value(name))
                .map(line)
                .collect();
            if expected != got {
                self.fail("attributes", &expected, &got, notes);
            }
        }
        if let Some(end) = expect.end.filter(|end| course.end != Some(*end)) {
            let word = |end: Ending| vec![end.as_str().to_owned()];
            let got = course.end.map(word).unwrap_or_default();
            self.fail("end", &word(end), &got, notes);
        }
    }

    fn fail(&self, key: &'static str, expected: &[String], got: &[String], notes: &Notes) {
        let place = self.expected.get(key).unwrap_or(&self.place);
        let shown = |list: &[String]| list[..list.len().min(SHOWN)].to_vec();
        let difference = difference(&shown(expected), &shown(got));
        let message = format!("the test \"{}\" fails: another `{key}`", self.name);
        let help = format!("- expected, + got:\n{difference}");
        notes.push(Problem::error(place, message, help));
    }
}

fn read_one(flow: &str, index: usize, test: Section<'_>, notes: &Notes) -> Test {
    let name = test.text("name").map(|at| at.value);
    let text = |key| test.text(key).map(|at| at.value);
    let at = test.parsed("at", TIME_HELP, |text| {
        Timestamp::parse_rfc3339(text).ok_or("no time with a zone")
    });
    let to = text("to");
    let context = Context {
        from: text("from").unwrap_or_else(|| "+819012345678".to_owned()),
        from_name: text("from_name"),
        to: to.clone().unwrap_or_else(|| "+81312345678".to_owned()),
        trunk: text("trunk"),
        attributes: test.attributes("attributes"),
        seed: test
            .integer("seed", 0..=i64::MAX)
            .map_or(0, |at| at.value.unsigned_abs()),
        id: "test".to_owned(),
        ..Context::default()
    };
    let mut expected = HashMap::new();
    let expect = match test.section("expect", "what is expected") {
        Some(expect) => read_expectation(expect, &mut expected),
        None => {
            let help = "add [test.expect] with heard, path, attributes, queue, dialled or end";
            notes.error(test.place(), "a test that expects nothing", help);
            Expectation::default()
        }
    };
    let read = Test {
        flow: flow.to_owned(),
        name: name.unwrap_or_else(|| format!("{}", index + 1)),
        place: test.place().clone(),
        to,
        trial: Trial {
            context,
            at: at.map_or(Timestamp::from_millis(MORNING), |at| at.value),
            caller: moves(&test, notes),
            world: read_world(&test, notes),
            expect,
        },
        expected,
    };
    test.close();
    read
}

fn moves(test: &Section<'_>, notes: &Notes) -> Vec<Move> {
    let texts = test.texts("caller").unwrap_or_default().into_iter();
    texts
        .filter_map(|text| {
            let read = Move::parse(&text.value);
            if read.is_none() {
                let message = format!("a caller cannot do \"{}\"", text.value);
                let help = "he presses \"1\" or \"123#\", keeps \"silence\", \"interrupts 1\" or \
                            \"hangs up\"";
                notes.error(&text.place, message, help);
            }
            read
        })
        .collect()
}

fn read_world(test: &Section<'_>, notes: &Notes) -> World {
    let outcomes = [
        ("answered", QueueOutcome::Answered),
        ("left", QueueOutcome::Left),
        ("nobody", QueueOutcome::Nobody),
        ("timeout", QueueOutcome::TimedOut),
    ];
    let hours = [
        ("closed", Some(false)),
        ("error", None),
        ("open", Some(true)),
    ];
    let lengths = |value: &Value| match &value.kind {
        Kind::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        _ => None,
    };
    let data = |value: &Value| match &value.kind {
        Kind::Table(table) => Some(json(table)),
        _ => None,
    };
    let figures = |value: &Value| serde_json::from_value(data(value)?).ok();
    World {
        queue: words(test, "queue", &outcomes, notes),
        dial: words(test, "dial", &DialOutcome::WORDS, notes),
        hours: words(test, "hours", &hours, notes),
        http: replies(test, "http", "a table", data, notes),
        lookup: replies(test, "lookup", "a table", data, notes),
        figures: replies::<QueueFigures>(test, "figures", FIGURES, figures, notes),
        record: replies(test, "record", "seconds", lengths, notes),
        ..World::default()
    }
}

fn read_expectation(expect: Section<'_>, places: &mut HashMap<&'static str, Place>) -> Expectation {
    for key in ["heard", "path", "attributes", "queue", "dialled", "end"] {
        if let Some(entry) = expect.written().entries.get(key) {
            places.insert(key, entry.value.place.clone());
        }
    }
    let list = |key| -> Option<Vec<String>> {
        let texts = expect.texts(key)?;
        Some(texts.into_iter().map(|at| at.value).collect())
    };
    let attributes = expect.attributes("attributes");
    let read = Expectation {
        heard: list("heard"),
        path: list("path"),
        queue: list("queue"),
        dialled: list("dialled"),
        attributes: (!attributes.is_empty()).then_some(attributes),
        end: expect.one_of("end", &Ending::WORDS).map(|at| at.value),
    };
    expect.close();
    read
}

/// A list of a few words.
fn words<T: Copy>(
    test: &Section<'_>,
    key: &'static str,
    known: &[(&str, T)],
    notes: &Notes,
) -> VecDeque<T> {
    let texts = test.texts(key).unwrap_or_default().into_iter();
    texts
        .filter_map(|text| {
            let found = known.iter().find(|(word, _)| *word == text.value);
            if found.is_none() {
                let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
                let message = format!("`{key}` cannot be \"{}\"", text.value);
                let help = format!("it is one of {}", words.join(", "));
                notes.error(&text.place, message, help);
            }
            found.map(|(_, value)| *value)
        })
        .collect()
}

/// A list of replies; `"error"` is a failure.
fn replies<T>(
    test: &Section<'_>,
    key: &'static str,
    what: &str,
    read: impl Fn(&Value) -> Option<T>,
    notes: &Notes,
) -> VecDeque<Option<T>> {
    let items: Vec<&Value> = match test.not_text(key) {
        Some(Value {
            kind: Kind::List(items),
            ..
        }) => items.iter().collect(),
        Some(single) => vec![single],
        None if test.is_word(key, "error") => return VecDeque::from([None]),
        None => Vec::new(),
    };
    let mut found = VecDeque::new();
    for item in items {
        match (&item.kind, read(item)) {
            (_, Some(reply)) => found.push_back(Some(reply)),
            (Kind::Text(word), None) if word == "error" => found.push_back(None),
            _ => {
                let message = format!("`{key}` is {what} or \"error\"");
                let help = "write the replies in the order they are asked for, in brackets";
                notes.error(&item.place, message, help);
            }
        }
    }
    found
}

fn json(table: &Table) -> serde_json::Value {
    let entries = table.entries.iter();
    let members = entries.map(|(key, entry)| (key.clone(), json_of(&entry.value)));
    serde_json::Value::Object(members.collect())
}

fn json_of(value: &Value) -> serde_json::Value {
    match &value.kind {
        Kind::Flag(flag) => (*flag).into(),
        Kind::Float(float) => (*float).into(),
        Kind::Integer(integer) => (*integer).into(),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Table(table) => json(table),
        Kind::Text(text) | Kind::Variable(text) => text.clone().into(),
    }
}

const TIME_HELP: &str = "write a day, a time and its zone: at = 2026-11-20T10:00:00+09:00";
const FIGURES: &str = "a table of waiting, oldest_wait, available, staffed, online";
/// A Friday in November 2026, ten in the morning in Tokyo.
const MORNING: i64 = 1795136400000;
/// Lines of a difference that are shown of each side.
const SHOWN: usize = 200;
