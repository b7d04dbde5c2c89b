//! What `tsunagu serve` says once it takes calls: to a person, or to the program that started it.

use std::net::SocketAddr;

use owo_colors::Style;
use serde_json::{Value, json};

use super::text::{faint, pad, paint, strong, width};
use crate::config::{Office, Phone, published_password};
use crate::sip::Protocol;
use crate::sip::auth::Ha1;
use crate::trunk::{Meaning, Pattern, Service};

/// A switch that has just begun.
#[derive(Debug)]
pub(super) struct Welcome<'a> {
    pub(super) office: &'a Office,
    /// Where it listens for SIP, with the real ports.
    pub(super) listeners: &'a [(Protocol, SocketAddr)],
    pub(super) api: SocketAddr,
    pub(super) metrics: Option<SocketAddr>,
    /// The REST API of TwiML programs.
    pub(super) rest: Option<SocketAddr>,
}

/// Lines of the dial plan shown; the rest is in numbers.toml.
const MOST_NUMBERS: usize = 16;

impl Welcome<'_> {
    /// Where to register, what to dial, where to look; coloured.
    pub(super) fn words(&self) -> String {
        let (node, version) = (&self.office.node, env!("CARGO_PKG_VERSION"));
        let mut text = format!(
            "\n{} {}\n\n",
            strong(paint(
                format!("tsunagu {version} takes calls"),
                Style::new().green()
            )),
            faint(format!("node {}, region {}", node.name, node.region)),
        );
        let mut say = |title: &str, lines: Vec<String>| {
            for (number, line) in lines.into_iter().enumerate() {
                let title = if number == 0 { title } else { "" };
                text.push_str(&format!("  {}  {line}\n", pad(&strong(title), 10)));
            }
        };
        say("register", self.register());
        say("dial", self.dial());
        let metrics = self.metrics.unwrap_or(self.api);
        say(
            "look",
            vec![
                format!("http://{}/v1/calls", self.api),
                format!("http://{metrics}/metrics"),
                format!("tsunagu calls, call last, agents, queues{}", self.url()),
            ],
        );
        let rest = self.rest.map(|rest| format!("http://{rest}/2010-04-01"));
        say("programs", rest.into_iter().collect());
        say("recordings", vec![node.recordings.display().to_string()]);
        if let Some(example) = self.example() {
            say("try", vec![paint(example, Style::new().cyan())]);
        }
        text
    }

    /// The same for a program: one object.
    pub(super) fn json(&self) -> Value {
        let sip = self.listeners.iter();
        let sip = sip.map(|(protocol, at)| json!({"protocol": protocol.as_str(), "address": at}));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "node": self.office.node.name,
            "region": self.office.node.region,
            "sip": sip.collect::<Vec<_>>(),
            "api": format!("http://{}", self.api),
            "metrics": format!("http://{}/metrics", self.metrics.unwrap_or(self.api)),
            "rest": self.rest.map(|rest| format!("http://{rest}/2010-04-01")),
            "recordings": self.office.node.recordings,
        })
    }

    /// Listeners, protocols of one address together; and who may register there.
    fn register(&self) -> Vec<String> {
        let mut lines: Vec<(SocketAddr, String)> = Vec::new();
        for (protocol, at) in self.listeners {
            match lines.iter_mut().find(|(known, _)| known == at) {
                Some((_, protocols)) => protocols.push_str(&format!(" and {protocol}")),
                None => lines.push((*at, protocol.to_string())),
            }
        }
        let mut lines: Vec<String> = lines
            .into_iter()
            .map(|(at, protocols)| format!("{at} {}", faint(protocols)))
            .collect();
        let phones = &self.office.phones;
        let numbers = ranges(phones.iter().map(|phone| phone.number.clone()).collect());
        let password = match phones.first() {
            Some(phone) if self.is_published(phone) => {
                format!(", password {}", published_password("<number>"))
            }
            _ => String::new(),
        };
        lines.push(match phones.len() {
            0 => "no phones yet: phones.toml".to_owned(),
            _ => format!("phones {}{password}", shown(&numbers)),
        });
        lines
    }

    /// What phones may dial, by what it leads to.
    fn dial(&self) -> Vec<String> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for entry in self.office.numbers.entries() {
            let is_longer = matches!(
                (&entry.pattern, &entry.meaning),
                (Pattern::Prefix(_), Meaning::Service(_))
            );
            if !entry.reach.phones || is_longer {
                continue;
            }
            let number = match &entry.pattern {
                Pattern::Prefix(prefix) => format!("{prefix}…"),
                other => other.to_string(),
            };
            let leads_to = words_for(&entry.meaning);
            match groups.iter_mut().find(|(known, _)| *known == leads_to) {
                Some((_, numbers)) => numbers.push(number),
                None => groups.push((leads_to, vec![number])),
            }
        }
        let groups: Vec<(String, String)> = groups
            .into_iter()
            .map(|(leads_to, numbers)| (shown(&ranges(numbers)), leads_to))
            .collect();
        let columns = groups
            .iter()
            .map(|(numbers, _)| width(numbers))
            .max()
            .unwrap_or(0);
        let mut lines: Vec<String> = groups
            .iter()
            .take(MOST_NUMBERS)
            .map(|(numbers, leads_to)| {
                format!("{}  {}", pad(numbers, columns), faint(leads_to))
                    .trim_end()
                    .to_owned()
            })
            .collect();
        match groups.len().saturating_sub(MOST_NUMBERS) {
            0 => {}
            more => lines.push(faint(format!("and {more} more: numbers.toml"))),
        }
        lines
    }

    /// A command that makes a first call, while passwords are the published ones.
    fn example(&self) -> Option<String> {
        let phone = self
            .office
            .phones
            .first()
            .filter(|phone| self.is_published(phone))?;
        let is_echo = |meaning: &Meaning| matches!(meaning, Meaning::Service(Service::Echo));
        let mut entries = self.office.numbers.entries().iter();
        let echo = entries
            .find(|entry| is_echo(&entry.meaning))?
            .pattern
            .to_string();
        let (_, server) = self.listeners.first()?;
        let server = match server.to_string().as_str() {
            "127.0.0.1:5060" => String::new(),
            other => format!(" --server {other}"),
        };
        let user = match phone.number.as_str() {
            "1001" => String::new(),
            other => format!(" --user {other}"),
        };
        Some(format!(
            "tsunagu phone{server}{user} --call {echo} --play tone:440 --hang-up 5"
        ))
    }

    /// How commands find this switch, when not by themselves.
    fn url(&self) -> String {
        match self.api.to_string().as_str() {
            "127.0.0.1:9090" => String::new(),
            other => format!(" --url http://{other}"),
        }
    }

    fn is_published(&self, phone: &Phone) -> bool {
        let demo = published_password(&phone.number);
        phone.ha1 == Ha1::from_password(&phone.number, &self.office.node.realm, &demo)
    }
}

