//! `tsunagu phone`: a telephone on the command line, from the same rooms as the switch.
//!
//! Registers, calls or answers, presses keys, plays a sound file and records what it hears. The exit
//! code says what became of it, so that scripts and tests can use it as a judge.

mod keys;
mod line;
mod news;
mod order;
mod outcome;
mod past;
mod registration;
mod server;
mod sound;
mod speech;
mod talk;
mod tape;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use crate::sip::Protocol;
use crate::sip::transport::TlsMaterial;

use keys::Keys;
use news::Form;
use outcome::Outcome;
use server::Server;

/// Be a telephone: register, call or answer, press keys, play and record
#[derive(Clone, Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Switch to talk to; port 5060 when none is given, 5061 by TLS
    #[arg(long, value_name = "HOST[:PORT]", default_value = "127.0.0.1", value_parser = Server::parse)]
    server: Server,
    /// User name: the phone's number
    #[arg(long, value_name = "NUMBER", default_value = "1001")]
    user: String,
    /// Password; by default `tsunagu-` and the user name, as in the demo office
    #[arg(long, env = "TSUNAGU_PHONE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Transport
    #[arg(long, value_enum, default_value_t = Via::Udp)]
    transport: Via,
    /// By TLS: file of the roots (PEM) that the switch's certificate must come from; default the
    /// system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// By TLS: take any certificate
    #[arg(long)]
    insecure: bool,
    /// Own address; by default the one that leads to the switch, and a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<SocketAddr>,
    /// Seconds to register for
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    expires: Duration,
    /// Number to call; without it the phone waits for calls
    #[arg(long, value_name = "NUMBER")]
    call: Option<String>,
    /// Call without registering, as a trunk does, with this caller's number
    #[arg(long, value_name = "NUMBER", requires = "call")]
    from: Option<String>,
    /// Calls to answer, one after the other; 0: until interrupted
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        conflicts_with = "call"
    )]
    answer: u32,
    /// Seconds to ring before answering
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    ring: Duration,
    /// Refuse calls with this status (486, 603, ...) instead of answering
    #[arg(
        long,
        value_name = "STATUS",
        conflicts_with = "call",
        value_parser = clap::value_parser!(u16).range(300..700)
    )]
    refuse: Option<u16>,
    /// Keys to press after the answer; a comma is a pause of one second
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    press: Keys,
    /// What to say: a sound file (WAV, MP3, FLAC, Ogg), or tone:440
    #[arg(long, value_name = "FILE")]
    play: Option<String>,
    /// Say it over and over
    #[arg(long = "loop", requires = "play")]
    looped: bool,
    /// WAV file to record into: left what the phone hears, right what it says
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Seconds after the answer to hang up; without it the other side does
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    hang_up: Option<Duration>,
    /// Seconds the whole thing may take; 120, but without end for `--answer 0` and `--commands`
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    patience: Option<Duration>,
    /// Take orders from standard input: answer, hang_up, play FILE, press KEYS, stop, quit
    #[arg(long)]
    commands: bool,
    /// Tell what happens as JSON, one object a line
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Tell nothing but trouble
    #[arg(long, short)]
    quiet: bool,
}

const AFTER_HELP: &str = "\
Examples:
  tsunagu phone --call 600 --play tone:440 --record echo.wav --hang-up 5
  tsunagu phone --user 1002 --answer 0 --play hello.wav
  tsunagu phone --transport tls --ca roots.pem --server pbx.example --call 600
  tsunagu phone --from +819012345678 --call +81312345678 --press ,,,,1

Exit codes:
  0    every call asked for was had and ended in peace
  1    wrong use, no such file, no socket
  2    the call was refused
  3    registration failed
  4    not in time (--patience)
  5    a call broke: no ACK, no answer, no connection
  130  interrupted before the first call was answered";

/// Transport names of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Via {
    Tcp,
    Tls,
    Udp,
}

impl Args {
    fn protocol(&self) -> Protocol {
        match self.transport {
            Via::Tcp => Protocol::Tcp,
            Via::Tls => Protocol::Tls,
            Via::Udp => Protocol::Udp,
        }
    }

