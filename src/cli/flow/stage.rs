//! A flow played in a terminal: what is typed, what is shown.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use owo_colors::Style;
use serde_json::{Map, Value};

use crate::base::Timestamp;
use crate::cli::text::{clean, faint, paint, strong};
use crate::flow::rehearsal::{Calendars, Rehearsal, Wait};
use crate::flow::{
    Action, Context, DialOutcome, Document, QueueFigures, QueueOutcome, Reply, Request,
};
use crate::ivr::is_key;
use crate::router::Destination;

/// What sounds say, by name, as far as somebody wrote it down.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<String, String>);

impl Texts {
    /// Reads the lists of texts beside the sounds (`ja.toml`): a name and what is said. What is earlier
    /// in the list of directories counts, and what is in the language.
    pub(super) fn read(sounds: &[PathBuf], language: &str) -> Self {
        let mut texts = HashMap::new();
        let languages = ["en", language];
        let all = languages.iter().flat_map(|language| {
            let lists = sounds.iter().rev();
            lists.map(move |directory| directory.join(format!("{language}.toml")))
        });
        for list in all {
            let list = std::fs::read_to_string(list);
            let list: Option<toml::Table> = list.ok().and_then(|text| text.parse().ok());
            for (name, value) in list.into_iter().flatten() {
                let text = value.get("text").unwrap_or(&value).as_str();
                if let Some(text) = text {
                    texts.insert(name, text.to_owned());
                }
            }
        }
        Self(texts)
    }
}

/// A rehearsal with somebody who types.
pub(super) struct Stage {
    rehearsal: Rehearsal,
    flow: String,
    began: Timestamp,
    texts: Texts,
    calendars: Calendars,
    /// What is said in place of the calendars: open or not, `None` for a failure.
    hours: Option<Option<bool>>,
    quits: bool,
}

/// Happenings without anybody typing after which a flow is left alone.
const MOST_SILENT: usize = 10_000;

const HELP: &str = "  keys            pressed at once, such as 1 or 123#\n  \
    (empty)         time passes until something happens\n  \
    wait 10s        time passes\n  \
    at TIME         time passes until then, such as at 2026-11-20T18:00:00+09:00\n  \
    hang up         the caller hangs up\n  \
    hours open      what calendars say from here on: open, closed, error, or calendar for their own words\n  \
    show            the attributes of the call\n  \
    quit\n\
    Asked for what others do: a queue has answered, nobody or timeout; who is dialled answered or \
    failed;\na conversation is over; hours that no calendar knows are open, closed or error; endpoints and \
    tables reply a JSON\nobject or error; the figures of a queue are waiting=3 available=0 ... or error.\n";

impl Stage {
    pub(super) fn new(
        document: Arc<Document>,
        context: Context,
        now: Timestamp,
        (texts, calendars): (Texts, Calendars),
    ) -> Self {
        Self {
            flow: document.name.clone(),
            rehearsal: Rehearsal::new(document, context, now),
            began: now,
            texts,
            calendars,
            hours: None,
            quits: false,
        }
    }

    /// Plays to the end of the flow, or of the lines and then of the flow.
    pub(super) fn play(
        &mut self,
        mut lines: impl Iterator<Item = String>,
        mut show: impl FnMut(&str),
    ) {
        show(&self.happened());
        while self.rehearsal.wait() != Wait::Over && !self.quits {
            show(&self.question());
            let Some(line) = lines.next() else { break };
            let answer = self.take(line.trim());
            show(&answer);
            show(&self.happened());
        }
        for _ in 0..MOST_SILENT {
            if self.rehearsal.wait() == Wait::Over || self.quits {
                break;
            }
            self.default_answer();
            show(&self.happened());
        }
    }

    /// What is asked of who types.
    fn question(&self) -> String {
        let asked = match self.rehearsal.wait() {
            Wait::Over => return String::new(),
            Wait::Caller => "keys?".to_owned(),
            Wait::Sound => "(listening)".to_owned(),
            Wait::Time => "(pause)".to_owned(),
            Wait::Talk => "talking: over?".to_owned(),
            Wait::Queue { .. } => "queue: answered, nobody, timeout, left?".to_owned(),
            Wait::Dial { .. } => "dialled: answered, busy, no_answer, rejected, failed?".to_owned(),
            Wait::Request { about, .. } => match about {
                Request::Hours { .. } => "hours: open, closed, error?",
                Request::Http { .. } | Request::Lookup { .. } => "reply: {...}, error?",
                Request::Queue { .. } => "queue is: waiting=0 available=1 ..., error?",
                Request::Say { .. } => "said: (empty) for yes, error?",
                Request::Record(_) | Request::Voicemail { .. } => "recorded: seconds, error?",
            }
            .to_owned(),
        };
        format!("{} ", faint(asked))
    }

