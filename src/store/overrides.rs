//! Numbers that lead elsewhere for a while: a file in `overrides/` of the data directory for each.

use std::io;

use super::notes::{Note, Notes};
use crate::trunk::NumberOverride;

/// The folder of overrides.
pub type OverrideFiles = Notes<NumberOverride>;

/// A number whose file cannot be read or understood keeps its own flow.
impl Note for NumberOverride {
    const FOLDER: &'static str = "overrides";

    fn parse(text: io::Result<String>) -> (Option<Self>, Option<String>) {
        let understood = text
            .map_err(|error| error.to_string())
            .and_then(|text| NumberOverride::parse(&text).map_err(|error| error.to_string()));
        match understood {
            Ok(it) => (Some(it), None),
            Err(doubt) => (None, Some(doubt)),
        }
    }

    fn to_text(&self) -> String {
        NumberOverride::to_text(self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_override_is_a_file_that_appears_and_vanishes() {
        let data = tempfile::tempdir().unwrap();
        let files = OverrideFiles::of(data.path());
        assert!(files.read().unwrap().notes.is_empty());
        let it = NumberOverride {
            flow: "maintenance".to_owned(),
            until: None,
            reason: Some("保守".to_owned()),
        };
        files.write("+81312345678", &it).unwrap();
        fs::write(data.path().join("overrides/100"), "flow: test\nuntil: soon").unwrap();
        let read = files.read().unwrap();
        assert_eq!(read.notes.get("+81312345678"), Some(&it));
        assert!(!read.notes.contains_key("100"));
        assert_eq!(read.doubts.len(), 1, "{:?}", read.doubts);
        assert!(files.remove("+81312345678").unwrap());
        assert!(!files.remove("+81312345678").unwrap());
    }
}
