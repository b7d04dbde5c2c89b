//! `tsunagu hours`: whether a number or calendar is open, why, and until when; and the year as a
//! picture.

mod picture;
mod wall;
mod year;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use owo_colors::Style;

use super::period::{self, Speech};
use super::table::{Align, Table};
use super::text::{clean, faint, paint, print, strong};
use crate::base::{Language, Timestamp};
use crate::calendar::{Calendar, Closings, Layer, Reason, Verdict};
use crate::config::{self, Environment, Office};
use crate::store::ClosingFiles;

use year::Year;

/// Say whether a number, queue or calendar is open, why, and until when
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// An inbound number, a queue or a calendar; all calendars when not given
    #[arg(value_name = "NUMBER|CALENDAR")]
    name: Option<String>,

    /// At this time by the calendar's clock instead of now: `2026-12-31 09:00`, `09:00`, or RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "year")]
    at: Option<String>,

    /// Draw this year
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1900..=2200),
        requires = "name")]
    year: Option<i16>,

    /// Write the picture to this SVG file, not to the terminal
    #[arg(long, value_name = "FILE", requires = "year")]
    to: Option<PathBuf>,

    /// Directory of configuration files; ./config, then /etc/tsunagu when not given
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    speech: Speech,
}

/// Runs the command; exit code 0 when it is open, 1 when it is closed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = config::directory(args.config.as_deref());
    let office = config::load(&directory, &Environment::of_process())?;
    let language = args.speech.language();
    let read = ClosingFiles::of(&office.node.data)
        .read()
        .with_context(|| format!("cannot read closed/ in {}", office.node.data.display()))?;
    let closings = read.notes.into_iter().collect();
    let Some(name) = &args.name else {
        print(&list(&office, args.at.as_deref(), &closings, language)?);
        return Ok(ExitCode::SUCCESS);
    };
    let calendar = find(&office, name)?;
    if let Some(number) = args.year {
        let year = Year::of(calendar, number);
        match &args.to {
            None => print(&wall::draw(&year, language)),
            Some(file) => {
                std::fs::write(file, picture::draw(&year, language))
                    .with_context(|| format!("cannot write {}", file.display()))?;
                print(&format!("{}\n", file.display()));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let now = instant(args.at.as_deref(), calendar)?;
    let verdict = calendar.at(now, &closings);
    print(&show(calendar, now, &verdict, &closings, language));
    Ok(match verdict.open {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The calendar that is called so, or that a number or queue names.
fn find<'o>(office: &'o Office, name: &str) -> anyhow::Result<&'o Calendar> {
    let named = |calendar: &str| office.calendars.get(calendar).map(AsRef::as_ref);
    let of_queue = || office.queue_calendars.get(name).map(String::as_str);
    let of_number = || office.numbers.calendar_of(name);
    let found = named(name)
        .or_else(|| named(of_number()?))
        .or_else(|| named(of_queue()?));
    found.ok_or_else(|| {
        let known: Vec<&str> = office.calendars.keys().map(String::as_str).collect();
        match known.is_empty() {
            true => anyhow!("there is no calendar; write one in calendars.toml"),
            false => anyhow!(
                "{} is no calendar, and neither a number nor a queue that names one; calendars are {}",
                clean(name),
                known.join(", ")
            ),
        }
    })
}

fn instant(at: Option<&str>, calendar: &Calendar) -> anyhow::Result<Timestamp> {
    let now = jiff::Timestamp::now().to_zoned(calendar.zone().clone());
    match at {
        None => Ok(Timestamp::from_micros(now.timestamp().as_microsecond())),
        Some(text) => match period::read(text, &now) {
            Some(at) => Ok(at),
            None => bail!("--at: write `2026-12-31 09:00`, `09:00` or RFC 3339"),
        },
    }
}

/// Every calendar, a line each.
fn list(
    office: &Office,
    at: Option<&str>,
    closings: &Closings,
    language: Language,
) -> anyhow::Result<String> {
    if office.calendars.is_empty() {
        return Ok("no calendars; write one in calendars.toml\n".to_owned());
    }
    let mut table = Table::new(&[
        (language.pick("calendar", "カレンダー"), Align::Left),
        ("", Align::Left),
        (language.pick("because of", "理由"), Align::Left),
        (language.pick("until", "いつまで"), Align::Left),
    ]);
    for calendar in office.calendars.values() {
        let now = instant(at, calendar)?;
        let verdict = calendar.at(now, closings);
        let until = verdict.until.map(|until| time(calendar, until, language));
        table.row(vec![
            clean(calendar.name()),
            word(verdict.open, language),
            because(&verdict.reason, language),
            until.unwrap_or_default(),
        ]);
    }
    Ok(table.render())
}

fn show(
    calendar: &Calendar,
    now: Timestamp,
    verdict: &Verdict,
    closings: &Closings,
    language: Language,
) -> String {
    let zone = calendar.zone().iana_name().unwrap_or_default();
    let mut text = format!(
        "{} {}  {}\n",
        strong(clean(calendar.name())),
        word(verdict.open, language),
        faint(format!("{} {zone}", time(calendar, now, language))),
    );
    let mut line = |word: &str, what: &str| {
        let gap = 9usize.saturating_sub(super::text::width(word));
        text += &format!("  {}{}{what}\n", faint(word), " ".repeat(gap));
    };
    let place = |reason: &Reason| match &reason.holiday {
        Some(holiday) => format!("{}, {holiday}", reason.spot),
        None => reason.spot.to_string(),
    };
    let rule = |reason: &Reason| format!("{}  {}", because(reason, language), faint(place(reason)));
    line(language.pick("why", "理由"), &rule(&verdict.reason));
    let date = calendar.zone().to_datetime(at(now)).date();
    if verdict.reason.layer != Layer::Emergency {
        let day = calendar.day(date);
        let hours = match day.hours.is_closed() {
            true => language.pick("none", "なし").to_owned(),
            false => day.hours.to_string(),
        };
        line(language.pick("hours", "時間"), &hours);
    }
    let others = calendar.rules_about(date).into_iter();
    for other in others.filter(|other| *other != verdict.reason) {
        line(language.pick("outranks", "優先"), &rule(&other));
    }
    let until = match verdict.until {
        Some(until) => {
            let then = calendar.at(until, closings);
            let then = format!(
                "{}, {}",
                word(then.open, language),
                because(&then.reason, language)
            );
            let then = language.pick(format!("then {then}"), format!("以後 {then}"));
            format!("{}  {}", time(calendar, until, language), faint(then))
        }
        None if verdict.reason.layer == Layer::Emergency => language
            .pick("it is taken back", "解除されるまで")
            .to_owned(),
        None => language
            .pick("for more than a year", "1年以上変化なし")
            .to_owned(),
    };
    line(language.pick("until", "いつまで"), &until);
    if let Some(opens) = calendar.opens(now, closings) {
        line(
            language.pick("opens", "次の開始"),
            &time(calendar, opens, language),
        );
    }
    text
}

/// Open or closed, in colour.
fn word(open: bool, language: Language) -> String {
    match open {
        true => paint(language.pick("open", "営業中"), Style::new().green().bold()),
        false => paint(language.pick("closed", "休止中"), Style::new().red().bold()),
    }
}

/// The kind of rule with its name.
fn because(reason: &Reason, language: Language) -> String {
    let name = reason.name.as_ref();
    let name = name.map(|name| clean(name.in_language(language)));
    match name {
        Some(name) => format!("{}: {name}", kind(reason.layer, language)),
        None => kind(reason.layer, language).to_owned(),
    }
}

fn kind(layer: Layer, language: Language) -> &'static str {
    match layer {
        Layer::Emergency => language.pick("closed by hand", "臨時休止"),
        Layer::Date => language.pick("single date", "特定日"),
        Layer::Range => language.pick("range of dates", "期間"),
        Layer::Recurring => language.pick("recurring", "定例"),
        Layer::Holiday => language.pick("holiday", "祝日・休日"),
        Layer::Relative => language.pick("beside a holiday", "祝日の前後"),
        Layer::Weekly => language.pick("weekly hours", "曜日別の時間"),
    }
}

/// A time on the calendar's own clock.
fn time(calendar: &Calendar, time: Timestamp, language: Language) -> String {
    let zoned = at(time).to_zoned(calendar.zone().clone());
    match language {
        Language::English => zoned.strftime("%a %-d %b %Y %H:%M").to_string(),
        Language::Japanese => {
            let weekday = WEEKDAYS_JA
                [usize::from(zoned.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
            let clock = zoned.strftime("%H:%M");
            format!(
                "{}年{}月{}日({weekday}) {clock}",
                zoned.year(),
                zoned.month(),
                zoned.day()
            )
        }
    }
}

fn at(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// From Monday on.
const WEEKDAYS_JA: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];

#[cfg(test)]
mod tests;
