//! The files of a configuration directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::notes::Notes;
use super::report::Problem;
use super::source::{Place, Source};
use super::value::{self, Table};
use super::words::remedy;

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Agents,
    Calendars,
    Flows,
    Mail,
    Node,
    Numbers,
    Phones,
    Profiles,
    Queues,
    Speech,
    Trunks,
    Voicemail,
    Webhooks,
    Workflows,
}

const KINDS: [(&str, Kind); 14] = [
    ("node", Kind::Node),
    ("trunks", Kind::Trunks),
    ("phones", Kind::Phones),
    ("agents", Kind::Agents),
    ("calendars", Kind::Calendars),
    ("queues", Kind::Queues),
    ("profiles", Kind::Profiles),
    ("workflows", Kind::Workflows),
    ("flows", Kind::Flows),
    ("numbers", Kind::Numbers),
    ("speech", Kind::Speech),
    ("webhooks", Kind::Webhooks),
    ("voicemail", Kind::Voicemail),
    ("mail", Kind::Mail),
];

/// One file as read.
#[derive(Debug)]
pub(super) struct File {
    /// Name without directory and ending.
    pub(super) stem: String,
    /// Its text.
    pub(super) source: Arc<Source>,
    /// What stands in it.
    pub(super) table: Table,
}

/// A file that is no TOML, as it lies there: a TaskRouter document, a table.
#[derive(Debug)]
pub(super) struct PlainFile {
    /// Name without directory and ending.
    pub(super) stem: String,
    /// Its text.
    pub(super) source: Arc<Source>,
}

/// Every file of a directory.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<Kind, Vec<File>>,
    /// Those of `workflows/*.json`.
    pub(super) documents: Vec<PlainFile>,
    /// Those of `tables/*.csv`.
    pub(super) tables: Vec<PlainFile>,
    /// Tables that could not be read.
    unread_tables: usize,
    /// Kinds of which a file could not be read whole.
    incomplete: Vec<Kind>,
}

impl Files {
    /// Reads `kind.toml` and `kind/*.toml` of every kind, and `workflows/*.json`; notes whatever
    /// else ends in `.toml`.
    pub(super) fn read(directory: &Path, notes: &Notes) -> Self {
        let mut files = Self::default();
        if !directory.is_dir() {
            let message = format!("there is no directory {}", directory.display());
            let help = "give one with --config; an example is config/ in the source";
            notes.unreadable(Problem::error(&nowhere("node.toml"), message, help));
            return files;
        }
        for name in names_in(directory, "", ".toml", notes) {
            let stem = name.trim_end_matches(".toml");
            match KINDS.iter().find(|(known, _)| *known == stem) {
                Some((_, Kind::Flows)) => {
                    let message = "every flow has a file of its own";
                    notes.error(&nowhere(&name), message, "move it to flows/NAME.toml");
                }
                Some((_, kind)) => files.add(directory, &name, *kind, notes),
                None => {
                    let known: Vec<String> = KINDS
                        .iter()
                        .filter(|(_, kind)| *kind != Kind::Flows)
                        .map(|(stem, _)| format!("{stem}.toml"))
                        .collect();
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let message = format!("{name} is not a file of the configuration");
                    notes.error(
                        &nowhere(&name),
                        message,
                        remedy(&name, &known, "the files are"),
                    );
                }
            }
        }
        for (stem, kind) in KINDS {
            if kind != Kind::Node {
                let (below, prefix) = (directory.join(stem), format!("{stem}/"));
                for name in names_in(&below, &prefix, ".toml", notes) {
                    files.add(directory, &name, kind, notes);
                }
            }
        }
        for name in names_in(&directory.join("tables"), "tables/", ".csv", notes) {
            match read_text(directory, &name, notes) {
                Some(source) => files.tables.push(PlainFile {
                    stem: stem_of(&name),
                    source,
                }),
                None => files.unread_tables += 1,
            }
        }
        for name in names_in(&directory.join("workflows"), "workflows/", ".json", notes) {
            match read_text(directory, &name, notes) {
                Some(source) => files.documents.push(PlainFile {
                    stem: stem_of(&name),
                    source,
                }),
                None => files.incomplete.push(Kind::Workflows),
            }
        }
        if files.of(Kind::Node).is_empty() && files.is_complete(Kind::Node) {
            let message = "there is no node.toml";
            let help = "write one; the least it needs is name = \"tokyo1\" and region = \"jp1\"";
            notes.unreadable(Problem::error(&nowhere("node.toml"), message, help));
        }
        files
    }

    /// The files of a kind, in the order of their names.
    pub(super) fn of(&self, kind: Kind) -> &[File] {
        self.files.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Whether every file of a kind could be read whole.
    pub(super) fn is_complete(&self, kind: Kind) -> bool {
        !self.incomplete.contains(&kind)
    }

    /// Whether every table could be read.
    pub(super) fn has_every_table(&self) -> bool {
        self.unread_tables == 0
    }

    /// What every file says.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        let files = self.files.values().flatten().map(|file| &file.source);
        let plain = self.documents.iter().chain(&self.tables);
        files.chain(plain.map(|file| &file.source))
    }

    fn add(&mut self, directory: &Path, name: &str, kind: Kind, notes: &Notes) {
        let Some(source) = read_text(directory, name, notes) else {
            return self.incomplete.push(kind);
        };
        let (table, problems) = value::parse(&source);
        if !problems.is_empty() {
            self.incomplete.push(kind);
        }
        for problem in problems {
            notes.unreadable(problem);
        }
        self.files.entry(kind).or_default().push(File {
            stem: stem_of(name),
            source,
            table,
        });
    }
}

fn stem_of(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// What a file says; `None`, and noted why, when it cannot be read.
fn read_text(directory: &Path, name: &str, notes: &Notes) -> Option<Arc<Source>> {
    let text = match std::fs::read(directory.join(name)).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            let before = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = source(name, text);
            let place = Place::new(&source, before..before + 1);
            let problem = Problem::error(&place, "not UTF-8", "save the file as UTF-8");
            notes.unreadable(problem);
            return None;
        }
        Err(error) => {
            let message = format!("cannot read {name}: {error}");
            let help = "let the user tsunagu runs as read it";
            notes.unreadable(Problem::error(&nowhere(name), message, help));
            return None;
        }
    };
    Some(source(name, text))
}

/// A place for what is missing altogether.
pub(super) fn nowhere(name: &str) -> Place {
    Place::new(&source(name, String::new()), 0..0)
}

fn source(name: &str, text: String) -> Arc<Source> {
    Arc::new(Source {
        name: name.to_owned(),
        text,
    })
}

/// Names of the files in a directory that end so, sorted; none when it does not exist. One that
/// cannot be read is told: half a configuration is none.
fn names_in(directory: &Path, prefix: &str, ending: &str, notes: &Notes) -> Vec<String> {
    let cannot_read = |error| {
        let place = nowhere(&directory.display().to_string());
        let message = format!("cannot read the directory: {error}");
        let help = "let the user tsunagu runs as read it";
        notes.push(Problem::error(&place, message, help));
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !prefix.is_empty() => {
            return Vec::new();
        }
        Err(error) => {
            cannot_read(error);
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        let written = match entry {
            Ok(entry) => entry.file_name(),
            Err(error) => {
                cannot_read(error);
                continue;
            }
        };
        let name = written.to_string_lossy();
        if !name.ends_with(ending) || name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        match written.to_str() {
            Some(_) => names.push(name),
            None => {
                let message = "the name of this file is not UTF-8";
                notes.error(&nowhere(&name), message, "rename it");
            }
        }
    }
    names.sort();
    names
}
