//! `tsunagu call ID`: one call as people tell it: who, when, what, and where the recording is.

mod ladder;
mod lanes;
mod story;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use owo_colors::Style;

use super::api::{Connection, encode, parse};
use super::calls::outcome;
use super::text::{clock, faint, length, local, pad, paint, print, size, strong, width};
use crate::events::record::{CallRecord, LegRecord, RecordingRecord};
use crate::events::{Direction, MediaSummary, Role, Stretch};
use crate::http::trace::Ladder;

pub(super) use story::{happened, reason};

/// Show one call: its timeline, legs, recordings and attributes
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The call's id, or `last` for the newest
    id: String,

    /// Draw its SIP messages as a ladder, with their times
    #[arg(long, conflicts_with = "pcap")]
    sip: bool,

    /// With --sip: print every message whole
    #[arg(long, requires = "sip")]
    whole: bool,

    /// Write its SIP messages, and its media from now on, to a capture file
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// With --pcap: seconds of media to capture, 0 to 60, or until the call ends
    #[arg(long, requires = "pcap", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
    seconds: u64,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let id = find_id(&args.connection, &args.id)?;
    if let Some(path) = &args.pcap {
        return capture(&args, &id, path);
    }
    if args.sip {
        return sip(&args, &id);
    }
    let answer = args.connection.get(&format!("/v1/calls/{}", encode(&id)))?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        print(&show(&parse(answer)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn sip(args: &Args, id: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/calls/{}/sip", encode(id));
    let answer = args.connection.get(&path)?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let ladder: Ladder = parse(answer)?;
    print(&ladder::draw(&ladder));
    if args.whole {
        for message in &ladder.messages {
            let way = if message.way == "in" { "from" } else { "to" };
            let at = local(message.at, "%H:%M:%S%.3f");
            let title = format!("{at} {} {way} {}", message.protocol, message.remote);
            print(&format!(
                "\n{}\n{}\n",
                strong(title),
                message.lines.join("\n")
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn capture(args: &Args, id: &str, file: &Path) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/calls/{}/pcap?seconds={}", encode(id), args.seconds);
    let patience = Duration::from_secs(args.seconds + 15);
    let octets = args.connection.fetch(&path, patience)?;
    std::fs::write(file, &octets).with_context(|| format!("cannot write {}", file.display()))?;
    let size = size(octets.len() as u64);
    print(&format!("{} {}\n", file.display(), faint(size)));
    Ok(ExitCode::SUCCESS)
}

/// The id meant: `last` is the newest call.
pub(super) fn find_id(connection: &Connection, id: &str) -> anyhow::Result<String> {
    if id != "last" {
        return Ok(id.to_owned());
    }
    let answer = connection.get("/v1/calls?limit=1")?;
    match answer["calls"][0]["id"].as_str() {
        Some(id) => Ok(id.to_owned()),
        None => bail!("there was no call yet"),
    }
}

/// The whole page for one record, coloured; also what `make demo` prints at its end.
pub fn show(record: &CallRecord) -> String {
    let mut text = heading(record);
    text.push_str(&bar(record));
    text.push('\n');
    text.push_str(&lanes::draw(&story::tell(record)));
    text.push_str(&checks(record));
    text.push_str(&legs(record));
    text.push_str(&recordings(record));
    text.push_str(&attributes(record));
    if record.truncated {
        let note = "The record was full: later events are missing.";
        text.push_str(&format!("\n{}\n", paint(note, Style::new().yellow())));
    }
    text
}

fn heading(record: &CallRecord) -> String {
    let way = match (record.direction, &record.trunk) {
        (Some(Direction::Inbound), Some(trunk)) => format!("inbound by trunk {trunk}"),
        (Some(Direction::Inbound), None) => "inbound".to_owned(),
        (Some(Direction::Outbound), _) => "outbound".to_owned(),
        (Some(Direction::Internal), _) => "internal".to_owned(),
        (None, _) => "of unknown direction".to_owned(),
    };
    let lasted = record.duration_ms.map_or_else(String::new, |ms| {
        let so_far = if record.ended.is_none() {
            " so far"
        } else {
            ""
        };
        format!(" · {}{so_far}", length(ms))
    });
    format!(
        "{}  {}\n{} {} {}  {way}\n{}\n\n",
        strong(&record.id),
        outcome(record),
        paint(&record.from, Style::new().cyan().bold()),
        faint("→"),
        paint(&record.to, Style::new().cyan().bold()),
        faint(format!(
            "{}{lasted} · node {} in {} · configuration {}",
            local(record.started, "%Y-%m-%d %H:%M:%S%.3f %:z"),
            record.node,
            record.region,
            record.generation,
        )),
    )
}

/// The caller's time as one bar, and how it adds up.
fn bar(record: &CallRecord) -> String {
    let total: u64 = record
        .caller_timeline
        .iter()
        .filter_map(|p| p.duration_ms)
        .sum();
    if total == 0 {
        return String::new();
    }
    let mut bar = String::new();
    let (mut passed, mut drawn) = (0, 0);
    for part in &record.caller_timeline {
        passed += part.duration_ms.unwrap_or(0);
        let until = usize::try_from(passed * BAR_COLUMNS as u64 / total).unwrap_or(drawn);
        let cells = story::fill(part.stretch).repeat(until - drawn);
        bar.push_str(&paint(cells, story::style(part.stretch)));
        drawn = until;
    }
    let sums = ORDER.iter().filter_map(|stretch| {
        let ms = record.total_ms(*stretch);
        let share = paint(story::fill(*stretch), story::style(*stretch));
        (ms > 0).then(|| format!("{share} {} {}", story::noun(*stretch), length(ms)))
    });
    format!("  {bar}\n  {}\n", sums.collect::<Vec<_>>().join("   "))
}

/// What was checked before legs were placed, in order; the first that failed is marked.
fn checks(record: &CallRecord) -> String {
    if record.checks.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", strong("Checks"));
    let widest = record.checks.iter().map(|one| width(&one.check)).max();
    for check in &record.checks {
        let name = pad(&check.check, widest.unwrap_or(0));
        let input = faint(&check.input);
        match &check.code {
            None => text.push_str(&format!("  ✓ {name}  {input}  {}\n", check.words)),
            Some(code) => {
                let code = paint(code, Style::new().red().bold());
                text.push_str(&format!("  ✗ {name}  {input}  {code}: {}\n", check.words));
                if let Some(words) = &check.words_ja {
                    text.push_str(&format!("    {}  {words}\n", pad("", widest.unwrap_or(0))));
                }
            }
        }
    }
    text
}

fn legs(record: &CallRecord) -> String {
    if record.legs.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", strong("Legs"));
    let names: Vec<String> = record.legs.iter().map(who).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (leg, name) in record.legs.iter().zip(&names) {
        let role = match leg.role {
            Role::Agent => "agent",
            Role::Callee => "callee",
            Role::Caller => "caller",
        };
        let end = match &leg.cause {
            Some(cause) if leg.answered.is_none() || cause.sip != 200 => {
                paint(cause, Style::new().yellow())
            }
            Some(_) => leg.media.as_ref().map_or_else(String::new, media),
            None => paint("still up", Style::new().cyan()),
        };
        let codec = leg.codec.as_deref().unwrap_or("-");
        let (role, codec) = (pad(&faint(role), 6), pad(codec, 5));
        text.push_str(&format!(
            "  {role}  {}  {codec}  {end}\n",
            pad(name, widest)
        ));
    }
    text
}

fn who(leg: &LegRecord) -> String {
    match (&leg.agent, &leg.trunk) {
        (Some(agent), _) => format!("{agent} ({})", leg.party),
        (None, Some(trunk)) => format!("{} by {trunk}", leg.party),
        (None, None) => leg.party.clone(),
    }
}

fn media(media: &MediaSummary) -> String {
    let expected = media.received.saturating_add(media.lost).max(1);
    let lost = 100.0 * media.lost as f64 / expected as f64;
    let style = match lost {
        ..1.0 => Style::new().dimmed(),
        ..3.0 => Style::new().yellow(),
        _ => Style::new().red(),
    };
    let refused = match media.refused {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    format!(
        "{} received, {} sent{refused}, {}, jitter {:.1} ms",
        media.received,
        media.sent,
        paint(format!("{lost:.1} % lost"), style),
        media.jitter_ms,
    )
}

fn recordings(record: &CallRecord) -> String {
    if record.recordings.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", strong("Recordings"));
    for one in &record.recordings {
        text.push_str(&recording(one));
    }
    text
}

fn recording(one: &RecordingRecord) -> String {
    let Some(path) = &one.path else {
        let note = paint("not published yet", Style::new().cyan());
        return format!("  {}  {note}\n", one.recording);
    };
    let sides = ["left", "right"];
    let channels = one.channels.iter().enumerate().map(|(side, who)| {
        let side = sides.get(side).copied().unwrap_or("further");
        format!("{who} {}", faint(side))
    });
    let facts = [
        one.duration_ms.map(clock).unwrap_or_default(),
        one.bytes.map(size).unwrap_or_default(),
        channels.collect::<Vec<_>>().join(", "),
    ];
    let sum = one.sha256.as_deref().unwrap_or_default();
    let mut text = format!(
        "  {}\n    {}\n    {}\n",
        paint(path, Style::new().underline()),
        facts.join("  "),
        faint(format!("sha256 {sum}")),
    );
    if let Some(defect) = &one.defect {
        let defect = paint(defect, Style::new().red());
        text.push_str(&format!("    incomplete: {defect}\n"));
    }
    text
}

fn attributes(record: &CallRecord) -> String {
    if record.attributes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", strong("Attributes"));
    let widest = record.attributes.keys().map(|name| width(name)).max();
    for (name, value) in &record.attributes {
        let value = match value.as_str() {
            Some(words) => words.to_owned(),
            None => value.to_string(),
        };
        let name = faint(pad(name, widest.unwrap_or(0)));
        text.push_str(&format!("  {name}  {value}\n"));
    }
    text
}

/// Fits into 80 columns with its margin.
const BAR_COLUMNS: usize = 72;

const ORDER: [Stretch; 7] = [
    Stretch::SetUp,
    Stretch::Ivr,
    Stretch::Queue,
    Stretch::Ring,
    Stretch::Talk,
    Stretch::Hold,
    Stretch::Service,
];

#[cfg(test)]
pub(super) mod tests;
