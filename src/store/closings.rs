//! Closed by hand: a file in `closed/` of the data directory for each calendar that is, or `all`.

use std::io;

use super::notes::{Note, Notes};
use crate::calendar::Closing;

/// The folder of closings.
pub type ClosingFiles = Notes<Closing>;

/// A file that is there and cannot be read or understood closes all the same.
impl Note for Closing {
    const FOLDER: &'static str = "closed";

    fn parse(text: io::Result<String>) -> (Option<Self>, Option<String>) {
        let (closing, doubt) = match text {
            Ok(text) => {
                let (closing, doubt) = Closing::parse(&text);
                (closing, doubt.map(|doubt| doubt.to_string()))
            }
            Err(error) => (Closing::default(), Some(error.to_string())),
        };
        (Some(closing), doubt)
    }

    fn to_text(&self) -> String {
        Closing::to_text(self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn a_closing_is_a_file_that_appears_and_vanishes() {
        let data = tempfile::tempdir().unwrap();
        let files = ClosingFiles::of(data.path());
        assert!(files.read().unwrap().notes.is_empty());
        let closing = Closing {
            reason: Some("台風のため".to_owned()),
            until: Some(Timestamp::from_millis(1_795_136_523_000)),
        };
        files.write("診療所", &closing).unwrap();
        fs::write(data.path().join("closed/all"), "").unwrap();
        fs::write(data.path().join("closed/.hidden"), "").unwrap();
        fs::write(data.path().join("closed/odd"), "until: soon").unwrap();
        fs::create_dir(data.path().join("closed/folder")).unwrap();
        let read = files.read().unwrap();
        let names: Vec<&String> = read.notes.keys().collect();
        assert_eq!(names, ["all", "odd", "診療所"]);
        assert_eq!(read.notes["診療所"], closing);
        assert_eq!(read.doubts.len(), 1, "{:?}", read.doubts);
        assert!(files.remove("診療所").unwrap());
        assert!(!files.remove("診療所").unwrap());
        assert_eq!(files.read().unwrap().notes.len(), 2);
    }

    #[test]
    fn a_closing_that_cannot_be_read_closes_without_a_reason() {
        let data = tempfile::tempdir().unwrap();
        let files = ClosingFiles::of(data.path());
        files.make_folder().unwrap();
        // A link to itself is there and cannot be opened, not even by root.
        std::os::unix::fs::symlink("all", data.path().join("closed/all")).unwrap();
        let read = files.read().unwrap();
        assert_eq!(read.notes["all"], Closing::default());
        assert!(read.doubts[0].starts_with("closed/all: "), "{read:?}");
    }
}
