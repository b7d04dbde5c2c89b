//! The SIP ladder of a call: who sent what to whom, when, as arrows between lanes.

use owo_colors::Style;

use crate::cli::text::{faint, local, pad, paint, strong, width};
use crate::http::trace::{Ladder, LadderMessage};

/// The whole picture, coloured. The switch is the second lane; far ends are in the order in which
/// they first appear, the caller's first.
pub(super) fn draw(ladder: &Ladder) -> String {
    let Some(first) = ladder.messages.first() else {
        return "No SIP message of this call is kept any more. [trace] megabytes in node.toml says \
                how many are.\n"
            .to_owned();
    };
    let remotes = remotes(&ladder.messages);
    let mut text = heading(ladder, &remotes);
    let mut last = first.at;
    for message in &ladder.messages {
        let lane = remotes.iter().position(|remote| *remote == message.remote);
        let wait = message.at.since(last);
        last = message.at;
        let since = message.at.since(first.at).as_secs_f64();
        let pause = match wait.as_millis() {
            0..1000 => pad("", 9),
            ms => pad(&faint(format!("+{:.1} s", ms as f64 / 1000.0)), 9),
        };
        text.push_str(&format!(
            "{} {pause} {}\n",
            faint(format!("{since:>9.3}")),
            arrow(message, lane.unwrap_or(0), remotes.len())
        ));
    }
    text
}

fn remotes(messages: &[LadderMessage]) -> Vec<String> {
    let mut remotes: Vec<String> = Vec::new();
    for message in messages {
        if !remotes.contains(&message.remote) {
            remotes.push(message.remote.clone());
        }
    }
    remotes
}

/// Names over the lanes: the address, and whose it is.
fn heading(ladder: &Ladder, remotes: &[String]) -> String {
    let who = |remote: &String| {
        let message = ladder
            .messages
            .iter()
            .find(|message| message.remote == *remote)?;
        let leg = ladder
            .legs
            .iter()
            .find(|leg| leg.sip_call_id == message.sip_call_id)?;
        Some(leg.party.clone())
    };
    let mut names = vec![String::from("tsunagu")];
    let mut addresses = vec![String::new()];
    for (index, remote) in remotes.iter().enumerate() {
        let at = if index == 0 { 0 } else { names.len() };
        names.insert(at, who(remote).unwrap_or_default());
        addresses.insert(at, remote.clone());
    }
    let start = ladder
        .messages
        .first()
        .map(|first| local(first.at, "%Y-%m-%d %H:%M:%S%.3f %:z"));
    let line = |texts: &[String]| {
        let cells = texts.iter().map(|text| centred(text));
        cells.collect::<String>().trim_end().to_owned()
    };
    let margin = " ".repeat(MARGIN - LANE / 2);
    format!(
        "{}  from {}\n\n{margin}{}\n{margin}{}\n",
        strong(&ladder.id),
        start.unwrap_or_default(),
        strong(line(&names)),
        faint(line(&addresses)),
    )
}

/// One row: lanes as bars, the message as an arrow between the switch and a far end.
fn arrow(message: &LadderMessage, remote: usize, remotes: usize) -> String {
    let lanes = remotes + 1;
    // The switch is the second lane, so far ends after the first have moved by one.
    let far = if remote == 0 { 0 } else { remote + 1 };
    let (left, right) = (far.min(SWITCH), far.max(SWITCH));
    let to_right = (message.way == "out") == (far > SWITCH);
    let (label, style) = label(message);
    let mut row = String::new();
    for lane in 0..lanes {
        if lane == left {
            let room = (right - left) * LANE - 1;
            row.push_str(&faint("│"));
            row.push_str(&paint(shaft(&label, room, to_right), style));
        } else if lane < left || lane >= right {
            row.push_str(&faint("│"));
            if lane + 1 < lanes {
                row.push_str(&" ".repeat(LANE - 1));
            }
        }
    }
    row
}

/// `──INVITE───────▶`, of so many columns.
fn shaft(label: &str, room: usize, to_right: bool) -> String {
    let most = room.saturating_sub(4);
    let label: String = label.chars().take(most).collect();
    let line = "─".repeat(room.saturating_sub(3 + width(&label)));
    match to_right {
        true => format!("──{label}{line}▶"),
        false => format!("◀─{label}{line}─"),
    }
}