fn words_for(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Application { .. } => "an application".to_owned(),
        Meaning::Flow { name, .. } => format!("flow {name}"),
        Meaning::Group(members) => format!("rings together: {}", members.join(", ")),
        Meaning::Outbound { trunks, .. } => format!("out by trunk {}", trunks.join(", then ")),
        Meaning::Phone => "a phone".to_owned(),
        Meaning::Service(service) => match service {
            Service::Agent(_) => "agents: docs/agents.md",
            Service::Closing(_) => "closed by hand: docs/calendars.md",
            Service::Mailbox(_) => "messages: docs/voicemail.md",
            Service::Conference => "conference",
            Service::Echo => "echo: hear yourself",
            Service::HoldMusic => "hold music",
            Service::Tone => "tone of 1004 Hz",
        }
        .to_owned(),
    }
}

/// Sorted by length and digits, neighbours joined: `1001-1010`.
fn ranges(mut numbers: Vec<String>) -> Vec<String> {
    numbers.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut joined: Vec<(String, String)> = Vec::new();
    for number in numbers {
        match joined.last_mut() {
            Some((_, last)) if *last == number => {}
            Some((_, last)) if follows(last, &number) => *last = number,
            _ => joined.push((number.clone(), number)),
        }
    }
    joined
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                first
            } else {
                format!("{first}-{last}")
            }
        })
        .collect()
}

/// Whether both are plain digits of one length, maybe behind a star, and `next` is one more.
fn follows(last: &str, next: &str) -> bool {
    let is_code = last.starts_with('*') && next.starts_with('*');
    let number = |text: &str| -> Option<u64> {
        let text = text.strip_prefix('*').filter(|_| is_code).unwrap_or(text);
        text.bytes()
            .all(|digit| digit.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    let pair = number(last).zip(number(next));
    last.len() == next.len() && pair.is_some_and(|(last, next)| last + 1 == next)
}

/// A list that fits on a line.
fn shown(numbers: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = numbers.len().saturating_sub(SHOWN);
    let list = numbers[..numbers.len().min(SHOWN)].join(", ");
    if more > 0 {
        format!("{list} and {more} more")
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Environment};

    fn said(api: &str) -> (String, Value) {
        let office = config::load(Path::new("config"), &Environment::default()).unwrap();
        let sip = "127.0.0.1:5060".parse().unwrap();
        let welcome = Welcome {
            office: &office,
            listeners: &[(Protocol::Udp, sip), (Protocol::Tcp, sip)],
            api: api.parse().unwrap(),
            metrics: None,
            rest: None,
        };
        let plain = anstream::adapter::strip_str(&welcome.words()).to_string();
        (plain, welcome.json())
    }

    #[test]
    fn the_demo_office_is_told_on_one_screen() {
        let (text, _) = said("127.0.0.1:9090");
        for wanted in [
            "127.0.0.1:5060 UDP and TCP\n",
            "phones 1001-1010, password tsunagu-<number>\n",
            "100, 0312345678, +81312345678  flow main\n",
            "1001-1010 ",
            "*41-*43, *45-*49 ",
            "0… ",
            "http://127.0.0.1:9090/metrics\n",
            "try         tsunagu phone --call 600 --play tone:440 --hang-up 5\n",
        ] {
            assert!(text.contains(wanted), "{wanted:?} in\n{text}");
        }
        assert!(
            text.lines().count() < 24 && text.lines().all(|line| width(line) <= 80),
            "{text}"
        );
        let (text, _) = said("127.0.0.1:1234");
        assert!(
            text.contains("queues --url http://127.0.0.1:1234\n"),
            "{text}"
        );
    }

    #[test]
    fn a_program_is_told_where_everything_is() {
        let (_, json) = said("127.0.0.1:1234");
        assert_eq!(
            json["sip"][1],
            json!({"protocol": "TCP", "address": "127.0.0.1:5060"})
        );
        assert_eq!(json["api"], "http://127.0.0.1:1234");
    }

    #[test]
    fn neighbours_of_one_length_are_joined() {
        let list = |text: &str| ranges(text.split(' ').map(str::to_owned).collect()).join(" ");
        assert_eq!(list("1003 1001 1002 1002 1005"), "1001-1003 1005");
        assert_eq!(list("9 10 099 100"), "9 10 099-100");
        assert_eq!(list("*45 *46 +1 +2"), "+1 +2 *45-*46");
        assert_eq!(list("45 *46"), "45 *46");
    }
}
