//! `tsunagu journal`: what the router was told, which deadlines passed, what it decided.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use owo_colors::Style;
use serde_json::{Value, json};

use super::period::{Period, SHARD, Speech};
use super::text::{clean, faint, local, pad_left, paint, strong};
use crate::journal::{Entry, FactClass, Reader};
use crate::replay::{Names, Told};
use crate::router::Fact;

/// Show the router's facts in words
///
/// Reads the journal itself; the switch need not run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    period: Period,

    /// Only facts about this task; the id of its call does as well
    #[arg(long, value_name = "ID")]
    task: Option<String>,

    /// Only facts about this agent
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    speech: Speech,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut journal = args.period.file.open()?;
    let mut output = anstream::stdout().lock();
    print(args, &mut journal, &mut output)?;
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Args, journal: &mut dyn Reader, output: &mut dyn Write) -> anyhow::Result<()> {
    let language = args.speech.language();
    let Period { since, until, .. } = args.period;
    // Answers name an offer, not who has it: what led up to the period is read for its names.
    let mut next = match since {
        Some(since) => journal.sequence_at(SHARD, since - LEAD)?,
        None => 0,
    };
    let mut names = Names::default();
    let mut day = String::new();
    loop {
        let page = journal.read_from(SHARD, next, PAGE)?;
        for entry in &page {
            next = entry.sequence + 1;
            if until.is_some_and(|until| entry.at >= until) {
                return Ok(());
            }
            let fact = Fact::decode(entry)?;
            names.learn(&fact);
            if since.is_some_and(|since| entry.at < since) {
                continue;
            }
            let told = Told::of(&fact, &names, language);
            if !is_wanted(args, &told) {
                continue;
            }
            let line = match args.json {
                true => object(entry, &told),
                false => line(entry, &told, &mut day),
            };
            if output.write_all(line.as_bytes()).is_err() {
                // Whoever closed the pipe has seen enough.
                return Ok(());
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

fn is_wanted(args: &Args, told: &Told) -> bool {
    let is_of = |id: &String| {
        told.task.as_ref().is_some_and(|task| task.as_str() == id)
            || told.call.as_ref().is_some_and(|call| call.as_str() == id)
    };
    args.task.as_ref().is_none_or(is_of)
        && args
            .worker
            .as_ref()
            .is_none_or(|name| told.workers.contains(name))
}

/// One line for people, with the date above it when it is another day.
fn line(entry: &Entry, told: &Told, day: &mut String) -> String {
    let mut text = String::new();
    let date = local(entry.at, "%Y-%m-%d");
    if date != *day {
        text.push_str(&format!("{}\n", strong(&date)));
        *day = date;
    }
    let (class, style) = match entry.class {
        FactClass::Input => ("input   ", Style::new().cyan()),
        FactClass::Timer => ("timer   ", Style::new().yellow()),
        FactClass::Decision => ("decision", Style::new().green()),
    };
    text.push_str(&format!(
        "{}  {}  {}  {}\n",
        local(entry.at, "%H:%M:%S%.3f"),
        faint(pad_left(&format!("#{}", entry.sequence), 9)),
        paint(class, style),
        clean(&told.words),
    ));
    text
}

fn object(entry: &Entry, told: &Told) -> String {
    let fact: Value = serde_json::from_str(&entry.body).unwrap_or_default();
    let object = json!({
        "sequence": entry.sequence,
        "at": entry.at.to_rfc3339(),
        "at_us": entry.at.as_micros(),
        "class": entry.class.as_str(),
        "kind": told.kind,
        "task": told.task,
        "call": told.call,
        "workers": told.workers,
        "words": told.words,
        "fact": fact,
    });
    format!("{object}\n")
}

/// Facts read at once.
const PAGE: usize = 1000;

/// How much before a period is read for its names: an offer rings no longer, few talk longer.
const LEAD: Duration = Duration::from_secs(4 * 3600);

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::base::{CallId, ReservationId, TaskId, Timestamp};
    use crate::journal::{Journal, MemoryJournal};
    use crate::router::{ActivitySpec, Command, NewTask, Plan, QueueSpec, Router, WorkerSpec};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// 花子 is offered call c1 as task t1 and takes it.
    pub(in crate::cli) fn journal() -> MemoryJournal {
        let plan = Plan {
            generation: 1,
            workers: vec![WorkerSpec::new("花子", "1001")],
            queues: vec![QueueSpec::new("sales", "1 == 1")],
            activities: vec![ActivitySpec::available("ready")],
            ..Plan::default()
        };
        let mut router = Router::new(0);
        let reservation = || ReservationId::new("t1.1");
        let commands = [
            Command::activate(plan),
            Command::SetReachable {
                worker: "花子".into(),
                reachable: true,
            },
            Command::CreateTask(Box::new(NewTask {
                attributes: json!({"name": "\u{1b}[2Jevil"})
                    .as_object()
                    .cloned()
                    .unwrap(),
                ..NewTask::of_call(TaskId::new("t1"), CallId::new("c1"), "sales")
            })),
            Command::Accept {
                reservation: reservation(),
            },
        ];
        for (hour, command) in commands.into_iter().enumerate() {
            let at = Timestamp::from_millis(1_800_000_000_000);
            let later = Duration::from_secs(1) * u32::try_from(hour).unwrap();
            router.handle(at + later, command);
        }
        let mut journal = MemoryJournal::new();
        journal.append(&router.take_facts()).unwrap();
        journal
    }

    fn shown(arguments: &[&str]) -> String {
        let arguments = ["journal", "--language", "en"].iter().chain(arguments);
        let args = Line::parse_from(arguments).args;
        let mut output = Vec::new();
        print(&args, &mut journal(), &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn facts_read_as_a_story() {
        let all = shown(&[]);
        assert_eq!(all.lines().count(), 6, "{all}");
        for words in [
            "input     plan ",
            "#3  input     t1 enters queue sales {\"name\":\"\\u001b[2Jevil\"}",
            "#4  decision  t1 is offered to 花子: idle longest (",
            "#5  input     花子 takes t1",
        ] {
            assert!(all.contains(words), "{words} in\n{all}");
        }
        let at = Timestamp::from_millis(1_800_000_002_500).to_rfc3339();
        let later = shown(&["--since", &at]);
        assert_eq!(later.lines().count(), 2, "{later}");
        assert!(later.contains("花子 takes t1"), "names are known: {later}");
        assert_eq!(shown(&["--until", &at]).lines().count(), 5);
        assert_eq!(shown(&["--task", "c1"]).lines().count(), 4);
        assert_eq!(shown(&["--worker", "花子"]).lines().count(), 4);
        assert_eq!(shown(&["--worker", "nobody"]), "");
    }

    #[test]
    fn machines_read_json_lines() {
        let text = shown(&["--json", "--task", "t1"]);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let kinds: Vec<&str> = lines
            .iter()
            .filter_map(|one| one["kind"].as_str())
            .collect();
        assert_eq!(kinds, ["create_task", "offered", "accept"]);
        assert_eq!(lines[1]["workers"], json!(["花子"]));
        assert_eq!(lines[2]["call"], "c1");
        assert_eq!(lines[0]["at"], "2027-01-15T08:00:02.000Z");
        assert_eq!(lines[0]["fact"]["to"]["queue"], "sales");
    }
}
