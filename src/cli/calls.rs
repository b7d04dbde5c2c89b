//! `tsunagu calls`: calls in progress and finished ones, the newest first.

use std::process::ExitCode;

use owo_colors::Style;

use super::api::{Connection, encode, parse};
use super::table::{Align, Table};
use super::text::{faint, length, local, paint, print};
use crate::events::{AgentStretch, CallRecord, Direction, Stretch};

/// Show calls in progress and finished ones, the newest first
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How many
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,

    /// Caller's number
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,

    /// Dialled number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,

    /// Offered to this agent
    #[arg(long)]
    agent: Option<String>,

    /// Stood in this queue
    #[arg(long)]
    queue: Option<String>,

    /// inbound, internal or outbound
    #[arg(long)]
    direction: Option<String>,

    /// Started at this instant or later (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,

    /// Started before this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    before: Option<String>,

    /// Only calls in progress
    #[arg(long)]
    live: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut answer = args.connection.get(&path(&args))?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        let calls: Vec<CallRecord> = parse(answer["calls"].take())?;
        print(&show(&calls));
    }
    Ok(ExitCode::SUCCESS)
}

fn path(args: &Args) -> String {
    let mut path = format!("/v1/calls?limit={}", args.limit);
    let options = [
        ("from", &args.from),
        ("to", &args.to),
        ("agent", &args.agent),
        ("queue", &args.queue),
        ("direction", &args.direction),
        ("since", &args.since),
        ("before", &args.before),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    if args.live {
        path.push_str("&state=live");
    }
    path
}

fn show(calls: &[CallRecord]) -> String {
    if calls.is_empty() {
        return "no calls\n".to_owned();
    }
    let mut table = Table::new(&[
        ("started", Align::Left),
        ("", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
        ("queue", Align::Left),
        ("agent", Align::Left),
        ("length", Align::Right),
        ("outcome", Align::Left),
        ("call", Align::Left),
    ]);
    for call in calls {
        table.row(row(call));
    }
    table.render()
}

fn row(call: &CallRecord) -> Vec<String> {
    let nothing = || faint("-");
    let queue = call.queues.last().map(|visit| visit.queue.clone());
    vec![
        local(call.started, "%m-%d %H:%M:%S"),
        arrow(call.direction).to_owned(),
        call.from.clone(),
        call.to.clone(),
        queue.unwrap_or_else(nothing),
        talked_to(call).unwrap_or_else(nothing),
        call.duration_ms.map_or_else(nothing, length),
        outcome(call),
        faint(&call.id),
    ]
}

fn arrow(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Inbound) => "in",
        Some(Direction::Internal) => "int",
        Some(Direction::Outbound) => "out",
        None => "?",
    }
}

fn talked_to(call: &CallRecord) -> Option<String> {
    let talked = call.agents.iter().rev().find(|agent| {
        let mut parts = agent.timeline.iter();
        parts.any(|part| part.stretch == AgentStretch::Talk)
    });
    talked.map(|agent| agent.agent.clone())
}

/// How a call ended, or what the caller is in.
pub(super) fn outcome(call: &CallRecord) -> String {
    if let Some(stretch) = call.stretch() {
        return paint(now_words(stretch), Style::new().cyan().bold());
    }
    let words = call.cause.as_deref().unwrap_or("ended");
    match (call.answered, call.sip) {
        (Some(_), Some(200)) => paint("answered", Style::new().green()),
        (Some(_), _) => paint(words, Style::new().yellow()),
        (None, _) => paint(words, Style::new().red()),
    }
}

fn now_words(stretch: Stretch) -> &'static str {
    match stretch {
        Stretch::Hold => "on hold",
        Stretch::Ivr => "in the flow",
        Stretch::Queue => "waiting",
        Stretch::Ring => "ringing",
        Stretch::Service => "in a service",
        Stretch::SetUp => "being set up",
        Stretch::Talk => "talking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::tests::record;

    #[test]
    fn a_row_tells_a_call_at_a_glance() {
        let text = anstream::adapter::strip_str(&show(&[record()])).to_string();
        for words in [
            "in ",
            "+819012345678",
            "sales",
            "suzuki",
            "2 min 04 s",
            "answered",
        ] {
            assert!(text.contains(words), "{words} in\n{text}");
        }
        assert_eq!(show(&[]), "no calls\n");
    }

    #[test]
    fn asks_for_what_was_wished() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            args: Args,
        }
        let words = [
            "calls", "-n", "5", "--from", "+8190", "--agent", "花", "--live",
        ];
        let command = <Command as clap::Parser>::parse_from(words);
        assert_eq!(
            path(&command.args),
            "/v1/calls?limit=5&from=%2B8190&agent=%E8%8A%B1&state=live"
        );
    }
}
