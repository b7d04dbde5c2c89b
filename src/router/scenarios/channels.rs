//! Work of several channels: capacity, rules between channels, tasks without a call (R71, R101;
//! requirements, sections 2.4 and 3.3).

use super::*;

/// One worker who takes one call and three chats, everybody's defaults being 1.
fn open(others: OtherChannels) -> Office {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 1,
    }];
    let entry = |queue: &str, channel: &str| ProfileEntry {
        queue: queue.to_owned(),
        channel: channel.to_owned(),
        priority: 1,
        delay: Duration::ZERO,
    };
    let of = |capacity, others| ProfileChannel { capacity, others };
    plan.profiles = vec![ProfileSpec {
        name: "p".to_owned(),
        entries: vec![entry("all", VOICE), entry("all", "chat")],
        channels: [
            (VOICE.to_owned(), of(1, others)),
            ("chat".to_owned(), of(3, OtherChannels::Allowed)),
        ]
        .into(),
    }];
    plan.workers[0].profile = Some("p".to_owned());
    Office::new(&plan)
}

/// R71: the capacity table of an agent with voice 1 and chat 3.
#[test]
fn r71_voice_1_and_chat_3() {
    let table: [(&[&str], usize); 6] = [
        (&["chat", "chat", "chat"], 3),
        (&["chat", "chat", "chat", "chat"], 3),
        (&["voice", "voice"], 1),
        (&["voice", "chat", "chat", "chat"], 4),
        (&["chat", "voice", "chat", "chat", "chat"], 4),
        (&["chat", "voice", "chat", "voice", "chat"], 4),
    ];
    for (tasks, taken) in table {
        let mut office = open(OtherChannels::Allowed);
        let mut offered = 0;
        for (n, channel) in tasks.iter().enumerate() {
            let id = format!("{channel}{n}");
            let heard = match *channel {
                VOICE => office.create(&id, "all", 0),
                _ => office.chat(&id, "all"),
            };
            offered += offers(&heard).len();
        }
        assert_eq!(offered, taken, "{tasks:?}");
        assert_eq!(office.worker("a").engagements.len(), taken);
    }
}

/// R71: each end of a chat makes room for exactly one more.
#[test]
fn r71_a_freed_place_is_taken_by_the_next_of_its_channel() {
    let mut office = open(OtherChannels::Allowed);
    for n in 0..5 {
        office.chat(&format!("c{n}"), "all");
    }
    office.create("v0", "all", 0);
    office.create("v1", "all", 0);
    for n in 0..3 {
        office.accept(&format!("c{n}.1"));
    }
    office.accept("v0.1");
    assert_eq!(offers(&office.complete("c1")), ["c3>a"]);
    assert_eq!(offers(&office.complete("v0")), ["v1>a"]);
    assert_eq!(
        offers(&office.reject("c3.1", Rejection::Declined)),
        ["c4>a"]
    );
    assert_eq!(offers(&office.cancel("c4")), [""; 0], "c3 just had him");
    office.pass(5_000);
    assert_eq!(offers(&office.heard()), ["c3>a"]);
}

/// 3.3: the rule between channels. Who talks takes no chat; who chats may take a call.
#[test]
fn a_channel_may_bar_all_others() {
    let mut office = open(OtherChannels::Barred);
    assert_eq!(offers(&office.chat("c0", "all")), ["c0>a"]);
    assert_eq!(
        offers(&office.create("v0", "all", 0)),
        ["v0>a"],
        "a call beside a chat"
    );
    assert!(
        offers(&office.chat("c1", "all")).is_empty(),
        "an offered call bars chats"
    );
    let why = office.router.explain(&TaskId::new("c1")).expect("known");
    assert_eq!(why.nearest[0].reason, NotChosen::OtherChannel);
    office.accept("v0.1");
    office.accept("c0.1");
    assert!(offers(&office.complete("c0")).is_empty(), "he still talks");
    assert_eq!(offers(&office.complete("v0")), ["c1>a"]);
}

