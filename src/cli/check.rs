//! `tsunagu check`: says all that is wrong with a configuration, and touches nothing.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, Environment, Office, Style};
use crate::media::Library;

/// Arguments of `tsunagu check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directory of configuration files; ./config, then /etc/tsunagu when not given.
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Checks the directory; exit code 0 when the switch would take it, 1 when not.
pub fn run(args: &Args) -> io::Result<ExitCode> {
    let directory = config::directory(args.config.as_deref());
    let environment = Environment::of_process();
    let style = if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        Style::Colour
    } else {
        Style::Plain
    };
    match config::load(&directory, &environment) {
        Ok(office) => {
            if !office.warnings.problems.is_empty() {
                write!(io::stderr(), "{}", office.warnings.render(style))?;
            }
            let sounds = Library::open(&office.node.sounds, &office.node.language);
            if let Err(errors) = sounds.and_then(|sounds| sounds.check()) {
                for error in errors {
                    writeln!(io::stderr(), "  × {error}")?;
                }
                return Ok(ExitCode::FAILURE);
            }
            writeln!(
                io::stdout(),
                "{} is correct: {}",
                directory.display(),
                counts(&office)
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(report) => {
            write!(io::stderr(), "{}", report.render(style))?;
            writeln!(io::stderr(), "{}", report.summary())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn counts(office: &Office) -> String {
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    [
        count(office.trunks.len(), "trunk"),
        count(office.phones.len(), "phone"),
        count(office.plan.workers.len(), "agent"),
        count(office.plan.queues.len(), "queue"),
        count(office.flows.len(), "flow"),
        count(office.numbers.entries().len(), "number"),
        format!("hash {}", office.hash),
    ]
    .join(", ")
}
