//! `tsunagu trunks`: how the carriers are and what they carry.

use std::process::ExitCode;

use owo_colors::Style;

use super::api::{Connection, parse};
use super::table::{Align, Table};
use super::text::{faint, paint, print, strong};
use crate::http::view::{Trunk, Trunks};
use crate::trunk::{AccountState, TargetState};

/// Show the trunks and how they are
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Show every account and target that is not well
    #[arg(long, short)]
    all: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let answer = args.connection.get("/v1/trunks")?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        let trunks: Trunks = parse(answer)?;
        print(&show(&trunks.trunks, args.all));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(trunks: &[Trunk], all: bool) -> String {
    if trunks.is_empty() {
        return "no trunks are configured\n".to_owned();
    }
    let mut table = Table::new(&[
        ("trunk", Align::Left),
        ("profile", Align::Left),
        ("state", Align::Left),
        ("registered", Align::Left),
        ("targets", Align::Left),
        ("calls", Align::Right),
        ("per s", Align::Right),
        ("asr", Align::Right),
        ("ner", Align::Right),
        ("mean", Align::Right),
    ]);
    for trunk in trunks {
        table.row(row(trunk));
    }
    let mut text = table.render();
    for trunk in trunks {
        for line in troubles(trunk, all) {
            text.push_str(&format!("{}  {line}\n", strong(&trunk.now.name)));
        }
    }
    text
}

fn row(trunk: &Trunk) -> Vec<String> {
    let now = &trunk.now;
    let channels = match now.max_calls {
        Some(most) => format!("{}/{most}", now.channels),
        None => now.channels.to_string(),
    };
    vec![
        strong(&now.name),
        now.profile.clone(),
        state(trunk),
        registered(trunk),
        targets(&now.targets),
        channels,
        match now.rate > 0.0 {
            true => format!("{:.1}", now.rate),
            false => faint("-"),
        },
        share(trunk.asr),
        share(trunk.ner),
        trunk
            .mean_length
            .map_or_else(|| faint("-"), |seconds| format!("{seconds:.0} s")),
    ]
}

fn state(trunk: &Trunk) -> String {
    let now = &trunk.now;
    let is_full = now.max_calls.is_some_and(|most| now.channels >= most);
    match () {
        () if now.well => paint("well", Style::new().green()),
        () if is_full => paint("full", Style::new().yellow()),
        () if now.rests_until.is_some() => paint("rests", Style::new().yellow()),
        () => paint("not well", Style::new().red()),
    }
}

fn registered(trunk: &Trunk) -> String {
    let all = trunk.now.accounts.len();
    let time = trunk
        .registered_until
        .as_deref()
        .and_then(|until| until.get(11..19))
        .unwrap_or_default();
    match (trunk.registered, all) {
        (_, 0) => faint("-"),
        (1, 1) => paint(format!("until {time}Z"), Style::new().green()),
        (some, all) if some == all => paint(format!("{all}, until {time}Z"), Style::new().green()),
        (0, 1) => paint("no", Style::new().red()),
        (0, all) => paint(format!("0 of {all}"), Style::new().red()),
        (some, all) => paint(format!("{some} of {all}"), Style::new().yellow()),
    }
}

fn targets(targets: &[TargetState]) -> String {
    let one = |target: &TargetState| match (target.up, target.rtt_ms) {
        (Some(false), _) => paint("down", Style::new().red()),
        (Some(true), Some(rtt)) => paint(format!("{rtt:.0} ms"), Style::new().green()),
        (Some(true), None) => paint("up", Style::new().green()),
        (None, _) => faint("?"),
    };
    if targets.is_empty() {
        return faint("-");
    }
    targets.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn share(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| faint("-"), |ratio| format!("{:.0} %", ratio * 100.0))
}

/// A line for everything that is not as it should be.
fn troubles(trunk: &Trunk, all: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |style: Style, what: String| lines.push(paint(what, style));
    let (bad, dim) = (Style::new().red(), Style::new().dimmed());
    for (user, state) in &trunk.now.accounts {
        match state {
            AccountState::Failed {
                why,
                again,
                failures,
                ..
            } => add(
                bad,
                format!(
                    "account {user}: {why} ({failures} times); again at {}",
                    again.to_rfc3339()
                ),
            ),
            AccountState::Registered { until } if all => {
                add(dim, format!("account {user}: until {}", until.to_rfc3339()));
            }
            AccountState::Trying if all => add(dim, format!("account {user}: being registered")),
            AccountState::Waiting if all => add(dim, format!("account {user}: waits its turn")),
            AccountState::Unregistered if all => add(dim, format!("account {user}: taken back")),
            _ => {}
        }
    }
    for target in &trunk.now.targets {
        let status = target
            .status
            .map_or_else(String::new, |it| format!(", last said {it}"));
        match target.up {
            Some(false) => add(bad, format!("target {} is down{status}", target.target)),
            _ if all => add(dim, format!("target {}{status}", target.target)),
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::http::view;
    use crate::trunk::TrunkView;

    #[test]
    fn shows_what_is_wrong_with_a_trunk() {
        let failed = AccountState::Failed {
            why: "403 Forbidden".to_owned(),
            status: 403,
            again: Timestamp::from_millis(1_795_136_523_456),
            failures: 2,
        };
        let now = TrunkView {
            name: "hikari".to_owned(),
            profile: "ntt-ngn".to_owned(),
            well: false,
            channels: 1,
            max_calls: Some(2),
            rate: 0.1,
            rests_until: None,
            accounts: [("0312345678".to_owned(), failed)].into(),
            targets: vec![TargetState {
                target: "UDP 192.0.2.1:5060".to_owned(),
                up: Some(false),
                rtt_ms: None,
                status: Some(503),
            }],
            figures: crate::trunk::Figures::default(),
        };
        let shown = view::trunks(&[now], Timestamp::ZERO);
        let text = anstream::adapter::strip_str(&show(&shown.trunks, false)).to_string();
        for words in [
            "hikari",
            "not well",
            "1/2",
            "down",
            "403 Forbidden",
            "last said 503",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
}
