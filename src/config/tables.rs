//! `tables/NAME.csv`: what flows look keys up in.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{Files, nowhere};
use super::names::Names;
use super::notes::Notes;
use super::section::At;
use super::source::Place;
use crate::flow::Table;

/// Tables as read.
#[derive(Debug)]
pub(super) struct Tables {
    /// All of them, by name.
    pub(super) tables: HashMap<String, Arc<Table>>,
    /// Names.
    pub(super) names: Names,
}

/// Reads the tables.
pub(super) fn read(files: &Files, notes: &Notes) -> Tables {
    let mut tables = Tables {
        tables: HashMap::new(),
        names: Names::new("table", files.has_every_table()),
    };
    for file in &files.tables {
        let name = At {
            value: file.stem.clone(),
            place: nowhere(&file.source.name),
        };
        tables.names.declare(notes, &name);
        match Table::parse(&file.source.text) {
            Ok(table) => {
                tables.tables.insert(name.value, Arc::new(table));
            }
            Err(error) => {
                let at = error.at.min(file.source.text.len());
                let line = file.source.text[at..].find('\n');
                let until = line.map_or(file.source.text.len(), |length| at + length);
                let place = Place::new(&file.source, at..until);
                let help = "write it as a spreadsheet saves it: comma-separated, UTF-8, the first \
                            row names the columns, the first column is the key";
                notes.error(&place, error.words, help);
            }
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use crate::config::{Environment, load};

    #[test]
    fn a_table_is_a_file_and_what_is_wrong_with_it_has_its_line() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(folder.path().join("tables")).expect("made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        let none = Environment::from_iter::<[(&str, String); 0]>([]);
        write("node.toml", "name = \"a\"\nregion = \"b\"\n");
        write("tables/owners.csv", "number,owner\n+81901,sato\n");
        let office = load(folder.path(), &none).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(office.tables["owners"].row("+81901")["owner"], "sato");
        let hash = office.hash;
        write("tables/owners.csv", "number,owner\n+81901,suzuki\n");
        let newer = load(folder.path(), &none).unwrap_or_else(|report| panic!("{report}"));
        assert_ne!(hash, newer.hash, "its content is part of the configuration");
        write(
            "tables/owners.csv",
            "number,owner\n+81901,sato\n+81901,emma\n",
        );
        let report = load(folder.path(), &none).expect_err("twice").to_string();
        let line = "tables/owners.csv:3:1: error: \"+81901\" is there twice";
        assert!(report.contains(line), "{report}");
        // A character of several octets before the fault.
        write("tables/owners.csv", "number,owner\n+81901,佐藤\n,x\n");
        let report = load(folder.path(), &none).expect_err("no key").to_string();
        assert!(report.contains("tables/owners.csv:3:1"), "{report}");
    }
}
