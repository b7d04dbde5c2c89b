//! `tsunagu webhooks`: notices to web applications that never arrived.

use std::process::ExitCode;
use std::time::Duration;

use super::api::{Connection, encode, parse};
use super::table::{Align, Table};
use super::text::print;
use crate::http::dead_letters::DeadLetters;

/// List notices to web applications that never arrived, or send them again
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// List notices that never arrived, the one that died last at the top
    Dead {
        /// How many, 1 to 1000
        #[arg(long, default_value_t = 50, value_name = "NUMBER")]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Try to deliver one again, or all
    Replay {
        /// The id, as `tsunagu webhooks dead` shows it
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// The last thousand of them, the oldest first
        #[arg(long, conflicts_with = "id")]
        all: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Throw one out
    Discard {
        /// The id, as `tsunagu webhooks dead` shows it
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Runs the command.
///
/// # Errors
///
/// What the switch could not do.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Dead { limit, connection } => {
            let answer = connection.get(&format!("/v1/dead-letters?limit={limit}"))?;
            match connection.json {
                true => print(&format!("{answer:#}\n")),
                false => print(&show(&parse(answer)?)),
            }
        }
        Command::Replay {
            id,
            all: _,
            connection,
        } => {
            let replay = |id: &str| {
                let path = format!("/v1/dead-letters/{}/replay", encode(id));
                connection.post(&path, Duration::from_secs(10))
            };
            match id {
                Some(id) => {
                    replay(&id)?;
                    print(&format!("{id} is being delivered again\n"));
                }
                None => {
                    let answer = connection.get("/v1/dead-letters?limit=1000")?;
                    let letters: DeadLetters = parse(answer)?;
                    // In the order in which they were to be said.
                    let all = letters.dead_letters.iter().rev();
                    // One that arrived meanwhile, or is on its way, holds up no other.
                    let (begun, refused): (Vec<_>, Vec<_>) = all
                        .map(|letter| replay(&letter.id))
                        .partition(Result::is_ok);
                    print(&format!("{} are being delivered again\n", begun.len()));
                    if let Some(Err(error)) = refused.into_iter().next() {
                        return Err(error);
                    }
                }
            }
        }
        Command::Discard { id, connection } => {
            connection.delete(&format!("/v1/dead-letters/{}", encode(&id)))?;
            print(&format!("{id} is thrown out\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(letters: &DeadLetters) -> String {
    if letters.dead_letters.is_empty() {
        return "every notice has arrived\n".to_owned();
    }
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("died", Align::Left),
        ("what", Align::Left),
        ("to", Align::Left),
        ("tries", Align::Right),
        ("why", Align::Left),
    ]);
    for letter in &letters.dead_letters {
        table.row(vec![
            letter.id.clone(),
            letter.died.clone(),
            letter.what.clone(),
            letter.to.clone(),
            letter.tries.to_string(),
            letter.words.clone(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::LetterView;

    #[test]
    fn says_what_did_not_arrive_where_and_why() {
        let dead_letters = Vec::new();
        assert_eq!(
            show(&DeadLetters { dead_letters }),
            "every notice has arrived\n"
        );
        let letter = LetterView {
            id: "abc".to_owned(),
            to: "crm".to_owned(),
            what: "status callback".to_owned(),
            call: None,
            made: "2026-01-01T00:00:00.000Z".to_owned(),
            died: "2026-01-01T00:10:00.000Z".to_owned(),
            tries: 5,
            kind: "refused".to_owned(),
            words: "nobody listens there".to_owned(),
        };
        let dead_letters = vec![letter];
        let text = show(&DeadLetters { dead_letters });
        for word in [
            "abc",
            "crm",
            "status callback",
            "00:10:00",
            "5",
            "nobody listens",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}
