//! The fold, with events in every order.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::base::{Cause, LegId, RecordingId, ReservationId, TaskId};
use crate::events::{AgentStretch, Deafness, Figure, MediaSummary, RecordingFacts, Way};

const START: i64 = 1_795_136_523_456;

fn event(after_ms: i64, fact: Fact) -> Event {
    Event {
        at: Timestamp::from_millis(START + after_ms),
        call: CallId::new("jp1-tokyo1-0-a-1"),
        fact,
    }
}

fn call_started() -> Fact {
    Fact::CallStarted {
        region: "jp1".into(),
        node: "tokyo1".into(),
        direction: Direction::Inbound,
        from: "+819012345678".into(),
        to: "+81312345678".into(),
        trunk: Some("demo".into()),
        generation: 3,
    }
}

fn leg_added(leg: u64, role: Role, agent: Option<&str>) -> Fact {
    Fact::LegAdded {
        leg: LegId(leg),
        role,
        party: "1001".into(),
        agent: agent.map(Into::into),
        trunk: None,
        sip_call_id: format!("00{leg}@127.0.0.1"),
    }
}

fn caller(stretch: Stretch, with: &str) -> Fact {
    let with = with.to_owned();
    Fact::CallerEntered { stretch, with }
}

fn agent(agent: &str, stretch: Option<AgentStretch>) -> Fact {
    Fact::AgentEntered {
        agent: agent.to_owned(),
        leg: None,
        stretch,
    }
}

fn ended() -> Fact {
    Fact::CallEnded {
        by: Party::Caller,
        cause: Cause::normal(),
    }
}

fn story() -> Vec<Event> {
    let answered = |leg| Fact::LegAnswered {
        leg: LegId(leg),
        codec: "PCMU".into(),
    };
    vec![
        event(0, call_started()),
        event(0, leg_added(1, Role::Caller, None)),
        event(0, caller(Stretch::Ivr, "main")),
        event(4, answered(1)),
        event(
            3_000,
            Fact::DigitPressed {
                leg: LegId(1),
                digit: '1',
            },
        ),
        event(
            3_100,
            Fact::Queued {
                queue: "sales".into(),
                task: TaskId::new("t1"),
            },
        ),
        event(3_100, caller(Stretch::Queue, "sales")),
        event(
            3_101,
            Fact::Offered {
                reservation: ReservationId::new("t1-1"),
                agent: "hanako".into(),
                queue: "sales".into(),
                why: "idle longest (41 s) of 2 who match".into(),
            },
        ),
        event(3_101, agent("hanako", Some(AgentStretch::Offer))),
        event(3_105, leg_added(2, Role::Agent, Some("hanako"))),
        event(3_150, Fact::LegRinging { leg: LegId(2) }),
        event(3_150, agent("hanako", Some(AgentStretch::Ring))),
        event(5_000, answered(2)),
        event(
            5_000,
            Fact::OfferEnded {
                reservation: ReservationId::new("t1-1"),
                agent: "hanako".into(),
                outcome: "accepted".into(),
                said: None,
            },
        ),
        event(
            5_000,
            Fact::Unqueued {
                queue: "sales".into(),
                outcome: "answered".into(),
            },
        ),
        event(5_000, caller(Stretch::Talk, "hanako")),
        event(5_000, agent("hanako", Some(AgentStretch::Talk))),
        event(
            5_000,
            Fact::RecordingStarted {
                recording: RecordingId::new("r1"),
            },
        ),
        event(22_000, lost()),
        event(23_400, back()),
        event(40_000, lost()),
        event(65_432, ended()),
        event(65_432, agent("hanako", Some(AgentStretch::Wrap))),
        event(65_440, leg_ended(1)),
        event(65_440, leg_ended(2)),
        event(65_500, published()),
        event(75_432, agent("hanako", None)),
    ]
}

fn leg_ended(leg: u64) -> Fact {
    Fact::LegEnded {
        leg: LegId(leg),
        by: Party::Caller,
        cause: Cause::normal(),
        media: MediaSummary {
            received: 3_000,
            jitter_ms: f64::NAN,
            mos_said: Some(Figure::default()),
            ..MediaSummary::default()
        },
    }
}

fn lost() -> Fact {
    Fact::AudioLost {
        leg: LegId(2),
        way: Way::Said,
        since: Timestamp::from_millis(START + 20_000),
        cause: Deafness::Elsewhere,
        why: "agent leg: no RTP".into(),
    }
}

fn back() -> Fact {
    Fact::AudioBack {
        leg: LegId(2),
        way: Way::Said,
        after_ms: 3_400,
    }
}

fn published() -> Fact {
    Fact::RecordingPublished {
        recording: RecordingFacts {
            recording: RecordingId::new("r1"),
            started: Timestamp::from_millis(START + 5_000),
            duration_ms: 60_432,
            path: "2026/11/20/r1.wav".into(),
            bytes: 1_933_824 + 44,
            sha256: "ab".repeat(32),
            seal: String::new(),
            channels: vec!["caller".into(), "hanako".into()],
            defect: None,
        },
    }
}

