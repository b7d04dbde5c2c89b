//! The page of one call, line by line.

use anstream::adapter::strip_str;
use serde_json::json;

use super::*;
use crate::base::{CallId, Cause, LegId, Party, RecordingId, ReservationId, TaskId, Timestamp};
use crate::events::{AgentStretch, Event, Fact, RecordingFacts};

const START: i64 = 1_795_136_523_456;

/// A call from a trunk: a flow, a queue, one agent who misses it, one who takes it.
pub(in super::super) fn events() -> Vec<Event> {
    let mut events = Vec::new();
    let mut at = |ms: i64, fact| {
        events.push(Event {
            at: Timestamp::from_millis(START + ms),
            call: CallId::new("jp1-tokyo1-0-mi7gkdc0-1f"),
            fact,
        });
    };
    let caller = |stretch, with: &str| Fact::CallerEntered {
        stretch,
        with: with.into(),
    };
    let agent = |agent: &str, stretch| Fact::AgentEntered {
        agent: agent.into(),
        leg: None,
        stretch,
    };
    let leg = |leg, role, party: &str, agent: Option<&str>, trunk: Option<&str>| Fact::LegAdded {
        leg: LegId(leg),
        role,
        party: party.into(),
        agent: agent.map(Into::into),
        trunk: trunk.map(Into::into),
        sip_call_id: format!("00{leg}@tokyo1"),
    };
    let answered = |leg| Fact::LegAnswered {
        leg: LegId(leg),
        codec: "PCMU".into(),
    };
    let digit = |digit| Fact::DigitPressed {
        leg: LegId(1),
        digit,
    };
    let leg_ended = |leg, by, cause, received, lost| Fact::LegEnded {
        leg: LegId(leg),
        by,
        cause,
        media: MediaSummary {
            received,
            sent: received + 3,
            lost,
            refused: 0,
            jitter_ms: 2.4,
            ..MediaSummary::default()
        },
    };
    let offered = |number, agent: &str, why: &str| Fact::Offered {
        reservation: ReservationId::new(format!("t1-{number}")),
        agent: agent.into(),
        queue: "sales".into(),
        why: why.into(),
    };
    let offer_ended = |number, agent: &str, outcome: &str| Fact::OfferEnded {
        reservation: ReservationId::new(format!("t1-{number}")),
        agent: agent.into(),
        outcome: outcome.into(),
        said: None,
    };
    at(
        0,
        Fact::CallStarted {
            region: "jp1".into(),
            node: "tokyo1".into(),
            direction: Direction::Inbound,
            from: "+819012345678".into(),
            to: "+81312345678".into(),
            trunk: Some("demo".into()),
            generation: 3,
        },
    );
    at(0, leg(1, Role::Caller, "+819012345678", None, Some("demo")));
    at(0, caller(Stretch::Ivr, "main"));
    at(3, answered(1));
    at(4_180, digit('9'));
    at(9_020, digit('1'));
    at(
        9_021,
        Fact::AttributesSet {
            attributes: [
                ("language".to_owned(), json!("ja")),
                ("担当".to_owned(), json!("営業")),
                ("vip".to_owned(), json!(true)),
            ]
            .into_iter()
            .collect(),
        },
    );
    at(
        9_022,
        Fact::Queued {
            queue: "sales".into(),
            task: TaskId::new("t1"),
        },
    );
    at(9_022, caller(Stretch::Queue, "sales"));
    at(
        9_023,
        offered(
            1,
            "佐藤花子",
            "佐藤花子: idle longest (312 s) of 2 free; 1 talking",
        ),
    );
    at(9_023, agent("佐藤花子", Some(AgentStretch::Offer)));
    at(9_024, leg(2, Role::Agent, "1001", Some("佐藤花子"), None));
    at(9_071, Fact::LegRinging { leg: LegId(2) });
    at(9_071, agent("佐藤花子", Some(AgentStretch::Ring)));
    at(24_023, offer_ended(1, "佐藤花子", "no_answer"));
    at(24_023, agent("佐藤花子", None));
    at(
        24_024,
        offered(
            2,
            "suzuki",
            "suzuki: idle longest (41 s) of 1 free; 1 not available",
        ),
    );
    at(24_024, agent("suzuki", Some(AgentStretch::Offer)));
    at(24_025, leg(3, Role::Agent, "1002", Some("suzuki"), None));
    let cancelled = Cause::from_status(487);
    at(24_050, leg_ended(2, Party::Switch, cancelled, 0, 0));
    at(24_060, Fact::LegRinging { leg: LegId(3) });
    at(24_060, agent("suzuki", Some(AgentStretch::Ring)));
    at(26_210, answered(3));
    at(26_210, offer_ended(2, "suzuki", "accepted"));
    at(
        26_210,
        Fact::Unqueued {
            queue: "sales".into(),
            outcome: "answered".into(),
        },
    );
    at(26_210, caller(Stretch::Talk, "suzuki"));
    at(26_210, agent("suzuki", Some(AgentStretch::Talk)));
    at(
        26_210,
        Fact::RecordingStarted {
            recording: RecordingId::new("jp1-tokyo1-0-mi7gkdc0-2a"),
        },
    );
    at(61_000, caller(Stretch::Hold, "suzuki"));
    at(61_000, agent("suzuki", Some(AgentStretch::Hold)));
    at(75_500, caller(Stretch::Talk, "suzuki"));
    at(75_500, agent("suzuki", Some(AgentStretch::Talk)));
    at(
        124_888,
        Fact::CallEnded {
            by: Party::Caller,
            cause: Cause::normal(),
        },
    );
    at(124_888, agent("suzuki", Some(AgentStretch::Wrap)));
    at(
        124_890,
        leg_ended(1, Party::Caller, Cause::normal(), 6_231, 12),
    );
    at(
        124_890,
        leg_ended(3, Party::Switch, Cause::normal(), 4_933, 97),
    );
    at(
        124_990,
        Fact::RecordingPublished {
            recording: RecordingFacts {
                recording: RecordingId::new("jp1-tokyo1-0-mi7gkdc0-2a"),
                started: Timestamp::from_millis(START + 26_210),
                duration_ms: 98_678,
                path: "recordings/2026/11/20/jp1-tokyo1-0-mi7gkdc0-2a.wav".into(),
                bytes: 3_157_740,
                sha256: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9".into(),
                seal: String::new(),
                channels: vec!["caller".into(), "suzuki".into()],
                defect: None,
            },
        },
    );
    at(134_888, agent("suzuki", None));
    events
}