/// R101: a chat names no call, so nothing rings for it.
#[test]
fn r101_a_chat_never_makes_a_call() {
    let mut office = open(OtherChannels::Allowed);
    let mut heard = office.chat("c0", "all");
    heard.extend(office.accept("c0.1"));
    heard.extend(office.complete("c0"));
    assert!(heard.iter().all(|output| output.call().is_none()));
    assert_eq!(endings(&heard), [("c0".to_owned(), TaskOutcome::Completed)]);
}

/// 2.4: voice alone, said by a target that wants all of the other channels free.
#[test]
fn exclusive_voice_by_an_expression_over_capacity() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 3,
    }];
    plan.queues.push(QueueSpec {
        when_nobody: WhenNobody::Wait,
        ..QueueSpec::new("calls", "channel.chat.available_capacity_percentage == 100")
    });
    let mut office = Office::new(&plan);
    assert_eq!(offers(&office.chat("c0", "all")), ["c0>a"]);
    assert!(offers(&office.create("v0", "calls", 0)).is_empty());
    // The chat's caller is gone before anybody accepted: nobody was idle less long for it.
    assert_eq!(offers(&office.cancel("c0")), ["v0>a"]);
    office.accept("v0.1");
    office.complete("v0");
    office.chat("c1", "all");
    office.accept("c1.1");
    assert!(offers(&office.create("v1", "calls", 0)).is_empty());
    assert_eq!(offers(&office.complete("c1")), ["v1>a"]);
}

/// A channel the plan does not know is refused.
#[test]
fn an_unknown_channel_is_refused() {
    let mut office = Office::new(&plan());
    assert_eq!(
        refusal(&office.chat("c0", "sales")),
        Some(Refusal::UnknownChannel)
    );
}

/// After-call work takes the place its task had, no more.
#[test]
fn a_chats_after_work_keeps_one_place_of_its_channel() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 2,
    }];
    plan.queues[0].wrap_up = seconds(10);
    let mut office = Office::new(&plan);
    for n in 0..4 {
        office.chat(&format!("c{n}"), "all");
    }
    office.accept("c0.1");
    office.accept("c1.1");
    assert!(offers(&office.complete("c0")).is_empty());
    assert!(offers(&office.complete("c1")).is_empty());
    assert_eq!(
        offers(&office.create("v", "all", 0)),
        ["v>a"],
        "voice is another channel"
    );
    office.until(9_999);
    assert!(offers(&office.heard()).is_empty());
    office.until(10_000);
    // Both end at the same instant.
    assert_eq!(offers(&office.heard()), ["c2>a", "c3>a"]);
}

/// R62 to R64: who takes no calls is nobody for a caller, though he is there.
#[test]
fn r64_agents_for_chats_alone_are_nobody_for_a_call() {
    for by_profile in [false, true] {
        let filters = json!([{"expression": "1==1", "targets": [
            {"queue": "all", "skip_if": "workers.available == 0", "timeout": 30}]}]);
        let mut plan = office_of(
            &[("a", json!({})), ("b", json!({}))],
            routing("w", filters, json!({"queue": "few"})),
        );
        plan.channels = vec![ChannelSpec {
            name: "chat".to_owned(),
            capacity: 1,
        }];
        plan.queues[1].target = "name == 'b'".to_owned();
        let entry = |queue: &str, channel: &str| ProfileEntry {
            queue: queue.to_owned(),
            channel: channel.to_owned(),
            priority: 1,
            delay: Duration::ZERO,
        };
        plan.profiles = vec![ProfileSpec {
            name: "p".to_owned(),
            entries: ["all", "few"]
                .iter()
                .flat_map(|queue| [entry(queue, VOICE), entry(queue, "chat")])
                .collect(),
            ..ProfileSpec::default()
        }];
        for worker in &mut plan.workers {
            worker.profile = by_profile.then(|| "p".to_owned());
            worker.capacity.insert(VOICE.to_owned(), 0);
        }
        // An agent's own queue is his, but he takes no call of it either.
        plan.queues.push(QueueSpec {
            agent: true,
            ..QueueSpec::new("own", "name == 'a'")
        });
        let mut office = Office::new(&plan);
        for queue in ["all", "own"] {
            let heard = office.create(queue, queue, 0);
            assert_eq!(nobody(&heard), [(queue.to_owned(), NobodyWhy::NoMatch)]);
        }
        // The machine speaks at once: `skip_if` holds, and so it does for the default filter.
        office.enter("t", "w", json!({}));
        let story = office.story("t");
        assert_eq!(story[0], "0 0.0 Entered");
        assert!(story[1].starts_with("0 default Skipped"), "{story:?}");
        assert_eq!(offers(&office.chat("c", "all")), ["c>a"]);
    }
}