    /// Does what a line says; what there is to say about it.
    fn take(&mut self, line: &str) -> String {
        match line {
            "?" | "help" => return HELP.to_owned(),
            "hang up" | "hangup" => self.rehearsal.hang_up(),
            "quit" => self.quits = true,
            "hours open" => self.hours = Some(Some(true)),
            "hours closed" => self.hours = Some(Some(false)),
            "hours error" => self.hours = Some(None),
            "hours calendar" => self.hours = None,
            "show" => {
                let attributes = self.rehearsal.run().attributes();
                return format!("{:#}\n", Value::Object(attributes.clone()));
            }
            _ => match line.split_once(' ') {
                Some(("wait", length)) => match parse_length(length) {
                    Some(length) => return self.pass_for(length),
                    None => return "wait takes a time such as 10s or 5m\n".to_owned(),
                },
                Some(("at", instant)) => match Timestamp::parse_rfc3339(instant.trim()) {
                    Some(instant) => {
                        return self.pass_for(instant.since(self.rehearsal.now()));
                    }
                    None => {
                        return "at takes a time such as 2026-11-20T18:00:00+09:00\n".to_owned();
                    }
                },
                _ => return self.answer(line),
            },
        }
        String::new()
    }

    /// Time passes, and whatever happens on the way happens; what there is to say about it.
    fn pass_for(&mut self, length: Duration) -> String {
        let until = self.rehearsal.now() + length;
        let mut told = String::new();
        for _ in 0..MOST_SILENT {
            match self.rehearsal.next() {
                Some(next) if next <= until => drop(self.rehearsal.pass()),
                _ => break,
            }
            told.push_str(&self.happened());
        }
        let rest = until.since(self.rehearsal.now());
        self.rehearsal.pass_for(rest);
        told
    }

    /// What others do, or keys.
    fn answer(&mut self, line: &str) -> String {
        let wait = self.rehearsal.wait();
        match (&wait, line) {
            (Wait::Queue { .. }, "answered" | "") => {
                self.rehearsal.leave_queue(QueueOutcome::Answered);
            }
            (Wait::Queue { .. }, "nobody") => self.rehearsal.leave_queue(QueueOutcome::Nobody),
            (Wait::Queue { .. }, "left") => self.rehearsal.leave_queue(QueueOutcome::Left),
            (Wait::Queue { .. }, "timeout") => self.rehearsal.leave_queue(QueueOutcome::TimedOut),
            (Wait::Dial { .. }, "") => self.rehearsal.end_dial(DialOutcome::Answered),
            (Wait::Dial { .. }, word)
                if let Some((_, outcome)) =
                    DialOutcome::WORDS.iter().find(|(known, _)| *known == word) =>
            {
                self.rehearsal.end_dial(*outcome);
            }
            (Wait::Talk, "over" | "") => self.rehearsal.end_talk(),
            (Wait::Request { about, .. }, line) => match reply(about, line) {
                Some(reply) => self.rehearsal.reply(reply),
                None => return "that is no reply; ? tells what is\n".to_owned(),
            },
            (_, "") => drop(self.rehearsal.pass()),
            (_, keys) if keys.chars().all(is_key) => {
                for key in keys.chars() {
                    self.rehearsal.press(key);
                }
            }
            _ => return "that is nothing I know; ? tells what is\n".to_owned(),
        }
        String::new()
    }

    /// What happens when nobody types any more.
    fn default_answer(&mut self) {
        match self.rehearsal.wait() {
            Wait::Queue { .. } => self.rehearsal.leave_queue(QueueOutcome::Answered),
            Wait::Dial { .. } => self.rehearsal.end_dial(DialOutcome::Answered),
            Wait::Talk => self.rehearsal.end_talk(),
            Wait::Request { .. } => {
                let reply = Reply::Failed("nobody replies".to_owned());
                self.rehearsal.reply(reply);
            }
            Wait::Over => {}
            Wait::Caller | Wait::Sound | Wait::Time => drop(self.rehearsal.pass()),
        }
    }

    /// Everything that has happened since it was last told; calendars answer at once.
    fn happened(&mut self) -> String {
        let mut told = String::new();
        let since = self.rehearsal.now().since(self.began).as_secs_f64();
        loop {
            while let Some(action) = self.rehearsal.poll_action() {
                let line = self.tell(&action);
                if !line.is_empty() {
                    let _ = writeln!(told, "{} {line}", faint(format!("{since:7.1}")));
                }
            }
            let Some(said) = self.ask_calendar() else {
                break;
            };
            let _ = writeln!(told, "{} {said}", faint(format!("{since:7.1}")));
        }
        if self.rehearsal.wait() == Wait::Over && told.is_empty() {
            let _ = writeln!(told, "{} the caller is gone", faint(format!("{since:7.1}")));
        }
        told
    }

    /// Answers a step `hours` at the time of the rehearsal, where a calendar or who types has said how;
    /// what there is to say about it.
    fn ask_calendar(&mut self) -> Option<String> {
        let Wait::Request {
            about: Request::Hours { calendar, queue },
            ..
        } = self.rehearsal.wait()
        else {
            return None;
        };
        let why = "as typed".to_owned();
        let reply = match self.hours {
            Some(Some(open)) => Reply::Hours { open, why },
            Some(None) => Reply::Failed(why),
            None => {
                let now = self.rehearsal.now();
                let calendars = &self.calendars;
                match calendars.hours(calendar.as_deref(), queue.as_deref(), now) {
                    // Who types is asked for what nobody knows.
                    Reply::Failed(_) => return None,
                    known => known,
                }
            }
        };
        let said = match &reply {
            Reply::Hours { open: true, why } => format!("open ({why})"),
            Reply::Hours { why, .. } => format!("closed ({why})"),
            _ => "not to be said (as typed)".to_owned(),
        };
        self.rehearsal.reply(reply);
        Some(format!("{} {}", faint("it is"), clean(&said)))
    }

