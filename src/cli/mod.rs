//! The command line: one file per command.

pub mod agents;
pub mod bans;
pub mod call;
pub mod calls;
pub mod check;
pub mod demo;
pub mod flow;
pub mod hours;
pub mod journal;
pub mod number;
pub mod openapi;
pub mod phone;
pub mod queues;
pub mod recording;
pub mod reload;
pub mod replay;
pub mod serve;
pub mod sounds;
pub mod trunk;
pub mod trunks;
pub mod voicemail;
pub mod webhooks;
pub mod who;
pub mod why;

mod api;
mod period;
mod table;
mod text;
mod verify;
mod welcome;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A telephone switch with a contact centre inside.
#[derive(Debug, Parser)]
#[command(name = "tsunagu", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the switch.
    Serve(serve::Args),
    /// Say all that is wrong with a configuration, and touch nothing.
    Check(check::Args),
    /// Let the running switch load its configuration again.
    Reload(reload::Args),
    /// List calls, living and past.
    Calls(calls::Args),
    /// Tell the story of one call.
    Call(call::Args),
    /// Say who could get a call that might come.
    Who(who::Args),
    /// Say why a call was offered to whom, or to nobody.
    Why(why::Args),
    /// List agents and what they are at.
    Agents(agents::Args),
    /// List queues and who waits.
    Queues(queues::Args),
    /// List flows, draw one, play one in the terminal.
    Flow(flow::Args),
    /// Say whether a number or calendar is open, and why; draw its year.
    Hours(hours::Args),
    /// Say where an inbound number leads; lead it elsewhere for a while.
    Number(number::Args),
    /// Show the router's facts in words.
    Journal(journal::Args),
    /// Decide a past period once more, and compare plans.
    Replay(replay::Args),
    /// List who is banned, or lift a ban.
    Bans(bans::Args),
    /// List trunks and how they are.
    Trunks(trunks::Args),
    /// Try a trunk out.
    Trunk(trunk::Args),
    /// List notices to web applications that never arrived, or send them again.
    Webhooks(webhooks::Args),
    /// Prove recordings, mix one, keep one.
    Recording(recording::Args),
    /// List sounds with their texts and lengths; play one.
    Sounds(sounds::Args),
    /// List mailboxes and their messages; play one.
    Voicemail(voicemail::Args),
    /// Watch one call go through the demo office.
    Demo(demo::Args),
    /// Print the description of the API.
    Openapi(openapi::Args),
    /// Be a telephone: register, call or answer, press keys, play and record.
    Phone(Box<phone::Args>),
}

/// Runs the program with its arguments.
///
/// # Errors
///
/// What the command could not do, to be shown to the person who typed it.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    match Cli::parse_from(arguments).command {
        Command::Agents(args) => agents::run(args),
        Command::Bans(args) => bans::run(args),
        Command::Call(args) => call::run(args),
        Command::Calls(args) => calls::run(args),
        Command::Check(args) => Ok(check::run(&args)?),
        Command::Demo(args) => demo::run(&args),
        Command::Flow(args) => flow::run(&args),
        Command::Hours(args) => hours::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Number(args) => number::run(&args),
        Command::Openapi(args) => openapi::run(&args),
        Command::Phone(args) => phone::run(&args),
        Command::Queues(args) => queues::run(args),
        Command::Recording(args) => recording::run(args),
        Command::Reload(args) => reload::run(args),
        Command::Replay(args) => replay::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Sounds(args) => sounds::run(&args),
        Command::Trunk(args) => trunk::run(args),
        Command::Trunks(args) => trunks::run(args),
        Command::Webhooks(args) => webhooks::run(args),
        Command::Voicemail(args) => voicemail::run(&args),
        Command::Who(args) => who::run(&args),
        Command::Why(args) => why::run(args),
    }
}