pub(in super::super) fn record() -> CallRecord {
    CallRecord::fold(&events())
}

#[test]
fn tells_the_whole_call_in_the_order_of_time() {
    let text = strip_str(&show(&record())).to_string();
    let mut rest = text.as_str();
    for words in [
        "+819012345678 → +81312345678  inbound by trunk demo",
        "flow 9.0 s",
        "+0:00.000",
        "flow main",
        "pressed 9",
        "pressed 1",
        "queue sales",
        "offered to 佐藤花子: idle longest (312 s)",
        "佐藤花子 rings",
        "佐藤花子: no answer",
        "offered to suzuki",
        "suzuki rings",
        "talk suzuki",
        "● recording",
        "hold suzuki",
        "the caller hung up: normal clearing (SIP 200, Q.850 16)",
        "suzuki wraps up",
        "suzuki is done",
        "Legs",
        "1.9 % lost",
        "Recordings",
        "jp1-tokyo1-0-mi7gkdc0-2a.wav",
        "caller left, suzuki right",
        "Attributes",
        "営業",
    ] {
        let found = rest.find(words);
        let at = found.unwrap_or_else(|| panic!("{words:?} not in its place in\n{text}"));
        rest = &rest[at + words.len()..];
    }
}

#[test]
fn lanes_stand_straight_beside_japanese_names() {
    let text = strip_str(&show(&record())).to_string();
    let lanes: Vec<&str> = text
        .lines()
        .filter(|line| line.trim_start().starts_with('+') && line.contains(':'))
        .filter(|line| line.starts_with(' '))
        .collect();
    assert!(lanes.len() > 15, "{text}");
    for line in lanes {
        let cells: Vec<char> = line.chars().skip(13).take(5).collect();
        assert!(cells[1] == ' ' && cells[3] == ' ', "{line:?}");
        assert!("┍┏│┃┆┸ ".contains(cells[0]), "{line:?}");
    }
    let is_length = |line: &&str| {
        let last = line.rsplit(' ').next().unwrap_or_default();
        line.starts_with("  +") && last.contains(':') && last.contains('.')
    };
    let ends: Vec<usize> = text.lines().filter(is_length).map(width).collect();
    assert!(
        ends.len() > 5 && ends.iter().all(|end| *end == ends[0]),
        "{ends:?}"
    );
}

#[test]
fn a_live_call_says_so() {
    let events = events();
    let now = Timestamp::from_millis(START + 40_000);
    let live = events.iter().filter(|event| event.at < now);
    let record = CallRecord::fold(live).as_of(now);
    let text = strip_str(&show(&record)).to_string();
    for words in [
        "talking",
        "40.0 s so far",
        "0:13.790 …",
        "still going on",
        "not published yet",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

#[test]
fn an_empty_record_is_shown_and_nothing_breaks() {
    assert!(show(&CallRecord::default()).contains("of unknown direction"));
}