/// 1.5: a queue of chats has agents too.
#[test]
fn a_queue_shows_the_workers_of_all_its_channels() {
    let mut plan = office_of(
        &[("a", json!({})), ("b", json!({})), ("c", json!({}))],
        WorkflowSpec::new("w", "all"),
    );
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 1,
    }];
    plan.workers[0].capacity.insert(VOICE.to_owned(), 0);
    plan.workers[1].capacity.insert("chat".to_owned(), 0);
    plan.workers[2].capacity = plan.workers[0].capacity.clone();
    let mut office = Office::new(&plan);
    let shown = |office: &Office| {
        let queue = office.router.view().queues.remove(0);
        (queue.members, queue.on_duty, queue.free)
    };
    assert_eq!(shown(&office), (3, 3, 3));
    office.activity("c", "away");
    office.chat("x", "all");
    assert_eq!(shown(&office), (3, 2, 1));
    office.create("y", "all", 0);
    assert_eq!(shown(&office), (3, 2, 0));
}

/// 2.2 rule 12: of two who take three chats each nobody has two while the other has none, be he
/// idle a second longer; a call goes to who has nothing in hand.
#[test]
fn who_has_nothing_in_hand_goes_before_who_has() {
    let workers = [("a", json!({})), ("b", json!({}))];
    let mut plan = office_of(&workers, WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 3,
    }];
    let mut office = Office::new(&plan);
    let mut given = Vec::new();
    for n in 0..4 {
        given.extend(offers(&office.chat(&format!("c{n}"), "all")));
        office.accept(&format!("c{n}.1"));
        office.pass(1_000);
    }
    assert_eq!(given, ["c0>a", "c1>b", "c2>a", "c3>b"]);
    // Of equally much in hand: who was done with something longest ago.
    office.complete("c1");
    office.complete("c3");
    assert_eq!(offers(&office.create("v0", "all", 0)), ["v0>b"], "a call");
    office.accept("v0.1");
    office.complete("c0");
    office.pass(1_000);
    office.complete("v0");
    office.chat("c4", "all");
    office.accept("c4.1");
    let heard = office.chat("c5", "all");
    assert_eq!(
        offers(&heard),
        ["c5>a"],
        "a is done with c0 for a second longer"
    );
    let said = heard.iter().find_map(|output| match output {
        Output::Offer { explanation, .. } => Some(explanation.to_string()),
        _ => None,
    });
    let said = said.expect("an offer");
    assert!(said.starts_with("a: least in hand of 2 free"), "{said}");
}

/// Who is done with one of several, and then is offered one in vain, is idle since he was done.
#[test]
fn an_offer_in_vain_gives_nobody_back_the_idleness_of_before_his_work() {
    let workers = [("a", json!({})), ("b", json!({}))];
    let mut plan = office_of(&workers, WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 2,
    }];
    plan.queues[0].wrap_up = seconds(10);
    let mut office = Office::new(&plan);
    office.activity("b", "away");
    office.chat("c0", "all");
    office.accept("c0.1");
    office.pass(60_000);
    office.activity("b", "ready");
    office.complete("c0");
    office.activity("b", "away");
    // Offered to him while his after-call work goes on, and until it is over.
    office.chat("c1", "all");
    office.activity("b", "ready");
    office.pass(20_000);
    office.cancel("c1");
    assert_eq!(
        offers(&office.chat("c2", "all")),
        ["c2>b"],
        "idle ten seconds longer than a"
    );
}
