//! A table that flows look keys up in: what a file of comma-separated values holds (RFC 4180).

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Rows of texts by their first column. Shared by all calls, never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: HashMap<String, Box<[String]>>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct TableError {
    /// Octets from the beginning of the file.
    pub at: usize,
    /// What is wrong.
    pub words: String,
}

impl Table {
    /// Reads a file: the first row names the columns, of which the first is the key. Space around
    /// a value does not count.
    ///
    /// # Errors
    ///
    /// The first fault: a row with more or fewer values than columns, a key that is empty or there
    /// twice, a column without a name or with another's.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let fault = |at: Option<u64>, words: String| TableError {
            at: at.and_then(|at| usize::try_from(at).ok()).unwrap_or(0),
            words,
        };
        let of_reader = |error: &csv::Error| {
            let place = error.position();
            let words = match error.kind() {
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => format!("{len} values where there are {expected_len} columns"),
                _ => error.to_string(),
            };
            fault(place.map(csv::Position::byte), words)
        };
        let headers = reader.headers().map_err(|error| of_reader(&error))?.clone();
        let mut columns: Vec<String> = Vec::new();
        for column in &headers {
            if column.is_empty() || columns.iter().any(|known| known == column) {
                let words = format!("a column is called \"{column}\", or another is, too");
                return Err(fault(None, words));
            }
            columns.push(column.to_owned());
        }
        if columns.is_empty() {
            return Err(fault(
                None,
                "there is no row that names the columns".to_owned(),
            ));
        }
        let mut rows = HashMap::new();
        for row in reader.records() {
            let row = row.map_err(|error| of_reader(&error))?;
            let at = row.position().map(csv::Position::byte);
            let mut values = row.iter().map(str::to_owned);
            let key = values.next().unwrap_or_default();
            if key.is_empty() {
                return Err(fault(at, format!("a row without {}", columns[0])));
            }
            if rows.contains_key(&key) {
                return Err(fault(at, format!("\"{key}\" is there twice")));
            }
            rows.insert(key, values.collect());
        }
        Ok(Self { columns, rows })
    }

    /// The row of a key: its values by the names of the columns; empty where there is none.
    pub fn row(&self, key: &str) -> Map<String, Value> {
        let key = key.trim();
        let Some(values) = self.rows.get(key) else {
            return Map::new();
        };
        let all = std::iter::once(key).chain(values.iter().map(String::as_str));
        let columns = self.columns.iter().cloned();
        columns.zip(all.map(Value::from)).collect()
    }

    /// The names of its columns, the key's first.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_found_by_its_first_column() {
        let text = "\u{feff}number, owner,note\n\
            +819012345678,sato,\"VIP, \"\"gold\"\"\"\n\
            +81312345678, 鈴木 ,\n";
        let table = Table::parse(text).unwrap();
        assert_eq!(table.len(), 2);
        let row = Value::from(table.row(" +819012345678"));
        let gold = json!({"number": "+819012345678", "owner": "sato", "note": "VIP, \"gold\""});
        assert_eq!(row, gold);
        assert_eq!(table.row("+81312345678")["owner"], "鈴木");
        assert!(table.row("1").is_empty() && !table.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at, words) in [
            ("", 0, "no row that names"),
            ("a,a\n", 0, "called \"a\""),
            ("a,\n", 0, "called \"\""),
            ("a,b\n1,2\n1,3\n", 8, "\"1\" is there twice"),
            ("a,b\n1,2,3\n", 4, "3 values where there are 2"),
            ("a,b\n,3\n", 4, "without a"),
        ] {
            let error = Table::parse(text).unwrap_err();
            assert!(error.words.contains(words), "{text:?}: {error:?}");
            assert_eq!(error.at, at, "{text:?}");
        }
    }
}
