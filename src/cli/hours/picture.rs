//! The year as an SVG picture: twelve months, the hours of each day as bars on its 24, and every
//! exception by name.

use std::fmt::Write as _;

use super::kind;
use super::year::{Day, Exception, Mark, Year, column, month_name, weekdays};
use crate::base::Language;

/// The whole picture.
pub(super) fn draw(year: &Year<'_>, language: Language) -> String {
    let exceptions = year.exceptions();
    let rows = exceptions.len().div_ceil(LIST_COLUMNS);
    let months_end = HEAD + 3 * (MONTH_HEIGHT + MONTH_GAP);
    let list = match rows {
        0 => 0,
        rows => LIST_HEAD + rows * LIST_LINE,
    };
    let height = months_end + list + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"{FONTS}\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"{PAPER}\"/>\n"
    );
    head(&mut svg, year, language);
    for number in 1..=12i8 {
        let index = usize::from((number - 1).unsigned_abs());
        let x = MARGIN + index % 4 * (MONTH_WIDTH + MONTH_GAP);
        let y = HEAD + index / 4 * (MONTH_HEIGHT + MONTH_GAP);
        month(&mut svg, year, number, (x, y), language);
    }
    for (index, exception) in exceptions.iter().enumerate() {
        let x = MARGIN + index / rows.max(1) * LIST_WIDTH;
        let y = months_end + LIST_HEAD + index % rows.max(1) * LIST_LINE;
        line(&mut svg, exception, (x, y), language);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Name, year, zone, and what the colours mean.
fn head(svg: &mut String, year: &Year<'_>, language: Language) {
    let zone = year.calendar.zone().iana_name().unwrap_or_default();
    let name = escape(&shortened(year.calendar.name(), 40));
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"66\" font-size=\"34\" font-weight=\"700\" fill=\"{INK}\">{name}\
         <tspan dx=\"14\" font-weight=\"300\">{}</tspan></text>\n\
         <text x=\"{}\" y=\"66\" font-size=\"15\" fill=\"{FAINT}\" text-anchor=\"end\">{}</text>",
        year.number,
        WIDTH - MARGIN,
        escape(zone)
    );
    let mut x = MARGIN;
    for mark in Mark::ALL.into_iter().filter(|mark| year.count(*mark) > 0) {
        let (fill, ink) = colours(mark);
        let text = format!("{} {}", mark.word(language), year.count(mark));
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"92\" width=\"18\" height=\"18\" rx=\"5\" fill=\"{fill}\" \
             stroke=\"{ink}\" stroke-opacity=\"0.35\"/>\
             <text x=\"{}\" y=\"106\" font-size=\"14\" fill=\"{INK}\">{text}</text>",
            x + 26
        );
        x += 58 + super::super::text::width(&text) * 8;
    }
}

fn month(svg: &mut String, year: &Year<'_>, month: i8, (x, y): (usize, usize), language: Language) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" font-size=\"17\" font-weight=\"600\" fill=\"{INK}\">{}</text>",
        y + 17,
        month_name(month, language)
    );
    for (index, word) in weekdays(language).iter().enumerate() {
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"{FAINT}\" text-anchor=\"middle\">{word}</text>",
            x + index * STEP_X + CELL_WIDTH / 2,
            y + 38
        );
    }
    let mut row = 0;
    for day in year.month(month) {
        let column = column(day.date, language);
        if column == 0 && day.date.day() > 1 {
            row += 1;
        }
        let corner = (x + column * STEP_X, y + 46 + row * STEP_Y);
        cell(svg, day, corner, language);
    }
    svg.push('\n');
}

