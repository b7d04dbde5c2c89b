//! `tsunagu flow`: flows listed, drawn, and played in a terminal, without a switch.

mod stage;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};

use super::table::{Align, Table};
use super::text::{clean, print};
use crate::base::{Clock as _, Timestamp};
use crate::calendar::Closings;
use crate::config::{self, Environment, Office};
use crate::flow::rehearsal::Calendars;
use crate::flow::{Context, Document, draw};
use crate::runtime::SystemClock;
use crate::store::ClosingFiles;
use crate::trunk::Meaning;

/// List flows, draw one, play one in the terminal
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// List the flows of a configuration
    List(Where),
    /// Draw a flow as SVG
    Draw(DrawArgs),
    /// Play a flow in the terminal: type keys, see what is heard, let time pass
    ///
    /// A line of keys is pressed; an empty line lets time pass until something happens; `?` tells
    /// the rest. The step hours is answered by the office's own calendars at the time of the call.
    /// Lines may come from a pipe: at their end the caller is silent.
    Run(RunArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct Where {
    /// Directory of configuration files; ./config, then /etc/tsunagu when not given.
    #[arg(long, value_name = "DIR", env = "TSUNAGU_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
struct DrawArgs {
    /// Name of the flow
    name: String,

    /// File to write; standard output when not given
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    #[command(flatten)]
    place: Where,
}

#[derive(Clone, Debug, clap::Args)]
struct RunArgs {
    /// Name of the flow
    name: String,

    /// Who calls
    #[arg(long, value_name = "NUMBER", default_value = "+819012345678")]
    from: String,

    /// The number that is called; the first that leads to the flow when not given
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,

    /// When, such as 2026-11-20T10:00:00+09:00; now when not given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Attributes, as a JSON object, beside those of the number
    #[arg(long, value_name = "JSON", default_value = "{}")]
    attributes: String,

    /// What chance is drawn from: the same seed draws the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    place: Where,
}

/// Runs the command; exit code 1 when the configuration is not correct.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(place) => {
            print(&list(&place.office()?));
            Ok(ExitCode::SUCCESS)
        }
        Command::Draw(args) => {
            let office = args.place.office()?;
            let picture = draw(flow(&office, &args.name)?);
            match &args.to {
                None => print(&picture),
                Some(file) => std::fs::write(file, picture)
                    .with_context(|| format!("cannot write {}", file.display()))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(args) => play(args),
    }
}

impl Where {
    fn office(&self) -> anyhow::Result<Office> {
        let directory = config::directory(self.config.as_deref());
        config::load(&directory, &Environment::of_process())
            .map_err(|report| anyhow!("{report}\n`tsunagu check` shows the lines"))
    }
}

fn flow<'o>(office: &'o Office, name: &str) -> anyhow::Result<&'o Arc<Document>> {
    if let Some(document) = office.flows.get(name) {
        return Ok(document);
    }
    let mut names: Vec<&str> = office.flows.keys().map(String::as_str).collect();
    names.sort_unstable();
    bail!("there is no flow \"{name}\"; there is {}", names.join(", "))
}

fn play(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let office = args.place.office()?;
    let document = flow(&office, &args.name)?;
    let given: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&args.attributes)
        .context("--attributes takes a JSON object, such as '{\"vip\": true}'")?;
    let now = match &args.at {
        None => SystemClock::start(None).now(),
        Some(text) => Timestamp::parse_rfc3339(text).with_context(|| {
            format!(
                "--at takes a time with its zone, such as 2026-11-20T10:00:00+09:00, not {text}"
            )
        })?,
    };
    let mut led = led_to(&office, &args.name);
    let number = match &args.to {
        None => led.next(),
        Some(to) => led.find(|(number, _)| number == to),
    };
    let (to, mut attributes) = number.unwrap_or_default();
    attributes.extend(given);
    let language = attributes.get("language").and_then(|it| it.as_str());
    let language = language.unwrap_or(&office.node.language);
    let profile = office.number_profiles.get(&to);
    let texts = stage::Texts::read(&office.node.sounds, language);
    let calendar = office
        .numbers
        .calendar_of(args.to.as_deref().unwrap_or(&to));
    let context = Context {
        from: args.from.clone(),
        to: args.to.clone().unwrap_or(to),
        calendar: calendar.map(str::to_owned),
        attributes,
        id: "rehearsal".to_owned(),
        greeting: profile.map(|own| own.greeting.clone()).unwrap_or_default(),
        language: office.node.language.clone(),
        started: now,
        seed: args.seed,
        ..Context::default()
    };
    let calendars = calendars(&office);
    let mut stage = stage::Stage::new(Arc::clone(document), context, now, (texts, calendars));
    let lines = io::stdin().lines().map_while(Result::ok);
    stage.play(lines, print);
    Ok(ExitCode::SUCCESS)
}

/// The calendars of the office, and what is closed by hand as far as that can be read here.
fn calendars(office: &Office) -> Calendars {
    let closed = ClosingFiles::of(&office.node.data).read();
    Calendars {
        calendars: office.calendars.clone(),
        of_queues: office.queue_calendars.clone(),
        closings: closed.map_or_else(
            |_| Closings::default(),
            |read| read.notes.into_iter().collect(),
        ),
    }
}

/// Numbers that lead to a flow, with what they give.
fn led_to<'o>(
    office: &'o Office,
    flow: &'o str,
) -> impl Iterator<Item = (String, serde_json::Map<String, serde_json::Value>)> + 'o {
    let entries = office.numbers.entries().iter();
    entries.filter_map(move |entry| match &entry.meaning {
        Meaning::Flow {
            name,
            number,
            attributes,
            ..
        } if name == flow => Some((number.clone(), attributes.clone())),
        _ => None,
    })
}

fn list(office: &Office) -> String {
    let mut table = Table::new(&[
        ("flow", Align::Left),
        ("type", Align::Left),
        ("begins", Align::Left),
        ("steps", Align::Right),
        ("numbers", Align::Left),
        ("through", Align::Left),
    ]);
    let mut flows: Vec<_> = office.flows.iter().collect();
    flows.sort_by_key(|(name, _)| name.as_str());
    for (name, document) in flows {
        let mut numbers: Vec<String> = led_to(office, name).map(|(number, _)| number).collect();
        numbers.dedup();
        let parts: Vec<&str> = document.flows.keys().map(String::as_str).collect();
        table.row(vec![
            clean(name),
            document.flow_type.as_str().to_owned(),
            clean(&document.start),
            document.steps.len().to_string(),
            clean(&numbers.join(", ")),
            clean(&parts.join(", ")),
        ]);
    }
    table.render()
}
