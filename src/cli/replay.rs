//! `tsunagu replay`: a past period decided once more, by the plan of the day and by another one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use owo_colors::Style;
use serde_json::{Value, json};

use super::period::{Period, SHARD, Speech};
use super::table::{Align, Table};
use super::text::{clean, faint, length, local, paint, print, strong};
use crate::base::Language;
use crate::config::{self, Environment};
use crate::journal::Entry;
use crate::replay::{
    Behaviour, Difference, Figures, Load, Names, Past, Rerun, Terms, Told, model, rerun,
};
use crate::router::{Fact, Plan};

/// Decide a past period once more, and compare plans
///
/// Without --plan: tells the router everything it was told and compares every decision, byte for
/// byte. With --plan: runs the period with that plan as well, callers and agents doing what they
/// did. Reads the journal itself; the switch need not run.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    period: Period,

    /// Configuration whose plan is tried: agents, queues, activities
    #[arg(long, value_name = "DIR")]
    plan: Option<PathBuf>,

    /// Answered within so many seconds is good service
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    target: u64,

    /// Attribute of a call that names the agent it asks for
    #[arg(long, value_name = "NAME", default_value = "owner")]
    owner: String,

    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    speech: Speech,
}

/// How a period went, or would have.
struct Column {
    title: &'static str,
    key: &'static str,
    figures: Figures,
}

