//! `tsunagu why ID --verify`: what the router decided about a call, decided once more.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use owo_colors::Style;
use serde_json::json;

use super::period::{JournalFile, SHARD};
use super::replay::differs;
use super::text::{clean, faint, local, paint, print, strong};
use crate::base::{Language, TaskId, Timestamp};
use crate::journal::{FactClass, Reader};
use crate::replay::{Names, Past, Told, Verified, verify};
use crate::router::Fact;

/// Decides once more; exit code 1 when something came out otherwise.
pub(super) fn run(
    id: &str,
    file: &JournalFile,
    is_json: bool,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let mut journal = file.open()?;
    let verified = decisions(&mut journal, id)?;
    let is_same = verified.iter().all(|one| one.difference.is_none());
    if is_json {
        let decisions = verified.iter().map(|one| {
            json!({
                "sequence": one.sequence,
                "at": one.at.to_rfc3339(),
                "words": told(one, language),
                "same": one.difference.is_none(),
            })
        });
        let decisions: Vec<_> = decisions.collect();
        print(&format!(
            "{:#}\n",
            json!({"id": id, "decisions": decisions})
        ));
    } else {
        print(&show(id, &verified, language));
    }
    Ok(match is_same {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Every decision about a call, or a task, made once more.
fn decisions(journal: &mut dyn Reader, id: &str) -> anyhow::Result<Vec<Verified>> {
    let mut names = Names::default();
    let mut tasks: Vec<TaskId> = Vec::new();
    let mut span: Option<(Timestamp, Timestamp)> = None;
    let mut next = 0;
    loop {
        let page = journal.read_from(SHARD, next, PAGE)?;
        for entry in &page {
            next = entry.sequence + 1;
            // Reading every fact would take long; those that do not even contain the id need not be.
            let is_near = |text: &str| entry.body.contains(text);
            if !is_near(id) && !tasks.iter().any(|task| is_near(task.as_str())) {
                continue;
            }
            let fact = Fact::decode(entry)?;
            names.learn(&fact);
            let told = Told::of(&fact, &names, Language::English);
            let Some(task) = told.task else {
                continue;
            };
            let is_ours = task.as_str() == id || told.call.is_some_and(|call| call.as_str() == id);
            if !is_ours {
                continue;
            }
            if !tasks.contains(&task) {
                tasks.push(task);
            }
            if entry.class == FactClass::Decision {
                let (from, _) = span.unwrap_or((entry.at, entry.at));
                span = Some((from, entry.at));
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    if tasks.is_empty() {
        bail!("the journal knows no call or task {id}");
    }
    let Some((from, until)) = span else {
        return Ok(Vec::new());
    };
    let until = until + Duration::from_micros(1);
    let past = Past::read(journal, SHARD, Some(from), Some(until))?;
    let is_ours = |fact: &Fact| {
        let told = Told::of(fact, &Names::default(), Language::English);
        told.task.is_some_and(|task| tasks.contains(&task))
    };
    Ok(verify(&past, &is_ours)?)
}

fn show(id: &str, verified: &[Verified], language: Language) -> String {
    let mut text = format!("{}\n", strong(clean(id)));
    if verified.is_empty() {
        let words = language.pick(
            "nothing was decided about it",
            "この通話についての判断はない",
        );
        text += &format!("  {words}\n");
    }
    for one in verified {
        let at = local(one.at, "%H:%M:%S%.3f");
        let sequence = faint(format!("#{}", one.sequence));
        text += &format!("  {at}  {sequence}  {}\n", told(one, language));
        match &one.difference {
            None => {
                let words = language.pick("decided once more: the same", "再実行: 同じ結果");
                text += &format!("    {}\n", paint(words, Style::new().green()));
            }
            Some(difference) => text += &differs(difference, language),
        }
    }
    text
}

fn told(one: &Verified, language: Language) -> String {
    clean(&Told::of(&one.fact, &Names::default(), language).words)
}

/// Facts read at once.
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::journal::tests::journal;
    use crate::journal::Journal;

    #[test]
    fn a_decision_is_made_once_more() {
        let same = decisions(&mut journal(), "c1").unwrap();
        let text = show("c1", &same, Language::English);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("#4  t1 is offered to 花子"), "{plain}");
        assert!(plain.contains("decided once more: the same"), "{plain}");
        assert_eq!(decisions(&mut journal(), "t1").unwrap(), same);
        let error = decisions(&mut journal(), "c2").unwrap_err().to_string();
        assert!(error.contains("no call or task c2"), "{error}");
    }

    #[test]
    fn one_that_is_not_the_same_is_shown_beside() {
        let mut other = crate::journal::MemoryJournal::new();
        let mut entries = journal().entries(0);
        entries[3].body = entries[3].body.replace("花子", "太郎");
        other.append(&entries).unwrap();
        let verified = decisions(&mut other, "c1").unwrap();
        let text = show("c1", &verified, Language::Japanese);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("事実4は再実行と一致しない"), "{plain}");
        assert!(plain.contains("t1を花子に呼び出し"), "{plain}");
    }
}
