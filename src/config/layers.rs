//! Node settings in layers: the file below, `TSUNAGU_*` environment variables above.
//!
//! The crate `config` lays them over each other; every value keeps its origin on the way, so that
//! a mistake is shown in the file's line or in the variable it came from.

use std::collections::HashMap;
use std::sync::Arc;

use ::config::{Config, ConfigError, Map, Source as Layer, Value as Laid, ValueKind};
use indexmap::IndexMap;

use super::environment::{Environment, PREFIX};
use super::notes::Notes;
use super::source::{Place, Source};
use super::value::{Entry, Kind, Table, Value};
use super::words::nearest;

/// Lays the variables among `settings` (dotted paths) over `file`.
///
/// A variable that looks like a setting misspelt is an error: it would be ignored in silence.
pub(super) fn lay(
    file: &Table,
    settings: &[&str],
    environment: &Environment,
    notes: &Notes,
) -> Table {
    let mut places = HashMap::new();
    let below = FixedLayer(file_layer(file, &mut places));
    let above = FixedLayer(variables(settings, environment, notes, &mut places));
    let laid = Config::builder()
        .add_source(below)
        .add_source(above)
        .build()
        .and_then(|config| config.collect());
    match laid {
        Ok(laid) => table(&laid, Some(file), &places, &file.place),
        // Both layers are in memory already: the crate has nothing left to fail at.
        Err(_) => file.clone(),
    }
}

/// The variable of a setting: `sip.listen` is `TSUNAGU_SIP_LISTEN`.
pub(super) fn variable_of(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_uppercase())
}

#[derive(Clone, Debug)]
struct FixedLayer(Map<String, Laid>);

impl Layer for FixedLayer {
    fn clone_into_box(&self) -> Box<dyn Layer + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Laid>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn file_layer(file: &Table, places: &mut HashMap<String, Place>) -> Map<String, Laid> {
    let entries = file.entries.iter();
    entries
        .map(|(key, entry)| (key.clone(), laid(&entry.value, places)))
        .collect()
}

fn laid(value: &Value, places: &mut HashMap<String, Place>) -> Laid {
    let origin = value.place.to_string();
    let kind = match &value.kind {
        Kind::Flag(flag) => ValueKind::Boolean(*flag),
        Kind::Float(float) => ValueKind::Float(*float),
        Kind::Integer(number) => ValueKind::I64(*number),
        Kind::List(items) => {
            ValueKind::Array(items.iter().map(|item| laid(item, places)).collect())
        }
        Kind::Table(inner) => ValueKind::Table(file_layer(inner, places)),
        Kind::Text(text) | Kind::Variable(text) => ValueKind::String(text.clone()),
    };
    places.insert(origin.clone(), value.place.clone());
    Laid::new(Some(&origin), kind)
}

fn variables(
    settings: &[&str],
    environment: &Environment,
    notes: &Notes,
    places: &mut HashMap<String, Place>,
) -> Map<String, Laid> {
    let names: Vec<String> = settings
        .iter()
        .map(|setting| variable_of(setting))
        .collect();
    let mut layer = Map::new();
    for (name, value) in environment.ours() {
        let place = variable_place(name, value);
        if let Some(index) = names.iter().position(|known| known == name) {
            places.insert(name.to_owned(), place);
            let origin = name.to_owned();
            layer.insert(settings[index].to_owned(), Laid::new(Some(&origin), value));
        } else if !NOT_SETTINGS.contains(&name) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Some(meant) = nearest(name, &known) {
                let message = format!("the environment variable {name} is not a setting");
                notes.error(&place, message, format!("did you mean {meant}?"));
            }
        }
    }
    layer
}

fn variable_place(name: &str, value: &str) -> Place {
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: format!("{name}={value}"),
    });
    Place::new(&source, name.len() + 1..name.len() + 1 + value.len())
}

fn table(
    laid: &Map<String, Laid>,
    file: Option<&Table>,
    places: &HashMap<String, Place>,
    above: &Place,
) -> Table {
    let place = file.map_or(above, |file| &file.place);
    let mut entries: IndexMap<String, Entry> = IndexMap::new();
    for (key, value) in laid {
        let written = file.and_then(|file| file.entries.get(key));
        let Some(value) = lifted(value, written.map(|entry| &entry.value), places, place) else {
            continue;
        };
        let key_place = written.map_or(&value.place, |entry| &entry.key).clone();
        entries.insert(
            key.clone(),
            Entry {
                key: key_place,
                value,
            },
        );
    }
    entries.sort_by(|_, a, _, b| a.key.span.start.cmp(&b.key.span.start));
    Table {
        place: place.clone(),
        entries,
    }
}

