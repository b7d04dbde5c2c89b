//! `tsunagu voicemail`: mailboxes and their messages; and one of them to the ear or into a file.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::api::{Connection, parse};
use super::sounds;
use super::table::{Align, Table};
use super::text::{clean, faint, print, strong};

/// List mailboxes and their messages, or play one
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tsunagu voicemail list\n  tsunagu voicemail list 1001\n  \
                  tsunagu voicemail play 1001 jp1-tokyo1-0-k3-1 --to message.wav"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// List mailboxes, or the messages of one
    List {
        /// The mailbox; all of them when not given
        mailbox: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Play a message, or write it to a WAV file; it does not count as heard
    Play {
        /// The mailbox
        mailbox: String,
        /// The message's id
        message: String,
        /// Write it there instead of playing it
        #[arg(long, value_name = "FILE.wav")]
        to: Option<PathBuf>,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Deserialize)]
struct Mailboxes {
    mailboxes: Vec<Mailbox>,
}

#[derive(Debug, Deserialize)]
struct Mailbox {
    name: String,
    new: usize,
    old: usize,
    full: bool,
}

#[derive(Debug, Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    id: String,
    at: String,
    from: String,
    from_name: Option<String>,
    length_ms: u64,
    heard: bool,
    saved: bool,
}

/// Longest a message may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List {
            mailbox,
            connection,
        } => list(mailbox.as_deref(), connection),
        Action::Play {
            mailbox,
            message,
            to,
            connection,
        } => {
            let path = format!("/v1/voicemail/{mailbox}/{message}/audio");
            let octets = connection.fetch(&path, PATIENCE)?;
            if let Some(file) = to {
                std::fs::write(file, octets).with_context(|| file.display().to_string())?;
                return Ok(ExitCode::SUCCESS);
            }
            let name = format!("tsunagu-message-{}.wav", std::process::id());
            let file = std::env::temp_dir().join(name);
            write_private(&file, &octets).with_context(|| file.display().to_string())?;
            let played = sounds::play_file(&file);
            let _ = std::fs::remove_file(&file);
            played
        }
    }
}

/// Writes where everybody may write, for nobody else to read, and not through a link that another
/// laid there.
fn write_private(file: &Path, octets: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(file)?.write_all(octets)
}

fn list(mailbox: Option<&str>, connection: &Connection) -> anyhow::Result<ExitCode> {
    let path = match mailbox {
        Some(mailbox) => format!("/v1/voicemail/{mailbox}"),
        None => "/v1/voicemail".to_owned(),
    };
    let answer = connection.get(&path)?;
    if connection.json {
        print(&format!("{answer:#}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let text = match mailbox {
        Some(_) => show_messages(&parse::<Messages>(answer)?.messages),
        None => show_mailboxes(&parse::<Mailboxes>(answer)?.mailboxes),
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

fn show_mailboxes(mailboxes: &[Mailbox]) -> String {
    if mailboxes.is_empty() {
        return "no mailboxes are configured\n".to_owned();
    }
    let mut table = Table::new(&[
        ("mailbox", Align::Left),
        ("new", Align::Right),
        ("old", Align::Right),
        ("", Align::Left),
    ]);
    for mailbox in mailboxes {
        table.row(vec![
            strong(clean(&mailbox.name)),
            mailbox.new.to_string(),
            mailbox.old.to_string(),
            if mailbox.full { "full" } else { "" }.to_owned(),
        ]);
    }
    table.render()
}

fn show_messages(messages: &[Message]) -> String {
    if messages.is_empty() {
        return "no messages\n".to_owned();
    }
    let mut table = Table::new(&[
        ("message", Align::Left),
        ("at", Align::Left),
        ("from", Align::Left),
        ("seconds", Align::Right),
        ("", Align::Left),
    ]);
    for message in messages {
        let name = message.from_name.as_deref().unwrap_or_default();
        let from = format!("{} {name}", message.from);
        let state = match (message.heard, message.saved) {
            (_, true) => faint("saved"),
            (true, false) => faint("heard"),
            (false, false) => strong("new"),
        };
        table.row(vec![
            clean(&message.id),
            clean(&message.at),
            clean(from.trim()),
            format!("{:.1}", message.length_ms as f64 / 1000.0),
            state,
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_with_who_when_and_how_long() {
        let answer = serde_json::json!({"mailbox": "1010", "messages": [{
            "id": "a-1", "from": "+819012345678", "from_name": "山田\u{1b}[31m", "call": "c",
            "at": "2026-11-21T09:00:00.000Z", "length_ms": 4040, "bytes": 64_000,
            "heard": true, "saved": false, "defect": null,
        }]});
        let messages: Messages = parse(answer).expect("as the API writes it");
        let text = show_messages(&messages.messages);
        for part in ["a-1", "+819012345678 山田", "4.0", "heard"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("[31m\u{1b}") && !text.contains("\u{1b}[31m"));
    }
}
