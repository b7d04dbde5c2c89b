//! `tsunagu serve`: runs the switch until it is told to stop.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::Switch;
use crate::config::{self, Environment, Office, Style};
use crate::runtime::{Service, Signal, Signals, logging};

/// Arguments of `tsunagu serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directory of configuration files; ./config, then /etc/tsunagu when not given.
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    pub config: Option<PathBuf>,
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
    println!("{}", welcome(&switch));
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

/// What a person needs to know first.
fn welcome(switch: &Switch) -> String {
    let office = switch.office();
    let sip: Vec<String> = switch
        .listeners()
        .iter()
        .map(|(protocol, at)| format!("{at} ({})", protocol.as_str()))
        .collect();
    let api = switch.api();
    let mut lines = vec![
        format!("tsunagu {} is taking calls", env!("CARGO_PKG_VERSION")),
        format!(
            "  node       {} in region {}",
            office.node.name, office.node.region
        ),
        format!("  SIP        {}", sip.join(", ")),
        format!("  phones     {}", phones(&office)),
        format!("  dial       {}", numbers(&office)),
        format!("  API        http://{api}/v1/calls"),
        format!(
            "  metrics    http://{}/metrics",
            switch.metrics().unwrap_or(api)
        ),
        format!("  recordings {}", office.node.recordings.display()),
    ];
    if let Some(first) = office
        .phones
        .first()
        .filter(|phone| phone.is_published(&office.node.realm))
    {
        let server = switch
            .listeners()
            .first()
            .map(|(_, at)| at.to_string())
            .unwrap_or_default();
        lines.push(format!(
            "  try        tsunagu phone --server {server} --user {} --call 600 --play tone:440 \
             --hang-up 5",
            first.number
        ));
    }
    lines.join("\n")
}

fn phones(office: &Office) -> String {
    let numbers: Vec<&str> = office
        .phones
        .iter()
        .map(|phone| phone.number.as_str())
        .collect();
    let list = match numbers.as_slice() {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first} to {last} ({} phones)", numbers.len()),
    };
    match office.phones.first() {
        Some(phone) if phone.is_published(&office.node.realm) => {
            format!(
                "{list}, password {}",
                config::published_password("<number>")
            )
        }
        _ => list,
    }
}

fn numbers(office: &Office) -> String {
    let mut seen = Vec::new();
    for entry in office
        .numbers
        .entries()
        .iter()
        .filter(|entry| entry.reach.phones)
    {
        let text = entry.pattern.to_string();
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.join(", ")
}