fn cell(svg: &mut String, day: &Day, (x, y): (usize, usize), language: Language) {
    let (fill, ink) = colours(day.mark);
    let weight = match day.mark {
        Mark::Open | Mark::Closed => 400,
        _ => 600,
    };
    let _ = write!(
        svg,
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{CELL_WIDTH}\" height=\"{CELL_HEIGHT}\" \
         rx=\"6\" fill=\"{fill}\"/><text x=\"{}\" y=\"{}\" font-size=\"13\" font-weight=\"{weight}\" \
         fill=\"{ink}\" text-anchor=\"middle\">{}</text>",
        escape(&title(day, language)),
        x + CELL_WIDTH / 2,
        y + 17,
        day.date.day()
    );
    if !day.hours.is_closed() {
        let (left, top) = (x + 4, y + CELL_HEIGHT - 8);
        let _ = write!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{TRACK}\" height=\"3\" rx=\"1.5\" fill=\"{ink}\" \
             fill-opacity=\"0.18\"/>"
        );
        for interval in day.hours.intervals() {
            let scale = |minute: u16| f64::from(minute.min(1440)) * TRACK as f64 / 1440.0;
            let (start, end) = (scale(interval.start()), scale(interval.end()));
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"3\" fill=\"{ink}\"/>",
                left as f64 + start,
                end - start
            );
        }
    }
    svg.push_str("</g>");
}

/// What is shown when the pointer rests on a day.
fn title(day: &Day, language: Language) -> String {
    format!(
        "{}: {} ({}, {})",
        day.date,
        hours(day, language),
        what(day, language),
        day.reason.spot
    )
}

/// A line of the list of exceptions.
fn line(svg: &mut String, exception: &Exception<'_>, (x, y): (usize, usize), language: Language) {
    let day = exception.first;
    let (fill, ink) = colours(day.mark);
    let hours = match day.hours.is_closed() {
        true => String::new(),
        false => hours(day, language),
    };
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{}\" width=\"11\" height=\"11\" rx=\"3\" fill=\"{fill}\" stroke=\"{ink}\" \
         stroke-opacity=\"0.5\"/><text x=\"{}\" y=\"{y}\" font-size=\"13\" fill=\"{FAINT}\">{}</text>\
         <text x=\"{}\" y=\"{y}\" font-size=\"13\" fill=\"{INK}\">{}\
         <tspan dx=\"8\" fill=\"{FAINT}\" font-size=\"11\">{}</tspan></text>",
        y - 10,
        x + 19,
        exception.dates(language),
        x + 105,
        escape(&shortened(&what(day, language), 30)),
        escape(&shortened(&hours, 26))
    );
}

fn hours(day: &Day, language: Language) -> String {
    match day.hours.is_closed() {
        true => language.pick("closed", "休み").to_owned(),
        false => day.hours.to_string(),
    }
}

fn what(day: &Day, language: Language) -> String {
    match &day.reason.name {
        Some(name) => name.in_language(language).to_owned(),
        None => kind(day.reason.layer, language).to_owned(),
    }
}

/// Ground and ink; each pair has a contrast above 4.5.
fn colours(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Open => ("#dcf1e3", "#17643c"),
        Mark::Special => ("#ffecb8", "#7a4d00"),
        Mark::Closed => ("#eceae6", "#6b6760"),
        Mark::Holiday => ("#fbd5d3", "#a3201c"),
        Mark::Shut => ("#e4dafa", "#5a3299"),
    }
}

/// As many columns of text as fit.
fn shortened(text: &str, columns: usize) -> String {
    let mut short = String::new();
    for character in text.chars() {
        if super::super::text::width(&short) >= columns {
            short.push('…');
            break;
        }
        short.push(character);
    }
    short
}

/// Text in XML; what XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars().filter(|c| !c.is_control()) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const WIDTH: usize = 1240;
const MARGIN: usize = 40;
const HEAD: usize = 140;
const MONTH_WIDTH: usize = 272;
const MONTH_HEIGHT: usize = 252;
const MONTH_GAP: usize = 24;
const CELL_WIDTH: usize = 36;
const CELL_HEIGHT: usize = 31;
const STEP_X: usize = 39;
const STEP_Y: usize = 34;
/// Width of a day's 24 hours.
const TRACK: usize = CELL_WIDTH - 8;
const LIST_COLUMNS: usize = 3;
const LIST_WIDTH: usize = 394;
const LIST_LINE: usize = 24;
const LIST_HEAD: usize = 12;

const FONTS: &str = "Inter, 'Noto Sans', 'Noto Sans CJK JP', 'Noto Sans JP', 'Hiragino Sans', \
                     'Yu Gothic', system-ui, sans-serif";
const PAPER: &str = "#fdfcfa";
const INK: &str = "#23211e";
const FAINT: &str = "#6f6a62";
