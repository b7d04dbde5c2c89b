//! The `tsunagu` program: arguments, logging, exit code.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Returns memory of finished calls to the system and does not fragment over weeks.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match tsunagu::cli::run(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tsunagu: {error:#}");
            ExitCode::FAILURE
        }
    }
}
