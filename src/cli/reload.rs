//! `tsunagu reload`: the running switch reads its configuration again.

use std::process::ExitCode;
use std::time::Duration;

use owo_colors::Style;
use serde_json::Value;

use super::api::Connection;
use super::text::{paint, print};

/// Read the configuration again; calls go on, and the old one stays when the new one is wrong
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Lead tasks that nobody has accepted anew through workflows that have changed
    #[arg(long)]
    reevaluate: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command; fails with everything that is wrong in the configuration.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let patience = Duration::from_secs(40);
    let path = match args.reevaluate {
        true => "/v1/reload?reevaluate=true",
        false => "/v1/reload",
    };
    let answer = args.connection.post(path, patience)?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        print(&show(&answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Value) -> String {
    let lines: Vec<&str> = answer["reloaded"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    format!(
        "{} {}\n",
        paint("reloaded", Style::new().green().bold()),
        lines.join("\n")
    )
}
