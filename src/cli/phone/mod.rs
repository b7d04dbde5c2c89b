//! `tsunagu phone`: a telephone on the command line, from the same rooms as the switch.
//!
//! Registers, calls or answers, presses keys, plays a WAV file and records what it hears. The exit
//! code says what became of it, so that scripts and tests can use it as a judge.

mod line;
mod sound;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::sip::Protocol;

/// A test phone: registers, calls or answers, presses keys, plays and records.
#[derive(Clone, Debug, Parser)]
#[command(
    after_help = "Exit codes: 0 the call was answered and ended; 1 wrong use or no sound \
    file; 2 the call was refused; 3 registration failed; 4 nothing happened in time"
)]
pub struct Args {
    /// Switch to talk to.
    #[arg(long, default_value = "127.0.0.1:5060")]
    server: SocketAddr,
    /// User name: the phone's number.
    #[arg(long, default_value = "1001")]
    user: String,
    /// Password; default `tsunagu-<user>`, as in the demo office.
    #[arg(long, env = "TSUNAGU_PHONE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Transport.
    #[arg(long, value_enum, default_value_t = Via::Udp)]
    transport: Via,
    /// Own address; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))]
    bind: SocketAddr,
    /// Number to call; without it the phone registers and waits for calls.
    #[arg(long)]
    call: Option<String>,
    /// Calls to answer before it ends; 0 means until interrupted.
    #[arg(long, default_value_t = 1)]
    answer: u32,
    /// Caller's number shown, for calls that need no registration (a trunk's caller).
    #[arg(long)]
    from: Option<String>,
    /// Rings this long before answering, in seconds.
    #[arg(long, default_value_t = 0.5)]
    ring: f64,
    /// Refuses calls with this status instead of answering (486, 603, ...).
    #[arg(long)]
    refuse: Option<u16>,
    /// Keys to press after the answer; `,` is a pause of one second.
    #[arg(long, default_value = "")]
    press: String,
    /// WAV file to speak, 8 kHz mono 16 bit; `tone:440` speaks a tone; silence without it.
    #[arg(long)]
    play: Option<String>,
    /// Speaks over and over.
    #[arg(long = "loop")]
    looped: bool,
    /// WAV file to record into: left what the phone hears, right what it says.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Hangs up this long after the answer, in seconds; without it the other side does.
    #[arg(long)]
    hang_up: Option<f64>,
    /// Gives up when the whole thing takes longer, in seconds.
    #[arg(long, default_value_t = 120.0)]
    patience: f64,
    /// Tells nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Transport names of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Via {
    Tcp,
    Udp,
}

impl Args {
    fn protocol(&self) -> Protocol {
        match self.transport {
            Via::Tcp => Protocol::Tcp,
            Via::Udp => Protocol::Udp,
        }
    }

    fn password(&self) -> String {
        self.password
            .clone()
            .unwrap_or_else(|| format!("tsunagu-{}", self.user))
    }
}

/// What became of the phone's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A call was answered and ended.
    Answered,
    /// The switch or the other side refused, with this status.
    Refused(u16),
    /// No registration, with the status of the refusal.
    Unregistered(u16),
    /// Nothing in time.
    TimedOut,
}

impl Outcome {
    fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Answered => 0,
            Outcome::Refused(_) => 2,
            Outcome::Unregistered(_) => 3,
            Outcome::TimedOut => 4,
        })
    }
}

/// Runs the command.
///
/// # Errors
///
/// Wrong arguments, an unreadable sound file, no socket.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let patience = Duration::try_from_secs_f64(args.patience)
        .map_err(|error| anyhow::anyhow!("--patience {}: {error}", args.patience))?;
    let outcome = runtime.block_on(async {
        let line = line::Line::open(args).await?;
        match tokio::time::timeout(patience, line.run()).await {
            Ok(outcome) => outcome,
            Err(_) => Ok(Outcome::TimedOut),
        }
    })?;
    match outcome {
        Outcome::Answered => {}
        Outcome::Refused(status) => {
            eprintln!("refused: {status} {}", crate::base::reason::phrase(status));
        }
        Outcome::TimedOut => eprintln!("nothing happened in {patience:?}"),
        Outcome::Unregistered(status) => {
            eprintln!(
                "not registered: {status} {}",
                crate::base::reason::phrase(status)
            );
        }
    }
    Ok(outcome.exit_code())
}