    /// The switch's address.
    fn remote(&self) -> SocketAddr {
        let port = self.server.port;
        let default = self.protocol().default_port();
        SocketAddr::new(self.server.ip, port.unwrap_or(default))
    }

    /// Whom the phone trusts by TLS.
    fn material(&self) -> anyhow::Result<TlsMaterial> {
        let mut material = TlsMaterial {
            gullible: self.insecure,
            ..TlsMaterial::default()
        };
        if !self.insecure {
            let system = || PathBuf::from(crate::config::SYSTEM_ROOTS);
            let path = self.ca.clone().unwrap_or_else(system);
            material.roots =
                std::fs::read(&path).with_context(|| format!("--ca: {}", path.display()))?;
        }
        Ok(material)
    }

    fn password(&self) -> String {
        let published = || crate::config::published_password(&self.user);
        self.password.clone().unwrap_or_else(published)
    }

    fn form(&self) -> Form {
        match (self.json, self.quiet) {
            (true, _) => Form::Json,
            (false, true) => Form::Quiet,
            (false, false) => Form::Words,
        }
    }

    /// Whether the phone waits for calls until it is told to stop.
    fn is_endless(&self) -> bool {
        self.call.is_none() && self.answer == 0
    }

    fn patience(&self) -> Option<Duration> {
        let default = (!self.is_endless() && !self.commands).then_some(PATIENCE);
        self.patience.or(default)
    }

    /// The address to bind: the one asked for, or whichever the system would use.
    fn bind(&self) -> std::io::Result<SocketAddr> {
        if let Some(bind) = self.bind {
            return Ok(bind);
        }
        let any: IpAddr = match self.server.ip {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0; 16].into(),
        };
        let probe = UdpSocket::bind((any, 0))?;
        probe.connect(self.remote())?;
        Ok(SocketAddr::new(probe.local_addr()?.ip(), 0))
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
    let outcome = runtime.block_on(async { line::Line::open(args).await?.run().await })?;
    if outcome != Outcome::Done && args.form() != Form::Words {
        eprintln!("tsunagu phone {}: {outcome}", args.user);
    }
    Ok(ExitCode::from(outcome.exit_code()))
}

/// Reads a number of seconds, with a fraction if need be.
fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no number of seconds from 0 to {MOST_SECONDS}");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    let length = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    (seconds <= MOST_SECONDS)
        .then_some(length)
        .ok_or_else(wrong)
}

/// A day; deadlines beyond make no sense for a test phone.
const MOST_SECONDS: f64 = 86_400.0;
/// Longer than any call a script makes by mistake should last.
const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(["phone"].into_iter().chain(line.split(' ')))
    }

    #[test]
    fn a_server_without_a_port_has_the_transports() {
        for (line, wanted) in [
            ("--server 127.0.0.2", "127.0.0.2:5060"),
            ("--server ::1 --transport tls", "[::1]:5061"),
            ("--server [::1]:99 --transport tls", "[::1]:99"),
        ] {
            assert_eq!(parse(line).unwrap().remote(), wanted.parse().unwrap());
        }
    }

    #[test]
    fn the_address_bound_is_the_one_that_leads_to_the_switch() {
        let args = parse("--server 127.0.0.1:5060").unwrap();
        assert_eq!(args.bind().unwrap(), "127.0.0.1:0".parse().unwrap());
    }

    #[test]
    fn patience_has_no_end_only_for_phones_that_wait() {
        assert_eq!(parse("--call 600").unwrap().patience(), Some(PATIENCE));
        assert_eq!(parse("--answer 0").unwrap().patience(), None);
        let short = parse("--answer 0 --patience 0.5").unwrap();
        assert_eq!(short.patience(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn wrong_use_is_refused() {
        for line in [
            "--from 1",
            "--call 1 --refuse 486",
            "--refuse 200",
            "--call 1 --answer 2",
            "--ring -1",
            "--ring 1e9",
            "--press 12x",
            "--json --quiet",
            "--transport tls --insecure --ca roots.pem",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
