//! Tables of numbers: as dialled, what they reach, in E.164.

mod formats;
mod germany;
mod japan;
mod north_america;

use super::{Site, Unreadable};

/// As dialled, the kind (or what is wrong), E.164 (empty for a short number).
type Row = (&'static str, &'static str, &'static str);

#[track_caller]
fn judge(site: &Site, rows: &[Row], at_least: usize) {
    let mut wrong = Vec::new();
    for (text, kind, e164) in rows {
        let read = match site.read(text) {
            Ok(number) => (number.kind.as_str(), number.e164.unwrap_or_default()),
            Err(Unreadable::Length { .. }) => ("length", String::new()),
            Err(Unreadable::NoNumber) => ("no number", String::new()),
            Err(Unreadable::Unassigned) => ("unassigned", String::new()),
        };
        if (read.0, read.1.as_str()) != (*kind, *e164) {
            wrong.push(format!("{text}: {read:?}, not {:?}", (kind, e164)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let mut texts: Vec<&str> = rows.iter().map(|(text, ..)| *text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), rows.len(), "a row stands twice");
    assert!(rows.len() >= at_least, "{} rows", rows.len());
}
