//! `tsunagu who`: who could get a call that might come, and why the others could not.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use owo_colors::Style;
use serde_json::{Map, Value, json};

use super::api::{Connection, Refused, parse};
use super::period::Speech;
use super::table::{Align, Table};
use super::text::{clean, faint, length, paint, print, strong};
use crate::base::Language;
use crate::http::view::Who;
use crate::replay::{left, not_chosen};
use crate::router::LeftWhy;

/// Show who could get a call that might come, and why the others could not
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Queue the call would enter
    #[arg(long, value_name = "NAME", required_unless_present = "workflow")]
    queue: Option<String>,

    /// Workflow the call would go through
    #[arg(long, value_name = "NAME", conflicts_with = "queue")]
    workflow: Option<String>,

    /// Attributes of the call, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    attributes: String,

    /// Channel, such as `voice` or `chat`
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,

    #[command(flatten)]
    speech: Speech,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command; exit code 1 when nobody could.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let attributes: Map<String, Value> = serde_json::from_str(&args.attributes)
        .context("--attributes takes a JSON object, such as '{\"language\": \"ja\"}'")?;
    let mut supposed = json!({"attributes": attributes});
    for (key, value) in [
        ("queue", &args.queue),
        ("workflow", &args.workflow),
        ("channel", &args.channel),
    ] {
        if let Some(value) = value {
            supposed[key] = json!(value);
        }
    }
    let language = args.speech.language();
    let answer = args.connection.ask("/v1/who", &supposed);
    let answer = answer.map_err(|error| match why_left(&error) {
        Some(why) => anyhow!(would_leave(why, language)),
        None => error,
    })?;
    let who: Who = parse(answer.clone())?;
    if args.connection.json {
        print(&format!("{answer:#}\n"));
    } else {
        print(&show(&who, language));
    }
    Ok(match who.agents.iter().any(|agent| agent.can) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Why the task would leave its workflow, when that is what the switch says.
fn why_left(error: &anyhow::Error) -> Option<LeftWhy> {
    let refused: &Refused = error.downcast_ref()?;
    serde_json::from_value(refused.body["left"].clone()).ok()
}

fn would_leave(why: LeftWhy, language: Language) -> String {
    let why = left(why, language);
    language.pick(
        format!("nobody: the call would leave the workflow at once: {why}"),
        format!("該当者なし: ワークフローから直ちに外れる: {why}"),
    )
}

fn show(who: &Who, language: Language) -> String {
    let (queue, target) = (strong(clean(&who.queue)), strong(clean(&who.target)));
    let mut text = language.pick(
        format!(
            "queue {queue}, {} before it in line, served by whoever matches {target}\n",
            who.ahead
        ),
        format!(
            "キュー{queue}、先に{}件待機中、対象の条件 {target}\n",
            who.ahead
        ),
    );
    let mut table = Table::new(&[
        (language.pick("agent", "エージェント"), Align::Left),
        ("", Align::Left),
        (language.pick("activity", "状態"), Align::Left),
        (language.pick("idle for", "待機時間"), Align::Right),
    ]);
    for agent in &who.agents {
        let (words, style) = match agent.reason {
            None => (
                language.pick("would get it", "呼び出し対象"),
                Style::new().green(),
            ),
            Some(why) if agent.can => (not_chosen(why, language), Style::new().cyan()),
            Some(why) => (not_chosen(why, language), Style::new().yellow()),
        };
        let idle = match agent.can {
            true => length(agent.idle_ms),
            false => String::new(),
        };
        table.row(vec![
            clean(&agent.worker),
            paint(words, style),
            clean(&agent.activity),
            idle,
        ]);
    }
    text += &table.render();
    let more = who.considered.saturating_sub(who.agents.len());
    if more > 0 {
        let words = language.pick(format!("and {more} more\n"), format!("ほか{more}名\n"));
        text += &faint(words);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{NotChosen, Prospect};

    #[test]
    fn each_agent_has_his_reason() {
        let agent = |worker: &str, can, reason| Prospect {
            worker: worker.to_owned(),
            can,
            reason,
            activity: "available".to_owned(),
            idle_ms: 42_000,
        };
        let who = Who {
            at: String::new(),
            plan: "abc".to_owned(),
            generation: 3,
            queue: "sales".to_owned(),
            target: "skills HAS 'sales'".to_owned(),
            ahead: 2,
            considered: 9,
            agents: vec![
                agent("花子", true, None),
                agent("taro", true, Some(NotChosen::IdleLessLong)),
                agent("ken", false, Some(NotChosen::Talking)),
            ],
        };
        let plain = |language| anstream::adapter::strip_str(&show(&who, language)).to_string();
        let english = plain(Language::English);
        for words in [
            "queue sales, 2 before it in line",
            "花子   would get it    available    42.0 s",
            "ken    talking",
            "and 6 more",
        ] {
            assert!(english.contains(words), "{words} in\n{english}");
        }
        assert!(plain(Language::Japanese).contains("通話中"));
    }

    #[test]
    fn a_call_that_would_not_stay_is_said_so() {
        let said = |language| would_leave(LeftWhy::Unmatched, language);
        assert_eq!(
            said(Language::English),
            "nobody: the call would leave the workflow at once: no rule matches it"
        );
        assert!(said(Language::Japanese).contains("一致するルールなし"));
    }
}
