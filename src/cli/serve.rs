//! `tsunagu serve`: runs the switch until it is told to stop.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::text::print;
use super::welcome::Welcome;
use crate::app::Switch;
use crate::config::{self, Environment, Style};
use crate::runtime::{Service, Signal, Signals, logging};

/// Arguments of `tsunagu serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directory of configuration files; ./config, then /etc/tsunagu when not given.
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    pub config: Option<PathBuf>,
    /// Say where it listens as JSON, on one line, instead of in words
    #[arg(long)]
    json: bool,
}

/// Runs the switch. Exit code 1 when the configuration is refused or a calls' drain was cut short.
///
/// # Errors
///
/// What kept it from starting.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = config::directory(args.config.as_deref());
    let environment = Environment::of_process();
    let office = match config::load(&directory, &environment) {
        Ok(office) => office,
        Err(report) => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            eprint!(
                "{}",
                report.render(if colour { Style::Colour } else { Style::Plain })
            );
            eprintln!("{}", report.summary());
            return Ok(ExitCode::FAILURE);
        }
    };
    let logging = logging::start(environment.variable("TSUNAGU_LOG"), logging::Form::Auto)?;
    let service = Service::from_env();
    let switch = Switch::start(office, directory, environment, logging)?;
    let office = switch.office();
    let welcome = Welcome {
        office: &office,
        listeners: switch.listeners(),
        api: switch.api(),
        metrics: switch.metrics(),
        rest: switch.rest(),
    };
    print(&match args.json {
        true => format!("{}\n", welcome.json()),
        false => welcome.words(),
    });
    service.ready("taking calls");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let switch = Arc::new(switch);
    let code = runtime.block_on(watch(&switch, &service))?;
    drop(runtime);
    match Arc::try_unwrap(switch) {
        Ok(switch) => switch.stop(),
        Err(_) => tracing::error!("a reload still runs; stopping without it"),
    }
    Ok(code)
}

/// Minds signals and the watchdog until the switch is to stop.
async fn watch(switch: &Arc<Switch>, service: &Service) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let beat = service
        .watchdog_interval()
        .unwrap_or(Duration::from_secs(3600));
    let mut beats = tokio::time::interval(beat);
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => reload(switch, service).await,
                Signal::Interrupt => return drain(switch, service, &mut signals).await,
                Signal::Terminate => return drain(switch, service, &mut signals).await,
            },
            _ = beats.tick() => {
                let asked = switch.clone();
                let alive = tokio::task::spawn_blocking(move || asked.is_alive()).await?;
                match alive {
                    Ok(()) => service.alive(),
                    Err(why) => tracing::error!(%why, "not alive"),
                }
            }
        }
    }
}

async fn reload(switch: &Arc<Switch>, service: &Service) {
    service.reloading();
    let asked = switch.clone();
    match tokio::task::spawn_blocking(move || asked.reload()).await {
        Ok(Ok(changes)) => tracing::info!("reloaded: {changes}"),
        Ok(Err(report)) => tracing::error!("configuration kept as it was:\n{report}"),
        Err(error) => tracing::error!(%error, "reload"),
    }
    service.ready("taking calls");
}

/// Waits for calls to end, for as long as configured; a second signal ends the wait.
async fn drain(
    switch: &Arc<Switch>,
    service: &Service,
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    let patience = switch.drain_time();
    let until = Instant::now() + patience;
    service.stopping(
        "waiting for calls to end",
        patience + Duration::from_secs(10),
    );
    if switch.drain() {
        return Ok(ExitCode::SUCCESS);
    }
    tracing::info!("waiting up to {patience:?} for calls to end; a second signal ends them");
    loop {
        if switch.drain() {
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() >= until {
            tracing::warn!("calls still live after {patience:?}; ending them");
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            signal = signals.next() => if signal != Signal::Reload {
                return Ok(ExitCode::SUCCESS);
            },
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}
