//! The year in a terminal: three months abreast, in colour, and legible without.

use owo_colors::Style;

use super::super::text::{clean, faint, pad, paint, strong, width};
use super::kind;
use super::year::{Day, Mark, Year, column, month_name, weekdays};
use crate::base::Language;

/// Months side by side.
const ABREAST: usize = 3;
/// Columns of a day: two digits and its mark.
const CELL: usize = 3;
const MONTH: usize = 7 * CELL;
const GAP: &str = "    ";
/// Columns of a terminal that nobody has widened.
const COLUMNS: usize = 80;

/// The whole picture, each line ended.
pub(super) fn draw(year: &Year<'_>, language: Language) -> String {
    let zone = year.calendar.zone().iana_name().unwrap_or_default();
    let name = strong(clean(year.calendar.name()));
    let mut text = format!("\n  {name} {}  {}\n", strong(year.number), faint(zone));
    for first in (1..=12).step_by(ABREAST) {
        let months: Vec<Vec<String>> = (first..first + 3)
            .map(|it| month(year, it, language))
            .collect();
        let height = months.iter().map(Vec::len).max().unwrap_or(0);
        text.push('\n');
        for line in 0..height {
            let cells = months.iter().map(|month| {
                let line = month.get(line).map_or("", String::as_str);
                pad(line, MONTH)
            });
            let line = cells.collect::<Vec<_>>().join(GAP);
            text += &format!("  {}\n", line.trim_end());
        }
    }
    text += &legend(year, language);
    text += &exceptions(year, language);
    text
}

/// A month, line by line.
fn month(year: &Year<'_>, month: i8, language: Language) -> Vec<String> {
    let heads = weekdays(language)
        .map(|word| format!("{}{word}", " ".repeat(2usize.saturating_sub(width(word)))));
    let mut lines = vec![strong(month_name(month, language)), faint(heads.join(" "))];
    let mut line = String::new();
    for day in year.month(month) {
        let column = column(day.date, language);
        if day.date.day() == 1 {
            line = " ".repeat(CELL * column);
        } else if column == 0 {
            lines.push(std::mem::take(&mut line));
        }
        line += &cell(day);
    }
    lines.push(line);
    lines
}

fn cell(day: &Day) -> String {
    let text = format!("{:2}{}", day.date.day(), sign(day.mark));
    paint(text, style(day.mark))
}

/// What stands after a day, for who sees no colours.
fn sign(mark: Mark) -> char {
    match mark {
        Mark::Open => ' ',
        Mark::Special => '~',
        Mark::Closed => '·',
        Mark::Holiday => '*',
        Mark::Shut => 'x',
    }
}

fn style(mark: Mark) -> Style {
    match mark {
        Mark::Open => Style::new().green(),
        Mark::Special => Style::new().black().on_yellow(),
        Mark::Closed => Style::new().dimmed(),
        Mark::Holiday => Style::new().white().on_red(),
        Mark::Shut => Style::new().white().on_magenta(),
    }
}

fn legend(year: &Year<'_>, language: Language) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for mark in Mark::ALL.into_iter().filter(|mark| year.count(*mark) > 0) {
        let sample = paint(format!("31{}", sign(mark)), style(mark));
        let (word, count) = (mark.word(language), faint(year.count(mark)));
        let part = format!("   {sample} {word} {count}");
        if width(&line) + width(&part) > COLUMNS {
            text += &format!("\n{}", std::mem::take(&mut line));
        }
        line += &part;
    }
    format!("{text}\n{line}\n")
}

/// The days that are not as the week says.
fn exceptions(year: &Year<'_>, language: Language) -> String {
    let mut text = String::from("\n");
    for exception in year.exceptions() {
        let day = exception.first;
        let hours = match day.hours.is_closed() {
            true => language.pick("closed", "休み").to_owned(),
            false => day.hours.to_string(),
        };
        let what = match &day.reason.name {
            Some(name) => clean(name.in_language(language)),
            None => kind(day.reason.layer, language).to_owned(),
        };
        text += &format!(
            "  {} {}  {}  {}\n",
            paint(sign(day.mark), style(day.mark)),
            pad(&exception.dates(language), 10),
            pad(&what, 30),
            faint(hours)
        );
    }
    text
}