    fn tell(&self, action: &Action) -> String {
        let word = |word: &str| paint(word, Style::new().cyan());
        match action {
            Action::Answer => word("answered"),
            Action::Application(it) => {
                format!("{} {}", word("application"), clean(&it.first.0))
            }
            Action::Conference { room } => format!("{} {}", word("conference"), clean(room)),
            Action::Consult { about, .. } => format!("{} {}", word("asks"), asked(about)),
            Action::Dial(terms) => {
                let numbers = terms.numbers.join(", ");
                format!("{} {}", word("dials"), clean(&numbers))
            }
            Action::Leave => word("leaves the queue"),
            Action::Enqueue { to, priority, .. } => {
                let (Destination::Queue(name) | Destination::Workflow(name)) = to;
                let priority = match priority {
                    0 => String::new(),
                    priority => format!(", priority {priority}"),
                };
                format!("{} {}{priority}", word("queue"), strong(clean(name)))
            }
            Action::Enter { flow, step } if *flow == self.flow => {
                format!("{} {}", faint("step"), strong(clean(step)))
            }
            Action::Enter { flow, step } => {
                format!(
                    "{} {}",
                    faint("step"),
                    strong(clean(&format!("{flow}/{step}")))
                )
            }
            Action::HangUp { cause } => {
                format!(
                    "{} {} ({})",
                    word("hangs up"),
                    clean(&cause.words),
                    cause.sip
                )
            }
            Action::Play { sounds, .. } => {
                let told = sounds.iter().map(|sound| match self.texts.0.get(sound) {
                    Some(text) => {
                        format!("{} {}", clean(sound), faint(format!("«{}»", clean(text))))
                    }
                    None => clean(sound),
                });
                format!("♪ {}", told.collect::<Vec<_>>().join("  "))
            }
            Action::SetAttributes(attributes) => {
                let set = attributes
                    .iter()
                    .map(|(name, value)| clean(&format!("{name} = {value}")));
                format!("{} {}", faint("sets"), set.collect::<Vec<_>>().join(", "))
            }
            Action::StopPlay => faint("(interrupted)"),
        }
    }
}

fn asked(about: &Request) -> String {
    let text = match about {
        Request::Hours { calendar, queue } => match (calendar, queue) {
            (Some(calendar), _) => format!("calendar {calendar}"),
            (None, Some(queue)) => format!("the calendar of queue {queue}"),
            (None, None) => "the number's calendar".to_owned(),
        },
        Request::Http {
            endpoint,
            parameters,
            ..
        } => format!("endpoint {endpoint} {}", Value::Object(parameters.clone())),
        Request::Lookup { table, key } => format!("table {table} for {key:?}"),
        Request::Queue { queue } => format!("how queue {queue} is"),
        Request::Say { text, .. } => format!("a voice for {text:?}"),
        Request::Record(_) => "for a recording".to_owned(),
        Request::Voicemail { mailbox, .. } => format!("for a message to {mailbox}"),
    };
    clean(&text)
}

/// Reads a reply; an empty line is a failure.
fn reply(about: &Request, line: &str) -> Option<Reply> {
    if let ("", Request::Say { text, .. }) = (line, about) {
        return Some(Reply::Said {
            sound: text.clone(),
        });
    }
    if matches!(line, "error" | "") {
        return Some(Reply::Failed("as typed".to_owned()));
    }
    match about {
        Request::Hours { .. } => {
            let open = match line {
                "open" => true,
                "closed" => false,
                _ => return None,
            };
            let why = String::new();
            Some(Reply::Hours { open, why })
        }
        Request::Http { .. } | Request::Lookup { .. } => {
            let data: Map<String, Value> = serde_json::from_str(line).ok()?;
            Some(Reply::Data(Value::Object(data)))
        }
        Request::Queue { .. } => {
            let mut figures = Map::new();
            for part in line.split_whitespace() {
                let (name, count) = part.split_once('=')?;
                figures.insert(name.to_owned(), count.parse::<u64>().ok()?.into());
            }
            let figures: QueueFigures = serde_json::from_value(Value::Object(figures)).ok()?;
            Some(Reply::Queue(figures))
        }
        Request::Say { .. } => None,
        Request::Record(_) | Request::Voicemail { .. } => Some(Reply::Recorded {
            name: "recording".to_owned(),
            length: Duration::from_secs(line.parse().ok()?),
        }),
    }
}

/// Reads `10s`, `5m`, `2h`.
fn parse_length(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(unit)?.min(LONGEST)))
}

/// Longest that time passes at a word: a month.
const LONGEST: u64 = 31 * 24 * 3600;

#[cfg(test)]
mod tests;