#[test]
fn a_whole_call_is_told_once_and_adds_up() {
    let record = CallRecord::fold(&story());
    assert_eq!(record.duration_ms, Some(65_432));
    assert_eq!(record.total_ms(Stretch::Ivr), 3_100);
    assert_eq!(record.total_ms(Stretch::Queue), 1_900);
    assert_eq!(record.total_ms(Stretch::Talk), 60_432);
    assert_eq!(record.answered, Some(Timestamp::from_millis(START + 4)));
    assert_eq!(record.hung_up_by, Some(Party::Caller));
    assert_eq!((record.sip, record.q850), (Some(200), Some(16)));
    assert_eq!(record.offers[0].outcome.as_deref(), Some("accepted"));
    assert_eq!(record.queues[0].outcome.as_deref(), Some("answered"));
    let agent: Vec<_> = record.agents[0]
        .timeline
        .iter()
        .map(|part| (part.stretch, part.duration_ms))
        .collect();
    assert_eq!(
        agent,
        [
            (AgentStretch::Offer, Some(49)),
            (AgentStretch::Ring, Some(1_850)),
            (AgentStretch::Talk, Some(60_432)),
            (AgentStretch::Wrap, Some(10_000)),
        ]
    );
    assert!(record.is_settled());
    check(&record);
}

#[test]
fn times_are_written_as_rfc_3339_and_read_back() {
    let record = CallRecord::fold(&story());
    let json = record.to_json();
    assert_eq!(json["started"], json!("2026-11-20T01:02:03.456Z"));
    assert_eq!(json["ended"], json!("2026-11-20T01:03:08.888Z"));
    assert_eq!(json["caller_timeline"][0]["stretch"], json!("ivr"));
    assert_eq!(serde_json::from_value::<CallRecord>(json).unwrap(), record);
}

#[test]
fn a_live_call_counts_up_to_now_and_stays_open() {
    let events = story();
    let record = CallRecord::fold(&events[..18]);
    assert_eq!(record.stretch(), Some(Stretch::Talk));
    assert!(!record.is_settled());
    let record = record.as_of(Timestamp::from_millis(START) + Duration::from_secs(15));
    assert_eq!(record.duration_ms, Some(15_000));
    assert_eq!(record.total_ms(Stretch::Talk), 10_000);
    assert_eq!(record.ended, None);
    assert_eq!(record.caller_timeline.last().unwrap().until, None);
}

#[test]
fn an_event_of_another_call_changes_nothing() {
    let mut record = CallRecord::fold(&story());
    let before = record.clone();
    let mut stranger = event(99_000, caller(Stretch::Talk, "x"));
    stranger.call = CallId::new("other");
    record.apply(&stranger);
    assert_eq!(record, before);
}

#[test]
fn a_record_that_overflows_says_so_and_still_adds_up() {
    let mut record = CallRecord::fold(&story()[..3]);
    for n in 0..5_000i64 {
        let fact = caller(Stretch::Talk, &n.to_string());
        record.apply(&event(n * 10, fact));
    }
    record.apply(&event(100_000, ended()));
    assert!(record.truncated);
    assert_eq!(record.duration_ms, Some(100_000));
    check(&record);
}

#[test]
fn a_filter_knows_agents_queues_and_times() {
    let record = CallRecord::fold(&story());
    let wanted = |filter: Filter| filter.matches(&record);
    let base = Filter::default;
    assert!(wanted(base()));
    assert!(wanted(Filter {
        agent: Some("hanako".into()),
        queue: Some("sales".into()),
        since: Some(Timestamp::from_millis(START)),
        ..base()
    }));
    assert!(!wanted(Filter {
        before: Some(Timestamp::from_millis(START)),
        ..base()
    }));
    assert!(!wanted(Filter {
        direction: Some(Direction::Outbound),
        ..base()
    }));
}

#[test]
fn every_field_of_the_written_form_is_documented() {
    fn keys(value: &Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                found.insert(name.clone());
                keys(value, found);
            }),
            _ => {}
        }
    }
    let docs = include_str!("../../../docs/call-record.md");
    let mut found = std::collections::BTreeSet::new();
    keys(&CallRecord::fold(&story()).to_json(), &mut found);
    assert!(found.len() > 60, "{found:?}");
    for name in found {
        assert!(
            docs.contains(&format!("| `{name}` |")),
            "{name} is not in docs/call-record.md"
        );
    }
}