/// Runs the command; exit code 1 when a decision was not the same.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let plan = args.plan.as_deref().map(load).transpose()?;
    let mut journal = args.period.file.open()?;
    let past = Past::read(&mut journal, SHARD, args.period.since, args.period.until)?;
    if past.facts().is_empty() {
        bail!("the journal has no facts of that time");
    }
    let terms = Terms {
        target: Duration::from_secs(args.target),
        owner: args.owner.clone(),
    };
    let again = rerun(&past)?;
    let columns = compare(&past, plan.as_ref(), &terms, args.speech.language())?;
    if args.json {
        print(&format!("{:#}\n", object(&past, &again, &columns)));
    } else {
        print(&show(&past, &again, &columns, args.speech.language()));
    }
    Ok(match again.difference {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// The plan of a configuration, checked whole.
fn load(directory: &Path) -> anyhow::Result<Plan> {
    match config::load(directory, &Environment::of_process()) {
        Ok(office) => Ok(office.plan),
        Err(report) => bail!(
            "{}{}",
            report.render(config::Style::Plain),
            report.summary()
        ),
    }
}

fn compare(
    past: &Past,
    plan: Option<&Plan>,
    terms: &Terms,
    language: Language,
) -> anyhow::Result<Vec<Column>> {
    let mut columns = vec![Column {
        title: language.pick("as it was", "実績"),
        key: "was",
        figures: Figures::of(past, terms)?,
    }];
    if let Some(plan) = plan {
        let behaviour = Behaviour::of(past, &terms.owner)?;
        // The same plan, modelled: what the model's own assumptions do.
        let same = model(past, &behaviour, None, terms)?;
        let other = model(past, &behaviour, Some(plan), terms)?;
        columns.push(Column {
            title: language.pick("same plan, modelled", "同じプラン(試算)"),
            key: "same_plan",
            figures: same.figures,
        });
        columns.push(Column {
            title: language.pick("new plan, modelled", "新しいプラン(試算)"),
            key: "new_plan",
            figures: other.figures,
        });
    }
    Ok(columns)
}

fn object(past: &Past, again: &Rerun, columns: &[Column]) -> Value {
    let (from, until) = past.period();
    let difference = again.difference.as_ref().map(|difference| {
        json!({
            "sequence": difference.journal.sequence,
            "journal": difference.journal.body,
            "machine": difference.machine.as_ref().map(|entry| &entry.body),
        })
    });
    let mut object = json!({
        "from": from.to_rfc3339(),
        "until": until.to_rfc3339(),
        "facts": past.facts().len(),
        "same": again.same,
        "difference": difference,
    });
    for column in columns {
        object[column.key] = json!(column.figures);
    }
    object
}

fn show(past: &Past, again: &Rerun, columns: &[Column], language: Language) -> String {
    let (from, until) = past.period();
    let facts = past.facts().len();
    let (from, until) = (local(from, FORMAT), local(until, FORMAT));
    let mut text = language.pick(
        format!("{} to {}, {facts} facts\n", strong(&from), strong(&until)),
        format!("{}から{}、事実{facts}件\n", strong(&from), strong(&until)),
    );
    match &again.difference {
        None => {
            let same = again.same;
            let words = language.pick(
                format!("decided once more: all {same} the same, byte for byte"),
                format!("再実行: {same}件すべてバイト単位で一致"),
            );
            text += &format!("{}\n\n", paint(words, Style::new().green()));
        }
        Some(difference) => text += &differs(difference, language),
    }
    text + &table(columns, language).render() + "\n" + &agents(columns, language).render()
}

/// Where the machine of today decides otherwise than that of the day.
pub(super) fn differs(difference: &Difference, language: Language) -> String {
    let told = |entry: &Entry| match Fact::decode(entry) {
        Ok(fact) => clean(&Told::of(&fact, &Names::default(), language).words),
        Err(error) => error.to_string(),
    };
    let sequence = difference.journal.sequence;
    let machine = match &difference.machine {
        Some(entry) => told(entry),
        None => language.pick("nothing", "何もしない").to_owned(),
    };
    let words = language.pick(
        format!("fact {sequence} is not what this tsunagu decides"),
        format!("事実{sequence}は再実行と一致しない"),
    );
    format!(
        "{}\n  {} {}\n  {} {machine}\n\n",
        paint(words, Style::new().red()),
        faint(language.pick("journal:", "記録:  ")),
        told(&difference.journal),
        faint(language.pick("now:    ", "再実行:")),
    )
}

fn table(columns: &[Column], language: Language) -> Table {
    let mut heading = vec![("", Align::Left)];
    heading.extend(columns.iter().map(|column| (column.title, Align::Right)));
    let mut table = Table::new(&heading);
    let mut row = |english: &str, japanese: &str, cell: &dyn Fn(&Figures) -> String| {
        let mut cells = vec![language.pick(english, japanese).to_owned()];
        cells.extend(columns.iter().map(|column| cell(&column.figures)));
        table.row(cells);
    };
    let count = |number: usize| number.to_string();
    row("calls", "着信", &|f| count(f.arrived));
    row("answered", "応答", &|f| count(f.answered));
    row("abandoned", "放棄", &|f| {
        format!("{} ({:.1} %)", f.abandoned, f.abandon_rate)
    });
    row("left otherwise", "その他の離脱", &|f| {
        count(f.left.values().sum())
    });
    row("refused", "受付不可", &|f| count(f.refused));
    row("waiting at the end", "終了時に待機中", &|f| {
        count(f.waiting)
    });
    row("wait of half", "待ち時間 p50", &|f| {
        length(f.wait.p50_ms)
    });
    row("wait of 90 %", "待ち時間 p90", &|f| {
        length(f.wait.p90_ms)
    });
    row("wait of 99 %", "待ち時間 p99", &|f| {
        length(f.wait.p99_ms)
    });
    row("wait, mean", "待ち時間 平均", &|f| {
        length(f.wait.mean_ms)
    });
    let target = columns.first().map_or(0, |column| column.figures.target_ms) / 1000;
    let (english, japanese) = (
        format!("answered within {target} s"),
        format!("{target}秒以内の応答率"),
    );
    row(&english, &japanese, &|f| {
        format!("{:.1} %", f.service_level)
    });
    row("reached their own agent", "指名の応答率", &|f| {
        format!(
            "{} of {} ({:.1} %)",
            f.owner_reached, f.owner_asked, f.owner_rate
        )
    });
    table
}

fn agents(columns: &[Column], language: Language) -> Table {
    let mut heading = vec![(language.pick("agent", "エージェント"), Align::Left)];
    let under = language.pick("answered, talked", "応答・通話時間");
    heading.extend(columns.iter().map(|_| (under, Align::Right)));
    let mut table = Table::new(&heading);
    let mut names: Vec<&String> = columns
        .iter()
        .flat_map(|column| column.figures.agents.keys())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let mut cells = vec![clean(name)];
        cells.extend(columns.iter().map(|column| {
            let load = column.figures.agents.get(name).copied();
            let Load {
                answered, talk_ms, ..
            } = load.unwrap_or_default();
            format!("{answered}, {}", length(talk_ms))
        }));
        table.row(cells);
    }
    table
}

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