/// What is written on the arrow, and its colour: requests plain, answers by their class.
fn label(message: &LadderMessage) -> (String, Style) {
    let first = message.lines.first().map_or("", String::as_str);
    let mut words = first.split(' ');
    let start = words.next().unwrap_or_default();
    let has_body = message.lines.iter().any(|line| line.starts_with("m=audio"));
    let sdp = if has_body { " sdp" } else { "" };
    if !start.starts_with("SIP/") {
        let style = match start {
            "BYE" | "CANCEL" => Style::new().yellow(),
            _ => Style::new().cyan(),
        };
        return (format!("{start}{sdp}"), style);
    }
    let status = words.next().unwrap_or_default();
    let method = message.lines.iter().find_map(|line| {
        let value = line.strip_prefix("CSeq:")?;
        value.split_whitespace().last()
    });
    let style = match status.as_bytes().first() {
        Some(b'1') => Style::new().dimmed(),
        Some(b'2') => Style::new().green(),
        Some(b'3') => Style::new().magenta(),
        _ => Style::new().red(),
    };
    (
        format!("{status} {}{sdp}", method.unwrap_or_default()),
        style,
    )
}

fn centred(text: &str) -> String {
    let text: String = text.chars().take(LANE - 2).collect();
    let left = (LANE - width(&text)) / 2;
    pad(&format!("{}{text}", " ".repeat(left)), LANE)
}

/// Columns between two lanes: room for an IPv4 address with its port.
const LANE: usize = 26;
/// Columns before the first lane: two times.
const MARGIN: usize = 20;
/// The lane of the switch.
const SWITCH: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LegId, Timestamp};
    use crate::events::Role;
    use crate::http::trace::LadderLeg;

    fn message(ms: i64, way: &str, remote: &str, id: &str, lines: &[&str]) -> LadderMessage {
        LadderMessage {
            at: Timestamp::from_millis(ms),
            way: way.to_owned(),
            protocol: "UDP".to_owned(),
            local: "192.0.2.1:5060".to_owned(),
            remote: remote.to_owned(),
            sip_call_id: id.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn arrows_go_between_the_switch_and_who_speaks_with_it() {
        let ladder = Ladder {
            id: "jp1-c".to_owned(),
            legs: vec![LadderLeg {
                leg: LegId(1),
                role: Role::Caller,
                party: "+819012345678".to_owned(),
                sip_call_id: "a".to_owned(),
            }],
            messages: vec![
                message(
                    0,
                    "in",
                    "192.0.2.2:5080",
                    "a",
                    &["INVITE sip:x SIP/2.0", "m=audio 1"],
                ),
                message(2, "out", "192.0.2.11:5060", "b", &["INVITE sip:y SIP/2.0"]),
                message(
                    9,
                    "in",
                    "192.0.2.11:5060",
                    "b",
                    &["SIP/2.0 180 Ringing", "CSeq: 1 INVITE"],
                ),
                message(
                    3009,
                    "out",
                    "192.0.2.2:5080",
                    "a",
                    &["SIP/2.0 486 Busy", "CSeq: 1 INVITE"],
                ),
            ],
        };
        let text = plain(&draw(&ladder));
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert!(
            rows[0].contains("+819012345678") && rows[0].contains("tsunagu"),
            "{text}"
        );
        assert!(rows[1].contains("192.0.2.2:5080") && rows[1].contains("192.0.2.11:5060"));
        assert!(
            rows[2].contains("│──INVITE sdp─") && rows[2].contains("▶│"),
            "{text}"
        );
        assert!(
            rows[3].contains("│──INVITE──") && rows[3].ends_with("▶│"),
            "{text}"
        );
        assert!(rows[4].contains("│◀─180 INVITE─"), "{text}");
        assert!(
            rows[5].contains("+3.0 s") && rows[5].contains("│◀─486 INVITE─"),
            "{text}"
        );
        let lanes: Vec<usize> = rows[2..].iter().map(|row| row.chars().count()).collect();
        assert!(lanes.iter().all(|length| *length == lanes[0]), "{text}");
    }

    #[test]
    fn nothing_kept_is_said() {
        let ladder = Ladder {
            id: String::new(),
            legs: Vec::new(),
            messages: Vec::new(),
        };
        assert!(draw(&ladder).contains("node.toml"));
    }
}
