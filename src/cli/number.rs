//! `tsunagu number`: where an inbound number leads, and another flow for it for a while. It reads and
//! writes files, so it works whether the switch runs or not.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::table::{Align, Table};
use super::text::{clean, print};
use crate::base::Timestamp;
use crate::config::{self, Environment, Office};
use crate::flow::FlowType;
use crate::store::OverrideFiles;
use crate::trunk::{Meaning, NumberOverride, NumberOverrides};

/// Say where an inbound number leads; lead it to another flow for a while, or back
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// An inbound number; all when not given
    #[arg(value_name = "NUMBER")]
    number: Option<String>,

    /// Lead it to this flow instead of its own
    #[arg(long, value_name = "NAME", requires = "number")]
    flow: Option<String>,

    /// Until this time: `2026-12-31 09:00`, `09:00`, or RFC 3339
    #[arg(long, value_name = "TIME", requires = "flow")]
    until: Option<String>,

    /// What people are told about it
    #[arg(long, value_name = "TEXT", requires = "flow")]
    reason: Option<String>,

    /// Let it lead to its own flow again
    #[arg(long, requires = "number", conflicts_with = "flow")]
    lift: bool,

    /// Directory of configuration files; ./config, then /etc/tsunagu when not given
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = config::directory(args.config.as_deref());
    let office = config::load(&directory, &Environment::of_process())?;
    let files = OverrideFiles::of(&office.node.data);
    let data = office.node.data.display();
    let now = jiff::Zoned::now();
    let instant = Timestamp::from_micros(now.timestamp().as_microsecond());
    let number = match &args.number {
        None => None,
        Some(text) => Some(find(&office, text)?),
    };
    match (&number, &args.flow) {
        (Some(number), Some(flow)) => {
            check_flow(&office, flow)?;
            let until = match &args.until {
                None => None,
                Some(text) => match super::period::read(text, &now) {
                    Some(until) if until > instant => Some(until),
                    Some(_) => bail!("--until: that is over already"),
                    None => bail!("--until: write `2026-12-31 09:00`, `09:00` or RFC 3339"),
                },
            };
            let it = NumberOverride {
                flow: flow.clone(),
                until,
                reason: args.reason.clone(),
            };
            let set = files.write(number, &it);
            set.with_context(|| format!("cannot write overrides/{number} in {data}"))?;
        }
        (Some(number), None) if args.lift => {
            let lifted = files.remove(number);
            let was_there =
                lifted.with_context(|| format!("cannot remove overrides/{number} in {data}"))?;
            if !was_there {
                bail!("{number} leads to its own flow already");
            }
        }
        _ => {}
    }
    let read = files
        .read()
        .with_context(|| format!("cannot read overrides/ in {data}"))?;
    for doubt in &read.doubts {
        eprintln!("{}", clean(doubt));
    }
    let overrides = read.notes.into_iter().collect();
    print(&show(&office, number.as_deref(), &overrides, instant));
    Ok(ExitCode::SUCCESS)
}

fn find(office: &Office, text: &str) -> anyhow::Result<String> {
    match office.numbers.inbound_number(text) {
        Some(number) => Ok(number.to_owned()),
        None => bail!("{} is no inbound number of numbers.toml", clean(text)),
    }
}

fn check_flow(office: &Office, flow: &str) -> anyhow::Result<()> {
    match office.flows.get(flow) {
        Some(document) if document.flow_type == FlowType::Inbound => Ok(()),
        Some(document) => bail!(
            "flow {flow} is of type {}: callers cannot be led to it",
            document.flow_type.as_str()
        ),
        None => bail!(
            "there is no flow {}; tsunagu flow list lists them",
            clean(flow)
        ),
    }
}

/// One number or all: where it leads, until when and why.
fn show(
    office: &Office,
    wanted: Option<&str>,
    overrides: &NumberOverrides,
    now: Timestamp,
) -> String {
    let mut table = Table::new(&[
        ("number", Align::Left),
        ("flow", Align::Left),
        ("instead of", Align::Left),
        ("until", Align::Left),
        ("reason", Align::Left),
    ]);
    let mut known: Vec<&str> = Vec::new();
    for entry in office.numbers.entries() {
        let (number, own) = match &entry.meaning {
            Meaning::Flow { name, number, .. } => (number.as_str(), name.as_str()),
            Meaning::Application { number, .. } => (number.as_str(), "(application)"),
            _ => continue,
        };
        if wanted.is_some_and(|wanted| wanted != number) || known.contains(&number) {
            continue;
        }
        known.push(number);
        let profile = office.number_profiles.get(number);
        let written = profile.and_then(|profile| profile.instead.as_ref());
        let written = written.filter(|it| it.holds(now));
        let it = overrides.of(number, now).or(written);
        let row = match it {
            None => [
                number.to_owned(),
                own.to_owned(),
                String::new(),
                String::new(),
                String::new(),
            ],
            Some(it) => [
                number.to_owned(),
                it.flow.clone(),
                own.to_owned(),
                it.until.map(Timestamp::to_rfc3339).unwrap_or_default(),
                it.reason.clone().unwrap_or_default(),
            ],
        };
        table.row(row.iter().map(|cell| clean(cell)).collect());
    }
    match known.is_empty() {
        true => "no inbound numbers; write one in numbers.toml\n".to_owned(),
        false => table.render(),
    }
}
