//! Draws a story: a time, a lane for the caller and each agent, what happened, how long it lasted.

use owo_colors::Style;

use super::super::text::{clock, faint, pad, pad_left, paint, width};
use super::story::{Look, Row, Story};

/// The drawn story, a line for each row.
pub(super) fn draw(story: &Story) -> String {
    let names = &story.lanes[..story.lanes.len().min(MOST_LANES)];
    let mut text = names_above(names);
    let mut state: Vec<Option<Look>> = vec![None; names.len()];
    let mut changes = story.changes.iter().peekable();
    let timed = story.rows.iter().filter(|row| row.lasts.is_some());
    let column = timed
        .map(|row| width(&row.text))
        .max()
        .unwrap_or(0)
        .min(WIDEST);
    for row in &story.rows {
        let mut before = state.clone();
        while let Some(change) = changes.next_if(|change| change.at <= row.at) {
            if let Some(lane) = state.get_mut(change.lane) {
                *lane = change.look;
            }
        }
        let mut cells = Vec::new();
        for (old, new) in before.drain(..).zip(&state) {
            cells.push(cell(old, *new));
        }
        text.push_str(&line(row, &cells.join(" "), column));
    }
    text
}

fn line(row: &Row, lanes: &str, column: usize) -> String {
    let time = pad_left(&format!("+{}", clock(row.at)), TIME_COLUMNS);
    let mut line = format!("{}  {lanes}  {}", faint(time), row.text);
    if let Some(lasts) = &row.lasts {
        let length = match lasts.open {
            true => format!("{} …", clock(lasts.ms)),
            false => clock(lasts.ms),
        };
        line = format!(
            "{}  {lanes}  {}  {}",
            faint(pad_left(&format!("+{}", clock(row.at)), TIME_COLUMNS)),
            pad(&row.text, column),
            faint(length),
        );
    }
    format!("{}\n", line.trim_end())
}

/// One lane in one row: begins, changes, goes on, ends, or nothing.
fn cell(old: Option<Look>, new: Option<Look>) -> String {
    match (old, new) {
        (None, None) => " ".to_owned(),
        (None, Some(new)) => paint(new.begin, new.style),
        (Some(old), None) => paint("┸", old.style),
        (Some(old), Some(new)) if old == new => paint(new.goes_on, new.style),
        (Some(_), Some(new)) => paint(new.begin, new.style),
    }
}

/// Whose lane is which.
fn names_above(names: &[String]) -> String {
    let margin = " ".repeat(TIME_COLUMNS + 2);
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let stems = "│ ".repeat(index);
        let name = paint(name, Style::new().bold());
        text.push_str(&format!("{margin}{}{name}\n", faint(format!("{stems}╭ "))));
    }
    text
}

/// `+1:02:03.456`, right-aligned.
const TIME_COLUMNS: usize = 11;

/// More agents than this are told in words alone.
const MOST_LANES: usize = 9;

/// Where lengths stand at the latest; a longer text pushes its own aside.
const WIDEST: usize = 52;
