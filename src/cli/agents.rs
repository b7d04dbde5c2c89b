//! `tsunagu agents`: who is there, and what they do.

use std::process::ExitCode;

use owo_colors::Style;

use super::api::{Connection, parse};
use super::table::{Align, Table};
use super::text::{faint, length, paint, print, strong};
use crate::http::view::{Agent, Agents};

/// Show the agents and what they do
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let answer = args.connection.get("/v1/agents")?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        let agents: Agents = parse(answer)?;
        print(&show(&agents.agents));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(agents: &[Agent]) -> String {
    if agents.is_empty() {
        return "no agents are configured\n".to_owned();
    }
    let mut table = Table::new(&[
        ("agent", Align::Left),
        ("name", Align::Left),
        ("phone", Align::Left),
        ("state", Align::Left),
        ("for", Align::Right),
        ("queues", Align::Left),
        ("call", Align::Left),
        ("why", Align::Left),
    ]);
    for agent in agents {
        table.row(vec![
            strong(&agent.name),
            agent.display_name.clone(),
            agent.phone.clone(),
            state(agent),
            length(agent.for_ms),
            match agent.queues.is_empty() {
                true => faint("-"),
                false => agent.queues.join(" "),
            },
            agent
                .call
                .as_ref()
                .map_or_else(|| faint("-"), ToString::to_string),
            faint(&agent.reason),
        ]);
    }
    table.render()
}

fn state(agent: &Agent) -> String {
    let (words, style) = match agent.state.as_str() {
        "free" => ("free", Style::new().green()),
        "reserved" => ("being rung", Style::new().cyan()),
        "talking" => ("talking", Style::new().yellow()),
        "wrap_up" => ("wrap-up", Style::new().magenta()),
        _ if !agent.available => (agent.activity.as_str(), Style::new().dimmed()),
        _ if !agent.registered => ("phone not registered", Style::new().red()),
        other => (other, Style::new().dimmed()),
    };
    paint(words, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_keeps_an_agent_from_calls() {
        let agent = |name: &str, state: &str, available, registered| Agent {
            name: name.into(),
            display_name: "佐藤 花子".into(),
            phone: "1001".into(),
            state: state.into(),
            activity: if available { "available" } else { "lunch" }.into(),
            reason: "missed an offer".into(),
            available,
            registered,
            since: String::new(),
            for_ms: 3_000,
            call: None,
            queues: Vec::new(),
            attributes: serde_json::Map::new(),
        };
        let text = show(&[
            agent("a", "free", true, true),
            agent("b", "away", false, true),
            agent("c", "away", true, false),
        ]);
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("free"), "{text}");
        assert!(lines[2].contains("lunch"), "{text}");
        assert!(lines[3].contains("phone not registered"), "{text}");
    }
}
