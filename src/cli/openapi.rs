//! `tsunagu openapi`: the description of the API, made from the code that serves it.

use std::io::Write as _;
use std::process::ExitCode;

/// Print the OpenAPI description of the API
///
/// A running switch serves the same at /v1/openapi.json.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(crate::http::document().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