fn lifted(
    laid: &Laid,
    written: Option<&Value>,
    places: &HashMap<String, Place>,
    above: &Place,
) -> Option<Value> {
    let place = laid.origin().and_then(|origin| places.get(origin));
    let place = place.or(written.map(|value| &value.place)).unwrap_or(above);
    let kind = match &laid.kind {
        ValueKind::Nil => return None,
        ValueKind::Boolean(flag) => Kind::Flag(*flag),
        ValueKind::Float(float) => Kind::Float(*float),
        ValueKind::I64(number) => Kind::Integer(*number),
        ValueKind::I128(_) | ValueKind::U128(_) | ValueKind::U64(_) => Kind::Float(f64::INFINITY),
        ValueKind::String(text) if place.source.name.starts_with(PREFIX) => {
            Kind::Variable(text.clone())
        }
        ValueKind::String(text) => Kind::Text(text.clone()),
        ValueKind::Array(items) => {
            let lift = |item| lifted(item, None, places, place);
            Kind::List(items.iter().filter_map(lift).collect())
        }
        ValueKind::Table(inner) => {
            let file = written.and_then(|value| match &value.kind {
                Kind::Table(table) => Some(table),
                _ => None,
            });
            Kind::Table(table(inner, file, places, place))
        }
    };
    Some(Value {
        place: place.clone(),
        kind,
    })
}

/// Variables that other parts of the program read.
const NOT_SETTINGS: [&str; 6] = [
    "TSUNAGU_CONFIG",
    "TSUNAGU_JOURNAL",
    "TSUNAGU_LANGUAGE",
    "TSUNAGU_LOG",
    "TSUNAGU_SEED",
    "TSUNAGU_URL",
];

#[cfg(test)]
mod tests {
    use super::super::section::Section;
    use super::super::value;
    use super::*;

    const SETTINGS: [&str; 3] = ["max_calls", "sip.listen", "metrics.listen"];

    fn laid_over(text: &str, variables: &[(&str, &str)]) -> (Table, Notes) {
        let source = Arc::new(Source {
            name: "node.toml".to_owned(),
            text: text.to_owned(),
        });
        let (file, problems) = value::parse(&source);
        assert_eq!(problems, []);
        let notes = Notes::default();
        let environment = variables.iter().copied().collect();
        let table = lay(&file, &SETTINGS, &environment, &notes);
        (table, notes)
    }

    #[test]
    fn a_variable_outranks_the_file_and_keeps_its_name_for_errors() {
        let (table, notes) = laid_over(
            "max_calls = 5\n[sip]\nlisten = \"a\"\n",
            &[
                ("TSUNAGU_MAX_CALLS", "many"),
                ("TSUNAGU_SIP_LISTEN", "b, c"),
            ],
        );
        let section = Section::new(&notes, &table, "the node");
        assert_eq!(section.integer("max_calls", 1..=9), None);
        let sip = section.section("sip", "[sip]").expect("written");
        let listen: Vec<String> = sip
            .texts("listen")
            .expect("written")
            .into_iter()
            .map(|text| text.value)
            .collect();
        assert_eq!(listen, ["b", "c"]);
        let problems = notes.into_problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].place.to_string(), "TSUNAGU_MAX_CALLS:1:19");
    }

    #[test]
    fn a_variable_makes_a_section_the_file_does_not_have() {
        let (table, notes) = laid_over("", &[("TSUNAGU_METRICS_LISTEN", "0.0.0.0:9091")]);
        let section = Section::new(&notes, &table, "the node");
        let metrics = section.section("metrics", "[metrics]").expect("made");
        assert_eq!(metrics.text("listen").expect("made").value, "0.0.0.0:9091");
    }

    #[test]
    fn what_the_file_says_keeps_its_place() {
        let (table, notes) = laid_over("max_calls = \"5\"\n[sip]\nlisen = 1\n", &[]);
        let section = Section::new(&notes, &table, "the node");
        section.integer("max_calls", 1..=9);
        section.section("sip", "[sip]").expect("written").close();
        let places: Vec<String> = notes
            .into_problems()
            .iter()
            .map(|problem| problem.place.to_string())
            .collect();
        assert_eq!(places, ["node.toml:1:13", "node.toml:3:1"]);
    }

    #[test]
    fn a_misspelt_variable_is_an_error_a_foreign_one_is_not() {
        let foreign = [
            ("TSUNAGU_MAXCALLS", "5"),
            ("TSUNAGU_TEST_RUN", "1"),
            ("PATH", "/"),
        ];
        let (_, notes) = laid_over("", &foreign);
        let problems = notes.into_problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert_eq!(problems[0].help, "did you mean TSUNAGU_MAX_CALLS?");
    }
}
