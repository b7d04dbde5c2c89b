//! `tsunagu trunk test NAME`: the running switch tries a trunk out and says what works.

use std::process::ExitCode;
use std::time::Duration;

use owo_colors::Style;

use super::api::{Connection, encode, parse};
use super::table::{Align, Table};
use super::text::{faint, length, paint, print, strong};
use crate::call::{TestOutcome, TestReport, TestRow};

/// Do something with one trunk
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Register, call a number, and check timer, PRACK, caller id, keys and audio
    ///
    /// The number called must send back what it hears: an echo service, or the trunk's own number,
    /// which is the default and comes back to the switch. Ends with 1 when a check fails.
    Test(TestArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct TestArgs {
    /// Name of the trunk
    name: String,

    /// Number to call, as the carrier wants it; default the trunk's own
    #[arg(long, value_name = "N")]
    number: Option<String>,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Test(args) = args.command;
    let mut path = format!("/v1/trunks/{}/test", encode(&args.name));
    if let Some(number) = &args.number {
        path.push_str(&format!("?number={}", encode(number)));
    }
    let answer = args.connection.post(&path, PATIENCE)?;
    let report: TestReport = parse(answer.clone())?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        print(&show(&report));
    }
    Ok(if report.is_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(report: &TestReport) -> String {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("check", Align::Left),
        ("took", Align::Right),
        ("what was found", Align::Left),
    ]);
    for row in &report.rows {
        table.row(vec![
            outcome(row),
            strong(&row.check),
            row.ms.map_or_else(|| faint("-"), length),
            row.words.clone(),
        ]);
    }
    let verdict = if report.is_passed() {
        paint("the trunk works", Style::new().green().bold())
    } else {
        let failed = report
            .rows
            .iter()
            .filter(|row| row.outcome == TestOutcome::Failed);
        let names: Vec<&str> = failed.map(|row| row.check.as_str()).collect();
        paint(
            format!("the trunk does not work: {}", names.join(", ")),
            Style::new().red().bold(),
        )
    };
    format!(
        "{} ({}) calls {}\n\n{}\n{verdict}\n{}\n",
        strong(&report.trunk),
        report.profile,
        report.number,
        table.render(),
        faint(format!("the whole story: tsunagu call {}", report.call)),
    )
}

fn outcome(row: &TestRow) -> String {
    match row.outcome {
        TestOutcome::Failed => paint("failed", Style::new().red().bold()),
        TestOutcome::Passed => paint("passed", Style::new().green()),
        TestOutcome::Skipped => faint("-"),
    }
}

/// The switch itself gives up after a minute.
const PATIENCE: Duration = Duration::from_secs(70);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_failed() {
        let mut report = TestReport {
            trunk: "hikari".to_owned(),
            ..TestReport::default()
        };
        report.row("registration", TestOutcome::Passed, "1 of 1", Some(12));
        let text = |report: &TestReport| anstream::adapter::strip_str(&show(report)).to_string();
        assert!(text(&report).contains("the trunk works"));
        report.row("keys", TestOutcome::Failed, "none came back", None);
        assert!(text(&report).contains("the trunk does not work: keys"));
    }
}