/// What holds for every record, whatever events made it.
fn check(record: &CallRecord) {
    if record.is_empty() {
        return;
    }
    let parts = &record.caller_timeline;
    assert_eq!(parts[0].from, record.started);
    for pair in parts.windows(2) {
        assert_eq!(pair[0].until, Some(pair[1].from));
    }
    assert_eq!(parts.last().unwrap().until, record.ended);
    if let Some(duration) = record.duration_ms {
        let sum: u64 = parts.iter().map(|part| part.duration_ms.unwrap()).sum();
        assert_eq!(sum, duration);
    }
    assert_eq!(record.ended.is_some(), record.duration_ms.is_some());
    for agent in &record.agents {
        for pair in agent.timeline.windows(2) {
            assert!(pair[0].until.unwrap() <= pair[1].from);
        }
        for part in &agent.timeline {
            assert!(part.until.is_none_or(|until| until >= part.from));
        }
    }
    for leg in &record.legs {
        let times = [Some(leg.added), leg.ringing, leg.answered];
        assert!(times.iter().flatten().all(|at| *at >= record.started));
    }
    let now = record.updated + Duration::from_millis(77);
    let live = record.clone().as_of(now);
    let sum: u64 = live
        .caller_timeline
        .iter()
        .filter_map(|p| p.duration_ms)
        .sum();
    assert_eq!(Some(sum), live.duration_ms);
    let back: CallRecord = serde_json::from_value(record.to_json()).unwrap();
    assert_eq!(back, *record);
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let name = prop_oneof![Just("hanako".to_owned()), Just("花子".to_owned()), ".{0,3}"];
    let leg = (0u64..4).prop_map(LegId);
    let stretch = prop_oneof![
        Just(Stretch::Hold),
        Just(Stretch::Ivr),
        Just(Stretch::Queue),
        Just(Stretch::SetUp),
        Just(Stretch::Talk),
    ];
    let agent_stretch = prop::option::of(prop_oneof![
        Just(AgentStretch::Offer),
        Just(AgentStretch::Ring),
        Just(AgentStretch::Talk),
        Just(AgentStretch::Wrap),
    ]);
    let role = prop_oneof![Just(Role::Caller), Just(Role::Agent)];
    let id = "[ab]";
    prop_oneof![
        Just(call_started()),
        Just(ended()),
        Just(published()),
        (0u64..4, role).prop_map(|(leg, role)| leg_added(leg, role, None)),
        leg.clone().prop_map(|leg| Fact::LegRinging { leg }),
        leg.clone().prop_map(|leg| Fact::LegAnswered {
            leg,
            codec: "PCMA".into()
        }),
        (0u64..4).prop_map(leg_ended),
        (stretch, name.clone()).prop_map(|(stretch, with)| Fact::CallerEntered { stretch, with }),
        (name.clone(), prop::option::of(leg.clone()), agent_stretch).prop_map(
            |(agent, leg, stretch)| Fact::AgentEntered {
                agent,
                leg,
                stretch
            }
        ),
        leg.prop_map(|leg| Fact::DigitPressed { leg, digit: '#' }),
        name.clone().prop_map(|step| Fact::StepEntered {
            flow: "main".to_owned(),
            step
        }),
        (name.clone(), id).prop_map(|(queue, task)| Fact::Queued {
            queue,
            task: TaskId::new(task)
        }),
        (name.clone(), name.clone()).prop_map(|(queue, outcome)| Fact::Unqueued { queue, outcome }),
        (id, name.clone(), name.clone()).prop_map(|(task, agent, code)| Fact::WrapUpCoded {
            task: TaskId::new(task),
            agent,
            code
        }),
        (id, name.clone()).prop_map(|(one, agent)| Fact::Offered {
            reservation: ReservationId::new(one),
            agent,
            queue: "q".into(),
            why: "w".into()
        }),
        (id, name.clone()).prop_map(|(one, agent)| Fact::OfferEnded {
            reservation: ReservationId::new(one),
            agent,
            outcome: "busy".into(),
            said: Some("s".into())
        }),
        "[r][12]".prop_map(|id| Fact::RecordingStarted {
            recording: RecordingId::new(id)
        }),
        name.prop_map(|key| Fact::AttributesSet {
            attributes: [(key, json!({"n": 1}))].into_iter().collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_events_in_any_order_give_a_record_that_adds_up(
        events in prop::collection::vec((any_time(), any_fact()), 0..60),
    ) {
        let mut record = CallRecord::default();
        for (at, fact) in events {
            record.apply(&Event { at, call: CallId::new("c"), fact });
            check(&record);
        }
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0i64..100_000_000).prop_map(|us| Timestamp::from_micros(START * 1000 + us)),
        1 => any::<i64>().prop_map(Timestamp::from_micros),
    ]
}

#[test]
fn a_wrap_up_code_is_with_the_stay_that_was_answered() {
    let queue = |name: &str| Fact::Queued {
        queue: name.into(),
        task: TaskId::new("t1"),
    };
    let record = CallRecord::fold(&[
        event(0, call_started()),
        event(1, queue("owner")),
        event(2, queue("sales")),
        event(
            3,
            Fact::WrapUpCoded {
                task: TaskId::new("t1"),
                agent: "hanako".into(),
                code: "注文".into(),
            },
        ),
    ]);
    let codes: Vec<_> = record
        .queues
        .iter()
        .map(|stay| stay.wrap_up_code.as_deref())
        .collect();
    assert_eq!(codes, [None, Some("注文")]);
}
