//! `tsunagu bans`: who is not listened to, and who shall be again.

use std::net::IpAddr;
use std::process::ExitCode;

use super::api::{Connection, encode, parse};
use super::table::{Align, Table};
use super::text::print;
use crate::http::bans::Bans;

/// Show who is banned, or listen to somebody again
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Listen to this address again
    #[arg(long, value_name = "ADDRESS")]
    lift: Option<IpAddr>,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let answer = match args.lift {
        Some(address) => {
            let path = format!("/v1/bans/{}", encode(&address.to_string()));
            args.connection.delete(&path)?
        }
        None => args.connection.get("/v1/bans")?,
    };
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else if let Some(address) = args.lift {
        print(&format!("{address} is listened to again\n"));
    } else {
        print(&show(&parse(answer)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(bans: &Bans) -> String {
    if bans.bans.is_empty() {
        return "nobody is banned\n".to_owned();
    }
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("for", Align::Left),
        ("until", Align::Left),
        ("dropped", Align::Right),
    ]);
    for ban in &bans.bans {
        table.row(vec![
            ban.source.clone(),
            ban.attack.replace('_', " "),
            ban.until.clone(),
            ban.dropped.to_string(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::bans::Banned;

    #[test]
    fn says_who_what_for_and_until_when() {
        assert_eq!(show(&Bans { bans: Vec::new() }), "nobody is banned\n");
        let ban = Banned {
            source: "192.0.2.1".to_owned(),
            attack: "password_guessing".to_owned(),
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            until: "2026-01-01T00:10:00.000Z".to_owned(),
            dropped: 12,
        };
        let text = show(&Bans { bans: vec![ban] });
        for word in ["192.0.2.1", "password guessing", "00:10:00", "12"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}
