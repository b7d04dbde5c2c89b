//! `tsunagu why ID`: why a call went to whom, or why it still waits.

use std::process::ExitCode;

use owo_colors::Style;

use super::api::{Connection, encode, parse};
use super::call::{find_id, reason};
use super::period::{JournalFile, Speech};
use super::text::{clock, faint, length, local, pad, paint, print, strong, width};
use super::verify;
use crate::base::Timestamp;
use crate::events::record::{OfferRecord, QueueVisit};
use crate::http::decisions::{Because, Decisions};
use crate::http::view::Why;
use crate::router::Explanation;

/// Show why a call was offered to whom, and what came of it
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The call's id, or `last`
    id: String,

    /// Decide once more what was decided about it, from the journal, and say whether it is the same
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    journal: JournalFile,

    #[command(flatten)]
    speech: Speech,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let id = find_id(&args.connection, &args.id)?;
    let language = args.speech.language();
    if args.verify {
        return verify::run(&id, &args.journal, args.connection.json, language);
    }
    let answer = args
        .connection
        .get(&format!("/v1/calls/{}/why", encode(&id)))?;
    let path = format!("/v1/calls/{}/decisions?lang={language}", encode(&id));
    let decisions = args.connection.get(&path)?;
    if args.connection.json {
        let mut answer = answer;
        answer["complete"] = decisions["complete"].clone();
        answer["decisions"] = decisions["decisions"].clone();
        print(&format!("{answer:#}\n"));
    } else {
        print(&show(&parse(answer)?));
        print(&decided(&parse(decisions)?));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(why: &Why) -> String {
    let mut text = format!("{}\n", strong(&why.id));
    if why.queues.is_empty() {
        text.push_str("  The call stood in no queue; nobody had to be chosen.\n");
    }
    for visit in &why.queues {
        text.push_str(&queue(visit));
        let until = visit.left;
        let offers = why.offers.iter().filter(|offer| {
            offer.queue == visit.queue
                && offer.offered >= visit.entered
                && until.is_none_or(|until| offer.offered <= until)
        });
        let offers: Vec<&OfferRecord> = offers.collect();
        let names = offers.iter().map(|offer| width(&offer.agent)).max();
        for (number, one) in offers.iter().enumerate() {
            text.push_str(&offer(number + 1, one, visit, names.unwrap_or(0)));
        }
        if offers.is_empty() {
            text.push_str("    it was offered to nobody\n");
        }
    }
    if let Some(now) = &why.now {
        text.push_str(&explanation(now));
    }
    text
}

/// All that was decided, one line a fact.
fn decided(told: &Decisions) -> String {
    if told.decisions.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  {}\n", strong("decisions"));
    if !told.complete {
        text.push_str("    earlier ones are no longer kept, or there are too many\n");
    }
    for one in &told.decisions {
        let time = Timestamp::parse_rfc3339(&one.at);
        let time = time.map_or_else(|| one.at.clone(), |at| local(at, "%H:%M:%S%.3f"));
        let number = faint(format!("#{}", one.sequence));
        text.push_str(&format!("    {time} {} {number}\n", one.words));
        if let Some(why) = &one.why {
            text.push_str(&grounds(why));
        }
    }
    text
}

/// What a decision rests on: rule, place, plan, who came near.
fn grounds(why: &Because) -> String {
    let rule = why.rule.as_ref().map(|rule| {
        let step = rule.step.map(|step| format!(" {step}")).unwrap_or_default();
        let expression = rule.expression.as_deref().unwrap_or("-");
        format!("{} / {}{step}: {expression}", rule.workflow, rule.filter)
    });
    let rule = rule.unwrap_or_else(|| why.target.clone());
    let until = why.until.as_deref().map(|until| format!(", until {until}"));
    let until = until.unwrap_or_default();
    let (queue, position, plan) = (&why.queue, why.position, why.generation);
    let head = format!("{queue} #{position}: {rule}{until} (plan {plan})");
    let mut text = format!("       {}\n", faint(head));
    for near in &why.nearest {
        let line = format!("{}: {} ({})", near.worker, near.words, near.activity);
        text.push_str(&format!("       {}\n", faint(line)));
    }
    text
}

fn queue(visit: &QueueVisit) -> String {
    let entered = local(visit.entered, "%H:%M:%S%.3f");
    let waited = visit.left.map(|left| {
        let ms = u64::try_from(left.since(visit.entered).as_millis()).unwrap_or(0);
        format!(", left after {}", length(ms))
    });
    let outcome = visit.outcome.as_deref().unwrap_or("still waiting");
    format!(
        "\n  queue {}  entered {entered}{}: {}\n",
        strong(&visit.queue),
        waited.unwrap_or_default(),
        paint(outcome.replace('_', " "), style(outcome)),
    )
}

fn offer(number: usize, offer: &OfferRecord, visit: &QueueVisit, names: usize) -> String {
    let after = offer.offered.since(visit.entered).as_millis();
    let outcome = offer.outcome.as_deref().unwrap_or("ringing");
    let rang = offer.ended.map(|ended| {
        let ms = u64::try_from(ended.since(offer.offered).as_millis()).unwrap_or(0);
        faint(format!(" after {}", length(ms)))
    });
    format!(
        "    {number}. +{}  {}  {}{}\n       {} {}\n",
        clock(u64::try_from(after).unwrap_or(0)),
        pad(&strong(&offer.agent), names),
        paint(outcome.replace('_', " "), style(outcome)),
        rang.unwrap_or_default(),
        faint("because"),
        reason(offer),
    )
}

fn explanation(now: &Explanation) -> String {
    let mut text = format!(
        "\n  now {}\n    position {} of queue {}, served by whoever matches {}\n",
        faint(format!(
            "(plan {} generation {}, fact {})",
            now.plan, now.generation, now.sequence
        )),
        strong(now.position),
        now.queue,
        strong(&now.target),
    );
    for (reason, count) in &now.not_chosen {
        text.push_str(&format!(
            "    {count} of {} {}\n",
            now.considered,
            reason.words()
        ));
    }
    for candidate in &now.nearest {
        let (worker, reason) = (strong(&candidate.worker), candidate.reason.words());
        let activity = faint(format!("({})", candidate.activity));
        text.push_str(&format!("    nearest: {worker} {reason} {activity}\n"));
    }
    text
}

fn style(outcome: &str) -> Style {
    match outcome {
        "accepted" | "answered" => Style::new().green(),
        "ringing" | "still waiting" => Style::new().cyan(),
        _ => Style::new().yellow(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::tests::record;

    #[test]
    fn every_offer_has_its_reason_and_outcome() {
        let record = record();
        let why = Why {
            id: record.id,
            queues: record.queues,
            offers: record.offers,
            now: None,
        };
        let text = show(&why);
        let plain = anstream::adapter::strip_str(&text).to_string();
        for words in [
            "queue sales",
            "left after 17.1 s: answered",
            "no answer after 15.0 s",
            "because idle longest (312 s)",
            "accepted after 2.1 s",
        ] {
            assert!(plain.contains(words), "{words} in\n{plain}");
        }
    }

    #[test]
    fn decisions_are_told_with_their_grounds() {
        let told = serde_json::json!({"id": "c1", "complete": false, "decisions": [{
        "sequence": 7, "at": "2026-11-20T01:02:03.456Z", "class": "decision",
        "words": "t1 is offered to sato", "fact": {}, "why": {
            "plan": "abc", "generation": 2, "queue": "sales", "target": "1 == 1",
            "position": 1, "until": null, "chosen": "sato", "considered": 2,
            "rule": {"workflow": "main", "filter": "owner", "step": 1, "expression": "a == b"},
            "not_chosen": [{"words": "talking", "workers": 1}],
            "nearest": [{"worker": "suzuki", "words": "talking", "activity": "available"}],
        }}]});
        let text = decided(&serde_json::from_value(told).expect("as the API writes it"));
        let plain = anstream::adapter::strip_str(&text).to_string();
        for words in [
            "no longer kept",
            "t1 is offered to sato #7",
            "sales #1: main / owner 1: a == b (plan 2)",
            "suzuki: talking (available)",
        ] {
            assert!(plain.contains(words), "{words} in\n{plain}");
        }
    }
}
