//! What the user sees while the story runs.

use std::collections::HashSet;
use std::path::Path;

use owo_colors::Style;
use serde_json::Value;

use super::plot::Who;
use super::proof::{Files, Finding};
use super::voices::Line;
use crate::cli::call;
use crate::cli::text::{clock, faint, pad, pad_left, paint, print, strong};
use crate::events::CallRecord;

/// The terminal, and what was shown on it.
#[derive(Debug, Default)]
pub(super) struct Screen {
    shown: HashSet<(u64, String)>,
}

/// As wide as `+1:02:03.456`.
const TIME_COLUMNS: usize = 11;
/// Lines of the switch's log shown when something went wrong.
const LOG_LINES: usize = 15;

impl Screen {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn title(&self) {
        let title = strong("tsunagu demo");
        print(&format!(
            "\n{title}  {}\n\n",
            faint("one call, from a trunk to an agent; about half a minute")
        ));
    }

    /// The switch takes calls.
    pub(super) fn office(&self, welcome: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        say(&format!(
            "The office opens: node {} in region {}, SIP on {}",
            text(&welcome["node"]),
            text(&welcome["region"]),
            text(&welcome["sip"][0]["address"]),
        ));
    }

    /// What a phone tells; what the record tells too is left out.
    pub(super) fn news(&self, who: Who, news: &Value) {
        let words = match (who, news["event"].as_str().unwrap_or_default()) {
            (Who::Sato | Who::Suzuki, "registered") => {
                let phone = news["user"].as_str().unwrap_or_default();
                format!("{} comes to work at phone {phone}", who.name())
            }
            (Who::Caller, "calling") => {
                let number = news["number"].as_str().unwrap_or_default();
                format!("Somebody out there dials {number}\n")
            }
            (_, "trouble") => {
                let words = news["words"].as_str().unwrap_or_default();
                format!("{}: {}", who.name(), paint(words, Style::new().yellow()))
            }
            _ => return,
        };
        say(&words);
    }

    /// What is new in the record.
    pub(super) fn live(&mut self, record: &CallRecord) {
        for (at, words) in call::happened(record) {
            if self.shown.insert((at, words.clone())) {
                let at = pad_left(&format!("+{}", clock(at)), TIME_COLUMNS);
                print(&format!("{}  {words}\n", faint(at)));
            }
        }
    }

    /// Somebody speaks.
    pub(super) fn says(&self, line: &Line) {
        let who = match line.who {
            Who::Caller => paint("caller", Style::new().cyan()),
            _ => paint("suzuki", Style::new().green()),
        };
        let words = paint(format!("“{}”", line.words), Style::new().italic());
        say(&format!("  {} {words}", pad(&who, 6)));
    }

    pub(super) fn interrupted(&self) {
        print(&format!("\n{}\n", faint("Everybody went home early.")));
    }

    /// The whole record, as `tsunagu call` shows it.
    pub(super) fn record(&self, record: &CallRecord) {
        let title = strong("What the switch keeps of it");
        print(&format!(
            "\n{title}  {}\n\n",
            faint("as `tsunagu call ID` shows it")
        ));
        print(&call::show(record));
    }

    /// What was to be, and whether it was.
    pub(super) fn findings(&self, findings: &[Finding]) {
        print(&format!("\n{}\n", strong("Was it as it should be?")));
        for finding in findings {
            let mark = match finding.is_good {
                true => paint("✓", Style::new().green()),
                false => paint("✗", Style::new().red().bold()),
            };
            let found = match finding.is_good {
                true => faint(&finding.found),
                false => paint(&finding.found, Style::new().red()),
            };
            print(&format!("  {mark} {}  {found}\n", finding.wanted));
        }
    }

    /// Where everything is.
    pub(super) fn files(&self, files: &Files) {
        print(&format!("\n{}\n", strong("Listen")));
        let here = std::env::current_dir().unwrap_or_default();
        let path = |path: &Path| {
            let path = path.strip_prefix(&here).unwrap_or(path);
            paint(path.display(), Style::new().underline())
        };
        let rows = [
            (
                &files.stereo,
                "the conversation: left the caller, right the agent",
            ),
            (
                &files.caller,
                "all that the caller heard (left): greeting, menu, music, agent",
            ),
            (&files.record, "the record"),
            (&files.log, "the switch's log"),
        ];
        for (file, what) in rows {
            print(&format!("  {}\n    {}\n", path(file), faint(what)));
        }
        print("\n");
    }

    /// The last words of the switch, after something went wrong.
    pub(super) fn log_tail(&self, log: &Path) {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
        if !tail.is_empty() {
            let title = faint(format!("last lines of {}:", log.display()));
            print(&format!("\n{title}\n{}\n\n", tail.join("\n")));
        }
    }
}

fn say(words: &str) {
    print(&format!("{}  {words}\n", " ".repeat(TIME_COLUMNS)));
}
