//! `tsunagu queues`: every queue and the line in it.

use std::process::ExitCode;

use owo_colors::Style;

use super::api::{Connection, parse};
use super::table::{Align, Table};
use super::text::{faint, length, paint, print, strong};
use crate::http::view::{Queue, Queues};

/// Show the queues and who waits in them
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Show every waiting call
    #[arg(long, short)]
    line: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let answer = args.connection.get("/v1/queues")?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        let queues: Queues = parse(answer)?;
        print(&show(&queues.queues, args.line));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(queues: &[Queue], line: bool) -> String {
    if queues.is_empty() {
        return "no queues are configured\n".to_owned();
    }
    let mut table = Table::new(&[
        ("queue", Align::Left),
        ("waiting", Align::Right),
        ("oldest", Align::Right),
        ("talking", Align::Right),
        ("free", Align::Right),
        ("on duty", Align::Right),
        ("agents", Align::Right),
        ("", Align::Left),
    ]);
    for queue in queues {
        table.row(row(queue));
    }
    let mut text = table.render();
    for queue in queues.iter().filter(|queue| line && !queue.line.is_empty()) {
        text.push_str(&format!("\n{}\n", strong(&queue.name)));
        text.push_str(&waiting(queue));
    }
    text
}

fn row(queue: &Queue) -> Vec<String> {
    let waiting = match queue.waiting {
        0 => faint(0),
        waiting => paint(waiting, Style::new().yellow().bold()),
    };
    let oldest = queue.oldest_wait_ms.map_or_else(|| faint("-"), length);
    let free = match queue.free {
        0 => queue.free.to_string(),
        free => paint(free, Style::new().green()),
    };
    let note = match queue {
        Queue { draining: true, .. } => paint("draining", Style::new().yellow()),
        Queue { agents: 0, .. } => paint("nobody serves it", Style::new().red()),
        Queue { on_duty: 0, .. } => paint("nobody on duty", Style::new().red()),
        _ => String::new(),
    };
    vec![
        strong(&queue.name),
        waiting,
        oldest,
        queue.talking.to_string(),
        free,
        queue.on_duty.to_string(),
        queue.agents.to_string(),
        note,
    ]
}

fn waiting(queue: &Queue) -> String {
    let mut table = Table::new(&[
        ("", Align::Right),
        ("waited", Align::Right),
        ("call", Align::Left),
        ("offered to", Align::Left),
        ("offers", Align::Right),
    ]);
    for call in &queue.line {
        table.row(vec![
            call.position.to_string(),
            length(call.waited_ms),
            call.call
                .as_ref()
                .map_or_else(|| call.task.to_string(), ToString::to_string),
            call.offered_to.clone().unwrap_or_else(|| faint("-")),
            call.offers.to_string(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, TaskId};
    use crate::http::view::Waiting;

    #[test]
    fn shows_the_line_and_what_is_wrong_with_it() {
        let queue = Queue {
            name: "営業".into(),
            waiting: 2,
            offered: 1,
            oldest_wait_ms: Some(65_000),
            talking: 1,
            agents: 3,
            on_duty: 0,
            free: 0,
            draining: false,
            line: vec![Waiting {
                task: TaskId::new("t1"),
                call: Some(CallId::new("jp1-tokyo1-0-a-1")),
                position: 1,
                waited_ms: 65_000,
                offered_to: Some("花子".into()),
                offers: 2,
                priority: 0,
            }],
        };
        let text = anstream::adapter::strip_str(&show(&[queue], true)).to_string();
        for words in [
            "営業",
            "1 min 05 s",
            "nobody on duty",
            "jp1-tokyo1-0-a-1",
            "花子",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
}
